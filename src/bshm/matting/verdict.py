"""A verdict on a matte: how reliable it is, and what to look at.

The score comes from the mask alone; the reasons say what a person would check.  `docs/verdict.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.matting.refine import doubt
from bshm.types import Box, FloatArray, PixelArray

# The mask's own expected error, mean of min(m, 1 - m), times this is the mean error on the judge's pictures
# (benchmarks/verdict.py fits it).  More measures beside it, of the alpha or of thick patches, ranked no better.
ERROR_PER_DOUBT = 0.94
# An expected error that halves the score.  A mean error of 2 % of the picture is a lost hand or bag: seen at once.
HALF_ERROR = 0.02
# Below this a matte is worth a look: a tenth of the judge's pictures lies below.
LOOK_BELOW = 0.31

# Reasons are looked for in a picture of this many pixels on its long side: smaller things are no reason to look again.
_SIDE_PX = 512
_PERSON = 0.5
# Of the people's area, `Matte.doubtful`: less is a finger or a strap, and on every second picture.
_UNSURE_SHARE = 0.05
# Of the people's area; a gap between arm and body through which the mask surely sees background is none.
_HOLE_SHARE, _HOLE_DOUBT = 0.0005, 0.1
# Of the largest island: a smaller one that touches nobody is a scrap, a larger one another person; a cell is noise.
_SCRAP_SHARE, _SCRAP_CELLS = 0.02, 4
# Of a side of the frame: less of it is a shadow of the edge.
_CUT_SHARE = 0.02
# Of the picture: at the networks' size a person of a hundredth is some 50 cells high, and a hand three.
_SMALL_SHARE = 0.01
# What is left of the differences between neighbours when the people are blurred once more: 0.65 at most in the judge's
# pictures, and in 19 of 20 of them more than this after a blur of 4 px (standard deviation) of some 500.
_BLUR_KEPT = 0.85
# Where the brightest twentieth of the picture begins, 0..255: a dark room has a lamp or a face above it; all but one of
# the judge's pictures, a black one, begin above 110.
_DARK_LEVEL, _BRIGHT_SHARE = 60, 0.05

_CUT = "cut-"
_SIDES = ("top", "left", "bottom", "right")
# In the order in which they are told.
WORDS = {
    "unsure": "not sure that this belongs to a person",
    "holes": "a hole inside a person",
    "scraps": "a bit away from everybody",
    **{f"cut-{side}": f"cut off by the frame ({side})" for side in _SIDES},
    "small": "people cover very little of the picture",
    "blurred": "the people are out of focus",
    "dark": "the picture is very dark",
}


@dataclass(frozen=True)
class Reason:
    """Something to look at.

    Attributes:
        code: a key of ``WORDS``.
        box: where, in pixels of the picture; of several places of one kind the largest.
    """

    code: str
    box: Box

    @property
    def words(self) -> str:
        """The reason as people say it."""
        return WORDS[self.code]


@dataclass(frozen=True)
class Verdict:
    """How far to trust a matte.

    Attributes:
        score: 0..1; 1 is sure.  It falls with ``expected_error`` alone.
        expected_error: mean absolute difference to the true alpha that is to be expected, 0..1.
        reasons: what there is to look at, at most one of each code; they do not change the score.
    """

    score: float
    expected_error: float
    reasons: tuple[Reason, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As plain values: boxes are ``[left, top, width, height]`` in pixels of the picture."""
        return {
            "score": round(self.score, 3),
            "expected_error": round(self.expected_error, 4),
            "reasons": [
                {"code": each.code, "box": [each.box.left, each.box.top, each.box.width, each.box.height]}
                for each in self.reasons
            ],
        }

    def __str__(self) -> str:
        said = [reason.words for reason in self.reasons if not reason.code.startswith(_CUT)]
        if sides := [reason.code.removeprefix(_CUT) for reason in self.reasons if reason.code.startswith(_CUT)]:
            said.append(f"cut off by the frame ({', '.join(sides)})")
        return f"score {self.score:.2f}" + (f": {'; '.join(said)}" if said else "")


def doubt_of(mask: FloatArray) -> float:
    """The error that the mask itself expects: mean of min(m, 1 - m).

    Args:
        mask: (h, w) float32, 0..1, the probability of a person.

    Returns:
        0..0.5.

    >>> doubt_of(np.array([[0, 1, 0.5, 0.25]], np.float32))
    0.1875
    """
    return float(np.minimum(mask, 1 - mask).mean())


def judge(pixels: PixelArray, mask: FloatArray, alpha: FloatArray) -> Verdict:
    """A verdict on an alpha.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        mask: (h, w) float32, 0..1: what the alpha was made of, of any size.
        alpha: (H, W) float32, 0..1.

    >>> alpha = np.zeros((64, 64), np.float32)
    >>> alpha[16:48, 16:48] = 1
    >>> picture = np.full((64, 64, 3), 128, np.uint8)
    >>> str(judge(picture, alpha, alpha))
    'score 1.00'
    """
    expected = min(1.0, ERROR_PER_DOUBT * doubt_of(mask))
    size_hw = alpha.shape[0], alpha.shape[1]
    scale = min(1.0, _SIDE_PX / max(size_hw))
    small_hw = tuple(max(1, round(side * scale)) for side in size_hw)
    small = cv2.resize(alpha, small_hw[::-1], interpolation=cv2.INTER_AREA) if scale < 1 else alpha
    found = _reasons(pixels, mask, np.asarray(small, np.float32))
    order = list(WORDS)
    reasons = sorted(
        (Reason(code, _enlarged(box, shape, size_hw)) for code, box, shape in found),
        key=lambda reason: order.index(reason.code),
    )
    return Verdict(HALF_ERROR / (HALF_ERROR + expected), expected, tuple(reasons))


_Found = tuple[str, Box, tuple[int, int]]


def _reasons(pixels: PixelArray, mask: FloatArray, alpha: FloatArray) -> Iterator[_Found]:
    """Codes with the box of each, and the size of the array that the box is in."""
    height, width = shape = alpha.shape[0], alpha.shape[1]
    grey = cv2.cvtColor(geometry.shrink(pixels, shape), cv2.COLOR_RGB2GRAY)
    if np.count_nonzero(grey >= _DARK_LEVEL) < _BRIGHT_SHARE * grey.size:
        yield "dark", Box(0, 0, height, width), shape
    if doubt.doubtful(mask) > _UNSURE_SHARE:
        yield "unsure", _largest(doubt.open_patches(mask)), (mask.shape[0], mask.shape[1])
    person = alpha > _PERSON
    area = int(np.count_nonzero(person))
    if not area:
        return
    around = _around(person)
    if area < _SMALL_SHARE * alpha.size:
        yield "small", around, shape
    here = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    yield from (("holes", box, shape) for box in _holes(person, np.asarray(here, np.float32)))
    yield from (("scraps", box, shape) for box in _scraps(person))
    yield from ((code, box, shape) for code, box in _cuts(person))
    if _is_blurred(pixels, around, shape):
        yield "blurred", around, shape


def _holes(person: npt.NDArray[np.bool_], mask: FloatArray) -> list[Box]:
    """The largest hole that the mask is not sure of, if there is one."""
    count, islands, facts, _ = cv2.connectedComponentsWithStats((~person).astype(np.uint8), connectivity=4)
    inner = np.arange(count) > 0
    for rim in (islands[0], islands[-1], islands[:, 0], islands[:, -1]):
        inner[rim] = False
    least = _HOLE_SHARE * np.count_nonzero(person)
    doubts = np.bincount(islands.ravel(), mask.ravel(), count)
    holes = [
        each
        for each in np.flatnonzero(inner)
        if facts[each, 4] >= least and doubts[each] > _HOLE_DOUBT * facts[each, 4]
    ]
    return [_box(facts[max(holes, key=lambda each: facts[each, 4])])] if holes else []


def _scraps(person: npt.NDArray[np.bool_]) -> list[Box]:
    """The largest scrap, if there is one."""
    count, _, facts, _ = cv2.connectedComponentsWithStats(person.astype(np.uint8), connectivity=8)
    most = max(facts[each, 4] for each in range(1, count))
    scraps = [each for each in range(1, count) if _SCRAP_CELLS <= facts[each, 4] < _SCRAP_SHARE * most]
    return [_box(facts[max(scraps, key=lambda each: facts[each, 4])])] if scraps else []


def _cuts(person: npt.NDArray[np.bool_]) -> Iterator[tuple[str, Box]]:
    height, width = person.shape
    depth = max(1, round(_CUT_SHARE * min(height, width)))
    rims = (person[0], person[:, 0], person[-1], person[:, -1])
    for side, rim in zip(_SIDES, rims, strict=True):
        at = np.flatnonzero(rim)
        if at.size < max(1.0, _CUT_SHARE * rim.size):
            continue
        start, length = int(at[0]), int(at[-1] - at[0] + 1)
        if side in ("top", "bottom"):
            yield f"cut-{side}", Box(0 if side == "top" else height - depth, start, depth, length)
        else:
            yield f"cut-{side}", Box(start, 0 if side == "left" else width - depth, length, depth)


def _is_blurred(pixels: PixelArray, box: Box, shape: tuple[int, int]) -> bool:
    """Crete et al., "The blur effect", 2007: what is blurred already changes little when it is blurred again."""
    whole = _enlarged(box, shape, (pixels.shape[0], pixels.shape[1]))
    part = pixels[whole.top : whole.top + whole.height, whole.left : whole.left + whole.width]
    scale = min(1.0, _SIDE_PX / max(whole.height, whole.width))
    size_hw = max(1, round(whole.height * scale)), max(1, round(whole.width * scale))
    grey = cv2.cvtColor(geometry.shrink(part, size_hw), cv2.COLOR_RGB2GRAY).astype(np.float32)
    before, after = _differences(grey), _differences(np.asarray(cv2.blur(grey, (9, 9)), np.float32))
    # A drawing in flat colours has no differences but its outline: too few to tell by.
    return before > 0.5 * grey.size and after > _BLUR_KEPT * before


def _differences(grey: FloatArray) -> float:
    """Of all neighbours, added up."""
    return float(np.abs(np.diff(grey, axis=0)).sum() + np.abs(np.diff(grey, axis=1)).sum())


def _largest(patches: npt.NDArray[np.bool_]) -> Box:
    _, _, facts, _ = cv2.connectedComponentsWithStats(patches.astype(np.uint8), connectivity=8)
    largest = 1 + int(np.argmax(facts[1:, 4]))
    return _box(facts[largest])


def _around(plane: npt.NDArray[np.bool_]) -> Box:
    left, top, width, height = cv2.boundingRect(plane.astype(np.uint8))
    return Box(top, left, height, width)


def _box(facts: npt.NDArray[np.int32]) -> Box:
    """Of a row of OpenCV's statistics."""
    left, top, width, height = (int(each) for each in facts[:4])
    return Box(top, left, height, width)


def _enlarged(box: Box, from_hw: tuple[int, int], to_hw: tuple[int, int]) -> Box:
    """The smallest box of whole pixels around the same place at another size."""
    down, right = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
    top, left = int(box.top * down), int(box.left * right)
    bottom = min(to_hw[0], -int(-(box.top + box.height) * down // 1))
    end = min(to_hw[1], -int(-(box.left + box.width) * right // 1))
    return Box(top, left, max(1, bottom - top), max(1, end - left))
