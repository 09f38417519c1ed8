"""Outputs of live frames: a virtual camera, a window, a pipe, a file or a stream."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bshm.errors import DeviceUnavailableError, MissingExtraError, OptionError, OutputError, OutputExistsError, option
from bshm.files import sink
from bshm.types import PixelArray

PIPE_FORMATS = ("mjpeg", "raw")
_STREAMS = {"rtmp": "flv", "rtmps": "flv", "srt": "mpegts", "udp": "mpegts"}
_FILES = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".ts": "mpegts"}
_JPEG_QUALITY = 85


class Sink(Protocol):
    """Takes one frame after the other, all of one size, at a steady rate."""

    def write(self, pixels: PixelArray) -> None:
        """Show one frame, (H, W, 3) uint8 RGB.

        Raises:
            OutputError: it cannot be shown any more.
            BrokenPipeError: whoever looked went away.
        """
        ...

    def close(self) -> None:
        """Show no more."""
        ...


def open_sink(
    spec: str, *, size_hw: tuple[int, int], fps: float, pipe_format: str, put: Callable[[bytes], None], overwrite: bool
) -> Sink:
    """The sink that a word stands for.

    Args:
        spec: ``virtual`` or ``virtual:DEVICE``, ``window``, ``-`` for stdout, a video file, or a URL (rtmp, srt, udp).
        size_hw: height and width of the frames.
        fps: frames a second.
        pipe_format: of stdout: ``mjpeg`` or ``raw`` (RGB, 3 bytes a pixel, no header).
        put: writes to stdout.
        overwrite: replace a file that is there.

    Raises:
        OptionError: no sink is called so.
        MissingExtraError, DeviceUnavailableError: it is not there on this machine; the message says what to install.
        OutputError, OutputExistsError: a file or a stream that cannot be opened.
    """
    if spec == "virtual" or spec.startswith("virtual:"):
        return _VirtualCamera(spec.partition(":")[2] or None, size_hw, fps)
    if spec == "window":
        return _Window(size_hw)
    if spec == "-":
        return _PipeSink(pipe_format, put)
    scheme = spec.partition("://")[0] if "://" in spec else ""
    if scheme in _STREAMS:
        return _EncodedSink(spec, _STREAMS[scheme], size_hw, fps)
    path = Path(spec)
    if scheme or path.suffix.lower() not in _FILES:
        raise OptionError(
            f"{option('output')} takes virtual, window, -, a file ending in {', '.join(_FILES)}, or a URL with "
            f"{', '.join(_STREAMS)}; got {spec!r}."
        )
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} already exists. Add {option('overwrite')} to replace it.")
    return _FileSink(path, _FILES[path.suffix.lower()], size_hw, fps, overwrite=overwrite)


class _PipeSink:
    def __init__(self, pipe_format: str, put: Callable[[bytes], None]) -> None:
        if pipe_format not in PIPE_FORMATS:
            raise OptionError(f"{option('pipe')} takes {' or '.join(PIPE_FORMATS)}; got {pipe_format!r}.")
        self._jpeg = pipe_format == "mjpeg"
        self._put = put

    def write(self, pixels: PixelArray) -> None:
        if not self._jpeg:
            self._put(np.ascontiguousarray(pixels).tobytes())
            return
        import simplejpeg

        self._put(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), _JPEG_QUALITY, "RGB", "420"))

    def close(self) -> None:
        """Stdout belongs to the process."""


class _EncodedSink:
    """H.264 into a file or a stream, each frame at its number."""

    def __init__(self, target: str, container: str, size_hw: tuple[int, int], fps: float) -> None:
        from bshm.video.library import av

        self._av = av
        self._target = target
        self._number = 0
        rate = Fraction(fps).limit_denominator(1001)
        options = {"preset": "veryfast", "tune": "zerolatency"}
        try:
            self._container: Any = av.open(target, "w", format=container)
            self._stream: Any = self._container.add_stream("libx264", rate=rate, options=options)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise OutputError(f"{target} cannot be opened for writing: {error}.") from error
        self._stream.height, self._stream.width = size_hw
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = 1 / rate

    def write(self, pixels: PixelArray) -> None:
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels, np.uint8), "rgb24")
        frame.pts = self._number
        frame.time_base = self._stream.codec_context.time_base
        self._number += 1
        self._mux(frame)

    def close(self) -> None:
        if self._number:
            self._mux(None)
        try:
            self._container.close()
        except (OSError, self._av.error.FFmpegError) as error:
            raise OutputError(f"{self._target} cannot be finished: {error}.") from error

    def _mux(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, self._av.error.FFmpegError) as error:
            raise OutputError(f"{self._target} takes no more frames: {error}.") from error


class _FileSink(_EncodedSink):
    """A file that gets its name when it is whole."""

    def __init__(self, path: Path, container: str, size_hw: tuple[int, int], fps: float, *, overwrite: bool) -> None:
        self._path, self._overwrite = path, overwrite
        self._temporary = path.parent / f".bshm-{os.urandom(8).hex()}.part"
        super().__init__(str(self._temporary), container, size_hw, fps)

    def close(self) -> None:
        try:
            super().close()
            if self._number:
                sink.publish(self._temporary, self._path, overwrite=self._overwrite)
        finally:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)


class _VirtualCamera:
    """A camera that call programs find, by pyvirtualcam."""

    def __init__(self, device: str | None, size_hw: tuple[int, int], fps: float) -> None:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise MissingExtraError(
                "a virtual camera needs pyvirtualcam (GPL-2.0): pip install 'bshm[virtual-camera]'. "
                "-o window, a file, a pipe or a stream need nothing more."
            ) from error
        try:
            self._camera: Any = pyvirtualcam.Camera(width=size_hw[1], height=size_hw[0], fps=fps, device=device)
        except (RuntimeError, OSError) as error:
            raise DeviceUnavailableError(f"there is no virtual camera: {error}. {_how_to_get_one()}") from error

    def write(self, pixels: PixelArray) -> None:
        self._camera.send(np.ascontiguousarray(pixels))

    def close(self) -> None:
        self._camera.close()


def _how_to_get_one() -> str:
    if sys.platform.startswith("linux"):
        return (
            "Load the kernel module: sudo modprobe v4l2loopback exclusive_caps=1 card_label=bshm "
            "(Debian: v4l2loopback-dkms). Without exclusive_caps=1 browsers and call programs do not list it."
        )
    return "Install OBS Studio, which brings one, and start its virtual camera once."


class _Window:
    """A window on this screen, by Tk, which comes with Python."""

    def __init__(self, size_hw: tuple[int, int]) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise MissingExtraError("-o window needs Tk: install python3-tk, or choose another -o.") from error
        try:
            self._root: Any = tkinter.Tk()
        except tkinter.TclError as error:
            raise DeviceUnavailableError(f"there is no screen for -o window: {error}. Choose another -o.") from error
        self._root.title("bshm live")
        self._picture: Any = tkinter.PhotoImage(width=size_hw[1], height=size_hw[0])
        self._label: Any = tkinter.Label(self._root, image=self._picture, borderwidth=0)
        self._label.pack()
        self._open = True
        self._root.protocol("WM_DELETE_WINDOW", self._shut)

    def write(self, pixels: PixelArray) -> None:
        if not self._open:
            raise BrokenPipeError
        height, width = pixels.shape[:2]
        self._picture.configure(data=b"P6 %d %d 255 " % (width, height) + np.ascontiguousarray(pixels).tobytes())
        self._root.update()

    def close(self) -> None:
        if self._open:
            self._root.destroy()

    def _shut(self) -> None:
        self._open = False
        self._root.destroy()
