"""One person followed through a clip: the other one is gone in every frame, whoever walks in front of whom."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_clips import decoded

from bshm.cli import main
from bshm.errors import NobodyThereError, OptionError
from bshm.pipeline import Matting
from bshm.video import VideoOptions, convert, matte_frames, parts
from bshm.video.person import parse_person

Clip = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("fake")
SIZE_HW = (96, 160)
COUNT = 26
# Both are red enough to be people for the fake network.
_ANN, _BOB = (240, 30, 20), (220, 60, 230)
_BODY_HW = {"ann": (64, 30), "bob": (56, 26)}


def cloth(colour: tuple[int, int, int], size_hw: tuple[int, int], seed: int) -> Any:
    """A body with something to follow on it."""
    noise = np.random.default_rng(seed).integers(-18, 18, (*size_hw, 1))
    rough = np.kron(noise[::4, ::4], np.ones((4, 4, 1), int))[: size_hw[0], : size_hw[1]]
    return np.clip(np.array(colour) + rough, 0, 255).astype(np.uint8)


def scene(
    number: int, *, front: str = "ann", step_px: int = 4, gone: tuple[int, int] | None = None
) -> tuple[Any, dict[str, Any]]:
    """Frame ``number``: Ann walks from left to right, Bob from right to left; and what is seen of either."""
    frame = cloth((70, 80, 60), SIZE_HW, 1)
    lefts = {"ann": 12 + step_px * number, "bob": 122 - step_px * number}
    seen: dict[str, Any] = {}
    for name in ("ann", "bob") if front == "bob" else ("bob", "ann"):
        height, width = _BODY_HW[name]
        left, right = max(0, lefts[name]), min(SIZE_HW[1], lefts[name] + width)
        plane = np.zeros(SIZE_HW, bool)
        if not (name == "bob" and gone is not None and gone[0] <= number < gone[1]) and right > left:
            top = 20 if name == "ann" else 26
            plane[top : top + height, left:right] = True
            body = cloth(_ANN if name == "ann" else _BOB, (height, width), 5 if name == "ann" else 6)
            frame[top : top + height, left:right] = body[:, left - lefts[name] : right - lefts[name]]
        for other in seen:
            seen[other] &= ~plane
        seen[name] = plane
    return frame, seen


def within(plane: Any, px: int = 4) -> Any:
    """Without the ring in which two who touch may share."""
    import cv2

    return cv2.erode(plane.astype(np.uint8), np.ones((2 * px + 1,) * 2, np.uint8)).astype(bool)


def holds(alpha: Any, wanted: Any, other: Any) -> None:
    """All of the one, and nothing of the other."""
    one, beside = within(wanted), within(other)
    assert one.sum() == 0 or float(alpha[one].mean()) > 0.97
    assert beside.sum() == 0 or float(alpha[beside].mean()) < 0.03


@pytest.mark.parametrize(("who", "other"), [("ann", "bob"), ("bob", "ann")])
@pytest.mark.parametrize("front", ["ann", "bob"])
def test_two_who_cross_sides_stay_themselves(who: str, other: str, front: str) -> None:
    scenes = [scene(number, front=front) for number in range(COUNT)]
    first = {"ann": "at:15%,50%", "bob": "at:85%,50%"}[who]
    found = list(matte_frames([frame for frame, _ in scenes], matting=Matting(), steady=False, person=first))
    assert len(found) == COUNT
    for number, (matte, (_, seen)) in enumerate(zip(found, scenes, strict=True)):
        try:
            holds(matte.alpha, seen[who], seen[other])
        except AssertionError:
            raise AssertionError(f"frame {number}") from None
    # They did cross, so that the place alone says nothing.
    columns = [float(np.flatnonzero(seen[who].any(axis=0)).mean()) for _, seen in (scenes[0], scenes[-1])]
    assert (columns[0] < 80) is not (columns[1] < 80)


def test_the_largest_of_the_first_frame_stays_the_one(clip: Clip, tmp_path: Path) -> None:
    scenes = [scene(number) for number in range(COUNT)]
    source = clip("clip.mkv", [frame for frame, _ in scenes], codec="ffv1", pixel_format="bgr0")
    options = VideoOptions(person="largest", codec="png", decontaminate=False)
    made = convert(source, tmp_path / "out.mov", options=options)
    assert made.lost == ()
    for (_, rgba), (_, seen) in zip(decoded(tmp_path / "out.mov"), scenes, strict=True):
        holds(rgba[..., 3] / 255, seen["ann"], seen["bob"])


def test_who_leaves_is_told_and_known_again(clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes = [scene(number, gone=(4, 9), step_px=1) for number in range(16)]
    source = clip("clip.mkv", [frame for frame, _ in scenes], codec="ffv1", pixel_format="bgr0")
    words = ["video", str(source), "-o", f"{tmp_path}/out.mov", "--codec", "png", "--person", "at:85%,50%"]
    assert main([*words, "--each-alone", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["lost"] == [[4, 8]]
    assert "the person was not found in frames 4 to 8" in told.err
    for number, ((_, rgba), (_, seen)) in enumerate(zip(decoded(tmp_path / "out.mov"), scenes, strict=True)):
        assert bool(rgba[..., 3].max() == 0) is (4 <= number < 9)
        holds(rgba[..., 3] / 255, seen["bob"], seen["ann"])


def test_who_is_pointed_at_later_is_followed_from_the_beginning(clip: Clip, tmp_path: Path) -> None:
    scenes = [scene(number) for number in range(COUNT)]
    source = clip("clip.mkv", [frame for frame, _ in scenes], codec="ffv1", pixel_format="bgr0")
    # Frame 24 is at 0.8 s: Bob is at the left then.
    options = VideoOptions(person="at:30px,50px@0.8", codec="png", steady=False, decontaminate=False)
    convert(source, tmp_path / "out.mov", options=options)
    for (_, rgba), (_, seen) in zip(decoded(tmp_path / "out.mov"), scenes, strict=True):
        holds(rgba[..., 3] / 255, seen["bob"], seen["ann"])


@pytest.mark.parametrize("steady", [True, False])
def test_going_on_after_an_interruption_follows_the_same_person(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steady: bool
) -> None:
    monkeypatch.setattr(parts, "SEGMENT_FRAMES", 10)
    scenes = [scene(number) for number in range(COUNT)]
    source = clip("clip.mkv", [frame for frame, _ in scenes], codec="ffv1", pixel_format="bgr0")
    options = VideoOptions(person="at:20px,50px", codec="png", steady=steady)

    class Stop(Exception):
        pass

    def stop(done: Any) -> None:
        if done.frames == 14:  # the two are one before the eyes of the network
            raise Stop

    with pytest.raises(Stop):
        convert(source, tmp_path / "out.mov", options=options, progress=stop)
    made = convert(source, tmp_path / "out.mov", options=options)
    assert any("went on" in note for note in made.notes)
    convert(source, tmp_path / "whole.mov", options=options)
    for (_, here), (_, there) in zip(decoded(tmp_path / "out.mov"), decoded(tmp_path / "whole.mov"), strict=True):
        assert np.array_equal(here, there)


def test_nobody_at_the_place_is_told(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mkv", [scene(number)[0] for number in range(3)], codec="ffv1", pixel_format="bgr0")
    with pytest.raises(NobodyThereError, match=r"nobody is at 80,4 in the first frame, where 2 people are seen"):
        convert(source, tmp_path / "out.mov", options=VideoOptions(person="at:50%,4px"))
    with pytest.raises(NobodyThereError, match=r"nobody is at 80,4 at 0.05 s"):
        convert(source, tmp_path / "out.mov", options=VideoOptions(person="at:50%,4px@0.05"))
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


@pytest.mark.parametrize("text", ["biggest", "at:", "at:5", "at:5,6@", "at:5,6@x", "at:1,2,3"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="person"):
        parse_person(text)
    with pytest.raises(OptionError):
        VideoOptions(person=text)


def test_a_time_needs_a_clock_and_the_part_that_is_made() -> None:
    with pytest.raises(OptionError, match="frames have no clock"):
        next(matte_frames([scene(0)[0]], matting=Matting(), person="at:5,6@1"))
    with pytest.raises(OptionError, match="not between"):
        VideoOptions(person="at:5,6@1", start_s=2)
