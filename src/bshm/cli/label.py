"""``bshm label``: make coarse masks for unlabelled pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import put, say


def parser() -> Parser:
    """The flags of ``bshm label``."""
    result = Parser(
        "label",
        "Writes coarse masks for unlabelled pictures and frames of videos, for `bshm train --labels`.",
        usage="DATA -o FOLDER [options]",
        examples=[
            ("bshm label data -o labels --teacher bshm mediapipe=FILE", "the consensus of two networks"),
            ("bshm label data -o labels-2 --earlier labels", "a second round, with the newly trained model"),
            ("bshm label my-photos -o my-photos/labels", "your own pictures, labelled by bshm"),
        ],
    )
    result.inputs.add_argument(
        "data", metavar="DATA", type=Path, help="the data sets listed in docs/training.md, or a folder of pictures"
    )
    result.inputs.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="folder for the masks; existing ones are kept",
    )
    options = result.add_argument_group("Options")
    options.add_argument(
        "--teacher", nargs="+", default=["bshm"], metavar="NAME",
        help="models, mediapipe=FILE or deeplab=FILE, best first; several give their consensus (default: bshm)",
    )  # fmt: skip
    options.add_argument(
        "--earlier", type=Path, metavar="FOLDER",
        help="masks of an earlier round: averaged with those of one teacher, or one more voice among several",
    )  # fmt: skip
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Label; returns the exit code."""
    from bshm.training.label import label
    from bshm.training.teachers import teacher

    interrupts.in_order()
    teachers = [teacher(name) for name in arguments.teacher]
    count = label(arguments.data, arguments.output, teachers, report=say, earlier=arguments.earlier)
    put(f"{count} masks written to {arguments.output}\n")
    return exit_codes.OK
