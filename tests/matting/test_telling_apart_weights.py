"""The weights in the box tell people apart, and their mask is none the worse for it."""

from __future__ import annotations

import numpy as np
import pytest
import skimage

import bshm
from bshm.errors import OptionError
from bshm.matting.engines import clues
from bshm.runtime.session import OnnxSession


@pytest.fixture(scope="module")
def pair() -> np.ndarray:
    """The astronaut twice, side by side."""
    one = skimage.data.astronaut()[:, 20:420]
    return np.ascontiguousarray(np.hstack((one, one[:, ::-1])))


def test_two_people_side_by_side_are_two_from_left_to_right(pair: np.ndarray) -> None:
    options = bshm.MatteOptions(tell_apart=True, decontaminate=False)
    with bshm.Matting() as matting:
        matte, plain = matting.matte(pair, options), matting.matte(pair, bshm.MatteOptions(decontaminate=False))
    assert np.array_equal(matte.alpha, plain.alpha)
    assert plain.people is None
    assert matte.people is not None and len(matte.people) == 2
    left, right = matte.people
    assert np.abs(left + right - matte.alpha).max() < 1e-5
    half = pair.shape[1] // 2
    assert left[:, :half].sum() > 0.95 * left.sum() and right[:, half:].sum() > 0.95 * right.sum()
    assert sorted(matte.depth) == [0, 1]


def test_weights_without_the_answer_are_refused_by_name(pair: np.ndarray) -> None:
    with bshm.Matting(model="bshm-live") as matting, pytest.raises(OptionError, match="bshm-live does not"):
        matting.matte(pair, bshm.MatteOptions(tell_apart=True))


def test_weights_without_the_answer_are_not_run_for_it(pair: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with bshm.Matting(model="bshm-live") as matting:
        monkeypatch.setattr(OnnxSession, "run", lambda *_: pytest.fail("a run for nothing"))
        assert clues(matting.engine, pair) is None
