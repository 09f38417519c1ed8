"""``bshm models pull``: download the official weights from ModelScope and import them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bshm.cli import exit_codes, interrupts
from bshm.cli.models_import import PYTHON_VARIABLE, tell
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import put, say

NOTES = """\
bshm downloads models only with this command.  A download is kept as FILE.partial until its size and
SHA-256 are verified; an interrupted one continues where it stopped.  The first download is trusted and
its hash is stored; later ones must have the same hash.

Environment: BSHM_MODELSCOPE (a mirror), HTTPS_PROXY and NO_PROXY, BSHM_MODELS (the model folder),
BSHM_TENSORFLOW_PYTHON (a Python with TensorFlow, for the conversion)."""


def parser() -> Parser:
    """The flags of ``bshm models pull``."""
    result = Parser(
        "models pull",
        "Downloads the official BSHM weights (100 to 200 MB) from ModelScope and imports them.",
        usage="NAME [options]",
        examples=[
            ("bshm models pull bshm-official", "download, convert, compare, store"),
            ("bshm models pull bshm-official --download-only", "for another machine, or without TensorFlow"),
            ("bshm models pull bshm-official --proxy http://proxy:3128", "through a proxy"),
            ("bshm models pull bshm-official --offline", "say which file to copy where, without a network"),
        ],
        notes=NOTES,
    )
    result.inputs.add_argument("name", metavar="NAME", help="bshm-official")
    how = result.add_argument_group("Download")
    how.add_argument("--mirror", metavar="URL", help="a server with ModelScope's interface (default: modelscope.cn)")
    how.add_argument("--proxy", metavar="URL", help="an HTTP proxy (default: HTTPS_PROXY of the environment)")
    how.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        default=30.0,
        help="give up when no data comes for this many seconds (default: %(default)s)",
    )
    how.add_argument("--sha256", metavar="HEX", help="expected hash (default: that of the first download)")
    how.add_argument(
        "--via", choices=("https", "sdk"), help="how to download (default: sdk if the modelscope package is installed)"
    )
    how.add_argument("--offline", action="store_true", help="only say which file to copy where")
    how.add_argument("--download-only", action="store_true", help="do not import")
    after = result.add_argument_group("Import")
    after.add_argument("--python", metavar="PATH", help="a Python with TensorFlow and tf2onnx (default: this one)")
    after.add_argument("--overwrite", action="store_true", help="replace a model of the same name")
    add_help(after)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Download and import; returns the exit code."""
    from bshm.errors import OptionError
    from bshm.importing import modelscope
    from bshm.importing.command import ImportOptions, import_file
    from bshm.net.download import ConnectionOptions
    from bshm.weights import catalogue, store

    interrupts.in_order()
    wanted = modelscope.remote(arguments.name)
    if not arguments.timeout > 0:
        raise OptionError(f"--timeout takes seconds above 0; got {arguments.timeout:g}.")
    options = modelscope.PullOptions(
        mirror=arguments.mirror,
        sdk=None if arguments.via is None else arguments.via == "sdk",
        sha256=arguments.sha256,
        connection=ConnectionOptions(proxy=arguments.proxy, timeout_s=arguments.timeout),
    )
    if arguments.offline:
        put(modelscope.offline_advice(wanted, options.endpoint) + "\n")
        return exit_codes.OK
    if not arguments.download_only:
        taken = tuple(path.stem for path in catalogue.paths(catalogue.BUNDLED))
        store.check_free(wanted.name, overwrite=arguments.overwrite, taken=taken)
    fetched = modelscope.pull(wanted, options, say, _progress(wanted.file))
    if arguments.download_only:
        put(f"{fetched.path}\n  bshm models import {fetched.path} --name {wanted.name}\n")
        return exit_codes.OK
    imported = import_file(
        fetched.path,
        ImportOptions(
            name=wanted.name,
            pictures=(Path(__file__).with_name("astronaut.jpg"),),
            overwrite=arguments.overwrite,
            source=fetched.source,
            licence=fetched.licence or ImportOptions.licence,
            python=arguments.python or os.environ.get(PYTHON_VARIABLE) or ImportOptions.python,
        ),
        say,
    )
    tell(imported, as_json=False)
    return exit_codes.OK


def _progress(name: str) -> Callable[[int, int | None], None] | None:
    """One line per tenth on a terminal; none in a log file."""
    if not sys.stderr.isatty():
        return None
    told = -1

    def show(done: int, total: int | None) -> None:
        nonlocal told
        tenth = 10 * done // total if total else done // 10_000_000
        if tenth != told:
            told = tenth
            say(f"{name}: {done / 1e6:.0f}{f' of {total / 1e6:.0f}' if total else ''} MB")

    return show
