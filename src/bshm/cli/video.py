"""``bshm video``: cut the people out of clips."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bshm import options as defaults
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help, told
from bshm.cli.streams import hushed, put, say
from bshm.errors import BshmError, OptionError
from bshm.video import codecs, marks
from bshm.video.finding import ClipJob, plan
from bshm.video.options import VideoOptions

if TYPE_CHECKING:
    from bshm.pipeline import Matting
    from bshm.video.conversion import Progress
    from bshm.video.marks import FrameCorrections
    from bshm.video.result import Converted

EXAMPLES = [
    ("bshm video clip.mp4", "writes clip.cutout.mov beside it: ProRes 4444"),
    ("bshm video clip.mp4 -o clip.webm", "the suffix picks the container: VP9 with alpha"),
    ("bshm video clip.mp4 --for premiere", "what that program opens"),
    ("bshm video clip.mp4 -o call.mp4 -b office.jpg", "over a picture"),
    ("bshm video clip.mp4 -o key.mp4 -b green-screen", "for programs without alpha"),
    ("bshm video clip.mp4 -o beach.mp4 -b waves.mp4", "over another video"),
    ("bshm video clip.mp4 -o cut.mov --cutout --alpha --foreground", "all three, in one go"),
    ("bshm video clip.mp4 -o 'out/%05d.png'", "numbered pictures"),
    ("bshm video 'frames/%05d.png' --fps 25 -o out.mov", "numbered pictures as the clip"),
    ("bshm video clip.mp4 -o part.mov --start 3 --end 8.5", "a part of it"),
    ("bshm video clip.mp4 --person at:50%,40%@2.5", "one person, whoever is there at 2.5 s"),
    ("bshm video clip.mp4 --keep hat.json@12.5", "corrected there, and before and after"),
    ("bshm video clips/ -o cut/ --for resolve", "every clip of a folder"),
]


def _notes() -> str:
    containers = "\n".join(
        f"  {suffix:<6} alpha: {clear or 'none'}; without alpha: {usual}"
        for suffix, (_, clear, usual) in codecs.CONTAINERS.items()
    )
    targets = "\n".join(
        f"  {name:<14} {target.codec} in {target.suffix}"
        + (f" over {target.background}, to be keyed out" if target.background else " with alpha")
        for name, target in codecs.TARGETS.items()
    )
    return f"""\
Containers, with the codec that each gets unless --codec says another:
{containers}
  Numbered pictures (out/%05d.png) are {", ".join(codecs.SEQUENCES)}.

What --for chooses (docs/video.md says where each is from):
{targets}

What is kept: the time of every frame, rotation (applied), colour tags and range, more than 8 bits if the
codec has them, and the audio and subtitles that the container can hold; you are told what is left out.  HDR
is refused.  A file gets its name only when it is complete and was read back: every frame is there, at its
time, with its alpha.  "alpha" in --json says how much alpha changed.

A run that was ended (Ctrl-C, a full disk, even kill -9) keeps what it has finished in a hidden folder
beside the output, .NAME.bshm-parts.  The same command continues from there and removes the folder, unless
--keep-parts is given.  GIF, APNG and WebP start again from the beginning."""


def parser() -> Parser:
    """The flags of ``bshm video``; their defaults are those of ``bshm.video.options``."""
    result = Parser(
        "video",
        "Cuts the people out of clips and writes clips with transparency, or over something else.",
        usage="INPUT… [-o FILE|FOLDER] [options]",
        examples=EXAMPLES,
        notes=f"{_notes()}\n\nExit codes:\n{exit_codes.table()}",
    )
    result.inputs.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="video, folder, pattern in quotes, or frames/%%05d.png"
    )

    where = result.add_argument_group("Output")
    where.add_argument("-o", "--output", metavar="PATH", help="file, or folder (an existing one, or ending with /)")
    where.add_argument("-r", "--recursive", action="store_true", help="look into sub-folders, too")
    where.add_argument(
        "--overwrite", action="store_true", default=VideoOptions.overwrite, help="replace existing outputs"
    )

    what = result.add_argument_group("Result")
    what.add_argument(
        "--for",
        dest="target",
        choices=tuple(codecs.TARGETS),
        default=VideoOptions.target,
        help="the program that will open it",
    )
    what.add_argument(
        "--codec",
        choices=tuple(codecs.CODECS),
        default=VideoOptions.codec,
        help="default: the program's, or the container's usual one",
    )
    what.add_argument("--cutout", action="store_true", help="write colour with alpha (the default without background)")
    what.add_argument("--alpha", action="store_true", help="write the alpha, as grey")
    what.add_argument("--foreground", action="store_true", help="write the people's straight colour, without alpha")
    what.add_argument(
        "-b",
        "--background",
        metavar="SPEC",
        default=VideoOptions.background,
        help="lay the people over a colour, green-screen, blur[:RADIUS] of the original, a picture, or a video",
    )
    what.add_argument(
        "--fps", metavar="RATE", default=VideoOptions.fps, help="of numbered pictures: 25, 29.97, 30000/1001"
    )
    what.add_argument("--start", type=float, metavar="SECONDS", default=VideoOptions.start_s, help="start at this time")
    what.add_argument("--end", type=float, metavar="SECONDS", default=VideoOptions.end_s, help="end at this time")
    what.add_argument("--no-audio", action="store_true", help="leave sound and subtitles out")
    what.add_argument(
        "--fewer-bits",
        action="store_true",
        default=VideoOptions.fewer_bits,
        help="allow writing 10-bit colour with 8 bits if the codec holds no more (default: an error)",
    )

    what.add_argument(
        "--person",
        metavar="WHO",
        default=VideoOptions.person,
        help="follow one person and leave the others out: largest, at:X,Y, or at:X,Y@SECONDS",
    )

    corrected = result.add_argument_group("Corrections (docs/video.md)")
    at = "FILE[@WHEN]"
    corrected.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar=at,
        help="keep this too: strokes in JSON, or a picture that is white there, at that second (@12.5) or frame "
        "(@frame:300), and near it; again for more; one INPUT",
    )
    corrected.add_argument("--erase", action="append", default=[], metavar=at, help="erase this, in the same way")
    corrected.add_argument(
        "--corrections", metavar="FILE", help="corrections in JSON, in which each says its time or its frame"
    )
    corrected.add_argument(
        "--keep-parts",
        action="store_true",
        default=VideoOptions.keep_parts,
        help="keep the finished segments beside the output, so that later corrections (with --overwrite) make only "
        "those anew that they reach",
    )

    how = result.add_argument_group("Processing")
    how.add_argument(
        "--each-alone",
        action="store_true",
        help="matte every frame on its own, without using its neighbours",
    )
    how.add_argument(
        "-m",
        "--model",
        metavar="NAME",
        default=defaults.DEFAULT_MODEL,
        help="see `bshm models`; bshm-lite and bshm-live are quicker (default: %(default)s)",
    )
    how.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="auto, cpu, cuda, …; no fallback: a device that cannot run is an error (default: %(default)s)",
    )

    telling = result.add_argument_group("Messages")
    telling.add_argument("--json", action="store_true", help="write one line of JSON per clip to stdout, with errors")
    telling.add_argument("--quiet", action="store_true", help="write only errors to stderr")
    add_help(telling)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Do what the flags say; returns the exit code."""
    with hushed():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    if "" in arguments.inputs or arguments.output == "":  # a shell variable that was not set; never the current folder
        raise OptionError("an input or -o is empty. Name a file or a folder; . is the current folder.")
    options = _options(arguments)
    target = codecs.TARGETS[options.target] if options.target else None
    clear = "cutout" in options.products or (not options.products and options.background is None)
    suffix = ".mov" if clear else ".mp4"
    if target is not None:
        suffix = target.suffix if clear else target.opaque_suffix
    elif options.codec is not None:
        suffix = codecs.CODECS[options.codec].suffixes[0]
    jobs = plan(arguments.inputs, arguments.output, suffix=suffix, recursive=arguments.recursive)
    if options.corrections and len(jobs) != 1:
        raise OptionError(f"corrections are of one clip; there are {len(jobs)}. Name one.")

    from bshm.video.conversion import plan as packings

    for job in jobs:  # a container that cannot hold what is asked for is told before a network is loaded
        packings(job.source, job.output, options)
    matting = _matting(arguments)
    interrupts.in_order()
    errors: list[Exception] = []
    for job in jobs:
        try:
            made = _one(job, options, matting, arguments)
        except BshmError as error:
            errors.append(error)
            if arguments.json:
                put(json.dumps(_failure(job, error)) + "\n")
            say(f"bshm: {told(error)}")
        else:
            _tell(made, arguments)
    if len(jobs) > 1 and not arguments.quiet:
        done = len(jobs) - len(errors)
        say(f"{done} clip{'' if done == 1 else 's'} written, {len(errors)} failed")
    if not errors:
        return exit_codes.OK
    return exit_codes.code_of(errors[0]) if len(jobs) == 1 else exit_codes.SOME_FAILED


def _options(arguments: argparse.Namespace) -> VideoOptions:
    wished = {"cutout": arguments.cutout, "alpha": arguments.alpha, "foreground": arguments.foreground}
    products: list[codecs.Product] = [each for each in codecs.PRODUCTS if wished.get(each)]
    if products and arguments.background is not None:
        products.insert(0, "composite")
    return VideoOptions(
        target=arguments.target,
        codec=arguments.codec,
        products=tuple(products),
        background=arguments.background,
        fps=arguments.fps,
        start_s=arguments.start,
        end_s=arguments.end,
        person=arguments.person,
        corrections=_corrections(arguments),
        steady=not arguments.each_alone,
        fewer_bits=arguments.fewer_bits,
        audio=not arguments.no_audio,
        overwrite=arguments.overwrite,
        keep_parts=arguments.keep_parts,
    )


def _corrections(arguments: argparse.Namespace) -> tuple[FrameCorrections, ...]:
    kinds: tuple[Literal["keep", "erase"], ...] = ("keep", "erase")
    found = [] if arguments.corrections is None else list(marks.read_corrections(arguments.corrections))
    for kind in kinds:
        for word in getattr(arguments, kind):
            found += marks.parse(word, kind)
    return tuple(found)


def _matting(arguments: argparse.Namespace) -> Matting:
    from bshm.pipeline import Matting

    return Matting(model=arguments.model, device=arguments.device)


def _one(job: ClipJob, options: VideoOptions, matting: Matting, arguments: argparse.Namespace) -> Converted:
    from bshm.video.conversion import convert, saved

    try:
        with _Bar(job.source.name, shown=not arguments.quiet) as bar:
            return convert(job.source, job.output, options=options, matting=matting, progress=bar.show)
    except (BshmError, KeyboardInterrupt):
        kept = 0 if arguments.quiet else saved(job.source, job.output, options)
        if kept:
            say(f"{job.source}: {kept} finished frames are kept; the same command goes on from there")
        raise


class _Bar:
    """How far a clip is: a bar with the time left on a terminal, a line now and then elsewhere."""

    _EVERY_S = 10.0

    def __init__(self, name: str, *, shown: bool) -> None:
        self._name = name
        self._shown = shown
        self._progress: Any = None
        self._task: Any = None
        self._said = time.monotonic()

    def __enter__(self) -> _Bar:
        if self._shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            from bshm.cli.streams import plain

            columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
            self._progress = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task(plain(self._name), total=None)
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, done: Progress) -> None:
        """One more frame, or what was found of an earlier run."""
        for note in done.notes:
            if self._shown:
                say(f"{self._name}: {note}")
        if self._progress is not None:
            self._progress.update(self._task, completed=done.frames, total=done.of)
        elif self._shown and time.monotonic() - self._said >= self._EVERY_S:
            self._said = time.monotonic()
            left = "" if done.left_s is None else f", about {done.left_s:.0f} s left"
            of = "" if done.of is None else f" of about {done.of}"
            say(f"{self._name}: {done.frames}{of} frames{left}")


def _tell(made: Converted, arguments: argparse.Namespace) -> None:
    if arguments.json:
        put(json.dumps(_record(made)) + "\n")
    if arguments.quiet:
        return
    for written in made.outputs.values():
        changed = written.alpha
        alpha = ""
        if changed is not None:
            alpha = ", alpha exact" if changed.exact else f", alpha changed by {changed.mean_change * 255:.2f} of 255"
        say(f"{made.source} -> {written.path} ({made.frames} frames in {made.seconds:.1f} s{alpha})")
    for note in made.notes:
        say(f"{made.source}: {note}")
    if made.empty:
        say(f"{made.source}: nobody was found in any frame")


def _record(made: Converted) -> dict[str, Any]:
    height, width = made.size_hw
    outputs = {
        product: {
            "path": str(written.path),
            "frames": written.frames,
            **written.facts(),
        }
        for product, written in made.outputs.items()
    }
    return {
        "input": str(made.source),
        "status": "written",
        "width": width,
        "height": height,
        "frames": made.frames,
        "duration_s": round(made.duration_s, 6),
        "outputs": outputs,
        "copied": list(made.copied),
        "notes": list(made.notes),
        "empty": made.empty,
        "lost": [list(each) for each in made.lost],
        "corrected": [list(each) for each in made.corrected],
        "model": made.model,
        "model_sha256": made.model_sha256,
        "device": made.device,
        "seconds": round(made.seconds, 3),
    }


def _failure(job: ClipJob, error: BshmError) -> dict[str, Any]:
    return {
        "input": str(Path(job.source)),
        "status": "failed",
        "error": {
            "kind": type(error).__name__,
            "message": told(error),
            "exit_code": exit_codes.code_of(error),
        },
    }
