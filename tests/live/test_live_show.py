"""`bshm live`: real files as the camera, the fake network, sinks that are read back."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bshm.cli import exit_codes, main
from bshm.errors import DeviceUnavailableError, OptionError, OutputExistsError
from bshm.live.camera import Camera, LiveFrame
from bshm.live.show import STALE_S, Show, is_doubtful
from bshm.live.sinks import open_sink
from bshm.pipeline import Matting
from bshm.types import PixelArray
from bshm.video.backgrounds import ClipBackground
from bshm.video.library import av

pytestmark = pytest.mark.usefixtures("fake")
HEIGHT, WIDTH, FPS = 96, 128, 10
RED, GREY, GREEN = (230, 20, 20), (90, 90, 90), (0, 170, 68)
# H.264 keeps few colours apart at such a size.
LOSSY = 24


def frame(number: int = 0) -> PixelArray:
    """A red person before a grey wall; a stripe tells the number."""
    pixels = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    pixels[24:, 40:88] = RED
    pixels[:8, : 8 * (number % 16)] = 250
    return pixels


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgr0"
        for number in range(2 * FPS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(number), "rgb24")))
        container.mux(stream.encode(None))
    return path


class StillCamera:
    """Gives frames when it is told to."""

    spec = "test"

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.newest: LiveFrame | None = None
        self.ended = False

    def give(self, pixels: PixelArray) -> None:
        with self._changed:
            number = 0 if self.newest is None else self.newest.number + 1
            self.newest = LiveFrame(pixels, time.monotonic(), number)
            self._changed.notify_all()

    def after(self, seen: LiveFrame | None, *, timeout_s: float) -> LiveFrame | None:
        def there() -> bool:
            return self.ended or (self.newest is not None and (seen is None or self.newest.number > seen.number))

        with self._changed:
            self._changed.wait_for(there, timeout_s)
            return self.newest if self.newest is not seen else None


class Seen:
    """A sink that keeps what it was given, and acts on it."""

    def __init__(self) -> None:
        self.frames: list[PixelArray] = []

    def write(self, pixels: PixelArray) -> None:
        self.frames.append(pixels.copy())

    def close(self) -> None:
        """Nothing is open."""


class Few(Seen):
    """A sink that has seen enough after some frames, however long they took to come."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def write(self, pixels: PixelArray) -> None:
        super().write(pixels)
        if len(self.frames) >= self._count:
            raise BrokenPipeError


def until_enough(show: Show, sink: Few) -> None:
    with pytest.raises(BrokenPipeError):
        show.run(sink, seconds=120)


def shown(camera: StillCamera | Camera, sink: Seen, *, background: str = "#00aa44", **options: object) -> Show:
    given = {"size_hw": (HEIGHT, WIDTH), "fps": 50.0, **options}
    return Show(camera, Matting(), ClipBackground(background), **given)  # type: ignore[arg-type]


def test_the_person_stays_and_the_wall_becomes_the_background(clip: Path) -> None:
    sink = Seen()
    with Camera(str(clip), size_hw=(HEIGHT, WIDTH), fps=FPS) as camera:
        show = shown(camera, sink)
        show.run(sink)
    last = sink.frames[-1]
    assert tuple(last[80, 64]) == RED
    assert tuple(last[60, 10]) == GREEN
    assert show.figures.matted > 0 and show.figures.frames == len(sink.frames)


def test_mirrored_left_and_right_are_swapped() -> None:
    camera, sink = StillCamera(), Few(3)
    pixels = frame()
    pixels[24:, 88:] = RED  # the person reaches the right edge
    camera.give(pixels)
    until_enough(shown(camera, sink, mirror=True, fail_safe=False), sink)
    assert tuple(sink.frames[-1][80, 4]) == RED and tuple(sink.frames[-1][80, 124]) == GREEN


def test_a_frame_of_another_shape_is_cropped_and_not_stretched() -> None:
    camera, sink = StillCamera(), Few(3)
    square = np.full((128, 128, 3), GREY, np.uint8)
    square[32:96, 32:96] = RED
    camera.give(square)
    until_enough(shown(camera, sink, size_hw=(64, 128), fail_safe=False), sink)
    red = (sink.frames[-1] == RED).all(axis=2)
    assert red.any(axis=0).sum() == 64 and red.any(axis=1).sum() == 64


def test_a_camera_that_stands_still_is_hidden_and_its_last_hole_is_not_shown() -> None:
    camera, sink = StillCamera(), Seen()
    camera.give(frame())
    show = shown(camera, sink)
    show.run(sink, seconds=4 * STALE_S)
    last = sink.frames[-1]
    assert not (last == GREEN).all(axis=2).any()  # no hole
    assert np.abs(np.diff(last.astype(int), axis=0)).max() < 40  # and no edge of the room
    assert show.figures.hidden > 0


def test_without_the_fail_safe_the_last_matte_stays() -> None:
    camera, sink = StillCamera(), Few(int(50 * 3 * STALE_S))
    camera.give(frame())
    show = shown(camera, sink, fail_safe=False)
    until_enough(show, sink)
    assert tuple(sink.frames[-1][60, 10]) == GREEN and show.figures.hidden == 0


def test_a_matte_that_is_mostly_unsure_is_doubtful_and_one_with_a_soft_edge_is_not() -> None:
    sure = np.zeros((60, 80), np.float32)
    sure[20:, 20:60] = 1
    sure[18:20, 20:60] = 0.5
    assert not is_doubtful(sure)
    assert is_doubtful(np.where(sure > 0, np.float32(0.6), np.float32(0)))


def test_a_file_is_written_whole_at_the_rate_that_was_asked_for(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    words = [
        "live",
        "--camera",
        str(clip),
        "-b",
        "#00aa44",
        "-o",
        str(out),
        "--size",
        f"{WIDTH}x{HEIGHT}",
        "--fps",
        "20",
    ]
    assert main([*words, "--model", "bshm", "--quiet"]) == exit_codes.OK
    with av.open(str(out)) as container:
        frames = [each.to_ndarray(format="rgb24") for each in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 20
    assert len(frames) > 2
    assert np.abs(frames[-1][80, 64].astype(int) - RED).max() < LOSSY
    assert np.abs(frames[-1][60, 10].astype(int) - GREEN).max() < LOSSY
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".bshm")] == []
    assert main([*words, "--model", "bshm"]) == exit_codes.code_of(OutputExistsError())


def test_a_pipe_gets_one_jpeg_after_the_other_and_figures_go_to_stderr(
    clip: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = ["live", "--camera", str(clip), "-b", "white", "-o", "-", "--size", f"{WIDTH}x{HEIGHT}", "--json"]
    assert main([*words, "--model", "bshm"]) == exit_codes.OK
    out, err = capfdbinary.readouterr()
    pictures = [b"\xff\xd8" + part for part in out.split(b"\xff\xd8")[1:]]
    assert Image.open(io.BytesIO(pictures[-1])).size == (WIDTH, HEIGHT)
    assert json.loads(err.decode().splitlines()[-1])["frames"] == len(pictures)


def test_a_sink_that_goes_away_ends_the_show() -> None:
    class Broken(Seen):
        def write(self, pixels: PixelArray) -> None:
            raise BrokenPipeError

    camera = StillCamera()
    camera.give(frame())
    with pytest.raises(BrokenPipeError):
        shown(camera, Broken()).run(Broken(), seconds=20)


def test_cameras_and_sinks_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailableError, match="there is no camera 97"):
        Camera("97", size_hw=(HEIGHT, WIDTH), fps=FPS)
    size: dict[str, object] = {"size_hw": (HEIGHT, WIDTH), "fps": FPS, "pipe_format": "raw", "overwrite": False}
    with pytest.raises(OptionError, match="virtual, window, -, a file"):
        open_sink(str(tmp_path / "out.gif"), put=print, **size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--size", "1281x720"], "--size takes WIDTHxHEIGHT"),
        (["--fps", "0"], "--fps takes 1 to 240"),
        (["--seconds", "0"], "--seconds takes more than 0"),
    ],
)
def test_wrong_values_are_refused_before_the_camera_is_touched(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", "--background", "white", *flags]) == exit_codes.USAGE
    assert said in capsys.readouterr().err
