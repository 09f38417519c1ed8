"""Backgrounds of a clip, frame by frame: a colour, a picture, the blurred original or another video."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from bshm import geometry
from bshm.color import looks_like_color
from bshm.edit.background import filled, opened
from bshm.edit.words import BlurBackground, PictureBackground, parse_background
from bshm.types import FloatArray, Picture, PixelArray
from bshm.video import reading
from bshm.video.codecs import GREEN_SCREEN
from bshm.video.finding import VIDEO_SUFFIXES


class ClipBackground:
    """The background of each frame."""

    def __init__(self, spec: str) -> None:
        """Read what can be read once.

        Args:
            spec: a colour, ``green-screen``, ``blur`` or ``blur:RADIUS``, a picture or a video.

        Raises:
            OptionError, InputError: as ``parse_background``, ``opened`` and ``reading.probe``.
        """
        self._film = _Film(Path(spec)) if _is_video(spec) else None
        self._background = parse_background(GREEN_SCREEN if spec.strip() == "green-screen" else spec)
        still = isinstance(self._background, PictureBackground) and self._film is None
        # Mistakes are told before the first frame.
        self._picture = opened(self._background.source) if still else None  # type: ignore[union-attr]
        self._filled: PixelArray | None = None

    def behind(self, pixels: PixelArray, alpha: FloatArray, time_s: float) -> PixelArray:
        """The background of one frame.

        Args:
            pixels: (H, W, 3) uint8 or uint16, the frame.
            alpha: (H, W) float32, 0..1.
            time_s: when it is shown, from the first frame on.

        Returns:
            (H, W, 3), dtype of ``pixels``.
        """
        if self._film is not None:
            return geometry.in_depth(geometry.cover(self._film.at(time_s), alpha.shape), pixels.dtype)
        if isinstance(self._background, BlurBackground):
            return filled(self._background, Picture(pixels), alpha)
        if self._filled is None or self._filled.shape != pixels.shape or self._filled.dtype != pixels.dtype:
            self._filled = filled(self._background, Picture(pixels), alpha, self._picture)
        return self._filled

    def close(self) -> None:
        """Close the film."""
        if self._film is not None:
            self._film.close()


# Containers round their times to a millisecond.
_CLOCK_S = 0.0011


class _Film:
    """A video that is played beside another one, from the beginning again when it ends."""

    def __init__(self, path: Path) -> None:
        self._clip = reading.probe(path)
        self._begun_s = 0.0
        self._frames = reading.frames(self._clip)
        self._shown = next(self._frames)
        self._next = next(self._frames, None)

    def at(self, time_s: float) -> PixelArray:
        """The picture that is shown at a time; times never go back."""
        while True:
            if self._next is None:
                step = float(1 / self._clip.rate) if self._clip.rate else 0.04
                ends = self._begun_s + float(self._shown.pts * self._clip.time_base) + step
                if time_s < ends - _CLOCK_S:
                    return self._shown.pixels
                self._begun_s = ends
                self._frames = reading.frames(self._clip)
                self._shown = next(self._frames)
                self._next = next(self._frames, None)
            elif time_s < self._begun_s + float(self._next.pts * self._clip.time_base) - _CLOCK_S:
                return self._shown.pixels
            else:
                self._shown, self._next = self._next, next(self._frames, None)

    def close(self) -> None:
        """Let go of the file."""
        frames: Generator[reading.Frame, None, None] = self._frames
        frames.close()


def _is_video(spec: str) -> bool:
    return not looks_like_color(spec) and Path(spec).suffix.lower() in VIDEO_SUFFIXES
