"""Encode pixels as a picture file."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bshm.errors import MemoryExhaustedError, OptionError, ShapeError, option
from bshm.files.exif import MOST_JPEG_BYTES, fitting, with_resolution
from bshm.files.png import encode_png
from bshm.options import FORMATS, Format
from bshm.types import PixelArray

_Dpi: TypeAlias = "tuple[float, float] | None"

# From here on colour is stored at full resolution: halved colour shows at the sharp edge between people and a new
# background, and whoever asks for this quality does not mind a fifth more bytes.
_FULL_COLOUR_QUALITY = 90

# Lossless effort: 0 takes a tenth of the time of Pillow's 4 for a quarter more bytes.
_WEBP_LOSSLESS_METHOD = 0


def encode(
    pixels: PixelArray,
    format: Format,
    *,
    quality: int,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
) -> bytes:
    """The bytes of a picture file.

    PNG and TIFF keep the pixels exactly, 16 bits included.  WebP keeps 8 bits exactly at quality 100 and is lossy below
    (alpha stays exact).  WebP and JPEG hold 8 bits: 16-bit levels become ``round(level / 257)``, which turns the 8-bit
    level ``v`` stored as ``257 * v`` back into ``v``.

    Args:
        pixels: (H, W) grey, (H, W, 3) RGB, or (H, W, 4) RGBA with straight alpha; uint8 or uint16, full range.
        format: ``png``, ``webp``, ``jpg`` (no alpha) or ``tiff``; WebP stores grey as RGB.
        quality: 1..100, of JPEG and WebP.
        icc_profile: the colour space of ``pixels``, embedded as it is.
        dpi: (x, y) pixels per inch; JPEG stores whole numbers, PNG whole pixels per metre.
        exif: as `bshm.files.exif.kept` gives it; JPEG has room for 64 kB, so there the longest values go first.

    Returns:
        The file.

    Raises:
        ShapeError: ``pixels`` is not one of these, or has no pixel.
        OptionError: alpha asked of JPEG, a side longer than the format can hold, a profile that is not for pixels of
            this kind, a quality or resolution out of range.
        MemoryExhaustedError: not enough memory.

    Example:
        >>> encode(np.zeros((2, 2, 4), np.uint8), "png", quality=95)[1:4]
        b'PNG'
    """
    _check(pixels, format, quality, icc_profile, dpi)
    try:
        return _ENCODERS[format](pixels, quality, icc_profile, dpi, exif)
    except MemoryError as error:
        raise MemoryExhaustedError(
            f"not enough memory to encode {pixels.shape[1]}x{pixels.shape[0]} as {format}. "
            "Process fewer pictures at the same time, or smaller ones."
        ) from error


# Below this JPEG and WebP show their blocks in every face.
_LOWEST_QUALITY = 20
# A kB has 1000 or 1024 bytes, depending on whom one asks: a file keeps to both.
_MOST_OF_A_KB, _LEAST_OF_A_KB = 1000, 1024


def encode_within(
    pixels: PixelArray,
    format: Format,
    *,
    quality: int,
    max_kb: float | None,
    min_kb: float | None,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes | None = None,
) -> bytes:
    """As ``encode``, of a file that is neither larger nor smaller than asked for.

    Args:
        pixels, format, icc_profile, dpi, exif: as in ``encode``.
        quality: the one to use where the file has the size by itself.
        max_kb: a lower quality is looked for, down to 20, until the file is no larger; None does not care.
        min_kb: a higher quality is looked for until a JPEG is no smaller; where 100 is not enough an empty comment
            makes it longer.  None does not care.

    Raises:
        OptionError: as ``encode``; or no quality gives such a file, or the format has none.
        ShapeError, MemoryExhaustedError: as ``encode``.
    """

    def made(with_quality: int) -> bytes:
        return encode(pixels, format, quality=with_quality, icc_profile=icc_profile, dpi=dpi, exif=exif)

    data = made(quality)
    most = None if max_kb is None else int(max_kb * _MOST_OF_A_KB)
    least = None if min_kb is None else math.ceil(min_kb * _LEAST_OF_A_KB)
    if most is not None and len(data) > most:
        if format not in ("jpg", "webp"):
            raise OptionError(
                f"{option('max_kb')}: the file has {len(data) / 1000:.0f} kB, and {format} keeps every pixel, so it "
                f"cannot be made smaller. Choose jpg or webp, or a smaller size."
            )
        data = _largest_within(made, quality, most)
        if len(data) > most:
            raise OptionError(
                f"{option('max_kb')}: even at quality {_LOWEST_QUALITY} the file has {len(data) / 1000:.0f} kB, more "
                f"than {max_kb:g}. Choose a smaller size or more kB, or leave out the metadata."
            )
    if least is not None and len(data) < least:
        if format != "jpg":
            raise OptionError(
                f"{option('min_kb')}: the file has {len(data) / 1000:.0f} kB, and only jpg can be made larger. "
                "Choose jpg."
            )
        smaller = most is not None and len(made(quality)) > most
        # From one quality to the next a file may grow past both ends.
        data = _with_comment(data, least) if smaller else _smallest_from(made, quality, least, most)
    return data


def _largest_within(made: Callable[[int], bytes], quality: int, most: int) -> bytes:
    """The file of the best quality below ``quality`` that has at most so many bytes; that of the lowest otherwise."""
    low, high = _LOWEST_QUALITY, max(_LOWEST_QUALITY, quality - 1)
    best = made(low)
    while low < high and len(best) <= most:
        middle = (low + high + 1) // 2
        data = made(middle)
        if len(data) <= most:
            low, best = middle, data
        else:
            high = middle - 1
    return best


def _smallest_from(made: Callable[[int], bytes], quality: int, least: int, most: int | None) -> bytes:
    """The file of the lowest quality above ``quality`` that has so many bytes, or one made as long by a comment."""
    low, high = quality, 100
    best = made(high)
    if len(best) < least:
        return _with_comment(best, least)
    while high - low > 1:
        middle = (low + high) // 2
        data = made(middle)
        if len(data) >= least:
            high, best = middle, data
        else:
            low = middle
    return best if most is None or len(best) <= most else _with_comment(made(low), least)


def _with_comment(jpeg: bytes, length: int) -> bytes:
    """The same picture in a file of at least ``length`` bytes: comments of blanks behind what describes it."""
    at = 2
    while jpeg[at] == 0xFF and 0xE0 <= jpeg[at + 1] <= 0xEF:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    comments = b""
    while len(jpeg) + len(comments) < length:
        blanks = min(65533, max(0, length - len(jpeg) - len(comments) - 4))
        comments += b"\xff\xfe" + (blanks + 2).to_bytes(2, "big") + b" " * blanks
    return jpeg[:at] + comments + jpeg[at:]


def _png(pixels: PixelArray, quality: int, icc_profile: bytes | None, dpi: _Dpi, exif: bytes | None) -> bytes:
    return encode_png(pixels, icc_profile=icc_profile, dpi=dpi, exif=exif)


def _tiff(pixels: PixelArray, quality: int, icc_profile: bytes | None, dpi: _Dpi, exif: bytes | None) -> bytes:
    from bshm.files.tiff import encode_tiff  # which few commands need

    return encode_tiff(pixels, icc_profile=icc_profile, dpi=dpi, exif=exif)


def _jpeg(pixels: PixelArray, quality: int, icc_profile: bytes | None, dpi: _Dpi, exif: bytes | None) -> bytes:
    image = Image.fromarray(_eight_bits(pixels))
    file = BytesIO()
    # Pillow takes (0, 0) for "not stated", and None for the profile of the image, which has none.
    whole_dpi = (0, 0) if dpi is None else (max(1, round(dpi[0])), max(1, round(dpi[1])))
    subsampling = 0 if quality >= _FULL_COLOUR_QUALITY else 2
    block = fitting(exif, MOST_JPEG_BYTES)
    image.save(
        file,
        "JPEG",
        quality=quality,
        subsampling=subsampling,
        icc_profile=icc_profile,
        dpi=whole_dpi,
        exif=b"" if block is None else b"Exif\0\0" + block,
    )
    return file.getvalue()


def _webp(pixels: PixelArray, quality: int, icc_profile: bytes | None, dpi: _Dpi, exif: bytes | None) -> bytes:
    image = Image.fromarray(_eight_bits(pixels))
    lossless = quality == 100
    file = BytesIO()
    image.save(
        file,
        "WEBP",
        lossless=lossless,
        exact=lossless,  # the colour of transparent pixels too, as in PNG
        quality=0 if lossless else quality,  # of a lossless file: effort
        method=_WEBP_LOSSLESS_METHOD if lossless else 4,
        icc_profile=icc_profile,
        exif=with_resolution(exif, dpi) or b"",
    )
    return file.getvalue()


_ENCODERS: dict[Format, Callable[[PixelArray, int, bytes | None, _Dpi, bytes | None], bytes]] = {
    "png": _png,
    "webp": _webp,
    "jpg": _jpeg,
    "tiff": _tiff,
}


def _eight_bits(pixels: PixelArray) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels, np.uint8)
    # No level is half-way between two (257 is odd), so float32 cannot round one to the wrong side.
    return cv2.convertScaleAbs(np.ascontiguousarray(pixels), alpha=1 / 257).astype(np.uint8, copy=False)


def _check(
    pixels: PixelArray, format: Format, quality: int, icc_profile: bytes | None, dpi: tuple[float, float] | None
) -> None:
    shape = pixels.shape
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and shape[2] in (3, 4))
    if not fits or pixels.dtype not in (np.uint8, np.uint16) or pixels.size == 0:
        raise ShapeError(
            "encode() needs (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, at least one pixel; "
            f"got {shape} {pixels.dtype}."
        )
    if format not in FORMATS:
        raise OptionError(f"format takes {', '.join(FORMATS)}; got {format!r}.")
    if not 1 <= quality <= 100:
        raise OptionError(f"quality takes 1 to 100; got {quality}.")
    facts = FORMATS[format]
    if not facts.transparency and pixels.ndim == 3 and shape[2] == 4:
        raise OptionError(
            f"{format} has no transparency; got RGBA. Put it on a background, or choose png, webp or tiff."
        )
    if max(shape[:2]) > facts.largest_side:
        raise OptionError(
            f"{format} holds sides up to {facts.largest_side:,} pixels; got {shape[1]}x{shape[0]}. Choose png."
        )
    if dpi is not None and not all(math.isfinite(d) and 0 < d <= 65535 for d in dpi):
        raise OptionError(f"dpi needs two numbers above 0, at most 65535; got {dpi}.")
    if icc_profile is not None:
        needed = "GRAY" if pixels.ndim == 2 else "RGB"
        found = icc_profile[16:20].decode("latin-1").strip()
        if found != needed:
            raise OptionError(
                f"these pixels need an ICC profile for {needed}; got one for {found or 'nothing'}. Drop it or convert."
            )
