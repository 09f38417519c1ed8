"""Zips on their way in and out: a bomb is not unpacked, and what goes out is never whole in memory."""

from __future__ import annotations

import io
import shutil
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

from bshm.errors import PictureTooLargeError, UnreadablePictureError

_CHUNK = 1 << 16
# What pictures are zipped with.  Others (bzip2, LZMA) unpack a few bytes into gigabytes more slowly than the caps see.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    struct.error,
)


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
    with _damage_told():
        opened = zipfile.ZipFile(archive)
        entries = [entry for entry in opened.infolist() if _is_picture(entry)]
    if len(entries) > most_items:
        raise PictureTooLargeError(f"a job takes {most_items:,} pictures; the zip has {len(entries):,}.")
    if not entries:
        raise UnreadablePictureError("the zip has no files. Put pictures into it.")
    left = most_bytes
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/")).name
        if entry.flag_bits & 1 or entry.compress_type not in _METHODS:
            raise UnreadablePictureError(f"{name!r} in the zip is encrypted or oddly packed. Pack it anew.")
        with _damage_told():
            packed = opened.open(entry)
        with packed:
            counted = _Counted(packed, name, most_item=most_item, left=left)
            # What goes wrong where the bytes are kept is no damage of the zip.
            keep(name, counted)  # type: ignore[arg-type]
            counted.finish()
            left = counted.left


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise UnreadablePictureError(f"the zip is damaged: {error or type(error).__name__}. Pack it anew.") from error


def _is_picture(entry: zipfile.ZipInfo) -> bool:
    # Not is_dir(), which looks at the last letter: a damaged name may have none.
    path = entry.filename.replace("\\", "/")
    name = PurePosixPath(path).name
    is_ours = bool(name) and not path.endswith("/") and not name.startswith(".")
    return is_ours and "__MACOSX" not in PurePosixPath(path).parts


class _Counted(io.RawIOBase):
    """A packed file that stops when it has given more than it may."""

    def __init__(self, packed: object, name: str, *, most_item: int, left: int) -> None:
        self._packed = packed
        self._name = name
        self._item_left = most_item
        self.left = left

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        with _damage_told():
            data: bytes = self._packed.read(min(size, _CHUNK))  # type: ignore[attr-defined]
        self._item_left -= len(data)
        self.left -= len(data)
        if self._item_left < 0 or self.left < 0:
            raise PictureTooLargeError(f"{self._name!r} in the zip unpacks to more than a picture, or a job, may have.")
        return data

    def finish(self) -> None:
        """Read what nobody has read, so that it counts."""
        while self.read(_CHUNK):
            pass


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
                while data := source.read(_CHUNK):
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
    shutil.copyfileobj(source, target, _CHUNK)
