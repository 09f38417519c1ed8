"""The person as it is put together: a posed body, and all that is laid on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from people3d.body import Body, Pose, Turns
from people3d.materials import Material, Photos
from people3d.maths import Array, Random
from people3d.one_hand import Part

if TYPE_CHECKING:
    from people3d.blender import Mesh


@dataclass(frozen=True)
class Layer:
    """A mesh to draw.

    Attributes:
        points, faces: as posed.
        material: what it is made of.
        attributes: further values per vertex; ``rest`` is where it lies in the rest pose, for patterns.
        mesh: the same in Blender.
        rounding: how often it is subdivided.
        is_body: seen from outside only, and cut by the frame rather than deciding it.
        culled: faces turned away are left out.
    """

    points: Array
    material: Material
    attributes: dict[str, Array]
    mesh: Mesh
    rounding: int
    is_body: bool
    culled: bool


@dataclass(frozen=True)
class Fuzz:
    """Short hair on a mesh: knit, mohair, fur.

    Attributes:
        points, faces: the mesh.
        count: hairs, at full size.
        length: metres.
        colour: (3,) linear RGB.
        clump: how far tips are drawn together, 0..1.
        frizz: metres.
    """

    points: Array
    faces: Array
    count: int
    length: float
    colour: Array
    clump: float | None = None
    frizz: float = 0.001


@dataclass
class Figure:
    """A posed body and what it wears and holds.

    Attributes:
        body, rest, pose: the data, its rest pose (points, 3) and where its bones are.
        facts: what was drawn, for the index.
        layers: every mesh to draw.
        solid: (points, faces) of what hair must not enter.
        things: (points, faces) of what casts shadows besides.
        fuzz: short hair on cloth.
        strings: (ends (n, 2, 3), colour) of strings.
        hidden: which vertices of the body are under clothes.
    """

    body: Body
    rest: Array
    pose: Pose
    rng: Random
    photos: Photos
    facts: dict[str, object]
    layers: list[Layer] = field(default_factory=list)
    solid: list[tuple[Array, Array]] = field(default_factory=list)
    things: list[tuple[Array, Array]] = field(default_factory=list)
    fuzz: list[Fuzz] = field(default_factory=list)
    strings: list[tuple[Array, Sequence[float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.points = self.body.skin(self.rest, self.pose)
        joints = self.body.joints(self.rest)
        self.joint_at_rest = dict(zip(self.body.bones, joints, strict=True))
        self.hidden = np.zeros(len(self.rest), bool)
        self.eyes_at_rest = eyes(self.body, self.rest)
        self.eye_at_rest = np.mean(self.eyes_at_rest, 0)
        self.head_at_rest = self.rest[self.body.scalp > 0].mean(0)
        self.head_turn = self.turn("head")
        self.head = self.at("head", self.head_at_rest)

    def at(self, bone: str, point: Array) -> Array:
        """Where a point of the rest pose goes with a bone."""
        i = self.body.number[bone]
        moved: Array = self.pose.turn[i] @ point + self.pose.shift[i]
        return moved

    def turn(self, bone: str) -> Array:
        """The rotation of a bone, (3, 3)."""
        turn: Array = self.pose.turn[self.body.number[bone]]
        return turn

    def joint(self, bone: str) -> Array:
        """Where a bone begins."""
        return self.at(bone, self.joint_at_rest[bone])

    def on_head(self, points: Array) -> Array:
        """Points of the rest pose, moved with the head."""
        moved: Array = points @ self.head_turn.T + self.pose.shift[self.body.number["head"]]
        return moved

    @property
    def up(self) -> Array:
        """From the neck to the head."""
        way = self.joint("head") - self.joint("neck01")
        up: Array = way / np.linalg.norm(way)
        return up

    @property
    def size(self) -> float:
        """The person's size as that of the upper arm, 1 for a grown one of medium size."""
        return arm_scale(self.joint_at_rest)

    def add(
        self,
        points: Array,
        faces: Array,
        material: Material,
        *,
        rest: Array | None = None,
        rounding: int = 0,
        more: Mapping[str, Array] | None = None,
        is_body: bool = False,
        culled: bool = False,
    ) -> None:
        """Queue a mesh to be drawn."""
        from people3d.blender import Mesh  # only what is drawn needs Blender; who and what is drawn does not

        points = np.asarray(points, float)
        attributes = {"rest": points if rest is None else rest, **(more or {})}
        self.layers.append(Layer(points, material, attributes, Mesh(points, faces), rounding, is_body, culled))

    def wear(self, points: Array, faces: Array, material: Material, *, rest: Array | None, rounding: int = 1) -> None:
        """Queue a mesh that hair must not enter."""
        self.add(points, faces, material, rest=rest, rounding=rounding)
        self.solid.append((points, faces))

    def place(self, parts: Sequence[Part], axes: Array, origin: Array) -> list[Array]:
        """Queue the parts of a thing, made in its own ``axes`` (3, 3, columns), at ``origin``; returns their points."""
        placed = []
        for points, faces, material in parts:
            there = points @ axes.T + origin
            self.add(there, faces, material, rest=points)
            self.things.append((there, faces))
            placed.append(there)
        return placed


def eyes(body: Body, rest: Array) -> list[Array]:
    """The middles of the left and the right eye."""
    return [rest[np.unique(body.faces(f"{side}-eye"))].mean(0) for side in "lr"]


def arm_scale(joint_at_rest: Mapping[str, Array]) -> float:
    """The length of the upper arm as a share of a grown one's."""
    return float(np.linalg.norm(joint_at_rest["lowerarm01.R"] - joint_at_rest["upperarm01.R"]) / 0.228)


def joints_at_rest(body: Body, rest: Array) -> Turns:
    """Where every bone begins in the rest pose, by name."""
    return dict(zip(body.bones, body.joints(rest), strict=True))
