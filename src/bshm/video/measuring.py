"""What a clip from somebody else will cost, before any of it is matted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from bshm.errors import EncoderMissingError, UnreadableVideoError
from bshm.video.codecs import CODECS, Codec, Packing
from bshm.video.library import av
from bshm.video.writing import offers

# Kinds of files that hold their frames themselves, as FFmpeg calls them.  Play lists and scripts (HLS, DASH, concat)
# would make it open other files of this machine, or addresses.
_HELD = ",".join(
    (
        *("mov", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "ogg", "asf", "mxf", "nut", "dv"),
        *("h264", "hevc", "m4v", "ivf", "obu", "gif", "apng", "yuv4mpegpipe"),
    )
)


@dataclass(frozen=True)
class Measured:
    """What a file holds, by its packets: what it says of itself is not believed.

    Attributes:
        seconds: from its first picture to the end of its last.
        frames: how many packets of pictures it has.
        pixels: of a frame, as its header says; not decoded.
    """

    seconds: float
    frames: int
    pixels: int


def measure(path: Path) -> Measured:
    """Go through the packets of a file that a stranger may have sent; nothing is decoded.

    Raises:
        UnreadableVideoError: it is no file that holds moving pictures itself.
    """
    try:
        with closing(
            av.open(str(path), "r", options={"format_whitelist": _HELD, "protocol_whitelist": "file"})
        ) as found:
            pictures = av.stream.Disposition.attached_pic
            stream = next((each for each in found.streams.video if not each.disposition & pictures), None)
            if stream is None or stream.time_base is None or stream.codec_context is None:
                raise UnreadableVideoError(f"{path} holds no moving pictures that can be read. Give a video.")
            frames, first, last = 0, None, 0
            step = 0 if not stream.average_rate else round(1 / (stream.average_rate * stream.time_base))
            for packet in found.demux(stream):
                if packet.size == 0:
                    continue
                frames += 1
                time = packet.pts if packet.pts is not None else packet.dts
                if time is None:
                    time = last
                first = time if first is None else min(first, time)
                last = max(last, time + (packet.duration or step))
            context = stream.codec_context
            return Measured(
                float((last - (first or 0)) * stream.time_base) if frames else 0.0,
                frames,
                context.width * context.height,
            )
    except av.error.FFmpegError as error:
        reason = "it is empty" if path.stat().st_size == 0 else (error.strerror or str(error))
        raise UnreadableVideoError(
            f"{path} cannot be read as a video: {reason}. It may be truncated, or of a kind that is not taken here."
        ) from error


def check_encoders(packings: Iterable[Packing]) -> None:
    """See that this FFmpeg has an encoder for each file; of several encoders the first that is there is opened.

    Raises:
        EncoderMissingError: there is none, or it cannot write that.
    """
    for packing in packings:
        codec = packing.codec
        if codec is not None and not _is_here(codec, clear=packing.clear):
            what = f"{codec.name}{' with alpha' if packing.clear else ''}"
            raise EncoderMissingError(
                f"this FFmpeg cannot encode {what}: it needs {' or '.join(codec.encoders)}. It has encoders for "
                f"{', '.join(codecs_here())}."
            )


@cache
def codecs_here() -> tuple[str, ...]:
    """The codecs that this FFmpeg has an encoder for."""
    return tuple(each.name for each in CODECS.values() if _is_here(each, clear=each.clear != (None, None)))


def _is_here(codec: Codec, *, clear: bool) -> bool:
    if codec.name == "gif":  # FFmpeg's own, and it opens with a palette only
        return True
    wanted = codec.pixel_format(clear=clear, deep=False) or codec.pixel_format(clear=clear, deep=True) or ""
    found = next((name for name in codec.encoders if _offers(name, wanted)), None)
    return found is not None and _opens(found, wanted, codec.options, codec.clear_options if clear else {})


def _offers(encoder: str, pixel_format: str) -> bool:
    return encoder in av.codec.codecs_available and offers(encoder, pixel_format)


def _opens(encoder: str, pixel_format: str, *options: Mapping[str, str]) -> bool:
    """Whether it really does: a library behind FFmpeg may have been built without what FFmpeg knows of."""
    context: Any = av.codec.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = 64, 64, pixel_format
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {name: value for each in options for name, value in each.items()}
    try:
        context.open()
    except (av.error.FFmpegError, OSError):
        return False
    return True
