"""Bytes as files in a folder, local or shared."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bshm.errors import DiskFullError, OutputError, QueueUnavailableError
from bshm.files import private, sink
from bshm.jobs.records import is_id

# Folder for uploads, which are then moved and not copied.
_UPLOADS = "uploads"
# Folder in which clips are processed, so that their results need not be copied.
_SCRATCH = "scratch"
_PIECE = 1024 * 1024
# Bytes of the disk that pictures and results leave free for records: without it, accepted jobs could not end, and could
# not even be deleted.
_KEPT_FREE = 1024 * 1024


class FolderBlobs:
    """``ID/WORD`` is a file of that path in the folder; safe to share between threads, processes and machines."""

    def __init__(self, folder: Path) -> None:
        """Open or create the folder.

        Raises:
            OutputError: it cannot be created.
        """
        self._folder = folder
        self._uploads = folder / _UPLOADS
        self._scratch = folder / _SCRATCH
        for each in (folder, self._uploads):
            private.folder(each)

    @property
    def folder(self) -> Path | None:
        """See ``Blobs``."""
        return self._uploads

    @property
    def scratch(self) -> Path | None:
        """See ``Blobs``."""
        return self._scratch

    def put(self, name: str, data: bytes) -> None:
        """See ``Blobs``."""
        self._make_sure_it_is_there()
        self._make_sure_of_room(len(data))
        path = sink.write(data, self._folder / name, overwrite=True)
        _to_disk(path)

    def take(self, name: str, path: Path) -> None:
        """See ``Blobs``: a hard link if the file system has those, else a copy."""
        self._make_sure_it_is_there()
        target = self._folder / name
        try:
            is_here = path.stat().st_dev == self._uploads.stat().st_dev
            self._make_sure_of_room(0 if is_here else path.stat().st_size)
            sink.duplicate(path, target, overwrite=True)
        except OutputError:
            raise
        except OSError as error:
            kind = DiskFullError if sink.is_full(error) else OutputError
            raise kind(f"{path} cannot be taken over: {error.strerror}.") from error
        _to_disk(target)

    def get(self, name: str) -> bytes | None:
        """See ``Blobs``."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            self._make_sure_it_is_there()
            return None

    def pieces(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """See ``Blobs``."""
        path = self.path(name)
        if path is None:
            self._make_sure_it_is_there()
            return None
        return _pieces(path, start, stop)

    def path(self, name: str) -> Path | None:
        """See ``Blobs``."""
        path = self._folder / name
        return path if path.is_file() else None

    def delete(self, name: str) -> None:
        """See ``Blobs``."""
        path = self._folder / name
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the job has other bytes, or the folder is gone already
            path.parent.rmdir()

    def delete_all(self, job_id: str) -> None:
        """See ``Blobs``."""
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def sweep(self, spoken_of: Callable[[str], set[str] | None], *, older_than_s: float) -> int:
        """See ``Blobs``; also deletes uploads that were never submitted."""
        before = time.time() - older_than_s
        gone = 0
        for folder in list(self._folder.iterdir()):
            if not is_id(folder.name) or _changed_at(folder) >= before:
                continue
            names = spoken_of(folder.name)
            if names is None:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
                continue
            for path in list(folder.iterdir()):
                if f"{folder.name}/{path.name}" not in names:
                    path.unlink(missing_ok=True)
                    gone += 1
        for path in list(self._uploads.iterdir()):
            if _changed_at(path) < before:
                path.unlink(missing_ok=True)
        return gone

    def _make_sure_it_is_there(self) -> None:
        # If a network folder is unmounted, its empty mount point is left.
        if not self._uploads.is_dir():
            raise QueueUnavailableError(f"the pictures in {self._folder} cannot be reached. Is the folder mounted?")

    def _make_sure_of_room(self, size: int) -> None:
        total, _, free = shutil.disk_usage(self._folder)
        if total and free < size + _KEPT_FREE:  # some network shares report nothing
            raise DiskFullError(
                f"no room for {size:,} bytes in {self._folder}: {free:,} are free, but {_KEPT_FREE:,} of them are kept "
                "for the records of jobs that are accepted already. Free some space."
            )


def _pieces(path: Path, start: int, stop: int | None) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            left = path.stat().st_size - start if stop is None else stop - start
            while left > 0 and (piece := file.read(min(_PIECE, left))):
                yield piece
                left -= len(piece)
    except OSError as error:
        raise QueueUnavailableError(f"{path} cannot be read: {error.strerror}.") from error


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted in the meantime
        return float("inf")


def _to_disk(path: Path) -> None:
    """Make a file survive a power cut, as the record that refers to it does."""
    try:
        _sync(path)
    except OSError as error:  # some file systems report a full disk only now
        kind = DiskFullError if sink.is_full(error) else OutputError
        raise kind(f"{path} cannot be written to the disk: {error.strerror}.") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if hasattr(os, "fdatasync"):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
