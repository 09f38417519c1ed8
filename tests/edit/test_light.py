"""Light: levels and back, mixed, and people's brought towards a background's."""

from __future__ import annotations

import numpy as np
import pytest

from bshm.edit import light
from bshm.edit.composite import over
from bshm.edit.light import Light, harmonized, light_of
from bshm.edit.shadow import under
from bshm.errors import ShapeError


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_levels_come_back_from_their_light(dtype: type) -> None:
    table = light.linear_table(np.dtype(dtype))
    top = np.iinfo(dtype).max
    back = light.to_levels(table) * top + 0.5
    np.testing.assert_array_equal(back.astype(dtype), np.arange(top + 1))


def test_half_of_white_over_black_is_half_the_light() -> None:
    white, black = np.full((1, 1, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)
    half = np.full((1, 1), 128 / 255, np.float32)
    assert over(white, half, black)[0, 0, 0] == 128
    assert over(white, half, black, blend="linear")[0, 0, 0] == 188
    colour, both = under(white, half, (0, 0, 0), 1.0, blend="linear")
    assert colour[0, 0, 0] == 188 and both[0, 0] == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_both_blends_agree_where_only_one_shows(dtype: type) -> None:
    random = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    people: np.ndarray = random.integers(0, top, (40, 50, 3), dtype, endpoint=True)
    behind: np.ndarray = random.integers(0, top, (40, 50, 3), dtype, endpoint=True)
    alpha = random.integers(0, 2, (40, 50)).astype(np.float32)
    np.testing.assert_array_equal(over(people, alpha, behind, blend="linear"), over(people, alpha, behind))


def _people(dtype: type = np.uint8) -> np.ndarray:
    grey = 60 + 2 * np.mgrid[0:64, 0:64][1]
    return (np.stack([grey, grey, grey], 2) * (257 if dtype == np.uint16 else 1)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_strength_changes_nothing(dtype: type) -> None:
    people = _people(dtype)
    other = light_of((people // 2).astype(dtype))
    own = light_of(people)
    assert own is not None and other is not None
    np.testing.assert_array_equal(harmonized(people, own, other, 0.0), people)


def test_brightness_contrast_and_warmth_go_towards_the_background_and_further_with_more() -> None:
    people = _people()
    own = light_of(people)
    assert own is not None
    wanted = Light(own.mean * 0.6, own.spread * 0.8, own.warmth + 0.3)
    half, whole = (light_of(harmonized(people, own, wanted, strength)) for strength in (0.5, 1.0))
    assert half is not None and whole is not None
    assert own.mean > half.mean > whole.mean
    assert own.spread > half.spread > whole.spread
    assert own.warmth < half.warmth < whole.warmth


def test_nothing_is_clipped_however_bright_the_background() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    own = light_of(ramp)
    assert own is not None
    for wanted in (Light(1.0, 0.5, 3.0), Light(0.0, 0.5, -3.0)):
        found = harmonized(ramp, own, wanted, 1.0)[0].astype(int)
        assert found[0].max() == 0 and found[255].min() == 255
        assert (np.diff(found, axis=0) >= 0).all()
        # Only what is nearly black or white already may round to it.
        assert found[8:248].min() > 0 and found[8:248].max() < 255


def test_only_what_has_alpha_counts() -> None:
    people = np.full((20, 20, 3), 255, np.uint8)
    people[:, :10] = (100, 100, 100)
    alpha = np.zeros((20, 20), np.float32)
    alpha[:, :10] = 1
    found = light_of(people, alpha)
    assert found is not None
    assert found.mean == pytest.approx(float(light.to_linear(100 / 255)), rel=1e-4) and found.spread < 1e-6
    assert light_of(people, np.zeros_like(alpha)) is None
    with pytest.raises(ShapeError):
        light_of(people, alpha[:5])
