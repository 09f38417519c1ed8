"""What a person holds: which thing, where the hands go for it, and where it lies then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from people3d import one_hand, two_hands
from people3d.arms import palm_axes, reach, sign_of
from people3d.body import Body, Turns
from people3d.figure import Figure, Fuzz, arm_scale, eyes
from people3d.forms import ball
from people3d.materials import Photos, cloth, paint, plain
from people3d.maths import Array, Random, pick, rotation, unit
from people3d.two_hands import WideThing

# How often what is held.
HOLDS: dict[str, float] = {
    "none": 5.5, "cup": 0.7, "paper_cup": 0.6, "bottle": 0.6, "mic": 1.0, "phone": 1.2, "book": 0.4, "flowers": 0.8,
    "umbrella": 0.5, "racket": 0.4, "rod": 0.4, "brush": 0.3, "snack": 0.5, "hat": 0.6, "helmet": 1.0, "tote": 0.5,
    "camera_eye": 1.2, "camera_chest": 0.8, "open_book": 0.7, "paper": 0.7, "sign": 0.4, "laptop": 0.6,
    "tablet": 0.5, "parcel": 0.8, "tray": 0.4, "plush": 0.5, "ball": 0.5, "guitar": 0.6, "skateboard": 0.3,
}  # fmt: skip
# A frame of head and shoulders would cut these off.
_TOO_LOW_FOR_A_BUST = ("parcel", "skateboard", "tote", "laptop", "rod")
_CLOSED_HAND = ("cup", "bottle", "mic", "umbrella", "racket", "rod", "flowers", "paper_cup", "tote", "brush")
_ARM_HANGS = ("helmet", "hat", "tote", "skateboard")


@dataclass(frozen=True)
class Hold:
    """What is held and how.

    Attributes:
        what: a key of ``HOLDS``.
        where: of one-handed things: ``chest``, ``mouth``, ``ear``, ``up``, ``shoulder``, ``low``.
        main: the hand, ``L`` or ``R``.
        both: the other hand helps.
    """

    what: str
    where: str
    main: str
    both: bool

    @property
    def closed(self) -> bool:
        """The hand closes round it."""
        return self.what in _CLOSED_HAND

    @property
    def hangs(self) -> bool:
        """The arm hangs down with it."""
        return self.what in _ARM_HANGS


@dataclass(frozen=True)
class Grasp:
    """Where a thing lies that is not placed by the hand alone.

    Attributes:
        how: ``arm`` (under it) or ``two`` (hands).
        origin: (3,), of the thing.
        axes: (3, 3), its axes as columns.
        thing: what it is, if it was made before the pose was final.
        fur: length of its coat, metres.
    """

    how: str
    origin: Array
    axes: Array
    thing: WideThing | None = None
    fur: float = 0.01


def choose(rng: Random, *, bust: bool) -> Hold:
    """Something to hold, or nothing."""
    what = pick(rng, {k: w * (not bust if k in _TOO_LOW_FOR_A_BUST else 1) for k, w in HOLDS.items()})
    where = pick(rng, one_hand.THINGS[what][1]) if what in one_hand.THINGS else ""
    main = "RL"[int(rng.random() < 0.3)]
    both = what in two_hands.THINGS or what == "guitar" or (what == "ball" and rng.random() < 0.5)
    return Hold(what, where, main, both)


class Reacher:
    """Sends hands to places that are given in the axes of the chest or the head."""

    def __init__(self, rng: Random, body: Body, rest: Array, turns: Turns, joint: dict[str, Array]) -> None:
        self.rng, self.body, self.rest, self.turns, self.joint = rng, body, rest, turns, joint
        pose = body.pose(rest, turns)

        def at(bone: str, point: Array) -> Array:
            i = body.number[bone]
            moved: Array = pose.turn[i] @ point + pose.shift[i]
            return moved

        self.chest_turn = pose.turn[body.number["spine01"]]
        self.head_turn = pose.turn[body.number["head"]]
        self.size = arm_scale(joint)
        self.chest = at("spine01", joint["spine01"])
        self.mouth = at("head", rest[body.data["mask_lips"] > 128].mean(0))
        self.eyes = at("head", np.mean(eyes(body, rest), 0))
        self.shoulder = {side: at(f"upperarm01.{side}", joint[f"upperarm01.{side}"]) for side in "LR"}

    def send(
        self,
        side: str,
        origin: Array,
        axes: Array,
        offset: npt.ArrayLike,
        fingers: npt.ArrayLike,
        thumb: npt.ArrayLike,
    ) -> None:
        """A hand to ``offset`` (of a person of medium size) from ``origin``, all directions in ``axes``."""
        out = sign_of(side) * self.rng.uniform(0.3, 0.8)
        hint = self.chest_turn @ np.array([out, self.rng.uniform(0.1, 0.5), -1.0])
        palm_at = origin + axes @ (np.asarray(offset) * self.size)
        where = axes @ np.asarray(fingers, float), axes @ np.asarray(thumb, float)
        reach(self.body, self.rest, self.turns, self.joint, side, palm_at, *where, hint)

    def from_chest(self, x: float, y: float, z: float) -> Array:
        """A place in the axes of the chest."""
        place: Array = self.chest + self.chest_turn @ (np.array([x, y, z]) * self.size)
        return place


def take(reacher: Reacher, hold: Hold, photos: Photos) -> Grasp | None:
    """Send the hands to what is held; returns where it lies, if that is not simply in the hand."""
    uniform = reacher.rng.uniform
    grasp = _take(reacher, hold)
    fur = uniform(0.004, 0.014)
    if grasp is None or hold.what not in two_hands.THINGS:
        if grasp is not None and hold.what == "ball" and hold.both:
            _hands_on(reacher, hold, grasp, 0.1, 0.0)
        return grasp
    thing = two_hands.THINGS[hold.what](reacher.rng, lambda: photos.square(reacher.rng))
    _hands_on(reacher, hold, grasp, thing.half_width, thing.below)
    return Grasp(grasp.how, grasp.origin, grasp.axes, thing, fur)


def _take(r: Reacher, hold: Hold) -> Grasp | None:
    uniform = r.rng.uniform
    side, sign = hold.main, sign_of(hold.main)
    if hold.what in one_hand.THINGS:
        _raise_one(r, hold)
        if r.rng.random() < 0.15 and hold.where != "low":
            free = "LR"[hold.main == "L"]
            offset = (-sign * uniform(0.1, 0.2), -uniform(0.1, 0.25), -uniform(0.25, 0.35))
            r.send(free, r.chest, r.chest_turn, offset, (sign * 0.7, -0.6, 0.1), (0, 0, 1))
        return None
    if hold.what == "helmet" and r.rng.random() < 0.75:
        r.send(side, r.chest, r.chest_turn, (sign * 0.24, -0.14, -0.22), (-sign * 0.35, -0.9, -0.1), (0, -0.3, 1))
        lean = rotation((0, 1, 0), -sign * uniform(0, 0.5)) @ rotation((0, 0, 1), uniform(-0.6, 0.6))
        return Grasp("arm", r.from_chest(sign * 0.275, -0.03, -0.14), r.chest_turn @ lean)
    if hold.what in ("ball", "skateboard") and not hold.both:
        r.send(side, r.chest, r.chest_turn, (sign * 0.27, -0.12, -0.24), (-sign * 0.2, -0.9, -0.3), (0, -0.3, 1))
        return Grasp("arm", r.from_chest(sign * 0.26, -0.05, -0.1), r.chest_turn)
    if not hold.both:
        return None
    if hold.what == "guitar":
        return _take_guitar(r, hold)
    return _before_the_chest(r, hold)


def _raise_one(r: Reacher, hold: Hold) -> None:
    """One hand to where the thing is used."""
    uniform = r.rng.uniform
    side, sign = hold.main, sign_of(hold.main)
    if hold.where == "chest":
        offset = (sign * uniform(0.02, 0.2), -uniform(0.24, 0.36), uniform(-0.16, 0.08))
        fingers = (-sign * uniform(0.3, 0.8), -0.7, uniform(0, 0.3))
        r.send(side, r.chest, r.chest_turn, offset, fingers, (0, uniform(-0.3, 0.1), 1))
    elif hold.where == "mouth":
        at_mouth = (sign * 0.05, -0.085, -0.03)
        offsets = {
            "mic": (sign * 0.045, -0.09, -0.085),
            "cup": at_mouth,
            "paper_cup": at_mouth,
            "bottle": (sign * 0.05, -0.11, -0.02),
        }
        off = np.array(offsets.get(hold.what, (sign * 0.04, -0.09, -0.03))) + [0, -uniform(0, 0.06), 0]
        tilt = {"mic": (0, 0.75, 0.8), "bottle": (0, 0.55, 0.8)}.get(hold.what, (0, 0.25, 1))
        r.send(side, r.mouth, r.head_turn, off, (-sign * 0.8, -0.1, 0.45), tilt)
    elif hold.where == "ear":
        fingers = (sign * 0.12, uniform(-0.1, 0.35), 0.9)
        r.send(side, r.mouth, r.head_turn, (sign * 0.098, 0.055, 0.045), fingers, (0, 1, 0))
    elif hold.where == "up":
        offset = (sign * uniform(-0.05, 0.25), -uniform(0.2, 0.42), uniform(0.1, 0.42))
        picture = hold.what == "phone"  # of oneself: the palm towards the face
        fingers = (sign * 0.1, -0.3, 1) if picture else (-sign * 0.6, -0.8, 0.2)
        r.send(side, r.shoulder[side], r.chest_turn, offset, fingers, (sign, 0, 0.1) if picture else (0, -0.1, 1))
    elif hold.where == "shoulder":
        offset = (-sign * uniform(0, 0.12), -uniform(0.2, 0.3), -uniform(0.0, 0.12))
        r.send(side, r.shoulder[side], r.chest_turn, offset, (-sign * 0.6, -0.8, 0.1), (0, 0, 1))


def _take_guitar(r: Reacher, hold: Hold) -> Grasp:
    """Before the belly, its neck to the side of the hand that doesn't pluck."""
    sign = sign_of(hold.main)
    axes = r.chest_turn @ rotation((0, 1, 0), -sign * r.rng.uniform(0.1, 0.5))
    origin = r.from_chest(sign * -0.06, -0.21, -0.2)
    axes = axes * [float(sign), 1, 1]
    fret = r.rng.uniform(0.36, 0.5)
    other = "RL"[hold.main == "R"]
    r.send(other, origin, axes, (-fret / r.size, -0.02, -0.035), (0.0, -0.5, 0.9), (1, -0.2, 0))
    r.send(hold.main, origin, axes, (0.12, -0.085, 0.02), (-0.75, 0.25, -0.6), (-0.5, 0, 0.8))
    return Grasp("two", origin, axes)


def _before_the_chest(r: Reacher, hold: Hold) -> Grasp:
    """Where a thing in two hands lies."""
    uniform = r.rng.uniform
    axes = r.chest_turn
    origin = r.from_chest(uniform(-0.04, 0.04), -uniform(0.3, 0.36), uniform(-0.16, 0.06))
    if hold.what == "camera_eye":
        axes = r.head_turn
        origin = r.eyes + r.head_turn @ np.array([uniform(-0.03, 0.03), -0.085, -0.012])
    if hold.what == "camera_chest":
        origin = r.from_chest(0, -0.19, uniform(-0.16, -0.02))
    if hold.what in ("paper", "sign", "tablet", "open_book"):
        axes = r.chest_turn @ rotation((1, 0, 0), uniform(-0.7, 0.1)) @ rotation((0, 0, 1), r.rng.normal(0, 0.15))
        origin = origin + r.chest_turn @ np.array([0, 0, uniform(-0.05, 0.22)])
    if hold.what in ("laptop", "tray", "parcel"):
        origin = r.from_chest(0, -0.33, uniform(-0.28, -0.12))
    if hold.what in ("plush", "ball"):
        origin = r.from_chest(0, -0.22, uniform(-0.2, -0.02))
    return Grasp("two", origin, axes)


_DEEP = {"camera_eye": 0.0, "camera_chest": 0.0, "parcel": -0.02, "laptop": 0.06, "tray": 0.03}


def _hands_on(r: Reacher, hold: Hold, grasp: Grasp, half_width: float, below: float) -> None:
    """Both hands to the sides of a thing, or under it."""
    what = hold.what
    deep = _DEEP.get(what, 0.012)
    for side, sign in (("L", 1), ("R", -1)):
        if what == "camera_chest" and side != hold.main and r.rng.random() < 0.5:
            continue
        fingers: Any
        thumb: Any
        offset: Any
        if what in ("laptop", "tray"):
            fingers, thumb, offset = (
                (-sign * 0.3, -0.9, 0.1),
                (sign * 0.9, -0.1, 0.45),
                (sign * half_width * 0.85, deep, -0.03),
            )
        elif what in ("parcel", "ball", "plush"):
            fingers, thumb, offset = (
                (-sign * 0.25, -0.85, 0.1),
                (0, -0.1, 1),
                (sign * (half_width + 0.012), deep, -below),
            )
        elif what in ("camera_eye", "camera_chest"):
            fingers, thumb = (-sign * 0.3, -0.6, 0.75), (0, 0.7, 0.6)
            beside, under_lens = (sign * (half_width + 0.004), deep, -0.01), (sign * 0.052, -0.06, -0.062)
            offset = beside if side == hold.main else under_lens
        else:
            fingers, thumb = (-sign * 0.35, -0.45, 0.8), (sign * 0.1, 0.9, 0.5)
            offset = (sign * (half_width + 0.002), deep - 0.02, -below)
        r.send(side, grasp.origin, grasp.axes, np.array(offset) / r.size, fingers, thumb)


def put_in_hand(figure: Figure, hold: Hold, grasp: Grasp | None) -> None:
    """Queue the meshes of what is held."""
    rng = figure.rng
    figure.facts["hold"], figure.facts["mode"] = hold.what, hold.where or (grasp.how if grasp else "")

    def photo() -> Array:
        return figure.photos.square(rng)

    sign = sign_of(hold.main)
    wrist = figure.joint(f"wrist.{hold.main}")
    palm = (figure.joint(f"finger2-1.{hold.main}") + figure.joint(f"finger5-1.{hold.main}") + wrist) / 3
    along = figure.turn(f"wrist.{hold.main}") @ palm_axes(figure.joint_at_rest, hold.main)
    hand = np.stack([along[:, 2], along[:, 0], along[:, 1]], 1)
    if hold.what in one_hand.THINGS:
        thing = one_hand.THINGS[hold.what][0](rng, photo)
        axes = _upright(rng, hand) if hold.what == "umbrella" else hand
        origin = palm + hand @ np.array(thing.grip)
        figure.place(thing.parts, axes, origin)
        if thing.strings is not None:
            figure.strings.append((thing.strings @ axes.T + origin, thing.string_colour))
    hanging = _hanging(hand)
    if hold.what == "tote":
        bag = one_hand.tote(rng, photo, cloth(rng, figure.photos, 0.3))
        figure.place(bag.parts, hanging, palm + hand @ np.array([0.015, 0.03, 0]))
    if hold.what == "hat":
        parts = one_hand.hat(rng, plain(rng.random(3) ** 1.5, 0.9))
        lean = hand @ rotation((0, 1, 0), rng.uniform(-0.5, 0.5))
        figure.place(parts, lean, palm + hand @ np.array([0.03, 0.17, 0.0]))
    if hold.what == "helmet":
        parts = one_hand.helmet(rng)
        if grasp:
            figure.place(parts, grasp.axes, grasp.origin)
        else:
            lean = hanging @ rotation((1, 0, 0), rng.uniform(-0.4, 0.4))
            figure.place(parts, lean, palm + np.array([0, 0, -0.15]) + hanging[:, 0] * 0.02)
    if grasp:
        _put_between(figure, hold, grasp, sign)


def _put_between(figure: Figure, hold: Hold, grasp: Grasp, sign: int) -> None:
    """What lies under an arm or between two hands."""
    rng = figure.rng

    def photo() -> Array:
        return figure.photos.square(rng)

    if hold.what == "ball":
        radius = rng.uniform(0.09, 0.125) if grasp.how == "two" else rng.uniform(0.1, 0.12)
        skin = cloth(rng, figure.photos, 0.1) if rng.random() < 0.6 else paint(rng, 0.5)
        figure.place([one_hand.part(ball(radius, 16, 24), skin)], np.eye(3), grasp.origin)
    if hold.what == "skateboard":
        axes = grasp.axes @ rotation((0, 0, 1), sign * np.pi / 2)
        origin = grasp.origin + figure.turn("spine01") @ np.array([sign * 0.02, 0, 0])
        figure.place(one_hand.skateboard(rng, photo), axes, origin)
    if hold.what == "guitar":
        thing = two_hands.guitar(rng, photo)
        figure.place(thing.parts, grasp.axes, grasp.origin)
        if thing.strings is not None:
            figure.strings.append((thing.strings @ grasp.axes.T + grasp.origin, (0.6, 0.55, 0.45)))
    if grasp.thing is not None:
        figure.place(grasp.thing.parts, grasp.axes, grasp.origin)
        placed = figure.place(grasp.thing.furry, grasp.axes, grasp.origin)
        for points, (_, faces, coat) in zip(placed, grasp.thing.furry, strict=True):
            figure.fuzz.append(Fuzz(points, faces, 2500, grasp.fur, coat.colour))


def _upright(rng: Random, hand: Array) -> Array:
    """Axes of a thing that is kept nearly upright whatever the hand does."""
    up = unit(np.array([rng.normal(0, 0.2), rng.normal(0, 0.2), 1.0]) + 0.3 * hand[:, 2])
    back = unit(np.cross(up, hand[:, 0]))
    return np.stack([np.cross(back, up), back, up], 1)


def _hanging(hand: Array) -> Array:
    """Axes of a thing that hangs from the hand: z up, x as the palm looks."""
    out = unit(hand[:, 0] - np.array([0, 0, 1]) * hand[2, 0])
    up = np.array([0, 0, 1.0])
    return np.stack([out, np.cross(up, out), up], 1)
