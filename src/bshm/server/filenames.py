"""File names of results that work on every system and in every browser."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

# Characters that Windows does not allow in names, in addition to unprintable ones.
_FORBIDDEN = frozenset('<>:"/\\|?*')
# Devices: no file can have these names on Windows, whatever follows the first dot.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")})
# File systems allow 255; the rest is for the number and the suffixes added to a name.
_MOST_BYTES = 200
# Characters of the header's plain form, which every reader understands.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._- ()")


def portable(name: str) -> str:
    """A file name that is valid on Windows, macOS and Linux.

    >>> portable('what? a "name".png'), portable("con.png"), portable("ends with a dot. .png")
    ('what_ a _name_.png', '_con.png', 'ends with a dot.png')
    """
    plain = "".join("_" if char in _FORBIDDEN else char for char in name if char.isprintable())
    path = PurePosixPath(plain)
    stem, suffix = (path.stem, path.suffix) if len(path.suffix) <= 16 else (plain, "")
    room = _MOST_BYTES - len(suffix.encode("utf-8", "replace"))
    stem = stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore").strip(" ").rstrip(". ")
    if stem.partition(".")[0].rstrip(" ").lower() in _DEVICES:
        stem = f"_{stem}"
    return (stem or "picture") + suffix.rstrip(". ")


def disposition(kind: str, name: str) -> str:
    """The value of Content-Disposition: an ASCII name for all, and the full name for clients that support RFC 6266.

    Args:
        kind: ``attachment`` or ``inline``.
        name: name of the file.

    >>> print(disposition("attachment", "anna.png"))
    attachment; filename="anna.png"
    >>> print(disposition("attachment", "bén.png"))
    attachment; filename="b_n.png"; filename*=UTF-8''b%C3%A9n.png
    """
    name = portable(name)
    plain = "".join(char if char in _PLAIN else "_" for char in name)
    value = f'{kind}; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return value
