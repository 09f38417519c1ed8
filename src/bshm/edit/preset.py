"""Presets: the rules of a shop, an office or a platform, and the edit that meets them, as small files.

Built-in presets are beside this file in ``presets/NAME.toml``; a user's own are in a folder and override them.  The
table ``[rules]`` says what ``bshm.edit.check`` measures, ``[edit]`` holds the options of an ``Edit``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from bshm import places
from bshm.color import RGB, parse_color
from bshm.edit.size import DEFAULT_DPI, Range, Size, parse_aspect, parse_range, parse_size
from bshm.edit.spec import Edit
from bshm.errors import EnvironmentFault, OptionError, UnknownPresetError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The folder of the user's own presets, instead of the system's folder for application data.
VARIABLE = "BSHM_PRESETS"
_BOX = Path(__file__).parent / "presets"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Rules:
    """The requirements on a finished picture; None, False or an empty value requires nothing.

    Attributes:
        size: exactly this: pixels, or mm or inches at the resolution that the file states.
        dpi: at least this resolution, stated in the file.
        width, height: in px.
        longest, shortest: the longer and the shorter side, in px.
        aspect: width by height.
        background: the colours allowed behind the people.
        background_tolerance: by how many of 255 levels a background pixel may differ.
        transparent: the background is transparent (True), or nothing is transparent (False).
        circle: everything outside the largest circle is transparent.
        subject: the people's height or width, whichever is more, in % of the picture's.
        head: from chin to crown, in % of the picture's height, mm or px.
        top: from the upper edge to the crown, in the same units.
        eyes: from the lower edge to the eyes, in the same units.
        reaches_lower_edge: the body reaches the lower edge.
        kb: size of the file.
        formats: formats of the file.
        srgb: the colour space is sRGB.
        unmeasured: further requirements, in words.
    """

    size: Size | None = None
    dpi: float | None = None
    width: Range | None = None
    height: Range | None = None
    longest: Range | None = None
    shortest: Range | None = None
    aspect: float | None = None
    background: tuple[RGB, ...] = ()
    background_tolerance: int = 2
    transparent: bool | None = None
    circle: bool = False
    subject: Range | None = None
    head: Range | None = None
    top: Range | None = None
    eyes: Range | None = None
    reaches_lower_edge: bool = False
    kb: Range | None = None
    formats: tuple[str, ...] = ()
    srgb: bool = False
    unmeasured: tuple[str, ...] = ()

    def in_words(self) -> list[tuple[str, str]]:
        """The requirements: the name of each rule, and its text."""
        found = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("unmeasured", "background_tolerance", "transparent") or value in (None, False, ()):
                continue
            if field.name == "background":
                colours = " or ".join("#" + "".join(f"{level:02x}" for level in each) for each in value)
                text = f"{colours}, within {self.background_tolerance} levels"
            elif isinstance(value, bool):
                text = "yes"
            elif isinstance(value, tuple):
                text = " or ".join(value)
            else:
                text = f"{value:g}" if isinstance(value, float) else str(value)
            found.append((field.name, text))
        if self.transparent is not None:
            found.append(("transparent", "yes" if self.transparent else "no"))
        return found


@dataclass(frozen=True)
class Preset:
    """One preset.

    Attributes:
        name: its name in commands.
        title: its purpose.
        source: where the rules are published.
        checked: the day they were compared with the source, YYYY-MM-DD.
        seen: what was read on that day.
        rules: the requirements on a picture.
        edit: the options of the ``Edit`` that meets them.
        size: size of the finished picture.
        dpi: its resolution.
        in_box: whether it comes with bshm.
        note: further information.
    """

    name: str
    title: str
    source: str
    checked: str
    seen: Literal["source", "copies", "nothing"]
    rules: Rules
    edit: Mapping[str, Any]
    in_box: bool
    note: str = ""

    def edited(self, given: Mapping[str, Any] | None = None) -> Edit:
        """The edit that meets the rules.

        Args:
            given: options that override the preset's, by the names of ``Edit``.

        Raises:
            OptionError: they contradict what the preset has.
        """
        return Edit.from_json({**self.edit, **(given or {})})

    def to_json(self) -> dict[str, Any]:
        """As a mapping that ``json.dumps`` takes."""
        size = self.size
        height, width = (None, None) if size is None else size.pixels(self.dpi)
        across, down = (None, None) if size is None else (round(each, 2) for each in size.mm(self.dpi))
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "checked": self.checked,
            "seen": self.seen,
            "note": self.note,
            "in_box": self.in_box,
            "width": width,
            "height": height,
            "width_mm": across,
            "height_mm": down,
            "dpi": self.dpi,
            "rules": dict(self.rules.in_words()),
            "unmeasured": list(self.rules.unmeasured),
            "edit": dict(self.edit),
        }

    @property
    def size(self) -> Size | None:
        """The size of the finished picture; None keeps the picture's size."""
        words = self.edit.get("size")
        return None if words is None else parse_size(words)

    @property
    def dpi(self) -> float:
        """The resolution of the finished picture."""
        return float(self.edit.get("dpi", self.rules.dpi or DEFAULT_DPI))


def folder() -> Path | None:
    """The folder of the user's own presets, which may not exist; None if there is no home folder.

    ``BSHM_PRESETS``, else ``presets`` in the folder of ``bshm.places.data``.
    """
    chosen = os.environ.get(VARIABLE)
    try:
        return Path(chosen).expanduser() if chosen else places.data() / "presets"
    except RuntimeError:
        return None


def names(own: Path | None = None) -> list[str]:
    """The names of all presets, in order, including the user's own.

    Args:
        own: that folder; None is ``folder()``.

    Raises:
        OptionError: ``own`` is given and is not a folder.
    """
    return sorted({path.stem for place in _places(own) for path in place.glob("*.toml")})


def find(name: str, own: Path | None = None) -> Preset:
    """The preset called ``name``; a user's own preset overrides a built-in one.

    Args:
        name: one of ``names``.
        own: the folder of the user's own; None is ``folder()``.

    Raises:
        UnknownPresetError: there is no preset of that name.
        OptionError: its file is not a preset, or ``own`` is given and is not a folder.

    >>> find("passport-us").title, str(find("passport-us").rules.head)
    ('Passport photograph, United States', '50 to 69 %')
    """
    if _NAME.fullmatch(name):
        for place in _places(own):
            path = place / f"{name}.toml"
            if path.is_file():
                return read(path)
    there = names(own)
    close = get_close_matches(name, there, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(there)}."
    raise UnknownPresetError(f"there is no preset called {name[:80]!r}. {hint}")


def read(path: Path) -> Preset:
    """The preset in a file.

    Raises:
        OptionError: it is not TOML, lacks something, or has an unknown name or a value that is not allowed.
        EnvironmentFault: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"the preset {path} cannot be read: {error}.") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"the preset {path} is not valid TOML: {error}.") from error
    try:
        return _preset(path.stem, table, in_box=path.parent == _BOX)
    except OptionError as error:
        raise OptionError(f"the preset {path}: {error}") from error


def _preset(name: str, table: dict[str, Any], *, in_box: bool) -> Preset:
    rules, edit = table.pop("rules", {}), table.pop("edit", {})
    if not isinstance(rules, dict) or not isinstance(edit, dict):
        raise OptionError("rules and edit must be tables: [rules] and [edit].")
    known = ("title", "source", "checked", "seen", "note")
    _no_others(table, known, "a preset")
    words = {key: table.get(key, "") for key in known}
    for key in ("title", "source", "checked"):
        if not isinstance(words[key], str) or not words[key].strip():
            raise OptionError(f"{key} is missing: a preset needs a title, a source and the day it was checked.")
    if not _DAY.fullmatch(words["checked"]):
        raise OptionError(f"checked takes a day, YYYY-MM-DD; got {words['checked']!r:.40}.")
    if words["seen"] not in ("source", "copies", "nothing"):
        raise OptionError(f"seen takes source, copies or nothing; got {words['seen']!r:.40}.")
    return Preset(**words, name=name, rules=_rules(rules), edit=MappingProxyType(_edit(edit)), in_box=in_box)


def _rules(table: dict[str, Any]) -> Rules:
    _no_others(table, tuple(each.name for each in fields(Rules)), "[rules]")
    values: dict[str, Any] = {}
    for key, value in table.items():
        try:
            read: Callable[[Any], Any] = _READERS.get(key, _switch)
            values[key] = read(value)
        except OptionError as error:
            raise OptionError(f"{key}: {error}") from error
        except (TypeError, AttributeError) as error:
            raise OptionError(f"{key} is not written like this: {value!r:.60}.") from error
    return Rules(**values)


def _edit(table: dict[str, Any]) -> dict[str, Any]:
    try:
        Edit.from_json(table)
    except OptionError as error:
        raise OptionError(f"[edit]: {error}") from error
    return table


def _no_others(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"It has {', '.join(known)}."
            raise OptionError(f"{where} has no {key!r:.40}. {hint}")


def _places(own: Path | None) -> list[Path]:
    if own is None:
        place = folder()
        return [*([place] if place is not None and place.is_dir() else []), _BOX]
    if not own.is_dir():
        raise OptionError(f"{own} is not a folder. Choose the folder that holds your presets, files called NAME.toml.")
    return [own, _BOX]


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"it takes true or false; got {value!r:.40}.")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise OptionError(f"it takes a number above 0; got {value!r:.40}.")
    return float(value)


def _levels(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
        raise OptionError(f"it takes a number of levels, 0 to 255; got {value!r:.40}.")
    return value


def _words(value: Any) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(each, str) for each in words):
        raise OptionError(f"it takes a text or a list of texts; got {value!r:.60}.")
    return tuple(words)


def _formats(value: Any) -> tuple[str, ...]:
    return tuple("jpg" if each.lower() == "jpeg" else each.lower() for each in _words(value))


def _in_px(value: Any) -> Range:
    return parse_range(value, "px")


def _in_percent(value: Any) -> Range:
    return parse_range(value, "%")


def _in_kb(value: Any) -> Range:
    return parse_range(value, "kB")


def _colours(value: Any) -> tuple[RGB, ...]:
    return tuple(map(parse_color, _words(value)))


def _on_picture(value: Any) -> Range:
    return parse_range(value, "%", "mm", "px")


_READERS: dict[str, Callable[[Any], Any]] = {
    "size": parse_size,
    "dpi": _number,
    "width": _in_px,
    "height": _in_px,
    "longest": _in_px,
    "shortest": _in_px,
    "aspect": parse_aspect,
    "background": _colours,
    "background_tolerance": _levels,
    "subject": _in_percent,
    "head": _on_picture,
    "top": _on_picture,
    "eyes": _on_picture,
    "kb": _in_kb,
    "formats": _formats,
    "unmeasured": _words,
}
