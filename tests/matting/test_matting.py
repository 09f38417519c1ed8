"""Native-resolution tiles: what they cover, what they cost, and that nobody sees where they lay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bshm import geometry
from bshm.matting.networks import matting

LEVEL = 1 / 255


class Unchanged:
    """The network before training: alpha is the guide."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        assert {name: value.dtype for name, value in feeds.items()} == dict.fromkeys(
            ("image", "mask", "guide"), np.float32
        )
        assert feeds["mask"].shape == feeds["guide"].shape == (1, 1, *feeds["image"].shape[2:])
        assert feeds["image"].flags.c_contiguous and feeds["image"].min() >= 0 and feeds["image"].max() <= 1
        self.shapes.append(feeds["image"].shape[2:])
        return {"alpha": feeds["guide"]}


class FromTheColour(Unchanged):
    """A network that looks 21 px around: alpha is the local mean of red, where the mask is unsure.

    Zeros surround what it sees, as padding does in a network, so that its outermost 10 px are wrong.
    """

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        super().run(feeds)
        mask = feeds["mask"][0, 0]
        red = cv2.blur(feeds["image"][0, 0], (21, 21), borderType=cv2.BORDER_CONSTANT)
        return {"alpha": np.where((mask > 0.02) & (mask < 0.98), red, mask)[None, None]}


def disc(side: int, cells: int = 256, soft_cells: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """A red disc on black with a noisy edge: pixels (side, side, 3) uint8 and a unified mask (cells, cells)."""
    y, x = np.mgrid[:cells, :cells] + 0.5
    distance = np.hypot(y - 0.5 * cells, x - 0.47 * cells)
    unified = np.clip((0.3 * cells - distance) / soft_cells + 0.5, 0, 1).astype(np.float32)
    enlarged = cv2.resize(unified, (side, side))
    red = np.clip(enlarged + np.random.default_rng(0).normal(0, 0.1, enlarged.shape), 0, 1)
    return np.dstack([red * 255, np.zeros((side, side, 2))]).astype(np.uint8), unified


def refined(session: Any, pixels: np.ndarray, unified: np.ndarray, **options: int) -> np.ndarray:
    """``refine`` behind a guided filter that draws no edge: its alpha is the enlarged mask."""
    guide = geometry.enlarge(unified, (pixels.shape[0], pixels.shape[1]))
    return matting.refine(session, pixels, unified, guide, **options)


def stretched(alpha: np.ndarray) -> np.ndarray:
    """What ``refine`` does to every alpha of the network."""
    return np.clip((alpha - 0.012) / (1 - 0.024), 0, 1)


def test_a_network_that_changes_nothing_leaves_the_enlarged_mask() -> None:
    pixels, unified = disc(700)
    alpha = refined(Unchanged(), pixels, unified)
    wanted = stretched(cv2.resize(unified, (700, 700)))
    assert alpha.dtype == np.float32
    assert np.abs(alpha - wanted).max() < 1e-6  # float32


def test_the_network_sees_the_unified_mask_and_the_guide() -> None:
    class Seen(Unchanged):
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            assert (feeds["mask"] == 0.5).all() and (feeds["guide"] == 0.25).all()
            return super().run(feeds)

    size_hw = (300, 200)
    guide = np.full(size_hw, 0.25, np.float32)
    session = Seen()
    alpha = matting.refine(session, np.zeros((*size_hw, 3), np.uint8), np.full((64, 64), 0.5, np.float32), guide)
    assert session.shapes and np.abs(alpha - stretched(np.array(0.25, np.float32))).max() < 1e-6  # float32


def test_what_the_network_says_stands_in_the_alpha() -> None:
    pixels, unified = disc(700)
    alpha = refined(FromTheColour(), pixels, unified)
    mask = cv2.resize(unified, (700, 700))
    red = cv2.blur(pixels[..., 0].astype(np.float32) / 255, (21, 21))
    wanted = stretched(np.where((mask > 0.02) & (mask < 0.98), red, mask))
    # Fades weigh and add: sums that are one but for float32's rounding.
    assert np.abs(alpha - wanted).max() < 1e-5


@pytest.mark.parametrize("found", [0.0, 1.0])
def test_strands_and_holes_are_taken_near_what_is_unsure_and_not_far_from_it(found: float) -> None:
    class Says(Unchanged):
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            return {"alpha": np.full_like(feeds["guide"], found)}

    # Of 512 cells, so that tiles reach farther than strands and holes may.
    pixels, unified = disc(1024, cells=512)
    alpha = refined(Says(), pixels, unified)
    unsure = matting.unsure_cells(unified).astype(np.uint8)
    away = cv2.resize(cv2.distanceTransform(1 - unsure, cv2.DIST_C, 3), (1024, 1024), interpolation=cv2.INTER_NEAREST)
    guide = geometry.enlarge(unified, (1024, 1024))
    # The fade is five cells wide, and enlarging reaches one farther.
    far = away > 8 + 4
    assert np.abs(alpha[away == 0] - found).max() < 1e-6
    for side in (guide < 0.5, guide >= 0.5):
        assert (far & side).any() and np.array_equal(alpha[far & side], guide[far & side])


@pytest.mark.parametrize("origin_px", [1, 8, 16, 77, 128, 1000])
def test_moving_the_tiles_does_not_show(origin_px: int) -> None:
    pixels, unified = disc(700)
    found = refined(FromTheColour(), pixels, unified, origin_px=origin_px)
    # The network looks 10 px around, less than the rim that is dropped; what remains is float32's rounding.
    assert np.abs(found - refined(FromTheColour(), pixels, unified)).max() < 1e-5


class FromFarAway(Unchanged):
    """As a trained network: mostly the surroundings of a pixel, and a little of everything that it sees."""

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        super().run(feeds)
        mask = feeds["mask"][0, 0]
        near = cv2.blur(feeds["image"][0, 0], (21, 21), borderType=cv2.BORDER_CONSTANT)
        found = 0.9 * near + 0.1 * feeds["image"][0, 0].mean()
        return {"alpha": np.where((mask > 0.02) & (mask < 0.98), found, mask)[None, None]}


def test_tiles_that_disagree_fade_into_each_other_without_a_step() -> None:
    side = 700
    pixels, unified = disc(side, soft_cells=120.0)  # unsure nearly everywhere
    pixels[:] = (128, 0, 0)
    pixels[:, side // 2 :, 0] = 250  # tiles on the left see a darker picture
    alpha = refined(FromFarAway(), pixels, unified)
    soft = cv2.resize(unified, (side, side))
    steps = np.abs(np.diff(alpha, axis=0))[((soft > 0.1) & (soft < 0.9))[1:]]
    # Neighbours that are off by 0.1 of the picture's contrast (0.48) fade over 16 px: 0.003 a pixel.
    assert steps.max() < 2 * LEVEL


def test_the_result_does_not_depend_on_the_threads() -> None:
    pixels, unified = disc(900)
    once = refined(FromTheColour(), pixels, unified)
    assert all((refined(FromTheColour(), pixels, unified, threads=n) == once).all() for n in (2, 5))


def test_an_error_in_a_tile_is_raised() -> None:
    class Broken:
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            raise MemoryError("no room")

    pixels, unified = disc(700)
    for threads in (1, 3):
        with pytest.raises(MemoryError, match="no room"):
            refined(Broken(), pixels, unified, threads=threads)


@pytest.mark.parametrize("level", [0.0, 1.0, 0.01, 0.99])
def test_where_nothing_is_unsure_no_tile_runs(level: float) -> None:
    session = Unchanged()
    alpha = refined(session, np.zeros((300, 400, 3), np.uint8), np.full((64, 96), level, np.float32))
    assert session.shapes == []
    assert (alpha == np.float32(level)).all()


def test_a_hard_step_between_sure_cells_is_unsure_all_the_same() -> None:
    unified = np.zeros((64, 64), np.float32)
    unified[:, 32:] = 1
    assert matting.unsure_cells(unified)[:, 31:33].all()
    assert not matting.unsure_cells(unified)[:, :28].any()


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 2), (3, 500), (500, 3), (16, 16), (191, 193), (1, 3000)])
def test_pictures_of_any_shape_are_matted(size_hw: tuple[int, int]) -> None:
    pixels = np.full((*size_hw, 3), 128, np.uint8)
    alpha = refined(FromTheColour(), pixels, np.full((64, 64), 0.5, np.float32))
    assert alpha.shape == size_hw
    # Mirrored outwards: a picture of one colour has that colour all around, whatever its size.
    assert np.abs(alpha - stretched(np.array(128 / 255, np.float32))).max() < 1e-5


def test_sixteen_bits_are_seen_as_sixteen_bits() -> None:
    pixels, unified = disc(500)
    pixels = np.minimum(pixels, 250)
    fine = pixels.astype(np.uint16) * 257
    eight = refined(FromTheColour(), pixels, unified)
    assert np.abs(refined(FromTheColour(), fine, unified) - eight).max() < 1e-6  # float32
    fine[..., 0] += 128  # half a level of 8 bits
    assert 0.4 * LEVEL < (refined(FromTheColour(), fine, unified) - eight).max() < 0.6 * LEVEL


def test_the_pictures_arrays_are_left_as_they_were() -> None:
    pixels, unified = disc(400)
    before = pixels.copy(), unified.copy()
    refined(FromTheColour(), pixels, unified)
    assert (pixels == before[0]).all() and (unified == before[1]).all()


def test_tiles_come_in_few_shapes_that_the_network_can_pool() -> None:
    shapes = set()
    for side in (300, 777, 2000, 4001):
        session = Unchanged()
        refined(session, *disc(side))
        shapes |= set(session.shapes)
    assert all(height == matting.TILE_PX and width % 16 == 0 for height, width in shapes)
    assert len({width for _, width in shapes}) <= matting.WIDEST_PX // matting.WIDTH_STEP_PX


def _pixels(side: int, cells: int = 256) -> int:
    unsure = matting.unsure_cells(disc(side, cells)[1])
    return sum(tile.width * matting.TILE_PX for tile in matting.tiles(unsure, (side, side)))


def test_cost_follows_the_edge() -> None:
    """Four times the pixels of one scene: twice the work where the mask is finer, too; more where only the picture is.

    A thin edge doubles, as the rims are as wide as before.  The unsure band, some cells of the mask wide, grows in both
    directions when the mask does not grow along, so that 2 becomes 4 in the end; here it is 2.3.
    """
    small = _pixels(1024)
    assert 1.6 * small < _pixels(2048, cells=512) < 2.4 * small
    assert _pixels(2048) < 2.6 * small
    assert _pixels(4096, cells=1024) < 0.15 * 4096**2


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 300),
    st.integers(0, 2**32 - 1),
)
def test_every_unsure_pixel_counts_whole_and_none_twice(
    size_hw: tuple[int, int], cells_hw: tuple[int, int], origin_px: int, seed: int
) -> None:
    unsure = np.random.default_rng(seed).random(cells_hw) < 0.1
    height, width = size_hw
    reach = 1200
    weights = np.zeros((height + 2 * reach, width + 2 * reach))
    for tile in matting.tiles(unsure, size_hw, origin_px):
        assert tile.width <= matting.WIDEST_PX
        inner = tile.width - 2 * matting.RIM_PX, matting.TILE_PX - 2 * matting.RIM_PX
        y, x = tile.top + matting.RIM_PX + reach, tile.left + matting.RIM_PX + reach
        weights[y : y + inner[1], x : x + inner[0]] += np.outer(matting._ramp(inner[1]), matting._ramp(inner[0]))
    weights = weights[reach : reach + height, reach : reach + width]
    rows = np.arange(height) * cells_hw[0] // height
    columns = np.arange(width) * cells_hw[1] // width
    assert np.abs(weights[unsure[rows][:, columns]] - 1).max(initial=0) < 1e-6  # float32
    assert weights.max(initial=0) < 1 + 1e-6


@pytest.mark.parametrize("width", range(440, 560, 7))
def test_no_tile_lies_beyond_the_picture(width: int) -> None:
    unsure = np.ones((32, 32), bool)
    placed = list(matting.tiles(unsure, (200, width)))
    assert placed
    assert all(tile.left + matting.RIM_PX < width for tile in placed)
