"""Turn camera frames into output frames: matted, on a background, at a steady rate, and blurred when unsure."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from bshm import geometry
from bshm.edit import composite
from bshm.errors import DeviceUnavailableError
from bshm.live.camera import GONE_S, Camera, LiveFrame
from bshm.live.sinks import Sink
from bshm.pipeline import Matting
from bshm.types import FloatArray, PixelArray
from bshm.video.backgrounds import ClipBackground
from bshm.video.frames import shown

# A matte older than this is not shown any more: its person may have left the hole that it cuts.
STALE_S = 0.5
# Sides of the picture that is matted, as shares of the one that is shown, best first.
SHARES = (1.0, 0.75, 0.5, 0.375)
# Of the time between two frames: above it the next share is taken, below it the one before.
_BUSY, _IDLE = 0.9, 0.45
_LOOKED_AT = 12
# Alpha between these is neither person nor background; more of it than this share of the people is doubt.  A person
# with wild hair before a camera has a fifth.
_UNSURE_FROM, _UNSURE_TO = 0.15, 0.85
DOUBTFUL_SHARE = 0.6
# How strong the blur of the fail-safe is, as a share of the picture's height: no letter, no face is left.
_HIDDEN_SHARE = 1 / 18


@dataclass(frozen=True)
class LiveFigures:
    """How it went, in the last second or in all.

    Attributes:
        frames: shown.
        matted: of the camera's frames.
        hidden: shown blurred, because no matte was fresh or sure enough.
        fps: mattes a second.
        age_ms: from the camera to the sink, the median.
        matted_hw: height and width at which the last frame was matted; None before the first.
    """

    frames: int
    matted: int
    hidden: int
    fps: float
    age_ms: float | None
    matted_hw: tuple[int, int] | None


@dataclass(frozen=True)
class _Made:
    pixels: PixelArray
    frame: LiveFrame
    doubtful: bool


class Show:
    """A camera shown over a background."""

    def __init__(
        self,
        camera: Camera,
        matting: Matting,
        background: ClipBackground,
        *,
        size_hw: tuple[int, int],
        fps: float,
        mirror: bool = False,
        fail_safe: bool = True,
        steady: bool = True,
    ) -> None:
        """Prepare; ``run`` begins.

        Args:
            camera: where frames come from.
            matting: the networks, fast ones.
            background: what the people are laid over; it keeps its own sharpness.
            size_hw: height and width of what is shown; a frame of another shape is cropped, never stretched.
            fps: of what is shown, whatever the camera gives.
            mirror: left and right swapped.
            fail_safe: blur the whole picture while no matte is fresh and sure.
            steady: let frames remember those before them.
        """
        self._camera, self._matting, self._background = camera, matting, background
        self._size_hw, self._fps, self._mirror = size_hw, fps, mirror
        self._fail_safe, self._steady = fail_safe, steady
        self._share = 0
        self._matted_hw: tuple[int, int] | None = None
        self._spent: deque[float] = deque(maxlen=_LOOKED_AT)
        self._made: _Made | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._stop = threading.Event()
        self._begun_s = time.monotonic()
        self._all = _Count(self._begun_s)

    def run(
        self,
        sink: Sink,
        *,
        seconds: float | None = None,
        report: Callable[[LiveFigures], None] = lambda figures: None,
    ) -> None:
        """Show until the camera ends, ``seconds`` are over, or the sink is closed.

        Args:
            sink: gets ``fps`` frames a second.
            seconds: None shows on and on.
            report: called about once a second.

        Raises:
            BshmError: the camera is gone, or the sink takes no more.
            BrokenPipeError: whoever looked went away.
        """
        worker = threading.Thread(target=self._matte, name="bshm live", daemon=True)
        worker.start()
        lately = _Count(time.monotonic())
        shown_number = -1
        try:
            for tick in self._ticks(seconds):
                made = self._made
                if self._error is not None:
                    raise self._error
                if self._done.is_set() and (made is None or made.frame.number == shown_number):
                    break
                picture, hidden = self._picture(made)
                if picture is None:
                    continue
                sink.write(picture)
                now = time.monotonic()
                for count in (lately, self._all):
                    count.add(made, hidden=hidden, fresh=made is not None and made.frame.number != shown_number, at=now)
                shown_number = made.frame.number if made is not None else -1
                if tick - lately.begun_s >= 1.0:
                    report(lately.figures(tick, self._matted_hw))
                    lately = _Count(tick)
        finally:
            self._stop.set()
            worker.join(timeout=GONE_S)

    @property
    def figures(self) -> LiveFigures:
        """How it went so far."""
        return self._all.figures(time.monotonic(), self._matted_hw)

    def _ticks(self, seconds: float | None) -> Generator[float, None, None]:
        begun = time.monotonic()
        number = 0
        while True:
            due = begun + number / self._fps
            now = time.monotonic()
            if due > now:
                time.sleep(due - now)
            elif now - due > 1.0:  # whoever looks was away: frames of the past are not made up for
                number = int((now - begun) * self._fps)
            if seconds is not None and number / self._fps >= seconds:
                return
            yield max(now, due)
            number += 1

    def _picture(self, made: _Made | None) -> tuple[PixelArray | None, bool]:
        """What is shown now, and whether the fail-safe hides it."""
        fresh = made is not None and time.monotonic() - made.frame.taken_s < STALE_S
        if made is not None and (not self._fail_safe or (fresh and not made.doubtful)):
            return made.pixels, False
        if made is not None and self._camera.ended:
            return made.pixels, False
        newest = self._camera.newest
        if newest is None or not self._fail_safe:
            return None, False
        return _hidden(self._fitted(newest.pixels)), True

    def _fitted(self, pixels: PixelArray) -> PixelArray:
        fitted = geometry.cover(pixels, self._size_hw)
        return np.asarray(cv2.flip(fitted, 1), np.uint8) if self._mirror else fitted

    def _matte(self) -> None:
        try:
            for found in shown(self._frames(), self._matting, steady=self._steady, live=True):
                at = found.frame
                alpha = geometry.resize(found.alpha, self._size_hw)
                alpha = np.clip(alpha, 0, 1, out=alpha)
                behind = self._background.behind(at.fitted, alpha, at.frame.taken_s - self._begun_s)
                self._made = _Made(composite.over(at.fitted, alpha, behind), at.frame, is_doubtful(found.alpha))
                self._spend(time.monotonic() - at.begun_s)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that shows
            self._error = error
        self._done.set()

    def _frames(self) -> Generator[_Fitted, None, None]:
        seen: LiveFrame | None = None
        while not self._stop.is_set():
            frame = self._camera.after(seen, timeout_s=GONE_S)
            if frame is None:
                if self._camera.ended:
                    return
                raise _gone(self._camera)
            seen = frame
            begun = time.monotonic()
            fitted = self._fitted(frame.pixels)
            height, width = (max(16, round(side * SHARES[self._share])) for side in self._size_hw)
            small = fitted if self._share == 0 else geometry.shrink(fitted, (height, width))
            self._matted_hw = (height, width)
            yield _Fitted(small, fitted, frame, begun)

    def _spend(self, seconds: float) -> None:
        """Take a smaller picture when there is no time for this one, and a larger one when there is plenty."""
        self._spent.append(seconds * self._fps)
        if len(self._spent) < _LOOKED_AT:
            return
        usual = median(self._spent)
        if usual > _BUSY and self._share + 1 < len(SHARES):
            self._share += 1
            self._spent.clear()
        elif usual < _IDLE and self._share > 0:
            self._share -= 1
            self._spent.clear()


@dataclass(frozen=True)
class _Fitted:
    """A frame at the size at which it is matted (``pixels``) and at which it is shown."""

    pixels: PixelArray
    fitted: PixelArray
    frame: LiveFrame
    begun_s: float


class _Count:
    def __init__(self, begun_s: float) -> None:
        self.begun_s = begun_s
        self._frames = self._matted = self._hidden = 0
        self._ages_s: deque[float] = deque(maxlen=1000)

    def add(self, made: _Made | None, *, hidden: bool, fresh: bool, at: float) -> None:
        self._frames += 1
        self._hidden += hidden
        if fresh and made is not None:
            self._matted += 1
            self._ages_s.append(at - made.frame.taken_s)

    def figures(self, now: float, matted_hw: tuple[int, int] | None) -> LiveFigures:
        seconds = max(1e-6, now - self.begun_s)
        age = 1000 * median(self._ages_s) if self._ages_s else None
        return LiveFigures(self._frames, self._matted, self._hidden, self._matted / seconds, age, matted_hw)


def is_doubtful(alpha: FloatArray) -> bool:
    """Whether a matte had better not be shown: so much of it is neither person nor background.

    Args:
        alpha: (H, W) float32, 0..1.

    >>> is_doubtful(np.full((8, 8), 0.5, np.float32)), is_doubtful(np.zeros((8, 8), np.float32))
    (True, False)
    """
    unsure = np.count_nonzero((alpha > _UNSURE_FROM) & (alpha < _UNSURE_TO))
    people = np.count_nonzero(alpha >= _UNSURE_FROM)
    return bool(people and unsure > DOUBTFUL_SHARE * people)


def _hidden(pixels: PixelArray) -> PixelArray:
    """The picture with nothing in it that could be read or recognised."""
    height, width = pixels.shape[:2]
    radius = max(1.0, height * _HIDDEN_SHARE)
    step = max(1, int(radius / 3))
    small = geometry.shrink(pixels, (max(2, height // step), max(2, width // step)))
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), radius / step))
    return geometry.resize(small, (height, width))


def _gone(camera: Camera) -> DeviceUnavailableError:
    return DeviceUnavailableError(
        f"the camera {camera.spec} is gone: no picture came for {GONE_S:.0f} s. Plug it in again."
    )
