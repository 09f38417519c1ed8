"""Sizes and resizing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bshm.errors import OptionError, ShapeError
from bshm.geometry import cover, enlarge, shrink, whole_picture_size

sides = st.integers(1, 20_000)


@given(sides, sides, st.sampled_from([128, 256, 512, 1024]))
def test_a_networks_size_is_made_of_32s_and_bounded(height: int, width: int, side_px: int) -> None:
    size = whole_picture_size(height, width, side_px)
    assert all(side % 32 == 0 and 64 <= side <= 4 * side_px for side in size)


@given(st.integers(300, 9000), st.floats(0.4, 2.5))
def test_a_networks_size_keeps_area_and_aspect(height: int, aspect: float) -> None:
    width = round(height * aspect)
    found_h, found_w = whole_picture_size(height, width, 512)
    # Rounding to 32 moves a side of at least 320 by at most 16: 5 %, and twice that in the aspect.
    assert found_h * found_w == pytest.approx(512**2, rel=0.11)
    assert found_w / found_h == pytest.approx(width / height, rel=0.11)


@given(st.integers(200, 9000), st.integers(200, 9000))
def test_a_networks_size_is_the_one_of_training(height: int, width: int) -> None:
    if max(height, width) > 10 * min(height, width):
        return
    scale = 256 / (height * width) ** 0.5
    wanted = max(64, round(height * scale / 32) * 32), max(64, round(width * scale / 32) * 32)
    assert whole_picture_size(height, width, 256) == wanted


def test_a_networks_sizes_are_few() -> None:
    shapes = {whole_picture_size(round(4000 * aspect), 4000, 256) for aspect in np.geomspace(1 / 100, 100, 5000)}
    assert len(shapes) < 80
    cameras = [(3, 2), (4, 3), (16, 9), (1, 1), (5, 4), (19.5, 9), (2, 1)]
    shapes = {
        whole_picture_size(round(300 * a), round(300 * b), 256) for pair in cameras for a, b in (pair, pair[::-1])
    }
    assert len(shapes) <= 13


def test_a_networks_size_refuses_nothing_at_all() -> None:
    with pytest.raises(OptionError, match="height 0"):
        whole_picture_size(0, 10, 256)


def _ramp(height: int, width: int, dtype: type, top: int) -> np.ndarray:
    ys, xs = np.mgrid[0:height, 0:width]
    plane = (0.5 * (xs + 0.5) / width + 0.5 * (ys + 0.5) / height) * top
    found: np.ndarray = np.rint(np.dstack([plane, plane, plane])).astype(dtype)
    return found


@settings(deadline=None, max_examples=30)
@given(st.integers(200, 700), st.integers(200, 700), st.integers(20, 180), st.integers(20, 180))
def test_shrinking_keeps_half_pixel_centres(height: int, width: int, to_h: int, to_w: int) -> None:
    """A ramp over the picture is the same ramp over the small one; a corner-aligned resize would shift it."""
    wanted = _ramp(to_h, to_w, np.uint8, 255).astype(int)
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        found = shrink(_ramp(height, width, dtype, top), (to_h, to_w)).astype(int)
        # One level for each rounding: every halving, the area step, and the ramp itself.
        assert np.abs(found - wanted).max() <= 2


def test_shrinking_agrees_with_pillows_antialiased_resize() -> None:
    from skimage.data import astronaut

    pixels = astronaut()
    for size in ((96, 96), (64, 128), (200, 160)):
        reference = np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR), int)
        # A triangle there, halves and boxes here: 0.9 to 2.7 levels measured.  Without antialiasing it is 3.9 to 7.6.
        assert np.abs(shrink(pixels, size).astype(int) - reference).mean() < 3.0


def test_shrinking_stripes_leaves_no_alias() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    found = shrink(stripes, (96, 96)).astype(int)
    assert np.abs(found - 128).max() <= 2


def test_shrinking_sixteen_bits_is_shrinking_eight() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    wide = shrink(pixels.astype(np.uint16) * 257, (64, 64)).astype(int)
    assert np.abs(wide - shrink(pixels, (64, 64))).max() <= 2  # 8 bits round after every halving


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 90), st.integers(1, 90))
def test_every_size_reaches_every_size(height: int, width: int, to_h: int, to_w: int) -> None:
    flat = np.full((height, width, 3), 77, np.uint8)
    for found in (shrink(flat, (to_h, to_w)), enlarge(flat, (to_h, to_w)), cover(flat, (to_h, to_w))):
        assert found.shape == (to_h, to_w, 3)
        assert (found == 77).all()
        assert not np.shares_memory(found, flat)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_enlarging_is_bilinear_with_half_pixel_centres(height: int, width: int, seed: int) -> None:
    small = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    to_h, to_w = 3 * height + 1, 2 * width + 3
    found = enlarge(small, (to_h, to_w))
    for y in range(to_h):
        for x in range(to_w):
            v, u = (y + 0.5) * height / to_h - 0.5, (x + 0.5) * width / to_w - 0.5
            v, u = min(max(v, 0), height - 1), min(max(u, 0), width - 1)
            y0, x0 = int(v), int(u)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            upper = small[y0, x0] * (1 - u + x0) + small[y0, x1] * (u - x0)
            lower = small[y1, x0] * (1 - u + x0) + small[y1, x1] * (u - x0)
            assert found[y, x] == pytest.approx(upper * (1 - v + y0) + lower * (v - y0), abs=1e-5)  # float32


def test_covering_crops_evenly() -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    assert (cover(pixels, (10, 10)) == 200).all()
    assert (cover(pixels, (30, 30))[:, 2:-2] == 200).all()


def test_covering_a_thread_takes_no_memory() -> None:
    assert cover(np.zeros((1, 100_000, 3), np.uint8), (500, 500)).shape == (500, 500, 3)


def test_covering_the_same_size_changes_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    assert (cover(pixels, (33, 47)) == pixels).all()


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ShapeError, match="float64"):
        enlarge(np.zeros((3, 3)), (6, 6))
    with pytest.raises(ShapeError, match="float32"):
        shrink(np.zeros((3, 3), np.float32), (6, 6))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="at least 1"):
        enlarge(np.zeros((3, 3), np.float32), (0, 6))
