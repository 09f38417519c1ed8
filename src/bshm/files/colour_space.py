"""Check whether colours are sRGB, and convert them to it."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from bshm import geometry
from bshm.types import PixelArray

# Profiles of sRGB differ in the last level or two; Display P3 and Adobe RGB by 20 and more.
_SAME_LEVELS = 3


@lru_cache(maxsize=16)
def is_srgb(icc_profile: bytes | None) -> bool:
    """Whether a profile shows colours as sRGB does; without one they are sRGB.

    Args:
        icc_profile: as embedded in the file.
    """
    if icc_profile is None:
        return True
    transform = _transform(icc_profile)
    if transform is None:
        return False
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    seen = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return int(np.abs(seen.astype(int) - colours).max()) <= _SAME_LEVELS


def to_srgb(pixels: PixelArray, icc_profile: bytes | None) -> PixelArray:
    """Colours in sRGB, perceived as before.

    Args:
        pixels: (H, W, 3) uint8 or uint16, in the colour space of the profile.
        icc_profile: as embedded in the file.

    Returns:
        ``pixels`` where they are sRGB already, or where nobody can use the profile; else (H, W, 3) uint8.
    """
    if is_srgb(icc_profile):
        return pixels
    transform = _transform(icc_profile)
    if transform is None:
        return pixels
    eight = geometry.in_depth(pixels, np.uint8)
    return np.asarray(ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(eight)), transform))


def name_of(icc_profile: bytes | None) -> str:
    """What a profile calls itself; sRGB where there is none."""
    if icc_profile is None:
        return "sRGB"
    try:
        return ImageCms.getProfileDescription(BytesIO(icc_profile)).strip() or "unnamed"
    except (ImageCms.PyCMSError, OSError):
        return "damaged"


def _transform(icc_profile: bytes | None) -> ImageCms.ImageCmsTransform | None:
    try:
        return ImageCms.buildTransform(
            BytesIO(icc_profile or b""),
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return None
