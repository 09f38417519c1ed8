"""``bshm export``: make a model from checkpoints."""

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
        "Writes a model (ONNX files and their card) from checkpoints, and checks that it computes what was trained.",
        usage="NAME --checkpoint FILE -o FOLDER [options]",
        examples=[("bshm export mine --checkpoint runs/joint/last.pt -o weights/", "all three networks")],
    )
    inputs = result.inputs
    inputs.add_argument("name", metavar="NAME", help="name of the model, for --model")
    inputs.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="checkpoint of any stage")
    inputs.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FOLDER", help="folder for NAME.json and the ONNX files"
    )
    networks = result.add_argument_group("The networks")
    networks.add_argument(
        "--networks", metavar="LIST", help="some of mask,quality,matting (default: all that are trained)"
    )
    networks.add_argument(
        "--mask-side", type=int, default=320, metavar="PX",
        help="the mask network sees pictures with as many pixels as a square of this side (default: %(default)s)",
    )  # fmt: skip
    # An earlier name of --mask-side.
    networks.add_argument("--mask-area", dest="mask_side", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    networks.add_argument(
        "--mirrored",
        action="store_true",
        help="run the mask network on the picture and on its mirror image, and take the mean",
    )
    networks.add_argument(
        "--closer", type=int, default=0, metavar="PX",
        help="like --mask-side, for a second run on pictures in which people are small (default: no second run)",
    )  # fmt: skip
    networks.add_argument(
        "--movenet", type=Path, metavar="FILE",
        help="movenet-multipose.json: tell several people apart, with a mask network that contains MoveNet",
    )  # fmt: skip
    networks.add_argument(
        "--mask",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="checkpoints of stage mask whose mean replaces the mask network of --checkpoint",
    )
    networks.add_argument(
        "--matting",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="checkpoints of stage matting whose mean replaces the matting network of --checkpoint",
    )
    options = result.add_argument_group("The card")
    options.add_argument("--purpose", default="", help="one line that says what the model is good for")
    options.add_argument("--date", default="", help="date of the training, YYYY-MM-DD")
    options.add_argument("--licence", default="Apache-2.0", help="licence of the weights (default: %(default)s)")
    options.add_argument(
        "--credits", type=Path, metavar="FOLDER",
        help="the data sets; writes credits.csv with the pictures used for training",
    )  # fmt: skip
    options.add_argument(
        "--without-licence",
        nargs="+",
        default=[],
        metavar="WORD",
        help="leave out pictures as in `bshm train`, for --credits",
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
