"""Short hair: brows, beards, and the fuzz of cloth and fur."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from people3d.figure import Figure, Fuzz
from people3d.maths import Array, Random, nearest, pick, scatter, smooth, unit


@dataclass(frozen=True)
class Strands:
    """Hairs to draw: points (n, k, 3), linear RGB (n, k, 3) and width in metres (n, k)."""

    points: Array
    colour: Array
    width: Array


Direction = Callable[[Array, Array], Array]  # roots, normals -> where hairs point


def _on_skin(
    figure: Figure,
    density: Array,
    count: int,
    length: float,
    direction: Direction,
    width: float,
    colour: Array,
    mess: float = 0.25,
) -> list[Strands]:
    """Hairs that grow from the skin where ``density`` says so; none where it says nowhere."""
    if density.sum() < 0.1:
        return []
    rng, k = figure.rng, 7
    roots, normals = scatter(rng, figure.points, figure.body.faces("body"), count, density)
    way = unit(direction(roots, normals) + mess * rng.normal(size=roots.shape))
    t = np.linspace(0, 1, k)[None, :, None]
    long = length * rng.uniform(0.5, 1.1, (count, 1, 1))
    fall = np.array([0, 0, -1]) * (t**2 * long * 0.35)
    wave = np.sin(rng.random((count, 1, 3)) * 6 + t * 5) * long * 0.08 * t
    points = roots[:, None] + way[:, None] * t * long + fall + wave
    tint = np.clip(colour * rng.lognormal(0, 0.2, (count, 1, 1)) * np.ones((count, k, 3)), 0, 0.9)
    return [Strands(points, tint, width * np.linspace(1, 0.3, k)[None] * np.ones((count, 1)))]


def brows(figure: Figure, colour: Array, detail: float) -> list[Strands]:
    """The brows; ``detail`` is 1 for a large face, less for a small one."""
    x, y, z = (figure.rest - figure.eye_at_rest).T
    x = np.abs(x)
    height = np.exp(-(((z - 0.021 - 0.004 * np.sin((x - 0.012) * 70)) / 0.0035) ** 4))
    width = smooth(x, 0.01, 0.016) * (1 - smooth(x, 0.046, 0.056))
    front = (y < 0.03) * ((figure.rest - figure.head_at_rest)[:, 1] < -0.03)
    across, up = figure.head_turn[:, 0], figure.head_turn[:, 2]

    def outwards(roots: Array, normals: Array) -> Array:
        side = np.sign((roots - figure.head) @ across[:, None])
        way: Array = normals * 0.35 + side * across * 0.9 + up * 0.3
        return way

    count = int(900 * max(detail, 0.5))
    return _on_skin(figure, height * width * front, count, 0.009, outwards, 0.00011, colour * 0.6)


def beard(figure: Figure, colour: Array, detail: float, *, may: bool) -> list[Strands]:
    """A beard of some kind, if the person ``may`` have one."""
    rng, rest = figure.rng, figure.rest
    kinds = {"none": 1.4, "stubble": 1, "short": 1, "full": 1, "moustache": 0.5}
    kind = pick(rng, kinds) if may else "none"
    figure.facts["beard"] = kind
    if kind == "none":
        return []
    lips = figure.body.mask("lips")[:, 0]
    x, _, z = (rest - rest[lips > 0.5].mean(0)).T
    jaw = smooth(np.abs(x), 0.03, 0.05) * 0.055
    zone = smooth(jaw + 0.004 - z, 0, 0.008) * smooth(z, -0.085, -0.06)
    zone = np.maximum(zone, (z > 0.004) * (z < 0.016) * (np.abs(x) < 0.032) * 1.0)
    front = (rest - figure.head_at_rest)[:, 1] < 0.005
    zone = zone * (1 - np.clip(lips * 1.5, 0, 1)) * front * (rest[:, 2] > figure.joint_at_rest["neck01"][2] + 0.01)
    if kind == "moustache":
        zone = zone * (z > 0.002) * (np.abs(x) < 0.04)
    length = {"stubble": 0.004, "short": 0.014, "full": rng.uniform(0.04, 0.09), "moustache": 0.018}[kind]
    count = int(14000 * max(detail, 0.4))

    def down(roots: Array, normals: Array) -> Array:
        way: Array = normals * 0.6 + np.array([0, 0, -0.7])
        return way

    mess = 0.3 if kind != "full" else 0.5
    return _on_skin(figure, zone, count, length, down, 0.00010 / detail**0.5, colour, mess)


def fuzz(rng: Random, coat: Fuzz, detail: float) -> Strands:
    """The hairs of knit, mohair or fur."""
    count, k = int(coat.count * max(detail, 0.3)), 8
    roots, normals = scatter(rng, coat.points, coat.faces, count)
    t = np.linspace(0, 1, k)[None, :, None]
    long = coat.length * rng.gamma(6, 1 / 6, (count, 1, 1))
    way = unit(normals + 0.55 * rng.normal(size=normals.shape) + np.array([0, 0, -0.35]))
    p = roots[:, None] + way[:, None] * t * long + np.array([0, 0, -0.3]) * t**2 * long
    if coat.clump is not None:
        centres = rng.choice(count, max(8, count // 30), replace=False)
        p = p + (p[centres][nearest(roots, roots[centres])] - p) * (coat.clump * t)
    wave = np.sin(rng.random((count, 1, 3)) * 6.3 + t * rng.uniform(3, 9, (count, 1, 3)))
    p = p + wave * (coat.frizz + 0.1 * long) * t
    tint = np.clip(coat.colour * rng.lognormal(0, 0.2, (count, 1, 1)) * np.ones((count, k, 3)), 0.005, 0.9)
    return Strands(p, tint, 0.00007 / detail**0.5 * np.ones((count, k)) * np.linspace(1, 0.4, k))


def strings(ends: Array, colour: Array) -> Strands:
    """Straight strings between ``ends`` (n, 2, 3), such as a racket's."""
    t = np.linspace(0, 1, 5)[None, :, None]
    points = ends[:, :1] * (1 - t) + ends[:, 1:] * t
    return Strands(points, np.tile(colour, (len(points), 5, 1)), np.full((len(points), 5), 0.0013))
