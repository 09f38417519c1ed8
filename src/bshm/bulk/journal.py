"""The journal of a batch: what it has written, so that the next run neither repeats work nor touches other files.

    FOLDER/.bshm-batch/journal/*.jsonl    one file per process; lines are only added

A line is written *before* its output gets its name.  So an output with the length in its line is complete, however the
process ended, and a line without an output means that the output was not finished.  The files of other processes, and
of other machines that share the folder, are also read.  Incomplete lines after a crash are ignored.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bshm.errors import OptionError, OutputError, option
from bshm.files import sink

FOLDER = ".bshm-batch"
# Written lines survive kill -9.  A power cut may lose those of one second, whose results are soon made again.
_SYNC_S = 1.0


@dataclass(frozen=True)
class Line:
    """The entry of one output in the journal.

    Attributes:
        settings: the settings of the output, as in ``Journal``.
        found: the row of its record, see ``bshm.bulk.rows``; its ``output`` is relative to the folder.
    """

    settings: str
    found: Mapping[str, Any]


class Journal:
    """The journal of one output folder, opened by one process.  Safe to share between threads."""

    def __init__(self, folder: Path, settings: Mapping[str, object], *, overwrite: bool) -> None:
        """Read the existing journal.

        Args:
            folder: folder of the results.
            settings: everything that determines a result, by its usual name.
            overwrite: whether to make results of other settings again.

        Raises:
            OptionError: the folder has results of other settings, and ``overwrite`` is off.
            OutputError: the journal cannot be read or created.
        """
        self._folder = folder / FOLDER / "journal"
        self._settings = json.dumps(dict(settings), sort_keys=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(
            """
            PRAGMA journal_mode=OFF;
            PRAGMA synchronous=OFF;
            CREATE TABLE file (id INTEGER PRIMARY KEY, name TEXT UNIQUE, read INTEGER);
            CREATE TABLE line (output TEXT PRIMARY KEY, file INTEGER, at INTEGER, made REAL) WITHOUT ROWID;
            CREATE TABLE digest (digest BLOB PRIMARY KEY, output TEXT) WITHOUT ROWID;
            BEGIN;
            """
        )
        self._readers: dict[int, Path] = {}
        self._own: tuple[int, int] | None = None
        self._synced = 0.0
        self._other: dict[str, Any] | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self._read_on()
        except OSError as error:
            raise sink.explained(error, str(self._folder)) from error
        if self._other is not None and not overwrite:
            raise OptionError(
                f"{folder} has results of other settings: {_difference(self._other, json.loads(self._settings))}. "
                f"Give {option('output')} another folder, or add {option('overwrite')} to make them again."
            )
        self.is_new = not self._db.execute("SELECT 1 FROM line LIMIT 1").fetchone()

    def find(self, output: str, *, anew: bool = False) -> Line | None:
        """The latest line of an output.

        Args:
            output: path below the folder.
            anew: also read lines that other processes have added.
        """
        with self._lock:
            if anew:
                self._read_on()
            return self._line(output)

    def twin(self, sha256: str, suffix: str) -> Line | None:
        """The latest line of an output with the suffix ``suffix``, made from the same bytes with these settings."""
        with self._lock:
            found = self._db.execute(
                "SELECT output FROM digest WHERE digest = ?", (_digest(sha256, suffix),)
            ).fetchone()
            line = None if found is None else self._line(found[0])
        return line if line is not None and line.settings == self._settings else None

    def is_current(self, line: Line) -> bool:
        """Whether a line has these settings."""
        return line.settings == self._settings

    def add(self, found: Mapping[str, Any]) -> None:
        """Add a line for an output that is about to get its name.

        Raises:
            OutputError: the journal cannot be written; then the output must not be written either.
        """
        made = time.time()
        line = {"at": made, **found}
        data = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                descriptor, number = self._opened()
                at = os.lseek(descriptor, 0, os.SEEK_END)
                _write(descriptor, data)
                if time.monotonic() - self._synced > _SYNC_S:
                    os.fsync(descriptor)
                    self._synced = time.monotonic()
            except OSError as error:
                raise sink.explained(error, f"the journal in {self._folder}") from error
            self._index(line, number, at)
            self._db.execute("UPDATE file SET read = ? WHERE id = ?", (at + len(data), number))

    def close(self) -> None:
        """Flush the added lines to the disk."""
        with self._lock:
            if self._own is not None:
                os.fsync(self._own[0])
                os.close(self._own[0])
                self._own = None

    def _opened(self) -> tuple[int, int]:
        """The descriptor of this process's own file and its number, opened when first needed."""
        if self._own is None:
            host = "".join(each for each in socket.gethostname() if each.isalnum())[:40]
            path = self._folder / f"{time.time_ns():020d}-{host}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
            head = json.dumps({"settings": json.loads(self._settings)}).encode() + b"\n"
            _write(descriptor, head)
            self._own = descriptor, self._known(path, len(head))
        return self._own

    def _known(self, path: Path, read: int) -> int:
        self._db.execute("INSERT INTO file (name, read) VALUES (?, ?)", (path.name, read))
        number = int(self._db.execute("SELECT last_insert_rowid()").fetchone()[0])
        self._readers[number] = path
        return number

    def _read_on(self) -> None:
        """Read the lines added to the files since the last call."""
        for path in sorted(self._folder.glob("*.jsonl")):
            found = self._db.execute("SELECT id, read FROM file WHERE name = ?", (path.name,)).fetchone()
            number, at = found or (self._known(path, 0), 0)
            with path.open("rb") as file:
                file.seek(at)
                for data in file:
                    if not data.endswith(b"\n"):
                        break  # incomplete, or still being written
                    line = _parsed(data)
                    if "settings" in line:
                        differ = json.dumps(line["settings"], sort_keys=True) != self._settings
                        self._other = line["settings"] if differ else None  # the last run's settings matter
                    elif "output" in line:
                        self._index(line, number, at)
                    at += len(data)
            self._db.execute("UPDATE file SET read = ? WHERE id = ?", (at, number))

    def _index(self, line: Mapping[str, Any], number: int, at: int) -> None:
        output, made = _text(line["output"]), float(line["at"])
        self._db.execute(
            "INSERT INTO line VALUES (?, ?, ?, ?) ON CONFLICT (output) DO UPDATE SET file = excluded.file, "
            "at = excluded.at, made = excluded.made WHERE excluded.made >= line.made",
            (output, number, at, made),
        )
        suffix = Path(line["output"]).suffix
        digest = _digest(line["proof"]["sha256"], suffix)
        self._db.execute("INSERT OR REPLACE INTO digest VALUES (?, ?)", (digest, output))

    def _line(self, output: str) -> Line | None:
        found = self._db.execute("SELECT file, at FROM line WHERE output = ?", (_text(output),)).fetchone()
        if found is None:
            return None
        number, at = found
        try:
            with self._readers[number].open("rb") as file:
                settings = _parsed(file.readline()).get("settings")
                file.seek(at)
                line = _parsed(file.readline())
        except OSError as error:
            raise OutputError(f"the journal {self._readers[number]} cannot be read: {error.strerror}.") from error
        return Line(json.dumps(settings, sort_keys=True), line)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _parsed(data: bytes) -> dict[str, Any]:
    """Parse a line of the journal; nothing if a power cut has damaged it."""
    try:
        line = json.loads(data)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


def _text(output: str) -> str:
    """A name as text, even if it contains bytes that are not text."""
    return output.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _digest(sha256: str, suffix: str) -> bytes:
    return bytes.fromhex(sha256) + suffix.lower().encode()


def _difference(there: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in sorted({*there, *now}) if there.get(name) != now.get(name)]
    return ", ".join(f"{name} was {there.get(name)!r} and is {now.get(name)!r}" for name in names[:4])
