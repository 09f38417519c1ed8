"""A TIFF writer: 8 and 16 bits, straight alpha, colour profile, resolution, EXIF.

Written here because nothing that bshm depends on anyway can: Pillow writes no 16-bit RGB, OpenCV marks no alpha as
straight and embeds no profile.
"""

from __future__ import annotations

import struct
from itertools import accumulate

import numpy as np
from isal import isal_zlib

from bshm.errors import OptionError
from bshm.files.directories import UNDEFINED, Directory, Entry, longs, packed_directory, shorts
from bshm.files.exif import directory_of, rational
from bshm.types import PixelArray

# Readers take a strip at a time; the specification asks for small ones, larger ones compress better.
_STRIP_BYTES = 1 << 18
_LEVEL = 2

_BYTE_ORDER_AND_VERSION = b"II*\0"
_DEFLATE, _HORIZONTAL, _STRAIGHT_ALPHA, _INCH = 8, 2, 2, 2


def encode_tiff(
    pixels: PixelArray,
    *,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
) -> bytes:
    """A TIFF file with exactly these pixels: deflate, horizontal predictor.

    Args:
        pixels: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, whose alpha is marked as unassociated (straight); uint8 or
            uint16, full range; at least one pixel.  Not checked here: `bshm.files.encode.encode` does.
        icc_profile: embedded in tag 34675.
        dpi: (x, y) pixels per inch.
        exif: as `bshm.files.exif.kept` gives it; its tags join those of the file.

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
    if directory_at + (len(icc_profile or b"") + len(exif or b"") + 16 * len(strips) + 1024) >= 1 << 32:
        raise OptionError(f"a TIFF file must be smaller than 4 GiB; {width}x{height} needs more. Choose png.")

    tags: dict[int, Entry | Directory] = {} if exif is None else directory_of(exif)
    tags |= {
        256: longs([width]),
        257: longs([height]),
        258: shorts([8 * pixels.itemsize] * channels),
        259: shorts([_DEFLATE]),
        262: shorts([1 if channels == 1 else 2]),
        273: longs(offsets),
        274: shorts([1]),
        277: shorts([channels]),
        278: longs([rows]),
        279: longs(sizes),
        284: shorts([1]),
        317: shorts([_HORIZONTAL]),
    }
    if dpi is not None:
        tags |= {282: rational(dpi[0]), 283: rational(dpi[1]), 296: shorts([_INCH])}
    if channels == 4:
        tags[338] = shorts([_STRAIGHT_ALPHA])
    if icc_profile is not None:
        tags[34675] = Entry(UNDEFINED, len(icc_profile), icc_profile)

    head = _BYTE_ORDER_AND_VERSION + struct.pack("<I", directory_at)
    return b"".join([head, *strips, padding, packed_directory(tags, directory_at)])


def _strip(pixels: PixelArray, channels: int) -> bytes:
    """Compressed rows: each sample less the one to its left, wrapping around; 16-bit samples little end first."""
    samples = pixels.reshape(*pixels.shape[:2], channels)
    differences = np.empty(samples.shape, samples.dtype.newbyteorder("<"))
    differences[:, :1] = samples[:, :1]
    np.subtract(samples[:, 1:], samples[:, :-1], out=differences[:, 1:])
    return bytes(isal_zlib.compress(differences, _LEVEL))
