"""Join segments into one file without encoding them again: packets as they are, at the times that they are to have."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bshm.errors import OutputError
from bshm.video.codecs import Packing
from bshm.video.library import av
from bshm.video.reading import Clip
from bshm.video.writing import Copies, Nothing, explained


@dataclass(frozen=True)
class Times:
    """When each frame is shown.

    Attributes:
        pts: in ticks, rising.
        durations: in ticks; 0 where nobody knows.
        late: how many packets at most come before one that is shown earlier than they are.
    """

    pts: array[int]
    durations: array[int]
    late: int

    def decoding(self, index: int) -> int:
        """When the packet at a place in the file is decoded, in ticks: rising, and never after it is shown."""
        if index >= self.late:
            return self.pts[index - self.late]
        step = self.pts[1] - self.pts[0] if len(self.pts) > 1 else 1
        return self.pts[0] - (self.late - index) * step


def join(
    pieces: Sequence[tuple[Path, int]],
    temporary: Path,
    shown: Path,
    packing: Packing,
    clip: Clip,
    times: Times,
    *,
    copies: tuple[float, float | None] | None,
) -> tuple[list[str], list[str]]:
    """Write one file of segments.

    Args:
        pieces: the segments, each a file of ``packing``'s container, and how many frames are in it.
        temporary: the file that is written.
        shown: what messages call it.
        packing: of the segments and of the file.
        clip: what it was made of.
        times: of all frames; what the segments say of theirs is not looked at.
        copies: from which second of ``clip`` to which audio and subtitles are copied; None copies none.

    Returns:
        the codecs that were copied, and what was left out and why.

    Raises:
        OutputError, DiskFullError: it cannot be written, or the segments do not belong together.
    """
    others: Nothing = Nothing()
    try:
        with closing(av.open(str(temporary), "w", format=packing.format)) as container:
            extra, stream = _add_stream(container, pieces[0][0], packing, clip)
            if copies is not None:
                others = Copies(clip, container, *copies)
            container.start_encoding()
            place = 0
            for path, frames in pieces:
                for packet in _placed(path, shown, extra, times, clip, place, frames):
                    others.up_to(container, float(packet.pts * clip.time_base))
                    packet.stream = stream
                    container.mux(packet)
                place += frames
            others.up_to(container, None)
    except (av.error.FFmpegError, OSError) as error:
        raise explained(error, shown) from error
    finally:
        with suppress(av.error.FFmpegError, OSError):
            others.close()
    return others.copied, others.left_out


def _add_stream(container: Any, piece: Path, packing: Packing, clip: Clip) -> tuple[bytes | None, Any]:
    with closing(av.open(str(piece), "r")) as opened:
        template = opened.streams.video[0]
        extra: bytes | None = template.codec_context.extradata
        # opaque: some codecs (AV1) have decoders with names that no encoder has.
        stream: Any = container.add_stream_from_template(template, opaque=True)
        # ProRes 4444 is told from the other kinds by this alone.
        stream.codec_context.codec_tag = template.codec_context.codec_tag
        stream.time_base = clip.time_base
        if packing.clear and packing.codec is not None and packing.codec.name == "vp9":
            # Players look for the second picture, which is the alpha, where the container says that there is one.
            stream.codec_context.pix_fmt = "yuva420p"
        stream.codec_context.framerate = clip.rate or Fraction(25)
    return extra, stream


def _placed(
    path: Path, shown: Path, extra: bytes | None, times: Times, clip: Clip, place: int, frames: int
) -> Iterator[Any]:
    """The packets of one segment with their times; ``place`` is that of its first frame."""
    with closing(av.open(str(path), "r")) as opened:
        stream: Any = opened.streams.video[0]
        if stream.codec_context.extradata != extra:
            raise OutputError(f"{shown}: its segments were made by different encoders. Begin anew in another folder.")
        # One packet is held at a time; where they are not in the order of what is shown that is looked at before.
        ranks = _ranks(path) if times.late else range(frames)
        number = 0
        for packet in opened.demux(stream):
            if not packet.size:
                continue
            if number >= len(ranks):
                raise OutputError(f"{shown}: a segment of {frames} frames reads back with more. Was it changed?")
            frame = place + ranks[number]
            duration = times.durations[frame] or round(packet.duration * packet.time_base / clip.time_base)
            packet.pts, packet.dts, packet.duration = times.pts[frame], times.decoding(place + number), duration
            packet.time_base = clip.time_base
            yield packet
            number += 1


def _ranks(path: Path) -> Sequence[int]:
    """Of each packet of a file, in order, the number of the frame that it shows."""
    with closing(av.open(str(path), "r")) as opened:
        stream: Any = opened.streams.video[0]
        shown: list[int] = [packet.pts for packet in opened.demux(stream) if packet.size]
    ranks = [0] * len(shown)
    for rank, index in enumerate(sorted(range(len(shown)), key=lambda index: shown[index])):
        ranks[index] = rank
    return ranks
