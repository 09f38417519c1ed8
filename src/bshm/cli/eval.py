"""``bshm eval``: measure models on pictures with known alpha."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bshm import options as defaults
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import hushed, put


def parser() -> Parser:
    """The flags of ``bshm eval``."""
    result = Parser(
        "eval",
        "Measures models on a folder of pictures with known alpha: SAD, MSE, MAD, gradient and connectivity errors.",
        usage="FOLDER [--model NAME]… [options]",
        examples=[
            ("bshm eval portraits/", "a table of errors"),
            ("bshm eval portraits/ --html report.html", "a page that shows the worst pictures"),
            ("bshm eval portraits/ --limit 20 --longest 1024", "a quick look"),
        ],
        notes=(
            "The folder:\n"
            "  FOLDER/images/NAME.jpg with FOLDER/alphas/NAME.png, or FOLDER/NAME.jpg with FOLDER/NAME.alpha.png;\n"
            "  alpha is grey; 255 is a person.  Sub-folders are kinds of pictures, measured separately.\n"
            "  FOLDER/counted/NAME.png, or NAME.counted.png, is white where pixels count; without it, all pixels count."
        ),
    )
    result.inputs.add_argument("folder", metavar="FOLDER", type=Path, help="pictures with their alpha")
    options = result.add_argument_group("Options")
    options.add_argument(
        "-m",
        "--model",
        metavar="NAME",
        action="append",
        help=f"model to measure; can be given several times (default: {defaults.DEFAULT_MODEL})",
    )
    options.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="as in `bshm matte` (default: %(default)s)",
    )
    options.add_argument("--limit", type=int, metavar="N", help="measure only the first N pictures")
    options.add_argument(
        "--longest", type=int, metavar="PX", help="shrink pictures whose longer side is longer than this"
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    options.add_argument("--html", type=Path, metavar="FILE", help="write a page with the worst pictures")
    options.add_argument("--quiet", action="store_true", help="show no progress")
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Measure; returns the exit code."""
    from bshm.cli.reporting import counter
    from bshm.evaluation import command, table

    interrupts.in_order()
    with hushed(), counter(shown=not arguments.quiet and sys.stderr.isatty()) as progress:
        result = command.run(
            arguments.folder,
            models=arguments.model or [defaults.DEFAULT_MODEL],
            device=arguments.device,
            json_path=arguments.json,
            html_path=arguments.html,
            limit=arguments.limit,
            longest_px=arguments.longest,
            progress=progress,
        )
    put(table.table(result).rstrip("\n") + "\n")
    return exit_codes.OK
