"""One picture of a batch: its name, its bytes, and its identity in later runs."""

from __future__ import annotations

import os
import threading
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from bshm.bulk.batch import Job, shown
from bshm.bulk.finding import is_url
from bshm.errors import BshmError, SourceNotFoundError, UnreadablePictureError
from bshm.files import source as sources
from bshm.files import zips
from bshm.net import object_store
from bshm.options import Limits

# Open zips per process: a batch reads its zips one after another, but may switch between two.
_OPEN_ZIPS = 4


@dataclass(frozen=True)
class Item:
    """One picture of a batch and where its result goes.

    Attributes:
        number: its number in the order of the inputs, from 0.
        source: a path, or an ``http(s)://`` or ``s3://`` URL.
        member: the path in the zip ``source``; None if ``source`` is the picture itself.
        output: path below the output folder, with ``/`` between folders; empty if there is nothing to make.
        error: why there is nothing to make.
        note: why this is not a failure: the picture has a result already.
    """

    number: int
    source: str
    member: str | None = None
    output: str = ""
    error: BshmError | None = None
    note: str | None = None

    @property
    def name(self) -> str:
        """Its name in messages: without a URL's query, which may contain a key."""
        if self.member is not None:
            return f"{self.source}/{self.member}"
        return self.source if self.source.startswith(object_store.SCHEME) else shown(self.source)

    @property
    def place(self) -> str:
        """Identifies the input, whatever the current folder of a run."""
        return self.name if is_url(self.source) else os.path.abspath(self.name)  # noqa: PTH100 - keeps links

    def job(self, folder: Path) -> Job:
        """The item as a ``Job`` with its output in ``folder``."""
        return Job(self.source, self.name, folder / self.output if self.output else None, self.error, self.number)


class ItemReader:
    """Reads the bytes of items, and keeps their zips open.  Safe to share between threads."""

    def __init__(self, limits: Limits) -> None:
        """Read with ``limits`` on each picture."""
        self._limits = limits
        self._lock = threading.Lock()
        self._zips: OrderedDict[str, zipfile.ZipFile] = OrderedDict()

    def read(self, item: Item) -> bytes:
        """All bytes of a picture.

        Raises:
            InputError: it does not exist, cannot be read, or has more bytes than allowed.
            MissingExtraError: the package that reads it is not installed.
        """
        if item.member is not None:
            archive = self._zip(item.source)
            with zips.opened(
                archive, self._entry(archive, item), most_item=self._limits.max_bytes, left=self._limits.max_bytes
            ) as file:
                return file.read()
        if item.source.startswith(object_store.SCHEME):
            return object_store.fetch(item.source, self._limits)
        data, _ = sources.read(item.source, self._limits)
        return data  # type: ignore[return-value]  # as for paths and URLs

    def identity(self, item: Item) -> str:
        """Identifies an input without reading it: size and time, or size and checksum; empty for a URL."""
        if item.member is not None:
            archive = self._zip(item.source)
            entry = self._entry(archive, item)
            return f"{entry.file_size}:{entry.CRC:08x}"
        if is_url(item.source):
            return ""
        try:
            known = Path(item.source).stat()
        except (OSError, ValueError):
            return ""  # reading it reports the reason
        return f"{known.st_size}:{known.st_mtime_ns}"

    def _zip(self, path: str) -> zipfile.ZipFile:
        with self._lock:
            archive = self._zips.pop(path, None) or open_zip(path)
            self._zips[path] = archive
            while len(self._zips) > _OPEN_ZIPS:
                self._zips.popitem(last=False)  # closed when its last reader is done
            return archive

    @staticmethod
    def _entry(archive: zipfile.ZipFile, item: Item) -> zipfile.ZipInfo:
        try:
            return archive.getinfo(item.member or "")
        except KeyError as error:
            raise SourceNotFoundError(f"{item.source} no longer has {item.member}.") from error


def open_zip(path: str) -> zipfile.ZipFile:
    """Open a zip.

    Raises:
        SourceNotFoundError, UnreadablePictureError: it does not exist, or is not a zip.
    """
    try:
        with zips.damage_told():
            return zipfile.ZipFile(path)
    except UnreadablePictureError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            reason = f"no zip at {path}. Check the spelling and the working folder."
            raise SourceNotFoundError(reason) from error
        raise UnreadablePictureError(f"{path}: {error}") from error
