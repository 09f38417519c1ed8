"""The directories of TIFF files and EXIF: read and write tags byte for byte.

Pillow reads and writes them as well, but replaces what is not ASCII by question marks, guesses the types anew, and
warns on stderr about what is damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
# Bytes of one value, and the unit whose bytes are in the file's order; 16 to 18 are BigTIFF's, 129 is EXIF 3's UTF-8.
_SIZES = {1: (1, 1), 2: (1, 1), 3: (2, 2), 4: (4, 4), 5: (8, 4), 6: (1, 1), 7: (1, 1), 8: (2, 2), 9: (4, 4), 10: (8, 4)}
_SIZES |= {11: (4, 4), 12: (8, 8), 13: (4, 4), 16: (8, 8), 17: (8, 8), 18: (8, 8), 129: (1, 1)}
_LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}

# More entries than any file needs: directories may lie upon each other, so that a small file holds millions.  A
# directory takes the time of some ten entries.
_MOST_ENTRIES = 1_000_000
_DIRECTORY_COSTS = 10


@dataclass(frozen=True)
class Entry:
    """A tag's value: ``count`` values of the type ``kind``, as little-endian bytes."""

    kind: int
    count: int
    value: bytes


# Tags to values, or to the directory that a tag points to.
Directory: TypeAlias = "Mapping[int, Entry | Directory]"


class Reader:
    """Reads the directories of a TIFF file or of an EXIF block, each entry with its bounds checked.

    Raises:
        ValueError: it does not begin like one.

    Example:
        >>> block = packed({271: Entry(2, 5, b"Make\\0")})
        >>> reader = Reader(block)
        >>> reader.value(reader.at(reader.first)[271]).value
        b'Make\\x00'
    """

    def __init__(self, data: bytes) -> None:
        if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise ValueError("it has no TIFF header")
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = b"+" in data[2:4]
        self._data = data
        self._entry = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        self._next = struct.Struct(self.order + ("Q" if self.big else "I"))
        self._left = _MOST_ENTRIES
        header = 8 if self.big else 4
        if len(data) < header + self._next.size:
            raise ValueError(f"it ends after {len(data):,} bytes, within its header")
        (self.first,) = self._next.unpack_from(data, header)

    def at(self, offset: int) -> dict[int, tuple[int, int, bytes]]:
        """The directory at ``offset``: tags to type, count and the raw field of the entry.

        Raises:
            ValueError: it does not lie in the file, or there are too many entries.
        """
        self._left -= _DIRECTORY_COSTS
        start, end = self._bounds(offset)
        self._left -= (end - start) // self._entry.size
        if self._left < 0:
            raise ValueError(f"its directories have more than {_MOST_ENTRIES:,} entries")
        found: dict[int, tuple[int, int, bytes]] = {}
        for tag, kind, count, field in self._entry.iter_unpack(self._data[start:end]):
            found.setdefault(tag, (kind, count, field))
        return found

    def after(self, offset: int) -> int:
        """Where the directory behind the one at ``offset`` is; 0 where there is none."""
        _, end = self._bounds(offset)
        if end + self._next.size > len(self._data):
            return 0
        following: int = self._next.unpack_from(self._data, end)[0]
        return following

    def value(self, entry: tuple[int, int, bytes], most: int = 1 << 16) -> Entry | None:
        """What an entry of ``at`` holds; None where that is of no known type, not in the file or too long."""
        kind, count, field = entry
        one, unit = _SIZES.get(kind, (0, 1))
        size = one * count
        if size == 0 or size > most:
            return None
        if size > len(field):
            (start,) = self._next.unpack(field)
            field = self._data[start : start + size]
            if len(field) < size:
                return None
        value = field[:size]
        if self.order == ">" and unit > 1:
            numbers = struct.unpack(f">{size // unit}{_LETTERS[unit]}", value)
            value = struct.pack(f"<{size // unit}{_LETTERS[unit]}", *numbers)
        return Entry(kind, count, value)

    def numbers(self, entry: tuple[int, int, bytes] | None) -> list[int]:
        """The whole numbers of an entry of ``at``; none where it holds something else, or more than a few hundred."""
        found = None if entry is None else self.value(entry, most=1024)
        if found is None:
            return []
        unit = _SIZES[found.kind][0]
        if found.kind not in (1, SHORT, LONG, 13, 16, 18):
            return []
        return list(struct.unpack(f"<{found.count}{_LETTERS[unit]}", found.value))

    def _bounds(self, offset: int) -> tuple[int, int]:
        """Where the entries of the directory at ``offset`` begin and end."""
        counter = struct.Struct(self.order + ("Q" if self.big else "H"))
        start = end = offset + counter.size
        if start <= len(self._data):
            end += counter.unpack_from(self._data, offset)[0] * self._entry.size
        if end > len(self._data):
            raise ValueError(f"its directory reaches to byte {end:,}, the file to {len(self._data):,}")
        return start, end


def packed(directory: Directory) -> bytes:
    """A little-endian TIFF block of nothing but this directory and those in it."""
    return b"II*\0" + struct.pack("<I", 8) + packed_directory(directory, 8)


def packed_directory(directory: Directory, at: int) -> bytes:
    """The directory for file offset ``at``; what does not fit into an entry's four bytes stands behind it."""
    entries = [struct.pack("<H", len(directory))]
    outside: list[bytes] = []
    next_at = at + 2 + 12 * len(directory) + 4
    for tag, each in sorted(directory.items()):
        if isinstance(each, Entry):
            kind, count, value = each.kind, each.count, each.value
        else:
            kind, count, value = LONG, 1, packed_directory(each, next_at)
        if len(value) <= 4 and isinstance(each, Entry):
            entries.append(struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0"))
        else:
            entries.append(struct.pack("<HHII", tag, kind, count, next_at))
            outside.append(value + b"\0" * (len(value) % 2))  # offsets are even
            next_at += len(outside[-1])
    return b"".join([*entries, struct.pack("<I", 0), *outside])


def shorts(values: Iterable[int]) -> Entry:
    """An entry of 16-bit numbers.

    >>> shorts([8, 8])
    Entry(kind=3, count=2, value=b'\\x08\\x00\\x08\\x00')
    """
    numbers = list(values)
    return Entry(SHORT, len(numbers), struct.pack(f"<{len(numbers)}H", *numbers))


def longs(values: Iterable[int]) -> Entry:
    """An entry of 32-bit numbers."""
    numbers = list(values)
    return Entry(LONG, len(numbers), struct.pack(f"<{len(numbers)}I", *numbers))
