"""A colour under people who stay transparent around."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bshm.edit.shadow import drop, under
from bshm.errors import ShapeError

LEVEL = some.integers(0, 255)
SHARE = some.floats(0, 1, width=32)


@given(people=LEVEL, alpha=SHARE, below=LEVEL, opacity=SHARE, wall=LEVEL)
def test_laying_both_over_a_wall_is_laying_one_after_the_other(
    people: int, alpha: float, below: int, opacity: float, wall: int
) -> None:
    foreground = np.full((1, 1, 3), people, np.uint8)
    colour, both = under(foreground, np.full((1, 1), alpha, np.float32), (below, below, below), opacity)
    seen = both[0, 0] * int(colour[0, 0, 0]) + (1 - both[0, 0]) * wall
    between = opacity * below + (1 - opacity) * wall
    # Half a level of rounding of the colour, times an alpha of at most 1.
    assert abs(seen - (alpha * people + (1 - alpha) * between)) <= 0.51


def test_opaque_people_hide_it_and_sixteen_bits_stay() -> None:
    foreground = np.full((2, 2, 3), 40000, np.uint16)
    colour, both = under(foreground, np.ones((2, 2), np.float32), (255, 0, 0), 1.0)
    np.testing.assert_array_equal(colour, foreground)
    assert both.min() == 1 and colour.dtype == np.uint16


def test_a_shadow_falls_to_the_lower_right_and_is_soft() -> None:
    alpha = np.zeros((400, 600), np.float32)
    alpha[100:300, 200:400] = 1
    shadow = drop(alpha)
    rows, columns = np.indices(shadow.shape)
    assert (rows * shadow).sum() / shadow.sum() > 199.5 + 2 and (columns * shadow).sum() / shadow.sum() > 299.5 + 1
    assert 0.4 < shadow.max() <= 0.45 and 0.05 < shadow[300, 300] < 0.45 and shadow[0, 0] < 1e-3


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ShapeError):
        under(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.float32), (0, 0, 0), 1.0)
    with pytest.raises(ShapeError):
        under(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.float32), (0, 0, 0), np.zeros((1, 2), np.float32))
