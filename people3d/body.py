"""The body: MakeHuman's base mesh with its shapes, skeleton, poses and clothes (assets/people.npz, CC0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from people3d.maths import Array, Random, rotation

ASSETS = Path(__file__).parent / "assets" / "people.npz"
Turns = dict[str, Array]  # bone -> (3, 3) rotation, in the axes of the rest pose


@dataclass(frozen=True)
class Character:
    """Who is drawn.

    Attributes:
        male: 0 is female, 1 male.
        age: shares of child, young, old.
        race: shares of MakeHuman's African, Asian and Caucasian shapes.
        muscle, weight: 0..1.
        face: expression: face unit -> strength.
    """

    male: float
    age: Array
    race: Array
    muscle: float
    weight: float
    face: dict[str, float]


@dataclass(frozen=True)
class Pose:
    """Where every bone is: a rotation (bones, 3, 3) and a shift (bones, 3) of the points that hang on it."""

    turn: Array
    shift: Array


def draw_character(rng: Random) -> Character:
    """Somebody."""
    male = float(rng.random() < 0.5)
    race = rng.dirichlet((0.35, 0.35, 0.35))
    age = rng.dirichlet((0.1, 2, 0.35))
    male = float(np.clip(male + rng.normal(0, 0.08), 0, 1))
    face = {k: max(0, rng.normal(0, 0.35)) for k in ("browInnerUp", "jawOpen", "eyeWideLeft")}
    smile = max(0, rng.normal(0.1, 0.4))
    blink = rng.uniform(0, 0.3)
    face.update(mouthSmileLeft=smile, mouthSmileRight=smile, eyeBlinkLeft=blink, eyeBlinkRight=blink)
    face["jawOpen"] *= 0.5
    muscle = float(np.clip(rng.normal(0.5, 0.15), 0, 1))
    return Character(male, age, race, muscle, float(np.clip(rng.normal(0.5, 0.2), 0, 1)), face)


class Body:
    """The data of the body.  Points are metres, z up, the front towards -y."""

    def __init__(self, path: Path = ASSETS) -> None:
        with np.load(path) as stored:
            self.data: dict[str, Array] = {name: stored[name] for name in stored.files}
        self.bones = [str(bone) for bone in self.data["bones"]]
        self.number = {bone: i for i, bone in enumerate(self.bones)}
        self.faces_all = self.data["f"].astype(int)
        self.bone_of = self.data["wi"].astype(int)
        self.weight = self.data["ww"].astype(float)
        self.weight /= self.weight.sum(1, keepdims=True)
        self.scalp = self.data["scalp"].astype(float)
        self._parts = [str(part) for part in self.data["parts"]]
        self._targets = {str(name): i for i, name in enumerate(self.data["t_name"])}

    def faces(self, part: str) -> Array:
        """The quads of one part: ``body``, ``tights`` (a suit of skin), ``l-eye``, …"""
        chosen: Array = self.faces_all[self.data["fpart"] == self._parts.index(part)]
        return chosen

    def mask(self, name: str) -> Array:
        """(points, 1), 0..1: where lips, ears, eyelids are."""
        mask: Array = (self.data["mask_" + name] / 255.0)[:, None]
        return mask

    def _add_target(self, points: Array, name: str, strength: float) -> None:
        if abs(strength) > 1e-4 and name in self._targets:
            start, end = self.data["t_off"][self._targets[name] :][:2]
            points[self.data["t_i"][start:end]] += self.data["t_d"][start:end] * (1e-4 * strength)

    def shape(self, rng: Random, who: Character) -> Array:
        """The rest pose of a character, with random details of the head: (points, 3)."""
        points = self.data["v"].astype(float)

        def three(x: float) -> dict[str, float]:
            return {"min": max(0, 1 - 2 * x), "average": 1 - abs(2 * x - 1), "max": max(0, 2 * x - 1)}

        for sex, of_sex in (("female", 1 - who.male), ("male", who.male)):
            for age, of_age in zip(("child", "young", "old"), who.age, strict=True):
                for race, of_race in zip(("african", "asian", "caucasian"), who.race, strict=True):
                    self._add_target(points, f"{race}-{sex}-{age}", of_sex * of_age * of_race)
                for muscle, of_muscle in three(who.muscle).items():
                    for weight, of_weight in three(who.weight).items():
                        name = f"universal-{sex}-{age}-{muscle}muscle-{weight}weight"
                        self._add_target(points, name, of_sex * of_age * of_muscle * of_weight)
        for name in self._targets:
            of_head = name.split("-")[0] in ("head", "nose", "mouth", "chin", "eyebrows", "forehead")
            if of_head and "trans" not in name and "age" not in name:
                self._add_target(points, name, max(0, rng.normal(0, 0.12)))
        for name, strength in who.face.items():
            self._add_target(points, name, strength)
        return points

    def joints(self, points: Array) -> Array:
        """Where the bones begin: (bones, 3)."""
        joints: Array = points[self.data["head_v"].astype(int)].mean(1)
        return joints

    def base_turns(self, pose: str) -> Turns:
        """The rotations of one of the poses in the data."""
        names = [str(name) for name in self.data["p_name"]]
        angles = np.deg2rad(self.data["p_rot"][names.index(pose)])
        return {
            bone: rotation((1, 0, 0), x) @ rotation((0, 1, 0), y) @ rotation((0, 0, 1), z)
            for bone, (x, y, z) in zip(self.bones, angles, strict=True)
        }

    def pose(self, points: Array, turns: Mapping[str, Array]) -> Pose:
        """Rotations of bones, each relative to its parent, as where the bones are then."""
        joint = self.joints(points)
        n = len(self.bones)
        turn, place = np.zeros((n, 3, 3)), np.zeros((n, 3))
        for i, bone in enumerate(self.bones):
            parent = self.data["parent"][i]
            own = turns.get(bone, np.eye(3))
            turn[i] = own if parent < 0 else turn[parent] @ own
            place[i] = joint[i] if parent < 0 else place[parent] + turn[parent] @ (joint[i] - joint[parent])
        return Pose(turn, place - np.einsum("nij,nj->ni", turn, joint))

    def skin(self, points: Array, pose: Pose, bone_of: Array | None = None, weight: Array | None = None) -> Array:
        """Points of the rest pose, moved with the bones (linear blend skinning)."""
        bone_of = self.bone_of if bone_of is None else bone_of
        weight = self.weight if weight is None else weight
        turned = np.einsum("vk,vkij,vj->vi", weight, pose.turn[bone_of], points)
        shifted: Array = turned + np.einsum("vk,vki->vi", weight, pose.shift[bone_of])
        return shifted

    def garments(self) -> list[str]:
        """The names of the garments in the data."""
        return [str(name) for name in self.data["c_name"]]

    def garment(self, name: str, points: Array) -> tuple[Array, Array, Array, Array]:
        """A garment fitted to a rest pose: points, faces, and the bones and weights they hang on.

        Each of its vertices hangs on three of the body's and takes their bones.
        """
        data = self.data
        anchors = data[f"c_{name}_i"].astype(int)
        share = data[f"c_{name}_w"].astype(float)
        scale = [
            abs(points[int(a), k] - points[int(b), k]) * 10 / d
            for (a, b, d), k in zip(data[f"c_{name}_s"], (0, 2, 1), strict=True)
        ]
        off = data[f"c_{name}_o"].astype(float) * scale * 0.1
        fitted = (points[anchors] * share[..., None]).sum(1) + np.stack([off[:, 0], -off[:, 2], off[:, 1]], 1)
        share = np.clip(np.where(np.abs(share).sum(1, keepdims=True) > 3, 1 / 3, share), 0, None) + 1e-3
        share /= share.sum(1, keepdims=True)
        bone_of = self.bone_of[anchors].reshape(len(anchors), -1)
        weight = (self.weight[anchors] * share[..., None]).reshape(len(anchors), -1)
        return fitted, data[f"c_{name}_f"].astype(int), bone_of, weight

    def hidden_by(self, name: str) -> Array:
        """Which vertices of the body a garment hides: (points,) bool."""
        return np.unpackbits(self.data[f"c_{name}_d"])[: len(self.data["v"])].astype(bool)
