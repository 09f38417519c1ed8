"""The light that surfaces send to the camera: diffuse and shining, from the sky and from lamps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from people3d.light import Light
from people3d.materials import Material
from people3d.maths import Array, Random, ripple, unit

_WHITE_OF_THE_EYE = np.array([0.42, 0.39, 0.37])


def shade(
    rng: Random, material: Material, values: Mapping[str, Array], points: Array, eye: Array, light: Light
) -> Array:
    """Linear RGB (n, 3) of points of a surface.

    Args:
        values: of each point: ``normal``, ``rest``, ``lamps`` (how much of each is seen), ``open`` (to the sky), and
            ``skin`` or ``gaze`` where the material needs them; (n, 3) each.
        points: (n, 3), where they are.
        eye: (3,), where they are seen from.
    """
    view = unit(eye - points)
    normal = unit(values["normal"].astype(float))
    normal = np.where((normal * view).sum(1, keepdims=True) < -0.05, -normal, normal)
    colour, normal, wrap = _surface(rng, material, values, normal)
    return _sky(material, values, colour, normal, view, light) + _lamps(
        material, values, colour, normal, view, points, light, wrap
    )


def _surface(rng: Random, material: Material, values: Mapping[str, Array], normal: Array) -> tuple[Array, Array, Array]:
    """Colour and normal of each point, and how far light wraps round it (it does under the skin)."""
    rest = values["rest"].astype(float)
    colour, wrap = np.tile(material.colour, (len(rest), 1)), np.zeros(3)
    if material.kind == "skin":
        pores, slope = ripple(rng, rest, 400, 14)
        blotches, _ = ripple(rng, rest, 60)
        fine, _ = ripple(rng, rest, 1300, 14)
        tint = (1 + 0.02 * pores + 0.03 * blotches + 0.03 * fine)[:, None] ** [0.8, 1.1, 1.1]
        return values["skin"].astype(float) * tint, unit(normal - 0.05 * slope), np.array([0.35, 0.16, 0.10])
    if material.kind == "cloth":
        return (*_cloth(rng, material, rest, normal), wrap)
    if material.kind == "print":
        u, v = (np.clip((rest[:, list(material.axes)] - material.low) / material.span, 0, 0.9999)).T
        rows, columns = material.picture.shape[:2]
        colour = material.picture[((1 - v) * rows).astype(int).clip(0, rows - 1), (u * columns).astype(int)]
    if material.kind == "eye":
        z = unit(values["gaze"].astype(float))[:, 2:]
        whole = np.ones_like(colour)
        rings = [z > 0.972, z > 0.955, z > 0.87, z > 0.85]
        colours = [
            0 * colour + 0.003,
            material.colour * 0.6 * whole,
            material.colour * whole,
            material.colour * 0.25 * whole,
        ]
        colour = np.select([np.broadcast_to(ring, colour.shape) for ring in rings], colours, _WHITE_OF_THE_EYE * whole)
    return colour, normal, wrap


def _cloth(rng: Random, material: Material, rest: Array, normal: Array) -> tuple[Array, Array]:
    """Pattern, folds and ribs of cloth."""
    q = rest @ material.turn
    colour = np.tile(material.colour, (len(rest), 1))
    second = None
    if material.pattern in ("stripe", "check"):
        second = np.mod(q[:, 2] * material.scale, 1) < material.duty
        if material.pattern == "check":
            second = second ^ (np.mod(q[:, 0] * material.scale, 1) < material.duty)
    if material.pattern == "dots":
        second = ((np.mod(q[:, [0, 2]] * material.scale * 1.3, 1) - 0.5) ** 2).sum(1) < 0.09
    if material.pattern == "noise":
        second = ripple(rng, q, material.scale * 5)[0] > 0.3
    if second is not None:
        colour = np.where(second[:, None], material.second, colour)
    if material.pattern == "photo":
        u, v = (np.mod(q[:, [0, 2]] * material.scale * 0.25, 1) * 255).astype(int).T
        colour = material.picture[v, u]
    _, folds = ripple(rng, rest * [1, 1, 0.5], 28, 8)
    _, wrinkles = ripple(rng, rest, 90, 8)
    weave, threads = ripple(rng, rest, 900, 14)
    rib = np.sin(q[:, 0] * material.ribs)
    colour = colour * (1 + 0.06 * weave + 0.18 * material.bump * rib)[:, None]
    slope = (material.bump * 0.35 * np.cos(q[:, 0] * material.ribs))[:, None] * material.turn[:, 0]
    return colour, unit(normal - 0.22 * folds - 0.10 * wrinkles - 0.10 * threads - slope)


def _sky(
    material: Material, values: Mapping[str, Array], colour: Array, normal: Array, view: Array, light: Light
) -> Array:
    openness = values["open"][:, :1].astype(float)

    def seen(way: Array) -> Array:
        return np.asarray(sum((np.clip(way @ d, 0, 1) ** 2)[:, None] * rgb for d, rgb in light.sky))

    facing = (normal * view).sum(1)
    grazing = np.clip(1 - facing, 0, 1) ** 5 * 0.35 * (1 - material.rough)
    fresnel = material.shine * 0.08 + (1 - material.shine * 0.08) * grazing
    mirrored = 2 * facing[:, None] * normal - view
    shine = fresnel[:, None] * seen(mirrored) * openness * (1 - 0.5 * material.rough)
    return np.asarray(colour * seen(normal) * openness + shine)


def _lamps(
    material: Material,
    values: Mapping[str, Array],
    colour: Array,
    normal: Array,
    view: Array,
    points: Array,
    light: Light,
    wrap: Array,
) -> Array:
    total = np.zeros_like(colour)
    sharp = 2 / max(material.rough, 0.05) ** 2
    for k, lamp in enumerate(light.lamps):
        way = lamp.place - points
        square = (way * way).sum(1, keepdims=True)
        way = way / np.sqrt(square)
        arriving = values["lamps"][:, k : k + 1].astype(float) * lamp.power / square * lamp.colour
        facing = (normal * way).sum(1, keepdims=True)
        half = unit(way + view)
        at_normal = np.clip((normal * half).sum(1, keepdims=True), 0, 1)
        at_view = np.clip((half * view).sum(1, keepdims=True), 0, 1)
        gloss = (sharp + 2) / 8 * at_normal**sharp / 3.14 * (material.shine * 0.08 + 0.03 * (1 - at_view) ** 5)
        diffuse = colour * np.clip((facing + wrap) / (1 + wrap), 0, 1) / 3.14
        total += arriving * (diffuse + np.minimum(gloss, 6) * np.clip(facing, 0, 1))
    return total
