"""What is made of a matte: cropped, scaled, placed, with a shadow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

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
