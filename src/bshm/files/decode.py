"""Decode a picture file to a ``Picture``: upright RGB with profile, resolution, transparency and 16 bits.

Who decodes what, and why:

* Pillow reads every header: format, size, profile, resolution, EXIF.  The size is held against the limits before any
  pixel is decoded, and Pillow's own process-wide pixel limit, which warns, stays out of it.
* JPEG is decoded by simplejpeg: the same pixels as Pillow in half of its time, and it fails on damaged data where
  Pillow paints the rest grey.
* PNG, most TIFF and still WebP by OpenCV: Pillow reads 16-bit colour as 8-bit without a word, and takes a PNG whose
  pixels end too early for a whole one.  8-bit TIFF with alpha stays with Pillow: OpenCV premultiplies it; so does what
  is packed in a way that OpenCV does not know (zstd, LZMA).
* PPM and its kin, and JPEG 2000 of more than 8 bits, by OpenCV, for the same reason.
* HEIC by pillow-heif, an extra.  Everything else by Pillow.

What is not kept: gAMA, cHRM and cICP of PNG, XMP, EXIF of JPEG 2000, and more than 8 bits of AVIF, CMYK and grey JPEG
2000 with alpha.  What of EXIF is kept, ``bshm.files.exif`` says.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from bshm.errors import (
    MemoryExhaustedError,
    MissingExtraError,
    PictureTooLargeError,
    ShapeError,
    UnreadablePictureError,
)
from bshm.files import exif as exif_blocks
from bshm.files import jpeg2000, png_chunks, psd, tiff_pages
from bshm.files.source import Data, Source, check_array, read
from bshm.magic import HEAD_BYTES, KNOWN, beginning, camera_raw, refusal, sniff
from bshm.options import Limits
from bshm.types import Picture, PixelArray

# The classes behind Image.open, asked directly: Image.open warns or fails by a process-wide limit of its own, and would
# try formats that start other programs (EPS).
_PLUGINS = {
    "jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "png": ("PIL.PngImagePlugin", "PngImageFile"),
    "webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "jpeg2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "psd": ("PIL.PsdImagePlugin", "PsdImageFile"),
}

# What Pillow's readers raise on bytes they cannot read; UserWarning is there for those who turn warnings into errors.
_PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, AttributeError, OverflowError,
    RuntimeError, struct.error, zlib.error, UserWarning,
)  # fmt: skip

# libjpeg's warnings about files that are odd but whole: junk behind the last pixel, header fields that nothing needs.
# Every other warning means lost pixels.
_HARMLESS = re.compile("extraneous bytes before marker 0xd9|Invalid SOS parameters|JFIF revision|Adobe color transform")

# How the headers of a gain map name it: Ultra HDR, Apple's, ISO 21496-1.
_GAIN_MAP = re.compile(rb"hdrgm:|HDRGainMap|iso:ts:21496")
_MPF_ENTRIES = 0xB002

_DEFAULT_LIMITS = Limits()

_EXIF_ORIENTATION, _EXIF_X_RESOLUTION, _EXIF_Y_RESOLUTION, _EXIF_RESOLUTION_UNIT = 274, 282, 283, 296
_TIFF_OFFSETS_AND_SIZES = ((273, 279), (324, 325))  # of strips, of tiles
# Compressions of TIFF that OpenCV's wheels lack.
_PACKED_FOR_PILLOW_ALONE = {
    34925: "LZMA",
    50000: "zstd",
    50001: "WebP",
    34661: "JBIG",
    34887: "LERC",
    32809: "ThunderScan",
}
# Width, height and, where there are more than two levels, what white is; as OpenCV reads them, so that the size that is
# held against the limits is the one that is decoded.
_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_PIXMAP_HEADER = re.compile(rb"P[1-6]" + 2 * (_GAP + rb"(\d{1,9})") + rb"(?:" + _GAP + rb"(\d{1,9}))?")

Grey = PixelArray
Upright = Callable[[PixelArray], PixelArray]


def open_picture(source: Source, limits: Limits = _DEFAULT_LIMITS) -> Picture:
    """Read and decode whatever a caller gave; see `read` and `decode`.

    Example:
        >>> open_picture(np.zeros((2, 3), np.uint8)).size_hw
        (2, 3)
    """
    data, name = read(source, limits)
    return decode(data, name=name, limits=limits)


def decode(data: Data, *, name: str, limits: Limits) -> Picture:
    """The picture in ``data``.

    * The EXIF orientation is applied exactly once.
    * 8 bits come as uint8, 16 bits as uint16, 10- and 12-bit HEIC stretched to the full range of uint16.
    * Grey is repeated into R, G and B.  A grey profile cannot describe RGB: the levels go through it to sRGB, and it is
      dropped.  CMYK goes through its profile to sRGB (relative colorimetric, black point compensated), without one
      through Pillow's plain formula.  An RGB profile is kept; one for another colour space than the pixels' is dropped.
    * Alpha channels, palettes with transparency and PNG's single transparent colour become ``alpha``, straight.
    * Float arrays, 0..1, become uint8, half rounded up.
    * Of several frames or pages the first is taken, and ``frames`` says how many there are.  Of a TIFF that is the
      first page that is no reduced copy of another; of a PSD, the merged picture.
    * ``exif`` is what of the file's EXIF still holds: see ``bshm.files.exif.kept``.
    * uint8 and uint16 arrays are not copied where the layout allows: leave them alone while the picture is in use.

    Args:
        data: the bytes of a file; or an (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA array, straight alpha, uint8,
            uint16 or float 0..1; or a PIL image, which is decoded if need be and otherwise left as it is.
        name: what messages call it.
        limits: pixels.

    Raises:
        UnreadablePictureError: not a picture, of a kind that is not read (camera raw among them), empty, truncated,
            damaged.
        PictureTooLargeError: more pixels than ``limits.max_pixels``, by its header.
        ShapeError: an array that cannot be a picture, float values outside 0..1 included.
        MissingExtraError: HEIC without pillow-heif, AVIF with a Pillow that has no AVIF.
        MemoryExhaustedError: not enough memory for the decoded picture.
    """
    try:
        if isinstance(data, np.ndarray):
            return _from_array(data, name, limits)
        if isinstance(data, Image.Image):
            return _from_pillow(data, name, limits)
        return _from_bytes(data, name, limits)
    except MemoryError as error:
        raise MemoryExhaustedError(
            f"not enough memory for {name}. Process fewer pictures at the same time, or smaller ones."
        ) from error


def size_of(data: bytes, *, name: str, limits: Limits) -> tuple[int, int]:
    """Height and width of an encoded picture by its header, as stored: before any turn by EXIF.

    Raises:
        UnreadablePictureError, PictureTooLargeError, MissingExtraError: as ``decode``, as far as a header tells.

    Example:
        >>> file = BytesIO()
        >>> Image.new("L", (4, 3)).save(file, "PNG")
        >>> size_of(file.getvalue(), name="grey.png", limits=Limits())
        (3, 4)
    """
    form = sniff(data[:HEAD_BYTES])
    if form is None or form == "heif":
        # Nothing that is read, or something whose decoder reads the header by itself: let it say so.
        picture = _from_bytes(data, name, limits)
        return picture.size_hw
    width, height = _stated_size(data, form, name)
    if width == 0:
        width, height = _header(_page(data, name).data if form == "tiff" else data, form, name).size
    _check_size(width, height, name, limits)
    return height, width


def _stated_size(data: bytes, form: str, name: str) -> tuple[int, int]:
    """Width and height where they are read before Pillow opens the file; (0, 0) where Pillow is asked.

    Pillow takes the memory for the canvas of a WebP at once, reads a PNG up to its pixels, and believes the wrong one
    of the two sizes that a JPEG 2000 file states; what it does not read of PSD it does not name.
    """
    try:
        if form == "webp":
            return _webp_size(data)
        if form == "png":
            return png_chunks.size_of(data)
        if form == "jpeg2000":
            description = jpeg2000.describe(data)
            return description.width, description.height
        if form == "psd":
            return psd.size_of(data)
        if form == "ppm":
            return _pixmap_header(data)[:2]
    except ValueError as error:
        raise _damaged(name, form, error) from error
    return 0, 0


def _from_array(array: npt.NDArray[Any], name: str, limits: Limits) -> Picture:
    check_array(array, name)
    _check_size(array.shape[1], array.shape[0], name, limits)
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0.0 and high <= 1.0):  # False for NaN too
            raise ShapeError(
                f"a picture of floats needs values of 0 to 1; {name} has {low:g}..{high:g}. "
                "Divide by 255 (or 65535), or use uint8 or uint16."
            )
        array = (array.astype(np.float32) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    if array.ndim == 3 and array.shape[2] == 4:
        return Picture(np.ascontiguousarray(array[..., :3]), np.ascontiguousarray(array[..., 3]), name=name)
    return Picture(_rgb(array), name=name)


def _from_pillow(image: Image.Image, name: str, limits: Limits) -> Picture:
    _check_size(*image.size, name, limits)
    form = (image.format or "image").lower()
    try:
        exif = _exif(image)
        upright = _turn(exif.get(_EXIF_ORIENTATION))
        dpi = _dpi(image.info.get("dpi"), exif)
        image.load()
        # A TIFF turns itself when it is loaded and then no longer says so.
        if form == "tiff":
            upright = _turn(_exif(image).get(_EXIF_ORIENTATION))
        levels = _levels(image, name)
        frames = _frames(image)
        block = image.info.get("exif") or (exif.tobytes() if len(exif) else None)
    except _PILLOW_ERRORS as error:
        raise _damaged(name, form, error) from error
    return _picture(levels, upright, name=name, form=form, dpi=dpi, exif=block, frames=frames)


def _from_bytes(data: bytes, name: str, limits: Limits) -> Picture:
    if not data:
        raise UnreadablePictureError(f"{name} is empty: 0 bytes. Copy or download it again.")
    form = sniff(data[:HEAD_BYTES])
    if form is None:
        why = refusal(data[:HEAD_BYTES])
        if why is not None:
            raise UnreadablePictureError(f"{name} is {why}")
        raise UnreadablePictureError(
            f"{name} must be a {KNOWN} picture; it begins with {beginning(data)}. "
            "The bytes count, not the suffix: open it in a viewer and save it again."
        )
    if form == "heif":
        return _from_heif(data, name, limits)
    _check_size(*_stated_size(data, form, name), name, limits)
    try:
        if form == "png":
            return _from_png(data, name)
        if form == "tiff":
            return _from_tiff(data, name, limits)
        if form == "ppm":
            return _from_pixmap(data, name)
        image = _header(data, form, name)
        _check_size(*image.size, name, limits)
        if form == "jpeg":
            return _from_jpeg(data, image, name)
        if form == "jpeg2000":
            return _from_jpeg2000(data, image, name)
        if form == "psd":
            return _from_psd(data, image, name)
        exif = _exif(image)
        frames = _frames(image)
        if form == "webp" and frames == 1:
            levels = _by_opencv(data, name, form)
        else:
            with _without_pillows_limit(image):
                levels = _levels(image, name)
        icc_profile = image.info.get("icc_profile")
        return _picture(
            _Levels(levels.colour, levels.alpha, levels.icc_profile or icc_profile),
            _turn(exif.get(_EXIF_ORIENTATION)),
            name=name,
            form=form,
            dpi=_dpi(image.info.get("dpi"), exif),
            exif=image.info.get("exif"),
            frames=frames,
        )
    except Image.DecompressionBombError as error:  # which only some readers ask for: see _without_pillows_limit
        raise PictureTooLargeError(f"{name} is a {form.upper()} file too large for Pillow: {error} Use PNG.") from error
    except _PILLOW_ERRORS as error:
        raise _damaged(name, form, error) from error


# One reader a format.


def _from_jpeg(data: bytes, image: ImageFile.ImageFile, name: str) -> Picture:
    exif = _exif(image)
    icc_profile = image.info.get("icc_profile")
    if image.mode == "CMYK":
        # Adobe's convention, as in Pillow: CMYK in JPEG is stored inverted.
        inks = Image.fromarray(255 - _by_simplejpeg(data, "CMYK", name), "CMYK")
        levels = _cmyk(inks, icc_profile)
    else:
        levels = _Levels(_by_simplejpeg(data, "GRAY" if image.mode == "L" else "RGB", name), None, icc_profile)
    return _picture(
        levels,
        _turn(exif.get(_EXIF_ORIENTATION)),
        name=name,
        form="jpeg",
        dpi=_dpi(image.info.get("dpi"), exif),
        exif=image.info.get("exif"),
        frames=_frames_of_jpeg(data, image),
    )


def _frames_of_jpeg(data: bytes, image: ImageFile.ImageFile) -> int:
    """Pictures in a file of the Multi-Picture Format (CIPA DC-007), as stereo cameras write it.

    Larger thumbnails and gain maps, which cameras and telephones put there too, belong to the first picture.
    """
    if "mp" not in image.info:
        return 1
    others = 0
    with contextlib.suppress(*_PILLOW_ERRORS):  # a damaged index costs the count, not the pixels
        for entry in cast(Any, image)._getmp()[_MPF_ENTRIES][1:]:
            at = image.info["mpoffset"] + entry["DataOffset"]
            is_own = "Thumbnail" in entry["Attribute"]["MPType"] or _GAIN_MAP.search(data, at, at + 65536)
            others += not is_own
    return 1 + others


def _by_simplejpeg(data: bytes, colours: str, name: str) -> npt.NDArray[np.uint8]:
    import simplejpeg

    try:
        levels = simplejpeg.decode_jpeg(data, colours)
    except ValueError as error:
        if not _HARMLESS.search(str(error)):
            raise _damaged(name, "jpeg", error) from error
        levels = simplejpeg.decode_jpeg(data, colours, strict=False)
    return cast("npt.NDArray[np.uint8]", levels[..., 0] if colours == "GRAY" else levels)


def _from_png(data: bytes, name: str) -> Picture:
    chunks = png_chunks.read(data)
    image = _header(chunks.pixels, "png", name)
    exif = Image.Exif()
    with contextlib.suppress(*_PILLOW_ERRORS):  # damaged EXIF costs the orientation, not the pixels
        exif.load(chunks.exif or b"")
    info = image.info
    sixteen_bits = data[24] == 16
    grey_with_a_transparent_level = image.mode in ("1", "L", "I;16") and "transparency" in info
    # Pillow writes the count that an acTL chunk states; OpenCV would give the first frame instead of the still picture.
    frames = _frames(image)
    if (grey_with_a_transparent_level or frames > 1) and not sixteen_bits:
        levels = _levels(image, name)
    else:
        levels = _by_opencv(chunks.pixels, name, "png")
        if grey_with_a_transparent_level:  # which OpenCV leaves out
            opaque = levels.colour != info["transparency"]
            levels = _Levels(levels.colour, opaque * np.uint16(65535), None)
    return _picture(
        _Levels(levels.colour, levels.alpha, chunks.icc_profile),
        _turn(exif.get(_EXIF_ORIENTATION)),
        name=name,
        form="png",
        dpi=_dpi(info.get("dpi"), exif),
        exif=chunks.exif,
        frames=frames,
    )


def _from_tiff(data: bytes, name: str, limits: Limits) -> Picture:
    page = _page(data, name)
    image = _header(page.data, "tiff", name)
    _check_size(*image.size, name, limits)
    tags = cast(Any, image).tag_v2
    for offsets, sizes in _TIFF_OFFSETS_AND_SIZES:
        ends = [at + size for at, size in zip(_whole(tags.get(offsets)), _whole(tags.get(sizes)), strict=False)]
        if ends and max(ends) > len(data):
            raise _damaged(name, "tiff", f"its pixels reach to byte {max(ends):,}, the file to {len(data):,}")
    has_orientation = _EXIF_ORIENTATION in tags
    dpi = _tiff_dpi(image)
    levels = _tiff_levels(page.data, image, name)
    upright: Upright = _as_it_is  # both decoders turn a TIFF upright themselves
    icc_profile = levels.icc_profile
    if page.is_child:  # what it does not say for itself its parent says
        parent = _header(data, "tiff", name)
        if not has_orientation:
            upright = _turn(_exif(parent).get(_EXIF_ORIENTATION))
        icc_profile = icc_profile or parent.info.get("icc_profile")
        dpi = dpi or _tiff_dpi(parent)
    levels = _Levels(levels.colour, levels.alpha, icc_profile)
    return _picture(levels, upright, name=name, form="tiff", dpi=dpi, exif=data, frames=page.frames)


def _page(data: bytes, name: str) -> tiff_pages.Page:
    try:
        page = tiff_pages.picture_of(data)
    except ValueError as error:
        raise _damaged(name, "tiff", error) from error
    if page.camera_raw is not None:
        raise UnreadablePictureError(f"{name} is {camera_raw(page.camera_raw)}")
    return page


def _tiff_levels(data: bytes, image: ImageFile.ImageFile, name: str) -> _Levels:
    tags = cast(Any, image).tag_v2
    icc_profile = image.info.get("icc_profile")
    bits = set(_whole(tags.get(258)))
    several = len(_whole(tags.get(258))) > 1
    packing = tags.get(259, 1)
    plain = tags.get(262) in (1, 2) and tags.get(284, 1) == 1  # not inverted, not YCbCr, not plane by plane
    plain = plain and packing == 1  # of 8 bits OpenCV makes black what it cannot unpack
    if bits == {16} and tags.get(284) == 2 and several:
        # OpenCV would mix the planes up, Pillow drop eight bits.
        raise _damaged(name, "tiff", "its 16-bit colours are stored plane by plane, which is not read")
    if bits == {16} and several and packing in _PACKED_FOR_PILLOW_ALONE:
        # Pillow would drop eight bits.
        how = _PACKED_FOR_PILLOW_ALONE[packing]
        raise _damaged(name, "tiff", f"its 16-bit colours are packed with {how}, which is not read; use deflate")
    fits_opencv = (bits == {16} and image.mode != "CMYK") or (bits == {8} and plain and image.mode in ("L", "RGB"))
    if fits_opencv and packing not in _PACKED_FOR_PILLOW_ALONE:
        levels = _by_opencv(data, name, "tiff")
    else:
        with _without_pillows_limit(image):
            levels = _levels(image, name)
        icc_profile = levels.icc_profile
        if bits != {16}:
            return levels
    colour, alpha = levels.colour, levels.alpha
    if tags.get(262) == 0 and bits == {16}:  # white is zero, which both leave as it is
        colour = 65535 - colour
    if alpha is not None and _whole(tags.get(338))[:1] == [1]:  # associated: colour times alpha
        colour = _straight(colour, alpha)
    if alpha is not None and _whole(tags.get(338))[:1] == [0]:  # a fourth sample of no stated meaning
        alpha = None
    return _Levels(colour, alpha, icc_profile)


def _tiff_dpi(image: ImageFile.ImageFile) -> tuple[float, float] | None:
    # Pillow says 1 dpi where the file says nothing.
    tags = cast(Any, image).tag_v2
    return _dpi(image.info.get("dpi"), _exif(image)) if 282 in tags and 283 in tags else None


def _whole(value: Any) -> list[int]:
    """A tag's value as a list: Pillow unpacks those with one number."""
    return [] if value is None else [int(v) for v in (value if isinstance(value, (tuple, list)) else (value,))]


def _straight(colour: PixelArray, alpha: PixelArray) -> PixelArray:
    """Divide premultiplied 16-bit colour by its alpha; 0 where alpha is 0."""
    share = alpha.astype(np.float32)[..., None] / 65535
    levels = np.divide(colour, share, out=np.zeros(colour.shape, np.float32), where=share > 0)
    return np.minimum(levels + 0.5, 65535).astype(np.uint16)


def _from_jpeg2000(data: bytes, image: ImageFile.ImageFile, name: str) -> Picture:
    description = jpeg2000.describe(data)
    if image.size != (description.width, description.height):
        raise _damaged(name, "jpeg2000", f"it states two sizes, {image.width}x{image.height} and another")
    most = set(description.bits)
    if len(most) == 1 and min(most) > 8 and description.is_plain and len(description.bits) in (1, 3, 4):
        levels = _by_opencv(data, name, "jpeg2000")
        full = (1 << min(most)) - 1
        alpha = None if levels.alpha is None else _stretched(levels.alpha, full)
        levels = _Levels(_stretched(levels.colour, full), alpha, None)
    else:
        levels = _levels(image, name)
    icc_profile = levels.icc_profile or description.icc_profile
    levels = _Levels(levels.colour, levels.alpha, icc_profile)
    dpi = _dpi(image.info.get("dpi"), Image.Exif())
    return _picture(levels, _as_it_is, name=name, form="jpeg2000", dpi=dpi, exif=None, frames=1)


def _from_psd(data: bytes, image: ImageFile.ImageFile, name: str) -> Picture:
    description = psd.describe(data, cast(Any, image).resources)
    levels = _levels(image, name)
    colour, alpha = levels.colour, levels.alpha
    if image.mode == "RGBA" and alpha is not None:
        colour, alpha = (psd.off_white(colour, alpha), alpha) if description.has_transparency else (colour, None)
    levels = _Levels(colour, alpha, levels.icc_profile)
    dpi = _dpi(description.dpi, Image.Exif())
    # Layers are no frames: the merged picture shows all of them.
    return _picture(levels, _as_it_is, name=name, form="psd", dpi=dpi, exif=description.exif, frames=1)


def _from_pixmap(data: bytes, name: str) -> Picture:
    width, height, most = _pixmap_header(data)
    colour = _by_opencv(data, name, "ppm").colour
    if colour.shape[:2] != (height, width):
        raise _damaged(name, "ppm", f"it states {width}x{height} pixels and has others")
    # OpenCV leaves levels as they are stored, but for those of up to 8 bits written as text.
    if most > 255 or (most < 255 and data[1:2] in b"56"):
        colour = _stretched(colour, most)
    return _picture(_Levels(colour, None, None), _as_it_is, name=name, form="ppm", dpi=None, exif=None, frames=1)


def _pixmap_header(data: bytes) -> tuple[int, int, int]:
    """Width, height and what white is."""
    found = _PIXMAP_HEADER.match(data)
    if found is None or 0 in (int(found[1]), int(found[2])):
        raise ValueError("its header does not state a size")
    most = 255 if data[1:2] in b"14" else int(found[3] or 0)
    if not 1 <= most <= 65535:
        raise ValueError("its header does not state what white is")
    return int(found[1]), int(found[2]), most


def _from_heif(data: bytes, name: str, limits: Limits) -> Picture:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is a HEIC picture, which needs pillow-heif. Install it: pip install 'bshm[heif]'"
        ) from error
    try:
        # Lazy: the header is read here, the pixels at np.asarray.
        image = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False)
        width, height = image.size
        _check_size(width, height, name, limits)
        samples = np.asarray(image)
        info = image.info
    except _PILLOW_ERRORS as error:
        raise _damaged(name, "heif", error) from error
    if samples.dtype == np.uint16:
        # The bits stand at the top of the 16; stretched so that white is 65535.
        bits = int(info.get("bit_depth", 16))
        samples = _stretched(cast("PixelArray", samples >> (16 - bits)), (1 << bits) - 1)
    has_alpha = samples.ndim == 3 and samples.shape[2] in (2, 4)
    colour = samples[..., :-1] if has_alpha else samples
    if colour.ndim == 3 and colour.shape[2] == 1:
        colour = colour[..., 0]
    levels = _Levels(
        np.ascontiguousarray(colour),
        np.ascontiguousarray(samples[..., -1]) if has_alpha else None,
        info.get("icc_profile") or None,
    )
    # libheif has turned it already; the EXIF block still says how it was.
    block = info.get("exif")
    return _picture(levels, _as_it_is, name=name, form="heif", dpi=None, exif=block, frames=len(image))


# What the readers share.


@dataclass(frozen=True)
class _Levels:
    """Decoded samples on the way to a picture.

    Attributes:
        colour: (H, W) grey or (H, W, 3) RGB.
        alpha: (H, W) or None.
        icc_profile: as embedded, for any colour space.
    """

    colour: PixelArray
    alpha: PixelArray | None
    icc_profile: bytes | None


def _header(data: bytes, form: str, name: str) -> ImageFile.ImageFile:
    module, kind = _PLUGINS[form]
    try:
        plugin = importlib.import_module(module)
    except ImportError as error:
        raise _missing_avif(name) from error
    if form == "avif" and not plugin.SUPPORTED:
        raise _missing_avif(name)
    try:
        return cast(ImageFile.ImageFile, getattr(plugin, kind)(BytesIO(data)))
    except Image.DecompressionBombError as error:  # of a GIF already by its header
        raise PictureTooLargeError(f"{name} is a {form.upper()} file too large for Pillow: {error} Use PNG.") from error
    except _PILLOW_ERRORS as error:
        raise _damaged(name, form, error) from error


def _missing_avif(name: str) -> MissingExtraError:
    return MissingExtraError(
        f"{name} is an AVIF picture, which needs a Pillow with AVIF. Install it: pip install -U 'pillow>=11.3'"
    )


@contextlib.contextmanager
def _without_pillows_limit(image: Image.Image) -> Iterator[None]:
    """Keep quiet about Pillow's process-wide limit, which its readers of TIFF and GIF ask again while they decode.

    Only large pictures come this far, so that the warning filters, which threads share, are nearly never touched.
    """
    if image.width * image.height <= (Image.MAX_IMAGE_PIXELS or math.inf):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height by the first chunk of a WebP file; (0, 0) where it is none of the three kinds."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _by_opencv(data: bytes, name: str, form: str) -> _Levels:
    try:
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        raise _damaged(name, form, error.err or "OpenCV refuses it") from error
    if samples is None:
        raise _damaged(name, form, "its pixels cannot be decoded")
    if samples.dtype not in (np.uint8, np.uint16):
        raise _damaged(name, form, f"its samples are {samples.dtype}")
    pixels = cast("PixelArray", samples)
    if pixels.ndim == 2:
        return _Levels(pixels, None, None)
    if pixels.shape[2] == 3:
        return _Levels(cast("PixelArray", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)), None, None)
    colour = cast("PixelArray", cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB))
    return _Levels(colour, cast("PixelArray", cv2.extractChannel(pixels, 3)), None)


def _levels(image: Image.Image, name: str) -> _Levels:
    """The samples of a PIL image of any mode."""
    icc_profile = image.info.get("icc_profile")
    mode = image.mode
    if mode.startswith("I;16"):
        return _Levels(np.asarray(image).astype(np.uint16), None, icc_profile)
    if mode in ("I", "F"):
        raise UnreadablePictureError(
            f"a picture needs 8 or 16 bits a sample; {name} has 32 (mode {mode}). Convert it to 16 bits first."
        )
    if mode == "CMYK":
        return _cmyk(image, icc_profile)
    if mode == "La":
        image = image.convert("LA")
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        samples = np.asarray(image.convert("RGBA"))
        colour = cast("PixelArray", cv2.cvtColor(samples, cv2.COLOR_RGBA2RGB))
        return _Levels(colour, cast("PixelArray", cv2.extractChannel(samples, 3)), icc_profile)
    return _Levels(np.asarray(image.convert("L" if mode in ("1", "L") else "RGB")), None, icc_profile)


def _cmyk(image: Image.Image, icc_profile: bytes | None) -> _Levels:
    from PIL import ImageCms

    if _space(icc_profile) == "CMYK":
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(BytesIO(cast(bytes, icc_profile))),
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            return _Levels(np.asarray(converted), None, None)
        except (ImageCms.PyCMSError, OSError):
            pass  # a profile that nobody can use is as good as none
    return _Levels(np.asarray(image.convert("RGB")), None, None)


def _stretched(levels: PixelArray, most: int) -> PixelArray:
    """Levels 0..``most`` over the full range of their type."""
    full = int(np.iinfo(levels.dtype).max)
    if most == full:
        return levels
    table = (np.minimum(np.arange(full + 1, dtype=np.int64), most) * full + most // 2) // most
    return cast("PixelArray", table.astype(levels.dtype)[levels])


def _picture(
    levels: _Levels,
    upright: Upright,
    *,
    name: str,
    form: str,
    dpi: tuple[float, float] | None,
    exif: bytes | None,
    frames: int,
) -> Picture:
    colour, icc_profile = levels.colour, levels.icc_profile
    space = _space(icc_profile)
    if colour.ndim == 2 and space == "GRAY":
        colour = _grey_to_srgb(colour, cast(bytes, icc_profile))
    turned = upright(_rgb(colour))
    if turned.shape[:2] != colour.shape[:2] and dpi is not None:
        dpi = dpi[::-1]
    return Picture(
        turned,
        None if levels.alpha is None else upright(levels.alpha),
        name=name,
        format=form,
        icc_profile=icc_profile if space == "RGB" else None,
        dpi=dpi,
        exif=None if exif is None else exif_blocks.kept(exif),
        frames=frames,
    )


def _rgb(colour: PixelArray) -> PixelArray:
    return cast("PixelArray", cv2.cvtColor(colour, cv2.COLOR_GRAY2RGB)) if colour.ndim == 2 else colour


def _space(icc_profile: bytes | None) -> str | None:
    """The colour space that a profile is for: ``RGB``, ``GRAY``, ``CMYK``, …"""
    return None if not icc_profile else icc_profile[16:20].decode("latin-1").strip()


def _grey_to_srgb(grey: Grey, icc_profile: bytes) -> Grey:
    """Grey levels as their profile means them, in sRGB; unchanged where the profile cannot be used.

    Littlecms works on 256 levels here; 16-bit levels are interpolated between them, off by at most half an 8-bit level.
    """
    from PIL import ImageCms

    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    try:
        through = ImageCms.profileToProfile(
            ramp,
            ImageCms.ImageCmsProfile(BytesIO(icc_profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            # By default littlecms samples the curve so coarsely that dark levels of a linear profile are off by 10.
            flags=ImageCms.Flags.NOOPTIMIZE,
        )
    except (ImageCms.PyCMSError, OSError):
        return grey
    table = np.asarray(through)[0, :, 1]
    if grey.dtype == np.uint8:
        return cast("Grey", cv2.LUT(grey, table))
    fine = np.interp(np.arange(65536), np.arange(256) * 257, table.astype(np.float64) * 257)
    return np.rint(fine).astype(np.uint16)[grey]


def _as_it_is(pixels: PixelArray) -> PixelArray:
    return pixels


def _turn(orientation: object) -> Upright:
    """What makes a picture with this EXIF orientation upright (CIPA DC-008, tag 274); 1 and nonsense change nothing."""
    turns: dict[object, Callable[[PixelArray], Any]] = {
        2: lambda p: cv2.flip(p, 1),
        3: lambda p: cv2.rotate(p, cv2.ROTATE_180),
        4: lambda p: cv2.flip(p, 0),
        5: cv2.transpose,
        6: lambda p: cv2.rotate(p, cv2.ROTATE_90_CLOCKWISE),
        7: lambda p: cv2.rotate(cv2.transpose(p), cv2.ROTATE_180),
        8: lambda p: cv2.rotate(p, cv2.ROTATE_90_COUNTERCLOCKWISE),
    }
    return turns.get(orientation, _as_it_is) if isinstance(orientation, int) else _as_it_is


def _exif(image: Image.Image) -> Image.Exif:
    """The EXIF block; an empty one where it is damaged, which costs a picture its orientation but not its pixels."""
    try:
        return image.getexif()
    except _PILLOW_ERRORS:
        return Image.Exif()


def _dpi(stated: object, exif: Image.Exif) -> tuple[float, float] | None:
    """Pixels per inch by the format's own field, else by EXIF; None where neither says anything sensible."""
    if stated is None and _EXIF_X_RESOLUTION in exif and _EXIF_Y_RESOLUTION in exif:
        per_inch = {2: 1.0, 3: 2.54}.get(exif.get(_EXIF_RESOLUTION_UNIT, 2), 0.0)
        stated = (exif[_EXIF_X_RESOLUTION] * per_inch, exif[_EXIF_Y_RESOLUTION] * per_inch)
    try:
        x, y = (float(value) for value in cast("tuple[float, float]", stated))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(value) and 0 < value <= 65535 for value in (x, y))
    return (x, y) if sensible else None


def _frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1))


def _check_size(width: int, height: int, name: str, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise PictureTooLargeError(
            f"a picture may have up to {limits.max_pixels:,} pixels; {name} has {width}x{height}, {width * height:,}. "
            "Scale it down, or raise the limit of pixels."
        )


def _in_words(reason: object) -> str:
    """What a reader raised, for people: Pillow's may be the number of a tag, or what Python says of its own code."""
    if isinstance(reason, SyntaxError) and reason.args and isinstance(reason.args[0], Exception):
        reason = reason.args[0]  # Pillow wraps whatever a header leads to
    said = str(reason).strip().rstrip(".")
    if isinstance(reason, KeyError):
        return f"it has a kind of compression or of samples, number {said}, that is not known here"
    if isinstance(reason, (IndexError, TypeError, AttributeError, OverflowError, struct.error)):
        return "what it says of itself does not fit together"
    if said == "unknown pixel mode":
        return "its samples are of a kind that is not read"
    return said or type(reason).__name__


def _damaged(name: str, form: str, reason: object) -> UnreadablePictureError:
    if isinstance(reason, UnreadablePictureError):
        return reason
    said = _in_words(reason)
    return UnreadablePictureError(
        f"{name} begins like a {form.upper()} file but cannot be read whole: {said}. "
        "It may be truncated, damaged or of a rare kind: copy it again, or save it again as PNG."
    )
