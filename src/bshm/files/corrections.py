"""Corrections as files: ``NAME.bshm.json`` beside a picture, pictures of what to keep and to erase, trimaps."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.corrections import MOST_BYTES, Corrections, Kind
from bshm.errors import CorrectionsError, SourceNotFoundError, UnreadablePictureError
from bshm.files import decode, sink
from bshm.files.png import encode_png
from bshm.options import Limits
from bshm.types import FloatArray, Picture

SUFFIX = ".bshm.json"
# A mask says yes from here on.
_YES = 0.5


def beside(picture: str | Path) -> Path:
    """Where the corrections of a picture lie.

    >>> beside("photos/a.jpg").name
    'a.bshm.json'
    """
    path = Path(picture)
    return path.with_name(f"{path.stem}{SUFFIX}")


def saved(picture: object) -> Corrections | None:
    """The corrections beside a picture; None where there are none, or it is no path.

    Raises:
        CorrectionsError: they cannot be read.
    """
    if not isinstance(picture, (str, os.PathLike)) or "://" in str(picture):
        return None
    try:
        path = beside(Path(picture))
        if not path.is_file():
            return None
    except (OSError, ValueError):  # a name that no file can have: told when the picture is read
        return None
    return read(path)


def read(path: str | Path, *, kind: Kind | None = None) -> Corrections:
    """The corrections in a file.

    Args:
        path: JSON, as docs/corrections.md describes it.
        kind: of strokes that do not say theirs; one that says another is refused.

    Raises:
        SourceNotFoundError: there is no such file.
        CorrectionsError: it cannot be read, or holds none.
    """
    return Corrections.from_bytes(bytes_of(Path(path)), str(path), kind=kind)


def read_any(path: str | Path, kind: Kind, limits: Limits) -> Corrections:
    """Strokes of one kind in a JSON file, or a picture that is white (or, with transparency, opaque) there.

    Raises:
        SourceNotFoundError, CorrectionsError: as in ``read``.
        InputError: it is neither JSON nor a picture that can be read.
    """
    data = bytes_of(Path(path))
    if data.lstrip()[:1] in (b"{", b"["):
        return Corrections.from_bytes(data, str(path), kind=kind)
    chosen = _mask(decode.decode(data, name=str(path), limits=limits))
    return Corrections(trimap=_png(np.full_like(chosen, kind == "keep"), chosen))


def read_trimap(path: str | Path, limits: Limits) -> Corrections:
    """A trimap: white is kept, black erased, grey left to the networks, transparent left as it is.

    Raises:
        SourceNotFoundError, InputError: it cannot be read.
    """
    data = bytes_of(Path(path))
    decode.decode(data, name=str(path), limits=limits)
    return Corrections(trimap=data)


def write(corrections: Corrections, path: Path) -> Path:
    """Write them, whole or not at all, over those that are there.

    Raises:
        OutputError: it cannot be written.
    """
    return sink.write(corrections.to_bytes(), path, overwrite=True)


def bytes_of(path: Path) -> bytes:
    """All of a file of corrections.

    Raises:
        SourceNotFoundError, CorrectionsError, UnreadablePictureError: it is not there, too long, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"there is no file {path}. Check the name.") from error
    except (OSError, ValueError) as error:
        raise UnreadablePictureError(f"{path} cannot be read: {error}.") from error
    if len(data) > MOST_BYTES:
        raise CorrectionsError(f"{path} has more than {MOST_BYTES:,} bytes, which corrections never have.")
    return data


def opened_trimap(corrections: Corrections, limits: Limits) -> FloatArray | None:
    """The trimap of corrections: (h, w, 2) float32, 0..1, level and how opaque; None without one.

    Raises:
        InputError: it cannot be read, or is larger than allowed.
    """
    if corrections.trimap is None:
        return None
    picture = decode.decode(corrections.trimap, name="the trimap", limits=limits)
    scale = np.float32(1 / np.iinfo(picture.pixels.dtype).max)
    level = picture.pixels.mean(axis=2, dtype=np.float32) * scale
    opaque = np.ones_like(level) if picture.alpha is None else picture.alpha * scale
    return np.stack([level, opaque], axis=2).astype(np.float32)


def together(earlier: Corrections, later: Corrections, limits: Limits) -> Corrections:
    """Both, of one picture; where they meet, the later ones count.

    Raises:
        CorrectionsError: they are of different pictures, or there are too many.
        InputError: a trimap cannot be read.
    """
    if earlier.picture is not None and later.picture is not None and earlier.picture != later.picture:
        raise CorrectionsError(
            "the corrections that are put together were made on different pictures. Give those of one picture."
        )
    strokes = earlier.strokes + later.strokes
    mark = earlier.picture or later.picture
    over, under = opened_trimap(later, limits), opened_trimap(earlier, limits)
    if over is None or under is None:
        return Corrections(strokes, mark, later.trimap if under is None else earlier.trimap)
    size = (max(over.shape[0], under.shape[0]), max(over.shape[1], under.shape[1]))
    over, under = (geometry.resize(each, size) for each in (over, under))
    on_top = over[..., 1] > _YES
    level = np.where(on_top, over[..., 0], under[..., 0])
    return replace(Corrections(strokes, mark), trimap=_png(level, on_top | (under[..., 1] > _YES)))


def _mask(picture: Picture) -> npt.NDArray[np.bool_]:
    """Where a picture says yes: its transparency where it has any, else its levels."""
    top = np.iinfo(picture.pixels.dtype).max
    plane = picture.pixels.mean(axis=2) if picture.alpha is None else picture.alpha
    return np.asarray(plane > _YES * top, bool)


def _png(level: npt.NDArray[np.floating] | npt.NDArray[np.bool_], opaque: npt.NDArray[np.bool_]) -> bytes:
    grey = np.floor(level.astype(np.float32) * 255 + 0.5).astype(np.uint8)
    alpha = opaque.astype(np.uint8) * np.uint8(255)
    return encode_png(np.asarray(cv2.merge([grey, grey, grey, alpha]), np.uint8))
