"""``bshm live``: replace the background of a camera."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from bshm import options as defaults
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import plain, put, say
from bshm.errors import OptionError

if TYPE_CHECKING:
    from bshm.live.show import LiveFigures

EXAMPLES = [
    ("bshm live --background office.jpg", "camera 0, to a virtual camera"),
    ("bshm live --background blur -o window", "see how it looks"),
    ("bshm live --camera 1 --background '#00aa44' --mirror", "another camera, a colour"),
    ("bshm live --background rain.mp4 -o rtmp://HOST/APP/KEY", "to a stream, with a clip as background"),
    ("bshm live --background blur -o - | ffplay -", "MJPEG into a pipe"),
    ("bshm live --camera talk.mp4 --background white -o out.mp4", "a file in place of a camera"),
]

NOTES = """\
Outputs (-o):
  virtual           a virtual camera for call programs; needs pyvirtualcam (GPL-2.0, a separate extra)
                    and on Linux v4l2loopback loaded with exclusive_caps=1, elsewhere OBS's camera
  window            a window on this screen
  -                 stdout, in the format of --pipe
  FILE              .mp4, .mkv, .mov or .ts, H.264
  rtmp://, srt://   a stream

If the machine is too slow, the picture is matted at a smaller size before frames are dropped.  Whenever
there is no fresh and reliable matte, the whole picture is blurred, so that your room is never shown by
mistake; --no-fail-safe turns that off."""


def parser() -> Parser:
    """The flags of ``bshm live``."""
    result = Parser(
        "live",
        "Replaces the background of a camera, live.",
        usage="[--camera N|FILE|URL] --background SPEC [-o SINK] [options]",
        examples=EXAMPLES,
        notes=f"{NOTES}\n\nExit codes:\n{exit_codes.table()}",
    )
    result.inputs.add_argument(
        "--camera", default="0", metavar="SPEC", help="number, /dev/videoN, a video file, or a URL (default: 0)"
    )
    where = result.add_argument_group("Output")
    where.add_argument(
        "-o",
        "--output",
        default="virtual",
        metavar="SINK",
        help="virtual, window, -, file or URL (default: virtual)",
    )
    where.add_argument(
        "--pipe", default="mjpeg", choices=["mjpeg", "raw"], help="what -o - writes; raw is RGB (default: mjpeg)"
    )
    where.add_argument("--overwrite", action="store_true", help="replace an existing file")
    what = result.add_argument_group("Result")
    what.add_argument(
        "-b", "--background", required=True, metavar="SPEC", help="a colour, blur[:RADIUS], a picture or a video"
    )
    what.add_argument("--size", default="1280x720", metavar="WxH", help="size of the output (default: %(default)s)")
    what.add_argument("--fps", type=float, default=30.0, help="frame rate of the output (default: 30)")
    what.add_argument("--mirror", action="store_true", help="swap left and right, as a mirror does")
    what.add_argument(
        "--no-fail-safe",
        dest="fail_safe",
        action="store_false",
        help="do not blur the picture when there is no fresh and reliable matte",
    )
    what.add_argument("--seconds", type=float, metavar="N", help="stop after this time (default: never)")
    how = result.add_argument_group("Processing")
    how.add_argument(
        "-m", "--model", metavar="NAME", default="bshm-live", help="see `bshm models` (default: %(default)s)"
    )
    how.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="as in `bshm matte` (default: %(default)s)",
    )
    telling = result.add_argument_group("Messages")
    telling.add_argument(
        "--json", action="store_true", help="write one line of JSON a second to stderr, instead of text"
    )
    telling.add_argument("--quiet", action="store_true", help="write only errors to stderr")
    add_help(telling)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Show until the camera ends or Ctrl-C; returns the exit code."""
    size = _size(arguments.size)
    if not 1 <= arguments.fps <= 240:
        raise OptionError(f"--fps takes 1 to 240; got {arguments.fps:g}.")
    if arguments.seconds is not None and not arguments.seconds > 0:
        raise OptionError(f"--seconds takes more than 0; got {arguments.seconds:g}.")
    from bshm.live.camera import Camera
    from bshm.live.show import Show
    from bshm.live.sinks import open_sink
    from bshm.pipeline import Matting
    from bshm.video.backgrounds import ClipBackground

    background = ClipBackground(arguments.background)
    matting = Matting(model=arguments.model, device=arguments.device)
    interrupts.in_order()
    with Camera(arguments.camera, size_hw=size, fps=arguments.fps) as camera:
        sink = open_sink(
            arguments.output, size_hw=size, fps=arguments.fps, pipe_format=arguments.pipe, put=put,
            overwrite=arguments.overwrite,
        )  # fmt: skip
        show = Show(
            camera, matting, background, size_hw=size, fps=arguments.fps, mirror=arguments.mirror,
            fail_safe=arguments.fail_safe,
        )  # fmt: skip
        try:
            # Ctrl-C is the usual way to stop: the file is completed with what was written so far.
            with suppress(KeyboardInterrupt):
                show.run(sink, seconds=arguments.seconds, report=_reporter(arguments))
        finally:
            sink.close()
            background.close()
    if not arguments.quiet:
        say(_line(show.figures, as_json=arguments.json))
    return exit_codes.OK


def _reporter(arguments: argparse.Namespace) -> Callable[[LiveFigures], None]:
    if arguments.quiet:
        return lambda figures: None
    if arguments.json or not sys.stderr.isatty():
        return lambda figures: say(_line(figures, as_json=arguments.json))

    def rewrite(figures: LiveFigures) -> None:
        sys.stderr.write(f"\r{plain(_line(figures, as_json=False))}\033[K")
        sys.stderr.flush()

    return rewrite


def _line(figures: LiveFigures, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(asdict(figures))
    age = "" if figures.age_ms is None else f", {figures.age_ms:.0f} ms from camera to sink"
    size = "" if figures.matted_hw is None else f", matted at {figures.matted_hw[1]}x{figures.matted_hw[0]}"
    hidden = f", {figures.hidden} frames fully blurred" if figures.hidden else ""
    return f"{figures.fps:.1f} mattes a second{age}{size}{hidden}"


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,5})[x×](\d{2,5})", text.strip().lower())
    size = (int(match[2]), int(match[1])) if match else (0, 0)
    if not all(32 <= side <= 8192 and side % 2 == 0 for side in size):
        raise OptionError(f"--size takes WIDTHxHEIGHT, even numbers from 32 to 8192, e.g. 1280x720; got {text!r}.")
    return size
