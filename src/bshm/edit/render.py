"""Render a matte and an ``Edit`` to pixels and to a file.  All results are made here.

    region -> edges -> sRGB, rotate, flip, straighten -> shadow -> crop, scale, position; or size, aspect, head
           -> background -> light -> sharpen -> outline -> mask -> cut-out, alpha or picture -> file

``compose`` goes as far as the pixels, ``render`` to the end.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np

from bshm.corrections import Corrections
from bshm.edit import composite, edges, framing, light
from bshm.edit import head as heads
from bshm.edit.background import Painting, Paints, filled, painted
from bshm.edit.crop import Box, arrange, foreground_box, is_nobody, laid
from bshm.edit.finish import disc, outlined
from bshm.edit.shadow import contact, drop, under
from bshm.edit.sharpen import sharpened
from bshm.edit.spec import Edit
from bshm.edit.straighten import tilt, turned
from bshm.edit.words import NO_MARGINS, BlurBackground, ColorBackground, Region, WhichPeople
from bshm.errors import NobodyThereError, OptionError, RegionError, option
from bshm.files import colour_space, encode, openraster, tiff
from bshm.options import FORMATS, Format
from bshm.types import FloatArray, Picture, PixelArray, Run

ZIP, ORA = "application/zip", openraster.MEDIA_TYPE
# Below this, enlarging a photograph is not visible.
_ENLARGED_FROM = 1.1
# Alpha from which a person is at a selected place.
_THERE = 0.25
# Options that add something around people, or change their colours.
_AROUND_PEOPLE = (
    *("format", "background", "background_fit", "background_position", "background_blur", "outline", "mask"),
    *("background_prompt", "background_seed", "background_steps", "sharpen"),
    *("shadow", "shadow_kind", "shadow_opacity", "harmonize", "blend", "max_kb", "min_kb"),
)
# If less than this share of the people's area is left, straightening cut people off: rounding loses less.
_TURNED_OUT = 0.995
MEDIA_TYPES: dict[str, str] = {
    **{form: facts.media_type for form, facts in FORMATS.items()},
    "zip": ZIP,
    "ora": ORA,
    "tiff-layers": FORMATS["tiff"].media_type,
}


class Told(Protocol):
    """The interface of a verdict: see ``bshm.matting.verdict.Verdict``."""

    def as_json(self) -> dict[str, Any]:
        """As plain values."""


class Matted(Protocol):
    """The interface of a matte: see ``bshm.result.Matte``."""

    @property
    def picture(self) -> Picture:
        """The picture of the matte."""

    @property
    def alpha(self) -> FloatArray:
        """(H, W) float32, 0..1."""

    @property
    def foreground(self) -> PixelArray:
        """(H, W, 3), dtype of the picture, straight colour."""

    @property
    def people(self) -> tuple[FloatArray, ...] | None:
        """(H, W) float32 each, from left to right; None if people were not told apart."""

    @property
    def depth(self) -> tuple[int, ...]:
        """Indices of ``people`` from the back to the front."""

    def colour_of(self, some: FloatArray, colour: PixelArray) -> PixelArray:
        """The colour of some people, from ``colour``, the colour of all of them."""

    @property
    def ran(self) -> Run:
        """The model and the device that made it."""

    @property
    def verdict(self) -> Told | None:
        """How far to trust the matte; None if the weights cannot tell."""

    @property
    def corrections(self) -> Corrections | None:
        """The corrections by hand."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how it was made."""


@dataclass(frozen=True)
class Composed:
    """The pixels of a result.

    Attributes:
        colour: (H, W, 3), dtype of the picture, straight.
        alpha: (H, W) float32, 0..1; 1 everywhere over an opaque background.
        is_opaque: there is an opaque background behind the people.
        alpha_alone: only the alpha is wanted.
        box: where the people are, in pixels of the picture before it is cropped or placed; None for nobody.
        is_empty: nobody was found.
        head_by: how the head was found, if one was looked for.
        notes: problems with the result, in words.
        painting: the background that a model has painted.
    """

    colour: PixelArray
    alpha: FloatArray
    is_opaque: bool
    alpha_alone: bool
    box: Box | None
    is_empty: bool
    head_by: str | None = None
    notes: tuple[str, ...] = ()
    painting: Painting | None = None

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
        people: how many people were told apart; None if that was not requested.
        box: where the people are, in pixels of the result before it is cropped or placed; None for nobody.
        model, model_sha256, device: what ran.
        timings_ms: milliseconds by stage.
        head_by: how the head was found, if one was looked for.
        notes: problems with the result, in words: enlarged, or cut off by the photograph.
        corrections: how many corrections by hand were applied to the matte.
        verdict: on the matte, as plain values (``Verdict.as_json``); None if the weights cannot tell.
        background_by: what painted the background: model, device, prompt, seed and steps; None if it was not painted.
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
    people: int | None = None
    head_by: str | None = None
    notes: tuple[str, ...] = ()
    verdict: dict[str, Any] | None = None
    corrections: int = 0
    background_by: dict[str, Any] | None = None

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
        box, notes = facts.pop("box"), tuple(facts.pop("notes", ()))
        try:
            return cls(data=data, box=None if box is None else Box(*box), notes=notes, **facts)
        except TypeError as error:
            raise ValueError(f"a result stored by another version: {error}") from error


def suffix_of(media_type: str) -> str:
    """The suffix of files of that media type.

    >>> suffix_of("image/jpeg"), suffix_of("text/plain")
    ('.jpg', '')
    """
    return next((f".{form}" for form, kind in MEDIA_TYPES.items() if kind == media_type), "")


def render(matte: Matted, edit: Edit, background: Picture | Paints | None = None) -> Rendered:
    """The file that ``edit`` describes.

    Args:
        matte: of the picture.
        edit: the options of the result.
        background: the picture of a ``PictureBackground``; without it that picture is read from its source.  Or the
            painter for ``edit.background_prompt``.

    Raises:
        OptionError: the format cannot hold it, or the picture or the painter for the background is missing.
        RegionError: the region is outside the picture, or is empty.
        InputError: the picture for the background cannot be read.
        MemoryExhaustedError: not enough memory.
    """
    source = _in_srgb(matte) if edit.srgb else matte
    composed = compose(source, edit, background)
    if edit.format == "ora":
        layered = openraster.encode_openraster(
            layers(source, edit), composed.pixels(), icc_profile=source.picture.icc_profile
        )
        data, media_type = layered, ORA
    elif edit.format == "tiff-layers":
        dpi = edit.file_dpi
        data = tiff.encode_tiff_layers(
            layers(source, edit) or [("1", composed.pixels())],  # nobody: one empty page
            icc_profile=source.picture.icc_profile,
            dpi=source.picture.dpi if dpi is None else (dpi, dpi),
        )
        media_type = MEDIA_TYPES[edit.format]
    else:
        data, media_type = _encoded(composed, source.picture, edit)
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
        None if matte.people is None else len(matte.people),
        composed.head_by,
        (*matte.notes, *composed.notes),
        None if matte.verdict is None else matte.verdict.as_json(),
        len(matte.corrections or ()),
        None if composed.painting is None else _told(composed.painting, edit),
    )


def _told(painting: Painting, edit: Edit) -> dict[str, Any]:
    return {
        "model": painting.model,
        "device": painting.device,
        "prompt": edit.background_prompt,
        "seed": edit.background_seed or 0,
        "steps": painting.steps,
    }


def compose(matte: Matted, edit: Edit, background: Picture | Paints | None = None) -> Composed:
    """The pixels that ``edit`` describes: ``render`` without the file."""
    given, painter = (background, None) if background is None or isinstance(background, Picture) else (None, background)
    if edit.background_prompt is not None and painter is None:
        raise OptionError(
            f"{option('background_prompt')} needs a model that paints. Name one with {option('background_model')}, a "
            "folder or a name on the hub; in Python, hand over background=bshm.Painter(MODEL)."
        )
    if edit.srgb:
        matte = _in_srgb(matte)
    alpha = some = matte.alpha if edit.people is None else alpha_of(matte, edit.people)
    if edit.region is not None:
        alpha = _within(alpha, edit.region)
    colour, wanted = matte.foreground, edit.background
    if some is not matte.alpha:  # not all of them
        colour = matte.colour_of(some, colour)
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
    # Only of the people: a shadow says nothing about their light.
    own_light = light.light_of(colour, alpha) if edit.harmonize else None
    picture = replace(matte.picture, pixels=_turned(matte.picture.pixels, edit), alpha=None)
    colour, alpha, everybody = (_turned(each, edit) for each in (colour, alpha, matte.alpha))
    notes: tuple[str, ...] = ()
    if edit.straighten is not None:
        degrees, notes = _degrees(edit.straighten, picture.pixels, alpha)
        if degrees:
            before = alpha
            alpha = turned(alpha, degrees, mirrored=False)
            colour, everybody = (turned(each, degrees, mirrored=True) for each in (colour, everybody))
            picture = replace(picture, pixels=turned(picture.pixels, degrees, mirrored=True))
            if float(alpha.sum()) < _TURNED_OUT * float(before.sum()):
                notes += ("straightening turns a part of the people out of the picture",)
    behind: PixelArray | None = None
    if isinstance(wanted, BlurBackground):
        # The blurred original is cropped with the picture; other backgrounds fill the final canvas.
        behind = filled(wanted, picture, everybody)
    # If there is nobody, the whole picture is cropped to, scaled and placed.
    around = (box if alpha is matte.alpha else foreground_box(alpha)) or Box(0, 0, *alpha.shape)
    head = heads.find(picture.pixels, alpha) if edit.head is not None and not is_empty else None
    bare = colour, alpha
    if edit.shadow:  # a shadow does not widen a crop
        opacity = 1.0 if edit.shadow_opacity is None else edit.shadow_opacity
        thrown = contact(alpha) if edit.shadow_kind == "contact" else drop(alpha)
        colour, alpha = under(colour, alpha, (0, 0, 0), thrown * np.float32(opacity), blend=edit.blend)
    if edit.is_framed:
        chosen = framing.frame(edit, around, picture.size_hw, head)
        notes += _notes(
            chosen, picture.size_hw, frozenset() if is_empty else framing.cut_edges(around, picture.size_hw)
        )
        place = partial(_framed, chosen=chosen)
    else:
        place = partial(_placed, box=around, edit=edit)
    colour, alpha, behind = place(colour, alpha, behind)
    painting: Painting | None = None
    if edit.shadow and (edit.background_prompt is not None or edit.sharpen):
        seen, people, _ = place(*bare, None)  # without the shadow, which is neither painted around nor sharpened
    else:
        seen, people = colour, alpha
    if edit.background_prompt is not None and painter is not None:
        behind, painting = painted(
            painter, seen, people, edit.background_prompt, seed=edit.background_seed or 0, steps=edit.background_steps
        )
    see_through = isinstance(wanted, ColorBackground) and wanted.opacity < 1 and edit.has_transparency
    if wanted is not None and behind is None and not see_through:
        behind = filled(
            wanted,
            replace(picture, pixels=colour),
            alpha,
            given,
            fit=edit.background_fit,
            position=edit.background_position,
            blur_px=edit.background_blur,
        )
    if behind is not None and own_light is not None and (wanted_light := light.light_of(behind)) is not None:
        colour = light.harmonized(colour, own_light, wanted_light, edit.harmonize or 0.0)
    if edit.sharpen:
        colour = sharpened(colour, people, edit.sharpen)
    if edit.outline is not None:  # an outline keeps its own colour
        colour, alpha = outlined(colour, alpha, edit.outline.width.of(min(alpha.shape)), edit.outline.rgb)
    if behind is not None:
        colour = composite.over(colour, alpha, behind, blend=edit.blend)
        alpha = np.ones_like(alpha)
    elif isinstance(wanted, ColorBackground):
        colour, alpha = under(colour, alpha, wanted.rgb, wanted.opacity, blend=edit.blend)
    if edit.mask is not None:
        alpha = alpha * disc(*alpha.shape)
    is_opaque = behind is not None and edit.mask is None
    found_by = None if head is None else head.found
    return Composed(colour, alpha, is_opaque, edit.alpha, box, is_empty, found_by, notes, painting)


def people_alone(edit: Edit) -> Edit:
    """The edit that places the people as ``edit`` does, but gives an alpha without anything added around them."""
    return replace(edit, alpha=True, **{each: getattr(Edit, each) for each in _AROUND_PEOPLE})


@dataclass(frozen=True)
class _Converted:
    """A matte whose colours were converted."""

    picture: Picture
    alpha: FloatArray
    foreground: PixelArray
    ran: Run
    people: tuple[FloatArray, ...] | None
    depth: tuple[int, ...]
    verdict: Told | None
    corrections: Corrections | None
    notes: tuple[str, ...]
    before: Matted

    def colour_of(self, some: FloatArray, colour: PixelArray) -> PixelArray:
        """As before: it works in any colour space."""
        return self.before.colour_of(some, colour)


def _in_srgb(matte: Matted) -> Matted:
    """The matte in sRGB; itself if it is sRGB already, or if its profile cannot be used."""
    profile = matte.picture.icc_profile
    if colour_space.is_srgb(profile):
        return matte
    foreground = colour_space.to_srgb(matte.foreground, profile)
    if foreground is matte.foreground:
        return matte
    pixels = colour_space.to_srgb(matte.picture.pixels, profile)
    picture = replace(matte.picture, pixels=pixels, alpha=None, icc_profile=None)
    return _Converted(
        picture,
        matte.alpha,
        foreground,
        matte.ran,
        matte.people,
        matte.depth,
        matte.verdict,
        matte.corrections,
        matte.notes,
        matte,
    )


def _turned(layer: Any, edit: Edit) -> Any:
    """A layer turned clockwise, then mirrored; itself if neither is requested."""
    if not edit.rotate and edit.flip is None:
        return layer
    result = np.rot90(layer, -edit.rotate // 90)
    if edit.flip is not None:
        result = result[:, ::-1] if edit.flip == "horizontal" else result[::-1]
    return np.ascontiguousarray(result)


def _degrees(wanted: float | Literal["auto"], pixels: PixelArray, alpha: FloatArray) -> tuple[float, tuple[str, ...]]:
    """By how many degrees to turn a picture, and a note on it."""
    if wanted != "auto":
        return wanted, ()
    found = tilt(pixels, alpha)
    if found is None:
        return 0.0, ("no face was found, so nothing was straightened",)
    return found, (f"it was turned by {found:.1f} degrees until the eyes were level",)


def _framed(
    colour: PixelArray, alpha: FloatArray, behind: PixelArray | None, chosen: framing.Framing
) -> tuple[PixelArray, FloatArray, PixelArray | None]:
    """The people on their canvas, and with them the background that is made of the original."""

    def on_canvas(layer: Any, mirrored: bool = False) -> Any:
        return laid(layer, (chosen.height, chosen.width), chosen.factor, chosen.top, chosen.left, mirrored)

    moved = np.clip(on_canvas(alpha), np.float32(0), np.float32(1))
    return on_canvas(colour), moved, None if behind is None else on_canvas(behind, True)


def _notes(chosen: framing.Framing, picture_hw: tuple[int, int], cut: frozenset[str]) -> tuple[str, ...]:
    notes = [
        f"the photograph cuts the people off {px} px before the {edge} edge of the result"
        for edge, px in chosen.gaps(picture_hw, cut)
    ]
    if chosen.factor > _ENLARGED_FROM:
        notes.append(f"the photograph was enlarged {chosen.factor:.1f} times and is less sharp than its size says")
    return tuple(notes)


def alpha_of(matte: Matted, people: WhichPeople) -> FloatArray:
    """The alpha of the selected people.

    Raises:
        OptionError: people were not told apart.
        NobodyThereError: nobody has that number or is at that place.
        RegionError: a place is outside the picture, or a box is empty.
    """
    planes = matte.people
    if planes is None:
        raise OptionError(
            f"{option('people')} needs people told apart. Make the matte with {option('tell_apart')} switched on."
        )
    if people.kind == "all" or (people.kind == "largest" and len(planes) < 2):
        return matte.alpha
    if people.kind == "largest":
        return max(planes, key=lambda plane: float(plane.sum()))
    height, width = matte.alpha.shape
    there = f"{len(planes)} {'person was' if len(planes) == 1 else 'people were'} found in {matte.picture.name}"
    if people.kind == "number":
        if people.number > len(planes):
            raise NobodyThereError(f"{option('people')} asks for person {people.number}; {there}. Choose one of them.")
        return planes[people.number - 1]
    xs, ys = ([each.of(side) for each in people.places[start::2]] for start, side in ((0, width), (1, height)))
    if max(xs) > width or max(ys) > height:
        raise RegionError(
            f"{option('people')}: {people} reaches beyond the picture, which has {width}x{height} pixels."
        )
    if people.kind == "at":
        x, y = min(xs[0], width - 1), min(ys[0], height - 1)
        at = [float(plane[y, x]) for plane in planes]
        if max(at, default=0.0) < _THERE:
            raise NobodyThereError(f"{option('people')}: nobody is at {x}, {y}; {there}. Point at one of them.")
        return planes[int(np.argmax(at))]
    if xs[1] <= xs[0] or ys[1] <= ys[0]:
        raise RegionError(f"{option('people')}: {people} is an empty box.", empty=True)
    inside = [float(plane[ys[0] : ys[1], xs[0] : xs[1]].sum()) > 0.5 * float(plane.sum()) for plane in planes]
    if not any(inside):
        raise NobodyThereError(f"{option('people')}: nobody is mostly in {people}; {there}. Draw the box larger.")
    if all(inside):
        return matte.alpha
    wanted = [plane for plane, is_in in zip(planes, inside, strict=True) if is_in]
    return np.asarray(np.sum(wanted, axis=0), np.float32)


def layers(matte: Matted, edit: Edit) -> list[tuple[str, PixelArray]]:
    """Every person as a layer: number from the left, and (H, W, 4) RGBA; from the back to the front.

    Composited in this order they give the cut-out: where two people share a pixel, the alpha of the one behind is
    raised so that it shows through the one in front by its share.

    Raises:
        OptionError: people were not told apart.
    """
    if matte.people is None:
        raise OptionError(
            f"{option('format')}: {edit.format} needs people told apart. "
            f"Make the matte with {option('tell_apart')} switched on."
        )
    whole = matte.alpha if edit.region is None else _within(matte.alpha, edit.region)
    around = foreground_box(whole) or Box(0, 0, *whole.shape)
    left = np.ones_like(whole)
    found = []
    for index in reversed(matte.depth):
        share = matte.people[index] if edit.region is None else _within(matte.people[index], edit.region)
        alpha = np.minimum(share / np.maximum(left, np.float32(1e-3)), np.float32(1))
        left = left - share
        own = matte.colour_of(matte.people[index], matte.foreground) if len(matte.people) > 1 else matte.foreground
        colour, alpha, _ = _placed(own, alpha, None, around, edit)
        found.append((str(index + 1), composite.cutout(colour, alpha)))
    return found[::-1]


def _within(alpha: FloatArray, region: Region) -> FloatArray:
    height, width = alpha.shape
    left, right = region.x1.of(width), region.x2.of(width)
    top, bottom = region.y1.of(height), region.y2.of(height)
    if right > width or bottom > height:
        raise RegionError(
            f"{option('region')} reaches to {right}, {bottom}, but the picture has {width}x{height} pixels."
        )
    if right <= left or bottom <= top:
        raise RegionError(f"{option('region')} is empty: it goes from {left}, {top} to {right}, {bottom}.", empty=True)
    result: FloatArray = np.zeros_like(alpha)
    result[top:bottom, left:right] = alpha[top:bottom, left:right]
    return result


def _placed(
    colour: PixelArray, alpha: FloatArray, behind: PixelArray | None, box: Box, edit: Edit
) -> tuple[PixelArray, FloatArray, PixelArray | None]:
    """The people cropped and placed; the background is cropped with them, but neither scaled nor moved."""
    if not (edit.crop or edit.scale is not None or edit.position is not None):
        return colour, alpha, behind
    margins = edit.crop_margin or NO_MARGINS
    moved: list[Any] = arrange(
        [colour, alpha], box, crop=edit.crop, margins=margins, scale=edit.scale, position=edit.position
    )
    if behind is not None and edit.crop:
        (cropped,) = arrange([behind], box, crop=True, margins=margins, mirrored=True)
        behind = cropped  # type: ignore[assignment]
    # The weights of a resize may add up to slightly more than 1.
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
        # An alpha alone is never written as JPEG, whose artefacts would damage it.
        opaque = not edit.alpha and bool((composite.levels(composed.alpha, np.uint8) == 255).all())
        form = "jpg" if opaque else "png"
    elif edit.format in FORMATS:
        form = edit.format  # type: ignore[assignment]
    return _file(composed.pixels(opaque=opaque), form, picture, edit), MEDIA_TYPES[form]


def _file(pixels: PixelArray, form: Format, picture: Picture, edit: Edit) -> bytes:
    """A file with pixels made of ``picture``, whose profile, resolution and EXIF are kept by default."""
    dpi = edit.file_dpi
    return encode.encode_within(
        pixels,
        form,
        quality=edit.quality,
        max_kb=edit.max_kb,
        min_kb=edit.min_kb,
        icc_profile=picture.icc_profile if pixels.ndim == 3 else None,  # a profile of colours, not for a grey alpha
        dpi=picture.dpi if dpi is None else (dpi, dpi),
        exif=None if edit.strip_metadata else picture.exif,
    )


def _stored(files: dict[str, bytes]) -> bytes:
    """A zip of files that are already compressed; without times, so that equal requests get equal answers."""
    buffer = io.BytesIO()
    import zipfile  # imports all its decompressors, and only one format needs it

    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()
