"""Things held in one hand, in its axes: x out of the palm, y along the fingers, z to the thumb's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from people3d.forms import Form, arc, ball, lathe, moved, pillow, ribbon, slab, stretched, sweep, tube, turned
from people3d.materials import Material, paint, plain, printed
from people3d.maths import Array, Random, rotation, unit

Part = tuple[Array, Array, Material]
Photo = Callable[[], Array]


@dataclass(frozen=True)
class Thing:
    """A thing to hold.

    Attributes:
        parts: its surfaces.
        grip: where its origin lies from the middle of the palm, in the axes of the hand.
        strings: (n, 2, 3) ends of strings too thin for a surface.
        string_colour: their colour.
    """

    parts: list[Part]
    grip: tuple[float, float, float] = (0.0, 0.0, 0.0)
    strings: Array | None = None
    string_colour: tuple[float, ...] = (0.5, 0.5, 0.5)


def part(form: Form, material: Material) -> Part:
    """A form made of something."""
    return form[0], form[1], material


def cup(rng: Random, photo: Photo) -> Thing:
    """A cup, mostly with a handle."""
    material = paint(rng, 0.2)
    r, h = rng.uniform(0.032, 0.042), rng.uniform(0.04, 0.055)
    profile = [(0, -h), (r * 0.85, -h), (r, 0), (r * 1.05, h), (r, h), (r * 0.92, -h * 0.7), (0, -h * 0.75)]
    parts = [part(lathe(profile), material)]
    if rng.random() < 0.6:
        handle = arc(0.024, -1.5, 1.5)[:, [1, 0, 2]] * [0, 1, 1] + [0, r * 0.95, 0]
        parts.append(part(tube(handle, 0.004, 8), material))
    return Thing(parts, (r + 0.004, 0.012, 0))


def paper_cup(rng: Random, photo: Photo) -> Thing:
    """A paper cup with sleeve and lid."""
    sleeve = paint(rng, 0.6)
    lid = plain(rng.choice([0.02, 0.75]) * np.ones(3), 0.4)
    wall = lathe([(0, -0.06), (0.027, -0.06), (0.038, 0.055), (0.037, 0.055)])
    return Thing(
        [
            part(wall, plain((0.7, 0.68, 0.64), 0.7)),
            part(lathe([(0.033, -0.025), (0.0375, 0.03)]), sleeve),
            part(lathe([(0.041, 0.05), (0.041, 0.06), (0.034, 0.066), (0, 0.066)]), lid),
        ],
        (0.036, 0.012, 0),
    )


def bottle(rng: Random, photo: Photo) -> Thing:
    """A bottle with label and cap."""
    glass = paint(rng, 0.12, 0.8)
    r = rng.uniform(0.026, 0.036)
    profile = [(0, -0.1), (r, -0.1), (r, 0.04), (0.6 * r, 0.07), (0.012, 0.085), (0.012, 0.12), (0, 0.12)]
    label, cap = paint(rng, 0.6), paint(rng)
    return Thing(
        [
            part(lathe(profile), glass),
            part(lathe([(r * 1.01, -0.06), (r * 1.01, 0.02)]), label),
            part(lathe([(0.014, 0.11), (0.014, 0.13), (0, 0.131)]), cap),
        ],
        (r + 0.004, 0.012, 0),
    )


def mic(rng: Random, photo: Photo) -> Thing:
    """A microphone, at times with a head of foam."""
    dark = plain((0.015, 0.015, 0.015), 0.35, 0.6)
    metal = rng.random() < 0.7
    head = plain(rng.choice([0.02, 0.12, 0.3]) * np.ones(3), 0.4, 1.5) if metal else paint(rng, 0.95)
    grille = [(0.016, 0.06), (0.026, 0.072), (0.029, 0.095), (0.02, 0.12), (0, 0.128)]
    return Thing(
        [part(lathe([(0, -0.13), (0.012, -0.13), (0.016, 0.06)]), dark), part(lathe(grille), head)], (0.02, 0.012, 0)
    )


def phone(rng: Random, photo: Photo) -> Thing:
    """A telephone with a picture on its screen."""
    case = paint(rng, 0.15) if rng.random() < 0.5 else plain((0.01, 0.01, 0.012), 0.12)
    screen = slab(0.004, 0.067, 0.14)
    return Thing(
        [part(slab(0.009, 0.073, 0.15), case), part(screen, printed(photo(), screen[0], (1, 2), 0.1))],
        (0.014, 0.025, 0.015),
    )


def book(rng: Random, photo: Photo) -> Thing:
    """A closed book."""
    cover = slab(rng.uniform(0.015, 0.04), 0.15, 0.22)
    pages = part(slab(0.012, 0.146, 0.214), plain((0.7, 0.68, 0.6), 0.8))
    return Thing([part(cover, printed(photo(), cover[0], (1, 2))), pages], (0.026, 0.06, 0.03))


def flowers(rng: Random, photo: Photo) -> Thing:
    """A bunch of flowers in paper."""
    wrap = paint(rng, 0.6) if rng.random() < 0.7 else plain((0.45, 0.33, 0.2), 0.8)
    paper = lathe([(0.012, -0.11), (0.016, 0), (0.07, 0.17), (0.068, 0.17), (0.0, 0.1)], 20)
    parts = [part(paper, wrap)]
    colours = rng.random((3, 3)) ** 0.8
    for _ in range(int(rng.integers(9, 22))):
        parts += _blossom(rng, colours)
    for _ in range(int(rng.integers(4, 14))):
        up = unit(np.array([*rng.normal(0, 0.55, 2), 1.0]))
        across = unit(np.cross(up, rng.normal(size=3)))
        t = np.linspace(0, 1, 7)[:, None]
        path = up * (0.06 + rng.uniform(0.18, 0.32) * t) + np.array([0, 0, -0.05]) * t**2
        width = rng.uniform(0.008, 0.018) * np.sin(np.pi * t**0.8) + 0.001
        green = plain((rng.uniform(0.03, 0.12), rng.uniform(0.12, 0.3), 0.04), 0.6)
        parts.append(part(ribbon(path, across, width), green))
    return Thing(parts, (0.022, 0.012, 0))


def _blossom(rng: Random, colours: Array) -> list[Part]:
    up = unit(np.array([*rng.normal(0, 0.4, 2), 1.0]))
    centre = up * rng.uniform(0.18, 0.25)
    r = rng.uniform(0.014, 0.03)
    petals = int(rng.integers(5, 9))
    colour = plain(np.clip(colours[rng.integers(3)] + rng.normal(0, 0.04, 3), 0.02, 0.9), 0.7)
    basis = np.linalg.qr(np.stack([up, unit(np.cross(up, [0.3, 0.5, 0.2])), [0.1, 0.9, 0.3]], 1))[0]
    parts = []
    for k in range(petals):
        a = k * 6.283 / petals
        out = basis[:, 1] * np.cos(a) + basis[:, 2] * np.sin(a)
        axes = np.stack([unit(out + 0.5 * up), np.cross(up, out), up], 1)
        petal = moved(turned(ball(r, 6, 8, (1, 0.55, 0.25)), axes), centre + out * r * 0.75)
        parts.append(part(petal, colour))
    parts.append(part(moved(ball(r * 0.4, 5, 8), centre + up * 0.006), plain((0.6, 0.4, 0.05), 0.8)))
    stem = np.stack([np.array([0, 0, 0.02]), centre * 0.6, centre])
    parts.append(part(tube(stem, 0.0022, 5), plain((0.05, 0.16, 0.03), 0.6)))
    return parts


def umbrella(rng: Random, photo: Photo) -> Thing:
    """An open umbrella; its shaft is z."""
    r = rng.uniform(0.38, 0.52)
    cloth = paint(rng, 0.7)
    ribs, height = 8, 0.55
    shaft = tube(np.array([[0, 0, -0.1], [0, 0, height]]), 0.006, 8)
    crook = tube(arc(0.03, 0, -3.1) + [-0.03, 0, -0.1], 0.008, 8)
    parts = [part(shaft, plain((0.2, 0.2, 0.2), 0.3, 1.5)), part(crook, plain((0.15, 0.06, 0.02), 0.4))]
    a = np.linspace(0, 2 * np.pi, 8 * ribs, endpoint=False)
    sag = 1 - 0.09 * np.abs(np.sin(a * ribs / 2))  # between two ribs the cloth hangs inwards
    rings = []
    for t in np.linspace(0.02, 1, 10):
        reach = r * np.sin(t * 1.15) / np.sin(1.15) * (sag * t + 1 - t)
        z = height + 0.0 - r * 0.62 * (1 - np.cos(t * 1.15)) + 0 * a - 0.02 * t * (1 - sag) * 4
        rings.append(np.stack([reach * np.cos(a), reach * np.sin(a), z], 1))
    parts.append((np.concatenate(rings), sweep(len(rings), len(a)), cloth))
    tip = tube(np.array([[0, 0, height - 0.01], [0, 0, height + 0.05]]), 0.005, 6)
    parts.append(part(tip, plain((0.02, 0.02, 0.02), 0.4)))
    for j in range(ribs):
        rib = np.stack([ring[j * 8] for ring in rings]) - [0, 0, 0.004]
        parts.append(part(tube(rib, 0.002, 5), plain((0.15, 0.15, 0.15), 0.3, 1.0)))
    return Thing(parts, (0.014, 0.012, 0))


def racket(rng: Random, photo: Photo) -> Thing:
    """A racket, strung."""
    frame = paint(rng, 0.25)
    a = np.linspace(0, 2 * np.pi, 40)
    wide, high = rng.uniform(0.1, 0.13), rng.uniform(0.13, 0.17)
    centre = 0.36 + high * 0.2
    ring = np.stack([0 * a, wide * np.cos(a), centre + high * np.sin(a)], 1)
    parts = [
        part(tube(ring, 0.006, 8, 1.4), frame),
        part(tube([[0, 0, -0.1], [0, 0, 0.08]], 0.016, 10), plain((0.03, 0.03, 0.03), 0.9)),
        part(tube([[0, 0, 0.08], [0, 0, 0.2]], 0.009, 8), frame),
    ]
    for side in (-1, 1):
        fork = [[0, 0, 0.19], [0, side * wide * 0.55, centre - high * 0.83]]
        parts.append(part(tube(fork, 0.006, 8), frame))
    strings = []
    for q in np.linspace(-0.9, 0.9, 16):
        h = np.sqrt(1 - q * q)
        strings.append([[0, q * wide, centre - h * high], [0, q * wide, centre + h * high]])
        strings.append([[0, -h * wide, centre + q * high], [0, h * wide, centre + q * high]])
    colour = float(rng.choice([0.05, 0.7]))
    return Thing(parts, (0.018, 0.012, 0), np.array(strings), (colour,) * 3)


def rod(rng: Random, photo: Photo) -> Thing:
    """A stick, a cane, the handle of a broom."""
    material = paint(rng, 0.5) if rng.random() < 0.5 else plain((0.3, 0.17, 0.08), 0.6)
    low, high = -rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.5)
    stick = tube([(0, 0, low), (0, 0, 0), (0, 0, high)], rng.uniform(0.006, 0.016), 10)
    return Thing([part(stick, material)], (0.016, 0.012, 0))


def brush(rng: Random, photo: Photo) -> Thing:
    """A brush for paint or make-up."""
    handle = part(tube([[0, 0, -0.04], [0, 0, 0.1]], 0.007, 8), paint(rng))
    tip = lathe([(0.012, 0.1), (0.014, 0.13), (0.006, 0.15), (0, 0.152)], 12)
    return Thing([handle, part(tip, plain(rng.random(3) * 0.4, 0.9))], (0.012, 0.03, 0.01))


def snack(rng: Random, photo: Photo) -> Thing:
    """A fruit, an ice cream or a burger."""
    kind = rng.integers(3)
    r = rng.uniform(0.032, 0.045)
    if kind == 0:
        colours = [(0.5, 0.03, 0.02), (0.3, 0.45, 0.05), (0.75, 0.35, 0.03)]
        return Thing([part(ball(r, 12, 20, (1, 1, 0.9)), plain(colours[rng.integers(3)], 0.25))], (r, 0.02, 0.01))
    if kind == 1:
        cone = lathe([(0, -0.07), (0.006, -0.07), (0.028, 0.03), (0.032, 0.035)])
        parts = [part(cone, plain((0.5, 0.3, 0.12), 0.8))]
        for i in range(int(rng.integers(1, 3))):
            scoop = moved(ball(0.034 - 0.004 * i), [0, 0, 0.05 + 0.03 * i])
            parts.append(part(scoop, plain(rng.random(3) * 0.5 + 0.35, 0.5)))
        return Thing(parts, (0.026, 0.012, 0.01))
    bread = plain((0.5, 0.28, 0.1), 0.5)
    lower = plain((0.5, 0.28, 0.1), 0.6)
    return Thing(
        [
            part(ball(0.05, 8, 20, (1, 1, 0.5)), bread),
            part(moved(ball(0.053, 6, 20, (1, 1, 0.18)), [0, 0, -0.022]), plain((0.1, 0.3, 0.05), 0.6)),
            part(moved(ball(0.05, 6, 20, (1, 1, 0.35)), [0, 0, -0.04]), lower),
        ],
        (0.05, 0.02, 0),
    )


def hat(rng: Random, felt: Material) -> list[Part]:
    """A hat with a brim, opening downwards."""
    brim = rng.uniform(-0.01, 0.02)
    profile = [
        (0.0, 0.1), (0.05, 0.105), (0.075, 0.08), (0.085, 0), (0.09, -0.005),
        (0.15, -0.012 + brim), (0.15, -0.015), (0.085, -0.008),
    ]  # fmt: skip
    band = lathe([(0.0865, 0.0), (0.083, 0.025)], 32)
    return [part(lathe(profile, 32), felt), part(band, plain(rng.random(3) * 0.2, 0.7))]


_LONG = (1, 1.18, 1)  # a head is longer than wide


def helmet(rng: Random) -> list[Part]:
    """A helmet for a motorbike, a building or a bicycle, opening downwards, its centre in the middle of the shell."""
    shell_paint = paint(rng, 0.12, 0.9, 0.9)
    kind = rng.integers(3)
    profile = [(0, 0.145), (0.06, 0.135), (0.1, 0.105), (0.125, 0.05), (0.13, -0.02), (0.122, -0.08)]
    points, faces = stretched(lathe(profile, 36), _LONG)
    if kind == 0:
        lining = stretched(lathe([(0.11, -0.08), (0.115, 0), (0.09, 0.09), (0, 0.12)], 36), _LONG)
        glass = part(stretched(_visor(), _LONG), plain((0.01, 0.01, 0.013), 0.05, 0.9))
        return [(points, faces, shell_paint), part(lining, plain((0.02, 0.02, 0.02), 0.9)), glass]
    open_shell = (points, faces[: 36 * 4], shell_paint)
    if kind == 1:
        brim = stretched(lathe([(0.125, -0.02), (0.165, -0.03), (0.165, -0.034), (0.12, -0.03)], 36), _LONG)
        ridges = [
            tube(np.array([[x, -0.11, 0.075], [x * 0.8, -0.02, 0.148], [x, 0.1, 0.09]]), 0.008, 6)
            for x in (-0.025, 0.025)
        ]
        return [open_shell, part(brim, shell_paint), *(part(ridge, shell_paint) for ridge in ridges)]
    parts = [open_shell]
    q = np.linspace(-1, 1, 9)
    for x in (-0.06, 0, 0.06):
        z = 0.152 * np.sqrt(1 - 0.7 * q**2) * np.sqrt(max(0.1, 1 - (x / 0.14) ** 2))
        pad = tube(np.stack([x + 0 * q, 0.13 * q, z], 1), 0.012, 8, 0.6)
        parts.append(part(pad, paint(rng)))
    return parts


def _visor() -> Form:
    a = np.linspace(np.pi * 1.15, np.pi * 1.85, 16)
    heights = ((0.122, 0.07), (0.134, 0.03), (0.135, -0.03))
    rows = [np.stack([r * np.cos(a), r * np.sin(a), z + 0 * a], 1) for r, z in heights]
    n = len(a)
    i, j = np.arange(2)[:, None] * n, np.arange(n - 1)
    return np.concatenate(rows), np.stack([i + j, i + j + 1, i + n + j + 1, i + n + j], -1).reshape(-1, 4)


def tote(rng: Random, photo: Photo, cloth: Material) -> Thing:
    """A bag that hangs from the hand: z is up, the origin where the handles meet."""
    width, height, depth = rng.uniform(0.25, 0.38), rng.uniform(0.25, 0.4), rng.uniform(0.06, 0.14)
    points, faces = pillow(depth, width, height, 7.0)
    points[:, 2] -= height / 2 + 0.17
    material = cloth if rng.random() < 0.5 else printed(photo(), points, (1, 2))
    a = np.linspace(0, np.pi, 14)
    parts = [(points, faces, material)]
    for side in (-1, 1):
        x = side * depth * 0.4 * np.cos(a / 2 + 0) * (1 - np.sin(a)) + 0 * a
        handle = np.stack([x, 0.08 * np.cos(a), -0.18 + 0.18 * np.sin(a)], 1)
        parts.append(part(tube(handle, 0.006, 8, 1.6), material))
    return Thing(parts)


def skateboard(rng: Random, photo: Photo) -> list[Part]:
    """A board with four wheels, upright."""
    points, faces = slab(0.2, 0.012, 0.75, 9)
    points[:, 1] += np.clip(np.abs(points[:, 2]) - 0.26, 0, 1) * 0.35
    parts = [(points, faces, printed(photo(), points))]
    for x in (-0.07, 0.07):
        for z in (-0.22, 0.22):
            wheel = lathe([(0, -0.018), (0.027, -0.018), (0.027, 0.018), (0, 0.018)], 16)
            wheel = moved(turned(wheel, rotation((0, 1, 0), np.pi / 2)), [x, -0.05, z])
            parts.append(part(wheel, paint(rng)))
    return parts


# What it is -> how it is made, and how often it is held where.
THINGS: dict[str, tuple[Callable[[Random, Photo], Thing], dict[str, float]]] = {
    "cup": (cup, {"chest": 5, "mouth": 3, "low": 1}),
    "paper_cup": (paper_cup, {"chest": 5, "mouth": 2, "low": 1}),
    "bottle": (bottle, {"chest": 3, "mouth": 2, "low": 2, "up": 0.5}),
    "mic": (mic, {"mouth": 6, "chest": 2, "low": 1}),
    "phone": (phone, {"ear": 4, "chest": 3, "up": 3, "low": 1}),
    "book": (book, {"chest": 3, "low": 2}),
    "flowers": (flowers, {"chest": 6, "mouth": 1, "up": 0.5, "low": 1}),
    "umbrella": (umbrella, {"shoulder": 1}),
    "racket": (racket, {"low": 2, "up": 2, "chest": 2}),
    "rod": (rod, {"low": 3, "up": 1, "chest": 3}),
    "brush": (brush, {"mouth": 2, "chest": 1, "up": 1}),
    "snack": (snack, {"mouth": 3, "chest": 2}),
}
