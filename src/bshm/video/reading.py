"""Read a clip: its facts, and its frames upright in RGB, each with its time in the file."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bshm.errors import OptionError, SourceNotFoundError, UnreadableVideoError, option
from bshm.types import PixelArray
from bshm.video.library import EXACT, av

# Of the H.273 tables.
_UNSPECIFIED = 2
_PQ, _HLG, _LINEAR = 16, 18, 8
_MATRIX_RGB = 0
_MATRIX_709, _MATRIX_601 = 1, 6
# Files that say nothing of their matrix: standard definition has that of BT.601, as players take it.
_HIGH_DEFINITION_FROM = 720
# A clip may end this much before what its container says, for audio that goes on or a duration that is rounded.
_SLACK_S = 0.5


@dataclass(frozen=True)
class Colour:
    """What the numbers of a clip stand for, as H.273 numbers it; 2 is unspecified.

    Attributes:
        matrix: between YUV and RGB.
        primaries: of red, green and blue.
        transfer: from light to levels.
        full: whether levels go from 0 to 255, and not from 16 to 235.
    """

    matrix: int = _UNSPECIFIED
    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    full: bool = False

    def matrix_for(self, height: int) -> int:
        """The matrix to compute with: the stated one, or what players take for a picture of this height."""
        if self.matrix not in (_UNSPECIFIED, _MATRIX_RGB):
            return self.matrix
        return _MATRIX_709 if height >= _HIGH_DEFINITION_FROM else _MATRIX_601


@dataclass(frozen=True)
class Clip:
    """What a file holds.

    Attributes:
        path: where it is.
        name: what messages call it.
        size_hw: height and width of the upright picture, in pixels.
        turned: degrees, counter-clockwise, by which its frames are turned to stand upright: 0, 90, 180, 270.
        rate: frames a second, on average; None where the file does not say.
        time_base: seconds a tick of the timestamps.
        frames: how many the file says there are; None where it does not.
        duration_s: how long the file says that it is; None where it does not.
        codec: of the pictures, as FFmpeg calls it.
        pixel_format: of the pictures, as FFmpeg calls it.
        bits: of each colour.
        colour: what the levels stand for.
        pixel_aspect: width of a pixel over its height, upright.
        interlaced: whether frames hold two fields each.
        has_alpha: whether it has transparency already, which is not looked at.
        audio, subtitles: codecs of the other streams, in their order.
        pictures: where it is no file but numbered pictures, all of them in order; see ``numbered``.
    """

    path: Path
    name: str
    size_hw: tuple[int, int]
    turned: int
    rate: Fraction | None
    time_base: Fraction
    frames: int | None
    duration_s: float | None
    codec: str
    pixel_format: str
    bits: int
    colour: Colour
    pixel_aspect: Fraction
    interlaced: bool
    has_alpha: bool
    audio: tuple[str, ...]
    subtitles: tuple[str, ...]
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One picture of a clip.

    Attributes:
        index: 0 for the first that is given.
        pixels: (H, W, 3) uint8, RGB, upright; uint16 of a clip with more than 8 bits.
        pts: when it is shown, in ticks since the beginning (of the part that was asked for).
        duration: for how many ticks; 0 where the file does not say.
    """

    index: int
    pixels: PixelArray
    pts: int
    duration: int


def probe(path: str | Path) -> Clip:
    """What the file at ``path`` holds; its first frame is decoded.

    Raises:
        SourceNotFoundError: there is no such file.
        UnreadableVideoError: it is no video, holds no frame, has a codec that this FFmpeg does not know, or is HDR.
    """
    path = Path(path)
    with closing(_open(path)) as container:
        stream = _video_stream(container, path)
        first = next(_decoded(container, stream, str(path)), None)
        if first is None:
            raise UnreadableVideoError(f"{path} has no frame that can be decoded. It may be truncated; copy it again.")
        return _clip(path, container, stream, first)


def frames(
    clip: Clip, *, start_s: float = 0.0, end_s: float | None = None, first: int = 0, until: int | None = None
) -> Generator[Frame, None, None]:
    """The frames of a clip from ``start_s`` up to ``end_s``, in the order in which they are shown.

    Args:
        clip: from ``probe``.
        start_s: seconds after the clip's beginning; earlier frames are left out and times count from here.
        end_s: frames from here on are left out; None takes all.
        first, until: of these only those with an index from ``first`` on and below ``until``; None goes to the end.
            Earlier ones are decoded, too, so that index and time of each are those that it has in the whole.

    Yields:
        one frame after the other; only one is held at a time.

    Raises:
        OptionError: no frame lies between the two.
        UnreadableVideoError: a frame cannot be decoded, has another size than the first, or the file ends before its
            end; the message names the frame.
    """
    with closing(_open(clip.path)) as container:
        stream = _video_stream(container, clip.path)
        stream.thread_type = "AUTO"
        begin = _begin_ticks(container, clip.time_base)
        start = begin + round(Fraction(start_s) / clip.time_base)
        if start_s > 0:
            container.seek(start, stream=stream)
        given = 0
        previous: int | None = None
        last_s = 0.0
        step = round(1 / (clip.rate * clip.time_base)) if clip.rate else 1
        for number, found in enumerate(_decoded(container, stream, clip.name)):
            _check_same(found, clip, number)
            pts = found.pts if found.pts is not None else begin if previous is None else previous + step
            # Two frames at one time, or an earlier one after a later one: a tick apart, or no container takes them.
            pts = pts if previous is None else max(pts, previous + 1)
            previous = pts
            last_s = float((pts - begin + (found.duration or step)) * clip.time_base)
            if pts < start:
                continue
            if end_s is not None and float((pts - begin) * clip.time_base) >= end_s:
                break
            if until is not None and given >= until:
                break
            if given >= first:
                yield Frame(given, _rgb(found, clip), pts - start, found.duration or 0)
            given += 1
        else:
            _check_whole(clip, given if not start_s else None, last_s, end_s)
    if not given:
        raise nothing_there(clip, start_s, end_s, last_s)


def nothing_there(clip: Clip, start_s: float, end_s: float | None, last_s: float) -> OptionError:
    """That no frame lies in the part that was asked for."""
    return OptionError(
        f"{clip.name} has no frame from {start_s:g} s"
        + (f" to {end_s:g} s" if end_s is not None else " on")
        + f"; it ends at {last_s:.2f} s. Choose another {option('start_s')} and {option('end_s')}."
    )


def begin_s(container: av.container.InputContainer) -> Fraction:
    """Where the clock of a file begins: that of its earliest stream."""
    return Fraction(container.start_time or 0, 1_000_000)


def _begin_ticks(container: av.container.InputContainer, time_base: Fraction) -> int:
    return round(begin_s(container) / time_base)


def _open(path: Path) -> av.container.InputContainer:
    if not os.path.lexists(path):
        raise SourceNotFoundError(f"there is no file {path}.")
    if path.is_dir():
        raise UnreadableVideoError(f"{path} is a folder. Give a video file.")
    try:
        return av.open(str(path), "r")
    except av.error.FFmpegError as error:
        reason = "it is empty" if path.is_file() and path.stat().st_size == 0 else (error.strerror or str(error))
        raise UnreadableVideoError(
            f"{path} cannot be read as a video: {reason}. It may be truncated, or not a video."
        ) from error


def _video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    pictures = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if stream.disposition & pictures:  # the cover of an album
            continue
        if stream.codec_context is None:
            raise UnreadableVideoError(
                f"{path} uses a codec that this FFmpeg does not know. Convert it to H.264 first."
            )
        return stream
    held = ", ".join(sorted({each.type for each in container.streams})) or "nothing"
    raise UnreadableVideoError(f"{path} has no video, only {held}. Give a video.")


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream, name: str
) -> Generator[av.VideoFrame, None, None]:
    number = 0
    decoding = container.decode(stream)
    while True:
        try:
            frame = next(decoding, None)
        except av.error.FFmpegError as error:
            raise UnreadableVideoError(
                f"{name}: frame {number} cannot be decoded: {error.strerror or error}. "
                f"The file is damaged there; {option('end_s')} can leave out the rest."
            ) from error
        if frame is None:
            return
        yield frame
        number += 1


def _clip(path: Path, container: av.container.InputContainer, stream: av.VideoStream, first: av.VideoFrame) -> Clip:
    context = stream.codec_context
    bits = max(component.bits for component in first.format.components)
    transfer = int(context.color_trc)
    if transfer in (_PQ, _HLG, _LINEAR) or bits > 16:
        what = {_PQ: "HDR (PQ)", _HLG: "HDR (HLG)", _LINEAR: "in linear light"}.get(transfer, f"{bits} bits deep")
        raise UnreadableVideoError(
            f"{path} is {what}, which the networks do not know. Convert it to SDR (BT.709) first, so that you decide "
            "what its bright parts look like."
        )
    turned = round(first.rotation / 90) * 90 % 360
    size = (first.height, first.width) if turned % 180 == 0 else (first.width, first.height)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if aspect <= 0:
        aspect = Fraction(1)
    duration = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    if duration is None and container.duration and not container.streams.audio:
        duration = container.duration / 1e6
    return Clip(
        path=path,
        name=str(path),
        size_hw=size,
        turned=turned,
        rate=stream.average_rate or stream.guessed_rate,
        time_base=stream.time_base or Fraction(1, 1000),
        frames=stream.frames or None,
        duration_s=duration,
        codec=context.name,
        pixel_format=first.format.name,
        bits=bits,
        colour=_colour(first, context),
        pixel_aspect=aspect if turned % 180 == 0 else 1 / aspect,
        interlaced=first.interlaced_frame,
        has_alpha=any(component.is_alpha for component in first.format.components),
        audio=tuple(_codec_name(each) for each in container.streams.audio),
        subtitles=tuple(_codec_name(each) for each in container.streams.subtitles),
    )


def _colour(frame: av.VideoFrame, context: av.VideoCodecContext) -> Colour:
    rgb = frame.format.is_rgb
    # yuvj420p and its like: an older way to say that levels are full.
    full = rgb or frame.format.name.startswith("yuvj") or int(frame.color_range) == 2
    return Colour(
        _MATRIX_RGB if rgb else int(frame.colorspace), int(context.color_primaries), int(context.color_trc), full
    )


def _codec_name(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context is not None else "unknown"


def _check_same(frame: av.VideoFrame, clip: Clip, number: int) -> None:
    size = (frame.height, frame.width) if clip.turned % 180 == 0 else (frame.width, frame.height)
    if size != clip.size_hw:
        raise UnreadableVideoError(
            f"{clip.name}: frame {number} is {size[1]}x{size[0]}, the first {clip.size_hw[1]}x{clip.size_hw[0]}. "
            f"Cut the clip there ({option('end_s')}, {option('start_s')}), or scale it to one size first."
        )


def _check_whole(clip: Clip, given: int | None, last_s: float, end_s: float | None) -> None:
    if end_s is not None and last_s >= end_s:
        return
    short = clip.duration_s is not None and last_s < clip.duration_s - _SLACK_S
    if short or (given is not None and clip.frames is not None and given < clip.frames * 0.98 - 1):
        said = f"{clip.duration_s:.2f} s" if clip.duration_s is not None else f"{clip.frames} frames"
        raise UnreadableVideoError(
            f"{clip.name} ends at {last_s:.2f} s, but should have {said}: it is truncated. "
            f"Copy it again, or use the existing part with {option('end_s')} {last_s:.2f}."
        )


def _rgb(frame: av.VideoFrame, clip: Clip) -> PixelArray:
    deep = clip.bits > 8
    matrix = None if frame.format.is_rgb else clip.colour.matrix_for(clip.size_hw[0])
    # PyAV 17 would mix what the frame says of itself with what is said here, and get other colours.
    frame.colorspace, frame.color_range = _UNSPECIFIED, 0
    same = frame.reformat(
        format="rgb48le" if deep else "rgb24",
        src_colorspace=matrix,
        src_color_range="JPEG" if clip.colour.full else "MPEG",
        dst_color_range="JPEG",
        interpolation=EXACT,
    )
    pixels: Any = same.to_ndarray()
    if clip.turned:
        pixels = np.ascontiguousarray(np.rot90(pixels, clip.turned // 90))
    result: PixelArray = pixels
    return result
