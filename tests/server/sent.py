"""What tests send to the service, and what they read of its answers."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def picture(
    size: tuple[int, int] = (64, 48),
    *,
    person: tuple[int, int, int, int] | None = (16, 12, 48, 36),
    form: str = "PNG",
    exif: dict[int, str | int] | None = None,
) -> bytes:
    """A file with a red box on grey: to the fake network, a person.

    Args:
        size: width and height.
        person: left, top, right and bottom; None for nobody.
        form: as Pillow names it.
        exif: tags of its first directory.
    """
    pixels = np.full((size[1], size[0], 3), 60, np.uint8)
    if person is not None:
        left, top, right, bottom = person
        pixels[top:bottom, left:right] = (240, 20, 20)
    file = io.BytesIO()
    tags = Image.Exif()
    tags.update(exif or {})
    Image.fromarray(pixels).save(file, form, **({"exif": tags} if exif else {}))
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """A result, decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def levels(image: Image.Image, place: tuple[int, int]) -> tuple[int, ...]:
    """Those of one pixel of a picture with colours; ``place`` is x and y."""
    found = image.getpixel(place)
    assert isinstance(found, tuple)
    return found
