"""What strokes, clicks and a trimap change of a matte, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bshm import geometry
from bshm.corrections import Corrections, Kind, Stroke
from bshm.errors import CorrectionsError, NobodyThereError, ShapeError
from bshm.matting import correcting
from bshm.matting.refine import guided_filter
from bshm.types import FloatArray, PixelArray

# A wall, a red body with a blue hole in its matte, and a green thing beside it that was taken for a person.
HEIGHT, WIDTH = 240, 320
BODY, HOLE, THING = np.s_[40:240, 60:160], np.s_[110:150, 90:130], np.s_[60:120, 220:280]


def scene(scale: int = 1) -> tuple[PixelArray, FloatArray, FloatArray]:
    """Pixels, the alpha that has a hole and an island too many, and its mask."""
    rng = np.random.default_rng(7)
    pixels = np.full((HEIGHT, WIDTH, 3), (190, 180, 170), np.uint8)
    pixels[BODY], pixels[HOLE], pixels[THING] = (200, 40, 30), (40, 50, 190), (30, 140, 40)
    pixels += rng.integers(0, 6, pixels.shape, np.uint8)
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[BODY], alpha[HOLE], alpha[THING] = 1, 0, 1
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    alpha = alpha.repeat(scale, 0).repeat(scale, 1)
    return pixels, alpha, geometry.enlarge(alpha, (HEIGHT, WIDTH))


def corrected(*strokes: Stroke, scale: int = 1, trimap: FloatArray | None = None) -> correcting.Corrected:
    pixels, alpha, mask = scene(scale)
    return correcting.apply(pixels, alpha, mask, Corrections(strokes), guided_filter.refine, trimap)


def at(x: int, y: int) -> tuple[float, float]:
    return (x + 0.5) / WIDTH, (y + 0.5) / HEIGHT


FILL = Stroke("keep", (at(100, 130), at(120, 130)), 16 / WIDTH)
REMOVE = Stroke("erase", (at(235, 90), at(265, 90)), 20 / WIDTH)


@pytest.mark.parametrize("scale", [1, 3])
def test_a_keep_stroke_fills_the_hole_that_it_is_drawn_in_at_every_size(scale: int) -> None:
    found = corrected(FILL, scale=scale)
    hole = found.alpha.reshape(HEIGHT, scale, WIDTH, scale).mean((1, 3))[HOLE]
    assert hole.mean() > 0.99 and hole[2:-2, 2:-2].min() > 0.95


@pytest.mark.parametrize("scale", [1, 3])
def test_an_erase_stroke_takes_the_island_that_it_runs_through_at_every_size(scale: int) -> None:
    found = corrected(REMOVE, scale=scale)
    assert found.alpha[:, 200 * scale :].max() < 0.05
    assert np.array_equal(found.alpha[:, : 180 * scale], scene(scale)[1][:, : 180 * scale])


def test_the_core_is_what_the_stroke_says_whatever_the_picture_shows() -> None:
    across = Stroke("erase", (at(110, 60), at(110, 90)), 8 / WIDTH)  # in the midst of the red body
    assert corrected(across).alpha[62:88, 110].max() == 0
    onto_the_wall = Stroke("keep", (at(20, 60), at(20, 90)), 8 / WIDTH)
    assert corrected(onto_the_wall).alpha[62:88, 20].min() == 1


@settings(max_examples=8)
@given(
    some.lists(
        some.builds(
            Stroke,
            some.sampled_from(["keep", "erase", "soft"]),
            some.lists(some.tuples(some.floats(0, 1), some.floats(0, 1)), min_size=1, max_size=3).map(tuple),
            some.floats(0.002, 0.03),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_beyond_the_reach_every_bit_stays_and_alpha_stays_between_0_and_1(strokes: list[Stroke]) -> None:
    _, alpha, mask = scene()
    found = corrected(*strokes)
    assert np.array_equal(found.alpha[~found.reach], alpha[~found.reach])
    assert found.alpha.dtype == np.float32 and found.alpha.min() >= 0 and found.alpha.max() <= 1
    assert found.mask is not None and found.mask.shape == mask.shape
    assert found.mask.min() >= 0 and found.mask.max() <= 1
    kinds = {stroke.kind for stroke in strokes}
    if kinds == {"keep"}:
        assert (found.alpha >= alpha).all()
    if kinds == {"erase"}:
        assert (found.alpha <= alpha).all()


def test_a_reach_goes_by_the_width_of_the_stroke() -> None:
    def size(width: int) -> int:
        return int(np.count_nonzero(corrected(Stroke("keep", (at(20, 200), at(30, 200)), width / WIDTH)).reach))

    assert size(2) < size(6) < size(12) < 0.2 * HEIGHT * WIDTH


def test_the_same_comes_out_each_time() -> None:
    first, second = corrected(FILL, REMOVE), corrected(FILL, REMOVE)
    assert np.array_equal(first.alpha, second.alpha)


def test_no_array_that_is_given_is_changed() -> None:
    pixels, alpha, mask = scene()
    before = pixels.copy(), alpha.copy(), mask.copy()
    correcting.apply(pixels, alpha, mask, Corrections((FILL, REMOVE)), guided_filter.refine)
    assert all(np.array_equal(one, other) for one, other in zip(before, (pixels, alpha, mask), strict=True))


def test_of_two_strokes_that_meet_the_later_one_counts() -> None:
    line = (at(100, 130), at(120, 130))
    keep, erase = (Stroke(kind, line, 16 / WIDTH) for kind in ("keep", "erase"))
    assert corrected(keep, erase).alpha[130, 104:116].max() == 0
    assert corrected(erase, keep).alpha[130, 104:116].min() == 1


def test_weights_without_a_mask_are_corrected_by_their_alpha() -> None:
    pixels, alpha, _ = scene()
    found = correcting.apply(pixels, alpha, None, Corrections((FILL,)), guided_filter.refine)
    assert found.mask is None and found.alpha[HOLE].mean() > 0.99


def test_what_was_decided_is_in_the_mask_that_the_verdict_goes_by() -> None:
    found = corrected(FILL)
    assert found.mask is not None and found.mask[HOLE].mean() > 0.9 > 0.1 > scene()[2][HOLE].mean()


@pytest.mark.parametrize(("kind", "x", "y"), [("erase", 250, 90), ("keep", 110, 130)])
def test_a_click_means_the_thing_under_it(kind: Kind, x: int, y: int) -> None:
    found = corrected(Stroke(kind, (at(x, y),)))
    thing, wanted = (THING, 0) if kind == "erase" else (HOLE, 1)
    assert np.abs(found.alpha[thing] - wanted).mean() < 0.05


@pytest.mark.parametrize(
    ("kind", "x", "y", "told"),
    [
        ("keep", 110, 60, "kept already"),
        ("erase", 20, 20, "nothing is kept there"),
        ("keep", 20, 20, "no one can say what is meant"),
    ],
)
def test_a_click_that_means_nothing_is_refused_and_its_place_told(kind: Kind, x: int, y: int, told: str) -> None:
    with pytest.raises(NobodyThereError, match=r"click at .*% \(correction 2\)") as caught:
        corrected(FILL, Stroke(kind, (at(x, y),)))
    assert told in str(caught.value)


def test_a_trimap_is_followed_where_it_is_opaque() -> None:
    trimap = np.zeros((HEIGHT // 2, WIDTH // 2, 2), np.float32)
    trimap[55:75, 45:65] = 1  # white over the hole
    trimap[28:62, 108:142] = (0, 1)  # black over the thing
    found = corrected(trimap=trimap)
    assert found.alpha[HOLE].min() == 1 and found.alpha[THING].max() == 0
    assert np.array_equal(found.alpha[~found.reach], scene()[1][~found.reach])
    assert found.reach.mean() < 0.15


def test_a_trimap_of_another_shape_is_refused() -> None:
    with pytest.raises(CorrectionsError, match=r"trimap .* is 320x320, but the picture is 320x240"):
        corrected(trimap=np.ones((320, 320, 2), np.float32))


def test_a_stroke_comes_after_the_trimap() -> None:
    trimap = np.ones((HEIGHT, WIDTH, 2), np.float32)
    assert corrected(REMOVE, trimap=trimap).alpha[90, 240:260].max() == 0


def test_a_soft_stroke_leaves_it_to_the_networks_once_more() -> None:
    seen: list[FloatArray] = []

    def half(pixels: PixelArray, mask: FloatArray) -> FloatArray:
        seen.append(mask)
        return np.full(pixels.shape[:2], 0.25, np.float32)

    pixels, alpha, mask = scene()
    edge = Stroke("soft", (at(160, 100), at(160, 130)), 10 / WIDTH)
    found = correcting.apply(pixels, alpha, mask, Corrections((edge,)), half)
    assert found.alpha[115, 160] == 0.25 and np.count_nonzero(seen[0] == 0.5) > 100


def test_sixteen_bits_give_the_same_as_eight() -> None:
    pixels, alpha, mask = scene()
    wide = correcting.apply(
        geometry.in_depth(pixels, np.uint16), alpha, mask, Corrections((FILL,)), guided_filter.refine
    )
    assert np.abs(wide.alpha - corrected(FILL).alpha).max() < 0.02


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (17, 5)])
def test_the_smallest_pictures_are_corrected(size: tuple[int, int]) -> None:
    pixels, alpha = np.zeros((*size, 3), np.uint8), np.zeros(size, np.float32)
    stroke = Stroke("keep", ((0, 0), (1, 1)), 0.01)
    found = correcting.apply(
        pixels, alpha, np.zeros((64, 64), np.float32), Corrections((stroke,)), guided_filter.refine
    )
    assert found.alpha.max() == 1


def test_a_stroke_along_the_frame_changes_what_lies_at_the_frame() -> None:
    found = corrected(Stroke("erase", ((0.2, 1.0), (0.5, 1.0)), 20 / WIDTH))
    assert found.alpha[-1, 80:140].max() == 0


def test_pixels_and_alpha_of_two_sizes_are_refused() -> None:
    pixels, alpha, mask = scene()
    with pytest.raises(ShapeError):
        correcting.apply(pixels, alpha[:-1], mask, Corrections(), guided_filter.refine)


def photograph(seed: int, size_hw: tuple[int, int] = (200, 300)) -> PixelArray:
    """Something with large and small parts, as photographs have."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 9, 3), np.uint8)
    return geometry.enlarge(coarse, size_hw)


@pytest.mark.parametrize("size_hw", [(100, 150), (400, 600), (67, 101)])
def test_a_picture_is_known_again_at_another_size(size_hw: tuple[int, int]) -> None:
    corrections = Corrections().of(correcting.mark_of(photograph(1)))
    correcting.check(corrections, geometry.resize(photograph(1), size_hw), "a.jpg")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (photograph(2), "looks different"),
        (photograph(1)[:, ::-1], "looks different"),
        (photograph(1)[:, :200], "another shape"),
        (photograph(1).transpose(1, 0, 2), "300x200, but a.jpg is 200x300"),
    ],
)
def test_another_picture_is_refused(other: PixelArray, told: str) -> None:
    corrections = Corrections().of(correcting.mark_of(photograph(1)))
    with pytest.raises(CorrectionsError, match=told):
        correcting.check(corrections, other.copy(), "a.jpg")
