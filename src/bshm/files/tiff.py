"""A TIFF writer: 8 and 16 bits, straight alpha, colour profile, resolution, EXIF; one picture, or a page a layer.

Written here because nothing that bshm depends on anyway can: Pillow writes no 16-bit RGB, OpenCV marks no alpha as
straight and embeds no profile.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from isal import isal_zlib

from bshm.errors import OptionError
from bshm.files.directories import ASCII, UNDEFINED, Directory, Entry, longs, packed_directory, shorts
from bshm.files.exif import directory_of, rational
from bshm.types import PixelArray

# Readers take a strip at a time; the specification asks for small ones, larger ones compress better.
_STRIP_BYTES = 1 << 18
_LEVEL = 2

_BYTE_ORDER_AND_VERSION = b"II*\0"
_ONE_PAGE_OF_SEVERAL = 2
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
    tags: dict[int, Entry | Directory] = {} if exif is None else directory_of(exif)
    first, at = _page(pixels, 8, tags, icc_profile, dpi, extra=len(exif or b""))
    return b"".join([_BYTE_ORDER_AND_VERSION, struct.pack("<I", at), *first])


def encode_tiff_layers(
    layers: Sequence[tuple[str, PixelArray]],
    *,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """A TIFF file with a page a layer, each with its name: GIMP opens the pages as layers.

    Args:
        layers: name and (H, W, 4) RGBA, straight, uint8 or uint16, of each, from the back to the front; at least one,
            all of one size and kind.
        icc_profile, dpi: of all of them.

    Returns:
        The file; its first page is the layer at the back.

    Raises:
        OptionError: it would not fit into the 4 GiB of a TIFF file.

    Source:
        TIFF revision 6.0 (Adobe, 1992), section 12 on NewSubfileType, PageName and PageNumber.

    >>> encode_tiff_layers([("1", np.zeros((1, 2, 4), np.uint8))])[:4]
    b'II*\\x00'
    """
    file = bytearray(_BYTE_ORDER_AND_VERSION + b"\0" * 4)
    pointer = 4  # where the offset of the next page goes
    for number, (name, pixels) in enumerate(layers):
        text = name.encode() + b"\0"
        tags: dict[int, Entry | Directory] = {
            254: longs([_ONE_PAGE_OF_SEVERAL]),
            285: Entry(ASCII, len(text), text),
            297: shorts([number, len(layers)]),
        }
        page, at = _page(pixels, len(file), tags, icc_profile, dpi)
        file[pointer : pointer + 4] = struct.pack("<I", at)
        for part in page:
            file += part
        pointer = at + 2 + 12 * len(tags)
    return bytes(file)


def _page(
    pixels: PixelArray,
    start: int,
    tags: dict[int, Entry | Directory],
    icc_profile: bytes | None,
    dpi: tuple[float, float] | None,
    *,
    extra: int = 0,
) -> tuple[list[bytes], int]:
    """The strips of a page from offset ``start`` on, and its directory, which comes last; and where that begins.

    ``tags`` becomes what is in the directory; ``extra`` bytes of it are known to lie outside of its entries.
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = [_strip(pixels[top : top + rows], channels) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    # Pixels first, the directory behind them: then every offset is known when it is written.
    *offsets, end = accumulate(sizes, initial=start)
    padding = b"\0" * (end % 2)
    directory_at = end + len(padding)
    if directory_at + (len(icc_profile or b"") + extra + 16 * len(strips) + 1024) >= 1 << 32:
        raise OptionError(f"a TIFF file must be smaller than 4 GiB; {width}x{height} needs more. Choose png.")

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

    return [*strips, padding, packed_directory(tags, directory_at)], directory_at


def _strip(pixels: PixelArray, channels: int) -> bytes:
    """Compressed rows: each sample less the one to its left, wrapping around; 16-bit samples little end first."""
    samples = pixels.reshape(*pixels.shape[:2], channels)
    differences = np.empty(samples.shape, samples.dtype.newbyteorder("<"))
    differences[:, :1] = samples[:, :1]
    np.subtract(samples[:, 1:], samples[:, :-1], out=differences[:, 1:])
    return bytes(isal_zlib.compress(differences, _LEVEL))
