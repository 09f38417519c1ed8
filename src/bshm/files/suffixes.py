"""The format that a file's name stands for; without numpy, so that a wrong one is told before anything is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from bshm.errors import OptionError
from bshm.options import FORMATS, Format

_SUFFIXES: dict[str, Format] = {suffix: form for form, facts in FORMATS.items() for suffix in facts.suffixes}


def names_a_format(path: str | os.PathLike[str]) -> bool:
    """Whether the suffix of ``path`` is one that ``format_of`` knows."""
    return Path(path).suffix.lower() in _SUFFIXES


def format_of(path: str | os.PathLike[str]) -> Format:
    """The format that the suffix of ``path`` names.

    Raises:
        OptionError: it names none.

    Example:
        >>> format_of("holiday.JPEG")
        'jpg'
    """
    suffix = Path(path).suffix.lower()
    if not names_a_format(path):
        raise OptionError(
            f"the name of an output file needs one of the suffixes {', '.join(_SUFFIXES)}; "
            f"{os.fspath(path)} has {suffix or 'none'}. Rename it, or give the format."
        )
    return _SUFFIXES[suffix]


def format_of_result(path: str | os.PathLike[str]) -> Format | Literal["ora"]:
    """The format that the suffix of a result's name stands for.

    Raises:
        OptionError: it names none.

    >>> format_of_result("group.ora")
    'ora'
    """
    return "ora" if os.fspath(path).lower().endswith(".ora") else format_of(path)
