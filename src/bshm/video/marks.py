"""What somebody marked on single frames of a clip, as data and as files.

A file is that of corrections of a picture (``bshm.corrections``) in which each stroke, or the file as a whole, also
says its ``time`` in seconds or its ``frame``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bshm.corrections import Corrections, Kind, PictureMark, Stroke, loaded
from bshm.errors import CorrectionsError
from bshm.options import Limits

_AT = re.compile(r"(.+)@(?:(\d+(?:\.\d+)?)s?|frame:(\d+))", re.DOTALL)


@dataclass(frozen=True)
class FrameCorrections:
    """Everything that was marked on one frame.

    Attributes:
        corrections: strokes, clicks, a trimap.
        time_s: seconds from the clip's beginning on: the frame that is shown then.
        frame: its number, 0 for the clip's first.  Exactly one of the two is given.
    """

    corrections: Corrections
    time_s: float | None = None
    frame: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.corrections, Corrections):
            raise CorrectionsError(f"what is marked on a frame is Corrections; got {self.corrections!r:.40}.")
        if (self.time_s is None) == (self.frame is None):
            raise CorrectionsError("what is marked on a frame says either its time in seconds or its frame's number.")
        if self.time_s is not None and not _is_time(self.time_s):
            raise CorrectionsError(f"the time of corrections is in seconds, from 0 on; got {self.time_s!r:.40}.")
        if self.frame is not None and not (type(self.frame) is int and self.frame >= 0):
            raise CorrectionsError(f"the frame of corrections is a whole number, from 0 on; got {self.frame!r:.40}.")

    @property
    def when(self) -> str:
        """What messages call its frame.

        >>> FrameCorrections(Corrections(), time_s=2.5).when
        '2.5 s'
        """
        return f"frame {self.frame}" if self.frame is not None else f"{self.time_s:g} s"


def read_corrections(
    path: str | Path, *, kind: Kind | None = None, time_s: float | None = None, frame: int | None = None
) -> tuple[FrameCorrections, ...]:
    """The corrections of frames in a file.

    Args:
        path: JSON, as docs/video.md describes it; with ``kind`` also a picture that is white there.
        kind: of strokes that do not say theirs; one that says another is refused.
        time_s, frame: which frame all of it is of, where the file does not say; a picture never does.

    Returns:
        one for each frame that is marked, in the order in which they come first in the file.

    Raises:
        SourceNotFoundError: there is no such file.
        CorrectionsError: it cannot be read, holds none, or does not say which frame they are of.
        InputError: with ``kind``: it is neither JSON nor a picture that can be read.
    """
    from bshm.files import corrections as files_of

    name = str(path)
    data = files_of.bytes_of(Path(path))
    if kind is None or data.lstrip()[:1] in (b"{", b"["):
        value = loaded(data, name)
        try:
            return _split(value, kind, time_s, frame)
        except CorrectionsError as error:
            raise CorrectionsError(f"{name}: {error}") from error
    if time_s is None and frame is None:
        raise CorrectionsError(f"{name} does not say which frame it is of: write {name}@12.5 or {name}@frame:300.")
    found = files_of.read_any(path, kind, Limits())
    size = files_of.opened_trimap(found, Limits())
    if size is not None:
        found = found.of(PictureMark(size.shape[1], size.shape[0]))
    return (FrameCorrections(found, time_s, frame),)


def from_json(value: Any) -> tuple[FrameCorrections, ...]:
    """The corrections of frames in JSON that is read already; see ``read_corrections``.

    Raises:
        CorrectionsError: they are none, or do not say which frame they are of.

    >>> from_json({"version": 1, "time": 2.5, "strokes": [{"kind": "keep", "points": [[0.5, 0.4]]}]})[0].when
    '2.5 s'
    """
    return _split(value, None, None, None)


def parse(word: str, kind: Kind) -> tuple[FrameCorrections, ...]:
    """As ``read_corrections``, of ``FILE``, ``FILE@SECONDS`` or ``FILE@frame:NUMBER``."""
    match = _AT.fullmatch(word)
    if match is None:
        return read_corrections(word, kind=kind)
    return read_corrections(
        match[1],
        kind=kind,
        time_s=None if match[2] is None else float(match[2]),
        frame=None if match[3] is None else int(match[3]),
    )


def _split(value: Any, kind: Kind | None, time_s: float | None, frame: int | None) -> tuple[FrameCorrections, ...]:
    """The corrections in a file by the frame that each is of."""
    whole, own = _without_when(value)
    strokes = whole.get("strokes", []) if isinstance(whole, Mapping) else []
    said: list[_When] = []
    if isinstance(strokes, list):
        pairs = [_without_when(each) for each in strokes]
        whole = {**whole, "strokes": [each for each, _ in pairs]} if strokes else whole
        said = [each for _, each in pairs]
    everything = Corrections.from_json(whole, kind=kind)
    given = _When(time_s, frame)
    if given and (own or any(said)):
        raise CorrectionsError(f"it says itself which frames it is of. Leave @{_written(given)} out.")
    usual = own or given
    found: dict[_When, list[Stroke]] = {usual: []} if everything.trimap is not None else {}
    for stroke, when in zip(everything.strokes, said, strict=True):
        found.setdefault(when or usual, []).append(stroke)
    if _When() in found:
        also = "" if kind is None else f" For all of a file given to --{kind}, write FILE@12.5."
        raise CorrectionsError(
            f'each stroke, or the whole file, needs a "time" in seconds or a "frame", such as "time": 12.5.{also}'
        )
    return tuple(
        FrameCorrections(
            Corrections(tuple(marked), everything.picture, everything.trimap if when == usual else None),
            when.time_s,
            when.frame,
        )
        for when, marked in found.items()
    )


@dataclass(frozen=True)
class _When:
    time_s: float | None = None
    frame: int | None = None

    def __bool__(self) -> bool:
        return self.time_s is not None or self.frame is not None


def _written(when: _When) -> str:
    return f"frame:{when.frame}" if when.frame is not None else f"{when.time_s:g}"


def _without_when(value: Any) -> tuple[Any, _When]:
    """A mapping without its time and frame, and those; anything else as it is."""
    if not isinstance(value, Mapping) or not {"time", "frame"} & set(value):
        return value, _When()
    # It looks for itself whether they are what they should be.
    checked = FrameCorrections(Corrections(), value.get("time"), value.get("frame"))
    rest = {name: each for name, each in value.items() if name not in ("time", "frame")}
    return rest, _When(checked.time_s, checked.frame)


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
