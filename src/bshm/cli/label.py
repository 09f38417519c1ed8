"""``bshm label``: make coarse masks for unlabelled pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import put, say
from bshm.errors import OptionError, SourceNotFoundError


def parser() -> Parser:
    """The flags of ``bshm label``."""
    result = Parser(
        "label",
        "Writes coarse masks for unlabelled pictures and frames of videos, for `bshm train --labels`.",
        usage="DATA -o FOLDER [options]",
        examples=[
            ("bshm label data -o labels --teacher bshm mediapipe=FILE", "the consensus of two networks"),
            ("bshm label data -o labels --outlines recipes/wide_outlines.json", "with masks corrected with outlines"),
            ("bshm label data -o labels-2 --earlier labels", "a second round, with the trained model"),
            ("bshm label my-photos -o my-photos/labels", "your own pictures, labelled by bshm"),
            ("bshm label my-photos -o labels --from-corrections", "what you corrected by hand"),
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
    options.add_argument(
        "--outlines", type=Path, metavar="FILE",
        help="outlines that correct the masks of the set `wide`: no teacher labels these pictures",
    )  # fmt: skip
    options.add_argument(
        "--from-corrections", action="store_true",
        help="write the pictures of DATA that have corrections beside them (NAME.bshm.json), and their corrected masks",
    )  # fmt: skip
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Label; returns the exit code."""
    from bshm.training.label import label
    from bshm.training.teachers import teacher

    interrupts.in_order()
    if arguments.from_corrections:
        return _from_corrections(arguments)
    teachers = [teacher(name) for name in arguments.teacher]
    count = label(
        arguments.data, arguments.output, teachers, report=say, earlier=arguments.earlier, drawn=arguments.outlines
    )
    put(f"{count} masks written to {arguments.output}\n")
    return exit_codes.OK


def _from_corrections(arguments: argparse.Namespace) -> int:
    if len(arguments.teacher) > 1 or arguments.earlier is not None or arguments.outlines is not None:
        raise OptionError(
            "--from-corrections takes one model as --teacher, and no --earlier or --outlines. Drop the rest."
        )
    from bshm.pipeline import Matting
    from bshm.training.corrected import label_corrected

    if not arguments.data.is_dir():
        raise SourceNotFoundError(f"there is no folder {arguments.data}. Check the name.")
    with Matting(model=arguments.teacher[0]) as matting:
        count = label_corrected(arguments.data, arguments.output, matting, say)
    put(f"{count} corrected masks written to {arguments.output}\n")
    return exit_codes.OK
