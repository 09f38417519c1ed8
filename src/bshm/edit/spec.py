"""``Edit``: all options of a result, as data.

Flags, fields of a request and Python's keywords make an ``Edit``; ``bshm.edit.render`` makes the pixels and the file
from it.  A new option is a field here and a step there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from os import PathLike
from typing import Any, ClassVar, Generic, Literal, TypeVar, overload

from bshm.edit.size import DEFAULT_DPI, Size, parse_aspect, parse_dpi, parse_size
from bshm.edit.words import (
    BACKGROUNDS,
    Background,
    ColorBackground,
    Margins,
    Outline,
    PictureBackground,
    Region,
    WhichPeople,
    parse_amount,
    parse_background,
    parse_blur,
    parse_feather,
    parse_grow,
    parse_head,
    parse_margins,
    parse_opacity,
    parse_outline,
    parse_people,
    parse_position,
    parse_prompt,
    parse_region,
    parse_scale,
    parse_seed,
    parse_steps,
    parse_straighten,
)
from bshm.errors import OptionError, option
from bshm.options import FORMATS, Format

Value = TypeVar("Value")
Given = TypeVar("Given")

# zip: color.jpg and alpha.png.  ora: OpenRaster, one layer per person.  auto: PNG if something is transparent, else
# JPEG.  tiff-layers: TIFF, one page per person.
ResultFormat = Literal[Format, "zip", "ora", "tiff-layers", "auto"]
RESULT_FORMATS: tuple[ResultFormat, ...] = (*FORMATS, "zip", "ora", "tiff-layers", "auto")
LAYERED = ("ora", "tiff-layers")
Turn = Literal[0, 90, 180, 270]
TURNS: tuple[Turn, ...] = (0, 90, 180, 270)
Flip = Literal["horizontal", "vertical"]
FLIPS: tuple[Flip, ...] = ("horizontal", "vertical")
Mask = Literal["circle"]
MASKS: tuple[Mask, ...] = ("circle",)
# Options that change the whole picture, or select people.
_NOT_IN_LAYERS = (
    "alpha", "background", "background_prompt", "shadow", "people", "outline", "mask", "size", "aspect", "head",
    "head_top", "rotate", "flip", "straighten", "sharpen",
    "max_kb", "min_kb",
)  # fmt: skip
# Nobody needs larger limits in kB.
_LARGEST_KB = {"max_kb": 1024 * 1024, "min_kb": 10 * 1024}
Fit = Literal["cover", "contain"]
FITS: tuple[Fit, ...] = ("cover", "contain")
ShadowKind = Literal["drop", "contact"]
SHADOW_KINDS: tuple[ShadowKind, ...] = ("drop", "contact")
Blend = Literal["srgb", "linear"]
BLENDS: tuple[Blend, ...] = ("srgb", "linear")


class _Field(Generic[Value, Given]):
    """A field that accepts text and holds the parsed value.

    A data descriptor: ``dataclass`` sets fields through it, and reads its default from the class.
    """

    def __init__(self, parse: Callable[[Any], Value], default: Value, *kinds: type) -> None:
        """With a default.

        Args:
            parse: converts text to the value.
            default: the value if none is given.
            kinds: types of values that need no parsing.
        """
        self._parse = parse
        self._default = default
        self._kinds = kinds

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, edit: None, owner: type) -> Value: ...

    @overload
    def __get__(self, edit: object, owner: type) -> Value: ...

    def __get__(self, edit: object | None, owner: type) -> Value:
        if edit is None:
            return self._default
        value: Value = edit.__dict__[self._name]
        return value

    def __set__(self, edit: object, given: Given) -> None:
        if given is None or isinstance(given, self._kinds):
            edit.__dict__[self._name] = given
            return
        try:
            edit.__dict__[self._name] = self._parse(given)
        except OptionError as error:
            raise OptionError(f"{option(self._name)}: {error}") from error
        except (TypeError, AttributeError) as error:
            raise OptionError(f"{option(self._name)} cannot be written as {given!r:.60}.") from error


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The options of a result.

    Attributes:
        format: of the file: png, webp, jpg, tiff, zip (color.jpg and alpha.png), ora
            (OpenRaster, one layer per person), tiff-layers (TIFF, one page per person) or auto (JPEG if nothing is
            transparent, else PNG); None takes the format from the file name, or PNG if that has none.
        quality: quality of JPEG and lossy WebP, 1..100; 100 makes WebP lossless.
        strip_metadata: remove EXIF: camera, date, place and author.
        alpha: return only the alpha, as one grey channel, instead of the cut-out.
        background: what to put behind the people, as in ``parse_background``; None keeps the background transparent.
        region: look for people only here, ``"LEFT TOP RIGHT BOTTOM"``, lengths from the left and the top; None is the
            whole picture.
        people: which people to keep: ``"all"``, ``"largest"``, a number from the left (1 is the first), ``"at:X,Y"``
            for the one at this place or ``"box:X1,Y1,X2,Y2"`` for those who are mostly in this box, in px or %.  Needs
            a matte made with ``MatteOptions.tell_apart``.  None keeps everybody.
        crop: crop to the people; without people, the whole picture counts as the people, here and below.
        crop_margin: margin around the people when cropping: one, two (top and bottom, left and right) or four (top,
            right, bottom, left) lengths, such as ``"10%"`` of the people or ``"20px 40px"``; None is no margin.
        scale: size of the people as a share of the result, ``"10%"`` to ``"100%"`` or 0.1..1; None keeps their size.
        position: place of the people: ``"center"``, or one or two of ``"0%"`` to ``"100%"`` from the left and the top,
            or a pair of 0..1; None leaves them where they are, or centres them with ``scale``.
        shadow: add a soft shadow of the people.
        shadow_opacity: darkness of the shadow, ``"0%"`` to ``"100%"`` or 0..1; None is 1.
        rotate: rotate clockwise by 0, 90, 180 or 270 degrees, before anything else.
        flip: mirror ``"horizontal"`` (left and right) or ``"vertical"``, after ``rotate``.
        size: size of the result, ``"600x600"`` pixels, ``"35x45mm"`` or ``"2x2in"``.  The picture (with ``crop``, the
            people and their margin) is scaled to fit; where the photograph cuts people off, they stay at that edge.
        dpi: resolution of the file, also used to convert mm and inches; None keeps that of the picture, or 300 if
            ``size`` is in mm or inches.
        aspect: aspect ratio of the result without ``size``, ``"4:3"`` or width divided by height; the canvas grows.
        head: height of the head, from chin to crown, as a share of the result's height, ``"75%"`` or 0..1; the head is
            centred.  A range, ``"70%..80%"`` or a pair of 0..1, uses its middle, or more if a cut-off person would
            otherwise not reach the edge of the result.
        head_top: space above the crown, written in the same way; a range uses its lower end, or more if a cut-off
            person would otherwise not reach the lower edge.  None is half of what ``head`` leaves, at most 12 %.
        outline: outline around the people, ``"2% white"``: its width in px or in % of the result's shorter side.
        mask: ``"circle"`` keeps the largest circle in the middle.
        srgb: convert the colours to sRGB with 8 bits, if they are not sRGB.
        max_kb: largest size of the file, reached by a lower quality of JPEG or WebP.
        min_kb: smallest size of the file, reached by a higher quality of JPEG, and then by an empty comment.
        shadow_kind: ``"drop"``, on a wall close behind the people, or ``"contact"``, on the floor (none for people who
            are cut off at the lower edge of the picture); None is ``"drop"``.
        background_fit: whether a background picture has to ``"cover"`` the result and is cropped, or is fully visible
            (``"contain"``) with white around it.
        background_position: which part of a background picture is kept, or where it is placed, written like
            ``position``; None is the middle.
        background_blur: blur a background picture with this sigma of a Gaussian, in pixels; None does not blur it.
        grow: move the edge of the people outwards by this many pixels, or inwards if negative.
        fill_holes: fill holes in people up to this share of their area, ``"1%"`` or 0..1.
        drop_islands: remove separate pieces that are smaller than this share of the largest.
        feather: soften the edge of the people inwards over this many pixels.  These four leave soft hair unchanged.
        harmonize: adjust brightness, contrast and warmth of the people to the background, by 0..1 or ``"50%"``.
        blend: mix people and background in gamma-encoded values, ``"srgb"``, or in linear light, ``"linear"``.
        background_prompt: text for a model that paints the background; replaces ``background`` and needs a
            ``bshm.Painter`` when the edit is rendered.  The people stay as they are.
        background_seed: 0 to 4294967295; the same text, seed, steps and model paint the same background.  None is 0.
        background_steps: number of steps, 1 to 500; None uses the model's own number.
        straighten: rotate by this many degrees clockwise, -45 to 45, after ``flip``, or by ``"auto"``, which levels the
            eyes of the largest face (``bshm[faces]``); around the middle, so that the size stays and corners are lost.
        sharpen: sharpen the people by 0..1 or ``"50%"``, at the size of the result.

    Raises:
        OptionError: a value is not allowed, or two options contradict each other.

    >>> edit = Edit(background="#1e90ff", crop=True, crop_margin="10% 20px", scale="80%")
    >>> edit.scale, edit.background
    (0.8, ColorBackground(rgb=(30, 144, 255), opacity=1.0))
    >>> Edit.from_json(edit.to_json()) == edit
    True
    """

    VERSION: ClassVar[int] = 1

    format: ResultFormat | None = None
    quality: int = 95
    strip_metadata: bool = False
    alpha: bool = False
    background: _Field[Background | None, Background | str | PathLike[str] | Sequence[int] | None] = _Field(
        parse_background, None, *BACKGROUNDS.values()
    )
    region: _Field[Region | None, Region | str | None] = _Field(parse_region, None, Region)
    people: _Field[WhichPeople | None, WhichPeople | str | int | None] = _Field(parse_people, None, WhichPeople)
    crop: bool = False
    crop_margin: _Field[Margins | None, Margins | str | None] = _Field(parse_margins, None, Margins)
    scale: _Field[float | None, float | str | None] = _Field(parse_scale, None)
    position: _Field[tuple[float, float] | None, Sequence[float] | str | None] = _Field(parse_position, None)
    shadow: bool = False
    shadow_opacity: _Field[float | None, float | str | None] = _Field(parse_opacity, None)
    rotate: Turn = 0
    flip: Flip | None = None
    size: _Field[Size | None, Size | str | None] = _Field(parse_size, None, Size)
    dpi: _Field[float | None, float | str | None] = _Field(parse_dpi, None)
    aspect: _Field[float | None, float | str | None] = _Field(parse_aspect, None)
    head: _Field[tuple[float, float] | None, float | str | Sequence[float] | None] = _Field(parse_head, None)
    head_top: _Field[tuple[float, float] | None, float | str | Sequence[float] | None] = _Field(parse_head, None)
    outline: _Field[Outline | None, Outline | str | None] = _Field(parse_outline, None, Outline)
    mask: Mask | None = None
    srgb: bool = False
    max_kb: float | None = None
    min_kb: float | None = None
    shadow_kind: ShadowKind | None = None
    background_fit: Fit = "cover"
    background_position: _Field[tuple[float, float] | None, Sequence[float] | str | None] = _Field(parse_position, None)
    background_blur: _Field[float | None, float | str | None] = _Field(parse_blur, None)
    grow: _Field[float | None, float | str | None] = _Field(parse_grow, None)
    fill_holes: _Field[float | None, float | str | None] = _Field(parse_amount, None)
    drop_islands: _Field[float | None, float | str | None] = _Field(parse_amount, None)
    feather: _Field[float | None, float | str | None] = _Field(parse_feather, None)
    harmonize: _Field[float | None, float | str | None] = _Field(parse_amount, None)
    blend: Blend = "srgb"
    background_prompt: _Field[str | None, str | None] = _Field(parse_prompt, None)
    background_seed: _Field[int | None, int | str | None] = _Field(parse_seed, None)
    background_steps: _Field[int | None, int | str | None] = _Field(parse_steps, None)
    straighten: _Field[float | Literal["auto"] | None, float | str | None] = _Field(parse_straighten, None)
    sharpen: _Field[float | None, float | str | None] = _Field(parse_amount, None)

    def __post_init__(self) -> None:
        for name in ("strip_metadata", "alpha", "crop", "shadow", "srgb"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{option(name)} takes true or false; got {getattr(self, name)!r:.40}.")
        if self.format is not None and self.format not in RESULT_FORMATS:
            raise OptionError(f"{option('format')} takes {', '.join(RESULT_FORMATS)}; got {self.format!r:.40}.")
        if type(self.quality) is not int or not 1 <= self.quality <= 100:
            raise OptionError(f"{option('quality')} takes 1 to 100; got {self.quality!r:.40}.")
        if self.alpha and (self.has_background or self.shadow):
            painted = "background" if self.background_prompt is None else "background_prompt"
            other = option(painted if self.has_background else "shadow")
            raise OptionError(
                f"{option('alpha')} returns only the alpha, so it cannot be combined with {other}. Drop one of them."
            )
        if self.format in LAYERED:
            for name in _NOT_IN_LAYERS:
                if getattr(self, name):
                    raise OptionError(
                        f"{option('format')}: {self.format} has a layer for every person, so it cannot be combined "
                        f"with {option(name)}. Drop one of them."
                    )
        if not self.has_transparency and not self.has_background and not self.alpha:
            raise OptionError(
                f"{option('format')}: {self.format} has no transparency. "
                f"Add a {option('background')}, or choose png, webp or tiff."
            )
        if self.crop_margin is not None and not self.crop:
            raise OptionError(
                f"{option('crop_margin')} works only with {option('crop')}. Add {option('crop')}, or drop it."
            )
        if self.shadow_opacity is not None and not self.shadow:
            raise OptionError(
                f"{option('shadow_opacity')} works only with {option('shadow')}. Add {option('shadow')}, or drop it."
            )
        self._check_frame()
        self._check_file()
        self._check_looks()

    def _check_frame(self) -> None:
        for name, words in (("rotate", TURNS), ("flip", (None, *FLIPS)), ("mask", (None, *MASKS))):
            value = getattr(self, name)
            if isinstance(value, bool) or value not in words:
                taken = ", ".join(str(each) for each in words if each is not None)
                raise OptionError(f"{option(name)} takes {taken}; got {value!r:.40}.")
        if self.size is not None:
            self.size.pixels(self.dpi or DEFAULT_DPI)  # an error is raised before a picture is read
        for name, other in (("size", "aspect"), ("head", "scale"), ("head", "crop"), ("head", "position")):
            if getattr(self, name) is not None and getattr(self, other):
                raise OptionError(f"{option(name)} and {option(other)} contradict each other. Drop one of them.")
        if self.head_top is not None and self.head is None:
            raise OptionError(
                f"{option('head_top')} works only with {option('head')}. Add {option('head')}, or drop it."
            )
        if self.head is not None and self.head[1] + (self.head_top or (0, 0))[1] >= 1:
            raise OptionError(f"{option('head')} and {option('head_top')} must be less than 100% together.")
        for name in ("outline", "mask", "sharpen"):
            if self.alpha and getattr(self, name) is not None:
                raise OptionError(
                    f"{option('alpha')} returns only the alpha, so it cannot be combined with {option(name)}. Drop "
                    "one of them."
                )
        if self.mask is not None and not self.has_transparency:
            raise OptionError(
                f"{option('mask')} makes the rest transparent, but {self.format} has no transparency. Choose png, "
                "webp or tiff."
            )

    def _check_file(self) -> None:
        for name, most in _LARGEST_KB.items():
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= most:
                raise OptionError(f"{option(name)} takes 1 to {most} kB; got {value!r:.40}.")
            if self.format == "zip":
                raise OptionError(
                    f"{option(name)} works for one picture, but a zip holds two. Drop it, or choose another format."
                )
        if self.max_kb is not None and self.min_kb is not None and self.min_kb > 0.9 * self.max_kb:
            raise OptionError(
                f"{option('min_kb')} must be at most nine tenths of {option('max_kb')}; "
                f"got {self.min_kb:g} and {self.max_kb:g}."
            )

    @property
    def is_framed(self) -> bool:
        """Whether the result has its own canvas size: ``size``, ``aspect`` or ``head``."""
        return self.size is not None or self.aspect is not None or self.head is not None

    @property
    def file_dpi(self) -> float | None:
        """The resolution to write into the file; None keeps the picture's."""
        if self.dpi is None and self.size is not None and self.size.unit != "px":
            return DEFAULT_DPI
        return self.dpi

    def _check_looks(self) -> None:
        for name, words in (
            ("shadow_kind", (None, *SHADOW_KINDS)),
            ("background_fit", FITS),
            ("blend", BLENDS),
        ):
            if getattr(self, name) not in words:
                taken = ", ".join(each for each in words if each is not None)
                raise OptionError(f"{option(name)} takes {taken}; got {getattr(self, name)!r:.40}.")
        if self.shadow_kind is not None and not self.shadow:
            raise OptionError(
                f"{option('shadow_kind')} works only with {option('shadow')}. Add {option('shadow')}, or drop it."
            )
        for name in ("background_fit", "background_position", "background_blur"):
            if getattr(self, name) != getattr(type(self), name) and not isinstance(self.background, PictureBackground):
                raise OptionError(
                    f"{option(name)} works only with a picture as {option('background')}. "
                    "Add one, or drop it; to blur the original, use blur:RADIUS."
                )
        if self.background_prompt is not None and self.background is not None:
            raise OptionError(
                f"{option('background_prompt')} and {option('background')} contradict each other. Drop one of them."
            )
        for name in ("background_seed", "background_steps"):
            if getattr(self, name) != getattr(type(self), name) and self.background_prompt is None:
                raise OptionError(f"{option(name)} works only with {option('background_prompt')}. Add one, or drop it.")
        see_through = isinstance(self.background, ColorBackground) and self.background.opacity < 1
        if self.harmonize is not None and (not self.has_background or (see_through and self.has_transparency)):
            raise OptionError(
                f"{option('harmonize')} needs an opaque {option('background')} to match its light. Add one, or drop it."
            )
        if self.blend != "srgb" and not self.has_background and not self.shadow:
            raise OptionError(
                f"{option('blend')} works only with a {option('background')} or a {option('shadow')}. "
                "Add one, or drop it."
            )

    @property
    def has_background(self) -> bool:
        """Whether there is a background behind the people."""
        return self.background is not None or self.background_prompt is not None

    @property
    def has_edges(self) -> bool:
        """Whether the alpha's edges change."""
        return any(each is not None for each in (self.grow, self.fill_holes, self.drop_islands, self.feather))

    @property
    def has_transparency(self) -> bool:
        """Whether the format has transparency."""
        return self.format not in FORMATS or FORMATS[self.format].transparency  # type: ignore[index]

    def to_json(self) -> dict[str, Any]:
        """As a mapping that ``json.dumps`` takes; equal edits give equal mappings."""
        return {"version": self.VERSION, **{each.name: _plain(getattr(self, each.name)) for each in fields(self)}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Edit:
        """The edit from its mapping; missing options have their defaults.

        Raises:
            OptionError: a name or a version is unknown, or a value is not allowed.
        """
        if not isinstance(value, Mapping):
            raise OptionError(f"an edit must be a mapping; got {value!r:.60}.")
        given = dict(value)
        version = given.pop("version", cls.VERSION)
        if version != cls.VERSION:
            raise OptionError(
                f"the edit has version {version!r:.20}; this bshm reads version {cls.VERSION}. Update bshm."
            )
        unknown = set(given) - {each.name for each in fields(cls)}
        if unknown:
            raise OptionError(f"an edit has no option {', '.join(sorted(f'{each!r:.40}' for each in unknown))}.")
        if isinstance(given.get("background"), Mapping):
            given["background"] = _background(given["background"])
        return cls(**given)


def _plain(value: Any) -> Any:
    for kind, shape in BACKGROUNDS.items():
        if isinstance(value, shape):
            return {"kind": kind, **{name: _plain(each) for name, each in asdict(value).items()}}
    if isinstance(value, (Margins, Outline, Region, Size, WhichPeople)):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _background(value: Mapping[str, Any]) -> Background:
    """A background from its mapping."""
    given = dict(value)
    kind = given.pop("kind", None)
    if not isinstance(kind, str) or kind not in BACKGROUNDS:
        raise OptionError(f"{option('background')} has the kinds {', '.join(BACKGROUNDS)}; got {kind!r:.40}.")
    try:
        return BACKGROUNDS[kind](**given)
    except OptionError as error:
        raise OptionError(f"{option('background')}: {error}") from error
    except TypeError as error:
        names = ", ".join(each.name for each in fields(BACKGROUNDS[kind]))
        raise OptionError(
            f"{option('background')} of the kind {kind} has {names}; got {', '.join(map(repr, given))!s:.80}."
        ) from error
