"""Pictures that the tests make."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms


def noise(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> npt.NDArray[Any]:
    """Samples over the whole range of ``dtype``."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(height: int, width: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3): colours that lossy formats keep nearly, different at every corner."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 128 + 0 * x]
    return np.stack(planes, axis=2).round().astype(np.uint8)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: npt.NDArray[Any], extra: bytes = b"", stream: bytes | None = None) -> bytes:
    """A PNG of (H, W, 1|2|3|4) samples by the letter of the specification, no filter."""
    height, width, channels = samples.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big_endian)
    header = struct.pack(">IIBBBBB", width, height, 8 * samples.itemsize, colour_type, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows) if stream is None else stream)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def tiff(samples: npt.NDArray[Any], **changed: list[int]) -> bytes:
    """An uncompressed TIFF of (H, W, C) samples; ``t274=[6]`` sets or adds the SHORT tag 274."""
    height, width, channels = samples.shape
    data = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    tags = {256: [width], 257: [height], 258: [8 * samples.itemsize] * channels, 259: [1]}
    tags |= {262: [1 if channels < 3 else 2], 273: [8], 277: [channels], 278: [height], 279: [len(data)], 284: [1]}
    tags |= {int(name[1:]): values for name, values in changed.items()}
    data += b"\0" * (len(data) % 2)
    at = 8 + len(data)
    entries, outside = b"", b""
    for tag in sorted(tags):
        kind, letter = (4, "I") if tag in (273, 279) else (3, "H")
        value = struct.pack(f"<{len(tags[tag])}{letter}", *tags[tag])
        if len(value) > 4:
            place = at + 2 + 12 * len(tags) + 4 + len(outside)
            outside += value
            value = struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, kind, len(tags[tag])) + value.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0) + outside
    return b"II*\0" + struct.pack("<I", at) + data + directory


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def grey_profile(gamma: float) -> bytes:
    """The smallest grey profile: a white point and a pure gamma curve."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ " + struct.pack(">I3i", 0, 63190, 65536, 54061)
    tags = [(b"kTRC", curve), (b"wtpt", white)]
    at = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for kind, value in tags:
        table += kind + struct.pack(">II", at + len(data), len(value))
        data += value
    size = at + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + data
