"""A picture turned until it is level, and people with more detail: figures before and after."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import skimage
from drawn_people import Drawn, drawn_alpha

from bshm.edit import faces
from bshm.edit.render import compose
from bshm.edit.sharpen import sharpened
from bshm.edit.spec import Edit
from bshm.edit.straighten import tilt, turned
from bshm.errors import MissingExtraError, OptionError

WITH_FACES = pytest.mark.skipif(not faces.available(), reason="the face detector is not installed")


def portrait(degrees: float) -> Any:
    """A photograph that is so far from level, clockwise."""
    return turned(skimage.data.astronaut(), degrees, mirrored=True)


def bar() -> Drawn:
    """Somebody who is a level bar of one colour, in the middle."""
    alpha = np.zeros((101, 141), np.float32)
    alpha[45:56, 20:121] = 1
    matte = Drawn(alpha)
    matte.foreground[alpha == 1] = (220, 40, 30)
    return matte


@WITH_FACES
@pytest.mark.parametrize("degrees", [-12.0, 0.0, 8.0])
def test_auto_turns_back_what_was_turned(degrees: float) -> None:
    everywhere = np.ones((512, 512), np.float32)
    level = tilt(skimage.data.astronaut(), everywhere)
    found = tilt(portrait(degrees), everywhere)
    assert level is not None and found is not None and abs(found + degrees - level) < 2.5


@WITH_FACES
def test_the_eyes_are_level_after_auto_and_were_not_before() -> None:
    matte = Drawn(np.ones((512, 512), np.float32))
    matte.picture = type(matte.picture)(portrait(10))
    matte.foreground = matte.picture.pixels
    result = compose(matte, Edit(straighten="auto"))
    before, after = (tilt(pixels, matte.alpha) for pixels in (matte.picture.pixels, result.colour))
    assert before is not None and after is not None
    assert abs(before) > 7 and abs(after) < 2.5
    assert any("until the eyes were level" in note for note in result.notes)


@WITH_FACES
def test_auto_says_where_no_face_was_found() -> None:
    result = compose(bar(), Edit(straighten="auto"))
    assert result.notes == ("no face was found, so nothing was straightened",)
    assert np.array_equal(result.alpha, bar().alpha)


def test_auto_without_what_finds_faces_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "available", lambda: False)
    with pytest.raises(MissingExtraError, match=r'pip install "bshm\[faces\]"; or give degrees'):
        compose(bar(), Edit(straighten="auto"))


def test_degrees_are_clockwise_and_the_size_stays() -> None:
    result = compose(bar(), Edit(straighten=20))
    assert result.size_hw == (101, 141)
    ys, xs = np.nonzero(result.alpha > 0.5)
    slope = float(np.polyfit(xs, ys, 1)[0])  # rows go down, so clockwise falls to the right
    assert slope == pytest.approx(np.tan(np.radians(20)), abs=0.02)
    assert abs(float(result.alpha.sum()) - float(bar().alpha.sum())) < 5 and result.notes == ()


def test_a_background_of_the_original_is_turned_with_it_and_has_no_empty_corner() -> None:
    result = compose(bar(), Edit(straighten=15, background="blur:3"))
    corners = result.colour[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
    assert result.is_opaque and np.abs(corners - (90, 120, 150)).max() < 10
    empty = compose(bar(), Edit(straighten=15))
    assert empty.alpha[0, 0] == 0


def test_it_is_said_where_people_are_turned_out_of_the_picture() -> None:
    matte = Drawn(np.ones((60, 90), np.float32))
    assert any("out of the picture" in note for note in compose(matte, Edit(straighten=10)).notes)


def test_turned_there_and_back_a_picture_is_what_it_was() -> None:
    smooth = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 3)
    back = turned(turned(smooth, 7, mirrored=True), -7, mirrored=True)[128:384, 128:384]
    assert np.abs(back.astype(int) - smooth[128:384, 128:384]).mean() < 1


@pytest.mark.parametrize("given", ["level", 46, "-50", True, float("nan")])
def test_what_is_no_angle_is_refused(given: Any) -> None:
    with pytest.raises(OptionError, match="straighten"):
        Edit(straighten=given)


def test_straightened_comes_after_rotate_and_flip() -> None:
    person = drawn_alpha(120, 160, crown=20, head=50, centre=60)
    one = compose(Drawn(person), Edit(flip="horizontal", straighten=5)).alpha
    other = turned(person[:, ::-1].copy(), 5, mirrored=False)
    assert np.abs(one - other).max() < 1e-6


def contrast(pixels: Any, where: Any) -> float:
    """How strong the fine detail is."""
    grey = pixels.astype(np.float32).mean(axis=2)
    return float(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1))[where].mean())


@pytest.mark.parametrize(("amount", "least", "most"), [(0.3, 1.1, 1.25), (1.0, 1.4, 1.7)])
def test_sharpening_brings_out_detail_by_so_much(amount: float, least: float, most: float) -> None:
    soft = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 1)
    inside = np.s_[100:400, 100:400]
    made = sharpened(soft, np.ones((512, 512), np.float32), amount)
    assert least < contrast(made, inside) / contrast(soft, inside) < most


def test_sharpening_leaves_the_background_and_the_alpha_and_brings_no_rim() -> None:
    matte = bar()  # one colour before another: an ordinary unsharp mask makes the edge lighter and darker
    plain, sharp = (compose(matte, Edit(background="white", sharpen=each)) for each in (None, 1))
    assert np.array_equal(plain.colour, sharp.colour)
    assert np.array_equal(compose(matte, Edit(sharpen=1)).alpha, matte.alpha)
    noisy = bar()
    noisy.foreground = np.random.default_rng(0).integers(60, 200, noisy.foreground.shape, np.uint8)
    plain, sharp = (compose(noisy, Edit(background="white", sharpen=each)) for each in (None, 1))
    changed = (plain.colour != sharp.colour).any(axis=2)
    assert changed[noisy.alpha == 1].mean() > 0.9 and not changed[noisy.alpha == 0].any()


def test_a_shadow_is_not_sharpened() -> None:
    plain, sharp = (compose(bar(), Edit(background="white", shadow=True, sharpen=each)) for each in (None, 1))
    assert np.array_equal(plain.colour, sharp.colour)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strips_do_not_show(dtype: Any) -> None:
    top = np.iinfo(dtype).max
    colour = np.random.default_rng(0).integers(0, top, (600, 40, 3), dtype, endpoint=True)
    made = sharpened(colour, np.ones((600, 40), np.float32), 1.0)
    part = sharpened(colour[200:320], np.ones((120, 40), np.float32), 1.0)
    assert np.array_equal(made[210:310], part[10:110])


def test_an_alpha_alone_has_nothing_to_sharpen() -> None:
    with pytest.raises(OptionError, match="sharpen"):
        Edit(alpha=True, sharpen=0.5)
