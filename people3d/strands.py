"""From a few guides to all hairs, and out of what is solid.  numpy alone."""

from __future__ import annotations

import itertools

import numpy as np

from people3d.hair_styles import Style
from people3d.maths import Array, Random, Surface, nearest, smooth, unit

_CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
_TIPS_PER_LOCK = 6


def spread(rng: Random, roots: Array, guides: Array, style: Style) -> Array:
    """Hairs between guides: (n, style.points, 3).

    They are blended from the nearest guides, drawn together in locks whose tips meet in a few points, then curl, wave
    and bend.  Most bends are shared by the hairs of a tip: hairs that bend each on its own become an even haze, which
    hair never is.

    Args:
        roots: (n, 3).
        guides: (m, k, 3).
    """
    n = len(roots)
    t = np.linspace(0, 1, style.points)[None, :, None]
    p: Array = _blend(roots, guides, style.points)
    p = roots[:, None] + (p - roots[:, None]) * (1 - 0.15 * rng.random((n, 1, 1)) ** 2)
    locks = max(8, int(n / style.per_clump))
    centres = rng.choice(n, locks, replace=False)
    lock = nearest(roots, roots[centres])
    fly = rng.random(n) < style.fly
    drawn = style.clump * (~fly) * rng.uniform(0.6, 1, n)
    longer = np.exp(rng.normal(0, style.lock_variation, locks))[lock][:, None, None]
    p = roots[:, None] + (p - roots[:, None]) * longer
    p = p + (p[centres][lock] - p) * (drawn[:, None, None] * t**style.clump_shape * (1 - 0.25 * t))
    tip = lock * _TIPS_PER_LOCK + rng.integers(0, _TIPS_PER_LOCK, n)
    leader = np.full(locks * _TIPS_PER_LOCK, -1)
    leader[tip] = np.arange(n)
    meet = style.tips * (~fly) * rng.uniform(0.5, 1, n)
    p = p + (p[leader[tip]] - p) * (meet[:, None, None] * t**1.6)

    along = unit(np.gradient(p, axis=1))
    one = unit(np.cross(along, unit(rng.normal(size=3) + np.array([0.2, 0.1, 2]))))
    other = np.cross(along, one)
    length = np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1)[:, None, None]
    if style.curl:
        phase = (rng.random(locks) * 6.28)[lock] + rng.normal(0, style.curl_mess, n)
        of_lock, of_hair = (1 + 0.25 * rng.normal(size=locks))[lock], 1 + 0.06 * rng.normal(size=n)
        turns = style.curl_frequency * of_lock * of_hair
        radius = style.curl * rng.uniform(0.5, 1.2, n)
        a = phase[:, None, None] + 6.283 * turns[:, None, None] * t * length
        coil = one * np.cos(a) + other * np.sin(a) * style.curl_flat
        p = p + coil * (radius[:, None, None] * smooth(t * length, 0, 0.04))
    for much, waves in ((style.frizz, 9), (style.frizz * 0.5, 31)):
        p = p + _bends(rng, locks * _TIPS_PER_LOCK, tip, waves, t, length, much)
        a = rng.random((n, 1, 3)) * 6.28 + 6.283 * waves * rng.uniform(0.5, 1.5, (n, 1, 3)) * t * length
        own = 0.35 * much * (1 + 6 * fly * rng.random(n)) * rng.gamma(2, 0.5, n)
        p = p + np.sin(a) * (own[:, None, None] * t**0.7)
    if fly.any():
        loose = int(fly.sum())
        away = unit(rng.normal(size=(loose, 1, 3)) + p[fly][:, :1] - p[:, 0].mean(0))
        p[fly] += (away * t**1.5 * length[fly]) * rng.gamma(1.5, 0.035, (loose, 1, 1))
    return p


def _blend(roots: Array, guides: Array, points: int) -> Array:
    """Each hair as a mean of the three guides nearest to its root, in ``points`` points."""
    three = nearest(roots, guides[:, 0], 3)
    x = np.linspace(0, guides.shape[1] - 1, points)
    k = np.minimum(x.astype(int), guides.shape[1] - 2)
    f = (x - k)[None, :, None]
    g = guides[:, k] * (1 - f) + guides[:, k + 1] * f
    offset = g - g[:, :1]
    weight = 1 / (((roots[:, None] - g[three, 0]) ** 2).sum(-1) + 1e-5)
    # Never across a parting, nor between a fringe and the long hair behind it.
    length = np.linalg.norm(np.diff(guides, axis=1), axis=2).sum(1)
    agree = (offset[three, -1] * offset[three[:, :1], -1]).sum(-1) > 0
    agree &= np.abs(np.log(length[three] / length[three[:, :1]])) < 0.6
    weight = weight * agree
    weight /= weight.sum(1, keepdims=True)
    blended: Array = roots[:, None] + sum(offset[three[:, j]] * weight[:, j, None, None] for j in range(3))
    return blended


def _bends(rng: Random, groups: int, group: Array, waves: float, t: Array, length: Array, much: float) -> Array:
    """Irregular bends that all hairs of a group share, more towards the tip."""
    phase = (rng.random((groups, 1, 3)) * 6.28)[group]
    a = phase + 6.283 * waves * rng.uniform(0.6, 1.4, (groups, 1, 3))[group] * t * length
    k = much * rng.gamma(2, 0.5, groups)[group]
    bends: Array = np.sin(a) * (k[:, None, None] * t**0.7)
    return bends


def push_out(hairs: Array, solid: Surface, cell: float = 0.008) -> Array:
    """Hairs that leave what is solid: they slide along the nearest surface instead of passing through.

    The signed distance to the surface is sampled on a grid where hairs run and read between its nodes, since a question
    for each of a million points would take longer than all the drawing.  Roots stay; what is deeper than 4 cm stays,
    for it would come out anywhere.

    Args:
        hairs: (n, k, 3).
        solid: what they must not enter.
        cell: width of the grid, metres.

    Returns:
        (n, k, 3), a new array unless nothing had to move.
    """
    low = hairs.reshape(-1, 3).min(0) - 2 * cell
    shape = ((hairs.reshape(-1, 3).max(0) - low) / cell).astype(int) + 3
    stride = np.array([shape[1] * shape[2], shape[2], 1])
    inside = ((hairs - low) / cell).astype(int) @ stride
    cells = np.unique(inside)
    nodes_of = cells[:, None] + _CORNERS @ stride
    distance, normal = _signed_distance(np.unique(nodes_of.ravel()), low, cell, shape, solid)
    flagged = np.zeros(int(shape.prod()), bool)
    flagged[cells[distance[nodes_of].min(1) < 0.006]] = True
    chosen = flagged[inside]
    chosen[:, 0] = False
    if not chosen.any():
        return hairs
    walked = np.cumsum(np.linalg.norm(np.diff(hairs, axis=1), axis=2), 1)
    walked = np.concatenate([np.zeros((len(hairs), 1)), walked], 1)[chosen]
    keep_off = np.minimum(0.0035, 0.0005 + walked * 0.25)
    p = hairs[chosen].copy()
    for _ in range(2):
        at = (p - low) / cell
        node = np.clip(at.astype(int), 0, shape - 2)
        f = (at - node).astype(np.float32)
        here, way = np.zeros(len(p), np.float32), np.zeros((len(p), 3), np.float32)
        for corner in _CORNERS:
            weight = np.where(corner, f, 1 - f).prod(1)
            number = (node + corner) @ stride
            here += weight * distance[number]
            way += weight[:, None] * normal[number]
        sure = (here > -0.04) & (np.linalg.norm(way, axis=1) > 0.3)
        p = p + unit(way) * (np.clip(keep_off - here, 0, None) * sure)[:, None]
    moved = hairs.copy()
    moved[chosen] = p
    return moved


def _signed_distance(nodes: Array, low: Array, cell: float, shape: Array, solid: Surface) -> tuple[Array, Array]:
    """At each of some nodes of a grid, by number: how far outside the surface it is, and which way is out."""
    distance = np.full(int(shape.prod()), 0.06, np.float32)
    normal = np.zeros((int(shape.prod()), 3), np.float32)
    places = np.stack(np.unravel_index(nodes, tuple(shape)), 1) * cell + low
    for number, place in zip(nodes, places, strict=True):
        at, facing, *_ = solid.find_nearest(place, 0.045)
        if at is None:
            continue
        way = place - np.array(at)
        d = float(np.linalg.norm(way))
        side = 1.0 if way @ np.array(facing) > 0 else -1.0
        distance[number] = side * d
        normal[number] = side * way / max(d, 1e-6) if d > 0.001 else facing
    return distance, normal
