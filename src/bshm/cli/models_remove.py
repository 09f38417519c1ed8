"""``bshm models remove``: remove a model from the model store."""

from __future__ import annotations

import argparse

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import put
from bshm.errors import OptionError


def parser() -> Parser:
    """The flags of ``bshm models remove``."""
    result = Parser(
        "models remove",
        "Removes an imported model from the model store.  The included models cannot be removed.",
        usage="NAME",
        examples=[("bshm models remove bshm-official", "removes its card and its files")],
    )
    result.inputs.add_argument("name", metavar="NAME", help="name of the model, see `bshm models`")
    add_help(result.add_argument_group("Options"))
    return result


def run(arguments: argparse.Namespace) -> int:
    """Remove; returns the exit code."""
    from bshm.weights import catalogue, store

    interrupts.in_order()
    if arguments.name in {path.stem for path in catalogue.paths(catalogue.BUNDLED)}:
        raise OptionError(f"{arguments.name} comes with bshm and cannot be removed. Choose an imported model.")
    for path in store.remove(arguments.name):
        put(f"removed {path}\n")
    return exit_codes.OK
