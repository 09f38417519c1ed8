"""From a small mask to an alpha at the picture's size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bshm.errors import ShapeError
from bshm.matting.refine import guided_filter
from bshm.matting.refine.guided_filter import refine


def _scene(size_hw: tuple[int, int] = (600, 800), *, island: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A disc with a hole and strands, red on teal: pixels, mask at an eighth, true alpha."""
    rng = np.random.default_rng(0)
    canvas = np.zeros(size_hw, np.uint8)
    middle, radius = (size_hw[1] // 2, size_hw[0] // 2), min(size_hw) // 4
    cv2.circle(canvas, middle, radius, 255, -1, cv2.LINE_AA)
    for angle in rng.uniform(0, 2 * np.pi, 150):
        end = (int(middle[0] + 1.4 * radius * np.cos(angle)), int(middle[1] + 1.4 * radius * np.sin(angle)))
        cv2.line(canvas, middle, end, 255, 1, cv2.LINE_AA)
    cv2.circle(canvas, middle, radius // 4, 0, -1, cv2.LINE_AA)
    if island:
        cv2.circle(canvas, (60, 60), 40, 255, -1, cv2.LINE_AA)
    alpha = canvas.astype(np.float32) / 255
    mixed = alpha[..., None] * np.array([200, 60, 40]) + (1 - alpha[..., None]) * np.array([60, 140, 150])
    pixels = np.clip(np.rint(mixed + rng.normal(0, 2, mixed.shape)), 0, 255).astype(np.uint8)
    small = cv2.resize(alpha, (size_hw[1] // 8, size_hw[0] // 8), interpolation=cv2.INTER_AREA)
    mask = np.clip(cv2.GaussianBlur(small, (0, 0), 1.2), 0, 1).astype(np.float32)
    return pixels, mask, alpha


def test_edges_and_strands_come_from_the_picture() -> None:
    pixels, mask, truth = _scene()
    plain = cv2.resize(mask, truth.shape[::-1])
    assert np.abs(refine(pixels, mask) - truth).mean() < 0.35 * np.abs(plain - truth).mean()


def test_holes_and_islands_stay() -> None:
    pixels, mask, _ = _scene(island=True)
    alpha = refine(pixels, mask)
    assert alpha[60, 60] == 1
    assert alpha[300, 400] == 0


def test_a_grey_picture_works_as_well_as_a_coloured_one() -> None:
    """Three equal channels make the covariance singular but for the noise term."""
    pixels, mask, truth = _scene()
    grey = np.ascontiguousarray(np.repeat(pixels[..., :1], 3, axis=2))
    assert np.abs(refine(grey, mask) - truth).mean() < 0.35 * np.abs(cv2.resize(mask, truth.shape[::-1]) - truth).mean()


def test_away_from_the_edge_alpha_is_exactly_nothing_or_all() -> None:
    pixels, mask, truth = _scene()
    alpha = refine(pixels, mask)
    far = cv2.erode((truth == 1).astype(np.uint8), np.ones((71, 71))).astype(bool)
    assert far.any() and (alpha[far] == 1).all()
    assert (alpha[:30] == 0).all()
    assert alpha.min() >= 0 and alpha.max() <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_sure_mask_stays_sure(value: float) -> None:
    assert (refine(np.zeros((90, 130, 3), np.uint8), np.full((64, 96), value, np.float32)) == value).all()


def test_a_picture_without_colour_keeps_the_mask() -> None:
    mask = _scene()[1]
    alpha = refine(np.full((600, 800, 3), 70, np.uint8), mask)
    # Three fits stretch the ends by 0.02 each, and twice 0.05 is taken off between them: what begins as
    # 0.02 + 0.96 * (0.05 + 0.9 * (0.02 + 0.96 * (0.05 + 0.9 * 0.02))) = 0.14 ends as 0.
    assert np.abs(alpha - cv2.resize(mask, (800, 600))).max() < 0.16


def test_sixteen_bits_give_the_same_alpha() -> None:
    pixels, mask, _ = _scene()
    difference = np.abs(refine(pixels.astype(np.uint16) * 257, mask) - refine(pixels, mask))
    # The small 8-bit pictures are rounded after each halving, the 16-bit ones once: half a level of 255, which three
    # fits enlarge where they divide by little colour.
    assert difference.mean() < 0.5 / 255 and difference.max() < 0.06


def test_mirrored_input_gives_mirrored_output() -> None:
    pixels, mask, _ = _scene((512, 768))
    mirrored = refine(np.ascontiguousarray(pixels[:, ::-1]), np.ascontiguousarray(mask[:, ::-1]))
    assert np.abs(mirrored[:, ::-1] - refine(pixels, mask)).max() < 1e-3  # order of float32 sums


def test_tiles_have_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, mask, _ = _scene()
    tiled = refine(pixels, mask)
    monkeypatch.setattr(guided_filter, "_TILE_PX", 4096)
    assert np.abs(refine(pixels, mask) - tiled).max() < 1e-3  # order of float32 sums


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), *[st.integers(1, 140)] * 2, *[st.integers(1, 40)] * 2)
def test_every_size_and_noise_gives_an_alpha(seed: int, height: int, width: int, small_h: int, small_w: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    alpha = refine(pixels, rng.random((small_h, small_w), dtype=np.float32))
    assert alpha.shape == (height, width) and alpha.dtype == np.float32
    assert alpha.min() >= 0 and alpha.max() <= 1


@given(st.integers(1, 300), st.integers(1, 50))
def test_interpolation_has_half_pixel_centres(length: int, small: int) -> None:
    below, above, share = guided_filter._interpolation(0, length, length, small)
    ramp = (np.arange(small) + 0.5) / small
    wanted = np.clip((np.arange(length) + 0.5) / length, ramp[0], ramp[-1])
    assert np.abs((1 - share) * ramp[below] + share * ramp[above] - wanted).max() < 1e-5  # float32


@given(st.integers(0, 2**31), st.integers(1, 90), st.integers(1, 90))
def test_planes_of_the_pictures_own_size_need_no_enlarging(seed: int, height: int, width: int) -> None:
    planes = np.random.default_rng(seed).random((2, height, width), dtype=np.float32)
    rows, columns = (guided_filter._interpolation(0, side, side, side) for side in (height, width))
    assert np.array_equal(guided_filter._between(planes, rows, columns, slice(0, width)), planes)


def test_wrong_arrays_are_refused() -> None:
    pixels, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((4, 4), np.float32)
    with pytest.raises(ShapeError, match="float64"):
        refine(pixels, mask.astype(np.float64))
    with pytest.raises(ShapeError, match="sigmoid"):
        refine(pixels, mask + 2)
    with pytest.raises(ShapeError, match=r"\(8, 8\)"):
        refine(pixels[..., 0], mask)
