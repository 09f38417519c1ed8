"""Corrections in time: what somebody marked on one frame holds for its neighbours, too, moved along with the picture.

What a mark means is decided once, on its own frame (``bshm.matting.correcting``).  From there the decision goes from
frame to frame, both ways, along the motion that ``steady`` finds, and counts as far as that is sure: not where the
marked thing was covered, or looks like something else.  At each frame the networks find its edge again.  It ends at a
cut, where less than a tenth of it is still sure, and after two seconds at the latest, over the last half second of
which it fades.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bshm.corrections import Corrections
from bshm.errors import CorrectionsError, NobodyThereError
from bshm.files import corrections as files_of
from bshm.matting import correcting, engines
from bshm.matting.correcting import Corrected, Decided
from bshm.options import Limits, MatteOptions
from bshm.pipeline import Matting
from bshm.types import FloatArray, Picture, PixelArray
from bshm.video.marks import FrameCorrections
from bshm.video.steady import carried, flow_picture, motion, new_flow

# How far a mark reaches to each side, and over how much of that it fades.
REACH_S, _FADE_S = 2.0, 0.5
# The same in frames, which are held while their mark is still to come: 640x480 of each, 0.9 MB.
MOST_FRAMES = 120
# Frames that have no times.
USUAL_RATE = 30
# It ends where so little of what is marked is sure.
_LOST = 0.1
# Below and above these a place counts not at all, and fully: half of a hat helps nobody.
_NOTHING, _ALL = 0.2, 0.6
# What is sure is smoothed, over this share of the longer side: a thing holds together.
_TOGETHER, _LEAST_TOGETHER_PX = 0.04, 9
# A time that was read off a player is rounded to milliseconds.
_CLOCK_S = 0.0006

Bytes = npt.NDArray[np.uint8]


class _Laid(NamedTuple):
    """What one mark says of one frame.

    Attributes:
        away: how many frames the mark is away.
        order: of the mark, as it was given.
        packed: (3, h, w) uint8 in zlib: kept, gone and share, as ``correcting.lay`` takes them.
        size_hw: of these.
    """

    away: int
    order: int
    packed: bytes
    size_hw: tuple[int, int]


class _Walk:
    """Goes away from a marked frame, one frame after the other."""

    def __init__(self, order: int, index: int, time_s: float, small: FloatArray, decided: Decided) -> None:
        self.order = order
        self._index = index
        self._time_s = time_s
        self._last = small
        self._decided = decided
        self._way: FloatArray | None = None
        self._trust: FloatArray | None = None
        self._flow = new_flow()

    def step(self, index: int, time_s: float, small: FloatArray) -> _Laid | None:
        """What the mark says of the next frame; None at its end, after which nothing may be asked."""
        away = abs(index - self._index)
        left = min(REACH_S - abs(time_s - self._time_s), REACH_S * (1 - away / MOST_FRAMES))
        crossed = motion(self._last, small, self._flow) if left > 0 else None
        if crossed is None:
            return None
        self._last = small
        # Smoothed before the least of all steps is taken: single pixels that are unsure would add up.
        side = max(_LEAST_TOGETHER_PX, round(_TOGETHER * max(small.shape[:2]))) | 1
        sure = np.asarray(cv2.blur(np.minimum(crossed.back_trust, crossed.likeness), (side, side)), np.float32)
        if self._way is None or self._trust is None:
            self._way, self._trust = crossed.back, sure
        else:
            self._trust = np.minimum(sure, carried(self._trust, crossed.back))
            self._way = crossed.back + carried(self._way, crossed.back)
        planes = [carried(plane, self._way) for plane in self._decided]
        region = np.maximum(*planes)
        area = float(region.sum())
        if area < 1 or float((region * self._trust).sum()) < _LOST * area:
            return None
        around = cv2.blur(region, (side, side))
        share = cv2.blur(region * self._trust, (side, side)) / np.maximum(around, 1e-3)
        share = np.clip((share - _NOTHING) / (_ALL - _NOTHING), 0, 1) * min(1.0, left / _FADE_S)
        levels = np.floor(np.clip(np.stack([*planes, share]), 0, 1) * 255 + 0.5).astype(np.uint8)
        return _Laid(away, self.order, zlib.compress(levels.tobytes(), 1), (region.shape[0], region.shape[1]))


@dataclass(frozen=True)
class _Seen:
    index: int
    time_s: float
    duration_s: float
    pixels: PixelArray


class Carrier:
    """Takes the frames of a clip in order, and then says what the marks make of the matte of each."""

    def __init__(
        self,
        given: Sequence[FrameCorrections],
        matting: Matting,
        *,
        name: str,
        start_s: float = 0.0,
        backward: bool = True,
    ) -> None:
        """Wait for the frames.

        Args:
            given: the marks; of those on one frame the later one counts where they meet.
            matting: the networks.
            name: what messages call the clip.
            start_s: where the first frame is in the clip, whose times the marks have.
            backward: let marks reach earlier frames, too.
        """
        self._given = given
        self._matting = matting
        self._name = name
        self._start_s = start_s
        self._backward = backward
        self._waiting = dict(enumerate(given))
        self._walks: list[_Walk] = []
        self._before: deque[tuple[int, float, Bytes]] = deque()
        self._pending: _Seen | None = None
        self._taken = -1
        self._last_s = start_s
        self._laid: dict[int, list[_Laid]] = {}
        self._own: dict[int, list[int]] = {}
        self._reach: dict[int, tuple[int, int]] = {}

    @property
    def is_done(self) -> bool:
        """Whether no later frame can change what is known."""
        return not self._waiting and not self._walks and self._pending is None

    @property
    def reach(self) -> tuple[tuple[int, int], ...]:
        """Of each mark, as they were given, the first and the last frame that it reaches."""
        return tuple(self._reach[order] for order in range(len(self._given)))

    def push(self, index: int, time_s: float, duration_s: float, pixels: PixelArray) -> None:
        """The next frame.

        Args:
            index: its number.
            time_s: when it is shown, from the first one that is given on.
            duration_s: for how long; 0 where nobody knows.
            pixels: (H, W, 3) uint8 or uint16, RGB.

        Raises:
            CorrectionsError: a mark was made on another picture than its frame.
            NobodyThereError: a click where there is nothing to keep or to erase.
        """
        new = _Seen(index, self._start_s + time_s, duration_s, pixels)
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._take(pending, new.time_s)
        if any(each.time_s is not None for each in self._waiting.values()):
            self._pending = new  # which frame is shown at a time is known when the next one comes
        else:
            self._take(new, None)

    def end(self) -> None:
        """There are no more frames.

        Raises:
            CorrectionsError: a mark is of a frame that never came; or as in ``push``.
        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._take(pending, pending.time_s + (pending.duration_s or 1 / USUAL_RATE))
        self._walks.clear()
        self._before.clear()
        for each in self._waiting.values():
            raise CorrectionsError(
                f"the corrections at {each.when} lie outside: {self._name} has {self._taken + 1} frames and ends at "
                f"{self._last_s:.2f} s. Give the time or the number of a frame that is there."
            )

    def is_settled(self, index: int) -> bool:
        """Whether all is known of a frame, where all marks have numbers and not times."""
        most = round(REACH_S * USUAL_RATE)
        coming = (each.frame for each in self._waiting.values() if each.frame is not None)
        return index <= self._taken and not (self._backward and any(each - index < most for each in coming))

    @property
    def stamps(self) -> tuple[str, ...]:
        """Of each mark, as they were given, what tells it from others."""
        frames = {order: index for index, orders in self._own.items() for order in orders}
        return tuple(
            hashlib.sha256(f"{frames[order]} ".encode() + each.corrections.to_bytes()).hexdigest()
            for order, each in enumerate(self._given)
        )

    def lay(self, index: int, pixels: PixelArray, alpha: FloatArray, mask: FloatArray | None) -> FloatArray:
        """The alpha of a frame with what the marks say of it.

        Args:
            index: its number.
            pixels: (H, W, 3) uint8 or uint16, RGB.
            alpha: (H, W) float32, 0..1.
            mask: (h, w) float32, 0..1, what the alpha was made of; None where there is none.

        Returns:
            (H, W) float32, 0..1; ``alpha`` itself where no mark reaches the frame.
        """
        # The nearest mark comes last, so it counts where they meet.
        for laid in sorted(self._laid.get(index, ()), key=lambda each: (-each.away, each.order)):
            levels = np.frombuffer(zlib.decompress(laid.packed), np.uint8).reshape(3, *laid.size_hw)
            kept, gone, share = levels.astype(np.float32) / np.float32(255)
            alpha = correcting.lay(
                pixels, alpha, mask, Decided(kept, gone), share, partial(engines.detail, self._matting.engine)
            )
        for order in self._own.get(index, ()):
            corrections = self._given[order].corrections
            try:
                found = self._applied(corrections, pixels, alpha, mask)
            except NobodyThereError:
                # There was something when it was decided: what the click is to do, another mark has done here.
                strokes = tuple(each for each in corrections.strokes if not each.is_click)
                found = self._applied(replace(corrections, strokes=strokes), pixels, alpha, mask)
            alpha, mask = found.alpha, found.mask
        return alpha

    def _take(self, frame: _Seen, next_s: float | None) -> None:
        here = [order for order, each in self._waiting.items() if self._is_of(each, frame, next_s)]
        self._taken = frame.index
        self._last_s = next_s if next_s is not None else frame.time_s + frame.duration_s
        if not here and not self._walks and not self._is_near(frame):
            self._before.clear()
            return
        small = flow_picture(frame.pixels)
        for walk in list(self._walks):
            laid = walk.step(frame.index, frame.time_s, small)
            if laid is None:
                self._walks.remove(walk)
            else:
                self._keep(frame.index, laid)
        if here:
            self._decide(here, frame, small)
        if self._backward and self._waiting:
            self._before.append((frame.index, frame.time_s, np.floor(small + 0.5).astype(np.uint8)))
            while len(self._before) > MOST_FRAMES or frame.time_s - self._before[0][1] > REACH_S:
                self._before.popleft()
        else:
            self._before.clear()

    def _is_of(self, given: FrameCorrections, frame: _Seen, next_s: float | None) -> bool:
        if given.time_s is None:
            return given.frame == frame.index
        wanted = given.time_s + _CLOCK_S
        begins = frame.time_s <= wanted or self._taken < 0
        return begins and next_s is not None and wanted < next_s

    def _is_near(self, frame: _Seen) -> bool:
        """Whether a mark that is still to come may reach a frame."""
        return any(
            each.time_s - frame.time_s <= REACH_S
            if each.time_s is not None
            else each.frame is not None and each.frame - frame.index <= MOST_FRAMES
            for each in self._waiting.values()
        )

    def _decide(self, orders: list[int], frame: _Seen, small: FloatArray) -> None:
        for order in orders:
            del self._waiting[order]
            name = f"{self._name}, frame {frame.index}"
            correcting.check(self._given[order].corrections, frame.pixels, name)
        options = MatteOptions(decontaminate=False, corrections=None)
        matte = self._matting.matte_picture(Picture(frame.pixels), options)
        alpha, mask = matte.alpha, matte.mask
        size = small.shape[0], small.shape[1]
        self._own[frame.index] = orders
        for order in orders:
            try:
                found = self._applied(self._given[order].corrections, frame.pixels, alpha, mask)
            except NobodyThereError as error:
                raise NobodyThereError(f"{self._name}, frame {frame.index}: {error}") from error
            decided = correcting.decision(alpha, found, size)
            alpha, mask = found.alpha, found.mask
            self._reach[order] = (frame.index, frame.index)
            walk = _Walk(order, frame.index, frame.time_s, small, decided)
            for index, time_s, earlier in reversed(self._before) if self._backward else ():
                laid = walk.step(index, time_s, earlier.astype(np.float32))
                if laid is None:
                    break
                self._keep(index, laid)
            self._walks.append(_Walk(order, frame.index, frame.time_s, small, decided))

    def _applied(
        self, corrections: Corrections, pixels: PixelArray, alpha: FloatArray, mask: FloatArray | None
    ) -> Corrected:
        trimap = files_of.opened_trimap(corrections, Limits())
        return correcting.apply(pixels, alpha, mask, corrections, partial(engines.detail, self._matting.engine), trimap)

    def _keep(self, index: int, laid: _Laid) -> None:
        self._laid.setdefault(index, []).append(laid)
        first, last = self._reach[laid.order]
        self._reach[laid.order] = (min(first, index), max(last, index))
