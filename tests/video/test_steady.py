"""Steady in time: less flicker, no shadows behind what moves, nothing across a cut, flat memory."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bshm.errors import ShapeError
from bshm.evaluation.metrics import dtssd
from bshm.pipeline import Matting
from bshm.video import matte_frames, steady
from bshm.video.steady import carried, steadied

SIZE_HW = (96, 160)


def texture(seed: int) -> Any:
    """A picture with something to follow everywhere."""
    import cv2

    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 255, (SIZE_HW[0] // 6, SIZE_HW[1] // 6, 3)).astype(np.uint8)
    return cv2.resize(rough, SIZE_HW[::-1], interpolation=cv2.INTER_CUBIC)


def walk(count: int, step_px: int) -> list[tuple[Any, Any]]:
    """Frames with their true alpha: a textured block walks over a textured wall."""
    wall, cloth = texture(1), texture(2)
    frames = []
    for number in range(count):
        alpha = np.zeros(SIZE_HW, np.float32)
        left = 20 + step_px * number
        alpha[20:80, left : left + 40] = 1
        moved = np.roll(cloth, step_px * number, axis=1)
        frames.append((np.where(alpha[..., None] > 0, moved, wall), alpha))
    return frames


def run(frames: list[tuple[Any, Any]], **options: int) -> list[Any]:
    return [alpha for _, alpha in steadied(((None, *frame) for frame in frames), **options)]


def enlarged(way: Any, size_hw: tuple[int, int]) -> Any:
    """The same way in pixels of a larger picture."""
    import cv2

    larger = cv2.resize(way, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return larger * np.array([size_hw[1] / way.shape[1], size_hw[0] / way.shape[0]], np.float32)


def whole_frames(frames: list[tuple[Any, Any]], before: int, after: int) -> list[Any]:
    """What ``steadied`` makes of a clip, said plainly: every pixel of every frame asks every neighbour."""
    import cv2

    small = [steady.flow_picture(pixels) for pixels, _ in frames]
    flow = steady.new_flow()
    # To where each pixel was in the frame before, and to where it is in the one after: a step is -1 or 1.
    moves = {
        (index, step): steady.motion(small[index + step], small[index], flow)
        for step in (-1, 1)
        for index in range(len(frames))
        if 0 <= index + step < len(frames)
    }
    made = []
    for index, (_, alpha) in enumerate(frames):
        total, weight = alpha.copy(), np.ones_like(alpha)
        for step, most in ((-1, before), (1, after)):
            way = np.zeros((*small[index].shape[:2], 2), np.float32)
            trust = np.ones(way.shape[:2], np.float32)
            for other in range(index + step, index + step * (most + 1), step):
                move = moves.get((other - step, step))
                if move is None:
                    break
                trust = np.minimum(trust, carried(move.back_trust, way))
                way = way + np.dstack([carried(move.back[..., axis].copy(), way) for axis in (0, 1)])
                off = np.abs(small[index] - carried(small[other], way)).max(axis=2)
                strange = np.maximum(0, cv2.blur(off, (5, 5)) / 6 - 1)
                trust = np.minimum(trust, np.exp(-(strange**2)))
                share = cv2.resize(trust, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
                total += share * carried(frames[other][1], enlarged(way, alpha.shape))
                weight += share
        made.append(total / weight)
    return made


def passing(count: int, size_hw: tuple[int, int], *, haze: bool) -> list[tuple[Any, Any]]:
    """Somebody with soft, flickering edges passes a wall that a camera pans over; then there is a cut.

    With ``haze`` alpha is soft everywhere.
    """
    import cv2

    rng = np.random.default_rng(3)
    height, width = size_hw
    rough = rng.integers(0, 255, (2, height // 9, width // 6, 3)).astype(np.uint8)
    wall, cloth = (cv2.resize(each, (2 * width, height), interpolation=cv2.INTER_CUBIC) for each in rough)
    frames = []
    for number in range(count):
        body = np.zeros(size_hw, np.float32)
        cv2.ellipse(body, (width // 3 + 9 * number, height // 2), (width // 9, height // 3), 10, 0, 360, 1, -1)
        alpha = cv2.GaussianBlur(body, (0, 0), 4) + rng.normal(0, 0.1, size_hw).astype(np.float32) * (body != 0)
        alpha = np.clip(1.2 * alpha - 0.1, 0, 1)
        behind, before = wall[:, 3 * number :][:, :width], np.roll(cloth, 9 * number, axis=1)[:, :width]
        pixels = behind + alpha[..., None] * (before.astype(np.float32) - behind) + rng.normal(0, 2, (*size_hw, 3))
        if number >= count - 2:
            pixels, alpha = 255 - pixels[:, ::-1], alpha[:, ::-1].copy()
        alpha = 0.2 + 0.6 * alpha if haze else alpha
        frames.append((np.clip(pixels, 0, 255).astype(np.uint8), np.asarray(alpha, np.float32)))
    return frames


# The second is larger than the picture that the flow is looked for in.
@pytest.mark.parametrize("size_hw", [(150, 203), (630, 904)])
@pytest.mark.parametrize(("haze", "after"), [(False, 2), (True, 2), (False, 0)])
def test_leaving_out_what_is_settled_changes_nothing(size_hw: tuple[int, int], haze: bool, after: int) -> None:
    frames = passing(6, size_hw, haze=haze)
    found = run(frames, before=3, after=after)
    for made, wanted, (_, alpha) in zip(found, whole_frames(frames, 3, after), frames, strict=True):
        # Rounding of places: by far less than a level of 255.
        np.testing.assert_allclose(made, wanted, rtol=0, atol=0.0005)
        assert haze or ((made == alpha) & ((alpha == 0) | (alpha == 1))).mean() > 0.5
    # There was something to do.
    assert max(float(np.abs(made - alpha).max()) for made, (_, alpha) in zip(found, frames, strict=True)) > 0.1


def test_an_alpha_that_flickers_over_a_still_picture_becomes_calm() -> None:
    rng = np.random.default_rng(0)
    picture = texture(1)
    noisy = [(picture, rng.uniform(0.3, 0.7, SIZE_HW).astype(np.float32)) for _ in range(12)]
    truth = [np.full(SIZE_HW, 0.5, np.float32)] * 12
    assert dtssd(run(noisy), truth) < 0.3 * dtssd([alpha for _, alpha in noisy], truth)


@pytest.mark.parametrize("after", [0, 4])
def test_what_moves_is_followed_and_leaves_no_shadow(after: int) -> None:
    rng = np.random.default_rng(0)
    frames = walk(12, 4)
    truth = [alpha for _, alpha in frames]
    noisy = [
        (pixels, np.clip(alpha + rng.normal(0, 0.2, SIZE_HW), 0, 1).astype(np.float32)) for pixels, alpha in frames
    ]
    calm = run(noisy, after=after)
    assert dtssd(calm, truth) < 0.6 * dtssd([alpha for _, alpha in noisy], truth)
    exact = run(frames, after=after)
    # A ring of a few pixels at the edge may be torn between the two motions; nothing further out.
    for found, (_, wanted) in zip(exact, frames, strict=True):
        assert np.abs(found - wanted).mean() < 0.01
        left = int(np.flatnonzero(wanted.any(axis=0))[0])
        assert found[:, : left - 6].max(initial=0) < 0.05


def test_nothing_passes_a_cut() -> None:
    before = [(texture(1), np.ones(SIZE_HW, np.float32))] * 5
    behind = [(texture(9), np.zeros(SIZE_HW, np.float32))] * 5
    found = run(before + behind)
    assert [float(alpha.mean()) for alpha in found] == [1.0] * 5 + [0.0] * 5


def test_frames_of_another_size_are_left_to_themselves() -> None:
    small = [(texture(1)[:64], np.ones((64, SIZE_HW[1]), np.float32))] * 3
    large = [(texture(1), np.zeros(SIZE_HW, np.float32))] * 3
    assert [alpha.shape for alpha in run(small + large)] == [(64, 160)] * 3 + [SIZE_HW] * 3


def test_a_live_picture_waits_for_no_later_frame() -> None:
    asked = 0

    def camera() -> Iterator[tuple[int, Any, Any]]:
        nonlocal asked
        for number, (pixels, alpha) in enumerate(itertools.cycle(walk(6, 2))):
            asked += 1
            yield number, pixels, alpha

    live = steadied(camera(), after=0)
    for number in range(10):
        assert next(live)[0] == number
        assert asked == number + 1


def test_only_the_neighbours_are_held() -> None:
    class Item:
        pass

    alive: list[weakref.ref[Item]] = []
    pixels, alpha = walk(1, 0)[0]

    def clip() -> Iterator[tuple[Item, Any, Any]]:
        for _ in range(40):
            item = Item()
            alive.append(weakref.ref(item))
            yield item, pixels, alpha

    most = 0
    for _ in steadied(clip()):
        gc.collect()
        most = max(most, sum(each() is not None for each in alive))
    assert len(alive) == 40 and most <= 11


@pytest.mark.usefixtures("fake")
def test_frames_become_mattes_in_order_with_what_a_matte_can_do() -> None:
    clip = np.full((7, 48, 64, 3), 60, np.uint8)
    for number, frame in enumerate(clip):
        frame[12:36, 4 + 4 * number : 24 + 4 * number] = (240, 20, 20)
    found = list(matte_frames(clip, matting=Matting(), steady=False))
    assert [int(np.flatnonzero((matte.alpha > 0.5).any(axis=0))[0]) for matte in found] == pytest.approx(
        [4 + 4 * number for number in range(7)], abs=1
    )
    assert found[0].cutout().shape == (48, 64, 4)
    assert len(list(matte_frames(clip, matting=Matting()))) == 7


@pytest.mark.usefixtures("fake")
def test_a_frame_of_another_shape_is_named_by_its_number() -> None:
    clip = [np.zeros((48, 64, 3), np.uint8), np.zeros((48, 60, 3), np.uint8)]
    with pytest.raises(ShapeError, match=r"frame 1 is \(48, 60, 3\) uint8 after \(48, 64, 3\)"):
        list(matte_frames(clip, matting=Matting()))
