"""How a crop, a size and a place are said in words: lengths, margins, a scale, a position.

The command line and the service take the same words; this loads no numpy, so that help pages may show them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from bshm.errors import OptionError

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(px|%)?")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%")
# The limits of remove.bg's crop_margin; without any a request could ask for a canvas of any size.
_LARGEST_MARGIN = {"px": 500.0, "%": 50.0}


@dataclass(frozen=True)
class Length:
    """A length in pixels, or in per cent of something.

    >>> Length(10, "%").of(250), Length(30, "px").of(250)
    (25, 30)
    """

    value: float
    unit: Literal["px", "%"]

    def of(self, whole: int) -> int:
        """Whole pixels, rounded half up."""
        return math.floor((self.value if self.unit == "px" else self.value * whole / 100) + 0.5)


@dataclass(frozen=True)
class Margins:
    """What is left around the people; per cent are of their own height or width."""

    top: Length
    right: Length
    bottom: Length
    left: Length


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


def parse_scale(text: str) -> float | None:
    """The people's share of the result, 0.1 to 1; None for ``original``.

    Raises:
        OptionError: it is neither.

    >>> parse_scale("80%")
    0.8
    """
    if text.strip() == "original":
        return None
    share = _percent(text)
    if share is None or not 0.1 <= share <= 1:
        raise OptionError(f"a scale is original, or 10% to 100%; got {text[:40]!r}.")
    return share


def parse_position(text: str) -> tuple[float, float] | None:
    """Shares from the left and the top, 0 to 1; None for ``original``.

    Raises:
        OptionError: it is neither.

    >>> parse_position("center"), parse_position("50% 100%")
    ((0.5, 0.5), (0.5, 1.0))
    """
    if text.strip() == "original":
        return None
    words = text.split()
    if words == ["center"]:
        return 0.5, 0.5
    shares = [_percent(word) for word in words]
    if len(shares) not in (1, 2) or any(share is None or share > 1 for share in shares):
        raise OptionError(f"a position is original, center, or one or two of 0% to 100%; got {text[:40]!r}.")
    return shares[0] or 0.0, shares[-1] or 0.0


def _percent(text: str) -> float | None:
    match = _PERCENT.fullmatch(text.strip())
    return float(match[1]) / 100 if match else None
