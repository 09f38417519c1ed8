"""``bshm export``: a set of weights from checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import put


def parser() -> Parser:
    """The flags of ``bshm export``."""
    result = Parser(
        "export",
        "Writes ONNX files and their card from checkpoints, and refuses when they do not compute what was trained.",
        usage="NAME --checkpoint FILE -o FOLDER [options]",
        examples=[("bshm export mine --checkpoint runs/joint/last.pt -o weights/", "all three networks")],
    )
    inputs = result.inputs
    inputs.add_argument("name", metavar="NAME", help="what --model will take")
    inputs.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="of any stage")
    inputs.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FOLDER", help="gets NAME.json and the ONNX files"
    )
    networks = result.add_argument_group("The networks")
    networks.add_argument(
        "--networks", metavar="LIST", help="of mask,quality,matting (default: those that have learned by that stage)"
    )
    networks.add_argument(
        "--mask-side", type=int, default=320, metavar="PX",
        help="side of a square as large as what the mask network sees of a picture (default: %(default)s)",
    )  # fmt: skip
    # Its former name.
    networks.add_argument("--mask-area", dest="mask_side", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    networks.add_argument(
        "--mirrored",
        action="store_true",
        help="let it look twice, at the picture and its mirror image; the mean counts",
    )
    networks.add_argument(
        "--closer", type=int, default=0, metavar="PX",
        help="as --mask-side, for another look at pictures that people cover little of (default: no other look)",
    )  # fmt: skip
    networks.add_argument(
        "--movenet", type=Path, metavar="FILE",
        help="movenet-multipose.json: let a mask network that holds MoveNet tell several people apart as well",
    )  # fmt: skip
    networks.add_argument(
        "--mask",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="of stage mask: a mask network in place of --checkpoint's; of several of one run, their mean",
    )
    networks.add_argument(
        "--matting",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="of stage matting: likewise, in place of --checkpoint's matting network",
    )
    options = result.add_argument_group("The card")
    options.add_argument("--purpose", default="", help="one line for people who choose")
    options.add_argument("--date", default="", help="of the training's end, YYYY-MM-DD")
    options.add_argument("--licence", default="Apache-2.0", help="of the weights (default: %(default)s)")
    options.add_argument(
        "--credits", type=Path, metavar="FOLDER",
        help="write credits.csv beside the card, of the pictures of these sets that training sees",
    )  # fmt: skip
    options.add_argument(
        "--without-licence", nargs="+", default=[], metavar="WORD", help="as in `bshm train`, for --credits"
    )
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Export; returns the exit code."""
    from bshm.training import export
    from bshm.training.data import DataFolder

    interrupts.in_order()
    card = export.write(
        arguments.name, arguments.checkpoint, arguments.output,
        roles=arguments.networks.split(",") if arguments.networks else None, mask_side_px=arguments.mask_side,
        masks=arguments.mask, mattings=arguments.matting, mirrored=arguments.mirrored, closer_px=arguments.closer,
        movenet=arguments.movenet, purpose=arguments.purpose, date=arguments.date, licence=arguments.licence,
    )  # fmt: skip
    for role, network in card.networks.items():
        put(f"{role:<8} {network.bytes / 1e6:5.1f} MB  parity {network.parity:.1e}  {network.file}\n")
    if arguments.credits is not None:
        data = DataFolder(arguments.credits, without=tuple(arguments.without_licence))
        put(f"{export.write_credits(data, arguments.output)} pictures credited in credits.csv\n")
    return exit_codes.OK
