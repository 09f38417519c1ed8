"""``bshm models import``: add foreign weights to the model store."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import put, say

if TYPE_CHECKING:
    from bshm.importing.command import Imported

# The Python interpreter that has TensorFlow, if it is not this one.
PYTHON_VARIABLE = "BSHM_TENSORFLOW_PYTHON"

NOTES = f"""\
The model store is BSHM_MODELS, or bshm/models in the system's folder for data (`bshm models --where`).
A model is added completely or not at all.

Converting a frozen graph needs TensorFlow and tf2onnx: pip install "bshm[import]", or give the path of a
Python that has them with --python (or {PYTHON_VARIABLE}).

Known networks (--like): bshm, modnet, rvm, u2net, isnet, birefnet.  Others need --card; see
docs/official-model.md."""


def parser() -> Parser:
    """The flags of ``bshm models import``."""
    result = Parser(
        "models import",
        "Adds the official BSHM weights (tf_graph.pb), or an ONNX file, to the model store, and checks them.",
        usage="FILE [--name NAME] [options]",
        examples=[
            ("bshm models import tf_graph.pb", "the official weights, as bshm-official"),
            (
                "bshm models import bshm.onnx --against tf_graph.pb",
                "a converted file, compared with the original graph",
            ),
            ("bshm models import bshm.onnx --channels BGR", "a network that expects OpenCV's channel order"),
            ("bshm models import modnet.onnx --name modnet", "another network, to compare with `bshm eval`"),
            ("bshm models import net.onnx --card net.json", "a network that bshm does not know"),
        ],
        notes=NOTES,
    )
    result.inputs.add_argument(
        "file", metavar="FILE", type=Path, help="a frozen TensorFlow graph, or ONNX (opset 11 to 18)"
    )
    what = result.add_argument_group("What it is")
    what.add_argument(
        "--name", metavar="NAME", help="name of the model, for --model (default: bshm-official, or the file's name)"
    )
    what.add_argument("--like", metavar="NETWORK", help="kind of network (default: detected)")
    what.add_argument("--card", type=Path, metavar="FILE", help="card that describes the network, instead of --like")
    what.add_argument("--input", metavar="TENSOR", help="input tensor for the picture (default: input_image)")
    what.add_argument("--output", metavar="TENSOR", help="output tensor with the result (default: output_png)")
    what.add_argument(
        "--channels",
        choices=("RGB", "BGR"),
        default="RGB",
        help="channel order that the network expects (default: %(default)s)",
    )
    what.add_argument("--licence", help="licence of the weights, for the card")
    how = result.add_argument_group("Conversion and check")
    how.add_argument("--python", metavar="PATH", help="a Python with TensorFlow and tf2onnx (default: this one)")
    how.add_argument("--opset", type=int, metavar="N", help="opset of the ONNX file, 11 to 18 (default: 17)")
    how.add_argument(
        "--tolerance",
        type=float,
        metavar="LEVELS",
        help="largest allowed difference in levels of 0 to 255 (default: 1)",
    )
    how.add_argument("--pictures", type=Path, metavar="FOLDER", help="more pictures for the comparison (10 at most)")
    how.add_argument(
        "--against", type=Path, metavar="FILE", help="the original graph of an ONNX file, for the comparison"
    )
    how.add_argument("--threads", type=int, metavar="N", help="threads of each program in the comparison (default: 2)")
    how.add_argument("--overwrite", action="store_true", help="replace a model of the same name")
    how.add_argument("--json", action="store_true", help="write the card and the comparison as JSON")
    add_help(how)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Import; returns the exit code."""
    from bshm.importing.command import ImportOptions, import_file

    interrupts.in_order()
    pictures = [Path(__file__).with_name("astronaut.jpg"), *_pictures(arguments.pictures)]
    given = {
        "licence": arguments.licence,
        "opset": arguments.opset,
        "tolerance": arguments.tolerance,
        "threads": arguments.threads,
        "python": arguments.python or os.environ.get(PYTHON_VARIABLE),
    }
    options = ImportOptions(
        name=arguments.name,
        like=arguments.like,
        card=arguments.card,
        image=arguments.input,
        answer=arguments.output,
        order=arguments.channels,
        pictures=tuple(pictures),
        against=arguments.against,
        overwrite=arguments.overwrite,
        **{name: value for name, value in given.items() if value is not None},
    )
    tell(import_file(arguments.file, options, say), as_json=arguments.json)
    return exit_codes.OK


def tell(imported: Imported, *, as_json: bool) -> None:
    """Print what was added to the store."""
    card = imported.card
    if as_json:
        report = None if imported.report is None else imported.report.to_json()
        put(json.dumps({"card": json.loads(card.to_json()), "report": report}, indent=2) + "\n")
        return
    put(f"{card.name} is in {card.folder}\n  bshm matte photo.jpg --model {card.name}\n")


def _pictures(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    from bshm.bulk.batch import plan
    from bshm.edit.spec import Edit

    jobs = plan([folder], output=None, edit=Edit())
    return [Path(job.name) for job in jobs][:10]
