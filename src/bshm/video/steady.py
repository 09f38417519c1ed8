"""Steady in time: each mask and alpha remembers those before it, moved along with the picture.

What was found in the last frame is carried to where the picture has moved since (dense optical flow), and mixed with
what is found now.  It counts only where the picture there is what was expected: not where something was uncovered or
the light changed, and nowhere at a cut.

Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, for the flow; the mixture is a
first-order recursive filter along the motion.  How much is remembered was chosen by measurement (benchmarks/video.py).
"""

from __future__ import annotations

import cv2
import numpy as np

from bshm import geometry
from bshm.types import FloatArray, PixelArray

# How much of what is carried along counts where the picture is as expected.
_KEPT = 0.85
# Flow is looked for in a picture of at most this many pixels, where a face's motion is still seen and noise is not.
_FLOW_PX = 640 * 480
# Noise of a sensor or of compression, in levels of 255: differences below it are none; twice it is a stranger.
_NOISE_LEVELS = 12.0
_NOISE_SIGMA_PX = 1.0
_WINDOW_PX = 5
# A cut: the carried picture is a stranger in more of the frame than this.  A person who walks by hides a third.
_CUT_SHARE = 0.6


class Memory:
    """What is known of a clip so far.  For each frame: ``see`` it, then hand in its ``mask`` and ``alpha``."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._before: FloatArray | None = None
        self._motion: FloatArray | None = None
        self._trust: FloatArray | None = None
        self._mask: FloatArray | None = None
        self._alpha: FloatArray | None = None
        self.cuts = 0

    def see(self, pixels: PixelArray) -> None:
        """Look at the next frame: how it moved since the last one, and where that explains it.

        Args:
            pixels: (H, W, 3) uint8 or uint16, RGB.
        """
        now = _small(pixels)
        self._motion = self._trust = None
        if self._before is not None and self._before.shape == now.shape:
            # From now to before: where each pixel of now was.
            motion = np.asarray(self._flow.calc(_grey(now), _grey(self._before), None), np.float32)  # type: ignore[call-overload]
            off = np.abs(now - _carried(self._before, motion)).max(axis=2)
            off = np.maximum(0, cv2.blur(off, (_WINDOW_PX, _WINDOW_PX)) / np.float32(_NOISE_LEVELS) - 1)
            trust = np.asarray(np.exp(-off * off), np.float32)
            if float((trust < 0.1).mean()) > _CUT_SHARE:
                self.cuts += 1
            else:
                self._motion, self._trust = motion, trust
        self._before = now

    def mask(self, mask: FloatArray) -> FloatArray:
        """The frame's mask, mixed with the one before: (h, w) float32, 0..1."""
        self._mask = self._mixed(self._mask, mask)
        return self._mask

    def alpha(self, alpha: FloatArray) -> FloatArray:
        """The frame's alpha, mixed with the one before: (H, W) float32, 0..1."""
        self._alpha = self._mixed(self._alpha, alpha)
        return self._alpha

    def _mixed(self, before: FloatArray | None, now: FloatArray) -> FloatArray:
        if before is None or before.shape != now.shape or self._motion is None or self._trust is None:
            return now
        height, width = now.shape
        scale = np.array([width / self._motion.shape[1], height / self._motion.shape[0]], np.float32)
        motion = geometry.resize(self._motion, now.shape) * scale
        change = _carried(before, motion) - now
        change *= geometry.resize(self._trust, now.shape)
        change *= np.float32(_KEPT)
        change += now
        return np.clip(change, 0, 1, out=change)


def _small(pixels: PixelArray) -> FloatArray:
    """(h, w, 3) float32, 0..255, small enough for the flow and without noise."""
    height, width = pixels.shape[:2]
    scale = min(1.0, float(np.sqrt(_FLOW_PX / (height * width))))
    size = (max(16, round(height * scale)), max(16, round(width * scale)))
    small = geometry.shrink(pixels, size).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _NOISE_SIGMA_PX), np.float32)


def _grey(picture: FloatArray) -> PixelArray:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) + 0.5, np.uint8)


def _carried(before: FloatArray, motion: FloatArray) -> FloatArray:
    """What was ``before``, where it is now: ``motion`` says for each pixel of now how far off it was."""
    height, width = motion.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns += motion[..., 0]
    rows += motion[..., 1]
    found = cv2.remap(before, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)
