"""``bshm train RECIPE``: run all steps of a recipe in order."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from bshm.cli import exit_codes, export, label, reopen
from bshm.cli.parsing import Parser, told
from bshm.cli.streams import say
from bshm.errors import OptionError
from bshm.training import recipe

Verb = tuple[Callable[[], Parser], Callable[[argparse.Namespace], int]]


def run(path: Path, settings: Sequence[str], train: Verb) -> int:
    """Run the steps of a recipe, after checking the flags of all of them.

    Args:
        path: the recipe.
        settings: ``NAME=VALUE``, replacing the recipe's own values.
        train: parser and run function of ``bshm train``.

    Raises:
        OptionError: the file is not a recipe, or a step has a wrong flag.
    """
    verbs: dict[str, Verb] = {
        "label": (label.parser, label.run),
        "train": train,
        "reopen": (reopen.parser, reopen.run),
        "export": (export.parser, export.run),
    }
    names = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise OptionError(f"--set takes NAME=VALUE; got {setting!r}.")
        names[name] = value
    steps = recipe.read(path, names)
    parsed = []
    for number, step in enumerate(steps, 1):
        try:
            parsed.append(verbs[step.verb][0]().parse(step.words))
        except OptionError as error:
            raise OptionError(f"step {number} of {path}: {told(error)}") from error
    for number, (step, arguments) in enumerate(zip(steps, parsed, strict=True), 1):
        say(f"step {number} of {len(steps)}: {step}")
        code = verbs[step.verb][1](arguments)
        if code != exit_codes.OK:
            return code
    return exit_codes.OK
