"""``Corrections``: what somebody marked on a picture because its matte was wrong there, as data.

Strokes, clicks and a trimap, in shares of the picture, so that they hold at every size of it; and what the picture
looks like, so that they are never laid over another.  What they do to a matte is in ``bshm.matting.correcting``.
They are no part of an ``Edit``: that is made of the matte of any picture, these change the matte of one.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bshm.errors import CorrectionsError

Kind = Literal["keep", "erase", "soft"]
KINDS: tuple[Kind, ...] = ("keep", "erase", "soft")
Point = tuple[float, float]

VERSION = 1
# What a file may hold.  A hand draws some hundred strokes at most; each is drawn into a picture.
MOST_STROKES, MOST_POINTS, MOST_BYTES = 2_000, 200_000, 32 * 1024 * 1024
# Cells on each side of ``PictureMark.look``.
LOOK_SIDE = 16


@dataclass(frozen=True)
class Stroke:
    """One movement of the brush, or a click.

    Attributes:
        kind: ``keep`` and ``erase`` say what is and is not to stay; ``soft`` leaves it to the networks once more, as
            along hair that the mask cut off.
        points: (x, y) each, as shares of the picture's width and height, 0..1 from its upper left corner.
        width: of the brush, as a share of the picture's longer side, above 0 to 1.  None for a click, which has one
            point and means the thing under it.
    """

    kind: Kind
    points: tuple[Point, ...]
    width: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise CorrectionsError(f"a stroke is one of {', '.join(KINDS)}; got {self.kind!r:.40}.")
        if not isinstance(self.points, tuple) or not self.points:
            raise CorrectionsError("a stroke needs one point or more, each as [x, y].")
        for point in self.points:
            if not (isinstance(point, tuple) and len(point) == 2 and all(map(_is_number, point))):
                raise CorrectionsError(f"a point of a stroke is [x, y]; got {point!r:.60}.")
            if not all(0 <= each <= 1 for each in point):
                raise CorrectionsError(
                    f"a stroke leaves the picture at ({point[0]:g}, {point[1]:g}). Points are shares of its width and "
                    "height, from 0 to 1."
                )
        if self.width is None:
            if len(self.points) > 1 or self.kind == "soft":
                raise CorrectionsError(
                    "a stroke needs a width, above 0 to 1 of the longer side; only a click of keep or erase, with one "
                    "point, has none."
                )
        elif not (_is_number(self.width) and 0 < self.width <= 1):
            raise CorrectionsError(f"the width of a stroke is above 0, at most 1; got {self.width!r:.40}.")

    @property
    def is_click(self) -> bool:
        """Whether it means the thing under its only point."""
        return self.width is None


@dataclass(frozen=True)
class PictureMark:
    """By what a picture is known again, at any size.

    Attributes:
        width, height: in pixels, upright, of the picture that was drawn on.
        look: ``LOOK_SIDE`` squared bytes, row by row: the grey levels of the picture shrunk to that; None where only
            the shape is compared.
    """

    width: int
    height: int
    look: bytes | None = None

    def __post_init__(self) -> None:
        for side in (self.width, self.height):
            if type(side) is not int or side < 1:
                raise CorrectionsError(
                    f"the picture of corrections has a width and a height of 1 pixel or more; got {side!r:.40}."
                )
        if self.look is not None and (not isinstance(self.look, bytes) or len(self.look) != LOOK_SIDE**2):
            raise CorrectionsError(f"the look of a picture has {LOOK_SIDE**2} levels, a byte each, in base64.")


@dataclass(frozen=True)
class Corrections:
    """Everything that was marked on one picture.

    Attributes:
        strokes: in the order in which they were made; where two meet, the later one counts.
        picture: which picture; None for any, of whatever shape.
        trimap: the file of a picture (PNG, any that is read): white is kept, black erased, grey left to the networks
            once more, and what is transparent stays as it is; None without.  Strokes come after it.

    >>> drawn = Corrections((Stroke("erase", ((0.5, 0.5), (0.6, 0.5)), 0.02),))
    >>> Corrections.from_json(drawn.to_json()) == drawn, len(drawn), bool(Corrections())
    (True, 1, False)
    """

    strokes: tuple[Stroke, ...] = ()
    picture: PictureMark | None = None
    trimap: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.strokes) > MOST_STROKES or sum(len(each.points) for each in self.strokes) > MOST_POINTS:
            raise CorrectionsError(
                f"corrections take {MOST_STROKES:,} strokes of {MOST_POINTS:,} points together; got "
                f"{len(self.strokes):,} of {sum(len(each.points) for each in self.strokes):,}."
            )

    def __len__(self) -> int:
        """How many there are; a trimap is one."""
        return len(self.strokes) + (self.trimap is not None)

    def __repr__(self) -> str:
        # A dataclass would print every point.
        trimap = ", a trimap" if self.trimap is not None else ""
        return f"<Corrections: {len(self.strokes)} strokes{trimap}>"

    def of(self, picture: PictureMark) -> Corrections:
        """The same, said to be of that picture."""
        return replace(self, picture=picture)

    def to_json(self) -> dict[str, Any]:
        """As a mapping that ``json.dumps`` takes: the content of ``NAME.bshm.json``, see docs/corrections.md."""
        made: dict[str, Any] = {"version": VERSION}
        if self.picture is not None:
            made["picture"] = {"width": self.picture.width, "height": self.picture.height}
            if self.picture.look is not None:
                made["picture"]["look"] = base64.b64encode(self.picture.look).decode("ascii")
        made["strokes"] = [
            {"kind": each.kind, "points": [list(point) for point in each.points]}
            | ({} if each.width is None else {"width": each.width})
            for each in self.strokes
        ]
        if self.trimap is not None:
            made["trimap"] = base64.b64encode(self.trimap).decode("ascii")
        return made

    @staticmethod
    def from_json(value: Any, *, kind: Kind | None = None) -> Corrections:
        """Back from their mapping.

        Args:
            value: what ``to_json`` gives.
            kind: of strokes that do not say theirs; one that says another is refused.

        Raises:
            CorrectionsError: a name, version or value that is not theirs.
        """
        found = _mapping(value, "corrections", ("version", "picture", "strokes", "trimap"))
        if found.get("version") != VERSION:
            raise CorrectionsError(
                f'corrections of this release have "version": {VERSION}; got {found.get("version")!r:.40}. '
                "See docs/corrections.md, or update bshm."
            )
        strokes = found.get("strokes", [])
        if not isinstance(strokes, list):
            raise CorrectionsError(f'"strokes" is a list; got {strokes!r:.60}.')
        if len(strokes) > MOST_STROKES:
            raise CorrectionsError(f"corrections take {MOST_STROKES:,} strokes; got {len(strokes):,}.")
        mark = found.get("picture")
        return Corrections(
            tuple(_stroke(each, kind) for each in strokes),
            None if mark is None else _mark(mark),
            _bytes(found.get("trimap"), "trimap"),
        )

    def to_bytes(self) -> bytes:
        """As a file."""
        return json.dumps(self.to_json()).encode() + b"\n"

    @staticmethod
    def from_bytes(data: bytes, name: str, *, kind: Kind | None = None) -> Corrections:
        """Back from a file.

        Args:
            data: JSON.
            name: what messages call it.
            kind: see ``from_json``.

        Raises:
            CorrectionsError: it is none.
        """
        value = loaded(data, name)
        try:
            return Corrections.from_json(value, kind=kind)
        except CorrectionsError as error:
            raise CorrectionsError(f"{name}: {error}") from error


def loaded(data: bytes, name: str) -> Any:
    """What is in a file of corrections, before anybody looks at what it means.

    Raises:
        CorrectionsError: it is no JSON, or too long.
    """
    if len(data) > MOST_BYTES:
        raise CorrectionsError(f"{name} has {len(data):,} bytes; corrections have {MOST_BYTES:,} at most.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CorrectionsError(f"{name} is not JSON ({error}). docs/corrections.md shows what it holds.") from error


def _mapping(value: Any, what: str, names: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CorrectionsError(f"{what} is written as a JSON object; got {value!r:.60}.")
    if unknown := sorted(set(map(str, value)) - set(names)):
        raise CorrectionsError(f"{what} has no {unknown[0]!r:.60}; it has {', '.join(names)}.")
    return value


def _stroke(value: Any, kind: Kind | None) -> Stroke:
    found = _mapping(value, "a stroke", ("kind", "points", "width"))
    said = found.get("kind", kind)
    if kind is not None and said != kind:
        raise CorrectionsError(f"all strokes here are to {kind}, but one says {said!r:.40}.")
    points = found.get("points")
    if not isinstance(points, list):
        raise CorrectionsError(f'"points" of a stroke is a list of [x, y]; got {points!r:.60}.')
    pairs = tuple(tuple(each) if isinstance(each, list) else each for each in points)
    return Stroke(said, pairs, found.get("width"))


def _mark(value: Any) -> PictureMark:
    found = _mapping(value, "the picture of corrections", ("width", "height", "look"))
    return PictureMark(
        found.get("width"),  # type: ignore[arg-type]  # it looks for itself
        found.get("height"),  # type: ignore[arg-type]
        _bytes(found.get("look"), "look"),
    )


def _bytes(value: Any, what: str) -> bytes | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise CorrectionsError(f'"{what}" of corrections is bytes in base64; got {value!r:.40}.')


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
