"""Things held in both hands, in the axes of the chest or the head: x left, y to the back, z up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from people3d.forms import Form, ball, lathe, moved, slab, stretched, sweep, turned
from people3d.materials import page, paint, plain, printed
from people3d.maths import Array, Random, rotation
from people3d.one_hand import Part, Photo, cup, part


@dataclass(frozen=True)
class WideThing:
    """A thing between two hands.

    Attributes:
        parts: its surfaces.
        half_width: how far from its middle the hands are.
        below: how far below its middle they are.
        furry: parts that get a coat of short hair.
        strings: (n, 2, 3) ends of strings too thin for a surface.
    """

    parts: list[Part]
    half_width: float = 0.1
    below: float = 0.0
    furry: list[Part] = field(default_factory=list)
    strings: Array | None = None


_DOWN = rotation((1, 0, 0), np.pi / 2)  # z to -y: a lathe that points forward


def camera(rng: Random, photo: Photo) -> WideThing:
    """A camera with a lens of some length."""
    dark = plain(rng.choice([0.012, 0.02, 0.05]) * np.ones(3), 0.6, 0.4)
    parts = [part(slab(0.13, 0.05, 0.085), dark), part(moved(slab(0.05, 0.05, 0.03), [0, 0.0, 0.055]), dark)]
    n = rng.uniform(0.05, 0.15)
    barrel = [
        (0.03, 0), (0.036, 0.01), (0.036, n * 0.6), (0.039, n * 0.65), (0.039, n), (0.032, n), (0.025, n * 0.8),
        (0, n * 0.75),
    ]  # fmt: skip

    def forward(profile: list[tuple[float, float]], sides: int) -> Form:
        return moved(turned(lathe(profile, sides), _DOWN), [0, -0.02, 0])

    parts.append(part(forward(barrel, 28), dark))
    glass = forward([(0, n * 0.86), (0.028, n * 0.84)], 24)
    parts.append(part(glass, plain((0.01, 0.01, 0.03), 0.03, 1.0)))
    if rng.random() < 0.5:
        ring = forward([(0.0372, n * 0.3), (0.0372, n * 0.55)], 28)
        parts.append(part(ring, plain((0.02, 0.02, 0.02), 0.9) if rng.random() < 0.6 else paint(rng)))
    return WideThing(parts, 0.075, 0.03)


def open_book(rng: Random, photo: Photo) -> WideThing:
    """A book that is read: covers outside, written pages inside."""
    width, height = rng.uniform(0.11, 0.17), rng.uniform(0.17, 0.25)
    cover_picture = photo() if rng.random() < 0.6 else np.tile(rng.random(3) * 0.5, (4, 4, 1))
    parts = []
    for side in (-1, 1):
        fold = rotation((0, 0, 1), -side * rng.uniform(0.12, 0.4))
        cover = slab(width, 0.004, height)
        pages = slab(width * 0.96, 0.016, height * 0.96)
        at = [side * width / 2, 0, 0]
        parts.append(part(turned(moved(cover, at), fold), printed(cover_picture, cover[0])))
        paper = printed(page(rng), pages[0], rough=0.9)
        parts.append(part(moved(turned(moved(pages, at), fold), [0, 0.01, 0]), paper))
    return WideThing(parts, width * 0.9, height * 0.3)


def paper(rng: Random, photo: Photo) -> WideThing:
    """A sheet of paper, written or printed, a little bent."""
    width, height = (0.21, 0.297) if rng.random() < 0.6 else (0.297, 0.21)
    k = rng.uniform(0.8, 1.5)
    points, faces = slab(width * k, 0.001, height * k, 9, bend=rng.uniform(-0.15, 0.15))
    points[:, 1] += 0.02 * np.sin(points[:, 2] * rng.uniform(5, 20))
    picture = page(rng) if rng.random() < 0.6 else photo()
    return WideThing([(points, faces, printed(picture, points, rough=0.9))], width * k / 2, height * k * 0.2)


def sign(rng: Random, photo: Photo) -> WideThing:
    """A board with writing or a picture."""
    width, height = rng.uniform(0.3, 0.6), rng.uniform(0.22, 0.4)
    points, faces = slab(width, 0.006, height, 7)
    picture = page(rng) if rng.random() < 0.5 else photo()
    return WideThing([(points, faces, printed(picture, points, rough=0.9))], width / 2, height * 0.2)


def laptop(rng: Random, photo: Photo) -> WideThing:
    """An open laptop on the hands, its screen towards the person."""
    case = plain(rng.choice([0.02, 0.4, 0.55]) * np.ones(3), 0.35, 0.8)
    width = rng.uniform(0.28, 0.36)
    depth = width * 0.68
    lean = rotation((1, 0, 0), rng.uniform(0.1, 0.5))

    def opened(form: Form, back: float) -> Form:
        return moved(turned(moved(form, [0, back, depth / 2]), lean), [0, -depth / 2, 0])

    screen = slab(width * 0.94, 0.003, depth * 0.9)
    keys = moved(slab(width * 0.85, depth * 0.4, 0.004), [0, -0.03, 0.009])
    parts = [
        part(slab(width, depth, 0.014), case),
        part(opened(slab(width, 0.008, depth), 0), case),
        part(opened(screen, 0.005), printed(photo(), screen[0], rough=0.2)),
        part(keys, plain((0.03, 0.03, 0.03), 0.7)),
    ]
    return WideThing(parts, width * 0.42, 0.0)


def tablet(rng: Random, photo: Photo) -> WideThing:
    """A tablet, its screen towards the person."""
    width, height = (0.17, 0.25) if rng.random() < 0.6 else (0.25, 0.17)
    screen = slab(width * 0.92, 0.003, height * 0.92)
    case = part(slab(width, 0.008, height), paint(rng, 0.2))
    front = part(moved(screen, [0, 0.004, 0]), printed(photo(), screen[0], rough=0.08))
    return WideThing([case, front], width / 2, height * 0.15)


def parcel(rng: Random, photo: Photo) -> WideThing:
    """A box: cardboard with tape, printed or painted."""
    width, depth, height = rng.uniform(0.22, 0.5), rng.uniform(0.2, 0.36), rng.uniform(0.12, 0.4)
    box = slab(width, depth, height, 7)
    kind = rng.random()
    card = plain(np.array([0.42, 0.27, 0.14]) * rng.uniform(0.7, 1.3), 0.85)
    printed_box = 0.5 <= kind < 0.75
    material = card if kind < 0.5 else printed(photo(), box[0], rough=0.7) if printed_box else paint(rng, 0.5)
    parts = [part(box, material)]
    if kind < 0.5 or rng.random() < 0.3:
        tape = slab(0.05, depth * 1.005, height * 1.005)
        parts.append(part(tape, plain((0.5, 0.38, 0.2), 0.3) if kind < 0.5 else paint(rng, 0.3)))
    return WideThing(parts, width / 2, -height * 0.25)


def tray(rng: Random, photo: Photo) -> WideThing:
    """A tray with cups."""
    material = paint(rng, 0.4)
    profile = [(0, 0), (0.15, 0), (0.165, 0.015), (0.167, 0.015), (0.152, -0.006), (0, -0.006)]
    parts = [part(stretched(lathe(profile, 36), [1.3, 1, 1]), material)]
    for _ in range(int(rng.integers(1, 5))):
        on_it = cup(rng, photo).parts
        at = np.array([rng.uniform(-0.13, 0.13), rng.uniform(-0.09, 0.09), 0.05])
        parts += [(points + at, faces, of) for points, faces, of in on_it]
    return WideThing(parts, 0.2, 0)


def plush(rng: Random, photo: Photo) -> WideThing:
    """A teddy bear."""
    coat = paint(rng, 1.0, 0.1, 0.7)
    s = rng.uniform(0.8, 1.4)

    def lump(r: float, at: tuple[float, ...], squash: tuple[float, ...] = (1, 1, 1)) -> Part:
        return part(moved(ball(r * s, 10, 16, squash), np.array(at) * s), coat)

    furry = [lump(0.085, (0, 0, 0), (1, 0.85, 1.15)), lump(0.07, (0, -0.01, 0.14))]
    furry += [lump(0.025, (x * 0.055, 0, 0.2)) for x in (-1, 1)]
    furry += [lump(0.032, (x * 0.085, -0.02, 0.04), (1.6, 1, 1)) for x in (-1, 1)]
    furry += [lump(0.036, (x * 0.05, -0.05, -0.09), (1, 1.5, 1)) for x in (-1, 1)]
    eye = plain((0.01, 0.01, 0.01), 0.1)
    hard = [part(moved(ball(0.008 * s, 6, 8), np.array([x * 0.028, -0.073, 0.155]) * s), eye) for x in (-1, 1)]
    nose = moved(ball(0.012 * s, 6, 8), np.array([0, -0.082, 0.13]) * s)
    hard.append(part(nose, plain((0.02, 0.01, 0.01), 0.3)))
    return WideThing(hard, 0.1 * s, 0.0, furry)


def guitar(rng: Random, photo: Photo) -> WideThing:
    """Body, neck and head along x, the front towards -y."""
    wooden = rng.random() < 0.7
    wood = plain((rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.2), 0.04), 0.2, 0.6) if wooden else paint(rng, 0.12, 0.8)
    dark = plain((0.03, 0.02, 0.015), 0.5)
    a = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    r = 0.155 + 0.028 * np.cos(2 * a) - 0.035 * np.cos(a) + 0 * a
    outline = np.stack([r * np.cos(a) * 1.25, 0 * a, r * np.sin(a) * 0.95], 1)
    rings = [
        outline * [0.0, 1, 0.0] + [0, -0.042, 0], outline * 0.97 + [0, -0.042, 0], outline + [0, -0.036, 0],
        outline + [0, 0.036, 0], outline * 0.97 + [0, 0.042, 0], outline * 0 + [0, 0.042, 0],
    ]  # fmt: skip
    hole = moved(turned(lathe([(0, 0), (0.045, 0)], 24), _DOWN), [-0.01, -0.0435, 0])
    head = moved(turned(slab(0.15, 0.016, 0.065), rotation((0, 0, 1), 0.15)), [-0.66, -0.04, 0])
    parts = [
        (np.concatenate(rings), sweep(6, 64), wood),
        part(moved(slab(0.46, 0.02, 0.045, 6), [-0.37, -0.045, 0]), dark),
        part(head, wood),
        part(hole, plain((0.005, 0.005, 0.005), 0.9)),
        part(moved(slab(0.02, 0.01, 0.12), [0.1, -0.046, 0]), dark),
    ]
    for k in range(3):
        for side in (-1, 1):
            peg = moved(ball(0.01, 6, 8), [-0.62 - 0.04 * k, -0.04, side * 0.042])
            parts.append(part(peg, plain((0.6, 0.6, 0.55), 0.2, 1.5)))
    z = np.linspace(-0.016, 0.016, 6)
    bridge, nut = np.stack([0 * z + 0.1, 0 * z - 0.053, z], 1), np.stack([0 * z - 0.6, 0 * z - 0.058, z * 0.9], 1)
    return WideThing(parts, strings=np.stack([bridge, nut], 1))


THINGS: dict[str, Callable[[Random, Photo], WideThing]] = {
    "camera_eye": camera,
    "camera_chest": camera,
    "open_book": open_book,
    "paper": paper,
    "sign": sign,
    "laptop": laptop,
    "tablet": tablet,
    "parcel": parcel,
    "tray": tray,
    "plush": plush,
}
