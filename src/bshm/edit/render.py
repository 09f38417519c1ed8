"""What is made of a matte: laid over something, cropped, placed, encoded."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from bshm import geometry
from bshm.edit import composite, shadow
from bshm.edit.arrange import arranged
from bshm.edit.background import backdrop
from bshm.edit.crop import Box, foreground_box
from bshm.edit.spec import OutputOptions
from bshm.edit.words import NO_MARGINS, Length, Margins
from bshm.errors import OptionError
from bshm.files import decode, encode
from bshm.options import DEFAULT_MODEL, Format, Limits, MatteOptions
from bshm.result import Matte
from bshm.types import FloatArray, Picture, PixelArray

# auto: PNG where something is transparent, else JPEG; zip: color.jpg and alpha.png.
ResultFormat = Literal["png", "webp", "jpg", "tiff", "zip", "auto"]
MEDIA_TYPES: dict[str, str] = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tiff": "image/tiff",
    "zip": "application/zip",
}
_BLUR = re.compile(r"blur(?::[0-9.]+)?")


@dataclass(frozen=True)
class Plain:
    """A colour behind the people; red, green, blue and opacity, 0..255."""

    rgba: tuple[int, int, int, int]


@dataclass(frozen=True)
class Blur:
    """The original out of focus: ``blur`` or ``blur:RADIUS``, as ``backdrop`` takes it."""

    spec: str

    def __post_init__(self) -> None:
        # ``backdrop`` takes any other text for a path or a URL: what strangers send must not get there.
        if not _BLUR.fullmatch(self.spec):
            raise OptionError(f"a blurred background is blur or blur:RADIUS; got {self.spec[:40]!r}.")


@dataclass(frozen=True)
class Scenery:
    """A picture behind the people, by the SHA-256 of its file."""

    sha256: str


@dataclass(frozen=True)
class Region:
    """Outside of this nothing is a person; lengths from the left and the top."""

    x1: Length
    y1: Length
    x2: Length
    y2: Length


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of a result, besides the picture and the weights.

    Attributes:
        model: which weights.
        decontaminate, exact: as in ``MatteOptions``.
        max_pixels: a larger picture is scaled down to this before it is matted; None never.
        region: the only place where people are looked for; None is everywhere.
        alpha_only: the alpha as one grey channel.
        background: what lies behind the people; None keeps them transparent.
        format, quality: of the file.
        shadow: whether the people throw one.
        shadow_opacity: how dark, 0..1 of what it is by itself.
        crop, margins, scale, position: as in ``bshm.edit.crop.arrange``.
        strip_metadata: as in ``OutputOptions``.
    """

    model: str = DEFAULT_MODEL
    decontaminate: bool = MatteOptions.decontaminate
    exact: bool = MatteOptions.exact
    max_pixels: int | None = None
    region: Region | None = None
    alpha_only: bool = OutputOptions.alpha_only
    background: Plain | Blur | Scenery | None = None
    format: ResultFormat = "png"
    quality: int = OutputOptions.quality
    shadow: bool = OutputOptions.shadow
    shadow_opacity: float = 1.0
    crop: bool = OutputOptions.crop
    margins: Margins = NO_MARGINS
    scale: float | None = None
    position: tuple[float, float] | None = None
    strip_metadata: bool = OutputOptions.strip_metadata

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise OptionError(f"quality takes 1 to 100; got {self.quality}.")
        if self.alpha_only and self.background is not None:
            raise OptionError("alpha gives the alpha alone, so a background has no place in it. Drop one of them.")
        if self.format == "jpg" and self.background is None and not self.alpha_only:
            raise OptionError("JPEG has no transparency. Give a background, or choose png, webp or tiff.")

    def matte_options(self, limits: Limits) -> MatteOptions:
        """How the matte is made."""
        return MatteOptions(decontaminate=self.decontaminate, exact=self.exact, limits=limits)

    def before(self, scenery: bytes) -> Recipe:
        """The same, with the picture in the file ``scenery`` behind the people."""
        return replace(self, background=Scenery(hashlib.sha256(scenery).hexdigest()))

    def canonical(self) -> str:
        """The same text for the same recipe."""
        kind = type(self.background).__name__
        return json.dumps({**asdict(self), "background_kind": kind}, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Rendered:
    """A finished answer.

    Attributes:
        data: the file.
        media_type: what it is.
        width, height: of the result in pixels.
        empty: nobody was found.
        box: where the people are, in pixels of the result before it is cropped or placed; None for nobody.
        model, model_sha256, device: what ran.
        timings_ms: milliseconds by stage.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    empty: bool
    box: Box | None
    model: str
    model_sha256: str
    device: str
    timings_ms: dict[str, float]

    def to_bytes(self) -> bytes:
        """For the cache: a line of JSON, then the file."""
        facts = asdict(self)
        del facts["data"]
        return json.dumps(facts).encode() + b"\n" + self.data

    @classmethod
    def from_bytes(cls, stored: bytes) -> Rendered:
        """Back from the cache.

        Raises:
            ValueError: it is not what ``to_bytes`` wrote.
        """
        head, newline, data = stored.partition(b"\n")
        if not newline:
            raise ValueError("not a stored result")
        facts = json.loads(head)
        box = facts.pop("box")
        try:
            return cls(data=data, box=None if box is None else Box(*box), **facts)
        except TypeError as error:
            raise ValueError(f"a result stored by another version: {error}") from error


def suffix_of(media_type: str) -> str:
    """The end of the name of a file of that kind.

    >>> suffix_of("image/jpeg"), suffix_of("text/plain")
    ('.jpg', '')
    """
    return next((f".{form}" for form, kind in MEDIA_TYPES.items() if kind == media_type), "")


def opened(data: bytes, name: str, limits: Limits, max_pixels: int | None = None) -> Picture:
    """A file as a picture of at most ``max_pixels``.

    Args:
        data: the file.
        name: what errors call it.
        limits: what it may cost.
        max_pixels: see ``Recipe``.

    Raises:
        InputError: see ``bshm.files.decode``.
    """
    return shrunk(decode.decode(data, name=name, limits=limits), max_pixels)


def shrunk(picture: Picture, max_pixels: int | None) -> Picture:
    """The picture with at most ``max_pixels``; itself where it has no more."""
    height, width = picture.size_hw
    if max_pixels is None or height * width <= max_pixels:
        return picture
    scale = (max_pixels / (height * width)) ** 0.5
    size = max(1, int(height * scale)), max(1, int(width * scale))
    alpha = None if picture.alpha is None else geometry.resize(picture.alpha, size)
    return replace(picture, pixels=geometry.resize(picture.pixels, size), alpha=alpha)


def render(matte: Matte, recipe: Recipe, scenery: Picture | None = None) -> Rendered:
    """The answer that ``recipe`` asks for.

    Args:
        matte: of the picture, shrunk already.
        recipe: what to make of it.
        scenery: the picture of a ``Scenery`` background.

    Raises:
        OptionError: the format cannot hold it, or the region lies outside the picture.
        MemoryExhaustedError: not enough memory.
    """
    alpha = matte.alpha if recipe.region is None else _within(matte.alpha, recipe.region)
    box = foreground_box(alpha)
    empty = matte.is_empty if recipe.region is None else replace(matte, alpha=alpha).is_empty
    behind = _blurred(matte, recipe)
    colour, alpha, behind = arranged(
        matte.foreground,
        alpha,
        behind,
        shadow=recipe.shadow_opacity if recipe.shadow and not recipe.alpha_only else 0.0,
        crop=recipe.crop,
        margins=recipe.margins,
        scale=recipe.scale,
        position=recipe.position,
    )
    data, media_type = _encoded(matte.picture, recipe, colour, alpha, behind, scenery)
    ran = matte.ran
    return Rendered(
        data,
        media_type,
        alpha.shape[1],
        alpha.shape[0],
        empty,
        box,
        ran.model,
        ran.model_sha256,
        ran.device,
        dict(ran.timings_ms),
    )


def _within(alpha: FloatArray, region: Region) -> FloatArray:
    height, width = alpha.shape
    left, right = region.x1.of(width), region.x2.of(width)
    top, bottom = region.y1.of(height), region.y2.of(height)
    if right > width or bottom > height:
        raise RegionError(f"the region reaches to {right}, {bottom}, but the picture has {width}x{height} pixels.")
    if right <= left or bottom <= top:
        raise RegionError(f"the region from {left}, {top} to {right}, {bottom} is empty.", empty=True)
    result: FloatArray = np.zeros_like(alpha)
    result[top:bottom, left:right] = alpha[top:bottom, left:right]
    return result


class RegionError(OptionError):
    """A region that is empty or reaches out of the picture."""

    def __init__(self, message: str, *, empty: bool = False) -> None:
        super().__init__(message)
        self.empty = empty


def _blurred(matte: Matte, recipe: Recipe) -> PixelArray | None:
    if isinstance(recipe.background, Blur):
        return backdrop(recipe.background.spec, matte.picture, matte.alpha)
    return None


def _encoded(
    picture: Picture,
    recipe: Recipe,
    colour: PixelArray,
    alpha: FloatArray,
    behind: PixelArray | None,
    scenery: Picture | None,
) -> tuple[bytes, str]:
    background = recipe.background
    if recipe.alpha_only:
        return _alpha_file(picture, recipe, alpha)
    if isinstance(background, Plain):
        red, green, blue, opacity = background.rgba
        if opacity < 255 and recipe.format != "jpg":
            colour, alpha = shadow.under(colour, alpha, (red, green, blue), opacity / 255)
        else:
            behind = np.empty_like(colour)
            behind[...] = np.asarray((red, green, blue)) * (257 if colour.dtype == np.uint16 else 1)
    elif isinstance(background, Scenery) and scenery is not None:
        canvas = replace(picture, pixels=colour, alpha=None)
        behind = backdrop(_opaque(scenery), canvas, alpha)
    if behind is not None:
        colour = composite.over(colour, alpha, behind)
        alpha = np.ones_like(alpha)
    if recipe.format == "zip":
        return _zip(picture, recipe, colour, alpha), MEDIA_TYPES["zip"]
    opaque = behind is not None
    form: Format
    if recipe.format == "auto":
        form = "jpg" if opaque or bool((composite.levels(alpha, np.uint8) == 255).all()) else "png"
        opaque = opaque or form == "jpg"
    else:
        form = recipe.format
    pixels = colour if opaque else composite.cutout(colour, alpha)
    return _file(pixels, form, recipe, picture), MEDIA_TYPES[form]


def _opaque(scenery: Picture) -> PixelArray:
    """A background's own transparency shows white, as in ``backdrop``."""
    if scenery.alpha is None:
        return scenery.pixels
    share = scenery.alpha.astype(np.float32) / np.float32(np.iinfo(scenery.alpha.dtype).max)
    return composite.over(scenery.pixels, share, np.full_like(scenery.pixels, np.iinfo(scenery.pixels.dtype).max))


def _alpha_file(picture: Picture, recipe: Recipe, alpha: FloatArray) -> tuple[bytes, str]:
    form: Format = "png" if recipe.format in ("auto", "zip") else recipe.format  # type: ignore[assignment]
    levels = composite.levels(alpha, picture.pixels.dtype)
    data = encode.encode(levels, form, quality=recipe.quality, dpi=picture.dpi, exif=_exif(picture, recipe))
    if recipe.format == "zip":
        return _stored({"alpha.png": data}), MEDIA_TYPES["zip"]
    return data, MEDIA_TYPES[form]


def _file(pixels: PixelArray, form: Format, recipe: Recipe, picture: Picture) -> bytes:
    return encode.encode(
        pixels,
        form,
        quality=recipe.quality,
        icc_profile=picture.icc_profile,
        dpi=picture.dpi,
        exif=_exif(picture, recipe),
    )


def _exif(picture: Picture, recipe: Recipe) -> bytes | None:
    return None if recipe.strip_metadata else picture.exif


def _zip(picture: Picture, recipe: Recipe, colour: PixelArray, alpha: FloatArray) -> bytes:
    levels = composite.levels(alpha, colour.dtype)
    return _stored(
        {
            "color.jpg": _file(colour, "jpg", recipe, picture),
            "alpha.png": encode.encode(
                levels, "png", quality=recipe.quality, dpi=picture.dpi, exif=_exif(picture, recipe)
            ),
        }
    )


def _stored(files: dict[str, bytes]) -> bytes:
    """A zip of files that are compressed already; without the time, so that equal requests have equal answers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()
