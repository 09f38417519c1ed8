"""Colour decontamination."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bshm.errors import ShapeError
from bshm.matting.foreground import estimate


def _alpha(size_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A disc with strands."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros(size_hw, np.uint8)
    middle = (size_hw[1] // 2, size_hw[0] // 2)
    radius = min(size_hw) // 4
    cv2.circle(canvas, middle, radius, 255, -1, cv2.LINE_AA)
    for angle in rng.uniform(0, 2 * np.pi, 60):
        end = (int(middle[0] + 1.6 * radius * np.cos(angle)), int(middle[1] + 1.6 * radius * np.sin(angle)))
        cv2.line(canvas, middle, end, 255, 1, cv2.LINE_AA)
    return (cv2.GaussianBlur(canvas, (0, 0), 0.8) / 255).astype(np.float32)


def _compose(foreground: np.ndarray, alpha: np.ndarray, background: np.ndarray, dtype: type) -> np.ndarray:
    mixed = alpha[..., None] * foreground.astype(float) + (1 - alpha[..., None]) * background
    found: np.ndarray = np.rint(mixed).astype(dtype)
    return found


def _flat(size_hw: tuple[int, int], colour: tuple[int, int, int], factor: int) -> np.ndarray:
    return np.full((*size_hw, 3), colour, np.uint16) * factor


@pytest.mark.parametrize(("dtype", "factor"), [(np.uint8, 1), (np.uint16, 257)])
@pytest.mark.parametrize("size_hw", [(200, 300), (65, 127), (64, 64), (331, 90)])
def test_one_colour_over_another_is_found(dtype: type, factor: int, size_hw: tuple[int, int]) -> None:
    alpha = _alpha(size_hw)
    foreground, background = _flat(size_hw, (180, 120, 40), factor), _flat(size_hw, (20, 200, 230), factor)
    found = estimate(_compose(foreground, alpha, background, dtype), alpha)
    assert found.dtype == dtype
    error = np.abs(found.astype(float) - foreground)[alpha > 0.02] / factor
    # Rounding of the picture to levels, divided by what little alpha lets through, pulls single pixels off.
    assert error.mean() < 2.0
    assert np.quantile(error, 0.99) < 12


def test_the_error_is_a_fraction_of_doing_nothing() -> None:
    from skimage.data import astronaut

    foreground = astronaut()
    alpha = _alpha(foreground.shape[:2])
    background = np.ascontiguousarray(foreground[::-1, :, ::-1])
    picture = _compose(foreground, alpha, background, np.uint8)
    soft = (alpha > 0.1) & (alpha < 0.95)

    def error(colours: np.ndarray) -> float:
        return float(np.abs(colours.astype(float) - foreground)[soft].mean())

    assert error(estimate(picture, alpha)) < 0.6 * error(picture)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(1, 150), st.integers(1, 150), st.sampled_from([np.uint8, np.uint16]))
def test_where_alpha_is_sure_the_picture_is_untouched(seed: int, height: int, width: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    pixels: np.ndarray = rng.integers(0, np.iinfo(dtype).max + 1, (height, width, 3)).astype(dtype)
    before = pixels.copy()
    alpha = np.clip(rng.uniform(-1, 2, (height, width)), 0, 1).astype(np.float32)
    found = estimate(pixels, alpha)
    assert (found[(alpha == 1) | (alpha == 0)] == pixels[(alpha == 1) | (alpha == 0)]).all()
    assert (pixels == before).all()
    assert not np.shares_memory(found, pixels)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_alpha_without_edges_gives_a_picture(value: float) -> None:
    pixels = np.full((100, 70, 3), 90, np.uint8)
    found = estimate(pixels, np.full((100, 70), value, np.float32))
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - 90).max() <= (45 if value == 0.5 else 0)


def test_tiles_have_no_seams() -> None:
    """The same scene shifted by less than a tile gives the same colours, up to the coarse pass's cells of 8 px."""
    size_hw = (256, 256)
    alpha = _alpha(size_hw)
    ramp = np.linspace(40, 200, 256)[None, :, None] * np.ones((256, 1, 3))
    picture = _compose(ramp, alpha, np.full((256, 256, 3), 20), np.uint8)
    shifted = estimate(np.ascontiguousarray(picture[16:, 24:]), np.ascontiguousarray(alpha[16:, 24:]))
    assert np.abs(shifted.astype(int) - estimate(picture, alpha)[16:, 24:])[alpha[16:, 24:] > 0.05].max() <= 3


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ShapeError, match="float64"):
        estimate(np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3)))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"\(3, 4, 3\)"):
        estimate(np.zeros((3, 4, 3), np.uint8), np.zeros((3, 3), np.float32))
