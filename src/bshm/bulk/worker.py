"""Process one picture of a batch: already done, copied from an equal picture, or made and written.

On one machine, the threads of a batch share one worker; on many machines, each process has its own.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.bulk import rows
from bshm.bulk.batch import BatchRecord, Made, Proof, make
from bshm.bulk.items import Item, ItemReader
from bshm.bulk.journal import Journal, Line
from bshm.errors import OutputError, OutputExistsError, option
from bshm.files import sink
from bshm.options import MatteOptions

if TYPE_CHECKING:
    from bshm.bulk.review import Review, SheetEntry
    from bshm.edit.background import Paints
    from bshm.edit.spec import Edit
    from bshm.pipeline import Matting
    from bshm.types import Picture


class Ledger:
    """The finished part of a batch, by its journal and the files in its folder."""

    def __init__(self, folder: Path, journal: Journal, reader: ItemReader, *, refuse: bool = False) -> None:
        """Use the journal of ``folder``.

        Args:
            folder: folder of the results.
            journal: journal of that folder.
            reader: reads the inputs.
            refuse: refuse outputs that exist but are not in the journal before they are made.  Otherwise they are made
                and compared, because a crash or another process may have come between the file and the journal.
        """
        self.folder = folder
        self.journal = journal
        self.reader = reader
        self._refuse = refuse

    def settled(self, item: Item) -> BatchRecord | None:
        """The record of an item that needs no work; None if it needs work.

        Raises:
            BshmError: the item has an error.
        """
        if item.error is not None:
            raise item.error
        job = item.job(self.folder)
        if item.note is not None:
            return BatchRecord(job, "skipped", note=item.note)
        is_there = os.path.lexists(self.folder / item.output)
        line = self.journal.find(item.output)
        if line is None and is_there:
            line = self.journal.find(item.output, anew=True)
            if line is None and self._refuse:
                raise exists(self.folder / item.output)
        if line is None or not is_there or not self.stands(line):
            return None
        identity = self.reader.identity(item)
        if identity != line.found["proof"]["identity"] or line.found["input"] != item.place:
            return None
        return self.earlier(item, line)

    def earlier(self, item: Item, line: Line) -> BatchRecord:
        """The record of an item that an earlier run or another process has made."""
        found = rows.record({**line.found, "error": None}, item.job(self.folder))
        return replace(found, status="skipped", note="it is done already")

    def stands(self, line: Line) -> bool:
        """Whether an output with these settings exists, as in its line."""
        if not self.journal.is_current(line):
            return False
        path, proof = self.folder / line.found["output"], line.found["proof"]
        try:
            if path.stat().st_size != int(proof["output_size"]):
                return False
        except (OSError, ValueError):
            return False
        # The file that it should replace may have the same length.
        return not line.found.get("replaces") or _sha256(path) == proof["output_sha256"]


class Worker:
    """Processes items.  Safe to share between threads."""

    def __init__(
        self,
        matting: Matting,
        ledger: Ledger,
        *,
        options: MatteOptions,
        edit: Edit,
        background: Picture | Paints | None,
        overwrite: bool,
        write_lock: AbstractContextManager[object] | None = None,
        review: Review | None = None,
    ) -> None:
        """Use open objects.

        Args:
            matting: the session.
            ledger: the ledger of the output folder.
            options: options of the mattes.
            edit: options of the results.
            background: the picture that ``edit`` names, or the painter of its description.
            overwrite: replace files that this batch has not written.
            write_lock: taken before anything is changed; None for no lock.
            review: gets a copy of each result with a low score.
        """
        self._matting = matting
        self._ledger = ledger
        self._options = options
        self._edit = edit
        self._background = background
        self._overwrite = overwrite
        self._write_lock = write_lock or nullcontext()
        self._review = review
        self._alone = _Alone()

    def do(self, item: Item) -> BatchRecord:
        """Process an item, unless it is done already.

        Raises:
            BshmError: it cannot be processed.
        """
        settled = self._ledger.settled(item)
        if settled is not None:
            return settled
        folder, journal = self._ledger.folder, self._ledger.journal
        job = item.job(folder)
        path = folder / item.output
        identity = self._ledger.reader.identity(item)
        started = time.perf_counter()
        data = self._ledger.reader.read(item)
        read_ms = 1e3 * (time.perf_counter() - started)
        sha256 = hashlib.sha256(data).hexdigest()
        with self._alone.on(f"{sha256}{path.suffix}"):
            twin = journal.twin(sha256, path.suffix)
            if twin is not None and self._ledger.stands(twin):
                record = rows.record({**twin.found, "error": None}, job)
                assert record.proof is not None
                proof = replace(record.proof, identity=identity, copy_of=None)
                if twin.found["output"] == item.output:  # the same bytes as before, with a new time
                    self._note(replace(record, status="written", proof=proof), item)
                    return self._ledger.earlier(item, twin)
                return self._copy(item, record, replace(proof, copy_of=twin.found["output"]), path)
            made, look = self._made(data, item, path)
            size, output_size = len(data), len(made.rendered.data)
            proof = Proof(identity, sha256, size, hashlib.sha256(made.rendered.data).hexdigest(), output_size)
            del data
            return self._write(item, made, look, proof, path, read_ms)

    def _made(self, data: bytes, item: Item, path: Path) -> tuple[Made, SheetEntry | None]:
        from bshm.files import decode

        started = time.perf_counter()
        picture = decode.decode(data, name=item.name, limits=self._options.limits)
        decode_ms = 1e3 * (time.perf_counter() - started)
        matte = self._matting.matte_picture(picture, self._options)
        made = make(matte, path, self._edit, self._background)
        look = None if self._review is None else self._review.look(matte, item.name)
        return replace(made, timings_ms={"decode": decode_ms, **made.timings_ms}), look

    def _write(
        self, item: Item, made: Made, look: SheetEntry | None, proof: Proof, path: Path, read_ms: float
    ) -> BatchRecord:
        made = replace(made, timings_ms={"read": read_ms, **made.timings_ms})
        done = time.perf_counter()
        noted = made.record(item.job(self._ledger.folder), write_ms=0.0, proof=proof)
        with self._write_lock:
            replaces = self._may_take(path, item, proof)
            if self._review is not None and look is not None:  # before it counts as done, so that a crash loses no copy
                self._review.add(look, made.rendered.data, path.name)
            self._note(noted, item, replaces=replaces)
            if replaces is not None:
                self._publish(lambda: sink.write(made.rendered.data, path, overwrite=replaces), path, proof)
        return made.record(noted.job, write_ms=1e3 * (time.perf_counter() - done), proof=proof)

    def _copy(self, item: Item, record: BatchRecord, proof: Proof, path: Path) -> BatchRecord:
        record = replace(
            record, status="copied", proof=proof, note=f"a copy of {proof.copy_of}, made of the same bytes"
        )
        existing = self._ledger.folder / (proof.copy_of or "")
        with self._write_lock:
            replaces = self._may_take(path, item, proof)
            self._note(record, item, replaces=replaces)
            if replaces is not None:
                self._publish(lambda: sink.duplicate(existing, path, overwrite=replaces), path, proof)
        return record

    def _may_take(self, path: Path, item: Item, proof: Proof) -> bool | None:
        """Whether to replace the file at ``path``; None if it is the result already.

        Raises:
            OutputExistsError: it is not from this batch, and may not be replaced.
        """
        if not os.path.lexists(path):
            return False
        if path.is_symlink() or not path.is_file():
            raise OutputExistsError(
                f"{path} is a link or not a regular file. Move it away, or give {option('output')} another."
            )
        there = _sha256(path)
        if there == proof.output_sha256:
            return None  # a crash came in between, or another process was faster
        line = self._ledger.journal.find(item.output, anew=True)
        ours = line is not None and line.found["proof"]["output_sha256"] == there
        # After a power cut: a file with its name, but without its bytes on the disk.
        nothing = path.stat().st_size == 0
        if not ours and not nothing and not self._overwrite:
            raise exists(path)
        return True

    def _publish(self, put: Callable[[], object], path: Path, proof: Proof) -> None:
        try:
            put()
        except OutputExistsError:
            if _sha256(path) != proof.output_sha256:  # another process was faster, with another result
                raise

    def _note(self, record: BatchRecord, item: Item, *, replaces: bool | None = None) -> None:
        more = {"replaces": True} if replaces else {}
        self._ledger.journal.add({**rows.row(record), "input": item.place, "output": item.output, **more})


class _Alone:
    """Lets one thread at a time work on each key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def on(self, key: str) -> Iterator[None]:
        """Wait until no other thread works on ``key``."""
        with self._lock:
            lock, waiting = self._held.get(key, (threading.Lock(), 0))
            self._held[key] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._held[key]
                if waiting == 1:
                    del self._held[key]
                else:
                    self._held[key] = lock, waiting - 1


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                digest.update(data)
    except OSError as error:
        raise OutputError(f"{path} exists and cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()


def exists(path: Path) -> OutputExistsError:
    """The error for an output that already exists."""
    return OutputExistsError(
        f"{path} already exists, but not as this batch wrote it. Add {option('overwrite')} to replace it, "
        f"or give {option('output')} another folder."
    )
