"""Steady mattes: the alpha of a frame is mixed with those of its neighbours, moved along with the picture.

What was found in a neighbour is carried to where the picture has moved (dense optical flow, frame by frame) and counts
as far as two things hold on the way: there and back again leads to the same place, and the picture there is the one
that was expected.  So it does not count where something was covered or uncovered, and nothing passes a cut.

A filter that feeds back into itself was measured, too (benchmarks/video.py): it is as steady where nobody walks, and
drags a shadow behind whoever does, because what it once carried to a wrong place it carries on from there.

Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, for the flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import cv2
import numpy as np

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

T = TypeVar("T")


@dataclass
class _Held(Generic[T]):
    """A frame that neighbours may still ask.

    Attributes:
        item: whatever belongs to it.
        small: (h, w, 3) float32, 0..255, the picture without noise.
        alpha: (H, W) float32, 0..1, as it was found.
        back: from each pixel of this frame to where it was in the one before; None at a cut.
        forth: from each pixel of the one before to where it is in this frame.
        back_trust, forth_trust: (h, w) float32, 0..1: how far the two agree.
    """

    item: T
    small: FloatArray
    alpha: FloatArray
    back: FloatArray | None = None
    forth: FloatArray | None = None
    back_trust: FloatArray | None = None
    forth_trust: FloatArray | None = None


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
        new = _Held(item, flow_picture(pixels), alpha)
        if held:
            _link(held[-1], new, flow)
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
        back_trust, forth_trust: (h, w) float32, 0..1: how far the two agree.
        likeness: (h, w) float32, 0..1: how far the earlier one, carried along ``back``, is what the later one shows.
    """

    back: FloatArray
    forth: FloatArray
    back_trust: FloatArray
    forth_trust: FloatArray
    likeness: FloatArray


def new_flow() -> cv2.DISOpticalFlow:
    """What ``motion`` looks for motion with."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


def motion(earlier: FloatArray, later: FloatArray, flow: cv2.DISOpticalFlow) -> Motion | None:
    """How the picture moved between two frames, as of ``flow_picture``; None at a cut."""
    if earlier.shape != later.shape:
        return None
    grey = [np.asarray(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) + 0.5, np.uint8) for each in (earlier, later)]
    empty = np.zeros((*later.shape[:2], 2), np.float32)
    back = np.asarray(flow.calc(grey[1], grey[0], empty.copy()), np.float32)
    likeness = _likeness(later, earlier, back)
    if float((likeness < 0.1).mean()) > _CUT_SHARE:
        return None
    forth = np.asarray(flow.calc(grey[0], grey[1], empty), np.float32)
    return Motion(back, forth, _same_place(back, forth), _same_place(forth, back), likeness)


def _link(last: _Held[T], new: _Held[T], flow: cv2.DISOpticalFlow) -> None:
    """Find how ``new`` moved since ``last``, unless there is a cut between the two."""
    found = motion(last.small, new.small, flow) if last.alpha.shape == new.alpha.shape else None
    if found is not None:
        new.back, new.forth = found.back, found.forth
        new.back_trust, new.forth_trust = found.back_trust, found.forth_trust


def _mixed(held: deque[_Held[T]], index: int, before: int, after: int) -> FloatArray:
    here = held[index]
    total = here.alpha.copy()
    weight = np.ones_like(total)
    for step, reach in ((-1, before), (1, after)):
        way: FloatArray | None = None
        trust = np.ones(here.small.shape[:2], np.float32)
        for other in range(index + step, index + step * (reach + 1), step):
            if not 0 <= other < len(held):
                break
            crossed = held[other + 1] if step < 0 else held[other]
            move, agreed = (crossed.back, crossed.back_trust) if step < 0 else (crossed.forth, crossed.forth_trust)
            if move is None or agreed is None:  # a cut
                break
            if way is None:
                way, trust = move, agreed
            else:
                trust = np.minimum(trust, carried(agreed, way))
                way = way + carried(move, way)
            trust = np.minimum(trust, _likeness(here.small, held[other].small, way))
            share = geometry.resize(trust, total.shape)
            total += share * carried(held[other].alpha, enlarged(way, total.shape))
            weight += share
    total /= weight
    return np.clip(total, 0, 1, out=total)


def _likeness(here: FloatArray, there: FloatArray, way: FloatArray) -> FloatArray:
    """(h, w) float32, 0..1: how far ``there``, carried along ``way``, is what is seen ``here``."""
    # numpy is slow where the innermost axis is as short as this.
    red, green, blue = cv2.split(cv2.absdiff(here, carried(there, way)))
    most = cv2.blur(cv2.max(cv2.max(red, green), blue), (_WINDOW_PX, _WINDOW_PX))
    off = np.maximum(0, most / np.float32(_NOISE_LEVELS) - 1)
    return np.asarray(np.exp(-off * off), np.float32)


def _same_place(there: FloatArray, back: FloatArray) -> FloatArray:
    """(h, w) float32, 0..1: how far going ``there`` and ``back`` again ends where it began."""
    off = there + carried(back, there)
    allowed = np.float32(_BACK_PX) + np.float32(_BACK_SHARE) * cv2.magnitude(*cv2.split(there))
    return np.asarray(np.exp(-np.square(cv2.magnitude(*cv2.split(off)) / allowed)), np.float32)


def enlarged(way: FloatArray, size_hw: tuple[int, ...]) -> FloatArray:
    """The same way in pixels of a larger picture."""
    if way.shape[:2] == size_hw:
        return way
    larger = geometry.resize(way, (size_hw[0], size_hw[1]))
    larger[..., 0] *= np.float32(size_hw[1] / way.shape[1])
    larger[..., 1] *= np.float32(size_hw[0] / way.shape[0])
    return larger


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
    height, width = way.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns += way[..., 0]
    rows += way[..., 1]
    found = cv2.remap(there, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)
