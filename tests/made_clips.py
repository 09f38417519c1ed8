"""Small clips in which red is a person, made by PyAV; every frame has its number in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIZE_HW = (96, 128)
NTSC = Fraction(30000, 1001)
_RED, _GREY = (240, 20, 20), (60, 60, 60)


def pixels(number: int, size_hw: tuple[int, int] = SIZE_HW) -> Any:
    """Frame ``number``: a red block whose place says which it is."""
    frame = np.full((*size_hw, 3), _GREY, np.uint8)
    left = 8 + 4 * number
    frame[16:72, left : left + 40] = _RED
    return frame


def number_of(alpha: Any) -> int:
    """Which frame an (H, W) alpha belongs to."""
    columns = np.flatnonzero(np.asarray(alpha).mean(axis=0) > np.asarray(alpha).max() * 0.2)
    return round((float(columns[0]) - 8) / 4)


def make(
    path: Path,
    frames: Iterable[Any] | int = 8,
    *,
    rate: Fraction = NTSC,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 30000),
    audio: bool = False,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
) -> Path:
    """A clip at ``path``; ``pts`` are in ticks of ``time_base``."""
    pictures = [pixels(number) for number in range(frames)] if isinstance(frames, int) else list(frames)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.options = options or ({"crf": "8"} if codec == "libx264" else {})
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if pts is not None:
            stream.codec_context.time_base = time_base
        sound: Any = container.add_stream("aac", rate=48000, layout="mono") if audio else None
        if rotation:
            stream.set_display_rotation(rotation)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb48le" if picture.dtype == np.uint16 else "rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[number], time_base
            container.mux(stream.encode(frame))
            if sound is not None:
                heard = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.float32), "fltp", "mono")
                heard.sample_rate, heard.pts = 48000, number * 1600
                container.mux(sound.encode(heard))
        container.mux(stream.encode())
        if sound is not None:
            container.mux(sound.encode())
    return path


def decoded(path: Path, *, decoder: str | None = None) -> list[tuple[float, Any]]:
    """Time and RGBA of every frame; alpha is 255 where there is none."""
    found = []
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        context: Any = av.codec.CodecContext.create(decoder, "r") if decoder else stream.codec_context
        for packet in container.demux(stream):
            for frame in context.decode(packet if packet.size else None):
                found.append((float(frame.pts * stream.time_base), frame.reformat(format="rgba").to_ndarray()))
    return found
