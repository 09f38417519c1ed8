"""Steady mattes: the alpha of a frame is mixed with those of its neighbours, moved along with the picture.

What was found in a neighbour is carried to where the picture has moved (dense optical flow, frame by frame) and counts
as far as two things hold on the way: there and back again leads to the same place, and the picture there is the one
that was expected.  So it does not count where something was covered or uncovered, and nothing passes a cut.

Most of a frame is settled: all that is found there, now and on the way, is nobody, or all of it is somebody.  That is
looked up first, and only the pixels that are left are mixed, as lists of places.

A filter that feeds back into itself was measured, too (benchmarks/video.py): it is as steady where nobody walks, and
drags a shadow behind whoever does, because what it once carried to a wrong place it carries on from there.

Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, for the flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.types import FloatArray, PixelArray

# Neighbours on each side that are listened to; none later ones in a live picture, which cannot wait.
BEFORE = AFTER = 4
# Flow is looked for in a picture of at most this many pixels: a face's motion is still seen, noise is not.
_FLOW_PX = 640 * 480
# Noise of a sensor or of compression, in levels of 255: differences below it are none; three times it is a stranger.
_NOISE_LEVELS = 6.0
_NOISE_SIGMA_PX = 1.0
_WINDOW_PX = 5
# There and back again: how far off, in pixels and as a share of the way, is still the same place.
_BACK_PX, _BACK_SHARE = 0.5, 0.1
# A cut: the neighbour is a stranger in more of the frame than this.  Who walks by hides a third.
_CUT_SHARE = 0.6
# Whether a place is settled is asked in the middle of squares of the flow's picture, and of all that is so near to it.
_SQUARE_PX, _NEAR_PX = 5, 4
# What may be found at a place, as bits: not nobody, not somebody.  Where both are set it is not settled.
_SOME, _SHORT = np.uint8(1), np.uint8(2)
# Places are looked up in rows, as OpenCV does, and so many of them at once, which bounds memory where all is soft.
_ROW, _ROWS_AT_ONCE = 512, 256
_STRIP_ROWS = 64

Bytes = npt.NDArray[np.uint8]
T = TypeVar("T")


@dataclass
class _Held(Generic[T]):
    """A frame that neighbours may still ask.

    Attributes:
        item: whatever belongs to it.
        small: (h, w, 4) float32, 0..255, the picture without noise; OpenCV carries four channels faster than three.
        alpha: (H, W) float32, 0..1, as it was found.
        found: (h, w) uint8, what may be found near each pixel of ``small``: the bits of ``_SOME`` and ``_SHORT``.
        back: (h, w, 4) float32, from each pixel of this frame to where it was in the one before (across, down), and how
            far that is trusted, 0..1, twice; None at a cut.
        forth: the same from the one before to this frame; None where nobody asks for it, too.
    """

    item: T
    small: FloatArray
    alpha: FloatArray
    found: Bytes
    back: FloatArray | None = None
    forth: FloatArray | None = None


class _Pixels(NamedTuple):
    """Pixels of a picture, in rows of ``_ROW``; some come twice, to fill the last row.

    Attributes:
        x, y: (n, _ROW) float32, their middles.
        at: (n, _ROW), where they are in the flat picture.
    """

    x: FloatArray
    y: FloatArray
    at: npt.NDArray[np.intp]


def steadied(
    frames: Iterable[tuple[T, PixelArray, FloatArray]], *, before: int = BEFORE, after: int = AFTER
) -> Generator[tuple[T, FloatArray], None, None]:
    """The alphas of a clip, each mixed with those of its neighbours.

    Args:
        frames: an item of the caller's, pixels (H, W, 3) uint8 or uint16, and alpha (H, W) float32, 0..1; in the order
            in which they are shown.
        before: neighbours that are listened to on that side.
        after: the same on the other side; a frame comes out when so many more have come in.  0 waits for none.

    Yields:
        the item and its new alpha, (H, W) float32, 0..1, in order.  At most ``before + after + 1`` frames are held.
    """
    flow = new_flow()
    held: deque[_Held[T]] = deque()
    given = 0  # how many of `held` have come out
    for item, pixels, alpha in frames:
        small = _four(flow_picture(pixels))
        new = _Held(item, small, alpha, _may_be_found(alpha, small.shape[:2]))
        if held:
            _link(held[-1], new, flow, forth=after > 0)
        held.append(new)
        if len(held) - given > after:
            yield held[given].item, _mixed(held, given, before, after)
            given += 1
            if given > before:
                held.popleft()
                given -= 1
    while given < len(held):
        yield held[given].item, _mixed(held, given, before, after)
        given += 1


class Motion(NamedTuple):
    """How the picture moved from one frame to the next, at the size of ``flow_picture``.

    Attributes:
        back: (h, w, 2) float32, from each pixel of the later frame to where it was in the earlier one.
        forth: the other way round.
        back_trust: (h, w) float32, 0..1: how far ``forth`` leads ``back`` to where it began.
        likeness: (h, w) float32, 0..1: how far the earlier one, carried along ``back``, is what the later one shows.
    """

    back: FloatArray
    forth: FloatArray
    back_trust: FloatArray
    likeness: FloatArray


def new_flow() -> cv2.DISOpticalFlow:
    """What ``motion`` looks for motion with."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


def motion(earlier: FloatArray, later: FloatArray, flow: cv2.DISOpticalFlow) -> Motion | None:
    """How the picture moved between two frames, as of ``flow_picture``; None at a cut."""
    if earlier.shape != later.shape:
        return None
    earlier, later = _four(earlier), _four(later)
    grey = [np.asarray(cv2.cvtColor(each, cv2.COLOR_RGBA2GRAY) + 0.5, np.uint8) for each in (earlier, later)]
    # With None to begin with it is quicker, and was up to 2.5 pixels away from this.
    empty = np.zeros((*later.shape[:2], 2), np.float32)
    back = np.asarray(flow.calc(grey[1], grey[0], empty.copy()), np.float32)
    most = np.empty(later.shape[:2], np.float32)
    for strip in _strips(later):
        most[strip] = _difference(later[strip], _looked_up(earlier, *_led(back, strip)))
    likeness = _likeness(np.asarray(cv2.blur(most, (_WINDOW_PX, _WINDOW_PX)), np.float32))
    if float((likeness < 0.1).mean()) > _CUT_SHARE:
        return None
    forth = np.asarray(flow.calc(grey[0], grey[1], empty), np.float32)
    return Motion(back, forth, _same_place(back, forth), likeness)


def _link(last: _Held[T], new: _Held[T], flow: cv2.DISOpticalFlow, *, forth: bool) -> None:
    """Find how ``new`` moved since ``last``, and ``forth`` if that is asked, unless there is a cut between the two."""
    found = motion(last.small, new.small, flow) if last.alpha.shape == new.alpha.shape else None
    if found is None:
        return
    new.back = _packed(found.back, found.back_trust)
    if forth:
        new.forth = _packed(found.forth, _same_place(found.forth, found.back))


def _packed(way: FloatArray, trust: FloatArray) -> FloatArray:
    packed = np.empty((*trust.shape, 4), np.float32)
    cv2.mixChannels([way, trust], [packed], [0, 0, 1, 1, 2, 2, 2, 3])
    return packed


def _mixed(held: deque[_Held[T]], index: int, before: int, after: int) -> FloatArray:
    here = held[index]
    sides = ((-1, before), (1, after))
    alpha = here.alpha.copy()
    (height, width), (rows, columns) = alpha.shape, here.small.shape[:2]
    unsettled = _unsettled(held, index, sides)
    full = _places(_in_squares(unsettled, (height, width)))
    if full is None:
        return alpha
    # Pixels that are mixed look at the flow's pixels around them, whose likeness is that of the window around those.
    reach = 3 + _WINDOW_PX // 2 * 2
    small = _places(np.asarray(cv2.dilate(unsettled, np.ones((reach, reach), np.uint8)), np.uint8))
    if small is None:
        return alpha
    seen = np.take(here.small.reshape(-1, 4), small.at, axis=0)
    across, down = np.float32(columns / width), np.float32(rows / height)
    x, y = (full.x + np.float32(0.5)) * across - np.float32(0.5), (full.y + np.float32(0.5)) * down - np.float32(0.5)
    total = np.take(alpha, full.at)
    weight = np.ones_like(total)
    plane = np.zeros((rows, columns), np.float32)
    # Four numbers are put into their place as one of their length, in the time of one.
    packed = np.zeros((rows, columns), np.complex128)
    planes = packed.view(np.float32).reshape(rows, columns, 4)
    parts = [slice(start, start + _ROWS_AT_ONCE) for start in range(0, len(x), _ROWS_AT_ONCE)]
    for step, most in sides:
        trust = np.ones_like(small.x)
        for other, to_x, to_y, agreed in _followed(held, index, step, most, small.x, small.y):
            plane.reshape(-1)[small.at] = _difference(seen, _looked_up(other.small, to_x, to_y))
            around = np.asarray(cv2.blur(plane, (_WINDOW_PX, _WINDOW_PX)), np.float32)
            trust = np.minimum(trust, np.minimum(agreed, _likeness(np.take(around, small.at))))
            known = cv2.merge([(to_x - small.x) / across, (to_y - small.y) / down, trust, trust])
            packed.reshape(-1)[small.at] = known.view(np.complex128)[..., 0]
            for part in parts:
                right, below, share, _ = cv2.split(_looked_up(planes, x[part], y[part]))
                total[part] += share * _looked_up(other.alpha, full.x[part] + right, full.y[part] + below)
                weight[part] += share
    alpha.reshape(-1)[full.at] = np.clip(total / weight, 0, 1)
    return alpha


def _followed(
    held: deque[_Held[T]], index: int, step: int, most: int, x: FloatArray, y: FloatArray
) -> Generator[tuple[_Held[T], FloatArray, FloatArray, FloatArray], None, None]:
    """Each neighbour on one side up to a cut, where the places x, y are in it, and how far the last step is trusted."""
    for other in range(index + step, index + step * (most + 1), step):
        if not 0 <= other < len(held):
            return
        move = held[other + 1].back if step < 0 else held[other].forth
        if move is None:  # a cut
            return
        right, down, agreed, _ = cv2.split(_looked_up(move, x, y))
        x, y = x + right, y + down
        yield held[other], x, y, np.asarray(agreed, np.float32)


def _may_be_found(alpha: FloatArray, size_hw: tuple[int, ...]) -> Bytes:
    """(h, w) uint8: which of ``_SOME`` and ``_SHORT`` is true of any pixel near each one of the flow's picture."""
    scale = max(alpha.shape[0] / size_hw[0], alpha.shape[1] / size_hw[1])
    side = 2 * (int(np.ceil(_NEAR_PX * scale)) + 1) + 1
    near = np.ones((side, side), np.uint8)
    some, short = (np.asarray(cv2.dilate(which.view(np.uint8), near), np.uint8) for which in (alpha > 0, alpha < 1))
    return _in_squares(some * _SOME | short * _SHORT, size_hw)


def _unsettled(held: deque[_Held[T]], index: int, sides: Sequence[tuple[int, int]]) -> Bytes:
    """(h, w) uint8, 1 where neither nobody nor somebody is all that may be found, in this frame and its neighbours."""
    rows, columns = held[index].small.shape[:2]
    x, y = (np.arange(-(-length // _SQUARE_PX)) * _SQUARE_PX + _SQUARE_PX // 2 for length in (columns, rows))
    x, y = np.minimum(x, columns - 1), np.minimum(y, rows - 1)
    found = held[index].found[np.ix_(y, x)]
    at_x, at_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    for step, most in sides:
        for other, to_x, to_y, _ in _followed(held, index, step, most, at_x, at_y):
            there = cv2.remap(other.found, to_x, to_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            found |= np.asarray(there, np.uint8)
    squares = np.asarray(found == _SOME | _SHORT, np.uint8)
    return _in_squares(squares, (len(y) * _SQUARE_PX, len(x) * _SQUARE_PX))[:rows, :columns]


def _places(mask: Bytes) -> _Pixels | None:
    """Where ``mask`` is not 0; None if it is 0 everywhere."""
    found = cv2.findNonZero(mask)
    if found is None:
        return None
    points = np.resize(found, (-(-len(found) // _ROW), _ROW, 2))
    x, y = (np.asarray(points[..., axis], np.intp) for axis in (0, 1))
    return _Pixels(x.astype(np.float32), y.astype(np.float32), y * mask.shape[1] + x)


def _in_squares(mask: Bytes, size_hw: tuple[int, ...]) -> Bytes:
    return np.asarray(cv2.resize(mask, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_NEAREST), np.uint8)


def _looked_up(there: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    found = cv2.remap(there, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def _difference(here: FloatArray, there: FloatArray) -> FloatArray:
    """That of the colour which differs most; of (h, w, 4), whose last channel is left out."""
    # numpy is slow where the innermost axis is as short as this.
    red, green, blue, _ = cv2.split(cv2.absdiff(here, there))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.float32)


def _likeness(difference: FloatArray) -> FloatArray:
    """float32, 0..1: how far two places that differ by so many levels, in the mean of a window, show the same."""
    off = np.maximum(0, difference / np.float32(_NOISE_LEVELS) - 1)
    return np.asarray(np.exp(-off * off), np.float32)


def _same_place(there: FloatArray, back: FloatArray) -> FloatArray:
    """(h, w) float32, 0..1: how far going ``there`` and ``back`` again ends where it began."""
    found = np.empty(there.shape[:2], np.float32)
    back_x, back_y = cv2.split(back)  # OpenCV rounds places to 1/32 of a pixel where there are two channels
    for strip in _strips(there):
        right, down = cv2.split(there[strip])
        x, y = _led(there, strip)
        off = cv2.magnitude(
            right + _looked_up(np.asarray(back_x, np.float32), x, y),
            down + _looked_up(np.asarray(back_y, np.float32), x, y),
        )
        allowed = np.float32(_BACK_PX) + np.float32(_BACK_SHARE) * cv2.magnitude(right, down)
        found[strip] = np.exp(-np.square(off / allowed))
    return found


def _strips(picture: FloatArray) -> list[slice]:
    """Rows that are worked on at once: new memory for whole pictures costs more time than the work."""
    return [slice(top, top + _STRIP_ROWS) for top in range(0, picture.shape[0], _STRIP_ROWS)]


def _four(picture: FloatArray) -> FloatArray:
    """(h, w, 3) as (h, w, 4), the last of which is the same everywhere."""
    return picture if picture.shape[2] == 4 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA), np.float32)


def flow_picture(pixels: PixelArray) -> FloatArray:
    """(h, w, 3) float32, 0..255, small enough for the flow and without noise."""
    height, width = pixels.shape[:2]
    scale = min(1.0, float(np.sqrt(_FLOW_PX / (height * width))))
    # The flow is looked for in patches of 8 pixels, at several scales.
    size = (max(32, round(height * scale)), max(32, round(width * scale)))
    small = geometry.shrink(pixels, size).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _NOISE_SIGMA_PX), np.float32)


def carried(there: FloatArray, way: FloatArray) -> FloatArray:
    """What is ``there``, brought here: ``way`` says for each pixel here where to look."""
    return _looked_up(there, *_led(way, slice(None)))


def _led(way: FloatArray, strip: slice) -> tuple[FloatArray, FloatArray]:
    """Where each pixel of some rows is led to: columns and rows."""
    x, y = cv2.split(way[strip] + _middles(way.shape[0], way.shape[1])[strip])
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


@lru_cache(maxsize=4)
def _middles(height: int, width: int) -> FloatArray:
    """(height, width, 2) float32: the column and the row of each pixel."""
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    found = np.dstack([columns, rows])
    found.setflags(write=False)
    return found
