"""Records as files in a folder that several machines share (NFS, SMB, a volume of containers).

    records/ID/00000007.json    the record of the job ID as it was changed for the seventh time
    live/ID                     jobs that may not have ended
    owned/HASH/ID               all of one owner, its name hashed
    due/ID                      jobs whose webhook may not have been called
    keys/HASH                   an idempotency key: the id that stands for it

A record is changed by making the file of the next number, which fails where somebody else has made it: a hard link
either takes a free name or does not, on network file systems too.  The numbers of a job only grow while it is there.
A mark in ``live`` or ``due`` is made before its record says so and removed after, so a crash leaves one too many, never
one too few.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

from bshm.errors import DiskFullError, OutputExistsError, QueueUnavailableError, StoreFullError
from bshm.files import private, sink
from bshm.jobs.job_store import full
from bshm.jobs.records import JobRecord, State, is_id

# A file that was named but not yet filled (file systems without hard links) is looked at again after a moment.
_TRIES = 50
_MOMENT_S = 0.02
# A mark without a record is that of a job that is being added just now, unless it is older.
_ORPHAN_S = 3600.0


class FolderRecords:
    """Records in a shared folder; safe to share between threads, processes and machines.

    ``capacity`` is looked at before a job is added, not together with it: several servers may exceed it by one each.
    """

    def __init__(self, folder: Path) -> None:
        """Open or make the folder.

        Raises:
            OutputError: it cannot be made.
        """
        self._records, self._live, self._owned, self._due, self._keys = (
            folder / each for each in ("records", "live", "owned", "due", "keys")
        )
        for each in (self._records, self._live, self._owned, self._due, self._keys):
            private.folder(each)

    def reserve(self, owner: str, key: str, job_id: str) -> str:
        """See ``Records``: the file of the key is there from now on."""
        path = self._key(owner, key)
        try:
            _write(job_id.encode(), path, overwrite=False)
        except OutputExistsError:
            there = self._filled(path)
            return there.decode() if there is not None else self.reserve(owner, key, job_id)
        return job_id

    def add(self, record: JobRecord, *, capacity: int) -> JobRecord:
        """See ``Records``."""
        if self.depth() >= capacity:
            raise full(capacity)
        _write(b"", self._live / record.id, overwrite=True)
        _write(b"", self._of(record.owner) / record.id, overwrite=True)
        try:
            _write(record.to_text().encode(), self._file(record.id, 0), overwrite=False)
        except OutputExistsError:
            there = self.get(record.id)
            if there is None:
                raise QueueUnavailableError(f"the record of the job {record.id} cannot be read.") from None
            return there
        return record

    def get(self, job_id: str) -> JobRecord | None:
        """See ``Records``."""
        for _ in range(_TRIES):
            number = self._latest(job_id)
            if number is None:
                return None
            text = self._filled(self._file(job_id, number))
            if text is not None:
                return JobRecord.from_text(text)
        raise QueueUnavailableError(f"the record of the job {job_id} is empty. Is the disk full?")

    def replace(self, old: JobRecord, new: JobRecord) -> JobRecord | None:
        """See ``Records``."""
        new = replace(new, revision=old.revision + 1)
        if self._latest(old.id) != old.revision:
            return None
        if new.delivery is not None and new.delivery.next_at is not None:
            _write(b"", self._due / old.id, overwrite=True)
        try:
            _write(new.to_text().encode(), self._file(old.id, new.revision), overwrite=False)
        except OutputExistsError:
            return None
        if not self._file(old.id, 0).exists():  # it was deleted meanwhile, and shall not come back
            shutil.rmtree(self._records / old.id, ignore_errors=True)
            return None
        self._unmark(new)
        # The name stays, so that nobody who slept since then can take it; the content is of no use any more.
        if new.revision >= 2:
            os.truncate(self._file(old.id, new.revision - 2), 0)
        return new

    def delete(self, record: JobRecord) -> None:
        """See ``Records``."""
        if record.idempotency_key is not None:
            key = self._key(record.owner, record.idempotency_key)
            if self._filled(key) == record.id.encode():
                key.unlink(missing_ok=True)
        for mark in (self._live / record.id, self._due / record.id, self._of(record.owner) / record.id):
            mark.unlink(missing_ok=True)
        shutil.rmtree(self._records / record.id, ignore_errors=True)

    def depth(self, owner: str | None = None) -> int:
        """See ``Records``."""
        live = {name for name in _names(self._live) if is_id(name)}
        return len(live if owner is None else live & self._ids_of(owner))

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None) -> list[JobRecord]:
        """See ``Records``."""
        found = []
        for name in self._ids_of(owner):
            record = self.get(name)
            if record is not None and (before is None or (record.created_at, record.id) < before):
                found.append(record)
            elif record is None and _age_s(self._of(owner) / name) > _ORPHAN_S:  # a crash left it
                (self._of(owner) / name).unlink(missing_ok=True)
        return sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)[:limit]

    def in_state(self, state: State, *, limit: int | None = None) -> list[JobRecord]:
        """See ``Records``."""
        found = sorted(
            (each for each in self._marked(self._live) if each.state == state), key=lambda each: each.created_at
        )
        return found[:limit]

    def due(self, now: float) -> list[JobRecord]:
        """See ``Records``."""
        return [
            each
            for each in self._marked(self._due)
            if each.delivery is not None and each.delivery.next_at is not None and each.delivery.next_at <= now
        ]

    def expired(self, now: float) -> list[JobRecord]:
        """See ``Records``."""
        live = set(_names(self._live))
        names = [name for name in _names(self._records) if is_id(name) and name not in live]
        found = [self.get(name) for name in names]
        return [each for each in found if each is not None and each.expires_at is not None and each.expires_at <= now]

    def close(self) -> None:
        """See ``Records``: nothing is held."""

    def _marked(self, folder: Path) -> list[JobRecord]:
        found = []
        for name in _names(folder):
            if not is_id(name):
                continue
            record = self.get(name)
            if record is not None:
                self._unmark(record)
                found.append(record)
            elif _age_s(folder / name) > _ORPHAN_S:
                (folder / name).unlink(missing_ok=True)
        return found

    def _unmark(self, record: JobRecord) -> None:
        if record.has_ended:
            (self._live / record.id).unlink(missing_ok=True)
            if record.delivery is None or record.delivery.next_at is None:
                (self._due / record.id).unlink(missing_ok=True)

    def _file(self, job_id: str, number: int) -> Path:
        return self._records / job_id / f"{number:08d}.json"

    def _latest(self, job_id: str) -> int | None:
        try:
            names = os.listdir(self._records / job_id)  # noqa: PTH208
        except FileNotFoundError:
            if not self._records.is_dir():
                raise _away(self._records) from None
            return None
        except OSError as error:
            raise _away(self._records) from error
        return max((int(name[:8]) for name in names if name.endswith(".json")), default=None)

    def _filled(self, path: Path) -> bytes | None:
        """The content of a file that somebody may be filling just now; None where it stays empty or has gone."""
        for _ in range(_TRIES):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
            if data:
                return data
            if path.suffix == ".json" and self._latest(path.parent.name) != int(path.stem):
                return None  # emptied because there is a newer one
            time.sleep(_MOMENT_S)
        return None

    def _ids_of(self, owner: str) -> set[str]:
        folder = self._of(owner)
        return {name for name in _names(folder) if is_id(name)} if folder.is_dir() else set()

    def _of(self, owner: str) -> Path:
        return self._owned / hashlib.sha256(owner.encode()).hexdigest()

    def _key(self, owner: str, key: str) -> Path:
        return self._keys / hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()


def _write(data: bytes, path: Path, *, overwrite: bool) -> None:
    """As ``sink.write``; that the disk is full is told as what a worker waits for."""
    try:
        sink.write(data, path, overwrite=overwrite)
    except DiskFullError as error:
        raise StoreFullError(str(error)) from error


def _names(folder: Path) -> list[str]:
    """What is in a folder of the store: names alone, many of them."""
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError as error:
        raise _away(folder) from error


def _away(folder: Path) -> QueueUnavailableError:
    return QueueUnavailableError(f"the jobs in {folder.parent} cannot be reached. Is the shared folder mounted?")


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
