"""What a network is shown: planes of RGB, 0..1, whatever depth the picture has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bshm.matting.networks.mask import network_input, predict
from bshm.weights.card import Look, Network, Preprocessing, Signature


def looking(**look: Any) -> Network:
    """The entry of a mask network that looks at 64² pixels, once unless ``look`` says more."""
    return Network("a.onnx", "", 0, 0, Preprocessing(32), -1, look=Look(64, **look))


def test_eight_and_sixteen_bits_give_the_same_planes_of_rgb() -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[..., 0] = 255
    rule = Preprocessing(32)
    found = network_input(pixels, rule, 64)
    assert found.dtype == np.float32 and found.shape[:2] == (1, 3)
    assert found[0, 0].min() == 1 and found[0, 1:].max() == 0
    assert np.array_equal(found, network_input(pixels.astype(np.uint16) * 257, rule, 64))


class _LooksLeft:
    """A network that believes in people on the left alone."""

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        height, width = feeds["image"].shape[2:]
        return {"mask": np.tile(np.linspace(1, 0, width, dtype=np.float32), (height, 1))[None, None]}


def test_what_a_network_sees_mirrored_counts_as_much_as_what_it_sees_upright() -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    once = predict(_LooksLeft(), looking(), pixels)
    twice = predict(_LooksLeft(), looking(mirrored=True), pixels)
    assert once[0, 0] == 1
    np.testing.assert_allclose(twice, 0.5, atol=1e-6)  # single precision


class _SeesAShare:
    """A network that finds one thing everywhere, and another when it looks closer."""

    def __init__(self, share: float) -> None:
        self.share, self.seen = share, list[int]()

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        height, width = feeds["image"].shape[2:]
        self.seen.append(width)
        return {"mask": np.full((1, 1, height, width), self.share if width == 64 else 1.0, np.float32)}


@pytest.mark.parametrize(("share", "sides", "found"), [(0.1, [64, 96], 1.0), (0.25, [64, 96], 0.625), (0.5, [64], 0.5)])
def test_a_picture_that_people_cover_little_of_is_looked_at_closer(
    share: float, sides: list[int], found: float
) -> None:
    network, pixels = _SeesAShare(share), np.zeros((64, 64, 3), np.uint8)
    mask = predict(network, looking(closer_px=96), pixels)
    assert network.seen == sides
    assert mask.shape == (sides[-1], sides[-1])
    np.testing.assert_allclose(mask, found, atol=1e-6)  # single precision


@pytest.mark.parametrize(("share", "looks"), [(0.1, 2), (0.25, 3), (0.5, 2)])
def test_a_closer_look_takes_the_place_of_the_mirrored_one(share: float, looks: int) -> None:
    network = _SeesAShare(share)
    predict(network, looking(mirrored=True, closer_px=96), np.zeros((64, 64, 3), np.uint8))
    assert len(network.seen) == looks


@pytest.mark.parametrize("closer_px", [32, 64])
def test_a_closer_look_is_closer(closer_px: int) -> None:
    with pytest.raises(ValueError, match="closer_px must be more than side_px"):
        Look(64, closer_px=closer_px)


@pytest.mark.parametrize("looks", [{"mirrored": True}, {"closer_px": 96}])
def test_a_network_from_elsewhere_looks_once(looks: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="mirrored or closer"):
        Network("a.onnx", "", 0, 0, Preprocessing(32), -1, Signature("image", "mask"), Look(64, **looks))
