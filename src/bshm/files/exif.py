"""EXIF: keep what describes the photograph, byte for byte.

What describes the file is left out, because it would no longer be true: the thumbnail and the previews in maker notes,
which still show the background; pixel dimensions and places in the picture; how samples are stored.
"""

from __future__ import annotations

import re
import struct

from bshm.files.directories import RATIONAL, UNDEFINED, Directory, Entry, Reader, packed, shorts

_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 274, 282, 283, 296
_INCH = 2
_DESCRIPTION, _USER_COMMENT = 270, 37510
_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965

# Of the first directory, which in a TIFF also says how the pixels are stored: document name, description, make, model,
# orientation, software, date, artist, host computer, rating, copyright, and Windows' title, comment, author, keywords
# and subject.
_DESCRIBING = {269, _DESCRIPTION, 271, 272, _ORIENTATION, 305, 306, 315, 316, 18246, 18249, 33432, *range(40091, 40096)}
# Of the EXIF directory: the maker's note, whose offsets hold only where it was written; the subject's place and area,
# the width and height, padding; and what has numbers of the file's byte order in a value without a type.
_STALE = {37500, 37396, 41492, 40962, 40963, 59932, 59933, 34856, 41484, 41730, 41995}
# How some programs say the shape of an array in the description of a TIFF.
_SHAPE = re.compile(rb'\{"shape"|ImageJ=|[^\0]*<OME\b', re.DOTALL)

# The longest EXIF that is carried along.
MOST_BYTES = 1 << 20
# Of a JPEG: one segment, less its length and "Exif".
MOST_JPEG_BYTES = 65535 - 2 - 6


def kept(block: bytes) -> bytes | None:
    """What is carried along of an EXIF block, or of a whole TIFF file: upright, little-endian.

    Args:
        block: with or without ``Exif\\0\\0`` before it.

    Returns:
        A block without that, at most ``MOST_BYTES`` long: values beyond are left out.  None where nothing is left, or
        where it cannot be read.

    Example:
        >>> kept(packed({271: Entry(2, 5, b"Make\\0"), 256: shorts([640])})) == packed({271: Entry(2, 5, b"Make\\0")})
        True
    """
    try:
        reader = Reader(block.removeprefix(b"Exif\0\0"))
        first = reader.at(reader.first)
    except ValueError:
        return None
    budget = _Budget(MOST_BYTES)
    directory = _values(reader, {tag: first[tag] for tag in first if tag in _DESCRIBING}, budget)
    if _ORIENTATION in directory:
        directory[_ORIENTATION] = shorts([1])
    description = directory.get(_DESCRIPTION)
    if isinstance(description, Entry) and _SHAPE.match(description.value):
        del directory[_DESCRIPTION]
    detail = _child(reader, first, _EXIF)
    details = _values(reader, {tag: detail[tag] for tag in detail if tag not in _STALE}, budget)
    comment = details.get(_USER_COMMENT)
    if reader.order == ">" and isinstance(comment, Entry) and comment.value.startswith(b"UNICODE\0"):
        details[_USER_COMMENT] = _swapped(comment)
    for into, tag, parent in ((details, _INTEROPERABILITY, detail), (directory, _GPS, first)):
        found = _values(reader, _child(reader, parent, tag), budget)
        into.pop(tag, None)
        if found:
            into[tag] = found
    directory.pop(_EXIF, None)
    if details:
        directory[_EXIF] = details
    return packed(directory) if directory.keys() - {_ORIENTATION} else None


def directory_of(block: bytes) -> dict[int, Entry | Directory]:
    """The tags of a block that ``kept`` made.

    >>> directory_of(packed({306: Entry(2, 4, b"now\\0")}))
    {306: Entry(kind=2, count=4, value=b'now\\x00')}
    """
    reader = Reader(block)
    budget = _Budget(MOST_BYTES)
    first = reader.at(reader.first)
    directory = _values(reader, first, budget)
    for tag in (_EXIF, _GPS):
        if tag in directory:
            found = _child(reader, first, tag)
            child = _values(reader, found, budget)
            if _INTEROPERABILITY in child:
                child[_INTEROPERABILITY] = _values(reader, _child(reader, found, _INTEROPERABILITY), budget)
            directory[tag] = child
    return directory


def with_resolution(block: bytes | None, dpi: tuple[float, float] | None) -> bytes | None:
    """The block with the resolution in it, for WebP, which has no other place for it."""
    if dpi is None:
        return block
    directory = {} if block is None else directory_of(block)
    directory |= {_X_RESOLUTION: rational(dpi[0]), _Y_RESOLUTION: rational(dpi[1]), _RESOLUTION_UNIT: shorts([_INCH])}
    return packed(directory)


def fitting(block: bytes | None, most: int) -> bytes | None:
    """The block without its longest values where it is longer than ``most`` bytes."""
    while block is not None and len(block) > most:
        directory = directory_of(block)
        _, path = max(_lengths(directory))
        rest = _without(directory, path)
        block = packed(rest) if rest else None
    return block


def rational(value: float) -> Entry:
    """A positive number as an entry."""
    from fractions import Fraction  # 4 ms that few commands need

    # Exact for 72, 72.009 or 300/7, and far from 32 bits.
    fraction = Fraction(value).limit_denominator(10_000)
    return Entry(RATIONAL, 1, struct.pack("<II", max(1, fraction.numerator), fraction.denominator))


class _Budget:
    """Bytes that values may still take."""

    def __init__(self, left: int) -> None:
        self.left = left


def _values(
    reader: Reader, entries: dict[int, tuple[int, int, bytes]], budget: _Budget
) -> dict[int, Entry | Directory]:
    found: dict[int, Entry | Directory] = {}
    for tag, entry in entries.items():
        value = reader.value(entry, budget.left)
        if value is None or value.kind in (16, 17, 18):  # BigTIFF's, which EXIF does not know
            continue
        budget.left -= 12 + len(value.value)
        found[tag] = value
    return found


def _child(reader: Reader, parent: dict[int, tuple[int, int, bytes]], tag: int) -> dict[int, tuple[int, int, bytes]]:
    """The directory that a tag points to; an empty one where it is damaged or not there."""
    offsets = reader.numbers(parent.get(tag))
    try:
        return reader.at(offsets[0]) if offsets else {}
    except ValueError:
        return {}


def _swapped(comment: Entry) -> Entry:
    text = comment.value[8:]
    swapped = text[: len(text) // 2 * 2].decode("utf-16-be", "surrogatepass").encode("utf-16-le", "surrogatepass")
    return Entry(UNDEFINED, 8 + len(swapped), b"UNICODE\0" + swapped)


def _lengths(directory: Directory, path: tuple[int, ...] = ()) -> list[tuple[int, tuple[int, ...]]]:
    """How long each value is, and the tags on the way to it."""
    found: list[tuple[int, tuple[int, ...]]] = []
    for tag, each in directory.items():
        if isinstance(each, Entry):
            found.append((len(each.value), (*path, tag)))
        else:
            found += _lengths(each, (*path, tag))
    return found


def _without(directory: Directory, path: tuple[int, ...]) -> Directory:
    """The directory without the value at the end of the path; a directory that is empty then goes with it."""
    rest = {tag: each for tag, each in directory.items() if tag != path[0]}
    child = directory[path[0]]
    if not isinstance(child, Entry):
        smaller = _without(child, path[1:])
        if smaller:
            rest[path[0]] = smaller
    return rest
