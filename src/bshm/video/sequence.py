"""A clip as numbered pictures, ``out/%05d.png``; each is written completely or not at all."""

from __future__ import annotations

from pathlib import Path

from bshm.edit import composite
from bshm.errors import OutputExistsError, option
from bshm.files import encode, sink
from bshm.files.suffixes import format_of
from bshm.types import FloatArray, PixelArray


class SequenceWriter:
    """Writes frame *n* (from 0) into the file that ``pattern % n`` names."""

    def __init__(self, pattern: Path, *, first: int, overwrite: bool) -> None:
        """Look whether the first picture is there already.

        Args:
            pattern: such as ``out/%05d.png``.
            first: the number of the first frame.
            overwrite: replace pictures that are there.

        Raises:
            OutputExistsError: it is, and ``overwrite`` is off.
        """
        self._pattern = pattern
        self._overwrite = overwrite
        self._next = first
        path = picture(pattern, first)
        if path.exists() and not overwrite:
            raise OutputExistsError(f"{path} already exists. Add {option('overwrite')}, or choose another folder.")

    def write(self, pixels: PixelArray, alpha: FloatArray | None) -> None:
        """One more picture.

        Raises:
            OutputError, DiskFullError: it cannot be written.
        """
        path = picture(self._pattern, self._next)
        shown = pixels if alpha is None else composite.cutout(pixels, alpha)
        # 100: WebP without loss, and a JPEG that an editor can work on.
        sink.write(encode.encode(shown, format_of(path), quality=100), path, overwrite=self._overwrite)
        self._next += 1


def picture(pattern: Path, number: int) -> Path:
    """The picture of one frame.

    >>> picture(Path("out/%03d.png"), 7).name
    '007.png'
    """
    return pattern.with_name(pattern.name % number)
