"""``bshm matte``: cut the people out of pictures."""

from __future__ import annotations

import argparse
import atexit
import gc
import glob
import math
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from bshm import options as defaults
from bshm.bulk.batch import Job, plan, suffix_for, with_format
from bshm.bulk.batch import run as run_batch
from bshm.bulk.finding import PassedOver, is_descriptor, is_url
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.presets import add_folder
from bshm.cli.streams import hushed, put, say
from bshm.edit.spec import BLENDS, FITS, FLIPS, LAYERED, MASKS, SHADOW_KINDS, TURNS, Edit
from bshm.edit.words import PictureBackground
from bshm.errors import OptionError
from bshm.options import BatchOptions, Limits, MatteOptions, byte_count

if TYPE_CHECKING:
    from bshm.bulk.review import Review
    from bshm.generating.painter import Painter
    from bshm.pipeline import Matting
    from bshm.types import Picture

# The names of stdin and stdout.
STDIN = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")

EXAMPLES = [
    ("bshm matte photo.jpg", "writes photo.cutout.png beside it"),
    ("bshm matte photo.jpg -o cut.webp", "the suffix picks the format"),
    ("bshm matte photos/ -o cut/ --recursive", "a folder and its sub-folders"),
    ("bshm matte 'photos/*.jpg' -o cut/ --skip-existing", "continues where it stopped"),
    ("bshm matte photo.jpg -o shop.jpg --background white", "over a colour"),
    ("bshm matte photo.jpg -o call.jpg --background blur", "over the blurred original"),
    ("bshm matte photo.jpg --crop --crop-margin 5% --shadow", "cropped to the people, with a shadow"),
    ("bshm matte group.jpg --split", "a cut-out of each person"),
    ("bshm matte photo.jpg -o shop.jpg --preset amazon-main", "by a shop's rules; see `bshm presets`"),
    ("bshm matte photo.jpg -o id.jpg --size 35x45mm --head 75% -b white", "a passport photograph"),
    ("bshm matte photo.jpg -o card.jpg -b beach.jpg --harmonize 0.5", "with light matched to the beach"),
    ("bshm matte photo.jpg -o new.jpg --background-prompt 'a beach'", "over a background that a model paints"),
    ("bshm matte photo.jpg --erase chair.json --save-corrections", "corrected, now and on later runs"),
    ("bshm matte photo.jpg --alpha", "only the alpha, as a grey picture"),
    ("bshm matte https://example.org/photo.jpg", "writes photo.cutout.png here"),
    ("bshm matte - < photo.jpg > cut.png", "in a pipe"),
    ("bshm matte photos/ -o cut/ --review-below 0.3", "copies doubtful results to cut/review"),
    ("bshm matte photos/ -o cut/ --json > report.jsonl", "one line of JSON per picture"),
]

NOTES = """\
Where results go:
  Without -o, results go next to the picture, as NAME.cutout.png or NAME.alpha.png.  The result of a
  URL goes into the current folder, that of stdin to stdout.  If -o is a folder, the name is NAME.png,
  and --recursive keeps the sub-folders.  If two pictures would get the same name, the second fails.
  A picture is only ever replaced by its own result, and only with --overwrite-inputs.

Which files are read:
  A file that you name is read whatever its suffix is: its first bytes show its format.  In a folder or
  a pattern, files with a picture's suffix are read (docs/conventions.md lists them), and files without
  a suffix whose first bytes are a picture's.  Hidden files are skipped, and so are results of earlier runs
  (*.cutout.*, *.alpha.*) unless you name a single one.  stderr says how many other files were skipped.
  A folder that cannot be read counts as one failure.  Put a name that begins with a dash after --.
  Only the first picture of an animation or of a file with several pages is used; a note says so, and
  "frames" in --json is the number of pictures.

A picture without people gives an empty cut-out, a note, and "empty": true in --json; --crop, --scale
and --position then use the whole picture.  "width" and "height" are the size of the result.
"doubtful" is the share of the people's area, 0 to 1, where the mask is unsure whether it is a person,
not counting soft edges; null if the weights cannot tell.  "verdict" says how far to trust the result:
"score" is 0 to 1, where 1 is sure; "expected_error" is the expected error of alpha, 0 to 1; "reasons"
are the places to look at, each with "code" and "box": left, top, width and height in pixels of the
picture.  A score below 0.31 gives a note on stderr.  docs/verdict.md explains the reasons."""


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

    where = result.add_argument_group("Output")
    where.add_argument(
        "-o", "--output", metavar="PATH", help="file, folder (an existing one, or ending with /), or - for stdout"
    )
    where.add_argument("-r", "--recursive", action="store_true", help="look into sub-folders, too")
    where.add_argument(
        "--split",
        action="store_true",
        default=BatchOptions.split,
        help="write one file per person, from left to right: NAME.1.png, NAME.2.png, …",
    )
    existing = where.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", default=BatchOptions.overwrite, help="replace existing outputs"
    )
    existing.add_argument(
        "--skip-existing",
        action="store_true",
        default=BatchOptions.skip_existing,
        help="skip pictures whose output exists; without --overwrite or this flag they fail",
    )
    existing.add_argument(
        "--overwrite-inputs",
        action="store_true",
        help="like --overwrite, and a picture may also be replaced by its own result",
    )

    add_review(where)
    _add_corrections(result)
    add_flags(result)
    return result


def add_review(group: argparse._ArgumentGroup) -> None:
    """Add ``--review-below`` and ``--review-folder``, which ``matte`` and ``batch`` have."""
    group.add_argument(
        "--review-below",
        type=float,
        metavar="SCORE",
        help="copy results with a score below this (0 to 1) to a separate folder, with a contact sheet of the worst",
    )
    group.add_argument(
        "--review-folder",
        metavar="FOLDER",
        help="the folder for --review-below (default: review/ in the folder of -o, or in the current one)",
    )


def _add_corrections(result: Parser) -> None:
    marks = result.add_argument_group("Corrections (docs/corrections.md)")
    marks.add_argument(
        "--keep",
        metavar="FILE",
        help="areas to keep: strokes in JSON, or a picture with these areas in white; one INPUT only",
    )
    marks.add_argument(
        "--erase", metavar="FILE", help="areas to erase: strokes in JSON, or a picture with these areas in white"
    )
    marks.add_argument(
        "--trimap",
        metavar="FILE",
        help="a picture: white is kept, black is erased, grey is computed again, transparent is left unchanged",
    )
    marks.add_argument(
        "--corrections",
        metavar="FILE",
        default=MatteOptions.corrections,
        help="corrections in JSON; auto uses NAME.bshm.json beside each picture if it exists; none uses none "
        "(default: %(default)s)",
    )
    marks.add_argument(
        "--save-corrections",
        action="store_true",
        default=BatchOptions.save_corrections,
        help="write the corrections that were used to NAME.bshm.json beside the picture",
    )


def add_flags(result: Parser) -> None:
    """Add the flags for results and processing, which every verb that cuts people out of files has."""
    what = result.add_argument_group("Result")
    what.add_argument(
        "--exact",
        action="store_true",
        default=MatteOptions.exact,
        help="leave the alpha of imported weights unchanged: the official ones give 254 of 255 inside people",
    )
    colours = what.add_mutually_exclusive_group()
    colours.add_argument(
        "--decontaminate",
        action="store_true",
        default=MatteOptions.decontaminate,
        help="remove the old background's colour from soft edges (default)",
    )
    colours.add_argument(
        "--no-decontaminate", dest="decontaminate", action="store_false", help="keep the picture's own colours"
    )
    what.add_argument("--alpha", action="store_true", default=Edit.alpha, help="write only the alpha")
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
        choices=(*defaults.FORMATS, *LAYERED),
        default=Edit.format,
        help="default: by the suffix of the output, else png; ora has one layer per person, tiff-layers one page",
    )
    what.add_argument(
        "-q",
        "--quality",
        type=int,
        metavar="N",
        default=Edit.quality,
        help="quality of jpg and webp, 1 to 100; 100 makes webp lossless (default: %(default)s)",
    )
    what.add_argument(
        "--strip-metadata",
        action="store_true",
        default=Edit.strip_metadata,
        help="leave out EXIF, which is kept by default: camera, date, author, place (GPS)",
    )

    add_preset(what)
    what.add_argument(
        "--outline",
        metavar="SPEC",
        default=Edit.outline,
        help="outline around the people, as on stickers: width in px or %% of the result, and a colour: '2%% white'",
    )
    what.add_argument("--mask", choices=MASKS, default=Edit.mask, help="keep only the largest circle in the middle")
    what.add_argument("--srgb", action="store_true", default=Edit.srgb, help="convert the colours to sRGB")
    what.add_argument(
        "--max-kb",
        type=float,
        metavar="N",
        default=Edit.max_kb,
        help="largest file size, reached by lowering the quality of jpg or webp",
    )
    what.add_argument(
        "--min-kb",
        type=float,
        metavar="N",
        default=Edit.min_kb,
        help="smallest size of a jpg, reached by raising its quality, then by adding an empty comment",
    )

    frame = result.add_argument_group("Size and frame")
    frame.add_argument(
        "--size",
        metavar="SIZE",
        default=Edit.size,
        help="size of the result: 600x600 (pixels), 35x45mm or 2x2in; the picture is scaled to fit",
    )
    frame.add_argument(
        "--dpi",
        metavar="N",
        default=Edit.dpi,
        help="resolution to write into the file, also used to convert mm and in (default: the picture's; "
        "300 with --size in mm or in)",
    )
    frame.add_argument(
        "--aspect", metavar="RATIO", default=Edit.aspect, help="aspect ratio of the result without --size, e.g. 4:3"
    )
    frame.add_argument(
        "--head",
        metavar="SHARE",
        default=Edit.head,
        help="height of the head, from chin to crown, as a share of the result's height: 75%% or 70%%..80%%; the head "
        "is centred",
    )
    frame.add_argument(
        "--head-top",
        metavar="SHARE",
        default=Edit.head_top,
        help="space above the head (default: half of what --head leaves, at most 12%%)",
    )
    frame.add_argument(
        "--rotate",
        type=int,
        choices=TURNS,
        default=Edit.rotate,
        help="degrees clockwise; applied before everything else (default: 0)",
    )
    frame.add_argument("--flip", choices=FLIPS, default=Edit.flip, help="mirror the picture, after --rotate")

    frame.add_argument(
        "--straighten",
        metavar="DEGREES|auto",
        default=Edit.straighten,
        help="turn the picture by -45 to 45 degrees clockwise around its middle, after --flip, e.g. --straighten=-2.5; "
        "auto levels the eyes of the largest face; extra bshm[faces]",
    )

    place = result.add_argument_group("People, crop and shadow")
    place.add_argument(
        "--region",
        metavar="LENGTHS",
        default=Edit.region,
        help="look for people only here: left, top, right and bottom in px or %%, e.g. '10%% 0 90%% 400px'",
    )
    place.add_argument(
        "--people",
        metavar="WHICH",
        default=Edit.people,
        help="which people to keep: all, largest, a number from the left, at:X,Y or box:X1,Y1,X2,Y2 in px or %%",
    )
    place.add_argument("--crop", action="store_true", default=Edit.crop, help="crop to the people")
    place.add_argument(
        "--crop-margin",
        metavar="LENGTHS",
        default=Edit.crop_margin,
        help="margin around the people when cropping: one, two or four lengths in px, or in %% of the people; "
        "e.g. 10%%, or '20px 40px' for top and bottom, left and right",
    )
    place.add_argument(
        "--scale",
        metavar="SHARE",
        default=Edit.scale,
        help="size of the people as a share of the result, 10%% to 100%%",
    )
    place.add_argument(
        "--position",
        metavar="PLACE",
        default=Edit.position,
        help="where to put the people: center, or one or two values of 0%% to 100%% from the left and the top, "
        "e.g. '50%% 100%%'",
    )
    place.add_argument("--shadow", action="store_true", default=Edit.shadow, help="add a soft shadow of the people")
    place.add_argument(
        "--shadow-opacity",
        metavar="SHARE",
        default=Edit.shadow_opacity,
        help="how dark the shadow is, 0%% to 100%% (default: 100%%)",
    )

    _add_looks(result)

    how = result.add_argument_group("Processing")
    how.add_argument(
        "-m", "--model", metavar="NAME", default=defaults.DEFAULT_MODEL, help="see `bshm models` (default: %(default)s)"
    )
    how.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="auto, cpu, cuda, …; no fallback: a device that cannot run is an error (default: %(default)s)",
    )
    how.add_argument(
        "--gpu-memory-limit",
        metavar="SIZE",
        help="most memory of a CUDA device for this process: 2G, 512M (default: grows as needed)",
    )
    how.add_argument(
        "--threads", type=int, metavar="N", help="threads per run of the network (default: all cores, at most 8)"
    )
    how.add_argument(
        "-j",
        "--in-flight",
        type=int,
        metavar="N",
        default=BatchOptions.in_flight,
        help="pictures to work on at once (default: %(default)s)",
    )
    how.add_argument("--jobs", dest="in_flight", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    how.add_argument(
        "--shrink-to",
        type=int,
        metavar="N",
        default=MatteOptions.shrink_to,
        help="shrink larger pictures to this many pixels first; the result keeps that size (default: never)",
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

    telling = result.add_argument_group("Messages")
    telling.add_argument(
        "--json", action="store_true", help="write one line of JSON per picture to stdout, with errors"
    )
    telling.add_argument("--quiet", action="store_true", help="write only errors to stderr")
    add_help(telling)


def _add_looks(result: Parser) -> None:
    looks = result.add_argument_group("Edges and light")
    looks.add_argument(
        "--shadow-kind",
        choices=SHADOW_KINDS,
        default=Edit.shadow_kind,
        help="drop: on a wall close behind the people (default); contact: on the floor under their feet",
    )
    looks.add_argument(
        "--background-fit",
        choices=FITS,
        default=Edit.background_fit,
        help="cover: a background picture fills the result; contain: it is shown whole on white (default: %(default)s)",
    )
    looks.add_argument(
        "--background-position",
        metavar="PLACE",
        default=Edit.background_position,
        help="which part of the background picture is kept, or where it is placed, e.g. '50%% 0%%' (default: center)",
    )
    looks.add_argument(
        "--background-blur", metavar="PX", default=Edit.background_blur, help="blur the background picture by this much"
    )
    _add_painting(looks)
    looks.add_argument(
        "--grow",
        metavar="PX",
        default=Edit.grow,
        help="move the people's edge out, or in if below 0, e.g. --grow=-2; this and the next three flags leave soft "
        "hair unchanged",
    )
    looks.add_argument(
        "--fill-holes",
        metavar="SHARE",
        default=Edit.fill_holes,
        help="close holes up to this share of the people's area",
    )
    looks.add_argument(
        "--drop-islands",
        metavar="SHARE",
        default=Edit.drop_islands,
        help="remove separate parts smaller than this share of the largest",
    )
    looks.add_argument(
        "--feather",
        metavar="PX",
        default=Edit.feather,
        help="soften the people's edge inwards, over this many pixels",
    )
    looks.add_argument(
        "--harmonize",
        metavar="AMOUNT",
        default=Edit.harmonize,
        help="match the people's brightness, contrast and warmth to the background, from 0 (not at all) to 1",
    )
    looks.add_argument(
        "--sharpen",
        metavar="AMOUNT",
        default=Edit.sharpen,
        help="sharpen the people's fine detail, from 0 (not at all) to 1, at the size of the result",
    )
    looks.add_argument(
        "--blend",
        choices=BLENDS,
        default=Edit.blend,
        help="blend people and background by sRGB levels or by linear light (default: %(default)s)",
    )


def _add_painting(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--background-prompt",
        metavar="TEXT",
        default=Edit.background_prompt,
        help="let a model paint a background from this description; people stay unchanged; extra bshm[diffusion]",
    )
    group.add_argument(
        "--background-model",
        metavar="FOLDER|NAME",
        default=os.environ.get("BSHM_BACKGROUND_MODEL") or None,
        help="the model: folder of a diffusers pipeline that can inpaint, or its name on the Hugging Face hub, from "
        "which it is downloaded (default: BSHM_BACKGROUND_MODEL)",
    )
    group.add_argument(
        "--background-seed",
        metavar="N",
        default=Edit.background_seed,
        help="random seed: the same number paints the same background, another number another one (default: 0)",
    )
    group.add_argument(
        "--background-steps",
        metavar="N",
        default=Edit.background_steps,
        help="number of painting steps; fewer are faster and coarser (default: the model's own number)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what the flags say; returns the exit code."""
    with hushed():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    options, edit = asked_for(arguments)
    if arguments.split:
        options = replace(options, tell_apart=True)
    batch = BatchOptions(
        in_flight=arguments.in_flight,
        split=arguments.split,
        overwrite=arguments.overwrite or arguments.overwrite_inputs,
        skip_existing=arguments.skip_existing,
        save_corrections=arguments.save_corrections,
    )
    check_review(arguments)
    if "" in arguments.inputs or arguments.output == "":  # a shell variable that was not set; never the current folder
        raise OptionError("an input or -o is empty. Name a file or a folder; . is the current folder.")
    if arguments.split and edit.people is not None:
        raise OptionError("--split writes all people, and --people selects some. Drop one of them.")
    if arguments.split and (edit.format in LAYERED or str(arguments.output).lower().endswith(".ora")):
        raise OptionError(
            "--split writes one file per person; ora and tiff-layers hold all of them in one file. Drop one of them."
        )
    inputs = ["-" if each in STDIN else each for each in arguments.inputs]
    to_stdout = arguments.output in STDOUT or (arguments.output is None and any(map(_is_piped, inputs)))
    if "-" in inputs or to_stdout:
        if len(inputs) > 1:
            raise OptionError(f"- means one picture in a pipe; got {len(inputs)} inputs. Name one.{_rembg(inputs)}")
        if to_stdout and arguments.split:
            raise OptionError(
                "--split writes one file per person, and stdout takes only one. Give -o a file or a folder."
            )
        if to_stdout and arguments.review_below is not None:
            raise OptionError("--review-below needs a result in a file. Give -o a file or a folder.")
        if "-" in inputs and arguments.save_corrections:
            raise OptionError("--save-corrections writes beside the picture; stdin is not a file. Name the picture.")
        if to_stdout and arguments.save_corrections:
            raise OptionError("--save-corrections needs a result in a file. Give -o a file or a folder.")
        options = _with_corrections(arguments, options, inputs)
        if to_stdout:
            return _to_stdout(arguments, inputs[0], options, edit)
        jobs, passed_over = [_stdin_job(arguments.output, edit)], PassedOver()
    else:
        if arguments.output is None and (meant := _rembg(inputs)):
            raise OptionError(f"{inputs[1]} does not exist.{meant}")
        passed_over = PassedOver()
        jobs = plan(
            inputs,
            output=arguments.output,
            edit=edit,
            recursive=arguments.recursive,
            overwrite_inputs=arguments.overwrite_inputs,
            split=arguments.split,
            passed_over=passed_over,
        )
        options = _with_corrections(arguments, options, [job.source for job in jobs])
    if str(passed_over) and not arguments.quiet:
        say(f"passed over: {passed_over}")
    if len(jobs) == 1 and jobs[0].output is not None:
        with_format(edit, jobs[0].output)  # an error is raised before a model is loaded
    return _run_jobs(arguments, jobs, options, edit, batch)


def asked_for(arguments: argparse.Namespace) -> tuple[MatteOptions, Edit]:
    """The options and the edit that the flags of ``add_flags`` ask for."""
    limits = _limits(arguments)
    edit = edit_of(arguments)
    layered = edit.format in LAYERED or str(arguments.output).lower().endswith(".ora")
    options = MatteOptions(
        exact=arguments.exact,
        # The alpha alone does not show the people's colours.
        decontaminate=arguments.decontaminate and not arguments.alpha,
        shrink_to=arguments.shrink_to,
        tell_apart=edit.people is not None or layered,
        limits=limits,
    )
    if arguments.threads is not None and not 1 <= arguments.threads <= 256:
        raise OptionError(f"--threads takes 1 to 256; got {arguments.threads}.")
    return options, edit


def _with_corrections(arguments: argparse.Namespace, options: MatteOptions, sources: Sequence[object]) -> MatteOptions:
    """The options with the corrections that the flags name."""
    kinds: tuple[Literal["keep", "erase"], ...] = ("keep", "erase")
    named = {name: getattr(arguments, name) for name in ("trimap", *kinds)}
    wanted = arguments.corrections
    files = [f"--{name}" for name, path in named.items() if path is not None]
    files += ["--corrections FILE"] if wanted not in ("auto", "none") else []
    if not files:
        return replace(options, corrections="auto" if wanted == "auto" else None)
    if len(sources) != 1:
        raise OptionError(
            f"{files[0]} corrects one picture; there are {len(sources)}. Name one, or put NAME.bshm.json beside each."
        )
    from bshm.corrections import Corrections
    from bshm.files import corrections as files_of

    if wanted == "auto":
        found = files_of.saved(sources[0]) or Corrections()
    else:
        found = Corrections() if wanted == "none" else files_of.read(wanted)
    if arguments.trimap is not None:
        found = files_of.together(found, files_of.read_trimap(arguments.trimap, options.limits), options.limits)
    for kind in kinds:
        if (path := named[kind]) is not None:
            found = files_of.together(found, files_of.read_any(path, kind, options.limits), options.limits)
    return replace(options, corrections=found)


def add_preset(group: argparse._ArgumentGroup, *, required: bool = False) -> None:
    """Add ``--preset`` and ``--presets``, which several verbs have."""
    group.add_argument(
        "--preset",
        metavar="NAME",
        required=required,
        help="use the rules of a shop or an office, see `bshm presets`"
        + ("" if required else "; other flags override it"),
    )
    add_folder(group)


def edit_of(arguments: argparse.Namespace) -> Edit:
    """The edit that the flags ask for: the preset's options, overridden by each flag that differs from its default."""
    names = [each.name for each in fields(Edit)]
    if arguments.preset is None:
        return Edit(**{name: getattr(arguments, name) for name in names})
    from bshm.edit import preset

    chosen = preset.find(arguments.preset, arguments.presets)
    flags = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in flags.items() if value != getattr(Edit, name)}
    if given.get("alpha"):
        raise OptionError(
            f"--alpha writes only the alpha, which is not a picture for {chosen.name}. Drop --alpha or --preset."
        )
    if "format" not in given and "format" in chosen.edit and _names_another(arguments.output, chosen.edit["format"]):
        given["format"] = None  # the output's suffix decides
    return chosen.edited(given)


def _names_another(output: str | None, format: str) -> bool:
    """Whether an output's suffix names a different format."""
    suffix = Path(output or "").suffix.lower()
    return any(suffix in facts.suffixes for form, facts in defaults.FORMATS.items() if form != format)


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
    """A hint for `bshm matte in.jpg out.png`, the syntax of other tools; empty for everything else."""
    if len(inputs) != 2:
        return ""
    first, second = inputs
    here = first == "-" or is_url(first) or os.path.lexists(first)
    if not here or is_url(second) or second == "-" or os.path.lexists(second) or glob.has_magic(second):
        return ""
    # Not .jpg, which has no transparency: that is more likely an input whose name was mistyped.
    if Path(second).suffix.lower() in (".png", ".webp", ".tif", ".tiff") or os.path.isdir(first):  # noqa: PTH112
        return f" To write the result there: bshm matte {shlex.quote(first)} -o {shlex.quote(second)}"
    return ""


def _run_jobs(
    arguments: argparse.Namespace, jobs: list[Job], options: MatteOptions, edit: Edit, batch: BatchOptions
) -> int:
    from contextlib import closing

    from bshm.cli.reporting import Reporter

    background = painter_of(arguments, edit) or (background_once(edit, options.limits) if len(jobs) > 1 else None)
    batch = replace(batch, in_flight=max(1, min(batch.in_flight, len(jobs))))
    review = _review(arguments, batch)
    matting = open_matting(arguments)
    if review is not None:
        check_scores(matting)
    interrupts.in_order()
    with Reporter(total=len(jobs), json_lines=arguments.json, quiet=arguments.quiet) as reporter:
        with closing(
            run_batch(matting, jobs, options=options, edit=edit, background=background, batch=batch, review=review)
        ) as records:
            for record in records:
                reporter.add(record)
        if review is not None:
            finish_review(review, quiet=arguments.quiet)
        return reporter.exit_code


def check_review(arguments: argparse.Namespace) -> None:
    """Refuse ``--review-folder`` without ``--review-below``."""
    if arguments.review_folder is not None and arguments.review_below is None:
        raise OptionError("--review-folder needs --review-below SCORE, which selects the results.")


def check_scores(matting: Matting) -> None:
    """Refuse weights that give no score."""
    if "mask" not in matting.engine.card.networks:
        raise OptionError(f"--review-below needs weights that give a score; {matting.engine.card.name} gives none.")


def finish_review(review: Review, *, quiet: bool) -> None:
    """Write the sheet and say where it is."""
    sheet = review.write_sheet()
    if not quiet:
        say(f"to review: {review.count}" + (f", see {sheet}" if sheet else ""))


def _review(arguments: argparse.Namespace, batch: BatchOptions) -> Review | None:
    if arguments.review_below is None:
        return None
    from bshm.bulk.review import Review

    output, folder = arguments.output, arguments.review_folder
    if folder is None:
        several = output is not None and (Path(output).is_dir() or output.endswith(("/", os.sep)))
        folder = Path(output if several else "") / "review"
    return Review(Path(folder), arguments.review_below, overwrite=batch.overwrite)


def painter_of(arguments: argparse.Namespace, edit: Edit) -> Painter | None:
    """The opened painter of the background; None if no background is painted.

    Raises:
        OptionError: no model was named.
        MissingExtraError, PainterModelError, HubUnreachableError: it cannot be opened.
    """
    if edit.background_prompt is None:
        return None
    if not arguments.background_model:
        raise OptionError(
            "--background-prompt needs a model that paints. Name one with --background-model or BSHM_BACKGROUND_MODEL: "
            "the folder of a diffusers pipeline that can inpaint, or its name on the Hugging Face hub."
        )
    from bshm.generating.painter import Painter

    return Painter(arguments.background_model, device=arguments.device).open()


def background_once(edit: Edit, limits: Limits) -> Picture | None:
    """The background picture, read once for all pictures; an error in it is raised before the first of them."""
    behind = edit.background
    if not isinstance(behind, PictureBackground):
        return None

    from bshm.edit.background import opened

    fetched = behind.source is not None and is_url(behind.source)
    # --max-pixels limits only the inputs.
    return opened(behind.source, replace(limits, max_pixels=Limits.max_pixels) if fetched else Limits())


def open_matting(arguments: argparse.Namespace) -> Matting:
    """The session that the flags ask for."""
    from bshm.concurrency.overlap import background
    from bshm.weights import catalogue, store

    limit = None if arguments.gpu_memory_limit is None else byte_count(arguments.gpu_memory_limit)
    card = catalogue.find(arguments.model)
    # One core reads the files while the other imports numpy and onnxruntime, and opens the networks while the other
    # imports OpenCV, Pillow and the rest.  That core must be free: while numpy is loaded, the threads of its BLAS,
    # which nothing here uses, keep it busy for 0.08 s.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    files = background(lambda: {network.file: store.read(card, network) for network in card.networks.values()})
    from bshm.matting import engines

    opened = background(
        lambda: engines.open_engine(
            card,
            arguments.device,
            arguments.threads,
            gpu_memory_limit=limit,
            read=lambda _, network: files()[network.file],
        )
    )
    from bshm.pipeline import Matting

    # Collecting garbage at the exit takes 0.04 s, and the system frees the memory anyway.
    atexit.register(gc.freeze)

    return Matting(engine=opened())


def _stdin_job(output: str, edit: Edit) -> Job:
    path = Path(output)
    if os.path.isdir(path) or output.endswith(("/", os.sep)):  # noqa: PTH112 - Path.is_dir() may raise
        path = path / f"stdin.{suffix_for(edit)}"
    return Job(sys.stdin.buffer, "stdin", path)


def _to_stdout(arguments: argparse.Namespace, source: str, options: MatteOptions, edit: Edit) -> int:
    from bshm.cli.reporting import EMPTY_NOTE, corrected_note, edit_notes, frames_note, look_note
    from bshm.edit.render import render

    if arguments.json:
        raise OptionError(
            "--json writes to stdout, and so would the picture. Write the picture to a file with -o FILE."
        )
    if os.path.isdir(source):  # noqa: PTH112
        raise OptionError(f"stdout takes one picture, but {source} is a folder. Give -o a folder.")
    if sys.stdout.isatty():
        raise OptionError("a picture would be written to the terminal. Use -o FILE, or redirect stdout.")
    given: str | BinaryIO = sys.stdin.buffer if source == "-" else source
    painter = painter_of(arguments, edit)
    matting = open_matting(arguments)
    interrupts.in_order()
    matte = matting.matte(given, options)
    if matte.is_empty and not arguments.quiet:
        say(f"{matte.picture.name}: {EMPTY_NOTE}")
    elif matte.verdict is not None and not arguments.quiet and (look := look_note(matte.verdict)):
        say(f"{matte.picture.name}: {look}")
    if matte.picture.frames > 1 and not arguments.quiet:
        say(f"{matte.picture.name}: {frames_note(matte.picture.frames)}")
    rendered = render(matte, edit, painter)
    if not arguments.quiet:
        if rendered.corrections:
            say(f"{matte.picture.name}: {corrected_note(rendered.corrections)}")
        for line in edit_notes(rendered.head_by, rendered.notes, rendered.background_by):
            say(f"{matte.picture.name}: {line}")
    put(rendered.data)
    return exit_codes.OK
