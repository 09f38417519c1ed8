"""What is worn on the body: a suit, shoes, something over it, something round the neck."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from people3d.figure import Figure, Fuzz
from people3d.forms import tube
from people3d.materials import Material, cloth, plain
from people3d.maths import Array, pick, relaxed, unit, vertex_normals


def dress(figure: Figure, *, male: float, shoes: bool) -> None:
    """Clothes from the inside out."""
    rng, rest = figure.rng, figure.rest
    sex = "female" if male < 0.5 else "male"
    suit = str(rng.choice([name for name in figure.body.garments() if name.startswith(sex)]))
    hem = figure.joint_at_rest["spine05"][2] - rng.uniform(-0.05, 0.12)
    collar = figure.joint_at_rest["neck01"][2]
    cuff = figure.joint_at_rest["wrist.L"][0] - 0.05
    over = pick(rng, {"none": 4, "knit": 3, "mohair": 1.5, "furcoat": 1, "vest": 1})
    figure.facts["over"] = over

    def under_pullover(middles: Array) -> Array:
        inside = (middles[:, 2] > hem + 0.03) & (middles[:, 2] < collar - 0.02) & (np.abs(middles[:, 0]) < cuff)
        return np.asarray(inside)

    material = cloth(rng, figure.photos, rng.uniform(0, 0.5))
    points, faces = wear_garment(figure, suit, material, cut=under_pullover if over != "none" else None)
    figure.facts.update(suit=suit, pattern=material.pattern)
    if rng.random() < 0.35:
        figure.fuzz.append(Fuzz(points, faces, 9000, rng.uniform(0.002, 0.005), material.colour))
    if shoes or rng.random() < 0.2:
        wear_garment(figure, f"shoes0{rng.integers(1, 7)}", plain(rng.random(3) * 0.2, 0.4), rounding=0)
    if over != "none":
        tights = figure.body.faces("tights")
        height = rest[tights].mean(1)[:, 2]
        _pull_over(figure, over, tights[(height > hem) & (height < collar)])
    _neck(figure)


def wear_garment(
    figure: Figure,
    name: str,
    material: Material,
    *,
    rounding: int = 1,
    cut: Callable[[Array], Array] | None = None,
) -> tuple[Array, Array]:
    """A garment of the data; ``cut`` says of the middles of its faces which to leave out."""
    at_rest, faces, bone_of, weight = figure.body.garment(name, figure.rest)
    if cut is not None:
        faces = faces[~cut(at_rest[faces].mean(1))]
    points = figure.body.skin(at_rest, figure.pose, bone_of, weight)
    figure.wear(points, faces, material, rest=at_rest, rounding=rounding)
    figure.hidden |= figure.body.hidden_by(name)
    return points, faces


def _pull_over(figure: Figure, over: str, faces: Array) -> None:
    """A loose sheet over the suit: the body's own skin, blown up, relaxed and folded."""
    rng, rest = figure.rng, figure.rest
    inflate, bump = rng.uniform(0.022, 0.036), rng.uniform(0.6, 1)
    on_it = np.unique(faces)
    normals = vertex_normals(rest, faces)
    sheet = rest.copy()
    sheet[on_it] += normals[on_it] * inflate
    sheet = relaxed(sheet, faces, 4)
    wide = 0.006 * np.sin(rest[on_it] @ (rng.normal(size=(3, 1)) * 50))
    fine = 0.003 * np.sin(rest[on_it] @ (rng.normal(size=(3, 1)) * 120))
    sheet[on_it] += normals[on_it] * (wide + fine)
    points = figure.body.skin(sheet, figure.pose)
    material = cloth(rng, figure.photos, bump)
    figure.wear(points, faces, material, rest=rest)
    colour = material.colour
    if over in ("knit", "vest"):
        figure.fuzz.append(Fuzz(points, faces, 26000, rng.uniform(0.004, 0.008), colour))
    if over == "mohair":
        figure.fuzz.append(Fuzz(points, faces, 22000, rng.uniform(0.012, 0.022), colour, frizz=0.004))
    if over == "furcoat":
        length = rng.uniform(0.03, 0.05)
        fur = colour * rng.uniform(0.6, 1.2)
        figure.fuzz.append(Fuzz(points, faces, 34000, length, fur, clump=0.7, frizz=0.003))


def _neck(figure: Figure) -> None:
    """A scarf or a collar of fur."""
    rng = figure.rng
    neck, up = figure.joint("neck01"), figure.up
    kind = pick(rng, {"none": 6.5, "scarf": 1.5, "fur": 1.2})
    figure.facts["neck"] = kind
    if kind == "none":
        return
    scarf = kind == "scarf"
    a = np.linspace(0, 2 * np.pi * (2 if scarf else 1), 60)
    across = unit(np.cross(up, [0, 1, 0.1]))
    ahead = np.cross(up, across)
    radius = rng.uniform(0.085, 0.1) * (1 + 0.08 * np.sin(3 * a))
    round_it = np.cos(a)[:, None] * across * 1.15 + np.sin(a)[:, None] * ahead * (1 if scarf else 1.2)
    path = neck + up * (0.02 + 0.03 * scarf * np.sin(a / 2))[:, None] + radius[:, None] * round_it
    if scarf:
        end = path[-1]
        fall = np.cumsum(np.tile(np.array([0, 0, -0.02]), (14, 1)), 0)
        outwards = unit((end - neck) * [1, 1, 0]) * np.linspace(0.01, 0.07, 14)[:, None]
        path = np.concatenate([path, end + fall + outwards])
    material = cloth(rng, figure.photos, 0.9)
    thick = (0.03 if scarf else 0.028) * (1 + 0.15 * np.sin(np.arange(len(path)) * 1.1))
    points, faces = tube(path, thick, 12, 0.8)
    figure.wear(points, faces, material, rest=points)
    if scarf:
        figure.fuzz.append(Fuzz(points, faces, 14000, rng.uniform(0.004, 0.012), material.colour))
    else:
        length = rng.uniform(0.03, 0.06)
        figure.fuzz.append(Fuzz(points, faces, 26000, length, material.colour, clump=0.75, frizz=0.004))
