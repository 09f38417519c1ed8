"""Hair of the head: a few hundred guides are grown and combed, tens of thousands of hairs follow them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from people3d.hair_styles import STYLES, Style, personal
from people3d.maths import Array, Random, Surface, scatter, smooth, unit
from people3d.strands import push_out, spread

GUIDES = 420
GUIDE_POINTS = 20
Flow = Callable[[Array, Array], Array]  # points, normals of the skin near them -> which way hair is combed there


@dataclass(frozen=True)
class Head:
    """Where hair grows: the posed body, the faces of the scalp, and how the head is turned about its middle."""

    points: Array
    scalp: Array
    turn: Array
    middle: Array

    def local(self, points: Array) -> Array:
        """Points in the axes of the head."""
        local: Array = (points - self.middle) @ self.turn
        return local


def grow_hair(rng: Random, name: str, head: Head, density: Array, solid: Surface, scale: float) -> Array:
    """Hair: (hairs, points, 3).

    Args:
        name: a key of ``STYLES``.
        head: where it grows.
        density: (points,), how dense at each vertex of the body.
        solid: what it must not enter.
        scale: share of the hairs to draw; in a small picture fewer, thicker ones do.
    """
    style = personal(rng, STYLES[name])
    count = int(0.75 * style.count * scale * rng.uniform(0.75, 1.1))
    local = head.local(head.points)
    # The data's scalp reaches too far down the forehead.
    line = np.interp(local[:, 1], [-0.085, -0.055, -0.02, 0.02], [0.056, 0.03, -0.03, -0.3])
    density = density * smooth(local[:, 2] - line - rng.uniform(-0.008, 0.006), -0.008, 0.006)
    crown = smooth(local[:, 2], 0.02, 0.06) * smooth(-local[:, 1], -0.06, -0.02)
    density = density * (1 - style.bald * crown)
    guides = _guides(rng, style, head, density, solid)
    roots, _ = scatter(rng, head.points, head.scalp, count, density)
    return push_out(spread(rng, roots, guides, style), solid)


def _guides(rng: Random, style: Style, head: Head, density: Array, solid: Surface) -> Array:
    """The guides of a style: (GUIDES, GUIDE_POINTS, 3)."""
    parting = rng.uniform(-0.035, 0.035)
    fringe = style.fringe is not None and rng.random() < style.fringe + 0.3
    roots, normals = scatter(rng, head.points, head.scalp, GUIDES, density)
    local = head.local(roots)
    length = style.length * rng.uniform(0.85, 1.1, GUIDES)
    length = length * (1 - style.fade * smooth(-local[:, 2], -0.05, 0.02))
    flow = _combed(style, head, parting)
    if fringe:  # front hair hangs to the brows
        front = (local[:, 1] < -0.055) & (np.abs(local[:, 0]) < 0.06)
        length[front] = np.minimum(length[front], rng.uniform(0.07, 0.10))
        forwards = np.array([parting * 4, -1, -0.5]) @ head.turn.T
        rest_of_it = flow

        def flow(points: Array, near: Array) -> Array:
            return np.where(front[:, None], forwards, rest_of_it(points, near))

    margin = style.margin * (0.15 + 0.85 * rng.random(GUIDES))
    if style.flow == "tie":
        guides = _tied(rng, style, head, roots, length, solid)
    elif style.flow == "out":
        out = unit(normals + 0.25 * unit(roots - head.middle) + 0.15 * rng.normal(size=roots.shape))
        along = np.linspace(0, 1, GUIDE_POINTS)[None, :, None] * length[:, None, None]
        guides = roots[:, None] + out[:, None] * along
    else:
        guides = grow(
            roots, normals, length, GUIDE_POINTS, flow, solid,
            gravity=style.gravity, comb=1.0, stiff=1.6, lift=style.lift, margin=margin,
        )  # fmt: skip
    long = style.flow in ("part", "down", "back") and style.length > 0.15
    if long and rng.random() < 0.95:
        return off_the_face(guides, head, parting, fringe, rng.uniform(0.6, 1.0))
    return guides


def _combed(style: Style, head: Head, parting: float) -> Flow:
    """Which way hair is combed, in the axes of the head; below the ears only gravity combs."""

    def flow(points: Array, near: Array) -> Array:
        x, y, z = head.local(points).T
        above = (z > -0.06)[:, None]
        if style.flow == "part":
            side = np.sign(x - parting)
            way = [side * 1.2 * np.clip((0.04 - y) / 0.07, 0.1, 1), 0.5 + 0 * x, -0.5 - 2 * np.abs(x) / 0.08 * 0.5]
            f = np.stack(way, 1) * above
        elif style.flow == "back":
            f = np.tile([0, 1, -0.3], (len(x), 1)) * above
        elif style.flow == "forward":
            f = np.stack([x * 3, -0.8 + 0 * x, -0.4 - 6 * np.abs(x)], 1)
        elif style.flow == "up":
            f = np.stack([x * 4, 0.3 + 6 * y, 0.9 - 12 * np.abs(x)], 1)
        else:
            f = np.stack([x * 8, (y - 0.02) * 8, -0.5 + 0 * x], 1) * above
        turned: Array = f @ head.turn.T
        return turned

    return flow


def grow(
    roots: Array,
    normals: Array,
    length: Array,
    points: int,
    flow: Flow,
    solid: Surface,
    *,
    gravity: float,
    comb: float,
    stiff: float,
    lift: float,
    margin: Array,
) -> Array:
    """Guides, stepped from the root: (n, points, 3).

    They keep their direction (``stiff``), follow the flow along the skin (``comb``), fall (``gravity``) and are pushed
    out of what is solid; a ``margin`` for each makes the layers that give hair its volume.
    """
    p = roots.copy()
    way = unit(normals * lift + unit(flow(p, normals)) * (1 - lift))
    grown = [p.copy()]
    step = length / (points - 1)
    for k in range(1, points):
        hits = [solid.find_nearest(q, 0.035) for q in p]
        near = np.array([(hit[1] if hit[0] is not None else (0, 0, 0)) for hit in hits])
        f = flow(p, near) * (np.abs(near).sum(1, keepdims=True) > 0)
        f = f - near * np.minimum((f * near).sum(1, keepdims=True), 0)
        combed = unit(f) * comb * (np.linalg.norm(f, axis=1, keepdims=True) > 0.05)
        way = unit(way * stiff + combed + np.array([0, 0, -gravity]) * min(1.8, 0.3 + k / 6))
        p = p + way * step[:, None]
        keep_off = np.minimum(margin, 0.001 + k * step * 0.5)
        for i, q in enumerate(p):
            p[i] = _outside(q, solid, 0.06, keep_off[i])
        way = unit(p - grown[-1])
        grown.append(p.copy())
    return np.stack(grown, 1)


def _outside(point: Array, solid: Surface, within: float, margin: float) -> Array:
    """A point moved along the nearest normal until it is ``margin`` outside."""
    place, normal, *_ = solid.find_nearest(point, within)
    if place is None:
        return point
    n = np.array(normal)
    off = (point - np.array(place)) @ n
    return point + n * (margin - off) if off < margin else point


def off_the_face(guides: Array, head: Head, parting: float, fringe: bool, much: float) -> Array:
    """Guides combed out of the face: what hangs before it moves sideways, squeezed so that its order stays."""
    local = head.local(guides)
    before = smooth(-local[..., 1], 0.045, 0.075) * (1 - smooth(local[..., 2], -0.035 if fringe else -0.01, 0.02))
    before = before * smooth(local[..., 2], -0.26, -0.16) * much
    x = local[..., 0] - parting * 0.3
    aside = np.sign(x) * (np.abs(x) + (0.066 - np.abs(x) * 0.55) * before)
    local[..., 0] = np.where(np.abs(x) < 0.12, aside + parting * 0.3, local[..., 0])
    moved: Array = local @ head.turn.T + head.middle
    return moved


def _tied(rng: Random, style: Style, head: Head, roots: Array, length: Array, solid: Surface) -> Array:
    """Guides that run over the scalp to a tie; after it they fall as a tail or wind up as a bun."""
    n = len(roots)
    c = head.middle
    two = abs(style.tie[0]) > 0.01
    side = np.sign(head.local(roots)[:, 0]) if two else np.ones(n)
    ties = (np.array(style.tie) * np.stack([side, 1 + 0 * side, 1 + 0 * side], 1)) @ head.turn.T + c
    ties = ties + rng.normal(0, 0.006, (n, 3))
    over = _over_the_scalp(rng, roots - c, ties - c, GUIDE_POINTS // 3) + c
    for i in range(n):
        for k in range(1, over.shape[1] - 1):
            over[i, k] = _outside(over[i, k], solid, 0.05, 0.004)
    rest = GUIDE_POINTS - over.shape[1]
    out = unit(ties - c) if two else unit(ties.mean(0) - c)
    if style.bun:
        return np.concatenate([over, _wound_up(rng, style.bun, ties, c, out, rest)], 1)
    way = unit(out + 0.35 * rng.normal(size=(n, 3)) * 0.5 + np.array([0, 0, 0.2]))
    tail = grow(
        ties, way, length, rest + 1, lambda points, near: np.zeros_like(points), solid,
        gravity=0.55, comb=0, stiff=1.5, lift=1.0, margin=0.006 + 0.02 * rng.random(n),
    )  # fmt: skip
    return np.concatenate([over, tail[:, 1:]], 1)


def _over_the_scalp(rng: Random, start: Array, end: Array, points: int) -> Array:
    """Arcs about the origin from one place to another, each bulging a little: (n, points, 3)."""
    t = np.linspace(0, 1, points)[None, :, None]
    from_radius = np.linalg.norm(start, axis=1)[:, None, None]
    to_radius = np.linalg.norm(end, axis=1)[:, None, None]
    a, b = unit(start)[:, None], unit(end)[:, None]
    angle = np.arccos(np.clip((a * b).sum(-1, keepdims=True), -0.98, 1)) + 1e-4
    way = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    bulge = 0.006 * rng.random((len(start), 1, 1)) * np.sin(np.pi * t)
    arcs: Array = way * (from_radius + (to_radius - from_radius) * t + bulge)
    return arcs


def _wound_up(rng: Random, radius: float, ties: Array, middle: Array, out: Array, points: int) -> Array:
    """The ends of guides wound up to a bun: (n, points, 3)."""
    n = len(ties)
    r = radius * rng.uniform(0.4, 1.05, (n, 1, 1))
    axis = unit(out + rng.normal(0, 0.25, (n, 3)))[:, None]
    u = unit(np.cross(axis, [0.3, 0.5, 0.8]))
    w = np.cross(axis, u)
    s = np.linspace(0, 1, points)[None, :, None]
    turn = rng.random((n, 1, 1)) * 6.28 + s * rng.uniform(5, 9, (n, 1, 1)) * rng.choice([-1, 1])
    along = rng.uniform(-0.9, 0.9, (n, 1, 1)) * np.cos(s * 5)
    centre = (ties + unit(ties - middle) * radius * 0.8)[:, None]
    wound: Array = centre + r * (
        (u * np.cos(turn) + w * np.sin(turn)) * np.sqrt(1 - 0.8 * along**2) + axis * along * 0.8
    )
    return wound
