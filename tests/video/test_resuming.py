"""A run that was ended in the middle is gone on with: nothing that was finished is made again, and the result is that
of a run that was never ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_network
import numpy as np
import pytest
from made_clips import NTSC, SIZE_HW, decoded, make, number_of
from PIL import Image

from bshm.errors import OutputError
from bshm.video import VideoOptions, convert, parts, writing
from bshm.video.conversion import Progress, saved

Clip = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("fake")
SEGMENT = 10
VARIABLE = [0, 1001, 2002, 4004, 5005, 5505, 7007, 8008]


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SEGMENT_FRAMES", SEGMENT)


def moving(count: int) -> Iterator[Any]:
    """A red block that goes to and fro over a noisy wall, so that no frame is like another."""
    rng = np.random.default_rng(3)
    for number in range(count):
        frame = rng.integers(40, 90, (*SIZE_HW, 3)).astype(np.uint8)
        left = 8 + 4 * (number % 16)
        frame[16:72, left : left + 40] = (240, 20, 20)
        yield frame


def killed_at(frame: int, *words: object) -> None:
    """`bshm video` in a process that is ended by SIGKILL when it has written so many frames."""
    code = (
        "import os, signal; from bshm.video import parts, outputs;"
        f"parts.SEGMENT_FRAMES = {SEGMENT}; write = outputs.Segmented.write\n"
        "def writing(self, worked):\n"
        "    write(self, worked)\n"
        f"    if worked.index == {frame}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "outputs.Segmented.write = writing"
    )
    ended = subprocess.run(fake_network.command("video", *words, code=code), capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def same(one: Path, other: Path) -> None:
    """Both show the same pictures at the same times."""
    first, second = decoded(one), decoded(other)
    assert [time for time, _ in first] == [time for time, _ in second]
    for number, ((_, here), (_, there)) in enumerate(zip(first, second, strict=True)):
        assert np.array_equal(here, there), f"frame {number}"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(("name", "codec"), [("out.mov", "png"), ("out.mkv", "ffv1"), ("out.mov", "prores")])
def test_after_kill_9_the_rest_is_made_and_the_whole_is_as_if_nothing_had_been(
    clip: Clip, tmp_path: Path, made: list[int], name: str, codec: str
) -> None:
    source = clip("clip.mp4", list(moving(36)), audio=True)
    options = VideoOptions(codec=codec)
    killed_at(27, source, "-o", tmp_path / name, "--codec", codec)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{name}.bshm-parts", "clip.mp4"]
    assert saved(source, tmp_path / name, options) == 20
    told: list[Progress] = []
    result = convert(source, tmp_path / name, options=options, progress=told.append)
    assert made == [2, 3]
    assert [(each.frames, each.kept) for each in told] == [(number, 20) for number in range(20, 37)]
    assert "went on from an earlier run, which had finished 20 frames" in result.notes
    assert (result.frames, result.outputs["cutout"].frames) == (36, 36)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", name]
    unbroken = tmp_path / "whole" / name
    convert(source, unbroken, options=options)
    same(tmp_path / name, unbroken)
    # Matroska has no place for what a decoder hears before nought to warm up.
    heard = [each for each in packets(source, "audio") if name.endswith(".mov") or each[0] >= 0]
    assert packets(tmp_path / name, "audio") == packets(unbroken, "audio") == heard


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    import av

    with av.open(str(path)) as container:
        found: list[Any] = [each for each in container.demux(**{kind: 0}) if each.size]
        return [(round(float(each.pts * each.time_base), 3), bytes(each)) for each in found]


@pytest.mark.parametrize("length", [20, 21, 30])
def test_segments_change_nothing_of_what_is_shown(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    source = clip("clip.mp4", list(moving(length)))
    convert(source, tmp_path / "many.mkv")
    monkeypatch.setattr(parts, "SEGMENT_FRAMES", 100)
    convert(source, tmp_path / "one.mkv")
    same(tmp_path / "many.mkv", tmp_path / "one.mkv")


@pytest.mark.parametrize(
    ("name", "codec", "off_s"),
    [("out.mp4", "h264", 0), ("out.mp4", "hevc", 0), ("out.mp4", "av1", 0), ("out.mkv", "h264", 0.0006)],
)
def test_joined_segments_keep_variable_times_and_the_order_of_frames(
    clip: Clip, tmp_path: Path, name: str, codec: str, off_s: float
) -> None:
    import av

    from bshm.video import codecs

    if not set(codecs.CODECS[codec].encoders) & av.codec.codecs_available:
        pytest.skip(f"no encoder for {codec} here")
    pts = [8008 * (number // 8) + VARIABLE[number % 8] + number for number in range(36)]
    source = clip("clip.mp4", list(moving(36)), pts=pts)
    convert(source, tmp_path / name, options=VideoOptions(codec=codec, background="black", steady=False))
    found = decoded(tmp_path / name)
    assert [time for time, _ in found] == pytest.approx([(each - pts[0]) / 30000 for each in pts], abs=off_s + 1e-9)
    assert [number_of(rgba[..., 0]) for _, rgba in found] == [number % 16 for number in range(36)]
    shown = packets(tmp_path / name, "video")
    assert len(shown) == 36


def test_joined_webm_says_that_it_has_alpha(clip: Clip, tmp_path: Path) -> None:
    convert(clip("clip.mp4", list(moving(22))), tmp_path / "out.webm")
    header = (tmp_path / "out.webm").read_bytes()[:4096]
    assert b"\x53\xc0\x81\x01" in header  # AlphaMode: 1
    assert [number_of(rgba[..., 3]) for _, rgba in decoded(tmp_path / "out.webm", decoder="libvpx-vp9")] == [
        number % 16 for number in range(22)
    ]


def test_a_segment_that_was_damaged_is_made_again_and_no_other(clip: Clip, tmp_path: Path, made: list[int]) -> None:
    source = clip("clip.mp4", list(moving(36)))
    options = VideoOptions(codec="png")
    stopped(source, tmp_path / "out.mov", options, at=35)
    assert made == [0, 1, 2]
    piece = tmp_path / ".out.mov.bshm-parts" / "00001.cutout"
    data = bytearray(piece.read_bytes())
    data[len(data) // 2] ^= 1
    piece.write_bytes(data)
    result = convert(source, tmp_path / "out.mov", options=options)
    assert made == [0, 1, 2, 1, 3]
    assert "frames 10 to 19 of an earlier run were damaged and are made again" in result.notes
    convert(source, tmp_path / "whole.mov", options=options)
    same(tmp_path / "out.mov", tmp_path / "whole.mov")


class Stop(Exception):
    pass


def stopped(source: Path, output: Path, options: VideoOptions, *, at: int, error: BaseException | None = None) -> None:
    """A run that is ended by an error when it has written so many frames."""

    def stop(done: Progress) -> None:
        if done.frames == at:
            raise error or Stop

    with pytest.raises(type(error) if error is not None else Stop):
        convert(source, output, options=options, progress=stop)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (VideoOptions(codec="png", steady=False), "steady"),
        (VideoOptions(codec="qtrle"), "codec, output"),
        (VideoOptions(codec="png", start_s=0.1), "start_s"),
    ],
)
def test_what_was_finished_with_other_options_is_not_used(
    clip: Clip, tmp_path: Path, made: list[int], options: VideoOptions, why: str
) -> None:
    source = clip("clip.mp4", list(moving(24)))
    stopped(source, tmp_path / "out.mov", VideoOptions(codec="png"), at=15)
    result = convert(source, tmp_path / "out.mov", options=options)
    assert made == [0, 0, 1, 2]
    (note,) = [note for note in result.notes if "thrown away" in note]
    assert note.startswith("10 finished frames of an earlier run") and note.endswith(f": {why}")
    convert(source, tmp_path / "whole.mov", options=options)
    same(tmp_path / "out.mov", tmp_path / "whole.mov")


def test_what_was_finished_of_another_clip_is_not_used(clip: Clip, tmp_path: Path, made: list[int]) -> None:
    source = clip("clip.mp4", list(moving(24)))
    stopped(source, tmp_path / "out.mov", VideoOptions(codec="png"), at=15)
    make(source, list(moving(26)), rate=NTSC)
    result = convert(source, tmp_path / "out.mov", options=VideoOptions(codec="png"))
    assert made == [0, 0, 1, 2] and result.frames == 26
    assert any(note.endswith("asked for then: clip") for note in result.notes)


def test_sound_may_be_left_out_of_what_was_finished_with_it(clip: Clip, tmp_path: Path, made: list[int]) -> None:
    source = clip("clip.mp4", list(moving(24)), audio=True)
    stopped(source, tmp_path / "out.mov", VideoOptions(codec="png"), at=15)
    result = convert(source, tmp_path / "out.mov", options=VideoOptions(codec="png", audio=False))
    assert made == [0, 1, 2] and result.copied == ()


def test_a_journal_that_cannot_be_read_is_told_and_begun_anew(clip: Clip, tmp_path: Path, made: list[int]) -> None:
    source = clip("clip.mp4", list(moving(24)))
    stopped(source, tmp_path / "out.mov", VideoOptions(codec="png"), at=15)
    (tmp_path / ".out.mov.bshm-parts" / "journal.json").write_text('{"made_of": ')
    result = convert(source, tmp_path / "out.mov", options=VideoOptions(codec="png"))
    assert made == [0, 0, 1, 2]
    assert any("journal of an earlier run was damaged" in note for note in result.notes)


def test_what_is_finished_outlives_a_full_disk(
    clip: Clip, tmp_path: Path, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clip("clip.mp4", list(moving(24)))
    write = writing.Writer.write
    left = iter(range(15))

    def full(self: Any, *args: Any) -> Any:
        if next(left, None) is None:
            raise writing.explained(OSError(28, "No space left on device"), self.path)
        return write(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(writing.Writer, "write", full)
        with pytest.raises(OutputError, match="no space for"):
            convert(source, tmp_path / "out.mov")
    assert saved(source, tmp_path / "out.mov", VideoOptions()) == 10
    assert len(decoded(convert(source, tmp_path / "out.mov").outputs["cutout"].path)) == 24
    assert made == [0, 1, 2]


def test_the_join_is_done_again_where_that_was_all_that_was_left(
    clip: Clip, tmp_path: Path, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bshm.video import joining

    source = clip("clip.mp4", list(moving(20)))
    with monkeypatch.context() as patch:
        patch.setattr(joining, "join", lambda *_, **__: (_ for _ in ()).throw(OutputError("no room")))
        with pytest.raises(OutputError):
            convert(source, tmp_path / "out.mov")
    told: list[Progress] = []
    convert(source, tmp_path / "out.mov", progress=told.append)
    assert made == [0, 1] and [each.frames for each in told] == [20]
    assert len(decoded(tmp_path / "out.mov")) == 20


def test_numbered_pictures_are_gone_on_with(clip: Clip, tmp_path: Path, made: list[int]) -> None:
    source = clip("clip.mp4", list(moving(24)))
    pattern = tmp_path / "out" / "%03d.png"
    stopped(source, pattern, VideoOptions(), at=15)
    first = tmp_path / "out" / "004.png"
    before = first.stat().st_mtime_ns
    convert(source, pattern, options=VideoOptions())
    assert made == [0, 1, 2] and first.stat().st_mtime_ns == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{n:03d}.png" for n in range(24)]
    convert(source, tmp_path / "whole.mov", options=VideoOptions(codec="png"))
    for number, (_, wanted) in enumerate(decoded(tmp_path / "whole.mov")):
        with Image.open(tmp_path / "out" / f"{number:03d}.png") as picture:
            assert np.array_equal(np.asarray(picture), wanted)


def test_a_picture_that_was_changed_has_its_segment_made_again(clip: Clip, tmp_path: Path, made: list[int]) -> None:
    source = clip("clip.mp4", list(moving(24)))
    pattern = tmp_path / "out" / "%03d.png"
    stopped(source, pattern, VideoOptions(), at=15)
    (tmp_path / "out" / "004.png").write_bytes(b"no picture")
    convert(source, pattern, options=VideoOptions())
    assert made == [0, 0, 1, 2]
    with Image.open(tmp_path / "out" / "004.png") as picture:
        assert number_of(np.asarray(picture)[..., 3]) == 4


def test_pictures_of_somebody_else_are_not_replaced_by_going_on(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "000.png").write_bytes(b"precious")
    with pytest.raises(OutputError.__mro__[1].__mro__[1], match="already exists"):
        convert(clip(), tmp_path / "out" / "%03d.png")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["000.png"]


def test_two_runs_never_make_the_same_output(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", list(moving(12)))

    def second(done: Progress) -> None:
        if done.frames == 11:
            with pytest.raises(OutputError, match="another run is making"):
                convert(source, tmp_path / "out.mov")

    convert(source, tmp_path / "out.mov", progress=second)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mov"]


def test_an_output_may_have_the_longest_name_that_there_is(clip: Clip, tmp_path: Path) -> None:
    name = "x" * 251 + ".mov"
    convert(clip("clip.mp4", 3), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", name]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes in another way")
def test_ctrl_c_says_how_to_go_on(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", list(moving(24)))
    code = (
        "import os, signal, time; from bshm.video import parts, outputs;"
        f"parts.SEGMENT_FRAMES = {SEGMENT}; write = outputs.Segmented.write\n"
        "def writing(self, worked):\n"
        "    write(self, worked)\n"
        "    if worked.index == 15: os.kill(os.getpid(), signal.SIGINT); time.sleep(3600)\n"
        "outputs.Segmented.write = writing"
    )
    words = [source, "-o", tmp_path / "out.mov", "--codec", "png"]
    # It would go on for hours.
    ended = subprocess.run(
        fake_network.command("video", *words, code=code), capture_output=True, check=False, timeout=300
    )
    assert ended.returncode == 130
    assert "10 finished frames are kept; the same command goes on from there" in ended.stderr.decode()
    journal = json.loads((tmp_path / ".out.mov.bshm-parts" / "journal.json").read_bytes())
    assert [segment["frames"] for segment in journal["segments"]] == [10]
    ended = subprocess.run(
        fake_network.command("video", *words, code=code.split("write = ", maxsplit=1)[0]),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert "clip.mp4: went on from an earlier run, which had finished 10 frames" in ended.stderr.decode()
    assert len(decoded(tmp_path / "out.mov")) == 24
