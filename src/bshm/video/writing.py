"""Write a file of a clip: pictures with or without alpha, each at its time, and the original audio."""

from __future__ import annotations

import io
import os
from array import array
from collections.abc import Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bshm.edit import composite
from bshm.errors import BshmError, EncoderMissingError, OutputError
from bshm.files import sink
from bshm.types import FloatArray, PixelArray
from bshm.video.codecs import CODECS, Packing
from bshm.video.library import EXACT, av
from bshm.video.reading import Clip, begin_s

_MATRIX_RGB = 0
_FULL, _LIMITED = 2, 1
# Colours of a GIF's frame, less the one that stands for nobody.
_GIF_COLOURS = 255
_GIF_SOMEBODY = 128
# Containers whose clocks are too coarse for a millisecond's worth of frames, or that take any.
_COARSE = {"gif": Fraction(1, 100), "webp": Fraction(1, 1000)}


class Writer:
    """One file in the making, under a name that nobody looks for; ``finish`` gives it its own.

    Leaving the context without that removes it.
    """

    def __init__(self, path: Path, packing: Packing, clip: Clip, *, copies: tuple[float, float | None] | None) -> None:
        """Open the file and the encoder.

        Args:
            path: the name that it gets at last.
            packing: container and codec; no sequence of pictures.
            clip: whose size, clock, colours and pixel aspect it keeps.
            copies: from which second of ``clip`` to which audio and subtitles are copied; None copies none.

        Raises:
            EncoderMissingError: this FFmpeg has none of the codec's encoders.
            OutputError, DiskFullError: the file cannot be made.
        """
        if packing.codec is None:
            raise ValueError("a Writer writes containers; SequenceWriter writes pictures")
        self.path = path
        self.codec = packing.codec
        self.clear = packing.clear
        self.copied: list[str] = []
        self.left_out: list[str] = []
        self._clip = clip
        self._deep = clip.bits > 8 and packing.codec.pixel_format(clear=packing.clear, deep=True) is not None
        self._format = packing.codec.pixel_format(clear=packing.clear, deep=self._deep) or ""
        self._time_base = _COARSE.get(packing.format, clip.time_base)
        self._order = array("q")  # when each packet is shown, in the order in which they are written
        self.temporary = path.parent / f".bshm-{os.urandom(8).hex()}.part"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self.temporary), "w", format=packing.format)
        except (av.error.FFmpegError, OSError) as error:
            raise explained(error, path) from error
        try:
            self._stream = self._add_stream()
            self._others = Nothing() if copies is None else self._add_copies(*copies)
            self._container.start_encoding()
        except BaseException as error:
            self._abandon()
            if isinstance(error, av.error.FFmpegError):
                raise explained(error, path) from error
            raise

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width that are written: even where the codec wants it."""
        height, width = self._clip.size_hw
        return (height + height % 2, width + width % 2) if self.codec.even else (height, width)

    def write(self, pixels: PixelArray, alpha: FloatArray | None, pts: int, duration: int) -> PixelArray | None:
        """Encode one frame.

        Args:
            pixels: (H, W, 3) uint8 or uint16, RGB.
            alpha: (H, W) float32, 0..1, or None in a file without.
            pts: when it is shown, in ticks of the clip.
            duration: for how many ticks; 0 where nobody knows.

        Returns:
            the levels of alpha that were written, None without.

        Raises:
            OutputError, DiskFullError: it cannot be written.
        """
        levels = None if alpha is None else composite.levels(alpha, pixels.dtype)
        frame = self._frame(pixels, levels)
        frame.pts = round(pts * self._clip.time_base / self._time_base)
        frame.time_base = self._time_base
        if duration:
            frame.duration = max(1, round(duration * self._clip.time_base / self._time_base))
        try:
            self._others.up_to(self._container, float(pts * self._clip.time_base))
            self._mux(frame)
        except (av.error.FFmpegError, OSError) as error:
            raise explained(error, self.path) from error
        return levels

    def finish(self) -> None:
        """Write what the encoder holds back and the rest of the sound; the file is whole then, under its hidden name.

        Raises:
            OutputError, DiskFullError: it cannot be written.
        """
        try:
            self._mux(None)
            self._others.up_to(self._container, None)
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise explained(error, self.path) from error
        self._others.close()

    @property
    def late(self) -> int:
        """How many packets at most come before one that is shown earlier than they are."""
        ranks = {pts: rank for rank, pts in enumerate(sorted(self._order))}
        return max((place - ranks[pts] for place, pts in enumerate(self._order)), default=0)

    def publish(self, *, overwrite: bool) -> None:
        """Give the file its name.

        Raises:
            OutputExistsError: the name is taken, and ``overwrite`` is off.
            OutputError: as ``sink.write``.
        """
        sink.publish(self.temporary, self.path, overwrite=overwrite)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    def _abandon(self) -> None:
        # An encoder may be in any state; what it still has to say concerns a file that is thrown away.
        with suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()
        with suppress(AttributeError):
            self._others.close()
        with suppress(OSError):
            self.temporary.unlink(missing_ok=True)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        packets = self._stream.encode(frame)
        self._order.extend(packet.pts for packet in packets)
        self._container.mux(packets)

    def _add_stream(self) -> Any:
        tried: list[str] = []
        for name in self.codec.encoders:
            options = dict(self.codec.options) | (dict(self.codec.clear_options) if self.clear else {})
            if name not in av.codec.codecs_available or not offers(name, self._format):
                continue
            stream: Any = self._container.add_stream(name, rate=self._clip.rate or Fraction(25))
            context = stream.codec_context
            stream.height, stream.width = self.size_hw
            stream.pix_fmt = self._format
            stream.time_base = context.time_base = self._time_base
            context.sample_aspect_ratio = self._clip.pixel_aspect
            context.options = options
            self._tag(context)
            if self.codec.tag and self._container.format.name in ("mov", "mp4"):
                context.codec_tag = self.codec.tag
            try:
                context.open()
            except (av.error.FFmpegError, OSError) as error:
                tried.append(f"{name}: {getattr(error, 'strerror', None) or error}")
                break  # a container keeps the stream of an encoder that failed
            return stream
        there = [each.name for each in CODECS.values() if set(each.encoders) & av.codec.codecs_available]
        because = f" ({'; '.join(tried)})" if tried else ""
        raise EncoderMissingError(
            f"this FFmpeg cannot encode {self.codec.name}{' with alpha' if self.clear else ''}: it needs "
            f"{' or '.join(self.codec.encoders)}{because}. It has encoders for {', '.join(there)}."
        )

    def _tag(self, context: Any) -> None:
        colour = self._clip.colour
        rgb = not self._format.startswith("yuv")
        # An RGB file has no matrix of its own, so a YUV one made of it gets the usual one and says so.
        stated = colour.matrix_for(self._clip.size_hw[0]) if colour.matrix == _MATRIX_RGB else colour.matrix
        context.colorspace = _MATRIX_RGB if rgb else stated
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.color_range = _FULL if rgb or self._full else _LIMITED

    @property
    def _full(self) -> bool:
        """Levels from 0 to 255 stay so, but that ProRes has no such thing, and players take RGB's YUV for narrow."""
        return self._clip.colour.full and self._clip.colour.matrix != _MATRIX_RGB and self.codec.name != "prores"

    def _frame(self, pixels: PixelArray, levels: PixelArray | None) -> av.VideoFrame:
        if self.codec.name == "gif":
            return _palette_frame(pixels, levels)
        deep = pixels.dtype == np.uint16
        array: Any = pixels if levels is None else np.dstack([pixels, levels])
        more_h, more_w = self.size_hw[0] - pixels.shape[0], self.size_hw[1] - pixels.shape[1]
        if more_h or more_w:
            array = np.pad(array, [(0, more_h), (0, more_w), (0, 0)], mode="edge")
        layout = ("rgb48le" if deep else "rgb24") if levels is None else ("rgba64le" if deep else "rgba")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), layout)
        if self._format != layout:
            yuv = self._format.startswith("yuv")
            frame = frame.reformat(
                format=self._format,
                dst_colorspace=self._clip.colour.matrix_for(self._clip.size_hw[0]) if yuv else None,
                src_color_range="JPEG",
                dst_color_range="MPEG" if yuv and not self._full else "JPEG",
                interpolation=EXACT,
            )
        context = self._stream.codec_context
        frame.colorspace, frame.color_range = context.colorspace, context.color_range
        return frame

    def _add_copies(self, start_s: float, end_s: float | None) -> Copies:
        copies = Copies(self._clip, self._container, start_s, end_s)
        self.copied, self.left_out = copies.copied, copies.left_out
        return copies


class Nothing:
    """No sound to copy."""

    def __init__(self) -> None:
        self.copied: list[str] = []
        self.left_out: list[str] = []

    def up_to(self, container: Any, time_s: float | None) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Copies(Nothing):
    """Audio and subtitles of a clip, handed on packet by packet beside the pictures."""

    def __init__(self, clip: Clip, container: Any, start_s: float, end_s: float | None) -> None:
        super().__init__()
        self._start_s, self._end_s = start_s, end_s
        # Without edit lists all else would be moved to where the first one begins, and pictures be late.
        self._from_nought = container.format.name in ("matroska", "webm")
        self._source = av.open(str(clip.path))
        self._begin = begin_s(self._source)
        self._streams: dict[int, Any] = {}
        able = container.supported_codecs
        for stream in (*self._source.streams.audio, *self._source.streams.subtitles):
            name = stream.codec_context.name if stream.codec_context is not None else "unknown"
            canonical = stream.codec_context.codec.canonical_name if name != "unknown" else name
            if canonical not in able or not _holds(container.format.name, stream):
                self.left_out.append(f"{stream.type} ({canonical}): {container.format.name} cannot hold it")
                continue
            try:
                self._streams[stream.index] = container.add_stream_from_template(stream)
            except (av.error.FFmpegError, ValueError) as error:
                self.left_out.append(f"{stream.type} ({canonical}): {error}")
                continue
            self.copied.append(canonical)
        if start_s > 0:
            self._source.seek(round((start_s + float(self._begin)) * 1_000_000))
        self._packets = self._demuxed()
        self._held: tuple[float, Any] | None = None

    def _demuxed(self) -> Iterator[tuple[float, Any]]:
        wanted = [self._source.streams[index] for index in self._streams]
        if not wanted:
            return
        for packet in self._source.demux(wanted):
            if packet.dts is None or packet.size == 0:  # what ends a stream
                continue
            time = float((packet.pts if packet.pts is not None else packet.dts) * packet.time_base - self._begin)
            # From the beginning on even what a decoder hears before nought, to warm up, is needed; what Opus has of it
            # the container itself tells.
            if self._from_nought and time < 0 and packet.stream.codec_context.name not in ("opus", "libopus"):
                continue
            if (self._start_s > 0 and time < self._start_s) or (self._end_s is not None and time >= self._end_s):
                continue
            shift = round((Fraction(self._start_s) + self._begin) / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts -= shift
            packet.stream = self._streams[packet.stream_index]
            yield time - self._start_s, packet

    def up_to(self, container: Any, time_s: float | None) -> None:
        """Hand on what is heard until a time, or all that is left."""
        while True:
            self._held = self._held or next(self._packets, None)
            if self._held is None or (time_s is not None and self._held[0] > time_s):
                return
            container.mux(self._held[1])
            self._held = None

    def close(self) -> None:
        self._source.close()


def _holds(format: str, stream: Any) -> bool:
    """Whether a container takes a stream; of some that it is said to hold (Opus in MOV) it can write no header."""
    try:
        with closing(av.open(io.BytesIO(), "w", format=format)) as tried:
            tried.add_stream_from_template(stream)
            tried.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def offers(encoder: str, pixel_format: str) -> bool:
    """Whether an encoder of this FFmpeg takes a pixel format; both by FFmpeg's names."""
    formats = av.codec.Codec(encoder, "w").video_formats
    return formats is None or any(each.name == pixel_format for each in formats)


def _palette_frame(pixels: PixelArray, levels: PixelArray | None) -> av.VideoFrame:
    from PIL import Image

    eight = pixels if pixels.dtype == np.uint8 else (pixels // 257).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(eight)).quantize(_GIF_COLOURS, method=Image.Quantize.FASTOCTREE)
    colours = np.zeros((256, 4), np.uint8)
    found = np.asarray(picture.getpalette(), np.uint8).reshape(-1, 3)
    # Byte order of FFmpeg's palettes: blue, green, red, alpha.
    colours[: len(found), :3], colours[: len(found), 3] = found[:, ::-1], 255
    indices = np.asarray(picture, np.uint8).copy()
    if levels is not None:
        half = _GIF_SOMEBODY if levels.dtype == np.uint8 else _GIF_SOMEBODY * 257
        colours[_GIF_COLOURS] = 0
        indices[levels < half] = _GIF_COLOURS
    frame = av.VideoFrame(pixels.shape[1], pixels.shape[0], "pal8")
    line = frame.planes[0].line_size
    rows = np.zeros((pixels.shape[0], line), np.uint8)
    rows[:, : pixels.shape[1]] = indices
    frame.planes[0].update(rows.tobytes())
    frame.planes[1].update(colours.tobytes())
    return frame


def explained(error: Exception, path: Path) -> BshmError:
    """What FFmpeg or the system says about an output that cannot be written."""
    if isinstance(error, BshmError):
        return error
    number = getattr(error, "errno", None)
    if isinstance(number, int) and 0 < number < 1000:
        return sink.explained(OSError(number, os.strerror(number)), str(path))
    return OutputError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.")
