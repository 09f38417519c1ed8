"""``bshm models remove``: a set of weights out of the user's store."""

from __future__ import annotations

import argparse
import sys

from bshm.cli import exit_codes
from bshm.cli.parsing import Parser, add_help


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
    from bshm.weights import store

    for path in store.remove(arguments.name):
        sys.stdout.write(f"removed {path}\n")
    return exit_codes.OK
