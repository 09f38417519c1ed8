"""What is finished of a clip, kept in the store while a worker is at it, so that the next one goes on from there.

    ID/part-HEX-00003.cutout    a file of a segment
    ID/part-HEX-journal.json    what the segments are made of, and their checksums; see ``bshm.video.parts``

The record of the job speaks of each of them as of any other bytes, so they go when the clip has ended, and with the
job.  Each attempt works on files of its own: a worker that was only taken for dead cannot write into those of the next.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bshm.errors import BshmError
from bshm.jobs import transitions
from bshm.jobs.job_store import JobStore
from bshm.jobs.records import JobRecord
from bshm.video import parts

log = logging.getLogger("bshm.jobs")

# Below the folder in which a clip is worked on.
FOLDER = "parts"


class ClipParts:
    """The finished segments of one clip, in the folder where a worker makes them and in the store."""

    def __init__(self, store: JobStore, folder: Path, *, job_id: str, index: int, token: str) -> None:
        """Of a clip that was taken.

        Args:
            store: the jobs.
            folder: where the clip is worked on.
            job_id, index: whose.
            token: of the lease.
        """
        self._store = store
        self._folder = folder / FOLDER
        self._job_id = job_id
        self._index = index
        self._token = token
        # By the name of each file its checksum, and what it is called in the store.
        self._kept: dict[str, tuple[str, str]] = {}

    def bring(self, kept: tuple[str, ...], fetch: Callable[[str, Path], bool]) -> None:
        """Put what an earlier worker has kept where this one looks for it, which sees then what of it is whole.

        Args:
            kept: the names in the store, from the record.
            fetch: makes the bytes of a name a file; False where there are none any more.
        """
        if not kept:
            return
        self._folder.mkdir()
        found = {_file_of(stored): stored for stored in kept if fetch(stored, self._folder / _file_of(stored))}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a journal that is of no use has no parts
            _, sums = parts.whole(self._folder)
            self._kept = {name: (sums[name], stored) for name, stored in found.items() if name in sums}

    @contextlib.contextmanager
    def kept_meanwhile(self, grew: threading.Event) -> Iterator[None]:
        """Keep what is finished whenever ``grew`` is set, and at the end.

        In a thread of its own: a store that is slow, or away, holds up no frame.
        """
        over = threading.Event()

        def keep() -> None:
            while not over.is_set() or grew.is_set():
                grew.wait()
                grew.clear()
                self._keep()

        thread = threading.Thread(target=keep, name="bshm-parts", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # What was finished last is kept, too: a clip may be given back just now.
            over.set()
            grew.set()
            thread.join()

    def drop(self) -> bool:
        """Throw away what the store has of it: the results need the room.

        Returns:
            whether there was something.
        """
        had, self._kept = bool(self._kept), {}
        return had and self._change(()) is not None

    def _keep(self) -> None:
        made: list[str] = []
        try:
            if self._is_kept(made):
                return
        except (BshmError, OSError, ValueError, KeyError, TypeError) as error:
            # Without a journal nothing is finished yet, or all of it is, and what is joined is gone.
            if (self._folder / parts.JOURNAL).exists():
                log.warning("job %s: what is finished of it cannot be kept: %s", self._job_id, error)
        except Exception:
            log.exception("a fault in bshm while keeping what is finished of the job %s", self._job_id)
        for name in made:
            with contextlib.suppress(BshmError):  # `sweep` finds what is left
                self._store.blobs.delete(name)

    def _is_kept(self, made: list[str]) -> bool:
        """Whether the record speaks of all that is finished; ``made`` gets the names of what was put into the store."""
        journal, sums = parts.whole(self._folder)
        kept = {name: each for name, each in self._kept.items() if sums.get(name) == each[0]}
        if not sums or kept.keys() == self._kept.keys() == sums.keys():
            return True
        for name in sorted(sums.keys() - kept.keys()):
            made.append(self._name(name))
            self._store.blobs.take(made[-1], self._folder / name)
            kept[name] = (sums[name], made[-1])
        made.append(self._name(parts.JOURNAL))
        self._store.blobs.put(made[-1], journal)
        if self._change((made[-1], *(stored for _, stored in kept.values()))) is None:
            return False
        self._kept = kept
        return True

    def _change(self, kept: tuple[str, ...]) -> JobRecord | None:
        return self._store.change(
            self._job_id,
            lambda found: transitions.parts_kept(found, token=self._token, index=self._index, parts=kept),
        )

    def _name(self, file: str) -> str:
        # A name of its own for each attempt, as results have it.
        return f"{self._job_id}/part-{secrets.token_hex(8)}-{file}"


def _file_of(stored: str) -> str:
    """
    >>> _file_of("ID/part-0123456789abcdef-00003.cutout")
    '00003.cutout'
    """
    return stored.rpartition("/")[2].split("-", 2)[2]
