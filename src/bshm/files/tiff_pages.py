"""Find the page of a TIFF file that is the picture.

Cameras and scanners put a thumbnail first and the picture into a directory of its own, which no decoder looks for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bshm.files.directories import Reader

_KIND, _OLD_KIND, _PHOTOMETRIC, _MAKE, _CHILDREN, _DNG_VERSION = 254, 255, 262, 271, 330, 50706
_REDUCED, _MASK = 1, 4  # bits of _KIND
_OLD_REDUCED = 2
# A colour filter array and linear raw: light as the sensor counted it.
_RAW = {32803, 34892}

_RAW_KINDS = {
    "NIKON": "NEF",
    "CANON": "CR2",
    "SONY": "ARW",
    "PENTAX": "PEF",
    "RICOH": "PEF",
    "SAMSUNG": "SRW",
    "HASSELBLAD": "3FR",
    "EPSON": "ERF",
    "KODAK": "DCR",
    "EASTMAN": "DCR",
    "MAMIYA": "MEF",
}


@dataclass(frozen=True)
class Page:
    """The picture of a TIFF file.

    Attributes:
        data: the file, with the picture as its first page.
        frames: pages, without reduced copies and masks.
        is_child: the picture hangs below the first page, whose orientation, profile and resolution are its own.
        camera_raw: what the file is called if it is no picture but what a sensor saw: ``NEF``, ``DNG``, …; else None.
    """

    data: bytes
    frames: int
    is_child: bool
    camera_raw: str | None


def picture_of(data: bytes) -> Page:
    """The first page that is neither a reduced copy of another one nor a mask; pages below a page come right after it.

    Where all are reduced the first one is the picture.

    Raises:
        ValueError: the first directory does not lie in the file, or there are too many.
    """
    reader = Reader(data)
    chosen: int | None = None
    is_child = False
    is_raw = reader.first == 16 and data[8:10] == b"CR"  # CR2, whose first page is a small JPEG
    frames = 0
    seen: set[int] = set()
    offset = reader.first
    first = page = reader.at(offset)
    while True:
        seen.add(offset)
        for child in (offset, *reader.numbers(page.get(_CHILDREN))):
            try:
                tags = page if child == offset else reader.at(child)
            except ValueError:
                continue  # damaged, and perhaps nothing that is needed
            is_raw = is_raw or bool(_RAW & set(reader.numbers(tags.get(_PHOTOMETRIC))))
            kinds, old_kinds = reader.numbers(tags.get(_KIND)), reader.numbers(tags.get(_OLD_KIND))
            whole = not any(kind & (_REDUCED | _MASK) for kind in kinds) and _OLD_REDUCED not in old_kinds
            if whole and chosen is None:
                chosen, is_child = child, child != offset
            frames += whole and child == offset
        offset = reader.after(offset)
        if offset == 0 or offset in seen:
            break
        try:
            page = reader.at(offset)
        except ValueError:
            break
    camera_raw = None
    if is_raw or _DNG_VERSION in first:
        camera_raw = "DNG" if _DNG_VERSION in first else _RAW_KINDS.get(_maker(reader, first), "NEF, CR2 or the like")
    if chosen in (None, reader.first):
        return Page(data, max(1, frames), False, camera_raw)
    start, letter = (8, "Q") if reader.big else (4, "I")
    moved = data[:start] + struct.pack(reader.order + letter, chosen) + data[start + struct.calcsize(letter) :]
    return Page(moved, max(1, frames), is_child, camera_raw)


def _maker(reader: Reader, first: dict[int, tuple[int, int, bytes]]) -> str:
    """The first word of who made the camera, in capitals."""
    found = reader.value(first[_MAKE]) if _MAKE in first else None
    words = "" if found is None else found.value.decode("latin-1").strip("\0 ")
    return words.partition(" ")[0].upper()
