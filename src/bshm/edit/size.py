"""Parse sizes of pictures and ranges of rules: ``35x45mm``, ``32..36mm``, ``85%..``.

The command line, presets and Python use the same syntax.  This module loads no numpy.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from bshm.errors import OptionError

Unit = Literal["px", "mm", "in", "%", "kB"]

# A size in mm or inches without a resolution is for printing, and 300 dpi is usual for prints.
DEFAULT_DPI = 300.0
MM_PER_INCH = 25.4
_LARGEST_PX, _LARGEST_AREA_PX = 30_000, 50_000_000
_NUMBER = r"\d{1,6}(?:\.\d{1,6})?"
_SIZE = re.compile(rf"({_NUMBER})\s*[x×]\s*({_NUMBER})\s*(px|mm|in)?")
_RANGE = re.compile(rf"({_NUMBER})?\s*(\.\.)?\s*({_NUMBER})?\s*(px|mm|in|%|kB)?")


@dataclass(frozen=True)
class Size:
    """Width and height of a picture, in pixels or on paper.

    >>> size = parse_size("35x45mm")
    >>> str(size), size.pixels(300), size.mm(300)
    ('35x45mm', (531, 413), (35.0, 45.0))
    """

    width: float
    height: float
    unit: Literal["px", "mm", "in"] = "px"

    def __post_init__(self) -> None:
        if self.unit not in ("px", "mm", "in") or not all(0 < each < math.inf for each in (self.width, self.height)):
            raise OptionError(
                f"a size is two numbers above 0 in px, mm or in; got {self.width}x{self.height}{self.unit}."
            )
        if self.unit == "px" and (self.width % 1 or self.height % 1):
            raise OptionError(f"a size in px has whole numbers; got {self}.")

    def __str__(self) -> str:
        return f"{self.width:g}x{self.height:g}{self.unit}"

    def pixels(self, dpi: float = DEFAULT_DPI) -> tuple[int, int]:
        """Height and width in whole pixels.

        Raises:
            OptionError: less than one pixel, or more than 30,000 on a side or 50 million in all.
        """
        factor = {"px": 1.0, "mm": dpi / MM_PER_INCH, "in": dpi}[self.unit]
        height, width = math.floor(self.height * factor + 0.5), math.floor(self.width * factor + 0.5)
        if not (min(height, width) >= 1 and max(height, width) <= _LARGEST_PX and height * width <= _LARGEST_AREA_PX):
            raise OptionError(
                f"a result has 1 to {_LARGEST_PX:,} pixels a side and at most {_LARGEST_AREA_PX:,} in all; "
                f"{self} at {dpi:g} dpi has {width}x{height}."
            )
        return height, width

    def mm(self, dpi: float = DEFAULT_DPI) -> tuple[float, float]:
        """Width and height in mm."""
        factor = {"px": MM_PER_INCH / dpi, "mm": 1.0, "in": MM_PER_INCH}[self.unit]
        return self.width * factor, self.height * factor


@dataclass(frozen=True)
class Range:
    """The values that a rule allows, including both ends; None is an open end.

    >>> str(parse_range("32..36mm")), str(parse_range("85%..")), str(parse_range("..240kB")), str(parse_range("600px"))
    ('32 to 36 mm', 'at least 85 %', 'at most 240 kB', '600 px')
    """

    low: float | None
    high: float | None
    unit: Unit

    def __str__(self) -> str:
        if self.low is None:
            return f"at most {self.high:g} {self.unit}"
        if self.high is None:
            return f"at least {self.low:g} {self.unit}"
        return f"{self.low:g} {self.unit}" if self.low == self.high else f"{self.low:g} to {self.high:g} {self.unit}"

    def holds(self, value: float) -> bool:
        """Whether a value is in the range.

        >>> parse_range("32..36mm").holds(36), parse_range("..36mm").holds(36.1)
        (True, False)
        """
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def middle(self) -> float:
        """The middle between both ends, or the only end."""
        ends = [each for each in (self.low, self.high) if each is not None]
        return sum(ends) / len(ends)


def parse_size(text: str) -> Size:
    """``600x600``, ``35x45mm`` or ``2x2in``: width, then height.

    Raises:
        OptionError: it is none of these.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionError(f'a size is WIDTHxHEIGHT in px, mm or in, e.g. "600x600" or "35x45mm"; got {text[:40]!r}.')
    return Size(float(match[1]), float(match[2]), match[3] or "px")  # type: ignore[arg-type]


def parse_range(text: str, *units: Unit) -> Range:
    """``LOW..HIGH``, ``LOW..``, ``..HIGH`` or one number, with a unit, which may follow both ends.

    Args:
        text: the range.
        units: allowed units; a number without a unit has the first.  Without units, px, mm, in, % and kB are allowed.

    Raises:
        OptionError: it is not a range, or has another unit.
    """
    words = text.strip()
    twice = re.fullmatch(r"(.*?\d)\s*(px|mm|in|%|kB)\s*\.\.(.*)", words)
    if twice and (not twice[3].strip() or twice[3].strip().endswith(twice[2])):
        words = f"{twice[1]}..{twice[3].strip().removesuffix(twice[2])}{twice[2]}"
    match = _RANGE.fullmatch(words)
    allowed = units or ("px", "mm", "in", "%", "kB")
    unit = (match[4] or (units[0] if units else None)) if match else None
    if match is None or unit not in allowed or (match[1] is None and match[3] is None) or (match[3] and not match[2]):
        raise OptionError(
            f"a range is LOW..HIGH with {' or '.join(allowed)}, one end may be missing; got {text[:40]!r}."
        )
    low = None if match[1] is None else float(match[1])
    high = low if not match[2] else None if match[3] is None else float(match[3])
    if low is not None and high is not None and low > high:
        raise OptionError(f"a range goes from the smaller to the larger number; got {text[:40]!r}.")
    return Range(low, high, unit)


def parse_aspect(given: str | float) -> float:
    """Width by height of ``4:3``, or the number itself.

    Raises:
        OptionError: it is not an aspect ratio, or is beyond 20:1.

    >>> parse_aspect("1:1"), parse_aspect("3:4")
    (1.0, 0.75)
    """
    aspect = 0.0
    if isinstance(given, str):
        match = re.fullmatch(rf"({_NUMBER}):({_NUMBER})", given.strip())
        aspect = float(match[1]) / float(match[2]) if match and float(match[2]) else 0.0
    elif not isinstance(given, bool):
        aspect = float(given)
    if not 1 / 20 <= aspect <= 20:
        raise OptionError(f'an aspect is WIDTH:HEIGHT, e.g. "4:3", at most 20:1; got {str(given)[:40]!r}.')
    return aspect


def parse_dpi(given: str | float) -> float:
    """Pixels per inch.

    Raises:
        OptionError: it is below 10 or above 4800, or not a number.

    >>> parse_dpi("300"), parse_dpi(254)
    (300.0, 254.0)
    """
    try:
        dpi = 0.0 if isinstance(given, bool) else float(given)
    except ValueError:
        dpi = 0.0
    if not 10 <= dpi <= 4800:
        raise OptionError(f"a resolution is 10 to 4800 dpi; got {str(given)[:40]!r}.")
    return dpi
