"""Sources of live frames: a camera, a video file at its own speed, or a stream."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from bshm.errors import BshmError, DeviceUnavailableError, option
from bshm.net.guard import shown
from bshm.types import PixelArray

# A camera that gives nothing for so long is gone; the first frame may take longer, while it wakes up.
GONE_S = 5.0
_WAKES_S = 15.0
_DEVICE = re.compile(r"\d+|/dev/video\d+")


@dataclass(frozen=True)
class LiveFrame:
    """One frame of a camera.

    Attributes:
        pixels: (H, W, 3) uint8, RGB, upright.
        taken_s: when it came, by ``time.monotonic()``.
        number: counted from 0, also over those that nobody took.
    """

    pixels: PixelArray
    taken_s: float
    number: int


class Camera:
    """Reads in a thread of its own; who asks gets the newest frame, and older ones are forgotten."""

    def __init__(self, spec: str, *, size_hw: tuple[int, int], fps: float) -> None:
        """Open a camera and wait for its first frame.

        Args:
            spec: the number of a camera or its device (``0``, ``/dev/video2``), a video file, or a URL that FFmpeg
                reads (``rtsp://``, ``http://``).
            size_hw: height and width to ask a camera of this machine for; what it gives is taken.
            fps: frames a second to ask it for.

        Raises:
            DeviceUnavailableError: there is no such camera, it is in use, or it gives no picture.
            SourceNotFoundError, UnreadableVideoError: a file that is missing or no video.
        """
        self.spec = spec
        self._changed = threading.Condition()
        self._newest: LiveFrame | None = None
        self._error: BshmError | None = None
        self._ended = False
        self._unwanted = threading.Event()
        if _DEVICE.fullmatch(spec):
            frames = _device(spec, size_hw, fps)
        elif "://" in spec:
            frames = _stream(spec)
        else:
            frames = _film(spec, self._unwanted)
        self._thread = threading.Thread(target=self._read, args=(frames,), name="bshm camera", daemon=True)
        self._thread.start()
        first = self.after(None, timeout_s=_WAKES_S)
        if first is None and not self.ended:
            self.close()
            raise DeviceUnavailableError(
                f"the camera {shown(spec)} gave no picture within {_WAKES_S:.0f} s. Is it in use?"
            )

    def after(self, seen: LiveFrame | None, *, timeout_s: float) -> LiveFrame | None:
        """A frame newer than ``seen``, or None when there is none in time or no more will come.

        Raises:
            BshmError: why the camera gives no more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or _is_newer(self._newest, seen), timeout_s)
            if _is_newer(self._newest, seen):
                return self._newest
            if self._error is not None:
                raise self._error
            return None

    @property
    def newest(self) -> LiveFrame | None:
        """The newest frame."""
        return self._newest

    @property
    def ended(self) -> bool:
        """Whether a file or a stream has come to its end."""
        return self._ended

    def close(self) -> None:
        """Let go of the camera."""
        self._unwanted.set()
        self._thread.join(timeout=GONE_S)

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, frames: Generator[PixelArray, None, None]) -> None:
        error: BshmError | None = None
        try:
            with closing(frames):
                for number, pixels in enumerate(frames):
                    with self._changed:
                        self._newest = LiveFrame(pixels, time.monotonic(), number)
                        self._changed.notify_all()
                    if self._unwanted.is_set():
                        break
        except BshmError as caught:
            error = caught
        except Exception as caught:  # noqa: BLE001 - told to whoever asks for the next frame
            error = DeviceUnavailableError(f"the camera {shown(self.spec)} failed: {type(caught).__name__}: {caught}.")
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()


def _is_newer(frame: LiveFrame | None, seen: LiveFrame | None) -> bool:
    return frame is not None and (seen is None or frame.number > seen.number)


def _device(spec: str, size_hw: tuple[int, int], fps: float) -> Generator[PixelArray, None, None]:
    import cv2

    number = int(spec.removeprefix("/dev/video"))
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise DeviceUnavailableError(f"there is no camera {spec}{_cameras()}. Choose another {option('camera')}.")
        height, width = size_hw
        for name, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),  # an old frame is worth nothing
        ):
            capture.set(name, value)
        while True:
            there, picture = capture.read()
            if not there:
                raise DeviceUnavailableError(f"the camera {spec} is gone: it gives no more pictures. Plug it in again.")
            yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        capture.release()


def _cameras() -> str:
    """The cameras that are there, as a part of a sentence."""
    if not sys.platform.startswith("linux"):
        return ""
    there = sorted(str(each) for each in Path("/dev").glob("video[0-9]*"))
    return f"; there are {', '.join(there)}" if there else "; this machine has none (/dev/video0 and so on)"


def _film(spec: str, unwanted: threading.Event) -> Generator[PixelArray, None, None]:
    """The frames of a file, each at its own time."""
    from bshm.video import reading

    clip = reading.probe(spec)
    begun = time.monotonic()
    with closing(reading.frames(clip)) as frames:
        for frame in frames:
            late = time.monotonic() - begun - float(frame.pts * clip.time_base)
            if late < 0 and unwanted.wait(-late):
                return
            pixels = frame.pixels
            yield pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def _stream(url: str) -> Generator[PixelArray, None, None]:
    """The frames of a stream, as they come."""
    from bshm.video.library import av

    try:
        with av.open(url, timeout=(_WAKES_S, GONE_S)) as container:
            for frame in container.decode(video=0):
                pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                yield np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise DeviceUnavailableError(f"the stream {shown(url)} gives no pictures: {error}.") from error
