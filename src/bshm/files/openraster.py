"""An OpenRaster writer: one picture in layers, as GIMP, Krita and MyPaint open it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np

from bshm import geometry
from bshm.files.png import encode_png
from bshm.types import PixelArray

MEDIA_TYPE = "image/openraster"
_THUMBNAIL_PX = 256


def encode_openraster(
    layers: Sequence[tuple[str, PixelArray]], merged: PixelArray, *, icc_profile: bytes | None = None
) -> bytes:
    """An OpenRaster file.

    Args:
        layers: name and (H, W, 4) RGBA, straight, uint8 or uint16, of each, from the back to the front.
        merged: what they look like together, of the same size and kind.
        icc_profile: of all of them.

    Returns:
        The file; equal pixels give equal files.

    Source:
        OpenRaster 0.0.6 (freedesktop.org).

    >>> one = np.zeros((1, 2, 4), np.uint8)
    >>> encode_openraster([("1", one)], one)[38:54]
    b'image/openraster'
    """
    # Both load much else (of the web, of compression), which no other format needs.
    import zipfile
    from xml.sax.saxutils import quoteattr

    height, width = merged.shape[:2]
    scale = min(1.0, _THUMBNAIL_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    levels = geometry.in_depth(merged, np.uint8)
    thumbnail = np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.uint8)
    # In the list the topmost layer stands first.
    entries = [
        f'<layer name={quoteattr(name)} src="data/{index}.png" x="0" y="0"/>'
        for index, (name, _) in enumerate(layers, 1)
    ]
    stack = "".join(reversed(entries))
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<image version="0.0.3" w="{width}" h="{height}">'
        f"<stack>{stack}</stack></image>\n"
    )
    files = {"mimetype": MEDIA_TYPE.encode(), "stack.xml": xml.encode()}
    for index, (_, pixels) in enumerate(layers, 1):
        files[f"data/{index}.png"] = encode_png(pixels, icc_profile=icc_profile)
    files["mergedimage.png"] = encode_png(merged, icc_profile=icc_profile)
    files["Thumbnails/thumbnail.png"] = encode_png(thumbnail)
    buffer = io.BytesIO()
    # What is a PNG is compressed already, and the mimetype must not be.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()
