"""Recipes: all commands from pictures to weights in one file, each step with the flags of its verb."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bshm.errors import OptionError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VERBS = ("label", "train", "reopen", "export")
_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class RecipeStep:
    """One command.

    Attributes:
        verb: one of ``VERBS``.
        words: what follows it on a command line.
    """

    verb: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(("bshm", self.verb, *self.words))


def read(path: Path, names: Mapping[str, str]) -> list[RecipeStep]:
    """The steps of a recipe, in order.

    A recipe is a TOML file: a table ``names`` with texts that ``{NAME}`` stands for, and an array of tables ``step``,
    each with ``verb``, ``inputs`` (a list) and the verb's flags; true is a flag alone.

    Args:
        path: the file.
        names: values in place of the file's own.

    Raises:
        OptionError: it is missing, is no recipe, or a name has no value.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"{path} is not a readable recipe: {error}.") from error
    known = {name: str(value) for name, value in table.get("names", {}).items()}
    if unknown := sorted(set(names) - set(known)):
        raise OptionError(f"{path} has no name {unknown[0]}. It has {', '.join(known) or 'none'}.")
    known.update(names)
    steps = table.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise OptionError(f"{path} has no [[step]]. A recipe needs at least one, with a verb.")
    return [_step(f"step {number} of {path}", entry, known) for number, entry in enumerate(steps, 1)]


def _step(where: str, entry: Any, names: Mapping[str, str]) -> RecipeStep:
    if not isinstance(entry, dict) or entry.get("verb") not in VERBS:
        raise OptionError(f"{where} needs a verb: {', '.join(VERBS)}.")

    def filled(value: object) -> str:
        def value_of(match: re.Match[str]) -> str:
            if match[1] not in names:
                raise OptionError(f"{where} uses {{{match[1]}}}, which is not in [names].")
            return names[match[1]]

        return _NAME.sub(value_of, str(value))

    words = [filled(each) for each in entry.get("inputs", [])]
    for key, value in entry.items():
        if key in ("verb", "inputs") or value is False:
            continue
        words.append("--" + key.replace("_", "-"))
        if value is not True:
            words += [filled(each) for each in (value if isinstance(value, list) else [value])]
    return RecipeStep(entry["verb"], tuple(words))
