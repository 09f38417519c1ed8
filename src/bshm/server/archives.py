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
    """Pass each picture of a zip to ``keep``.

    The sizes in the zip are not trusted: bytes are counted as they are unpacked.

    Args:
        archive: the zip.
        keep: gets name and bytes of each file; folders and files that macOS adds are skipped.
        most_items, most_item, most_bytes: limits of the files, the bytes of one file, and the bytes of all.

    Raises:
        UnreadablePictureError: it is not a zip, is damaged or encrypted, or has no files.
        PictureTooLargeError: it exceeds a limit.
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
            # An error of ``keep`` does not mean that the zip is damaged.
            keep(name, counted)  # type: ignore[arg-type]
            counted.finish()
            left = counted.left


class Member(NamedTuple):
    """A file of a zip.

    Attributes:
        name: its name in the zip.
        size: its size in bytes.
        opening: opens it; called when it is packed.
    """

    name: str
    size: int
    opening: Callable[[], BinaryIO]


def pack(files: Iterable[Member], *, made_at: float | None = None) -> Iterator[bytes]:
    """A zip of files that are already compressed, piece by piece.

    Readers that stream a zip must know where each file ends.  Stored data does not mark its end, and its size and
    checksum follow it; deflate without compression marks its end.

    Args:
        files: the files to pack.
        made_at: seconds since 1970, the time of each file; None is now.
    """
    pipe = _Pipe()
    # Zips have no earlier times, and use local time.
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
    """The file that zipfile writes to; its content is passed on and not kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(memoryview(data))  # type: ignore[arg-type]
        self._parts.append(part)
        return len(part)

    def taken(self) -> list[bytes]:
        """The bytes written since the last call."""
        parts, self._parts = self._parts, []
        return parts


def copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copy everything from the position of ``source``."""
    shutil.copyfileobj(source, target, CHUNK)
