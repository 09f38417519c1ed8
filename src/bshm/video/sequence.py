"""A clip as numbered pictures, ``out/%05d.png``; each is written completely or not at all."""

from __future__ import annotations

from pathlib import Path

from bshm.edit import composite
from bshm.errors import OutputExistsError, option
from bshm.files import encode, sink
from bshm.files.suffixes import format_of
from bshm.types import FloatArray, PixelArray
from bshm.video.result import Written


class SequenceWriter:
    """Writes frame *n* (from 0) into the file that ``pattern % n`` names."""

    def __init__(self, pattern: Path, product: str, *, overwrite: bool) -> None:
        """Look whether the first picture is there already.

        Raises:
            OutputExistsError: it is, and ``overwrite`` is off.
        """
        self.path = pattern
        self._product = product
        self._overwrite = overwrite
        self._count = 0
        first = self._name(0)
        if first.exists() and not overwrite:
            raise OutputExistsError(f"{first} already exists. Add {option('overwrite')}, or choose another folder.")

    def _name(self, number: int) -> Path:
        return self.path.with_name(self.path.name % number)

    def write(self, pixels: PixelArray, alpha: FloatArray | None) -> None:
        """One more picture.

        Raises:
            OutputError, DiskFullError: it cannot be written.
        """
        path = self._name(self._count)
        shown = pixels if alpha is None else composite.cutout(pixels, alpha)
        # 100: WebP without loss, and a JPEG that an editor can work on.
        sink.write(encode.encode(shown, format_of(path), quality=100), path, overwrite=self._overwrite)
        self._count += 1

    def written(self) -> Written:
        """What became of it."""
        return Written(self._product, self.path, self.path.suffix[1:].lower(), self._count, 0.0, None)
