"""From a matte and an ``Edit`` to pixels and to a file: the one way there is.

    region -> edges -> shadow -> crop, scale, position -> background -> light -> cut-out, alpha or picture -> file

``compose`` goes as far as the pixels, ``render`` to the end.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from bshm.edit import composite, edges, light
from bshm.edit.background import filled
from bshm.edit.crop import Box, arrange, foreground_box, is_nobody
from bshm.edit.shadow import contact, drop, under
from bshm.edit.spec import Edit
from bshm.edit.words import NO_MARGINS, BlurBackground, ColorBackground, Region
from bshm.errors import RegionError, option
from bshm.files import encode
from bshm.options import FORMATS, Format
from bshm.types import FloatArray, Picture, PixelArray, Run

ZIP = "application/zip"
MEDIA_TYPES: dict[str, str] = {**{form: facts.media_type for form, facts in FORMATS.items()}, "zip": ZIP}


class Matted(Protocol):
    """What is rendered: see ``bshm.result.Matte``."""

    @property
    def picture(self) -> Picture:
        """The picture it was made of."""

    @property
    def alpha(self) -> FloatArray:
        """(H, W) float32, 0..1."""

    @property
    def foreground(self) -> PixelArray:
        """(H, W, 3), dtype of the picture, straight colour."""

    @property
    def ran(self) -> Run:
        """What worked on it."""


@dataclass(frozen=True)
class Composed:
    """The pixels of a result.

    Attributes:
        colour: (H, W, 3), dtype of the picture, straight.
        alpha: (H, W) float32, 0..1; 1 everywhere over an opaque background.
        is_opaque: an opaque background lies behind the people.
        alpha_alone: the alpha is all that is wanted.
        box: where the people are, in pixels of the picture before it is cropped or placed; None for nobody.
        is_empty: nobody was found.
    """

    colour: PixelArray
    alpha: FloatArray
    is_opaque: bool
    alpha_alone: bool
    box: Box | None
    is_empty: bool

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.alpha.shape[0], self.alpha.shape[1]

    def pixels(self, *, opaque: bool = False) -> PixelArray:
        """(H, W) alpha alone, (H, W, 3) over an opaque background or with ``opaque``, else the (H, W, 4) cut-out."""
        if self.alpha_alone:
            return composite.levels(self.alpha, self.colour.dtype)
        return self.colour if opaque or self.is_opaque else composite.cutout(self.colour, self.alpha)


@dataclass(frozen=True)
class Rendered:
    """A finished file.

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
        facts = asdict(replace(self, data=b""))
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


def render(matte: Matted, edit: Edit, background: Picture | None = None) -> Rendered:
    """The file that ``edit`` describes.

    Args:
        matte: of the picture.
        edit: what to make of it.
        background: the picture of a ``PictureBackground``; without it that picture is read from its source.

    Raises:
        OptionError: the format cannot hold it, or there is no picture for the background.
        RegionError: the region lies outside the picture, or is empty.
        InputError: the picture for the background cannot be read.
        MemoryExhaustedError: not enough memory.
    """
    composed = compose(matte, edit, background)
    data, media_type = _encoded(composed, matte.picture, edit)
    height, width = composed.size_hw
    ran = matte.ran
    return Rendered(
        data,
        media_type,
        width,
        height,
        composed.is_empty,
        composed.box,
        ran.model,
        ran.model_sha256,
        ran.device,
        dict(ran.timings_ms),
    )


def compose(matte: Matted, edit: Edit, background: Picture | None = None) -> Composed:
    """The pixels that ``edit`` describes; as ``render``, without the file."""
    alpha = matte.alpha if edit.region is None else _within(matte.alpha, edit.region)
    colour, wanted = matte.foreground, edit.background
    if edit.has_edges:
        before = alpha
        alpha = edges.changed(
            alpha,
            grow=edit.grow,
            fill_holes=edit.fill_holes,
            drop_islands=edit.drop_islands,
            feather=edit.feather,
        )
        colour = edges.recoloured(colour, before, alpha, matte.picture.pixels)
    box, is_empty = foreground_box(alpha), is_nobody(alpha)
    # Of the people alone: a shadow says nothing about how they are lit.
    own_light = light.light_of(colour, alpha) if edit.harmonize else None
    behind: PixelArray | None = None
    if isinstance(wanted, BlurBackground):
        # Made of the original, it is cropped with it; all else fills what the people end up on.
        behind = filled(wanted, matte.picture, matte.alpha)
    # Where there is nobody the whole picture is what is cropped to, scaled and placed.
    around = box or Box(0, 0, *alpha.shape)
    if edit.shadow:  # it does not widen a crop
        opacity = 1.0 if edit.shadow_opacity is None else edit.shadow_opacity
        thrown = contact(alpha) if edit.shadow_kind == "contact" else drop(alpha)
        colour, alpha = under(colour, alpha, (0, 0, 0), thrown * np.float32(opacity), blend=edit.blend)
    colour, alpha, behind = _placed(colour, alpha, behind, around, edit)
    if isinstance(wanted, ColorBackground) and wanted.opacity < 1 and edit.has_transparency:
        colour, alpha = under(colour, alpha, wanted.rgb, wanted.opacity, blend=edit.blend)
    elif wanted is not None:
        if behind is None:
            canvas = replace(matte.picture, pixels=colour, alpha=None)
            behind = filled(
                wanted,
                canvas,
                alpha,
                background,
                fit=edit.background_fit,
                position=edit.background_position,
                blur_px=edit.background_blur,
            )
        if edit.harmonize and own_light is not None and (wanted_light := light.light_of(behind)) is not None:
            colour = light.harmonized(colour, own_light, wanted_light, edit.harmonize)
        colour = composite.over(colour, alpha, behind, blend=edit.blend)
        alpha = np.ones_like(alpha)
    return Composed(colour, alpha, behind is not None, edit.alpha, box, is_empty)


def _within(alpha: FloatArray, region: Region) -> FloatArray:
    height, width = alpha.shape
    left, right = region.x1.of(width), region.x2.of(width)
    top, bottom = region.y1.of(height), region.y2.of(height)
    if right > width or bottom > height:
        raise RegionError(
            f"{option('region')}: it reaches to {right}, {bottom}, but the picture has {width}x{height} pixels."
        )
    if right <= left or bottom <= top:
        raise RegionError(f"{option('region')}: from {left}, {top} to {right}, {bottom} it is empty.", empty=True)
    result: FloatArray = np.zeros_like(alpha)
    result[top:bottom, left:right] = alpha[top:bottom, left:right]
    return result


def _placed(
    colour: PixelArray, alpha: FloatArray, behind: PixelArray | None, box: Box, edit: Edit
) -> tuple[PixelArray, FloatArray, PixelArray | None]:
    """The people cropped and placed; what is behind them is cropped with them, but neither scaled nor moved."""
    if not (edit.crop or edit.scale is not None or edit.position is not None):
        return colour, alpha, behind
    margins = edit.crop_margin or NO_MARGINS
    moved: list[Any] = arrange(
        [colour, alpha], box, crop=edit.crop, margins=margins, scale=edit.scale, position=edit.position
    )
    if behind is not None and edit.crop:
        (cropped,) = arrange([behind], box, crop=True, margins=margins, mirrored=True)
        behind = cropped  # type: ignore[assignment]
    # The weights of a resize may add up to a hair more than 1.
    return moved[0], np.minimum(moved[1], np.float32(1)), behind


def _encoded(composed: Composed, picture: Picture, edit: Edit) -> tuple[bytes, str]:
    if edit.format == "zip":
        files = {"alpha.png": _file(composite.levels(composed.alpha, composed.colour.dtype), "png", picture, edit)}
        if not edit.alpha:
            files = {"color.jpg": _file(composed.colour, "jpg", picture, edit), **files}
        return _stored(files), ZIP
    form: Format = "png"
    opaque = False
    if edit.format == "auto":
        # An alpha alone is not lost to JPEG's artefacts.
        opaque = not edit.alpha and bool((composite.levels(composed.alpha, np.uint8) == 255).all())
        form = "jpg" if opaque else "png"
    elif edit.format is not None:
        form = edit.format
    return _file(composed.pixels(opaque=opaque), form, picture, edit), MEDIA_TYPES[form]


def _file(pixels: PixelArray, form: Format, picture: Picture, edit: Edit) -> bytes:
    """A file with pixels made of ``picture``, whose profile, resolution and EXIF are kept."""
    return encode.encode(
        pixels,
        form,
        quality=edit.quality,
        icc_profile=picture.icc_profile if pixels.ndim == 3 else None,  # one of colours, not of a grey alpha
        dpi=picture.dpi,
        exif=None if edit.strip_metadata else picture.exif,
    )


def _stored(files: dict[str, bytes]) -> bytes:
    """A zip of files that are compressed already; without the time, so that equal requests have equal answers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()
