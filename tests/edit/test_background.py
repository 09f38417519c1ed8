"""Backgrounds: colours, pictures, blurs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from bshm.edit.background import background_of, blur, filled
from bshm.errors import OptionError, ShapeError, SourceNotFoundError
from bshm.types import Picture


def _picture(dtype: type = np.uint8, size_hw: tuple[int, int] = (120, 160)) -> tuple[Picture, np.ndarray]:
    """A red person in the middle of green."""
    factor = 257 if dtype == np.uint16 else 1
    alpha: np.ndarray = np.zeros(size_hw, np.float32)
    cv2.circle(alpha, (size_hw[1] // 2, size_hw[0] // 2), size_hw[0] // 4, 1.0, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.5)
    mixed = alpha[..., None] * np.array([255, 0, 0]) + (1 - alpha[..., None]) * np.array([0, 200, 0])
    return Picture((np.rint(mixed) * factor).astype(dtype)), alpha


def behind(spec: Any, picture: Picture, alpha: np.ndarray) -> np.ndarray:
    """What lies behind the people of this alpha."""
    made, given = background_of(spec)
    return filled(made, picture, alpha, given)


@pytest.mark.parametrize("spec", ["#ff8000", "255,128,0", (255, 128, 0), [255, 128, 0]])
def test_a_colour_fills_the_picture_in_its_depth(spec: object) -> None:
    for dtype, factor in ((np.uint8, 1), (np.uint16, 257)):
        picture, alpha = _picture(dtype)
        found = behind(spec, picture, alpha)
        assert found.shape == picture.pixels.shape and found.dtype == dtype
        assert (found == np.array([255, 128, 0]) * factor).all()


def test_a_picture_covers(tmp_path: Path) -> None:
    picture, alpha = _picture()
    wall = np.zeros((40, 200, 3), np.uint8)
    wall[:, 60:140] = (10, 20, 30)
    path = tmp_path / "red.png"
    Image.fromarray(wall).save(path)
    packed = io.BytesIO()
    Image.fromarray(wall).save(packed, "png")
    for spec in (wall, path, str(path), packed.getvalue(), Image.fromarray(wall)):
        found = behind(spec, picture, alpha)
        assert found.shape == picture.pixels.shape
        assert (found[:, 5:-5] == (10, 20, 30)).all()


def test_a_pictures_depth_is_that_of_the_original() -> None:
    wide, alpha = _picture(np.uint16)
    assert (behind(np.full((9, 9, 3), 200, np.uint8), wide, alpha) == 200 * 257).all()
    narrow, alpha = _picture(np.uint8)
    assert (behind(np.full((9, 9, 3), 200 * 257, np.uint16), narrow, alpha) == 200).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("spec", ["blur", "blur:3", "blur:0.5", "blur:40", "blur:1000"])
def test_the_person_does_not_bleed_into_the_blur(spec: str, dtype: type) -> None:
    picture, alpha = _picture(dtype)
    found = behind(spec, picture, alpha)
    assert found.dtype == dtype and found.shape == picture.pixels.shape
    # A soft edge counts a little where alpha is below 0.1, so a tenth of red at most; a plain blur has over a half.
    share = found[..., 0] / np.iinfo(dtype).max
    assert share.max() < 0.1
    assert np.abs(found[..., 1] / np.iinfo(dtype).max - 200 / 255).max() < 0.1


@pytest.mark.parametrize("radius_px", [4.0, 8.0, 19.0])
def test_without_people_it_is_a_gaussian_blur(radius_px: float) -> None:
    from skimage.data import astronaut

    pixels = astronaut()
    found = blur(pixels, np.zeros(pixels.shape[:2], np.float32), radius_px=radius_px)
    reference = cv2.GaussianBlur(pixels, (0, 0), radius_px, borderType=cv2.BORDER_REFLECT)
    # Cells and their bilinear enlargement stand for the finest part of the blur.
    assert np.abs(found.astype(int) - reference)[20:-20, 20:-20].mean() < 2.5


def test_people_everywhere_give_some_blur() -> None:
    pixels = np.full((50, 60, 3), 99, np.uint8)
    assert np.abs(blur(pixels, np.ones((50, 60), np.float32), radius_px=5.0).astype(int) - 99).max() <= 1


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (65, 63), (7, 2)])
def test_a_blur_of_any_size_works(size_hw: tuple[int, int]) -> None:
    pixels = np.full((*size_hw, 3), 99, np.uint8)
    for radius_px in (0.5, 6.0, 300.0):
        assert (np.abs(blur(pixels, np.zeros(size_hw, np.float32), radius_px=radius_px).astype(int) - 99) <= 1).all()


def test_a_broken_colour_is_no_path() -> None:
    picture, alpha = _picture()
    for spec in ("#12345", "1,2,300"):
        with pytest.raises(OptionError, match="#rrggbb"):
            behind(spec, picture, alpha)
    with pytest.raises(OptionError, match="blur:20"):
        behind("blur:soft", picture, alpha)
    for spec in ("blur:-3", "blur:0", "blur:nan", "blur:inf"):
        with pytest.raises(OptionError, match="1000"):
            behind(spec, picture, alpha)


def test_a_misspelt_colour_says_what_a_background_can_be() -> None:
    picture, alpha = _picture()
    with pytest.raises(SourceNotFoundError, match="not a known colour"):
        behind("whiet", picture, alpha)


def test_alpha_must_fit() -> None:
    picture, alpha = _picture()
    with pytest.raises(ShapeError, match="120, 160"):
        behind("white", picture, alpha[:10])
