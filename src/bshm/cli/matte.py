"""``bshm matte``: pictures in, cut-outs out."""

from __future__ import annotations

import argparse
import glob
import math
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bshm import options as defaults
from bshm.bulk.batch import Job, plan, with_format
from bshm.bulk.batch import run as run_batch
from bshm.bulk.finding import PassedOver, is_descriptor, is_url
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import hushed, put, say
from bshm.edit.spec import BLENDS, FITS, SHADOW_KINDS, Edit
from bshm.edit.words import PictureBackground
from bshm.errors import OptionError
from bshm.options import BatchOptions, Limits, MatteOptions, byte_count

if TYPE_CHECKING:
    from bshm.pipeline import Matting
    from bshm.types import Picture

# What else the two ends of a pipe are called.
STDIN = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")

EXAMPLES = [
    ("bshm matte photo.jpg", "writes photo.cutout.png beside it"),
    ("bshm matte photo.jpg -o cut.webp", "the suffix picks the format"),
    ("bshm matte photos/ -o cut/ --recursive", "a folder and those below it"),
    ("bshm matte 'photos/*.jpg' -o cut/ --skip-existing", "goes on where it stopped"),
    ("bshm matte photo.jpg -o shop.jpg --background white", "over a colour"),
    ("bshm matte photo.jpg -o call.jpg --background blur", "over the blurred original"),
    ("bshm matte photo.jpg --crop --crop-margin 5% --shadow", "cropped to the people, with a shadow"),
    ("bshm matte photo.jpg -o card.jpg -b beach.jpg --harmonize 0.5", "in the light of the beach"),
    ("bshm matte photo.jpg --alpha", "the alpha alone, as a grey picture"),
    ("bshm matte https://example.org/photo.jpg", "writes photo.cutout.png here"),
    ("bshm matte - < photo.jpg > cut.png", "in a pipe"),
    ("bshm matte photos/ -o cut/ --json > report.jsonl", "one line of JSON a picture"),
]

NOTES = """\
Where results go:
  Without -o beside the picture, as NAME.cutout.png or NAME.alpha.png; of a URL into the current
  folder; of stdin to stdout.  A folder gets NAME.png, with the sub-folders of --recursive kept.
  Where two pictures would get one name the second fails.  A picture itself is replaced by its own
  result alone, and with --overwrite-inputs alone.

Which files are taken:
  A file that is named, whatever it is called: what it is shows in how it begins.  In a folder and by
  a pattern those with the suffix of a picture (docs/conventions.md lists them), and those without
  suffix that begin like one.  Hidden files are passed over; so are, unless one is named alone,
  results of earlier runs (*.cutout.*, *.alpha.*).  What else is passed over is counted on stderr.
  A folder that may not be read is a failure of its own.  A name that begins with a dash goes
  after --.  Of an animation or several pages the first is taken, which is said, and "frames" in
  --json is how many there are.

A picture without people gives an empty cut-out, a note, and "empty": true in --json; --crop, --scale
and --position then take the whole picture for the people.  "width" and "height" are the result's;
"doubtful" is the share of the people's area, 0 to 1, where the mask does not say whether it is a
person, soft edges left out; null where the weights cannot tell."""


def parser() -> Parser:
    """The flags of ``bshm matte``; their defaults are those of ``bshm.options``."""
    result = Parser(
        "matte",
        "Cuts the people out of pictures and writes them with transparency, hair included.",
        usage="INPUT… [-o FILE|FOLDER|-] [options]",
        examples=EXAMPLES,
        notes=f"{NOTES}\n\nExit codes:\n{exit_codes.table()}",
    )
    result.inputs.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="picture, folder, pattern in quotes, URL, or - for stdin"
    )

    where = result.add_argument_group("Where")
    where.add_argument(
        "-o", "--output", metavar="PATH", help="file, folder (there already, or ending with /), or - for stdout"
    )
    where.add_argument("-r", "--recursive", action="store_true", help="look into sub-folders, too")
    existing = where.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", default=BatchOptions.overwrite, help="replace outputs that are there"
    )
    existing.add_argument(
        "--skip-existing",
        action="store_true",
        default=BatchOptions.skip_existing,
        help="leave pictures alone whose output is there; without either such a picture fails",
    )
    existing.add_argument(
        "--overwrite-inputs",
        action="store_true",
        help="as --overwrite, and a picture itself may be replaced by its own result",
    )

    what = result.add_argument_group("What")
    what.add_argument(
        "--exact",
        action="store_true",
        default=MatteOptions.exact,
        help="keep alpha as imported weights give it: 254 of 255 inside people with the official ones",
    )
    colours = what.add_mutually_exclusive_group()
    colours.add_argument(
        "--decontaminate",
        action="store_true",
        default=MatteOptions.decontaminate,
        help="take the old background's colour out of soft edges (default)",
    )
    colours.add_argument(
        "--no-decontaminate", dest="decontaminate", action="store_false", help="keep the picture's own colours"
    )
    what.add_argument("--alpha", action="store_true", default=Edit.alpha, help="write the alpha alone")
    what.add_argument(
        "-b",
        "--background",
        metavar="SPEC",
        default=Edit.background,
        help="lay the people over a colour (white, '#1e90ff', 30,144,255), a gradient (linear:COLOURS[:ANGLE], "
        "radial:COLOURS[:CENTRE]), a picture, or blur[:RADIUS] of the original",
    )
    what.add_argument(
        "-f",
        "--format",
        choices=tuple(defaults.FORMATS),
        default=Edit.format,
        help="default: what the output's suffix says, else png",
    )
    what.add_argument(
        "-q",
        "--quality",
        type=int,
        metavar="N",
        default=Edit.quality,
        help="of jpg and webp, 1 to 100; 100 makes webp lossless (default: %(default)s)",
    )
    what.add_argument(
        "--strip-metadata",
        action="store_true",
        default=Edit.strip_metadata,
        help="leave out the EXIF that is kept by default: camera, date, author, place (GPS)",
    )

    place = result.add_argument_group("Region, crop and shadow")
    place.add_argument(
        "--region",
        metavar="LENGTHS",
        default=Edit.region,
        help="look for people here only: left, top, right and bottom in px or %%, as in '10%% 0 90%% 400px'",
    )
    place.add_argument("--crop", action="store_true", default=Edit.crop, help="crop to the people")
    place.add_argument(
        "--crop-margin",
        metavar="LENGTHS",
        default=Edit.crop_margin,
        help="left around the people when cropping: one, two or four lengths in px, or in %% of the people; "
        "as in 10%%, or '20px 40px' for top and bottom, left and right",
    )
    place.add_argument(
        "--scale",
        metavar="SHARE",
        default=Edit.scale,
        help="make the people larger or smaller: their share of the result, 10%% to 100%%",
    )
    place.add_argument(
        "--position",
        metavar="PLACE",
        default=Edit.position,
        help="move the people: center, or one or two of 0%% to 100%% from the left and the top, as in '50%% 100%%'",
    )
    place.add_argument("--shadow", action="store_true", default=Edit.shadow, help="let the people throw a soft shadow")
    place.add_argument(
        "--shadow-opacity",
        metavar="SHARE",
        default=Edit.shadow_opacity,
        help="how dark the shadow is, 0%% to 100%% (default: 100%%)",
    )

    _add_looks(result)

    how = result.add_argument_group("How")
    how.add_argument(
        "-m", "--model", metavar="NAME", default=defaults.DEFAULT_MODEL, help="see `bshm models` (default: %(default)s)"
    )
    how.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="auto, cpu, cuda, …: that device or an error, never another one (default: %(default)s)",
    )
    how.add_argument(
        "--gpu-memory-limit",
        metavar="SIZE",
        help="of a CUDA device, for this process: 2G, 512M (default: grows as needed)",
    )
    how.add_argument(
        "--threads", type=int, metavar="N", help="of one run of the network (default: all cores, at most 8)"
    )
    how.add_argument(
        "-j",
        "--in-flight",
        type=int,
        metavar="N",
        default=BatchOptions.in_flight,
        help="pictures in the works at once (default: %(default)s)",
    )
    how.add_argument("--jobs", dest="in_flight", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    how.add_argument(
        "--shrink-to",
        type=int,
        metavar="N",
        default=MatteOptions.shrink_to,
        help="pixels; make a larger picture as small first, and its result with it (default: never)",
    )

    limits = result.add_argument_group("Limits")
    limits.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        default=Limits.max_pixels,
        help="largest picture that is read; one pixel needs about 20 bytes of memory (default: %(default)s)",
    )
    limits.add_argument(
        "--max-bytes", metavar="SIZE", default="512M", help="largest file or download: 2G, 512M (default: %(default)s)"
    )
    limits.add_argument(
        "--url-timeout-s",
        type=float,
        metavar="SECONDS",
        default=Limits.url_timeout_s,
        help="longest time for one download (default: %(default)g)",
    )
    limits.add_argument(
        "--url-timeout", dest="url_timeout_s", type=float, default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )

    telling = result.add_argument_group("Telling")
    telling.add_argument("--json", action="store_true", help="on stdout one line of JSON a picture, errors as well")
    telling.add_argument("--quiet", action="store_true", help="on stderr nothing but errors")
    add_help(telling)
    return result


def _add_looks(result: Parser) -> None:
    looks = result.add_argument_group("Edges and light")
    looks.add_argument(
        "--shadow-kind",
        choices=SHADOW_KINDS,
        default=Edit.shadow_kind,
        help="drop, on a wall close behind them (default), or contact, on the floor where they stand",
    )
    looks.add_argument(
        "--background-fit",
        choices=FITS,
        default=Edit.background_fit,
        help="a picture as background covers all, or all of it shows, white around (default: %(default)s)",
    )
    looks.add_argument(
        "--background-position",
        metavar="PLACE",
        default=Edit.background_position,
        help="which part of it is kept, or where it stands, as in '50%% 0%%' (default: center)",
    )
    looks.add_argument(
        "--background-blur", metavar="PX", default=Edit.background_blur, help="it goes out of focus, by so many pixels"
    )
    looks.add_argument(
        "--grow",
        metavar="PX",
        default=Edit.grow,
        help="move the people's edge out, or in where it is below 0, as --grow=-2; soft hair stays as it is, here and "
        "in the three below",
    )
    looks.add_argument(
        "--fill-holes", metavar="SHARE", default=Edit.fill_holes, help="close holes in people up to this share of them"
    )
    looks.add_argument(
        "--drop-islands",
        metavar="SHARE",
        default=Edit.drop_islands,
        help="take away what stands apart and is smaller than this share of the largest",
    )
    looks.add_argument(
        "--feather",
        metavar="PX",
        default=Edit.feather,
        help="make the people's edge soft, inwards, so many pixels wide",
    )
    looks.add_argument(
        "--harmonize",
        metavar="AMOUNT",
        default=Edit.harmonize,
        help="how far the people's light goes towards the background's, 0 to 1: brightness, contrast, warmth",
    )
    looks.add_argument(
        "--blend",
        choices=BLENDS,
        default=Edit.blend,
        help="mix people and background by their levels, or by linear light (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what the flags say; returns the exit code."""
    with hushed():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    limits = _limits(arguments)
    options = MatteOptions(
        exact=arguments.exact,
        # Nobody sees the people's colour in an alpha written alone.
        decontaminate=arguments.decontaminate and not arguments.alpha,
        shrink_to=arguments.shrink_to,
        limits=limits,
    )
    edit = Edit(
        format=arguments.format,
        alpha=arguments.alpha,
        background=arguments.background,
        quality=arguments.quality,
        region=arguments.region,
        shadow=arguments.shadow,
        shadow_opacity=arguments.shadow_opacity,
        shadow_kind=arguments.shadow_kind,
        background_fit=arguments.background_fit,
        background_position=arguments.background_position,
        background_blur=arguments.background_blur,
        grow=arguments.grow,
        fill_holes=arguments.fill_holes,
        drop_islands=arguments.drop_islands,
        feather=arguments.feather,
        harmonize=arguments.harmonize,
        blend=arguments.blend,
        crop=arguments.crop,
        crop_margin=arguments.crop_margin,
        scale=arguments.scale,
        position=arguments.position,
        strip_metadata=arguments.strip_metadata,
    )
    batch = BatchOptions(
        in_flight=arguments.in_flight,
        overwrite=arguments.overwrite or arguments.overwrite_inputs,
        skip_existing=arguments.skip_existing,
    )
    if arguments.threads is not None and not 1 <= arguments.threads <= 256:
        raise OptionError(f"--threads takes 1 to 256; got {arguments.threads}.")
    if "" in arguments.inputs or arguments.output == "":  # a shell variable that was not set; never the current folder
        raise OptionError("an input or -o is an empty word. Name a file or a folder; . is the current folder.")
    inputs = ["-" if each in STDIN else each for each in arguments.inputs]
    to_stdout = arguments.output in STDOUT or (arguments.output is None and any(map(_is_piped, inputs)))
    if "-" in inputs or to_stdout:
        if len(inputs) > 1:
            raise OptionError(
                f"- stands for one picture in a pipe; got {len(inputs)} inputs. Name one.{_rembg(inputs)}"
            )
        if to_stdout:
            return _to_stdout(arguments, inputs[0], options, edit)
        jobs, passed_over = [_stdin_job(arguments.output, edit)], PassedOver()
    else:
        if arguments.output is None and (meant := _rembg(inputs)):
            raise OptionError(f"there is nothing at {inputs[1]} to read.{meant}")
        passed_over = PassedOver()
        jobs = plan(
            inputs,
            output=arguments.output,
            edit=edit,
            recursive=arguments.recursive,
            overwrite_inputs=arguments.overwrite_inputs,
            passed_over=passed_over,
        )
    if str(passed_over) and not arguments.quiet:
        say(f"passed over: {passed_over}")
    if len(jobs) == 1 and jobs[0].output is not None:
        with_format(edit, jobs[0].output)  # told before a model is loaded
    return _run_jobs(arguments, jobs, options, edit, batch)


def _limits(arguments: argparse.Namespace) -> Limits:
    if arguments.max_pixels < 1:
        raise OptionError(f"--max-pixels takes 1 or more; got {arguments.max_pixels}.")
    if not 0 < arguments.url_timeout_s < math.inf:
        raise OptionError(f"--url-timeout-s takes seconds above 0; got {arguments.url_timeout_s:g}.")
    size = byte_count(arguments.max_bytes)
    return Limits(max_pixels=arguments.max_pixels, max_bytes=size, url_timeout_s=arguments.url_timeout_s)


def _is_piped(source: str) -> bool:
    return source == "-" or is_descriptor(source)


def _rembg(inputs: list[str]) -> str:
    """What to say to `bshm matte in.jpg out.png`, as other tools have it; empty for everything else."""
    if len(inputs) != 2:
        return ""
    first, second = inputs
    here = first == "-" or is_url(first) or os.path.lexists(first)
    if not here or is_url(second) or second == "-" or os.path.lexists(second) or glob.has_magic(second):
        return ""
    # Not .jpg, without transparency: that is rather the picture whose name was mistyped.
    if Path(second).suffix.lower() in (".png", ".webp", ".tif", ".tiff") or os.path.isdir(first):  # noqa: PTH112
        return f" To write the result there: bshm matte {shlex.quote(first)} -o {shlex.quote(second)}"
    return ""


def _run_jobs(
    arguments: argparse.Namespace, jobs: list[Job], options: MatteOptions, edit: Edit, batch: BatchOptions
) -> int:
    from contextlib import closing
    from dataclasses import replace

    from bshm.cli.reporting import Reporter

    background = _background_once(edit, options.limits) if len(jobs) > 1 else None
    batch = replace(batch, in_flight=max(1, min(batch.in_flight, len(jobs))))
    matting = _matting(arguments)
    interrupts.in_order()
    with Reporter(total=len(jobs), json_lines=arguments.json, quiet=arguments.quiet) as reporter:
        with closing(
            run_batch(matting, jobs, options=options, edit=edit, background=background, batch=batch)
        ) as records:
            for record in records:
                reporter.add(record)
        return reporter.exit_code


def _background_once(edit: Edit, limits: Limits) -> Picture | None:
    """The picture of the background, read once for all; any mistake in it is told before the first of them."""
    behind = edit.background
    if not isinstance(behind, PictureBackground):
        return None
    from dataclasses import replace

    from bshm.edit.background import opened

    fetched = behind.source is not None and is_url(behind.source)
    # The largest picture is that of the inputs.
    return opened(behind.source, replace(limits, max_pixels=Limits.max_pixels) if fetched else Limits())


def _matting(arguments: argparse.Namespace) -> Matting:
    from bshm.concurrency.overlap import background
    from bshm.matting import engines
    from bshm.weights import catalogue

    limit = None if arguments.gpu_memory_limit is None else byte_count(arguments.gpu_memory_limit)
    card = catalogue.find(arguments.model)
    # Onnxruntime opens the networks on one core while the other imports OpenCV, Pillow and the rest: 0.1 s each.
    opened = background(lambda: engines.open_engine(card, arguments.device, arguments.threads, gpu_memory_limit=limit))
    from bshm.pipeline import Matting

    return Matting(engine=opened())


def _stdin_job(output: str, edit: Edit) -> Job:
    path = Path(output)
    if os.path.isdir(path) or output.endswith(("/", os.sep)):  # noqa: PTH112 - Path.is_dir() may raise
        path = path / f"stdin.{edit.format or 'png'}"
    return Job(sys.stdin.buffer, "stdin", path)


def _to_stdout(arguments: argparse.Namespace, source: str, options: MatteOptions, edit: Edit) -> int:
    from bshm.cli.reporting import EMPTY_NOTE, frames_note

    if arguments.json:
        raise OptionError(
            "--json writes to stdout, and so would the picture. Write the picture to a file with -o FILE."
        )
    if os.path.isdir(source):  # noqa: PTH112
        raise OptionError(f"stdout takes one picture, but {source} is a folder. Give -o a folder.")
    if sys.stdout.isatty():
        raise OptionError("a picture would be written to the terminal. Use -o FILE, or send stdout somewhere.")
    given: str | BinaryIO = sys.stdin.buffer if source == "-" else source
    matting = _matting(arguments)
    interrupts.in_order()
    matte = matting.matte(given, options)
    if matte.is_empty and not arguments.quiet:
        say(f"{matte.picture.name}: {EMPTY_NOTE}")
    if matte.picture.frames > 1 and not arguments.quiet:
        say(f"{matte.picture.name}: {frames_note(matte.picture.frames)}")
    put(matte.encode(edit))
    return exit_codes.OK
