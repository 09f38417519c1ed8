"""Read back a written file: every frame exists, at its time and with its alpha."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.errors import OutputError
from bshm.types import PixelArray
from bshm.video.codecs import Packing
from bshm.video.library import EXACT, av
from bshm.video.result import AlphaCheck, Written

# Frames compared in full: so many at most, spread over the clip.  Of every frame a thumbnail is compared, so that an
# alpha beside its picture is found wherever it is.
_IN_FULL = 16
_THUMB = 8
# A lossy codec may move the mean alpha of a sixty-fourth of the picture by this much, of 255, and no further.
_THUMB_OFF = 24
# Decoders that show the alpha of VP8 and VP9; FFmpeg's own pass over it.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

Bytes = npt.NDArray[np.uint8]


class Notes:
    """What was written, remembered in little room: 72 bytes a frame, and a few frames in full."""

    def __init__(self) -> None:
        self.times_s = array("d")
        self._thumbs = bytearray()
        self._full: dict[int, tuple[bytes, Any, tuple[int, ...]]] = {}
        self._stride = 1

    def add(self, time_s: float, levels: PixelArray | None) -> None:
        """One more frame, shown at ``time_s``, with these levels of alpha."""
        index = len(self.times_s)
        self.times_s.append(time_s)
        if levels is None:
            return
        self._thumbs += _thumb(levels).tobytes()
        if index % self._stride == 0:
            self._full[index] = (zlib.compress(levels.tobytes(), 1), levels.dtype, levels.shape)
            if len(self._full) > _IN_FULL:
                self._stride *= 2
                self._full = {key: value for key, value in self._full.items() if key % self._stride == 0}

    def extend(self, later: Notes) -> None:
        """Add the notes of the frames that come next."""
        offset = len(self.times_s)
        self.times_s.extend(later.times_s)
        self._thumbs += later._thumbs
        self._full.update({offset + index: value for index, value in later._full.items()})
        while len(self._full) > _IN_FULL:
            self._full = {key: self._full[key] for key in sorted(self._full)[::2]}

    def packed(self) -> dict[str, Any]:
        """The same as arrays; ``unpacked`` makes notes of them again."""
        arrays: dict[str, Any] = {
            "times_s": np.array(self.times_s),
            "thumbs": np.frombuffer(bytes(self._thumbs), np.uint8),
        }
        return arrays | {f"full.{index}": self.full(index) for index in self._full}

    @classmethod
    def unpacked(cls, arrays: Mapping[str, Any]) -> Notes:
        """Notes from what ``packed`` gave."""
        notes = cls()
        notes.times_s = array("d", arrays["times_s"].tolist())
        notes._thumbs = bytearray(arrays["thumbs"].tobytes())
        for name, levels in arrays.items():
            if name.startswith("full."):
                packed = zlib.compress(levels.tobytes(), 1)
                notes._full[int(name.removeprefix("full."))] = (packed, levels.dtype, levels.shape)
        return notes

    def thumb(self, index: int) -> Bytes:
        """The thumbnail of a frame."""
        size = _THUMB * _THUMB
        return np.frombuffer(bytes(self._thumbs[index * size : (index + 1) * size]), np.uint8).reshape(_THUMB, _THUMB)

    def full(self, index: int) -> PixelArray | None:
        """The levels of a frame that was kept in full."""
        if index not in self._full:
            return None
        data, dtype, shape = self._full[index]
        result: PixelArray = np.frombuffer(zlib.decompress(data), dtype).reshape(shape)
        return result


def check(temporary: Path, shown: Path, product: str, packing: Packing, notes: Notes) -> Written:
    """Read a file back and compare it with what was written into it.

    Raises:
        OutputError: frames are missing, a time is off by more than the container's clock explains, or alpha is not
            what it was.
    """
    if packing.codec is None:
        raise ValueError("check() reads containers")
    alpha = _AlphaTally(notes) if packing.clear else None
    furthest, count = 0.0, 0
    try:
        for time_s, levels in _read_back(temporary, packing):
            if count < len(notes.times_s):
                furthest = max(furthest, abs(time_s - notes.times_s[count]))
                if alpha is not None:
                    alpha.add(count, levels)
            count += 1
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"{shown} was written but cannot be read back: {error}. It was deleted.") from error
    if count != len(notes.times_s):
        raise OutputError(
            f"{shown} was written with {len(notes.times_s)} frames but reads back with {count}. It was deleted. "
            "Check that the disk is not full."
        )
    allowed = 0.0101 if packing.format == "gif" else 0.0011
    if furthest > allowed:
        raise OutputError(
            f"a frame of {shown} was read back {furthest:.3f} s away from its time. The file was deleted."
        )
    found = None
    if alpha is not None:
        found = alpha.finish(shown, exact=packing.codec.alpha_exact, coarse=packing.codec.name == "gif")
    return Written(product, shown, packing.codec.name, count, furthest, found)


class _AlphaTally:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._compared = 0
        self._sum = self._largest = 0.0
        self._beside: int | None = None

    def add(self, index: int, levels: PixelArray | None) -> None:
        if levels is None:
            self._beside = index if self._beside is None else self._beside
            return
        off = np.abs(_thumb(levels).astype(int) - self._notes.thumb(index)).max()
        if off > _THUMB_OFF and self._beside is None:
            self._beside = index
        wanted = self._notes.full(index)
        if wanted is None:
            return
        height, width = wanted.shape  # what was padded to even sides is longer
        top = float(np.iinfo(wanted.dtype).max)
        change = np.abs(geometry.in_depth(levels[:height, :width], wanted.dtype).astype(np.int64) - wanted) / top
        self._compared += 1
        self._sum += float(change.mean())
        self._largest = max(self._largest, float(change.max()))

    def finish(self, shown: Path, *, exact: bool, coarse: bool) -> AlphaCheck:
        if self._beside is not None and not coarse:
            raise OutputError(
                f"{shown} reads back without the alpha of frame {self._beside}, or with that of another frame. It was "
                "deleted."
            )
        # 10 bits of ProRes hold 8 exactly and 16 nearly.
        if exact and self._largest > 1 / 1000:
            raise OutputError(
                f"the alpha of {shown} differs by {self._largest:.4f} when read back. The file was deleted."
            )
        mean = self._sum / max(1, self._compared)
        return AlphaCheck(self._compared, self._largest == 0, mean, self._largest)


def _read_back(path: Path, packing: Packing) -> Iterator[tuple[float, PixelArray | None]]:
    if packing.format == "webp":
        yield from _read_webp(path)
        return
    with closing(av.open(str(path), "r")) as container:
        stream = container.streams.video[0]
        context: Any = stream.codec_context
        if packing.clear and context.name in _ALPHA_DECODERS:
            context = av.codec.CodecContext.create(_ALPHA_DECODERS[context.name], "r")
        else:
            stream.thread_type = "AUTO"
        begin = Fraction(container.start_time or 0, 1_000_000)
        for packet in container.demux(stream):
            for frame in context.decode(packet if packet.size else None):
                time = float(frame.pts * stream.time_base - begin)
                yield time, _alpha(frame) if packing.clear else None


def _read_webp(path: Path) -> Iterator[tuple[float, PixelArray | None]]:
    # FFmpeg writes moving WebP, and reads it only from version 8.2 on.
    from PIL import Image

    with Image.open(path) as picture:
        time_ms = 0.0
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            picture.load()
            yield time_ms / 1000, np.asarray(picture.convert("RGBA"))[..., 3]
            time_ms += float(picture.info.get("duration", 0))


def _alpha(frame: Any) -> PixelArray | None:
    if not any(component.is_alpha for component in frame.format.components) and frame.format.name != "pal8":
        return None
    deep = max(component.bits for component in frame.format.components) > 8
    same = frame.reformat(format="rgba64le" if deep else "rgba", interpolation=EXACT)
    result: PixelArray = np.ascontiguousarray(same.to_ndarray()[..., 3])
    return result


def _thumb(levels: PixelArray) -> Bytes:
    small = cv2.resize(geometry.in_depth(levels, np.dtype(np.uint8)), (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
