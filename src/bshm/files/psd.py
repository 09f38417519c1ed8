"""Facts about the merged picture of a PSD file that Pillow does not report."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bshm.types import PixelArray

_RESOLUTION, _VERSION, _EXIF = 1005, 1057, 1058
_LAB, _MULTICHANNEL = 9, 7


@dataclass(frozen=True)
class PsdDescription:
    """What goes with the pixels.

    Attributes:
        has_transparency: the fourth channel is how opaque the picture is, and not a selection that somebody saved.
        dpi: (x, y) pixels per inch, or None.
        exif: the EXIF block, or None.
    """

    has_transparency: bool
    dpi: tuple[float, float] | None
    exif: bytes | None


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height by the header.

    Raises:
        ValueError: it is damaged, or of a kind that is not read.
    """
    if len(data) < 26:
        raise ValueError(f"it ends after {len(data):,} bytes, within its header")
    height, width, bits, mode = struct.unpack_from(">IIHH", data, 14)
    if bits not in (1, 8):
        raise ValueError(f"its samples have {bits} bits, but only 8 are read; save it as TIFF to keep them")
    if mode in (_LAB, _MULTICHANNEL):
        raise ValueError("its colours are Lab or multichannel; convert it to RGB first")
    return width, height


def describe(data: bytes, resources: Iterable[tuple[int, bytes, bytes]]) -> PsdDescription:
    """Read what stands before the pixels.

    Args:
        data: the file.
        resources: number, name and content of each image resource, as Pillow lists them.

    Raises:
        ValueError: there is no merged picture.

    Source:
        Adobe Photoshop File Formats Specification (2019).
    """
    found = {number: content for number, _, content in resources}
    version = found.get(_VERSION, b"")
    if len(version) > 4 and version[4] == 0:
        raise ValueError("it was saved without the merged picture; save it with 'Maximize compatibility'")
    dpi = None
    if len(found.get(_RESOLUTION, b"")) >= 16:
        across, down = struct.unpack(">I4xI4x", found[_RESOLUTION][:16])  # fixed point
        dpi = across / 65536, down / 65536
    return PsdDescription(_layers(data) < 0, dpi, found.get(_EXIF))


def off_white(colour: PixelArray, alpha: PixelArray) -> PixelArray:
    """The colours of a merged picture: Photoshop stores them laid over white.

    Args:
        colour: (H, W, 3) uint8, over white.
        alpha: (H, W) uint8.

    Returns:
        (H, W, 3) uint8, straight; 0 where alpha is 0.

    >>> off_white(np.full((1, 1, 3), 155, np.uint8), np.full((1, 1), 200, np.uint8)).tolist()
    [[[128, 128, 128]]]
    """
    share = alpha.astype(np.float32)[..., None] / 255
    over_white = colour.astype(np.float32) - 255 * (1 - share)
    straight = np.divide(over_white, share, out=np.zeros(colour.shape, np.float32), where=share > 0)
    return np.clip(straight + 0.5, 0, 255).astype(np.uint8)


def _layers(data: bytes) -> int:
    """How many layers there are; below 0 where the first channel after the colours is transparency."""
    at = 26
    for _ in range(2):  # colour mode data, image resources
        if at + 4 > len(data):
            return 0
        at += 4 + struct.unpack_from(">I", data, at)[0]
    if at + 10 > len(data):
        return 0
    section, info, count = struct.unpack_from(">IIh", data, at)
    return count if section >= 6 and info >= 2 else 0
