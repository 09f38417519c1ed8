"""Read zips from others: stated sizes are not trusted, and damage is reported."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from bshm.errors import PictureTooLargeError, UnreadablePictureError

CHUNK = 1 << 16
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


@contextmanager
def damage_told() -> Iterator[None]:
    """What goes wrong with reading a zip, as an ``UnreadablePictureError``."""
    try:
        yield
    except _DAMAGED as error:
        raise UnreadablePictureError(f"the zip is damaged: {error or type(error).__name__}. Pack it again.") from error


def files_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of a zip, without folders, hidden files and what macOS adds.

    Raises:
        UnreadablePictureError: they lie upon each other, so that a few bytes would be unpacked many times.
    """
    found = [entry for entry in archive.infolist() if _is_meant(entry)]
    size = archive.fp.seek(0, io.SEEK_END) if archive.fp is not None else 0
    if sum(entry.compress_size for entry in found) > size:
        raise UnreadablePictureError("the zip is damaged: its files overlap. Pack it again.")
    return found


def path_in(entry: zipfile.ZipInfo) -> str:
    """The path of a file in its zip, with ``/`` between folders."""
    return entry.filename.replace("\\", "/")


def opened(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, most_item: int, left: int) -> Counted:
    """A file of a zip, whose bytes are counted as they come.

    Args:
        archive: the zip.
        entry: of ``files_in``.
        most_item: bytes that this file may have.
        left: bytes that it and those after it may have.

    Raises:
        UnreadablePictureError: it is encrypted, oddly packed or damaged.
    """
    name = PurePosixPath(path_in(entry)).name
    if entry.flag_bits & 1 or entry.compress_type not in _METHODS:
        raise UnreadablePictureError(f"{name!r} in the zip is encrypted or oddly packed. Pack it again.")
    with damage_told():
        return Counted(archive.open(entry), name, most_item=most_item, left=left)


def _is_meant(entry: zipfile.ZipInfo) -> bool:
    # Not is_dir(), which looks at the last letter: a damaged name may have none.
    path = path_in(entry)
    name = PurePosixPath(path).name
    is_ours = bool(name) and not path.endswith("/") and not name.startswith(".")
    return is_ours and "__MACOSX" not in PurePosixPath(path).parts


class Counted(io.RawIOBase):
    """A packed file that stops when it has given more than it may.

    Attributes:
        left: bytes that the files after it may still have.
    """

    def __init__(self, packed: object, name: str, *, most_item: int, left: int) -> None:
        self._packed = packed
        self._name = name
        self._item_left = most_item
        self.left = left

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close what it reads from, too."""
        self._packed.close()  # type: ignore[attr-defined]
        super().close()

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; all that are left with -1.

        Raises:
            PictureTooLargeError: more came than may.
            UnreadablePictureError: the zip is damaged here.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        with damage_told():
            data: bytes = self._packed.read(min(size, CHUNK))  # type: ignore[attr-defined]
        self._item_left -= len(data)
        self.left -= len(data)
        if self._item_left < 0 or self.left < 0:
            raise PictureTooLargeError(
                f"{self._name!r} in the zip unpacks to more bytes than allowed. Use a smaller file, or raise the limit."
            )
        return data

    def finish(self) -> None:
        """Read what nobody has read, so that it counts."""
        while self.read(CHUNK):
            pass
