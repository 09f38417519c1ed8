"""What is made of a matte: cropped, scaled, placed, with a shadow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bshm.edit.render import layers
from bshm.edit.spec import Edit
from bshm.errors import ShapeError
from bshm.result import Matte
from bshm.types import Picture, Run


@pytest.fixture
def matte() -> Matte:
    """A person of 40x20 px at the left edge of a bright picture."""
    alpha = np.zeros((100, 120), np.float32)
    alpha[30:70, 0:20] = 1
    pixels = np.full((100, 120, 3), 200, np.uint8)
    pixels[30:70, 0:20] = (240, 20, 20)
    return Matte(Picture(pixels), alpha, pixels, Run("none", "0", "cpu"))


def test_margins_beyond_the_picture_show_no_black_edge_of_a_blurred_background(matte: Matte) -> None:
    options = Edit(background="blur", crop=True, crop_margin="50%")
    over = matte.pixels(options)
    assert over.shape == (80, 40, 3)
    assert over[:, :10].min() > 190  # left of the picture


def test_what_lies_behind_stays_where_it_is_when_people_are_scaled(matte: Matte) -> None:
    over = matte.pixels(Edit(background="blur", scale="20%", position="100% 0%"))
    assert over.shape == (100, 120, 3)
    assert over[10, 118].tolist() == [240, 20, 20]
    assert over[:, :100].min() > 190


def test_a_shadow_lies_on_the_background_and_not_on_the_people(matte: Matte) -> None:
    plain = matte.pixels(Edit(background="white"))
    shady = matte.pixels(Edit(background="white", shadow=True))
    assert shady[60, 21].max() < 255 == plain[60, 21].max()
    np.testing.assert_array_equal(shady[31:69, 1:19], plain[31:69, 1:19])


def test_a_shadow_does_not_widen_a_crop(matte: Matte) -> None:
    for shadow in (False, True):
        assert matte.pixels(Edit(crop=True, shadow=shadow)).shape == (40, 20, 4)


@pytest.mark.parametrize("share", ["31%", "47%", "77%", "90%"])
def test_people_who_fill_the_picture_can_be_made_smaller(share: str) -> None:
    # The weights of a resize add up to a hair more than 1 at some of these sizes.
    for side in range(100, 300, 13):
        pixels = np.full((side, side + 13, 3), 90, np.uint8)
        whole = Matte(Picture(pixels), np.ones(pixels.shape[:2], np.float32), pixels, Run("none", "0", "cpu"))
        assert whole.pixels(Edit(scale=share)).shape == (side, side + 13, 4)


def test_sixteen_bits_stay_through_crop_and_shadow(matte: Matte) -> None:
    pixels = matte.picture.pixels.astype(np.uint16) * 257
    deep = Matte(Picture(pixels), matte.alpha, pixels, matte.ran)
    for background in (None, "white", "blur"):
        found = deep.pixels(Edit(background=background, crop=True, crop_margin="5px", scale="80%", shadow=True))
        assert found.dtype == np.uint16


def test_without_wishes_the_pixels_are_those_of_cutout_and_over(matte: Matte) -> None:
    np.testing.assert_array_equal(matte.pixels(Edit()), matte.cutout())
    np.testing.assert_array_equal(matte.pixels(Edit(background="blur")), matte.over("blur"))


def test_a_matte_carries_people_apart_one_plane_each(matte: Matte) -> None:
    planes = (matte.alpha, np.zeros_like(matte.alpha))
    assert matte.people is None
    assert replace(matte, people=planes).people == planes


@pytest.mark.parametrize("plane", [np.zeros((100, 120)), np.zeros((50, 60), np.float32)])
def test_a_plane_of_another_shape_or_kind_is_refused(matte: Matte, plane: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"people \(100, 120\) float32, one plane each"):
        replace(matte, people=(plane,))


def embraced() -> Matte:
    """Red and blue, whose shares run into each other over ten pixels, before grey."""
    height, width = 80, 120
    across = np.arange(width, dtype=np.float32)
    alpha = np.zeros((height, width), np.float32)
    alpha[10:, 20:100] = 1
    red = np.repeat(np.clip((65 - across) / 10, 0, 1, dtype=np.float32)[None], height, axis=0) * alpha
    blue = alpha - red
    pixels = np.full((height, width, 3), 128, np.float32) * (1 - alpha)[..., None]
    pixels += red[..., None] * (220, 20, 20) + blue[..., None] * (20, 20, 220)
    colours = np.floor(pixels + 0.5).astype(np.uint8)
    return Matte(Picture(colours), alpha, colours, Run("fake", "0" * 64, "cpu"), (red, blue), (0, 1))


@pytest.mark.parametrize(("who", "colour"), [(1, (220, 20, 20)), (2, (20, 20, 220))])
def test_one_of_several_people_keeps_nothing_of_the_colour_of_the_one_beside(who: int, colour: tuple[int, ...]) -> None:
    both = embraced()
    cutout = both.pixels(Edit(people=who)).astype(int)
    seen = cutout[..., 3] > 25
    soft = seen & (cutout[..., 3] < 230)
    assert soft.sum() > 200 and np.abs(cutout[soft][:, :3] - colour).max() < 40
    # Without that it is half the other's: 100 levels off.
    own = replace(both, decontaminated=False).pixels(Edit(people=who)).astype(int)
    assert np.abs(own[soft][:, :3] - colour).max() > 90
    assert np.array_equal(cutout[cutout[..., 3] == 255], own[own[..., 3] == 255])


def test_the_layers_of_people_have_each_their_own_colour() -> None:
    for name, layer in layers(embraced(), Edit(format="ora")):
        wanted = {"1": (220, 20, 20), "2": (20, 20, 220)}[name]
        seen = layer[..., 3] > 25
        assert np.abs(layer[seen][:, :3].astype(int) - wanted).max() < 40


def test_everybody_together_keeps_the_colour_that_was_estimated_for_all() -> None:
    both = embraced()
    assert np.array_equal(both.pixels(Edit(people="all")), both.cutout())
