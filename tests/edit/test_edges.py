"""Edges moved, closed, cleaned and softened, and hair that stays as it is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from bshm.edit.edges import changed, recoloured
from bshm.errors import ShapeError


def square(size: int = 120, *, first: int = 30, last: int = 90) -> np.ndarray:
    alpha = np.zeros((size, size), np.float32)
    alpha[first:last, first:last] = 1
    return alpha


def with_hair() -> np.ndarray:
    """A square with soft strands of 3 px above, 3 px apart."""
    alpha = square()
    strands = np.zeros_like(alpha)
    strands[4:30, 36:84:6] = strands[4:30, 37:84:6] = strands[4:30, 38:84:6] = 0.7
    found: np.ndarray = np.maximum(alpha, cv2.GaussianBlur(strands, (0, 0), 0.8))
    return found


@pytest.mark.parametrize("by_px", [-7.0, -3.0, -0.5, 0.5, 1.0, 4.0, 20.0])
def test_a_hard_edge_moves_by_just_so_many_pixels(by_px: float) -> None:
    found = changed(square(), grow=by_px)
    # The middle row crosses two edges.
    assert found[60].sum() == pytest.approx(60 + 2 * by_px)
    assert found.min() >= 0 and found.max() <= 1


def test_an_edge_at_the_pictures_border_does_not_move_in() -> None:
    alpha = np.zeros((80, 80), np.float32)
    alpha[20:, 20:60] = 1
    found = changed(alpha, grow=-5, feather=6)
    assert found[-1, 40] == 1 and found[22, 40] == 0


@pytest.mark.parametrize(
    "wanted", [{"grow": 4}, {"grow": -4}, {"feather": 8}, {"fill_holes": 1.0}, {"drop_islands": 1.0}]
)
def test_soft_hair_is_neither_opened_nor_closed(wanted: dict[str, Any]) -> None:
    alpha = with_hair()
    found = changed(alpha, **wanted)
    np.testing.assert_allclose(found[:18, 34:84], alpha[:18, 34:84], atol=1e-6)
    if "grow" in wanted:  # while the hard edge below has moved
        assert found[:, 60].sum() != pytest.approx(alpha[:, 60].sum(), abs=1)


def test_feathering_rises_inwards_over_its_width() -> None:
    found = changed(square(), feather=10)
    ramp = found[60, 30:45]
    share = np.clip((np.arange(15) + 0.5) / 10, 0, 1)
    np.testing.assert_allclose(ramp, share**2 * (3 - 2 * share), atol=1e-6)
    assert found[square() == 0].max() == 0


def test_a_hole_is_closed_up_to_its_share_and_no_bay() -> None:
    alpha = square()
    alpha[50:56, 50:56] = 0  # 1 % of the square
    alpha[70:82, 40:52] = 0  # 4 %
    alpha[30:60, 70:74] = 0  # a bay
    found = changed(alpha, fill_holes=0.02)
    assert found[50:56, 50:56].min() == 1
    assert found[70:82, 40:52].max() == 0 and found[30:60, 70:74].max() == 0
    assert changed(alpha, fill_holes=0.05)[70:82, 40:52].min() == 1


def test_islands_go_by_their_share_and_hair_beside_people_stays() -> None:
    alpha = square()
    alpha[5:15, 100:110] = 1  # 2.8 % of the square, with a faint rim
    alpha[15, 100:110] = 0.05
    alpha[100:118, 5:35] = 1  # 15 %
    alpha[60, 91:94] = 0  # a loose strand, near and thin
    alpha[60, 92:99] = 0.8
    found = changed(alpha, drop_islands=0.05)
    assert found[:20, 95:115].max() == 0
    assert found[100:118, 5:35].min() == 1
    np.testing.assert_array_equal(found[55:65], alpha[55:65])


def test_nothing_asked_for_is_the_same_array_and_nobody_stays_nobody() -> None:
    alpha = with_hair()
    assert changed(alpha) is alpha
    nobody = np.zeros((30, 40), np.float32)
    everybody = np.ones((30, 40), np.float32)
    wanted = {"grow": 3, "fill_holes": 0.5, "drop_islands": 0.5, "feather": 5}
    assert changed(nobody, **wanted).max() == 0
    assert changed(everybody, **wanted).min() == 1


def test_what_is_added_shows_the_picture() -> None:
    foreground, pixels = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 100, np.uint8)
    before, after = np.array([[0, 0.5, 1]], np.float32), np.array([[1, 1, 1]], np.float32)
    assert recoloured(foreground, before, after, pixels)[0, :, 0].tolist() == [100, 150, 200]
    assert recoloured(foreground, after, before, pixels) is foreground


def test_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="float32"):
        changed(np.zeros((3, 3, 3), np.float32), grow=1)
