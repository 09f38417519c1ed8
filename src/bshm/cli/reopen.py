"""``bshm reopen``: make a checkpoint from a model."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help


def parser() -> Parser:
    """The flags of ``bshm reopen``."""
    result = Parser(
        "reopen",
        "Writes a checkpoint from a model, so that `bshm train --start` can continue from the included weights or "
        "from\na model whose checkpoints are lost. The checkpoint computes the same as the model.",
        usage="MODEL --data FOLDER -o FILE [options]",
        examples=[
            ("bshm reopen bshm --data data -o start.pt", "the default model"),
            ("bshm train --stage quality --start start.pt --data data --out runs/mine", "continue training"),
        ],
    )
    inputs = result.inputs
    inputs.add_argument("model", metavar="MODEL", help="a model made by bshm export")
    inputs.add_argument(
        "--data", required=True, type=Path, metavar="FOLDER", help="the data sets listed in docs/training.md"
    )
    inputs.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the checkpoint to write")
    options = result.add_argument_group("Options")
    options.add_argument("--networks", metavar="LIST", help="some of mask,quality,matting (default: all)")
    options.add_argument(
        "--seed", type=int, default=1, help="chooses the pictures for the batch statistics (default: %(default)s)"
    )
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Reopen; returns the exit code."""
    from bshm.cli.streams import say
    from bshm.errors import MissingExtraError, OptionError
    from bshm.weights import catalogue

    card = catalogue.find(arguments.model)
    roles = arguments.networks.split(",") if arguments.networks else list(card.networks)
    missing = [role for role in roles if role not in card.networks]
    if missing:
        raise OptionError(f"{card.name} has no network {missing[0]}; it has {', '.join(card.networks)}.")
    try:
        from bshm.training import reopen
    except ImportError as error:
        raise MissingExtraError(f"bshm reopen needs {error.name}: pip install 'bshm[train]'") from error
    interrupts.in_order()
    try:
        card = replace(card, networks={role: card.networks[role] for role in roles})
    except ValueError as error:
        raise OptionError(
            f"--networks {arguments.networks}: {error}; a checkpoint of `bshm train` has mask, mask,quality or "
            "mask,quality,matting. Choose one of these."
        ) from error
    path = reopen.checkpoint(card, arguments.output, reopen.pictures(arguments.data, arguments.seed))
    say(f"wrote {path} from {card.name}")
    return exit_codes.OK
