"""Numbered pictures as a clip: ``frames/%05d.png``, each shown as long as the others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from bshm import geometry
from bshm.errors import OptionError, SourceNotFoundError, UnreadableVideoError, option
from bshm.files import decode
from bshm.options import Limits
from bshm.types import Picture
from bshm.video import codecs, parts, reading
from bshm.video.reading import Clip, Colour, Frame

_NUMBER = re.compile(r"%0?\d*d")
_MATRIX_RGB = 0


def probe(source: Path, rate: Fraction) -> Clip:
    """The clip that pictures make, from the lowest number that is there on; the first is decoded.

    Args:
        source: their folder and a name such as ``%05d.png``.
        rate: pictures a second.

    Raises:
        OptionError: the name is no pattern of one number.
        SourceNotFoundError: there are none.
        UnreadableVideoError: a number between the lowest and the highest is missing; it is named.
        UnreadablePictureError: the first cannot be read.
    """
    codecs.refuse_bad_pattern(source)
    found = _found(source)
    if not found:
        raise SourceNotFoundError(
            f"there are no pictures {source}: the folder {source.parent} has no {_example(source, 1)} or the like."
        )
    numbers = sorted(found)
    missing = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
    if missing:
        raise UnreadableVideoError(
            f"{source}: {_example(source, missing[0])} is missing, and {len(missing) - 1} more, between "
            f"{found[numbers[0]].name} and {found[numbers[-1]].name}. Add them, or number the pictures without gaps."
        )
    first = _opened(found[numbers[0]])
    deep = first.pixels.dtype == np.uint16
    return Clip(
        path=source,
        name=str(source),
        size_hw=first.size_hw,
        turned=0,
        rate=rate,
        time_base=1 / rate,
        frames=len(numbers),
        duration_s=float(len(numbers) / rate),
        codec=found[numbers[0]].suffix[1:].lower(),
        pixel_format="rgb48le" if deep else "rgb24",
        bits=16 if deep else 8,
        colour=Colour(matrix=_MATRIX_RGB, full=True),
        pixel_aspect=Fraction(1),
        interlaced=False,
        has_alpha=first.alpha is not None,
        audio=(),
        subtitles=(),
        pictures=tuple(found[number] for number in numbers),
    )


def frames(
    clip: Clip, *, start_s: float = 0.0, end_s: float | None = None, first: int = 0, until: int | None = None
) -> Generator[Frame, None, None]:
    """As ``reading.frames``, of pictures or of a file, whichever ``clip`` is.

    Raises:
        OptionError: as ``reading.frames``.
        UnreadablePictureError: a picture cannot be read.
        UnreadableVideoError: a picture has another size than the first.
    """
    if not clip.pictures:
        yield from reading.frames(clip, start_s=start_s, end_s=end_s, first=first, until=until)
        return
    start = round(Fraction(start_s) / clip.time_base)
    end = len(clip.pictures)
    if end_s is not None:
        end = next((n for n in range(end) if float(n * clip.time_base) >= end_s), end)
    if start >= end:
        raise reading.nothing_there(clip, start_s, end_s, clip.duration_s or 0.0)
    for index, path in enumerate(clip.pictures[start:end][:until]):
        if index >= first:
            yield Frame(index, _same(path, clip), index, 1)


def _same(path: Path, clip: Clip) -> Any:
    picture = _opened(path)
    if picture.size_hw != clip.size_hw:
        height, width = picture.size_hw
        raise UnreadableVideoError(
            f"{path} is {width}x{height}, the first picture {clip.size_hw[1]}x{clip.size_hw[0]}. Scale all of them to "
            "one size first."
        )
    return geometry.in_depth(picture.pixels, np.dtype(np.uint16 if clip.bits > 8 else np.uint8))


def stamp(clip: Clip) -> dict[str, Any]:
    """What tells a clip, of pictures or a file, from another, or from itself before it was changed."""
    if not clip.pictures:
        return parts.stamp(clip.path)
    digest = hashlib.sha256()
    for path in clip.pictures:
        status = path.stat()
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return {"pictures": len(clip.pictures), "rate": str(clip.rate), "sha256_of_names": digest.hexdigest()}


def parse_rate(text: str) -> Fraction:
    """Pictures a second: ``25``, ``23.976``, ``30000/1001``; 23.976, 29.97 and 59.94 are those of NTSC.

    Raises:
        OptionError: it is none, or not from above 0 to 1000.

    >>> parse_rate("29.97"), parse_rate("12.5")
    (Fraction(30000, 1001), Fraction(25, 2))
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise OptionError(
            f"{option('fps')} takes pictures a second, above 0 and up to 1000, such as 25 or 30000/1001; got {text!r}."
        )
    ntsc = Fraction(round(rate) * 1000, 1001)
    # As they are written, to two or three places.
    return ntsc if rate.denominator > 1 and abs(rate - ntsc) < Fraction(1, 200) else rate


def _found(source: Path) -> dict[int, Path]:
    match = _NUMBER.search(source.name)
    if match is None or not source.parent.is_dir():
        return {}
    # A per cent sign of the name itself is written twice.
    before, after = (part.replace("%%", "%") for part in (source.name[: match.start()], source.name[match.end() :]))
    name = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found: dict[int, Path] = {}
    for path in source.parent.iterdir():
        number = name.fullmatch(path.name)
        if number is not None and path.name == _example(source, int(number[1])):
            found[int(number[1])] = path
    return found


def _example(source: Path, number: int) -> str:
    return source.name % number


def _opened(path: Path) -> Picture:
    return decode.open_picture(path, Limits())
