"""``bshm sheet``: arrange ID photographs on paper."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.cli import exit_codes, interrupts
from bshm.cli.check import add_model
from bshm.cli.parsing import Parser, add_help
from bshm.cli.presets import add_folder
from bshm.cli.reporting import edit_notes
from bshm.cli.streams import hushed, say
from bshm.edit.paper import PAPERS, SHEET_FORMATS, SheetFormat, SheetOptions
from bshm.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bshm.edit.preset import Preset

_SUFFIXES: dict[str, SheetFormat] = {**{f".{form}": form for form in SHEET_FORMATS}, ".jpeg": "jpg", ".tif": "tiff"}


def parser() -> Parser:
    """The flags of ``bshm sheet``; their defaults are those of ``SheetOptions``."""
    result = Parser(
        "sheet",
        "Lays out as many copies of an ID photograph as fit on a sheet, at their true size, to print and cut.",
        usage="PICTURE --preset NAME -o FILE [options]",
        examples=[
            ("bshm sheet photo.jpg --preset id-35x45 -o sheet.jpg", "eight on 4x6 in"),
            ("bshm sheet photo.jpg --preset cn-1in --paper a4 --marks -o sheet.pdf", "with cut marks"),
            ("bshm sheet id.jpg --preset id-35x45 --as-is -o sheet.jpg", "copies of a finished picture"),
        ],
        notes=f"""\
Print it at 100 %: "fit to page" changes the size.  The resolution is written into the file, and the page
of a PDF has the size of the paper.  The paper is turned if more photographs fit that way; the photographs
are never turned or mirrored.

Exit codes:
{exit_codes.table()}""",
    )
    result.inputs.add_argument("picture", metavar="PICTURE", help="a photograph, or with --as-is a finished picture")
    result.inputs.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help=f"the sheet: {', '.join(f'.{each}' for each in SHEET_FORMATS)}",
    )
    options = result.add_argument_group("Options")
    options.add_argument(
        "--preset", metavar="NAME", required=True, help="the preset that gives the size, see `bshm presets`"
    )
    add_folder(options)
    options.add_argument("--as-is", action="store_true", help="the picture is finished: only scale it to its size")
    options.add_argument(
        "--paper",
        metavar="PAPER",
        default=SheetOptions.paper,
        help=f"{', '.join(PAPERS)}, or a size such as 100x150mm (default: %(default)s)",
    )
    options.add_argument(
        "--gap",
        type=float,
        metavar="MM",
        default=SheetOptions.gap_mm,
        help="gap between photographs (default: %(default)g mm)",
    )
    options.add_argument(
        "--margin",
        type=float,
        metavar="MM",
        default=SheetOptions.margin_mm,
        help="smallest margin at the edges of the paper (default: %(default)g mm)",
    )
    options.add_argument("--marks", action="store_true", default=SheetOptions.marks, help="show where to cut")
    options.add_argument(
        "--dpi", type=float, metavar="N", default=SheetOptions.dpi, help="sheet resolution (default: %(default)g)"
    )
    options.add_argument("--overwrite", action="store_true", help="replace an existing sheet")
    add_model(options)
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Lay out; returns the exit code."""
    with hushed():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    output = Path(arguments.output)
    form = _SUFFIXES.get(output.suffix.lower())
    if form is None:
        raise OptionError(f"a sheet is called NAME.{', NAME.'.join(SHEET_FORMATS)}; got {output.name}.")
    options = SheetOptions(
        paper=arguments.paper,
        gap_mm=arguments.gap,
        margin_mm=arguments.margin,
        marks=arguments.marks,
        dpi=arguments.dpi,
    )
    from bshm.edit import preset, sheet
    from bshm.files import sink

    chosen = preset.find(arguments.preset, arguments.presets)
    if chosen.size is None:
        raise OptionError(f"the preset {chosen.name} has no size, so nothing says how large the photographs are.")
    plan = sheet.layout(chosen.size, chosen.dpi, options)  # an error is raised before a model is loaded
    interrupts.in_order()
    pixels = finished(arguments.picture) if arguments.as_is else _made(arguments, chosen)
    page = sheet.sheet(pixels, chosen.size, chosen.dpi, options)
    sink.write(sheet.encode(page, form, options.dpi), output, overwrite=arguments.overwrite)
    across, down = chosen.size.mm(chosen.dpi)
    say(f"{arguments.picture} -> {output} ({len(plan.corners)} of {across:.4g}x{down:.4g} mm on {options.paper})")
    return exit_codes.OK


def _made(arguments: argparse.Namespace, chosen: Preset) -> npt.NDArray[np.uint8]:
    """The preset's photograph; transparent parts are laid over white."""
    from bshm.edit.render import render
    from bshm.pipeline import Matting

    # The preset's file format and size do not apply to a sheet.
    edit = chosen.edited({"format": "png", "max_kb": None, "min_kb": None, "srgb": True})
    with closing(Matting(model=arguments.model, device=arguments.device)) as matting:
        matte = matting.matte(arguments.picture)
    rendered = render(matte, edit)
    for line in edit_notes(rendered.head_by, rendered.notes):
        say(f"{arguments.picture}: {line}")
    return finished(rendered.data)


def finished(source: str | bytes) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 in sRGB, its transparent parts over white."""
    import numpy as np

    from bshm import geometry
    from bshm.edit import composite
    from bshm.files import colour_space
    from bshm.files.decode import open_picture

    picture = open_picture(source)
    pixels = colour_space.to_srgb(composite.on_white(picture), picture.icc_profile)
    return geometry.in_depth(pixels, np.uint8)
