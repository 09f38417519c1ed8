"""One person followed through a clip: the others, who come and go and walk past, are left out.

Everybody whom ``matting.people`` tells apart in a frame is followed, not the one alone: whom another one claims is not
taken for the one.  A person is known again by place (the plane of the last frame, moved along with the picture as in
``steady``) and by colours.  Where two are found as one, since one walks in front of the other, that one is divided:
by where each was expected, by the colours that each has alone, and by the picture's edges.  Who is hidden, or out of
the picture, is known again by colours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.edit.words import Length, parse_length
from bshm.errors import NobodyThereError, OptionError, option
from bshm.matting import people
from bshm.matting.people import PeopleApart
from bshm.types import FloatArray, PixelArray
from bshm.video.steady import carried

Bytes = npt.NDArray[np.uint8]

# Of each channel, where colours are counted.
_LEVELS = 12
# A person may be where at least so much of both planes, of all that either has, is in common.
_IN_COMMON = 0.1
# A plane that lies so far within what was found for another is found with it.
_WITHIN = 0.3
# Colours are of one person from here on (Bhattacharyya's coefficient); how fast they change with the light.
_SAME_COLOURS, _CHANGE = 0.6, 0.1
# Who has less than this of the area of before is hidden.
_LEAST = 0.1
# What is expected to be nobody's may still be somebody's: how likely, against where one was expected.
_ANYWHERE = 0.02
_EDGE_PX = 2.0
# Within so many thicknesses of a body's axis is nobody but who is in front.
_FIRM = 0.6
# Who was hidden there and comes out again is known by colours that are less alike, by so much.
_COMES_OUT = 0.3
# A piece that lies so far where a person was, and touches what was found for that person, is a part of that person.
_A_PART = 0.6
# A cut: so many of the pixels differ by so many levels from those expected.
_CUT_SHARE, _CUT_LEVELS = 0.6, 30
_SOMEBODY = 0.5
_THERE = 0.25  # alpha from here on is somebody who is pointed at
_MOST_REMEMBERED = 40


@dataclass(frozen=True)
class WhichPerson:
    """Which person of a clip is wanted.

    Attributes:
        kind: the largest of the first frame that has anybody, or the one at a place.
        places: from the left and from the top, in the upright picture.
        time_s: when somebody is at that place, from the clip's beginning on; None is the first frame.
    """

    kind: Literal["largest", "at"]
    places: tuple[Length, ...] = ()
    time_s: float | None = None


def parse_person(text: str) -> WhichPerson:
    """``largest``, ``at:X,Y`` or ``at:X,Y@SECONDS``.

    Raises:
        OptionError: it is none of these.

    >>> parse_person("at:50%,120px@2.5").time_s
    2.5
    """
    words = text.strip()
    if words == "largest":
        return WhichPerson("largest")
    match = re.fullmatch(r"at:([^,@]+),([^,@]+)(?:@(\d+(?:\.\d+)?)s?)?", words)
    if match is None:
        raise OptionError(
            f"{option('person')} is largest, at:X,Y or at:X,Y@SECONDS, such as at:50%,40%@2.5; got {text[:80]!r}."
        )
    places = (parse_length(match[1]), parse_length(match[2]))
    return WhichPerson("at", places, None if match[3] is None else float(match[3]))


@dataclass(frozen=True)
class _Track:
    """Somebody, as of the last frame.

    Attributes:
        name: a number of their own.
        plane: (h, w) uint8, where they are, at ``people.working_size``; as they were last seen where they are not.
        colours: float32, how common each colour is on them, adding up to 1.
        area: of the plane, in its pixels.
        seen: whether they are in the last frame.
        behind: the name of who hides them, or whom they were found as one with; -1 for nobody.
    """

    name: int
    plane: Bytes
    colours: FloatArray
    area: float
    seen: bool = True
    behind: int = -1


@dataclass(frozen=True)
class Memory:
    """What is remembered after a frame; nothing of it is ever changed.

    Attributes:
        grey: (h, w) uint8, the frame.
        tracks: everybody who was seen.
        names: how many were given.
        wanted: the name of the one who is followed; -1 before anybody was seen.
    """

    grey: Bytes
    tracks: tuple[_Track, ...]
    names: int
    wanted: int

    def packed(self) -> bytes:
        """The same as bytes."""
        file = io.BytesIO()
        planes = [each.plane for each in self.tracks]
        np.savez_compressed(
            file,
            grey=self.grey,
            planes=np.stack(planes) if planes else np.zeros((0, 1, 1), np.uint8),
            colours=np.stack([each.colours for each in self.tracks]) if planes else np.zeros((0, 1), np.float32),
            areas=np.array([each.area for each in self.tracks], np.float64),
            numbers=np.array([(each.name, each.seen, each.behind) for each in self.tracks], np.int64).reshape(-1, 3),
            ends=np.array((self.names, self.wanted), np.int64),
        )
        return file.getvalue()

    @classmethod
    def unpacked(cls, data: bytes) -> Memory:
        """What ``packed`` gave."""
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            tracks = tuple(
                _Track(int(name), plane, colours, float(area), bool(seen), int(behind))
                for plane, colours, area, (name, seen, behind) in zip(
                    held["planes"], held["colours"], held["areas"], held["numbers"], strict=True
                )
            )
            names, wanted = (int(each) for each in held["ends"])
            return cls(held["grey"], tracks, names, wanted)


@dataclass(frozen=True)
class _Found:
    """Somebody in the frame at hand, whoever it is.

    Attributes:
        plane: (H, W) float32, what is theirs of alpha.
        small: (h, w) float32, the same, smaller.
        body: as of ``PeopleApart``.
    """

    plane: FloatArray
    small: FloatArray
    body: FloatArray | None


class Follower:
    """Finds one person in frame after frame."""

    def __init__(self, which: WhichPerson, memory: Memory | None = None, *, wanted: int = -1) -> None:
        """Begin, or go on.

        Args:
            which: who is wanted.
            memory: after the frame before the next one; None before the first.
            wanted: the name of the one, where it is known before they are seen; see ``name_at``.
        """
        self._which = which
        self._memory = memory
        self._wanted = memory.wanted if memory is not None else wanted
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._planes: dict[int, FloatArray] = {}

    @property
    def memory(self) -> Memory | None:
        """What is remembered after the last frame."""
        return self._memory

    def follow(self, pixels: PixelArray, alpha: FloatArray, apart: PeopleApart) -> FloatArray | None:
        """The next frame.

        Args:
            pixels: (H, W, 3) uint8 or uint16, RGB.
            alpha: (H, W) float32, 0..1, of everybody.
            apart: the people of it.

        Returns:
            (H, W) float32, what is the one's of alpha; None where they are not found.

        Raises:
            NobodyThereError: nobody is at the place in the first frame.
        """
        size = people.working_size(*alpha.shape)
        small = np.asarray(geometry.in_depth(geometry.shrink(pixels, size), np.dtype(np.uint8)), np.uint8)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        found = [
            _Found(plane, _shrunk(plane, size), body) for plane, body in zip(apart.planes, apart.bodies, strict=True)
        ]
        before = self._memory
        tracks = before.tracks if before is not None else ()
        expected = self._expected(grey)
        held = _matched(tracks, expected, found, small)
        names = before.names if before is not None else 0
        parts, names = _known_again(tracks, expected, held, found, small, names)
        self._planes, merged = _divided(tracks, expected, held, parts, found, pixels, small)
        self._memory = Memory(grey, _updated(tracks, self._planes, merged, small, self._wanted), names, self._wanted)
        if self._wanted < 0 and self._which.time_s is None and (self._planes or self._which.kind == "at"):
            self._wanted = self._chosen(alpha.shape)
            self._memory = replace(self._memory, wanted=self._wanted)
        return self._planes.get(self._wanted)

    def name_at(self, size_hw: tuple[int, ...]) -> int:
        """The name of who is at the place in the last frame.

        Raises:
            NobodyThereError: nobody is.
        """
        height, width = size_hw[:2]
        x, y = (each.of(side) for each, side in zip(self._which.places, (width, height), strict=True))
        if x > width or y > height:
            raise OptionError(
                f"{option('person')}: {x},{y} lies out of the picture, which has {width}x{height} pixels."
            )
        there = {name: float(plane[min(y, height - 1), min(x, width - 1)]) for name, plane in self._planes.items()}
        best = max(there, key=lambda name: there[name], default=-1)
        if best < 0 or there[best] < _THERE:
            when = "in the first frame" if self._which.time_s is None else f"at {self._which.time_s:g} s"
            count = f"{len(there)} {'person is' if len(there) == 1 else 'people are'} seen"
            raise NobodyThereError(
                f"{option('person')}: nobody is at {x},{y} {when}, where {count}. Point at one of them."
            )
        return best

    def _chosen(self, size_hw: tuple[int, ...]) -> int:
        if self._which.kind == "at":
            return self.name_at(size_hw)
        return max(self._planes, key=lambda name: float(self._planes[name].sum()))

    def _expected(self, grey: Bytes) -> dict[int, FloatArray]:
        """Where everybody who was seen must be now; nobody after a cut."""
        before = self._memory
        if before is None or before.grey.shape != grey.shape or min(grey.shape) < 16:
            return {}
        back = np.asarray(self._flow.calc(grey, before.grey, np.zeros((*grey.shape, 2), np.float32)), np.float32)
        off = np.abs(carried(before.grey.astype(np.float32), back) - grey)
        if float((off > _CUT_LEVELS).mean()) > _CUT_SHARE:
            return {}
        return {
            each.name: carried(each.plane.astype(np.float32) / np.float32(255), back)
            for each in before.tracks
            if each.seen
        }


def _matched(
    tracks: Sequence[_Track], expected: dict[int, FloatArray], found: Sequence[_Found], small: Bytes
) -> dict[int, int]:
    """Which of those found each track is, by name: the surest first, and each is one."""
    scores: list[tuple[float, int, int]] = []
    for track in tracks:
        if track.name not in expected:
            continue
        for index, each in enumerate(found):
            common = _common(expected[track.name], each.small)
            if common >= _IN_COMMON:
                scores.append((common * (0.3 + _alike(track.colours, _colours(small, each.small))), track.name, index))
    held: dict[int, int] = {}
    for _, name, index in sorted(scores, key=lambda each: -each[0]):
        if name not in held and index not in held.values():
            held[name] = index
    return held


def _known_again(
    tracks: Sequence[_Track],
    expected: dict[int, FloatArray],
    held: dict[int, int],
    found: Sequence[_Found],
    small: Bytes,
    names: int,
) -> tuple[dict[int, int], int]:
    """Give those found whom nobody claims a name, an old one or a new one, in ``held``; or make them parts of another.

    Returns:
        of each part, whose it is; and how many names were given.
    """
    parts: dict[int, int] = {}
    lost = {track.name: track for track in tracks if track.name not in expected or track.behind >= 0}
    for index, each in enumerate(found):
        if index in held.values():
            continue
        owner = _whose_part(each, expected, held, found)
        colours = _colours(small, each.small)
        alike = {name: _alike(track.colours, colours) for name, track in lost.items() if name not in held}
        # Who was hidden by the one beside comes out again there.
        for name in alike:
            behind = lost[name].behind
            if behind in held and _touch(each, found[held[behind]]):
                alike[name] += _COMES_OUT
        best = max(alike, key=lambda name: alike[name], default=-1)
        # What has a body of its own is nobody's part.
        part_of = owner if each.body is None else -1
        of_owner = next((_alike(track.colours, colours) for track in tracks if track.name == part_of), 0.0)
        if best >= 0 and alike[best] >= max(_SAME_COLOURS, of_owner):
            held[best] = index
        elif part_of >= 0:
            parts[index] = part_of
        else:
            held[names] = index
            names += 1
    return parts, names


def _whose_part(each: _Found, expected: dict[int, FloatArray], held: dict[int, int], found: Sequence[_Found]) -> int:
    """The name of who was there before, and is beside it now; -1 for nobody."""
    for name, was in expected.items():
        is_there = float((each.small * was).sum()) > _A_PART * float(each.small.sum())
        if name in held and is_there and _touch(each, found[held[name]]):
            return name
    return -1


def _touch(one: _Found, other: _Found) -> bool:
    wide = cv2.dilate(one.small, np.ones((5, 5), np.uint8))
    return float((wide * other.small).max()) > _SOMEBODY


def _divided(
    tracks: Sequence[_Track],
    expected: dict[int, FloatArray],
    held: dict[int, int],
    parts: dict[int, int],
    found: Sequence[_Found],
    pixels: PixelArray,
    small: Bytes,
) -> tuple[dict[int, FloatArray], dict[int, int]]:
    """The plane of everybody by name, and by whom each is hidden or touched."""
    whole = {name: found[index].plane for name, index in held.items()}
    for index, owner in parts.items():
        whole[owner] = whole[owner] + found[index].plane
    known = {track.name: track for track in tracks}
    merged: dict[int, int] = {}
    for name, index in held.items():
        if name not in known:
            continue
        also = [
            track
            for track in tracks
            if track.name not in held
            and track.name not in merged
            and (
                _is_within(expected[track.name], found[index].small) if track.name in expected else track.behind == name
            )
        ]
        if not also:
            continue
        claims = np.stack([_claim(track, expected, small) for track in (known[name], *also)])
        body = found[index].body
        if body is not None:  # that is seen, so it is in front
            claims[1:] *= np.clip(body - _FIRM, _ANYWHERE, 1)
        shares = people.divide(pixels, whole[name], np.asarray(claims / claims.sum(0), np.float32))
        for track, share in zip((known[name], *also), shares, strict=True):
            whole[track.name] = share
            merged[track.name] = name
    return whole, merged


def _claim(track: _Track, expected: dict[int, FloatArray], small: Bytes) -> FloatArray:
    """(h, w): how likely each pixel is of somebody, by where they were expected and by their colours."""
    place = np.full(small.shape[:2], _ANYWHERE, np.float32)
    if track.name in expected:
        place += cv2.GaussianBlur(expected[track.name], (0, 0), _EDGE_PX)
    return np.asarray(place * (track.colours[_index(small)] + np.float32(1e-4)), np.float32)


def _updated(
    tracks: Sequence[_Track],
    planes: dict[int, FloatArray],
    merged: dict[int, int],
    small: Bytes,
    wanted: int,
) -> tuple[_Track, ...]:
    known = {track.name: track for track in tracks}
    now: list[_Track] = []
    for name in sorted({*known, *planes}):
        before = known.get(name)
        plane = _shrunk(planes[name], (small.shape[0], small.shape[1])) if name in planes else None
        area = 0.0 if plane is None else float(plane.sum())
        if plane is None or (before is not None and name in merged and area < _LEAST * before.area):
            planes.pop(name, None)
            if before is not None:
                now.append(replace(before, seen=False, behind=merged.get(name, before.behind)))
            continue
        levels = np.asarray(plane * 255 + 0.5, np.uint8)
        if before is None:
            now.append(_Track(name, levels, _colours(small, plane), area))
        elif name in merged:  # of what is divided by colours no colours are learned
            behind = -1 if merged[name] == name else merged[name]
            now.append(replace(before, plane=levels, seen=True, behind=behind))
        else:
            colours = (1 - _CHANGE) * before.colours + _CHANGE * _colours(small, plane)
            now.append(_Track(name, levels, np.asarray(colours, np.float32), area))
    return tuple(sorted(now, key=lambda each: (each.name != wanted, not each.seen, -each.name))[:_MOST_REMEMBERED])


def _shrunk(plane: FloatArray, size: tuple[int, int]) -> FloatArray:
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _common(one: FloatArray, other: FloatArray) -> float:
    """Of what two planes have, the share that both have."""
    return float(np.minimum(one, other).sum() / max(float(np.maximum(one, other).sum()), 1e-6))


def _is_within(plane: FloatArray, other: FloatArray) -> bool:
    return float((plane * other).sum()) >= _WITHIN * max(float(plane.sum()), 1e-6)


def _index(small: Bytes) -> npt.NDArray[np.int32]:
    levels = (small.astype(np.int32) * _LEVELS) >> 8
    return np.asarray((levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2], np.int32)


def _colours(small: Bytes, plane: FloatArray) -> FloatArray:
    """How common each colour is where somebody is, its neighbours counted in."""
    counts = np.bincount(_index(small)[plane > _SOMEBODY], minlength=_LEVELS**3)
    cube = counts.reshape(_LEVELS, _LEVELS, _LEVELS).astype(np.float32)
    for axis in range(3):
        padded = np.moveaxis(np.pad(cube, [(1, 1) if each == axis else (0, 0) for each in range(3)]), axis, 0)
        cube = np.moveaxis(0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:], 0, axis)
    return np.asarray(cube.ravel() / max(float(cube.sum()), 1e-6), np.float32)


def _alike(one: FloatArray, other: FloatArray) -> float:
    """0..1: how far two have the same colours."""
    return float(np.sqrt(one * other).sum())
