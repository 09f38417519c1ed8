"""What is marked on one frame holds near it, before and after; nothing else changes, and nothing else is made again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_clips import NTSC, decoded
from PIL import Image

from bshm import Corrections, Stroke
from bshm.cli import main
from bshm.errors import CorrectionsError, NobodyThereError, OptionError
from bshm.video import FrameCorrections, VideoOptions, carrying, convert, marks, matte_frames, parts, read_corrections
from bshm.video.conversion import Progress

Clip = Callable[..., Path]
Captured = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("fake")
HEIGHT, WIDTH = 96, 128
SIDE, TOP = 28, 20
COUNT, MARKED = 48, 24
# A thirtieth of a second a frame: 10 frames each way, and 4 more that listen to those.
REACH_S, FIRST, LAST = 0.35, MARKED - 10, MARKED + 10
# The fake network's alpha has traces of nothing.
NONE = 1e-3
SEGMENT = 8


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "REACH_S", REACH_S)
    monkeypatch.setattr(carrying, "_FADE_S", 0.05)
    monkeypatch.setattr(parts, "SEGMENT_FRAMES", SEGMENT)


def left(number: int) -> int:
    """Where the blue thing is: it goes a pixel a frame."""
    return 4 + number


def moving(count: int = COUNT, *, cut_at: int | None = None) -> list[Any]:
    """Somebody in red who stands, and a blue thing that passes by, before a wall; another wall after the cut."""
    rng = np.random.default_rng(1)
    thing = cv2.resize(rng.integers(0, 255, (6, 6, 3)).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    thing[..., 0] = thing[..., 0] // 4
    thing[..., 2] = 160 + thing[..., 2] // 3
    walls = [cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8), (0, 0), 3) for _ in range(2)]
    frames = []
    for number in range(count):
        frame = walls[cut_at is not None and number >= cut_at] // 2 + 40 * (cut_at is not None and number >= cut_at)
        frame = np.asarray(frame, np.uint8)
        frame[60:, 90:120] = (240, 20, 20)
        frame[TOP : TOP + SIDE, left(number) : left(number) + SIDE] = thing
        frames.append(frame)
    return frames


def alphas(frames: list[Any], *given: FrameCorrections, steady: bool = True) -> list[Any]:
    found = matte_frames(frames, steady=steady, decontaminate=False, corrections=given)
    return [matte.alpha for matte in found]


def stroke(number: int = MARKED, kind: Any = "keep") -> Stroke:
    """Along the middle of the blue thing."""
    y = (TOP + SIDE / 2) / HEIGHT
    return Stroke(kind, (((left(number) + 8) / WIDTH, y), ((left(number) + SIDE - 8) / WIDTH, y)), 0.06)


def marked(number: int = MARKED) -> FrameCorrections:
    return FrameCorrections(Corrections((stroke(number),)), frame=number)


def inside(alpha: Any, number: int) -> float:
    """How much of the blue thing is kept."""
    return float(alpha[TOP + 4 : TOP + SIDE - 4, left(number) + 4 : left(number) + SIDE - 4].mean())


def test_what_is_kept_in_one_frame_stays_in_those_before_and_after_and_goes_with_the_motion() -> None:
    frames = moving()
    plain = alphas(frames)
    found = alphas(frames, marked())
    assert len(found) == COUNT and max(inside(alpha, number) for number, alpha in enumerate(plain)) < NONE
    for number in range(FIRST + 5, LAST - 4):
        assert inside(found[number], number) > 0.9, number
        # Where it was and will be is still wall.
        assert found[number][:56, : max(0, left(number) - 6)].sum() == 0
        assert found[number][:56, left(number) + SIDE + 6 :].sum() == 0
    changed = [number for number in range(COUNT) if not np.array_equal(plain[number], found[number])]
    assert changed and changed[0] >= FIRST - 4 and changed[-1] <= LAST + 4


def test_frames_that_are_matted_alone_and_live_keep_it_too() -> None:
    frames = moving(MARKED + 6)
    alone = alphas(frames, marked(), steady=False)
    assert inside(alone[MARKED - 5], MARKED - 5) > 0.9 and inside(alone[MARKED], MARKED) == 1
    given = 0

    def counted() -> Any:
        nonlocal given
        for frame in frames:
            given += 1
            yield frame

    for number, matte in enumerate(matte_frames(counted(), live=True, decontaminate=False, corrections=(marked(),))):
        assert given == number + 1
        if number < MARKED:
            assert inside(matte.alpha, number) < NONE
    assert inside(matte.alpha, number) > 0.9


def test_it_ends_at_a_cut() -> None:
    frames = moving(MARKED + 6, cut_at=MARKED + 3)
    found = alphas(frames, marked())
    assert inside(found[MARKED + 2], MARKED + 2) > 0.9
    assert all(inside(found[number], number) < NONE for number in range(MARKED + 3, MARKED + 6))


def test_it_is_not_dragged_over_what_hides_it() -> None:
    frames = moving(MARKED + 10)
    for frame in frames[MARKED + 3 :]:
        frame[10:58, left(MARKED) - 8 : left(MARKED) + SIDE + 20] = (30, 140, 30)
    found = alphas(frames, marked(), steady=False)
    assert inside(found[MARKED + 2], MARKED + 2) > 0.9
    assert all(inside(found[number], number) < NONE for number in range(MARKED + 3, MARKED + 10))


def test_what_is_erased_goes_from_the_frames_around_too() -> None:
    frames = moving()
    y, x = 78 / HEIGHT, 105 / WIDTH
    gone = FrameCorrections(Corrections((Stroke("erase", ((x - 0.05, y), (x + 0.05, y)), 0.1),)), frame=MARKED)
    found = alphas(frames, gone)
    for number in range(MARKED - 4, MARKED + 5):
        assert found[number][60:, 90:120].mean() < 0.1, number
    assert found[0][64:92, 94:116].min() == found[-1][64:92, 94:116].min() == 1


def test_of_two_marks_the_nearer_one_counts_where_they_meet() -> None:
    frames = moving(MARKED + 12)
    undone = FrameCorrections(Corrections((stroke(MARKED + 6, "erase"),)), frame=MARKED + 6)
    found = alphas(frames, marked(), undone, steady=False)
    assert inside(found[MARKED + 1], MARKED + 1) > 0.9
    assert inside(found[MARKED + 6], MARKED + 6) < 0.1 and inside(found[MARKED + 5], MARKED + 5) < 0.2


def test_a_click_on_what_another_mark_has_changed_already_is_no_fault() -> None:
    frames = moving(MARKED + 8)
    for frame in frames:
        frame[4:16, 108:120] = (240, 20, 20)
    x, y = 114 / WIDTH, 10 / HEIGHT
    first = FrameCorrections(Corrections((Stroke("erase", ((x - 0.03, y), (x + 0.03, y)), 0.05),)), frame=MARKED)
    second = FrameCorrections(Corrections((Stroke("erase", ((x, y),)),)), frame=MARKED + 3)
    for given in ((first, second), (second, first)):
        found = alphas(frames, *given, steady=False)
        assert all(found[number][:20, 104:].max() < 0.1 for number in range(MARKED - 3, MARKED + 6))
        assert found[0][4:16, 108:120].min() > 0.9


def test_only_the_segments_that_it_reaches_are_made_again(clip: Clip, tmp_path: Path, made: list[int]) -> None:
    source, output = clip("clip.mp4", moving(), audio=True), tmp_path / "out.mov"
    convert(source, output, options=VideoOptions(codec="png", keep_parts=True))
    assert made == list(range(6)) and (tmp_path / ".out.mov.bshm-parts").is_dir()
    plain = decoded(output)
    made.clear()
    wanted = FrameCorrections(Corrections((stroke(),)), time_s=float(MARKED / NTSC))
    options = VideoOptions(codec="png", corrections=(wanted,), overwrite=True, keep_parts=True)
    result = convert(source, output, options=options)
    ((first, last),) = result.corrected
    assert FIRST - 4 <= first < MARKED < last <= LAST + 4
    assert made == list(range(first // SEGMENT, last // SEGMENT + 1)) == [1, 2, 3, 4]
    found = decoded(output)
    assert [time for time, _ in found] == [time for time, _ in plain]
    same = [number for number in range(COUNT) if np.array_equal(plain[number][1], found[number][1])]
    assert set(same) >= set(range(first)) | set(range(last + 1, COUNT))
    for number in range(MARKED - 4, MARKED + 5):
        assert inside(found[number][1][..., 3] / 255, number) > 0.9
    assert f"1 correction applied, in frames {first} to {last}" in result.notes
    assert any("32 finished frames are made again" in note for note in result.notes)
    whole = tmp_path / "whole.mov"
    convert(source, whole, options=VideoOptions(codec="png", corrections=(wanted,)))
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(found, decoded(whole), strict=True))
    # The same again makes nothing; without the mark the same segments are as they were.
    made.clear()
    convert(source, output, options=options)
    assert made == []
    convert(source, output, options=VideoOptions(codec="png", overwrite=True))
    assert made == [1, 2, 3, 4] and not (tmp_path / ".out.mov.bshm-parts").exists()
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(plain, decoded(output), strict=True))


class Stop(Exception):
    pass


def test_of_a_run_that_was_ended_what_no_mark_reaches_is_gone_on_with(
    clip: Clip, tmp_path: Path, made: list[int]
) -> None:
    source, pattern = clip("clip.mp4", moving()), tmp_path / "out" / "%03d.png"

    def stop(done: Progress) -> None:
        if done.frames == 36:
            raise Stop

    with pytest.raises(Stop):
        convert(source, pattern, options=VideoOptions(steady=False), progress=stop)
    assert made == [0, 1, 2, 3]
    first = tmp_path / "out" / "004.png"
    before = first.stat().st_mtime_ns
    made.clear()
    result = convert(source, pattern, options=VideoOptions(steady=False, corrections=(marked(),)))
    assert made == [1, 2, 3, 4, 5] and first.stat().st_mtime_ns == before
    assert any("24 finished frames are made again" in note for note in result.notes)
    with Image.open(tmp_path / "out" / f"{MARKED - 5:03d}.png") as picture:
        assert inside(np.asarray(picture)[..., 3] / 255, MARKED - 5) > 0.9


def test_the_part_from_start_on_has_the_clips_own_times(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", moving())
    wanted = FrameCorrections(Corrections((stroke(),)), time_s=float(MARKED / NTSC))
    options = VideoOptions(codec="png", start_s=float(16 / NTSC), end_s=float(30 / NTSC), corrections=(wanted,))
    convert(source, tmp_path / "out.mov", options=options)
    found = decoded(tmp_path / "out.mov")
    assert len(found) == 14 and inside(found[8][1][..., 3] / 255, MARKED) > 0.9
    with pytest.raises(CorrectionsError, match=r"are not between"):
        VideoOptions(start_s=2, corrections=(wanted,))
    with pytest.raises(CorrectionsError, match=r"Give a time in seconds"):
        VideoOptions(start_s=0.2, corrections=(marked(),))


def test_one_person_is_corrected_where_that_one_alone_is_shown(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", moving(MARKED + 6))
    options = VideoOptions(codec="png", person="largest", corrections=(marked(),))
    convert(source, tmp_path / "out.mov", options=options)
    found = decoded(tmp_path / "out.mov")
    assert inside(found[MARKED - 5][1][..., 3] / 255, MARKED - 5) > 0.9
    assert found[MARKED - 5][1][70:, 95:115, 3].min() > 240


def test_frames_that_are_looked_at_before_any_is_made_are_signs_of_life(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", moving(30))
    told: list[Progress] = []
    options = VideoOptions(codec="png", person=f"at:105,80@{float(10 / NTSC):.3f}", corrections=(marked(20),))
    convert(source, tmp_path / "out.mov", options=options, progress=told.append)
    looked = [each.is_looking for each in told].index(False)
    # Up to the frame of the mark, and up to that in which the person is pointed at.
    assert looked > 20 + 10 and all(each.frames == 0 for each in told[:looked])
    assert [each.frames for each in told[looked:]] == list(range(1, 31))


def strokes(path: Path, *given: dict[str, Any], **more: Any) -> str:
    path.write_text(json.dumps({"version": 1, "strokes": given, **more}))
    return str(path)


def test_a_file_says_which_frame_each_stroke_is_of(tmp_path: Path) -> None:
    line = {"points": [[0.2, 0.3], [0.4, 0.3]], "width": 0.05}
    path = strokes(
        tmp_path / "c.json",
        {"kind": "keep", "time": 2, **line},
        {"kind": "erase", "frame": 7, **line},
        {"kind": "keep", **line},
        time=2,
    )
    found = read_corrections(path)
    assert [(each.when, [one.kind for one in each.corrections.strokes]) for each in found] == [
        ("2 s", ["keep", "keep"]),
        ("frame 7", ["erase"]),
    ]
    usual = strokes(tmp_path / "k.json", line)
    assert [each.when for each in marks.parse(f"{usual}@12.5", "keep")] == ["12.5 s"]
    assert [each.when for each in marks.parse(f"{usual}@frame:30", "erase")] == ["frame 30"]


@pytest.mark.parametrize(
    ("content", "word", "told"),
    [
        ("{not", "{}@1", "is not JSON"),
        ('{"version": 1, "strokes": [{"points": [[0.5, 0.5]]}]}', "{}", "write FILE@12.5"),
        ('{"version": 1, "time": 3, "strokes": [{"points": [[0.5, 0.5]]}]}', "{}@1", "Leave @1 out"),
        ('{"version": 1, "time": -3, "strokes": []}', "{}", "from 0 on"),
        ('{"version": 1, "strokes": [{"points": [[0.5, 0.5]], "frame": 1.5}]}', "{}", "whole number"),
        ('{"version": 1, "strokes": [{"points": [[0.5, 0.5]], "frame": 1, "time": 1}]}', "{}", "either"),
        ('{"version": 1, "strokes": [{"points": [[0.5, 1.5]], "frame": 1}]}', "{}", "leaves the picture"),
        ('{"version": 1, "time": 99, "strokes": [{"points": [[0.5, 0.5]]}]}', "{}", "has 8 frames and ends at 0.27 s"),
        ('{"version": 1, "frame": 8, "strokes": [{"points": [[0.5, 0.5]]}]}', "{}", "has 8 frames and ends at 0.27 s"),
        (
            '{"version": 1, "time": 0.1, "picture": {"width": 100, "height": 100},'
            ' "strokes": [{"points": [[0.1, 0.5]]}]}',
            "{}",
            "clip.mp4, frame 3 is 128x96, of another shape",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_exit_code_of_corrections(
    clip: Clip, tmp_path: Path, capsys: Captured, content: str, word: str, told: str
) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)
    words = ["video", str(clip()), "-o", str(tmp_path / "out.mov"), "--keep", word.format(path)]
    assert main(words) == 26
    assert told in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.json", "clip.mp4"]


def test_a_mask_picture_says_what_is_kept_at_a_time(clip: Clip, tmp_path: Path, capsys: Captured) -> None:
    source, out, mask = clip("clip.mp4", moving(30)), tmp_path / "out.mov", tmp_path / "hat@2.png"
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    plane[TOP : TOP + SIDE, left(MARKED) : left(MARKED) + SIDE] = 255
    Image.fromarray(plane).save(mask)
    words = ["video", str(source), "-o", str(out), "--codec", "png", "--json"]
    assert main([*words, "--keep", f"{mask}@frame:{MARKED}"]) == 0
    told = capsys.readouterr()
    ((first, last),) = json.loads(told.out)["corrected"]
    assert first < MARKED < last == 29 and "1 correction applied" in told.err
    assert inside(decoded(out)[MARKED - 5][1][..., 3] / 255, MARKED - 5) > 0.9
    assert main([*words, "--overwrite", "--keep", str(mask)]) == 26
    assert "hat@2.png does not say which frame it is of" in capsys.readouterr().err
    Image.fromarray(plane[:, :90]).save(mask)
    assert main([*words, "--overwrite", "--keep", f"{mask}@1"]) == 26
    assert "made on a picture of 90x96" in capsys.readouterr().err


def test_a_click_on_nothing_names_the_frame(clip: Clip, tmp_path: Path) -> None:
    click = FrameCorrections(Corrections((Stroke("erase", ((0.02, 0.02),)),)), frame=3)
    with pytest.raises(NobodyThereError, match=r"clip\.mp4, frame 3: the click"):
        convert(clip(), tmp_path / "out.mov", options=VideoOptions(corrections=(click,)))
    assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"]


def test_corrections_are_of_one_clip_and_frames_have_no_clock(clip: Clip, tmp_path: Path, capsys: Captured) -> None:
    path = strokes(tmp_path / "c.json", {"points": [[0.5, 0.5]], "frame": 1})
    assert main(["video", str(clip("a.mp4")), str(clip("b.mp4")), "--keep", path]) == 2
    assert "corrections are of one clip; there are 2" in capsys.readouterr().err
    with pytest.raises(CorrectionsError, match=r"no clock"):
        next(matte_frames(moving(2), corrections=(FrameCorrections(Corrections(), time_s=1),)))
    with pytest.raises(CorrectionsError, match=r"has 2 frames"):
        list(matte_frames(moving(2), corrections=(FrameCorrections(Corrections(), frame=2),)))
    with pytest.raises(OptionError, match="takes FrameCorrections"):
        VideoOptions(corrections=(Corrections(),))  # type: ignore[arg-type]
