"""The verdict, on drawn pictures of which it is known what is wrong with them."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bshm.matting.verdict import HALF_ERROR, WORDS, Verdict, doubt_of, judge
from bshm.types import Box

SIZE = (360, 480)


def sharp() -> np.ndarray:
    """A picture full of fine detail over large soft shapes, bright enough."""
    noise = np.random.default_rng(0).integers(0, 128, (SIZE[0] // 4, SIZE[1] // 4, 3), np.uint8)
    down, right = np.sin(np.arange(SIZE[0]) / 20), np.sin(np.arange(SIZE[1]) / 20)
    shapes = 64 + 60 * down[:, None, None] * right[None, :, None]
    return cv2.resize(noise, SIZE[::-1], interpolation=cv2.INTER_NEAREST) + shapes.astype(np.uint8)


def person() -> np.ndarray:
    """A sure person in the middle, away from the frame."""
    alpha = np.zeros(SIZE, np.float32)
    alpha[80:280, 160:320] = 1
    return alpha


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def box(verdict: Verdict, code: str) -> Box:
    return next(reason.box for reason in verdict.reasons if reason.code == code)


def near(found: Box, expected: Box, within_px: int = 3) -> bool:
    return all(abs(one - other) <= within_px for one, other in zip(found, expected, strict=True))


def test_a_sure_sharp_person_away_from_the_frame_gives_no_reason_to_look() -> None:
    assert judge(sharp(), person(), person()) == Verdict(1.0, 0.0)


def test_the_score_halves_at_the_stated_error_and_falls_with_doubt() -> None:
    scores = []
    for doubt in (0.0, 0.01, 0.1, 0.5):
        verdict = judge(sharp(), np.full(SIZE, doubt, np.float32), np.zeros(SIZE, np.float32))
        assert verdict.score == pytest.approx(HALF_ERROR / (HALF_ERROR + verdict.expected_error))
        scores.append(verdict.score)
    assert scores[0] == 1 and scores == sorted(scores, reverse=True) and len(set(scores)) == 4


@given(hnp.arrays(np.float32, (12, 14), elements=st.floats(0, 1, width=32)))
def test_the_score_is_a_share_and_a_mask_and_its_opposite_are_as_unsure(mask: np.ndarray) -> None:
    verdict = judge(np.zeros((12, 14, 3), np.uint8), mask, mask)
    assert 0 < verdict.score <= 1 and 0 <= verdict.expected_error <= 1
    assert doubt_of(mask) == pytest.approx(doubt_of(1 - mask), abs=1e-6)  # float32


def test_a_patch_that_may_be_a_person_is_told_with_its_place() -> None:
    mask = person()
    mask[100:180, 20:120] = 0.5
    verdict = judge(sharp(), mask, person())
    assert codes(verdict) == ["unsure"]
    assert near(box(verdict, "unsure"), Box(100, 20, 80, 100))


def test_a_hole_is_told_where_the_mask_is_not_sure_of_it_and_a_gap_that_is_surely_background_is_not() -> None:
    alpha, mask = person(), person()
    alpha[150:170, 200:230] = 0
    mask[150:170, 200:230] = 0.3
    verdict = judge(sharp(), mask, alpha)
    assert codes(verdict) == ["holes"] and near(box(verdict, "holes"), Box(150, 200, 20, 30))
    assert judge(sharp(), alpha, alpha).reasons == ()  # an arm on a hip


def test_a_bit_away_from_everybody_is_told_and_a_second_person_is_not() -> None:
    alpha = person()
    alpha[20:30, 400:412] = 1
    verdict = judge(sharp(), alpha, alpha)
    assert codes(verdict) == ["scraps"] and near(box(verdict, "scraps"), Box(20, 400, 10, 12))
    alpha[20:80, 360:440] = 1
    assert judge(sharp(), alpha, alpha).reasons == ()


@pytest.mark.parametrize(
    ("part", "code", "expected"),
    [
        (np.s_[:280, 160:320], "cut-top", Box(0, 160, 7, 160)),
        (np.s_[80:280, :320], "cut-left", Box(80, 0, 200, 7)),
        (np.s_[80:, 160:320], "cut-bottom", Box(353, 160, 7, 160)),
        (np.s_[80:280, 160:], "cut-right", Box(80, 473, 200, 7)),
    ],
)
def test_a_person_cut_by_the_frame_is_told_with_the_side(part: tuple[slice, slice], code: str, expected: Box) -> None:
    alpha = np.zeros(SIZE, np.float32)
    alpha[part] = 1
    verdict = judge(sharp(), alpha, alpha)
    assert codes(verdict) == [code] and box(verdict, code) == expected


def test_it_is_told_in_one_line_with_all_sides_in_one_place() -> None:
    alpha = np.zeros(SIZE, np.float32)
    alpha[80:, :320] = 1
    verdict = judge(sharp() // 8, alpha, alpha)
    assert str(verdict) == "score 1.00: the picture is very dark; cut off by the frame (left, bottom)"


def test_people_who_cover_less_than_a_hundredth_are_small() -> None:
    alpha = np.zeros(SIZE, np.float32)
    alpha[100:140, 100:140] = 1  # 0.9 %
    assert codes(judge(sharp(), alpha, alpha)) == ["small"]
    alpha[100:140, 100:150] = 1  # 1.2 %
    assert codes(judge(sharp(), alpha, alpha)) == []


def test_people_out_of_focus_are_told_and_a_background_out_of_focus_is_not() -> None:
    blurred = cv2.GaussianBlur(sharp(), (0, 0), 8).astype(np.uint8)
    assert codes(judge(blurred, person(), person())) == ["blurred"]
    blurred[80:280, 160:320] = sharp()[80:280, 160:320]
    assert codes(judge(blurred, person(), person())) == []
    assert codes(judge(np.full((*SIZE, 3), 128, np.uint8), person(), person())) == []  # nothing to tell by


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_with_hardly_any_light_is_dark_and_one_with_a_dark_person_is_not(dtype: type) -> None:
    scale = np.iinfo(dtype).max // 255
    dark = (sharp() // 8).astype(dtype) * dtype(scale)
    assert codes(judge(dark, person(), person())) == ["dark"]
    dark[:80] = 200 * scale
    assert codes(judge(dark, person(), person())) == []


def test_boxes_are_in_pixels_of_the_picture_however_large_it_is() -> None:
    alpha = cv2.resize(person(), (4 * SIZE[1], 4 * SIZE[0]), interpolation=cv2.INTER_NEAREST).astype(np.float32)
    alpha[80:120, 1600:1640] = 1
    verdict = judge(cv2.resize(sharp(), alpha.shape[::-1]).astype(np.uint8), person(), alpha)
    assert near(box(verdict, "scraps"), Box(80, 1600, 40, 40), within_px=8)  # two cells of 512 px


def test_nobody_gives_no_reason_about_people() -> None:
    nobody = np.zeros(SIZE, np.float32)
    assert judge(sharp(), nobody, nobody) == Verdict(1.0, 0.0)


def test_it_is_plain_json_with_a_code_at_most_once() -> None:
    alpha = person()
    alpha[0:40, 400:], alpha[:, :30] = 1, 1
    alpha[300:306, 300:306] = alpha[320:330, 320:330] = 1
    told = json.loads(json.dumps(judge(sharp() // 8, alpha, alpha).as_json()))
    named = [reason["code"] for reason in told["reasons"]]
    assert len(named) == len(set(named)) >= 4 and set(named) <= set(WORDS)
    assert next(each["box"] for each in told["reasons"] if each["code"] == "dark") == [0, 0, SIZE[1], SIZE[0]]
