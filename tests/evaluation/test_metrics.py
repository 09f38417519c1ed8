"""The metrics against identities, known tiny answers, and slow references in plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from bshm.errors import OptionError, ShapeError
from bshm.evaluation import metrics

# Small arrays in numbers; no deadline, since a busy machine may stop a test for longer than any.
QUICK = settings(max_examples=40, deadline=None)

Array = npt.NDArray[np.float32]
SYMMETRIC = [metrics.sad, metrics.mad, metrics.mse, metrics.grad, metrics.conn, metrics.iou]
ERRORS = [metrics.sad, metrics.mad, metrics.mse, metrics.grad, metrics.conn]

# float32 arithmetic in the package against float64 in the references: a few units in the last place of each term.
FLOAT32 = 2e-5


def levels(shape: tuple[int, int]) -> st.SearchStrategy[Array]:
    """Alphas of 8-bit levels, with many exact 0 and 1, as files hold them."""
    level = st.one_of(st.sampled_from([0, 255]), st.integers(0, 255))
    return hnp.arrays(np.uint8, shape, elements=level).map(lambda a: a.astype(np.float32) / np.float32(255))


@st.composite
def two_alphas(draw: st.DrawFn) -> tuple[Array, Array]:
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    return draw(levels(shape)), draw(levels(shape))


def smooth_alphas() -> tuple[Array, Array]:
    """A disc with a soft edge, and the same disc shifted, softer and with an island and a hole."""
    y, x = np.mgrid[0:48, 0:64].astype(np.float32)
    reference = np.clip((18 - np.hypot(y - 24, x - 28)) / 3, 0, 1)
    alpha = np.clip((17 - np.hypot(y - 25, x - 30)) / 6, 0, 1)
    alpha[5:9, 55:60] = 0.8
    alpha[22:26, 26:30] = 0.35
    return alpha.astype(np.float32), reference.astype(np.float32)


# -- slow references -----------------------------------------------------------------------------------------------


def slow_grad(alpha: Array, reference: Array, region: npt.NDArray[np.bool_] | None = None) -> float:
    """Every tap of the published filter for every pixel."""
    sigma = 1.4
    half = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * 1e-2)))

    def gauss(x: int) -> float:
        return math.exp(-(x**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))

    taps = {(i, j): gauss(i) * -j * gauss(j) / sigma**2 for i in range(-half, half + 1) for j in range(-half, half + 1)}
    norm = math.sqrt(sum(tap**2 for tap in taps.values()))
    height, width = alpha.shape

    def length(image: Array, y: int, x: int) -> float:
        across = down = 0.0
        for (i, j), tap in taps.items():
            across += tap / norm * float(image[min(max(y + i, 0), height - 1), min(max(x + j, 0), width - 1)])
            down += tap / norm * float(image[min(max(y + j, 0), height - 1), min(max(x + i, 0), width - 1)])
        return math.hypot(across, down)

    total = 0.0
    for y in range(height):
        for x in range(width):
            if region is None or region[y, x]:
                total += (length(alpha, y, x) - length(reference, y, x)) ** 2
    return total / 1000


def slow_largest_piece(mask: npt.NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Flood fill from every pixel in reading order; the first of the largest pieces."""
    largest: set[tuple[int, int]] = set()
    seen: set[tuple[int, int]] = set()
    for start in zip(*np.nonzero(mask), strict=True):
        if start in seen:
            continue
        piece = {start}
        pending = [start]
        while pending:
            y, x = pending.pop()
            for beside in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= beside[0] < mask.shape[0] and 0 <= beside[1] < mask.shape[1]
                if inside and beside not in piece and mask[beside]:
                    piece.add(beside)
                    pending.append(beside)
        seen |= piece
        if len(piece) > len(largest):
            largest = piece
    return largest


def slow_conn(alpha: Array, reference: Array, region: npt.NDArray[np.bool_] | None = None) -> float:
    """The published steps: a map of -1, set to the threshold before the one at which a pixel first drops out."""
    thresholds = [step / 10 for step in range(11)]
    dropped: dict[tuple[int, int], float] = {}
    pixels = [(y, x) for y in range(alpha.shape[0]) for x in range(alpha.shape[1])]
    for i in range(1, 11):
        level = np.float32(thresholds[i])
        body = slow_largest_piece((alpha >= level) & (reference >= level))
        for pixel in pixels:
            if pixel not in body and pixel not in dropped:
                dropped[pixel] = thresholds[i - 1]
    total = 0.0
    for pixel in pixels:
        if region is not None and not region[pixel]:
            continue
        phi = []
        for image in (alpha, reference):
            beyond = float(image[pixel]) - dropped.get(pixel, 1.0)
            phi.append(1 - beyond * (beyond >= 0.15))
        total += abs(phi[0] - phi[1])
    return total / 1000


def slow_dtssd(alphas: list[Array], references: list[Array]) -> float:
    steps = []
    for t in range(1, len(alphas)):
        squares = [
            ((float(alphas[t][p]) - float(alphas[t - 1][p])) - (float(references[t][p]) - float(references[t - 1][p])))
            ** 2
            for p in np.ndindex(alphas[t].shape)
        ]
        steps.append(math.sqrt(sum(squares) / len(squares)))
    return sum(steps) / len(steps)


# -- identities ----------------------------------------------------------------------------------------------------


@settings(QUICK)
@given(two_alphas())
def test_an_alpha_has_no_error_against_itself(pair: tuple[Array, Array]) -> None:
    alpha, _ = pair
    assert [error(alpha, alpha) for error in ERRORS] == [0, 0, 0, 0, 0]
    assert metrics.iou(alpha, alpha) == 1


@settings(QUICK)
@given(two_alphas())
def test_both_alphas_may_change_places(pair: tuple[Array, Array]) -> None:
    for metric in SYMMETRIC:
        assert metric(*pair) == metric(*reversed(pair))


@settings(QUICK)
@given(two_alphas())
def test_a_mirrored_pair_has_the_same_sums(pair: tuple[Array, Array]) -> None:
    alpha, reference = pair
    for metric in (metrics.sad, metrics.mad, metrics.mse, metrics.grad, metrics.iou):
        mirrored = metric(alpha[:, ::-1], reference[:, ::-1])
        assert mirrored == pytest.approx(metric(alpha, reference), rel=FLOAT32, abs=1e-9)


@settings(QUICK)
@given(two_alphas())
def test_the_values_stay_in_their_ranges(pair: tuple[Array, Array]) -> None:
    size = pair[0].size
    assert 0 <= metrics.mse(*pair) <= metrics.mad(*pair) <= 1
    assert metrics.sad(*pair) == pytest.approx(metrics.mad(*pair) * size)
    assert metrics.grad(*pair) >= 0
    assert 0 <= metrics.conn(*pair) <= size / 1000
    assert 0 <= metrics.iou(*pair) <= 1


@settings(QUICK)
@given(two_alphas(), st.integers(0, 80))
def test_a_region_and_the_rest_add_up_to_the_whole(pair: tuple[Array, Array], cut: int) -> None:
    region = (np.arange(pair[0].size) < cut).reshape(pair[0].shape)
    if region.all() or not region.any():
        return
    for total in (metrics.sad, metrics.grad, metrics.conn):
        parts = total(*pair, region=region) + total(*pair, region=~region)
        assert parts == pytest.approx(total(*pair), rel=1e-9, abs=1e-12)  # one order of summing against another


def test_what_does_not_count_is_in_no_figure_of_picture_or_band() -> None:
    alpha, reference = smooth_alphas()
    counted = np.ones(alpha.shape, np.bool_)
    counted[:, 30:] = False
    found = metrics.compare(alpha, reference, counted=counted)
    for name in ("sad", "mad", "mse", "grad", "conn", "iou"):
        assert getattr(found.whole, name) == getattr(metrics, name)(alpha, reference, region=counted)
    assert found.whole.pixels == 30 * 48
    band = metrics.unknown_band(reference) & counted
    assert found.band is not None
    assert (found.band.pixels, found.band.mad) == (band.sum(), metrics.mad(alpha, reference, region=band))
    lost = alpha.copy()
    lost[10:40, 50:] = 1
    assert metrics.compare(lost, reference, counted=counted).whole.mad == found.whole.mad
    for none_of_it in np.zeros(alpha.shape, np.bool_), counted[:-1]:
        with pytest.raises(ShapeError):
            metrics.compare(alpha, reference, counted=none_of_it)


@settings(QUICK)
@given(two_alphas())
def test_compare_says_what_the_single_functions_say(pair: tuple[Array, Array]) -> None:
    answer = metrics.compare(*pair, band_px=1)
    band = metrics.unknown_band(pair[1], band_px=1)
    whole = answer.whole
    assert (whole.sad, whole.mad, whole.mse) == (metrics.sad(*pair), metrics.mad(*pair), metrics.mse(*pair))
    assert (whole.grad, whole.conn, whole.iou) == (metrics.grad(*pair), metrics.conn(*pair), metrics.iou(*pair))
    assert whole.pixels == pair[0].size
    assert (answer.band is None) == (not band.any())
    if answer.band is not None:
        assert answer.band.mad == metrics.mad(*pair, region=band)
        assert answer.band.grad == metrics.grad(*pair, region=band)
        assert answer.band.conn == metrics.conn(*pair, region=band)
        assert answer.band.pixels == np.count_nonzero(band)


# -- against the slow references -----------------------------------------------------------------------------------


@settings(QUICK, max_examples=12)
@given(two_alphas())
def test_grad_is_what_plain_loops_give(pair: tuple[Array, Array]) -> None:
    assert metrics.grad(*pair) == pytest.approx(slow_grad(*pair), rel=FLOAT32, abs=1e-9)


def test_grad_is_what_plain_loops_give_on_a_smooth_edge_and_in_its_band() -> None:
    alpha, reference = (image[8:40, 6:38] for image in smooth_alphas())
    band = metrics.unknown_band(reference, band_px=2)
    assert metrics.grad(alpha, reference) == pytest.approx(slow_grad(alpha, reference), rel=FLOAT32)
    within = slow_grad(alpha, reference, band)
    assert metrics.grad(alpha, reference, region=band) == pytest.approx(within, rel=FLOAT32)


def test_grad_follows_a_gaussian_derivative_of_another_maker() -> None:
    """Same shape as scipy's, whose filters have unit sum instead of unit norm and longer tails."""
    alpha, reference = smooth_alphas()

    def length(image: Array) -> npt.NDArray[np.float64]:
        slopes = [
            ndimage.gaussian_filter(image.astype(np.float64), 1.4, order=o, mode="nearest") for o in ((0, 1), (1, 0))
        ]
        strength: np.ndarray = np.hypot(*slopes)
        return strength

    # The L2 norm of a continuous Gaussian derivative is 1 / (sqrt(8 pi) sigma^2); scipy's filters still have it.
    norm = 1 / (math.sqrt(8 * math.pi) * 1.4**2)
    theirs = float(((length(alpha) - length(reference)) ** 2).sum()) / norm**2 / 1000
    # 9 taps against scipy's 13, and sampled against continuous norms: below 2 per cent.
    assert metrics.grad(alpha, reference) == pytest.approx(theirs, rel=0.02)


@settings(QUICK)
@given(two_alphas())
def test_conn_is_what_a_flood_fill_gives(pair: tuple[Array, Array]) -> None:
    assert metrics.conn(*pair) == pytest.approx(slow_conn(*pair), rel=FLOAT32, abs=1e-9)


def test_conn_is_what_a_flood_fill_gives_on_a_smooth_edge_and_in_its_band() -> None:
    alpha, reference = smooth_alphas()
    band = metrics.unknown_band(reference, band_px=3)
    assert metrics.conn(alpha, reference) == pytest.approx(slow_conn(alpha, reference), rel=FLOAT32)
    within = slow_conn(alpha, reference, band)
    assert metrics.conn(alpha, reference, region=band) == pytest.approx(within, rel=FLOAT32)


@settings(QUICK, max_examples=20)
@given(st.integers(2, 4), st.data())
def test_dtssd_is_what_plain_loops_give(frames: int, data: st.DataObject) -> None:
    alphas = [data.draw(levels((3, 4))) for _ in range(frames)]
    references = [data.draw(levels((3, 4))) for _ in range(frames)]
    expected = slow_dtssd(alphas, references)
    assert metrics.dtssd(alphas, references) == pytest.approx(expected, rel=FLOAT32, abs=1e-7)


# -- known tiny answers --------------------------------------------------------------------------------------------


def test_two_tiny_alphas_have_the_answers_of_a_hand_calculation() -> None:
    alpha = np.array([[0, 0.5], [1, 1]], np.float32)
    reference = np.array([[0, 1], [1, 0.5]], np.float32)
    answer = metrics.compare(alpha, reference, band_px=0).whole
    assert (answer.sad, answer.mad, answer.mse) == (1.0, 0.25, 0.125)
    assert answer.sad_thousands == 0.001
    assert answer.iou == 1 / 3  # masks {10, 11} and {01, 10}


def test_conn_forgives_a_fault_below_theta() -> None:
    body = np.ones((4, 4), np.float32)
    # 1 against 0.9: the pixel holds on up to 0.9, and 0.1 beyond that is below 0.15.
    faint = body.copy()
    faint[0, 0] = 0.9
    assert metrics.conn(faint, body) == 0
    faint[0, 0] = 0.7
    assert metrics.conn(faint, body) == pytest.approx(0.3 / 1000, rel=FLOAT32)


def test_conn_counts_diagonal_neighbours_as_apart() -> None:
    reference = np.eye(2, dtype=np.float32)
    missing = reference.copy()
    missing[1, 1] = 0
    assert metrics.conn(missing, reference) == pytest.approx(1 / 1000)


def test_grad_of_a_constant_offset_is_nothing() -> None:
    reference = smooth_alphas()[1] * np.float32(0.5)
    shifted = reference + np.float32(0.25)
    assert metrics.grad(shifted, reference) == pytest.approx(0, abs=1e-9)  # float32 rounding of the offset


def test_both_empty_masks_agree() -> None:
    nobody = np.zeros((3, 3), np.float32)
    assert metrics.iou(nobody, nobody) == 1
    assert metrics.iou(np.ones_like(nobody), nobody) == 0


def test_a_constant_error_does_not_flicker() -> None:
    references = np.stack([smooth_alphas()[1]] * 3)
    alphas = np.clip(references + np.float32(0.2) * (references < 0.5), 0, 1)
    assert metrics.dtssd(alphas, references) == 0


def test_the_flicker_tally_gives_the_function_s_answer_and_none_before_the_second_frame() -> None:
    tally = metrics.FlickerTally()
    frames = [np.full((2, 3), value, np.float32) for value in (0.1, 0.9, 0.4)]
    still = np.zeros((2, 3), np.float32)
    assert tally.finish() is None
    for frame in frames:
        tally.add(frame, still)
    assert tally.finish() == metrics.dtssd(frames, [still] * 3)


def test_flicker_outside_the_region_does_not_count() -> None:
    tally = metrics.FlickerTally()
    region = np.array([[True, False]])
    for value in (0.0, 1.0):
        tally.add(np.array([[0.5, value]], np.float32), np.array([[0.5, 0.5]], np.float32), region=region)
    assert tally.finish() == 0


def test_the_tally_gives_the_mean_of_the_pictures_and_the_share_of_bad_ones() -> None:
    nobody = np.zeros((2, 2), np.float32)
    answers = [metrics.compare(np.full_like(nobody, v), nobody).whole for v in (0.0, 0.05, 0.25, 0.5)]
    summary = metrics.summarise(answers)
    assert summary is not None
    assert summary.pictures == 4
    assert summary.mean.mad == pytest.approx(0.2)
    assert summary.mean.sad == pytest.approx(0.8)
    assert summary.bad_share == 0.5


# -- regions -------------------------------------------------------------------------------------------------------


@settings(QUICK)
@given(levels((7, 8)), st.integers(0, 4))
def test_the_band_holds_all_pixels_near_a_soft_one(reference: Array, band_px: int) -> None:
    height, width = reference.shape
    soft = set()
    for y in range(height):
        for x in range(width):
            around = reference[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            if 0 < reference[y, x] < 1 or (around.max() == 1 and around.min() == 0):
                soft.add((y, x))
    expected = np.array(
        [[any(math.hypot(y - v, x - u) <= band_px for v, u in soft) for x in range(width)] for y in range(height)]
    )
    assert np.array_equal(metrics.unknown_band(reference, band_px=band_px), expected)


def test_a_reference_of_nobody_has_no_band() -> None:
    nobody = np.zeros((5, 5), np.float32)
    assert not metrics.unknown_band(nobody).any()
    assert metrics.compare(nobody, nobody).band is None


def test_a_trimap_s_unknown_pixels_are_the_grey_ones() -> None:
    trimap = np.array([[0, 1, 128, 254, 255]], np.uint8)
    assert metrics.unknown_of(trimap).tolist() == [[False, True, True, True, False]]


def test_a_given_band_replaces_that_of_the_reference() -> None:
    alpha, reference = smooth_alphas()
    corner = np.zeros(alpha.shape, np.bool_)
    corner[:9, 50:] = True
    answer = metrics.compare(alpha, reference, band=corner)
    assert answer.band is not None
    assert answer.band.sad == pytest.approx(4 * 5 * 0.8)


# -- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", SYMMETRIC)
@pytest.mark.parametrize(
    ("alpha", "complaint"),
    [
        (np.zeros((2, 3), np.float32), "one size"),
        (np.zeros((2, 2), np.uint8), "floating"),
        (np.zeros((2, 2, 1), np.float32), "floating"),
        (np.zeros((0, 2), np.float32), "floating"),
        (np.full((2, 2), 255, np.float32), "within 0..1"),
        (np.full((2, 2), np.nan, np.float32), "within 0..1"),
    ],
)
def test_an_array_that_is_no_alpha_is_refused(metric: Callable[..., float], alpha: Array, complaint: str) -> None:
    with pytest.raises(ShapeError, match=complaint):
        metric(alpha, np.zeros((2, 2), np.float32))


def test_a_region_without_pixels_or_of_another_shape_is_refused() -> None:
    nobody = np.zeros((2, 2), np.float32)
    with pytest.raises(ShapeError, match="at least one pixel"):
        metrics.mad(nobody, nobody, region=np.zeros((2, 2), np.bool_))
    with pytest.raises(ShapeError, match="region"):
        metrics.mad(nobody, nobody, region=np.ones((2, 3), np.bool_))
    with pytest.raises(OptionError):
        metrics.unknown_band(nobody, band_px=-1)
    with pytest.raises(ShapeError, match="trimap"):
        metrics.unknown_of(np.zeros((2, 2, 3), np.uint8))


def test_a_video_of_uneven_frames_is_refused() -> None:
    frame = np.zeros((2, 2), np.float32)
    with pytest.raises(ShapeError, match="two frames"):
        metrics.dtssd([frame], [frame])
    with pytest.raises(ShapeError, match="ended before frame 2"):
        metrics.dtssd([frame, frame], [frame])
    with pytest.raises(ShapeError, match="ended after 1"):
        metrics.dtssd([frame], [frame, frame])
    with pytest.raises(ShapeError, match="one size"):
        metrics.dtssd([frame, np.zeros((3, 3), np.float32)], [frame, np.zeros((3, 3), np.float32)])


def test_the_arrays_that_came_in_are_left_as_they_were() -> None:
    alpha, reference = smooth_alphas()
    before = alpha.copy(), reference.copy()
    metrics.compare(alpha, reference)
    assert np.array_equal(alpha, before[0])
    assert np.array_equal(reference, before[1])
