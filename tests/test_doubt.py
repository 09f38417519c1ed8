"""Islands of doubt."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bshm.refine.doubt import drop_doubtful

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
