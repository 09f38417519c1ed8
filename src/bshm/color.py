"""Parse colours."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bshm.errors import OptionError

RGB = tuple[int, int, int]

_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_HEX_LIKE = re.compile(r"#[0-9a-f]*", re.IGNORECASE)
_NUMBERS = re.compile(r"[-+\d.\s]+(?:,[-+\d.\s]+)+")
_RGBA_HEX = re.compile(r"#(?:[0-9a-f]{4}|[0-9a-f]{8})", re.IGNORECASE)
_FORMS = 'Use a name ("white"), "#rgb", "#rrggbb" or "r,g,b" with 0 to 255.'


def parse_color(color: str | Sequence[int]) -> RGB:
    """Red, green and blue, 0..255 each, of a colour in words or numbers.

    Args:
        color: one of the 148 CSS names in any case, ``#rgb``, ``#rrggbb``, ``r,g,b``, or three whole numbers.

    Raises:
        OptionError: it is none of these, or a number is outside 0..255.

    >>> parse_color("white"), parse_color("#f80"), parse_color("30,144,255"), parse_color((1, 2, 3))
    ((255, 255, 255), (255, 136, 0), (30, 144, 255), (1, 2, 3))
    """
    if not isinstance(color, str):
        return _triple(color, color)
    text = color.strip()
    if _HEX.fullmatch(text):
        digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
        return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    if "," in text:
        try:
            return _triple([int(part) for part in text.split(",")], color)
        except ValueError as error:
            raise _refusal(color) from error
    names = _names()
    found = names.get(text.lower())
    if found is None:
        raise _refusal(color, text.lower())
    return parse_color(found)


def parse_rgba(color: str | Sequence[int]) -> tuple[RGB, float]:
    """A colour, and its opacity as 0..1.

    Args:
        color: as ``parse_color`` takes it, which is opaque; or ``#rgba``, ``#rrggbbaa`` or ``r,g,b,a`` with 0 to 255.

    Raises:
        OptionError: it is none of these.

    >>> parse_rgba("white"), parse_rgba("#ff000033"), parse_rgba("255,0,0,51")
    (((255, 255, 255), 1.0), ((255, 0, 0), 0.2), ((255, 0, 0), 0.2))
    """
    if isinstance(color, str):
        text = color.strip()
        if _RGBA_HEX.fullmatch(text):
            digits = text[1:] if len(text) == 9 else "".join(2 * digit for digit in text[1:])
            return parse_color(f"#{digits[:6]}"), int(digits[6:], 16) / 255
        numbers = text.split(",")
        if len(numbers) == 4 and numbers[3].strip().isdecimal() and int(numbers[3]) <= 255:
            return parse_color(",".join(numbers[:3])), int(numbers[3]) / 255
    return parse_color(color), 1.0


def looks_like_color(text: str) -> bool:
    """Whether ``text`` was surely meant as a colour, even one that ``parse_color`` refuses (``"#12345"``).

    >>> looks_like_color("#12345"), looks_like_color("1,2,300"), looks_like_color("beach.jpg")
    (True, True, False)
    """
    text = text.strip()
    return bool(_HEX_LIKE.fullmatch(text) or _NUMBERS.fullmatch(text) or text.lower() in _names())


def _names() -> dict[str, str]:
    """CSS names with their ``#rrggbb``."""
    from PIL import ImageColor  # only a colour by name needs Pillow

    # Pillow's table turns a name's value into a tuple once getrgb() has met it; a tuple is left out of the type.
    return {
        name: value if isinstance(value, str) else "#{:02x}{:02x}{:02x}".format(*value[:3])
        for name, value in ImageColor.colormap.items()
    }


def _triple(values: Sequence[int], shown: object) -> RGB:
    try:
        numbers = [int(value) for value in values]
        whole = len(numbers) == 3 and all(number == value for number, value in zip(numbers, values, strict=True))
    except (TypeError, ValueError) as error:
        raise _refusal(shown) from error
    if not whole or min(numbers) < 0 or max(numbers) > 255:
        raise _refusal(shown)
    return numbers[0], numbers[1], numbers[2]


def _refusal(shown: object, name: str | None = None) -> OptionError:
    from difflib import get_close_matches

    near = get_close_matches(name, _names(), n=1) if name else []
    hint = f' Did you mean "{near[0]}"?' if near else ""
    return OptionError(f"a colour was needed; got {shown!r}.{hint} {_FORMS}")
