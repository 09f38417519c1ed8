"""``bshm models remove``: a set of weights out of the user's store."""

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
        "Removes imported weights from the model store.  The weights that come with bshm stay.",
        usage="NAME",
        examples=[("bshm models remove bshm-official", "its card and its files")],
    )
    result.inputs.add_argument("name", metavar="NAME", help="as `bshm models` lists it")
    add_help(result.add_argument_group("Options"))
    return result


def run(arguments: argparse.Namespace) -> int:
    """Remove; returns the exit code."""
    from bshm.weights import catalogue, store

    interrupts.in_order()
    if arguments.name in {path.stem for path in catalogue.paths(catalogue.BUNDLED)}:
        raise OptionError(f"{arguments.name} comes with bshm and stays. Only imported weights can be removed.")
    for path in store.remove(arguments.name):
        put(f"removed {path}\n")
    return exit_codes.OK
