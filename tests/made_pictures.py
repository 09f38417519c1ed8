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


Values = bytes | list[int] | list[tuple[int, int]]


def directory(tags: dict[int, tuple[int, Values]], at: int, order: str = "<", following: int = 0) -> bytes:
    """A TIFF directory for file offset ``at``: tags to type and values, rationals as pairs, text as bytes."""
    entries, outside = b"", b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        if isinstance(values, bytes):
            count, value = len(values), values
        elif kind in (5, 10):
            count = len(values)
            letter = "I" if kind == 5 else "i"
            value = b"".join(struct.pack(f"{order}2{letter}", *pair) for pair in values)  # type: ignore[misc]
        else:
            count, value = len(values), struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(value) > 4:
            place = at + 2 + 12 * len(tags) + 4 + len(outside)
            outside += value + b"\0" * (len(value) % 2)
            value = struct.pack(order + "I", place)
        entries += struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
    return struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following) + outside


def exif_block(order: str = "<", orientation: int = 6) -> bytes:
    """EXIF as a camera writes it: with a thumbnail, a maker's note, the size of the picture, and a place."""
    text = "© Zoë 山\0".encode()
    comment = b"UNICODE\0" + "山 day".encode("utf-16-le" if order == "<" else "utf-16-be")
    thumbnail = saved(Image.new("RGB", (16, 12), "red"), "JPEG")
    at = 400  # of the EXIF directory, 600 of the GPS directory, 800 of the thumbnail's
    first = {
        256: (4, [4000]),
        271: (2, b"Maker\0"),
        272: (2, b"Model X\0"),
        274: (3, [orientation]),
        306: (2, b"2024:05:06 07:08:09\0"),
        33432: (2, text),
        34665: (4, [at]),
        34853: (4, [at + 200]),
    }
    detail = {
        33434: (5, [(1, 250)]),
        37380: (10, [(-1, 3)]),
        37500: (7, b"the maker's note, with a preview"),
        37510: (7, comment),
        36867: (2, b"2024:05:06 07:08:09\0"),
        40962: (4, [4000]),
        40963: (4, [3000]),
    }
    gps = {1: (2, b"N\0"), 2: (5, [(48, 1), (8, 1), (15, 1)])}
    small = {513: (4, [1000]), 514: (4, [len(thumbnail)]), 259: (3, [6])}
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    for start, tags, following in ((8, first, 800), (at, detail, 0), (at + 200, gps, 0), (800, small, 0)):
        block = block.ljust(start, b"\0") + directory(tags, start, order, following)  # type: ignore[arg-type]
    return block.ljust(1000, b"\0") + thumbnail


def layered_tiff(
    pages: list[tuple[npt.NDArray[Any] | None, dict[int, tuple[int, Values]]]], children: list[int], order: str = "<"
) -> bytes:
    """A TIFF of directories of uncompressed 8-bit RGB: those numbered in ``children`` hang below the first one."""
    body = b""
    places: list[int] = []
    for samples, _ in pages:
        places.append(8 + len(body))
        body += b"" if samples is None else samples.tobytes()
        body += b"\0" * (len(body) % 2)
    chain = [number for number in range(len(pages)) if number not in children]
    # Directories have room for 600 bytes each.
    starts = [8 + len(body) + 600 * number for number in range(len(pages))]
    for number, (samples, extra) in enumerate(pages):
        tags: dict[int, tuple[int, Values]] = {}
        if samples is not None:
            height, width = samples.shape[:2]
            tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [8, 8, 8]), 259: (3, [1]), 262: (3, [2])}
            tags |= {273: (4, [places[number]]), 277: (3, [3]), 278: (4, [height]), 279: (4, [samples.nbytes])}
        if number == 0 and children:
            tags[330] = (4, [starts[child] for child in children])
        follower = chain[chain.index(number) + 1] if number in chain and number != chain[-1] else None
        following = 0 if follower is None else starts[follower]
        body = body.ljust(starts[number] - 8, b"\0")
        body += directory(tags | extra, starts[number], order, following)
    header = b"II*\0" if order == "<" else b"MM\0*"
    return header + struct.pack(order + "I", starts[0]) + body


def psd(
    samples: npt.NDArray[np.uint8],
    *,
    layers: int = 0,
    resources: dict[int, bytes] | None = None,
    mode: int = 3,
    bits: int = 8,
) -> bytes:
    """A PSD of (H, W, C) merged samples, and nothing in its layers but their number."""
    height, width, channels = samples.shape
    blocks = b""
    for number, content in (resources or {}).items():
        blocks += b"8BIM" + struct.pack(">H", number) + b"\0\0" + struct.pack(">I", len(content))
        blocks += content + b"\0" * (len(content) % 2)
    info = b"" if layers == 0 else struct.pack(">IIh", 6, 2, layers)
    info = info or struct.pack(">I", 0)
    header = b"8BPS\0\1" + b"\0" * 6 + struct.pack(">HIIHH", channels, height, width, bits, mode)
    planes = np.ascontiguousarray(samples.transpose(2, 0, 1)).tobytes()
    return header + struct.pack(">I", 0) + struct.pack(">I", len(blocks)) + blocks + info + b"\0\0" + planes
