"""The chunks of a PNG file: those that the pixels need, and what the rest says.

Decoders see the first kind alone.  The others tell nothing about the pixels, but Pillow calls a picture broken when
one of them is damaged or unpacks to more than 1 MiB, and libpng speaks of them on stderr.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Larger than profiles get, which are tables of 33x33x33 colours at most, and small enough to be unpacked by anybody.
MOST_PROFILE_BYTES = 16 * 1024 * 1024

_TRANSPARENCY = b"tRNS"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_RESOLUTION = b"pHYs"


@dataclass(frozen=True)
class Chunks:
    """What a PNG file is made of.

    Attributes:
        pixels: a PNG file of the chunks that decide the pixels, the frames and the resolution.
        exif: what eXIf holds, or None.
        icc_profile: what iCCP holds, unpacked, or None.
    """

    pixels: bytes
    exif: bytes | None
    icc_profile: bytes | None


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height by the header.

    Raises:
        ValueError: the first chunk is no header.
    """
    if len(data) < 33 or data[8:16] != b"\0\0\0\x0dIHDR":
        raise ValueError("its first chunk is not a header")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def read(data: bytes) -> Chunks:
    """Take a PNG file apart, and see that every chunk that its pixels need is there and undamaged.

    Others that are damaged count as not there.  What stands behind the last chunk is no part of the picture.

    Raises:
        ValueError: it ends before its last chunk, a chunk that the pixels need has a wrong checksum, or the profile
            unpacks to more than ``MOST_PROFILE_BYTES``.
    """
    parts: list[tuple[bytes, memoryview]] = []
    exif = icc_profile = None
    whole = memoryview(data)
    animated = True
    kind, at = b"", len(SIGNATURE)
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ValueError(f"it ends after {len(data):,} bytes, before its last chunk")
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + size
        if end > len(data):
            raise ValueError(f"it ends after {len(data):,} bytes, before its last chunk")
        undamaged = zlib.crc32(whole[at + 4 : end - 4]) == struct.unpack_from(">I", data, end - 4)[0]
        body = whole[at + 8 : end - 4]
        if kind[:1].isupper() or kind == _TRANSPARENCY:  # a capital first letter: no decoder may pass over it
            if not undamaged:
                raise ValueError(f"the checksum of its {kind.decode('latin-1')} chunk at byte {at} is wrong")
            parts.append((kind, whole[at:end]))
        elif kind in _ANIMATION:
            animated = animated and undamaged
            parts.append((kind, whole[at:end]))
        elif kind == _RESOLUTION and undamaged:
            parts.append((kind, whole[at:end]))
        elif kind == b"eXIf" and undamaged:
            exif = bytes(body)
        elif kind == b"iCCP" and undamaged and icc_profile is None:
            icc_profile = _profile(bytes(body))
        at = end
    kept = [part for kind, part in parts if animated or kind not in _ANIMATION]
    pixels = data
    if len(SIGNATURE) + sum(map(len, kept)) < len(data):
        pixels = b"".join([SIGNATURE, *kept])
    return Chunks(pixels, exif, icc_profile)


def _profile(body: bytes) -> bytes | None:
    """The profile behind its name; None where it cannot be unpacked."""
    _, _, packed = body.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MOST_PROFILE_BYTES + 1)  # behind the method, which is always 0
    except zlib.error:
        return None
    if len(profile) > MOST_PROFILE_BYTES:
        raise ValueError(f"its colour profile unpacks to more than {MOST_PROFILE_BYTES:,} bytes")
    return profile if unpacker.eof else None
