"""A TIFF writer: 8 and 16 bits, straight alpha, colour profile, resolution.

Written here because nothing that bshm depends on anyway can: Pillow writes no 16-bit RGB, OpenCV marks no alpha as
straight and embeds no profile.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import accumulate

import numpy as np
from isal import isal_zlib

from bshm.errors import OptionError
from bshm.types import PixelArray

# Readers take a strip at a time; the specification asks for small ones, larger ones compress better.
_STRIP_BYTES = 1 << 18
_LEVEL = 2

_BYTE_ORDER_AND_VERSION = b"II*\0"
_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7
_DEFLATE, _HORIZONTAL, _STRAIGHT_ALPHA, _INCH = 8, 2, 2, 2


def encode_tiff(
    pixels: PixelArray, *, icc_profile: bytes | None = None, dpi: tuple[float, float] | None = None
) -> bytes:
    """A TIFF file with exactly these pixels: deflate, horizontal predictor.

    Args:
        pixels: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, whose alpha is marked as unassociated (straight); uint8 or
            uint16, full range; at least one pixel.  Not checked here: `bshm.io.encode.encode` does.
        icc_profile: embedded in tag 34675.
        dpi: (x, y) pixels per inch.

    Returns:
        The file.

    Raises:
        OptionError: it would not fit into the 4 GiB of a TIFF file.

    Source:
        TIFF revision 6.0 (Adobe, 1992); predictor in section 14, ExtraSamples in section 18.

    Example:
        >>> encode_tiff(np.zeros((1, 1), np.uint8))[:4]
        b'II*\\x00'
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = [_strip(pixels[top : top + rows], channels) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    # Pixels first, the directory behind them: then every offset is known when it is written.
    *offsets, end = accumulate(sizes, initial=8)
    padding = b"\0" * (end % 2)
    directory_at = end + len(padding)
    if directory_at + (len(icc_profile or b"") + 16 * len(strips) + 1024) >= 1 << 32:
        raise OptionError(f"a TIFF file holds less than 4 GiB; {width}x{height} needs more. Choose png.")

    tags: list[tuple[int, int, int, bytes]] = [
        (256, _LONG, 1, _longs([width])),
        (257, _LONG, 1, _longs([height])),
        (258, _SHORT, channels, _shorts([8 * pixels.itemsize] * channels)),
        (259, _SHORT, 1, _shorts([_DEFLATE])),
        (262, _SHORT, 1, _shorts([1 if channels == 1 else 2])),
        (273, _LONG, len(strips), _longs(offsets)),
        (274, _SHORT, 1, _shorts([1])),
        (277, _SHORT, 1, _shorts([channels])),
        (278, _LONG, 1, _longs([rows])),
        (279, _LONG, len(strips), _longs(sizes)),
    ]
    if dpi is not None:
        tags += [(282, _RATIONAL, 1, _rational(dpi[0])), (283, _RATIONAL, 1, _rational(dpi[1]))]
    tags += [(284, _SHORT, 1, _shorts([1]))]
    if dpi is not None:
        tags += [(296, _SHORT, 1, _shorts([_INCH]))]
    tags += [(317, _SHORT, 1, _shorts([_HORIZONTAL]))]
    if channels == 4:
        tags += [(338, _SHORT, 1, _shorts([_STRAIGHT_ALPHA]))]
    if icc_profile is not None:
        tags += [(34675, _UNDEFINED, len(icc_profile), icc_profile)]

    head = _BYTE_ORDER_AND_VERSION + struct.pack("<I", directory_at)
    return b"".join([head, *strips, padding, _directory(tags, directory_at)])


def _strip(pixels: PixelArray, channels: int) -> bytes:
    """Compressed rows: each sample less the one to its left, wrapping around; 16-bit samples little end first."""
    samples = pixels.reshape(*pixels.shape[:2], channels)
    differences = np.empty(samples.shape, samples.dtype.newbyteorder("<"))
    differences[:, :1] = samples[:, :1]
    np.subtract(samples[:, 1:], samples[:, :-1], out=differences[:, 1:])
    return bytes(isal_zlib.compress(differences, _LEVEL))


def _directory(tags: list[tuple[int, int, int, bytes]], at: int) -> bytes:
    """The image file directory at file offset ``at``, what does not fit into an entry's four bytes behind it."""
    entries = [struct.pack("<H", len(tags))]
    outside: list[bytes] = []
    next_at = at + 2 + 12 * len(tags) + 4
    for tag, kind, count, value in tags:
        if len(value) <= 4:
            entries.append(struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0"))
        else:
            entries.append(struct.pack("<HHII", tag, kind, count, next_at))
            outside.append(value + b"\0" * (len(value) % 2))  # offsets are even
            next_at += len(outside[-1])
    return b"".join([*entries, struct.pack("<I", 0), *outside])


def _shorts(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def _longs(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _rational(value: float) -> bytes:
    # Exact for 72, 72.009 or 300/7, and far from 32 bits.
    fraction = Fraction(value).limit_denominator(10_000)
    return struct.pack("<II", max(1, fraction.numerator), fraction.denominator)
