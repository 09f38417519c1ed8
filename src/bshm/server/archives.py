"""Zips in requests and answers: bombs are refused, and answers are never completely in memory."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

from bshm.errors import PictureTooLargeError, UnreadablePictureError
from bshm.files import zips
from bshm.files.zips import CHUNK


def unpack(
    archive: BinaryIO, keep: Callable[[str, BinaryIO], None], *, most_items: int, most_item: int, most_bytes: int
) -> None:
    """Hand each picture of a zip on.

    Sizes that the zip states are not believed: bytes are counted as they come.

    Args:
        archive: the zip.
        keep: gets name and bytes of each file; folders, and what macOS adds, are passed over.
        most_items, most_item, most_bytes: files, bytes of one, and bytes of all together.

    Raises:
        UnreadablePictureError: no zip, a damaged or encrypted one, or one without files.
        PictureTooLargeError: more than allowed.
    """
    with zips.damage_told():
        opened = zipfile.ZipFile(archive)
        entries = zips.files_in(opened)
    if len(entries) > most_items:
        raise PictureTooLargeError(f"a job takes up to {most_items:,} pictures; the zip has {len(entries):,}.")
    if not entries:
        raise UnreadablePictureError("the zip contains no files. Add pictures to it.")
    left = most_bytes
    for entry in entries:
        name = PurePosixPath(zips.path_in(entry)).name
        with zips.opened(opened, entry, most_item=most_item, left=left) as counted:
            # What goes wrong where the bytes are kept is no damage of the zip.
            keep(name, counted)  # type: ignore[arg-type]
            counted.finish()
            left = counted.left


class Member(NamedTuple):
    """A file of a zip.

    Attributes:
        name: in the zip.
        size: bytes.
        opening: opens it, called when its turn has come.
    """

    name: str
    size: int
    opening: Callable[[], BinaryIO]


def pack(files: Iterable[Member], *, made_at: float | None = None) -> Iterator[bytes]:
    """A zip of files that are compressed already, piece by piece.

    Readers that see a zip only once, from its beginning on, must know where each file ends.  What was stored does not
    tell, and its size and checksum follow it; deflate without compression ends by itself.

    Args:
        files: what is in it.
        made_at: seconds since 1970, the time of each file; None takes now.
    """
    pipe = _Pipe()
    # Zips have no earlier time, and the local one.
    date = max((1980, 1, 1, 0, 0, 0), time.localtime(made_at)[:6])
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry._compresslevel = 0  # type: ignore[attr-defined]  # public from Python 3.13 on
            entry.file_size = file.size  # decides whether it needs the format for more than 4 GiB
            with file.opening() as source, archive.open(entry, "w") as packed:
                while data := source.read(CHUNK):
                    packed.write(data)
                    yield from pipe.taken()
        yield from pipe.taken()
    yield from pipe.taken()


class _Pipe(io.RawIOBase):
    """What zipfile writes to: it is handed on and forgotten."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(memoryview(data))  # type: ignore[arg-type]
        self._parts.append(part)
        return len(part)

    def taken(self) -> list[bytes]:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return parts


def copy(source: BinaryIO, target: BinaryIO) -> None:
    """Everything from where ``source`` stands."""
    shutil.copyfileobj(source, target, CHUNK)
