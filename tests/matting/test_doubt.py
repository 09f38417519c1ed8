"""Islands of doubt."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bshm.matting.refine.doubt import doubtful, drop_bodiless, drop_doubtful, drop_loose, questionable

masks = hnp.arrays(np.float32, (12, 14), elements=st.floats(0, 1, width=32))


@given(masks)
def test_what_is_more_likely_than_not_stays(mask: np.ndarray) -> None:
    found = drop_doubtful(mask)
    assert np.array_equal(found[mask > 0.5], mask[mask > 0.5])


@given(masks)
def test_every_cell_stays_or_is_nothing(mask: np.ndarray) -> None:
    found = drop_doubtful(mask)
    assert bool(((found == mask) | (found == 0)).all())


@given(masks)
def test_doing_it_twice_changes_nothing(mask: np.ndarray) -> None:
    assert np.array_equal(drop_doubtful(drop_doubtful(mask)), drop_doubtful(mask))


def test_a_faint_island_goes_and_faint_hair_stays() -> None:
    mask = np.zeros((20, 20), np.float32)
    mask[5:15, 5:10] = 1
    mask[5:15, 10:12] = 0.1  # hair on the person
    mask[2:4, 16:19] = 0.45  # a ghost
    found = drop_doubtful(mask)
    assert found[2:4, 16:19].max() == 0
    assert np.array_equal(found[5:15], mask[5:15])


def test_what_hangs_on_to_nobody_goes_and_strands_stay() -> None:
    alpha = np.zeros((64, 64), np.float32)
    alpha[20:40, 20:40] = 1  # somebody
    alpha[10:20, 30] = 0.1  # a faint strand that begins there
    alpha[6:8, 30] = 0.1  # and goes on behind a gap of two pixels
    alpha[50:54, 4:9] = 0.9  # a patch of background
    held = alpha == 1
    expected = alpha.copy()
    expected[50:54, 4:9] = 0
    assert np.array_equal(drop_loose(alpha, held), expected)


def test_nobody_stays_nobody() -> None:
    alpha = np.full((30, 41), 0.6, np.float32)
    assert not drop_loose(alpha, np.zeros(alpha.shape, bool)).any()


@given(masks, masks)
def test_what_was_held_stays_and_all_else_stays_or_is_nothing(alpha: np.ndarray, before: np.ndarray) -> None:
    held = before > 0.5
    found = drop_loose(alpha.copy(), held)
    assert np.array_equal(found[held], alpha[held])
    assert bool(((found == alpha) | (found == 0)).all())


# --- how much is in doubt


def soft_square(edge: int) -> np.ndarray:
    """A sure square of 160 cells in the middle of 320, its edge fading over ``edge`` cells."""
    ramp = np.clip((80.5 + edge / 2 - np.abs(np.arange(320) - 159.5)) / max(edge, 1), 0, 1).astype(np.float32)
    found: np.ndarray = np.minimum(ramp[:, None], ramp[None, :])
    return found


@given(st.integers(0, 14))
def test_a_soft_edge_is_no_doubt(edge: int) -> None:
    assert doubtful(soft_square(edge)) == 0


def test_a_patch_that_may_be_a_person_is_doubt_by_its_share_of_the_area() -> None:
    mask = soft_square(0)
    mask[:80, :160] = 0.6
    expected = 80 * 160 / (160 * 160 + 80 * 160)
    assert abs(doubtful(mask) - expected) < 1e-6  # corners of a rectangle outlast a square window


def test_a_person_that_is_unsure_inside_is_in_doubt_and_one_that_is_unsure_everywhere_wholly() -> None:
    mask = soft_square(8)
    before = doubtful(mask)
    mask[120:200, 120:200] = 0.5
    assert before == 0 and doubtful(mask) > 0.2
    assert doubtful(np.full((64, 64), 0.5, np.float32)) == 1


def test_nobody_is_in_no_doubt() -> None:
    assert doubtful(np.zeros((64, 64), np.float32)) == 0
    assert doubtful(np.full((64, 64), 0.1, np.float32)) == 0


@given(masks)
def test_doubt_is_a_share(mask: np.ndarray) -> None:
    assert 0 <= doubtful(mask) <= 1


def two_islands(left: float, right: float) -> np.ndarray:
    mask = np.zeros((40, 60), np.float32)
    mask[10:30, 5:25], mask[10:30, 35:55] = left, right
    return mask


def test_an_unsure_island_without_a_body_goes_and_one_with_a_body_stays() -> None:
    mask, body = two_islands(0.6, 0.6), np.zeros((10, 15), np.float32)
    body[5, 3] = 0.8  # of another size than the mask: of the same picture, smaller
    found = drop_bodiless(mask, body)
    assert np.array_equal(found[:, :30], mask[:, :30])
    assert not found[:, 30:].any()


def test_a_sure_island_without_a_body_stays_beside_somebody_it_may_be_an_arm() -> None:
    mask, body = two_islands(1, 0.8), np.zeros((40, 60), np.float32)
    body[20, 15] = 0.8
    assert np.array_equal(drop_bodiless(mask, body), mask)


def test_the_same_island_goes_where_nobody_else_is() -> None:
    assert not drop_bodiless(two_islands(0, 0.8), np.zeros((40, 60), np.float32)).any()


def test_a_picture_that_is_sure_stays_without_any_body() -> None:
    mask = two_islands(1, 0.95)
    assert not questionable(mask)
    assert np.array_equal(drop_bodiless(mask, np.zeros_like(mask)), mask)


def test_an_empty_mask_is_no_question() -> None:
    assert not questionable(np.zeros((9, 9), np.float32))


@given(masks, masks)
def test_islands_go_whole_or_stay_and_only_where_they_are_asked_about(mask: np.ndarray, body: np.ndarray) -> None:
    found = drop_bodiless(mask, body)
    assert bool(((found == mask) | (found == 0)).all())
    assert questionable(mask) or np.array_equal(found, mask)
