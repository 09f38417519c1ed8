"""Bit depth and profile of a JPEG 2000 file, which Pillow does not report."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CODESTREAM = b"\xff\x4f\xff\x51"  # start of codestream, then its size
_RESTRICTED_PROFILE, _ANY_PROFILE, _ENUMERATED = 2, 3, 1
_RGB_OR_GREY = {16, 17}


@dataclass(frozen=True)
class Jpeg2000Description:
    """The header of a JPEG 2000 file.

    Attributes:
        width, height: in pixels.
        bits: of the samples, one number a channel.
        is_plain: colours are RGB or grey, as stored, and every channel has every pixel.
        icc_profile: as embedded, or None.
    """

    width: int
    height: int
    bits: tuple[int, ...]
    is_plain: bool
    icc_profile: bytes | None


def describe(data: bytes) -> Jpeg2000Description:
    """Read the header.

    Raises:
        ValueError: it is damaged, or there is none.

    Source:
        ISO/IEC 15444-1, annexes A (codestream) and I (boxes).
    """
    icc_profile = None
    is_plain = True
    at = 0
    if not data.startswith(_CODESTREAM):
        at = -1
        for kind, start, end in _boxes(data, 0, len(data)):
            if kind == b"jp2c":
                at = start
                break
            if kind == b"jp2h":
                for inner, first, last in _boxes(data, start, end):
                    if inner == b"pclr":
                        is_plain = False
                    if inner == b"colr" and last - first > 3:
                        method = data[first]
                        if method in (_RESTRICTED_PROFILE, _ANY_PROFILE):
                            icc_profile = icc_profile or data[first + 3 : last]
                        elif method == _ENUMERATED and last - first >= 7:
                            is_plain = is_plain and struct.unpack_from(">I", data, first + 3)[0] in _RGB_OR_GREY
    if at < 0 or data[at : at + 4] != _CODESTREAM or at + 42 > len(data):
        raise ValueError("it has no codestream")
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
    (channels,) = struct.unpack_from(">H", data, at + 40)
    table = data[at + 42 : at + 42 + 3 * channels]
    if right <= left or bottom <= top or channels == 0 or len(table) < 3 * channels:
        raise ValueError("its codestream has no size")
    is_plain = is_plain and all(depth < 0x80 for depth in table[::3]) and set(table[1::3]) | set(table[2::3]) == {1}
    bits = tuple((depth & 0x7F) + 1 for depth in table[::3])
    return Jpeg2000Description(right - left, bottom - top, bits, is_plain, icc_profile)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of what is in each box from ``at``."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start)
            start = at + 16
        following = end if size == 0 else at + size
        if following < start or following > end:
            following = end
        yield kind, start, following
        at = following
