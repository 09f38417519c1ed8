"""Levels, cut-outs and *over*."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bshm.edit.composite import cutout, levels, over
from bshm.errors import ShapeError

depths = st.sampled_from([np.uint8, np.uint16])
seeds = st.integers(0, 2**31)


def _scene(seed: int, dtype: type, size_hw: tuple[int, int] = (7, 5)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    foreground, background = rng.integers(0, top + 1, (2, *size_hw, 3)).astype(dtype)
    alpha = np.clip(rng.uniform(-0.3, 1.3, size_hw), 0, 1).astype(np.float32)
    return foreground, alpha, background


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_survives_alpha(dtype: type) -> None:
    top = np.iinfo(dtype).max
    every: np.ndarray = np.arange(top + 1, dtype=dtype).reshape(-1, 256 if top > 255 else 16)
    assert (levels((every / top).astype(np.float32), dtype) == every).all()


@settings(deadline=None)
@given(seeds, depths)
def test_levels_are_the_nearest(seed: int, dtype: type) -> None:
    alpha = np.random.default_rng(seed).random((9, 9), dtype=np.float32)
    # 0.004: float32 holds 65535 to about a 256th.
    assert np.abs(levels(alpha, dtype) - alpha.astype(np.float64) * np.iinfo(dtype).max).max() <= 0.504


def test_a_half_rounds_up() -> None:
    assert levels(np.array([[0.5]], np.float32), np.uint8)[0, 0] == 128


@settings(deadline=None)
@given(seeds, depths)
def test_over_is_exact(seed: int, dtype: type) -> None:
    foreground, alpha, background = _scene(seed, dtype)
    found, top, level = over(foreground, alpha, background), np.iinfo(dtype).max, levels(alpha, dtype)
    for index in np.ndindex(foreground.shape):
        a = Fraction(int(level[index[:2]]), int(top))
        exact = a * int(foreground[index]) + (1 - a) * int(background[index])
        assert found[index] == int(exact + Fraction(1, 2))


def test_over_is_exact_for_every_level_of_eight_bits() -> None:
    level, colour = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    for other in (0, 1, 127, 128, 254, 255):
        foreground = np.repeat(colour[..., None], 3, 2).astype(np.uint8)
        found = over(foreground, (level / 255).astype(np.float32), np.full_like(foreground, other))
        assert (found[..., 0] == (2 * (level * colour + (255 - level) * other) + 255) // 510).all()


@given(seeds, depths)
def test_opaque_shows_only_the_foreground(seed: int, dtype: type) -> None:
    foreground, alpha, background = _scene(seed, dtype)
    assert (over(foreground, np.ones_like(alpha), background) == foreground).all()
    assert (over(foreground, np.zeros_like(alpha), background) == background).all()
    assert (over(foreground, alpha, foreground) == foreground).all()


@given(seeds, depths)
def test_a_cutout_is_straight_and_empty_where_nothing_shows(seed: int, dtype: type) -> None:
    foreground, alpha, _ = _scene(seed, dtype)
    found, level = cutout(foreground, alpha), levels(alpha, dtype)
    assert (found[..., 3] == level).all()
    assert (found[..., :3] == np.where(level[..., None] > 0, foreground, 0)).all()
    assert found.dtype == foreground.dtype


@given(seeds, depths)
def test_a_saved_cutout_laid_over_is_the_same_picture(seed: int, dtype: type) -> None:
    foreground, alpha, background = _scene(seed, dtype)
    saved: np.ndarray = cutout(foreground, alpha)
    again = (saved[..., 3] / np.iinfo(dtype).max).astype(np.float32)
    assert (over(np.ascontiguousarray(saved[..., :3]), again, background) == over(foreground, alpha, background)).all()


def test_strips_have_no_seams() -> None:
    foreground, alpha, background = _scene(3, np.uint8, (700, 333))
    assert (over(foreground, alpha, background)[500:] == over(foreground[500:], alpha[500:], background[500:])).all()
    assert (cutout(foreground, alpha)[500:] == cutout(foreground[500:], alpha[500:])).all()


def test_views_and_empty_pictures_work() -> None:
    foreground, alpha, background = _scene(3, np.uint8, (40, 30))
    turned = over(foreground[::-1, ::2], alpha[::-1, ::2], background[::-1, ::2])
    assert (turned == over(foreground, alpha, background)[::-1, ::2]).all()
    assert (cutout(foreground[:, ::-1], alpha[:, ::-1]) == cutout(foreground, alpha)[:, ::-1]).all()
    assert cutout(np.zeros((0, 5, 3), np.uint8), np.zeros((0, 5), np.float32)).shape == (0, 5, 4)


def test_wrong_arrays_are_refused_with_what_came() -> None:
    foreground, alpha, background = _scene(0, np.uint8)
    with pytest.raises(ShapeError, match=r"background \(3, 3, 3\).*geometry.cover"):
        over(foreground, alpha, background[:3, :3])
    with pytest.raises(ShapeError, match="uint8 and uint16"):
        over(foreground, alpha, background.astype(np.uint16))
    with pytest.raises(ShapeError, match="float64"):
        cutout(foreground, alpha.astype(np.float64))
    with pytest.raises(ShapeError, match="0 to 1"):
        levels(alpha * 255, np.uint8)
    with pytest.raises(ShapeError, match="nan"):
        levels(np.full((2, 2), np.nan, np.float32), np.uint8)
    with pytest.raises(ShapeError, match="float32"):
        levels(alpha, np.float32)
