"""Parse the values of an edit: lengths, margins, a region, a scale, a position, a background.

The command line, the service and Python use the same syntax.  This module loads no numpy, so help pages can use it.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, Literal, TypeAlias

from bshm.color import looks_like_color, parse_color, parse_rgba
from bshm.errors import OptionError

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(px|%)?")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,20})?)%")
# The limits of remove.bg's crop_margin; without limits a request could ask for a canvas of any size.
_LARGEST_MARGIN = {"px": 500.0, "%": 50.0}
_LARGEST_RADIUS_PX = 1000
_MOST_COLORS = 8
_AMOUNT = re.compile(r"\d?\.?\d{1,20}")
_DEGREES = re.compile(r"([-+]?\d{1,2}(?:\.\d{1,6})?)(?:deg)?")
_PIXELS = re.compile(r"([-+]?\d{1,6}(?:\.\d{1,6})?)(?:px)?")


@dataclass(frozen=True)
class Length:
    """A length in pixels, or in per cent of something; to a millionth.

    >>> Length(10, "%").of(250), Length(30, "px").of(250), str(Length(7.5, "%"))
    (25, 30, '7.5%')
    """

    value: float
    unit: Literal["px", "%"]

    def __post_init__(self) -> None:
        if not 0 <= self.value < 1e6 or self.unit not in ("px", "%"):
            raise OptionError(f"a length takes 0 or more, in px or %; got {self.value!r} {self.unit!r}.")
        object.__setattr__(self, "value", round(float(self.value), 6))

    def __str__(self) -> str:
        return f"{self.value:.6f}".rstrip("0").rstrip(".") + self.unit

    def of(self, whole: int) -> int:
        """Whole pixels, rounded half up."""
        return math.floor((self.value if self.unit == "px" else self.value * whole / 100) + 0.5)


@dataclass(frozen=True)
class Margins:
    """The margins around the people; per cent are of the people's height or width."""

    top: Length
    right: Length
    bottom: Length
    left: Length

    def __str__(self) -> str:
        return f"{self.top} {self.right} {self.bottom} {self.left}"


@dataclass(frozen=True)
class Region:
    """The region with people, as lengths from the left and the top; nothing outside it is a person."""

    x1: Length
    y1: Length
    x2: Length
    y2: Length

    def __str__(self) -> str:
        return f"{self.x1} {self.y1} {self.x2} {self.y2}"


@dataclass(frozen=True)
class WhichPeople:
    """Which people in a picture to keep.

    Attributes:
        kind: all; the largest; the one with a number; the one at a place; those who are mostly in a box.
        number: from the left, 1 is the first.
        places: lengths from the left and the top: x and y, or left, top, right and bottom.
    """

    kind: Literal["all", "largest", "number", "at", "box"]
    number: int = 0
    places: tuple[Length, ...] = ()

    def __str__(self) -> str:
        if self.kind == "number":
            return str(self.number)
        return f"{self.kind}:{','.join(map(str, self.places))}" if self.places else self.kind


@dataclass(frozen=True)
class Outline:
    """An outline of one colour around people, as on stickers; per cent are of the result's shorter side."""

    width: Length
    rgb: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.width} #{''.join(f'{each:02x}' for each in self.rgb)}"


@dataclass(frozen=True)
class ColorBackground:
    """A colour behind the people.

    Attributes:
        rgb: red, green and blue, 0..255.
        opacity: 0..1; below 1 the result stays transparent, unless its format has no transparency.
    """

    rgb: tuple[int, int, int]
    opacity: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rgb", tuple(self.rgb))
        if len(self.rgb) != 3 or not all(isinstance(each, int) and 0 <= each <= 255 for each in self.rgb):
            raise OptionError(f"a colour is red, green and blue, 0 to 255; got {self.rgb!r:.60}.")
        if not 0 <= self.opacity <= 1:
            raise OptionError(f"the opacity of a colour is 0 to 1; got {self.opacity!r:.40}.")


@dataclass(frozen=True)
class BlurBackground:
    """The original out of focus.

    Attributes:
        radius_px: sigma of the Gaussian, above 0 and at most 1000; None is 2 % of the square root of the area.
    """

    radius_px: float | None = None

    def __post_init__(self) -> None:
        # "not" also catches NaN.
        if self.radius_px is not None and not 0 < self.radius_px <= _LARGEST_RADIUS_PX:
            raise OptionError(
                f'"blur:RADIUS" takes a radius above 0 and at most {_LARGEST_RADIUS_PX} pixels; '
                f"got {self.radius_px!r:.40}."
            )


@dataclass(frozen=True)
class PictureBackground:
    """A picture behind the people, scaled to cover and cropped evenly.

    Attributes:
        source: a path or a URL, read when the edit is rendered; None if the picture is passed separately.
        sha256: SHA-256 of the file of a separate picture, so that edits with different pictures differ.
    """

    source: str | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        for each in (self.source, self.sha256):
            if not isinstance(each, (str, type(None))):
                raise OptionError(
                    f"a background picture takes a path, a URL or the SHA-256 of its file; got {each!r:.40}."
                )

    @staticmethod
    def of(file: bytes) -> PictureBackground:
        """The background of a separate picture, identified by the bytes of its file."""
        return PictureBackground(sha256=hashlib.sha256(file).hexdigest())


@dataclass(frozen=True)
class LinearBackground:
    """A gradient from one side to the other, as in CSS.

    Attributes:
        colors: two to eight of red, green and blue, 0..255, at equal distances; opaque.
        angle: its direction in degrees clockwise, 0 to 360: 0 is up, 90 is right, 180 is down.
    """

    colors: tuple[tuple[int, int, int], ...]
    angle: float = 180.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "colors", _colors(self.colors))
        if isinstance(self.angle, bool) or not isinstance(self.angle, (int, float)) or not 0 <= self.angle <= 360:
            raise OptionError(f"the angle of a gradient is 0 to 360 degrees; got {self.angle!r:.40}.")


@dataclass(frozen=True)
class RadialBackground:
    """A gradient from a centre to the farthest corner.

    Attributes:
        colors: two to eight of red, green and blue, 0..255, at equal distances; opaque.
        center: 0..1 from the left and the top.
    """

    colors: tuple[tuple[int, int, int], ...]
    center: tuple[float, float] = (0.5, 0.5)

    def __post_init__(self) -> None:
        object.__setattr__(self, "colors", _colors(self.colors))
        found = None if isinstance(self.center, str) else parse_position(self.center)
        if found is None:
            raise OptionError(f"the centre of a gradient is two shares of 0 to 1; got {self.center!r:.40}.")
        object.__setattr__(self, "center", found)


def _colors(given: Any) -> tuple[tuple[int, int, int], ...]:
    if not isinstance(given, (list, tuple)) or not 2 <= len(given) <= _MOST_COLORS:
        raise OptionError(f"a gradient has two to {_MOST_COLORS} colours; got {given!r:.80}.")
    return tuple(ColorBackground(each).rgb for each in given)


Background: TypeAlias = ColorBackground | BlurBackground | PictureBackground | LinearBackground | RadialBackground
"""A background behind the people."""

_LONGEST_PROMPT = 2000
_HIGHEST_SEED = 2**32 - 1
_MOST_STEPS = 500


def parse_prompt(given: str) -> str:
    """Parse the description of a background.

    Raises:
        OptionError: it is empty or too long.

    >>> parse_prompt(" a beach at dusk ")
    'a beach at dusk'
    """
    text = given.strip()
    if not 1 <= len(text) <= _LONGEST_PROMPT:
        raise OptionError(f"a description of 1 to {_LONGEST_PROMPT} letters was needed; got {len(text)}.")
    return text


def parse_seed(given: str | int) -> int:
    """Parse a seed: a whole number, 0 to 4294967295.

    Raises:
        OptionError: it is not such a number.
    """
    return _whole(given, 0, _HIGHEST_SEED)


def parse_steps(given: str | int) -> int:
    """Parse a number of steps: a whole number, 1 to 500.

    Raises:
        OptionError: it is not such a number.
    """
    return _whole(given, 1, _MOST_STEPS)


def _whole(given: object, low: int, high: int) -> int:
    if isinstance(given, str) and re.fullmatch(r"[0-9]{1,12}", given.strip()):
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not low <= given <= high:
        raise OptionError(f"a whole number was needed, {low} to {high}; got {_shown(given)}.")
    return given


# The names of the kinds in JSON.  A new kind goes here, and into ``bshm.edit.background.filled``.
BACKGROUNDS: dict[str, type[Background]] = {
    "color": ColorBackground,
    "blur": BlurBackground,
    "picture": PictureBackground,
    "linear": LinearBackground,
    "radial": RadialBackground,
}


def parse_background(given: str | PathLike[str] | Sequence[int]) -> Background:
    """Parse a background.

    Args:
        given: a colour (a CSS name, ``#rgb``, ``#rrggbb``, ``r,g,b``, each with opacity as a fourth part, or three
            numbers); ``blur`` or ``blur:RADIUS`` (pixels); ``linear:COLOUR,COLOUR`` with an angle after another
            colon, or ``radial:COLOUR,COLOUR`` with a centre there (both only with names and ``#``); or the path or
            the URL of a picture.  Give a ``pathlib.Path`` for a file that is called ``red``.

    Raises:
        OptionError: a colour, a radius or a gradient is not valid.

    >>> parse_background("white"), parse_background("blur:20"), parse_background("beach.jpg").source
    (ColorBackground(rgb=(255, 255, 255), opacity=1.0), BlurBackground(radius_px=20.0), 'beach.jpg')
    """
    if isinstance(given, (list, tuple)):
        return ColorBackground(*parse_rgba(given))
    if not isinstance(given, str):
        if not isinstance(given, PathLike):
            raise OptionError(
                f"a background takes a colour, blur, a path or a URL; got {type(given).__name__}. "
                "Pass an open picture together with the edit."
            )
        return PictureBackground(fspath(given))
    text = given.strip()
    if looks_like_color(text):
        return ColorBackground(*parse_rgba(text))
    if text == "blur":
        return BlurBackground()
    if text.startswith("blur:"):
        try:
            radius = float(text.removeprefix("blur:"))
        except ValueError as error:
            raise OptionError(f'"blur:RADIUS" needs a number of pixels, e.g. "blur:20"; got {text[:40]!r}.') from error
        return BlurBackground(radius)
    if text.startswith(("linear:", "radial:")):
        return _gradient(text)
    return PictureBackground(text)


def _gradient(text: str) -> LinearBackground | RadialBackground:
    kind, _, rest = text.partition(":")
    listed, _, where = rest.partition(":")
    found = [parse_rgba(each) for each in listed.split(",")]
    if any(opacity < 1 for _, opacity in found):
        raise OptionError(f"the colours of a gradient must be opaque; got {text[:60]!r}.")
    colors = tuple(rgb for rgb, _ in found)
    if kind == "radial":
        center = parse_position(where) if where else (0.5, 0.5)
        if center is None:
            raise OptionError(f'"radial:COLOURS:CENTRE" takes center, or "30% 40%"; got {text[:60]!r}.')
        return RadialBackground(colors, center)
    try:
        return LinearBackground(colors, float(where) if where else LinearBackground.angle)
    except ValueError as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(
            f'"linear:COLOURS:ANGLE" takes degrees, as in "linear:#fff,#ccd:90"; got {text[:60]!r}.'
        ) from error


def parse_length(text: str) -> Length:
    """``30px``, ``30`` or ``10%``.

    Raises:
        OptionError: it is none of these.

    >>> parse_length("7.5%")
    Length(value=7.5, unit='%')
    """
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        raise OptionError(f'a length is a number with px or %, e.g. "30px" or "10%"; got {text[:40]!r}.')
    return Length(float(match[1]), "%" if match[2] == "%" else "px")


def parse_margins(text: str) -> Margins:
    """One length for all sides, two for top/bottom and left/right, or four for top, right, bottom, left.

    Raises:
        OptionError: another number of lengths, or one above 500px or 50%.

    >>> parse_margins("10% 30px").right
    Length(value=30.0, unit='px')
    """
    lengths = [parse_length(word) for word in text.split()]
    if len(lengths) not in (1, 2, 4):
        raise OptionError(f"margins are one, two or four lengths; got {text[:80]!r}.")
    if any(each.value > _LARGEST_MARGIN[each.unit] for each in lengths):
        raise OptionError(f"a margin has at most 500px or 50%; got {text[:80]!r}.")
    top, right, bottom, left = {1: lengths * 4, 2: lengths * 2, 4: lengths}[len(lengths)]
    return Margins(top, right, bottom, left)


NO_MARGINS = parse_margins("0")


def parse_region(text: str) -> Region:
    """Left, top, right and bottom: four lengths from the left and the top.

    Raises:
        OptionError: it is not four lengths.

    >>> parse_region("10% 0 90% 400px").x2
    Length(value=90.0, unit='%')
    """
    words = text.split()
    if len(words) != 4:
        raise OptionError(f"a region is four lengths, x1 y1 x2 y2; got {text[:80]!r}.")
    return Region(*map(parse_length, words))


def parse_people(given: str | int) -> WhichPeople:
    """``all``, ``largest``, the number of a person from the left, ``at:X,Y`` or ``box:X1,Y1,X2,Y2``.

    Raises:
        OptionError: it is none of these.

    >>> parse_people("at:50%,120px").places, str(parse_people(2))
    ((Length(value=50.0, unit='%'), Length(value=120.0, unit='px')), '2')
    """
    text = str(given).strip()
    if text in ("all", "largest"):
        return WhichPeople(text)  # type: ignore[arg-type]
    if re.fullmatch(r"[1-9]\d{0,2}", text) and not isinstance(given, bool):
        return WhichPeople("number", number=int(text))
    kind, colon, places = text.partition(":")
    lengths = tuple(map(parse_length, places.split(","))) if colon and places else ()
    if (kind, len(lengths)) not in (("at", 2), ("box", 4)):
        raise OptionError(
            f"people are all, largest, a number from the left (1, 2, …), at:X,Y or box:X1,Y1,X2,Y2; got {text[:80]!r}."
        )
    return WhichPeople(kind, places=lengths)  # type: ignore[arg-type]


def parse_outline(text: str) -> Outline:
    """A width and a colour, by default white: ``2%`` or ``8px #1e90ff``.

    Raises:
        OptionError: it is not an outline, or the width is 0 or above 500px or 25%.

    >>> str(parse_outline("2% white"))
    '2% #ffffff'
    """
    width, _, colour = text.strip().partition(" ")
    length = parse_length(width)
    if not 0 < length.value <= (500 if length.unit == "px" else 25):
        raise OptionError(f"an outline is above 0, at most 500px or 25%; got {text[:40]!r}.")
    return Outline(length, parse_color(colour.strip() or "white"))


def parse_scale(given: str | float) -> float | None:
    """The people's share of the result, 0.1 to 1; None for ``original``.

    Raises:
        OptionError: it is neither.

    >>> parse_scale("80%"), parse_scale(0.8)
    (0.8, 0.8)
    """
    if isinstance(given, str) and given.strip() == "original":
        return None
    share = _share(given)
    if share is None or not 0.1 <= share <= 1:
        raise OptionError(f"a scale is original, or 10% to 100%; got {_shown(given)}.")
    return share


def parse_position(given: str | Sequence[float]) -> tuple[float, float] | None:
    """Shares from the left and the top, 0 to 1; None for ``original``.

    Raises:
        OptionError: it is neither.

    >>> parse_position("center"), parse_position("50% 100%"), parse_position((0.5, 1.0))
    ((0.5, 0.5), (0.5, 1.0), (0.5, 1.0))
    """
    words: Sequence[Any] = given.split() if isinstance(given, str) else given
    if words == ["original"]:
        return None
    if words == ["center"]:
        return 0.5, 0.5
    shares = [_share(word) for word in words] if isinstance(words, (list, tuple)) else []
    if len(shares) not in (1, 2) or any(share is None or share > 1 for share in shares):
        raise OptionError(f"a position is original, center, or one or two of 0% to 100%; got {_shown(given)}.")
    return shares[0] or 0.0, shares[-1] or 0.0


def parse_share(given: str | float) -> float:
    """A share above 0 and below 1.

    Raises:
        OptionError: it is not such a share.

    >>> parse_share("75%"), parse_share(0.1)
    (0.75, 0.1)
    """
    share = _share(given)
    if share is None or not 0 < share < 1:
        raise OptionError(f"a share is above 0% and below 100%; got {_shown(given)}.")
    return share


def parse_head(given: str | float | Sequence[float]) -> tuple[float, float]:
    """A share above 0 and below 1, or two shares, the smaller first; one share counts as both.

    Raises:
        OptionError: it is neither.

    >>> parse_head("70%..80%"), parse_head(0.75), parse_head([0.5, 0.6])
    ((0.7, 0.8), (0.75, 0.75), (0.5, 0.6))
    """
    ends: Sequence[Any] = given.split("..") if isinstance(given, str) else [given]
    if isinstance(given, (list, tuple)):
        ends = given
    if len(ends) not in (1, 2):
        raise OptionError(f"a share is one, or two as in 70%..80%; got {_shown(given)}.")
    low, high = parse_share(ends[0]), parse_share(ends[-1])
    if low > high:
        raise OptionError(f"the smaller of two shares comes first; got {_shown(given)}.")
    return low, high


def parse_opacity(given: str | float) -> float:
    """A share of 0 to 1.

    Raises:
        OptionError: it is not such a share.

    >>> parse_opacity("60%"), parse_opacity(1)
    (0.6, 1.0)
    """
    share = _share(given)
    if share is None or share > 1:
        raise OptionError(f"an opacity is 0% to 100%; got {_shown(given)}.")
    return share


def parse_amount(given: str | float) -> float:
    """A share of 0 to 1, also as a number in text.

    Raises:
        OptionError: it is not such a share.

    >>> parse_amount("60%"), parse_amount("0.6"), parse_amount(1)
    (0.6, 0.6, 1.0)
    """
    plain = isinstance(given, str) and _AMOUNT.fullmatch(given.strip())
    share = float(given) if plain else _share(given)
    if share is None or share > 1:
        raise OptionError(f"an amount is 0 to 1, or 0% to 100%; got {_shown(given)}.")
    return share


_MOST_DEGREES = 45.0


def parse_straighten(given: str | float) -> float | Literal["auto"]:
    """The degrees to turn a picture clockwise, -45 to 45, or ``auto``.

    Raises:
        OptionError: it is neither.

    >>> parse_straighten("-2.5"), parse_straighten("auto")
    (-2.5, 'auto')
    """
    if isinstance(given, str) and given.strip() == "auto":
        return "auto"
    match = _DEGREES.fullmatch(given.strip()) if isinstance(given, str) else None
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    degrees = float(match[1] if match else given) if match or is_number else math.nan
    if not -_MOST_DEGREES <= degrees <= _MOST_DEGREES:  # "not" also catches NaN
        raise OptionError(f"degrees from -45 to 45 were needed, or auto; got {_shown(given)}.")
    return degrees


def parse_blur(given: str | float) -> float:
    """The sigma of a blur: pixels above 0, at most 1000.

    Raises:
        OptionError: it is not such a number.

    >>> parse_blur("2.5px"), parse_blur(3)
    (2.5, 3.0)
    """
    return _pixels(given, 0, _LARGEST_RADIUS_PX, without_low=True)


def parse_feather(given: str | float) -> float:
    """The width of a soft edge: pixels above 0, at most 200.

    Raises:
        OptionError: it is not such a number.
    """
    return _pixels(given, 0, 200, without_low=True)


def parse_grow(given: str | float) -> float:
    """How far an edge moves out: pixels from -50 to 50; below 0 it moves in.

    Raises:
        OptionError: it is not such a number.

    >>> parse_grow("-2px"), parse_grow(1.5)
    (-2.0, 1.5)
    """
    return _pixels(given, -50, 50)


def _pixels(given: object, low: float, high: float, *, without_low: bool = False) -> float:
    match = _PIXELS.fullmatch(given.strip()) if isinstance(given, str) else None
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    value = float(match[1] if match else given) if match or is_number else math.nan  # type: ignore[arg-type]
    # "not" also catches NaN.
    if not low <= value <= high or (without_low and value == low):
        from_low = f"above {low:g}, at most" if without_low else f"{low:g} to"
        raise OptionError(f"expected a number of pixels, {from_low} {high:g}; got {_shown(given)}.")
    return value


def _share(given: object) -> float | None:
    """A share from text, or the number itself; None if it is neither, or below 0."""
    if isinstance(given, str):
        match = _PERCENT.fullmatch(given.strip())
        return float(match[1]) / 100 if match else None
    if isinstance(given, (int, float)) and not isinstance(given, bool) and given >= 0:
        return float(given)
    return None


def _shown(given: object) -> str:
    return repr(given[:40] if isinstance(given, str) else given)[:80]
