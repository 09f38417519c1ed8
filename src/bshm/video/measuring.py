"""What a clip from somebody else will cost, before any of it is matted."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bshm.errors import EncoderMissingError, UnreadableVideoError
from bshm.video.codecs import CODECS, Packing
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
    """See that this FFmpeg has an encoder for each codec.

    Raises:
        EncoderMissingError: one is not there.
    """
    for packing in packings:
        codec = packing.codec
        if codec is None:
            continue
        format = codec.pixel_format(clear=packing.clear, deep=False) or codec.pixel_format(
            clear=packing.clear, deep=True
        )
        here = [name for name in codec.encoders if name in av.codec.codecs_available]
        if not any(offers(name, format or "") for name in here):
            raise EncoderMissingError(
                f"this FFmpeg cannot encode {codec.name}{' with alpha' if packing.clear else ''}: it needs {' or '.join(codec.encoders)}. "
                f"It has encoders for {', '.join(codecs_here())}."
            )


def codecs_here() -> list[str]:
    """The codecs that this FFmpeg has an encoder for."""
    return [each.name for each in CODECS.values() if set(each.encoders) & av.codec.codecs_available]
