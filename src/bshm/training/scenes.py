"""Make training pictures from a seed: crops of real pictures, and people composited over new backgrounds.

One function of a random generator makes one sample, so that sample ``n`` of a run is the same after a restart.
What each augmentation is for stands beside it: a network fails on what it never saw (docs/training.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm.training.data import Labelled

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Random = np.random.Generator


@dataclass(frozen=True)
class Cutout:
    """A person to composite.

    Attributes:
        foreground: (H, W, 3) uint8, straight RGB.
        alpha: (H, W) uint8.
        flush: the subject is cut by its bottom edge, so that edge must lie on or below the frame's.
        fine: the alpha is true; otherwise it is a smoothed mask.
    """

    foreground: Bytes
    alpha: Bytes
    flush: bool
    fine: bool
    white_shirt: bool = False


@dataclass(frozen=True)
class Scene:
    """One training sample.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        alpha: (H, W) uint8: true alpha of a fine scene, the mask of a coarse one.
        foreground: (H, W, 3) uint8, straight colour; None where it is not known.
        fine: whether ``alpha`` is true.
        background: (H, W, 3) uint8; None where it is not known.
        belief: (H, W) uint8, how far each pixel of a coarse mask is believed; None where the mask alone says it.
    """

    image: Bytes
    alpha: Bytes
    fine: bool
    foreground: Bytes | None = None
    background: Bytes | None = None
    belief: Bytes | None = None


def cutout_of(item: Labelled, *, flush: bool, white_shirt: bool = False) -> Cutout:
    """The person of a labelled picture as something to composite."""
    alpha = item.mask
    if item.kind != "fine":
        # A mask drawn over superpixels includes a rim of the old background: shrink it, then soften its steps.
        alpha = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (0, 0), 0.9).astype(np.uint8)
    foreground = item.image
    if item.kind != "fine":
        ys, xs = np.nonzero(alpha > 8)
        if len(ys):
            box = np.s_[max(0, ys.min() - 2) : ys.max() + 3, max(0, xs.min() - 2) : xs.max() + 3]
            foreground, alpha = foreground[box], alpha[box]
    return Cutout(
        np.ascontiguousarray(foreground), np.ascontiguousarray(alpha), flush, item.kind == "fine", white_shirt
    )


def is_sure_portrait(item: Labelled) -> bool:
    """Whether it is a portrait that a teacher was sure of: an unsure mask would paste its background along."""
    return item.name.startswith("portraits") and _certain(item.mask) > 0.97


def is_sure_person(item: Labelled) -> bool:
    """Whether the people of a picture may be cut out: sure, whole but for the lower edge, and large enough."""
    inside = item.mask > 127
    cut_beside = inside[:, [0, -1]].mean() > 0.02 or inside[0].mean() > 0.02
    return not cut_beside and 0.04 < inside.mean() < 0.8 and _certain(item.mask) > 0.97


def cut_below(mask: Bytes) -> bool:
    """Whether whoever it shows goes on below the picture."""
    return bool(mask[-2:].max() > 127)


def _certain(mask: Bytes) -> float:
    """The share of pixels that a teacher was sure of."""
    return float((np.abs(mask.astype(np.float32) / 127.5 - 1) > 0.6).mean())


@dataclass(frozen=True)
class Rare:
    """How often a composite has what photographs have now and then.

    Attributes:
        close: a bust from so near that the frame holds little but the face.  Without such pictures a network that sees
            more pixels of a picture takes a face for several things and loses its middle.
        headless: a body from the chin down.
        bars: a railing, blinds, a fence behind.
        lit_apart: people before a window, or on a dark stage.
        dark_clothes: a bust in black cloth, whatever it wore.
        near: somebody at the side of the frame, nearer to the camera than all others, cut by the frame and out of
            focus: a listener's shoulder, the back of a head.
        held: a sheet, a box or something round before a body and beyond its outline: it belongs to the person.
        things: the same behind the people: it does not.
    """

    close: float = 0.0
    headless: float = 0.0
    bars: float = 0.0
    lit_apart: float = 0.0
    dark_clothes: float = 0.0
    near: float = 0.0
    held: float = 0.0
    things: float = 0.0


# What training sees.  Bodies behind bars, in black, without heads or cut by the frame before all others were lost on
# photographs, whole or in parts; held papers and helmets were lost or kept at random.
TRAINED_RARE = Rare(
    close=0.3, headless=0.05, bars=0.1, lit_apart=0.15, dark_clothes=0.25, near=0.12, held=0.2, things=0.15
)


def warp(image: Bytes, matrix: npt.NDArray[np.float64], size_hw: tuple[int, int], border: int) -> Bytes:
    """``cv2.warpAffine`` that first shrinks by area where the matrix shrinks: no aliased hair."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:
        height, width = image.shape[:2]
        small = (max(2, round(width * scale)), max(2, round(height * scale)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        # Half-pixel centres: x_old + 0.5 = (x_new + 0.5) * ratio.
        ratio = np.array([width / small[0], height / small[1]])
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (0.5 * ratio - 0.5)
        matrix[:, :2] = matrix[:, :2] * ratio
    return cv2.warpAffine(image, matrix, size_hw[::-1], flags=cv2.INTER_LINEAR, borderMode=border).astype(
        np.uint8, copy=False
    )


def placement(
    anchor_xy: tuple[float, float],
    target_xy: tuple[float, float],
    *,
    scale: float,
    degrees: float,
    mirrored: bool,
) -> npt.NDArray[np.float64]:
    """The 2x3 matrix that scales and turns about ``anchor_xy`` of the source and puts it on ``target_xy``."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        turn = turn @ np.array([[-1.0, 0.0], [0.0, 1.0]])
    shift = np.asarray(target_xy) - turn @ np.asarray(anchor_xy)
    return np.hstack([turn, shift[:, None]])


def real_scene(item: Labelled, size_hw: tuple[int, int], rng: Random) -> Scene:
    """A crop of a real picture with its mask, at any scale, sometimes turned."""
    height, width = item.image.shape[:2]
    out_h, out_w = size_hw
    cover = max(out_h / height, out_w / width)
    ys, xs = np.nonzero(item.mask > 127)
    zoom = float(np.exp(rng.uniform(-0.25, 0.9))) if rng.random() < 0.7 else 1.0
    if rng.random() < 0.15:
        zoom *= 1.6  # a face, a chest, a part of a person
    if rng.random() < 0.12:
        zoom *= 0.7  # a small person: the frame is mirrored outwards
    scale = cover * zoom
    if len(ys) and rng.random() < 0.85:
        # Aim at the person, its upper half more often than its feet: busts and half-bodies out of full bodies.
        pick = int(rng.integers(len(ys)) * rng.choice([0.35, 1.0]))
        centre = (float(xs[pick]), float(ys[pick]))
    else:
        centre = (rng.uniform(0, width), rng.uniform(0, height))
    if len(ys) and rng.random() < TRAINED_RARE.headless:
        centre, scale = _headless_view(xs, ys, size_hw, rng)
    elif zoom < 1.15:
        centre = (width / 2 + rng.normal(0, width * 0.05), height / 2 + rng.normal(0, height * 0.05))
    degrees = _any_angle(rng)
    # Keep the view inside the picture where it fits: mirrored borders show doubled people.
    half_w, half_h = out_w / scale / 2, out_h / scale / 2
    centre = (_inside(centre[0], half_w, width), _inside(centre[1], half_h, height))
    matrix = placement(centre, (out_w / 2, out_h / 2), scale=scale, degrees=degrees, mirrored=bool(rng.random() < 0.5))
    planes = (item.image, item.mask, item.belief)
    image, mask, belief = (
        None if plane is None else warp(plane, matrix, size_hw, cv2.BORDER_REFLECT_101) for plane in planes
    )
    assert image is not None and mask is not None
    return Scene(image, mask, item.kind == "fine", belief=belief)


def _headless_view(
    xs: npt.NDArray[np.intp], ys: npt.NDArray[np.intp], size_hw: tuple[int, int], rng: Random
) -> tuple[tuple[float, float], float]:
    """Centre and scale of a view of a body from the neck down, or of a part of it."""
    top, tall = int(ys.min()), max(8, int(ys.max() - ys.min()))
    row = top + tall * rng.uniform(0.35, 0.8)
    across = xs[np.abs(ys - row) <= tall * 0.03]
    centre_x = float(np.median(across)) if len(across) else float(xs.mean())
    # The upper edge of the view stays below the chin, an eighth to a seventh of a standing body.
    half = min(tall * rng.uniform(0.12, 0.35), row - (top + 0.16 * tall))
    return (centre_x, row), size_hw[0] / (2 * half)


def turned(scene: Scene, turns: int) -> Scene:
    """The picture as it lies after ``turns`` quarter turns against the clock."""

    def turn(plane: Bytes | None) -> Bytes | None:
        return None if plane is None else np.ascontiguousarray(np.rot90(plane, turns))

    return replace(
        scene, image=np.ascontiguousarray(np.rot90(scene.image, turns)),
        alpha=np.ascontiguousarray(np.rot90(scene.alpha, turns)),
        foreground=turn(scene.foreground), background=turn(scene.background), belief=turn(scene.belief),
    )  # fmt: skip


def empty_scene(image: Bytes, size_hw: tuple[int, int], rng: Random, *, animals: Sequence[Cutout] = ()) -> Scene:
    """Nobody is here: the mask is empty."""
    background = _inhabited(background_view(image, size_hw, rng), animals, rng)
    return Scene(background, np.zeros(size_hw, np.uint8), True, background, background)


def background_view(image: Bytes, size_hw: tuple[int, int], rng: Random) -> Bytes:
    """A random view of a scene, often out of focus as behind a portrait."""
    height, width = image.shape[:2]
    out_h, out_w = size_hw
    scale = max(out_h / height, out_w / width) * float(np.exp(rng.uniform(0.0, 0.9)))
    half_w, half_h = out_w / scale / 2, out_h / scale / 2
    centre = (rng.uniform(half_w, max(half_w, width - half_w)), rng.uniform(half_h, max(half_h, height - half_h)))
    matrix = placement(centre, (out_w / 2, out_h / 2), scale=scale, degrees=0.0, mirrored=bool(rng.random() < 0.5))
    view = warp(image, matrix, size_hw, cv2.BORDER_REFLECT_101)
    kind = rng.random()
    if kind < 0.45:
        view = _blur(view, rng.uniform(0.002, 0.02) * max(size_hw))
    elif kind < 0.53:  # a wall, a studio backdrop: one colour with a slow gradient
        colour = rng.uniform(0, 255, 3)
        corners = np.clip(colour + rng.normal(0, 25, (2, 2, 1)) + rng.normal(0, 6, (2, 2, 3)), 0, 255)
        smooth = cv2.resize(corners.astype(np.float32), (out_w, out_h), interpolation=cv2.INTER_LINEAR)
        view = np.clip(smooth, 0, 255).astype(np.uint8)
    return _jitter(view, rng, 0.25)


def composite_scene(
    people: Sequence[Cutout],
    background: Bytes,
    textures: Sequence[Bytes],
    size_hw: tuple[int, int],
    rng: Random,
    *,
    occlude: bool = True,
    rare: Rare = Rare(),
    animals: Sequence[Cutout] = (),
) -> Scene:
    """People laid over a background, the last in front; exact alpha by construction.

    Args:
        animals: those that are a part of the background.
        occlude: whether something may stand before them.
        rare: how often there is what is rare.
    """
    behind = _inhabited(background_view(background, size_hw, rng), animals, rng)
    if _happens(rare.bars, rng):
        behind = _barred(behind, textures, rng)
    if _happens(rare.things, rng):
        place = (size_hw[1] * rng.uniform(0, 1), size_hw[0] * rng.uniform(0.2, 1))
        thing, colours = _thing(size_hw, place, rng.uniform(0.06, 0.3) * min(size_hw), textures, rng)
        behind = (behind + thing[..., None] * (colours - behind) + 0.5).astype(np.uint8)
    darker = int(rng.integers(2)) if _happens(rare.lit_apart, rng) else None  # the scene, or the people
    if darker == 0:
        behind = _dark(behind, rng)
    image = behind.astype(np.float32)
    foreground = image
    union = np.zeros(size_hw, np.float32)
    light = rng.normal(0, 0.06, 3)
    for index, person in enumerate(people):
        colour = _clothed(person, textures, rare.dark_clothes, rng)
        if darker == 1:
            colour = _dark(colour, rng)
        colour = _jitter(colour, rng, 0.2, shift=light)
        front = index == len(people) - 1
        near = front and _happens(rare.near, rng)
        if near:
            matrix = _place_near(person, size_hw, rng)
        else:
            matrix = _place_person(person, size_hw, rng, small=len(people) > 1, front=front, rare=rare)
        cover = warp(person.alpha, matrix, size_hw, cv2.BORDER_CONSTANT)
        placed = warp(colour, matrix, size_hw, cv2.BORDER_REPLICATE).astype(np.float32)
        if near:
            sigma = rng.uniform(0.002, 0.015) * max(size_hw)
            cover, placed = _blur(cover, sigma), _blur(placed.astype(np.uint8), sigma).astype(np.float32)
        alpha = cover.astype(np.float32)
        alpha /= 255
        foreground = placed if index == 0 else foreground
        union = _lay_over(union, image, foreground, alpha, placed)
    if _happens(rare.held, rng):
        union = _hold(union, image, foreground, textures, rng)
    scene = Scene(
        (image + 0.5).astype(np.uint8),
        (union * 255 + 0.5).astype(np.uint8),
        all(person.fine for person in people),
        (foreground + 0.5).astype(np.uint8),
        behind,
    )
    # Groups sit at tables more often than one person stands behind something.
    hidden = 0.25 if len(people) > 2 else 0.12
    return _occluded(scene, textures, rng) if occlude and rng.random() < hidden else scene


def _inhabited(view: Bytes, animals: Sequence[Cutout], rng: Random) -> Bytes:
    """A scene with animals in it, anywhere and of any size."""
    for animal in animals:
        height, width = animal.alpha.shape
        scale = view.shape[0] / height * float(np.exp(rng.uniform(-1.2, 0.4)))
        centre = (view.shape[1] * rng.uniform(0.1, 0.9), view.shape[0] * rng.uniform(0.3, 0.9))
        mirrored = bool(rng.random() < 0.5)
        matrix = placement(
            (width / 2, height / 2), centre, scale=scale, degrees=float(rng.normal(0, 8)), mirrored=mirrored
        )
        alpha = warp(animal.alpha, matrix, view.shape[:2], cv2.BORDER_CONSTANT)[..., None].astype(np.float32) / 255
        placed = warp(_jitter(animal.foreground, rng, 0.2), matrix, view.shape[:2], cv2.BORDER_REPLICATE)
        view = (view + alpha * (placed.astype(np.float32) - view) + 0.5).astype(np.uint8)
    return view


def photograph(scene: Scene, rng: Random) -> Scene:
    """The camera's share: exposure, white balance, grey, dark rooms, blur, noise, resampling, JPEG."""
    out = scene.image
    if rng.random() < 0.8:
        out = _jitter(out, rng, 0.3)
    if rng.random() < 0.07:  # a dark room
        out = _curve(out, gamma=rng.uniform(1.5, 2.6), gain=rng.uniform(0.45, 0.9))
    if rng.random() < 0.09:  # a black-and-white picture
        out = np.repeat(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if rng.random() < 0.12:
        out = _blur(out, rng.uniform(0.4, 1.3))
    if rng.random() < 0.1:
        out = enlarged(out, rng)
    if rng.random() < 0.25:
        out = grainy(out, rng)
    if rng.random() < 0.3:
        encoded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 92))])[1]
        out = decoded(encoded)
    return replace(scene, image=np.ascontiguousarray(out, np.uint8))


def grainy(image: Bytes, rng: Random) -> Bytes:
    """Noise of a sensor, grey or coloured: a network that had only seen grey grain took coloured noise for hair."""
    grain = rng.standard_normal((*image.shape[:2], int(rng.choice([1, 3]))), dtype=np.float32)
    return np.clip(image + grain * np.float32(rng.uniform(1, 9)), 0, 255).astype(np.uint8)


def patched(scene: Scene, textures: Sequence[Bytes], rng: Random) -> Scene:
    """Something within a person that is still the person: a blurred face, a print on a shirt, a thing held before it.

    Networks that saw only whole faces and plain clothes lost what was blurred, masked or patterned.
    """
    ys, xs = np.nonzero(scene.alpha[::4, ::4] > 200)
    if len(ys) < 12:
        return scene
    ys, xs = 4 * ys, 4 * xs
    tall, wide = int(ys.max() - ys.min()) + 4, int(xs.max() - xs.min()) + 4
    size = min(max(tall, wide), 1.5 * min(tall, wide))
    image = scene.image.copy()
    for _ in range(int(rng.integers(1, 4))):
        near = np.arange(len(ys))
        if rng.random() < 0.5:  # about a face: the upper part of whoever is there
            near = np.nonzero(ys < ys.min() + tall * rng.uniform(0.15, 0.45))[0]
        at = int(rng.choice(near))
        _patch(image, scene.alpha, (int(ys[at]), int(xs[at])), float(rng.uniform(0.08, 0.3)) * size, textures, rng)
    return replace(scene, image=image)


def _patch(
    image: Bytes, alpha: Bytes, centre_yx: tuple[int, int], reach: float, textures: Sequence[Bytes], rng: Random
) -> None:
    """Cover an ellipse of ``image``, in place, as far as ``alpha`` is a person's."""
    y, x = centre_yx
    rim = int(1.7 * reach) + 3
    box = np.s_[max(0, y - rim) : y + rim + 1, max(0, x - rim) : x + rim + 1]
    part = image[box]
    height, width = part.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    middle = (x - box[1].start, y - box[0].start)
    axes = (max(2, int(reach * rng.uniform(0.4, 1.0))), max(2, int(reach * rng.uniform(0.4, 1.0))))
    cv2.ellipse(cover, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    soft = cv2.GaussianBlur(cover, (0, 0), max(0.6, reach * float(rng.uniform(0.02, 0.2)))).astype(np.float32)
    soft *= alpha[box].astype(np.float32) / 65025
    kind = rng.random()
    if kind < 0.45:
        front = _blur(part, max(2.0, reach * float(rng.uniform(0.1, 0.6))))
    elif kind < 0.6:
        cell = max(2, int(reach * rng.uniform(0.1, 0.4)))
        cells = (max(2, width // cell), max(2, height // cell))
        small = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
        front = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    elif kind < 0.75:
        front = np.full_like(part, rng.uniform(0, 255, 3).astype(np.uint8))
    else:
        front = _textured(textures, (height, width), rng)
    part[...] = part + soft[..., None] * (front.astype(np.float32) - part) + 0.5


def enlarged(image: Bytes, rng: Random) -> Bytes:
    """As if it had been a small picture once."""
    height, width = image.shape[:2]
    factor = rng.uniform(0.4, 0.8)
    small = cv2.resize(image, (max(8, int(width * factor)), max(8, int(height * factor))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def decoded(encoded: npt.NDArray[Any]) -> Bytes:
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded a line before
    return decoded.astype(np.uint8, copy=False)


def _happens(share: float, rng: Random) -> bool:
    """Whether something of that share does; what never does takes nothing from the generator."""
    return share > 0 and bool(rng.random() < share)


def _inside(centre: float, half: float, length: int) -> float:
    return length / 2 if 2 * half >= length else min(max(centre, half), length - half)


def _any_angle(rng: Random) -> float:
    """Mostly upright; heads lean, bodies bend, and some people lie down."""
    kind = rng.random()
    if kind < 0.45:
        return 0.0
    if kind < 0.88:
        return float(rng.normal(0, 10))
    return float(rng.uniform(-75, 75)) if kind < 0.97 else float(rng.choice([90.0, -90.0]))


def _place_person(
    person: Cutout, size_hw: tuple[int, int], rng: Random, *, small: bool, front: bool, rare: Rare
) -> npt.NDArray[np.float64]:
    height, width = person.alpha.shape
    out_h, out_w = size_hw
    mirrored = bool(rng.random() < 0.5)
    reach = min(out_h, out_w * 1.3)
    if person.flush and not small and _happens(rare.close, rng):
        # A face that fills the frame: the head of a bust is the upper six tenths of its height.
        scale = reach / (0.6 * height) * float(rng.uniform(0.8, 1.5))
        anchor = (width * (0.5 + rng.normal(0, 0.03)), height * rng.uniform(0.26, 0.42))
        return placement(
            anchor, (out_w / 2, out_h / 2), scale=scale, degrees=float(rng.normal(0, 4)), mirrored=mirrored
        )
    if person.flush and not small and _happens(rare.headless, rng):
        # From the chin down: the head of a bust is the upper six tenths of its height.
        scale = out_h / (height * rng.uniform(0.2, 0.42))
        x = out_w * rng.uniform(0.25, 0.75)
        return placement((width / 2, height), (x, out_h), scale=scale, degrees=0.0, mirrored=mirrored)
    if person.flush:
        scale = reach / height * float(rng.uniform(0.4, 0.85) if small else np.exp(rng.uniform(-0.7, 0.45)))
        x = out_w * (rng.uniform(0.05, 0.95) if small else rng.normal(0.5, 0.14))
        # The cut edge stays on the frame or below it; a lean would lift a corner, so sink it by as much.
        degrees = float(rng.normal(0, 6)) if rng.random() < 0.4 else 0.0
        sink = abs(np.sin(np.deg2rad(degrees))) * width * scale / 2
        y = out_h + sink + (rng.uniform(0, 0.35) * height * scale if rng.random() < 0.4 else 0.0)
        return placement((width / 2, height), (x, y), scale=scale, degrees=degrees, mirrored=mirrored)
    scale = reach / height * float(rng.uniform(0.35, 0.9) if small else np.exp(rng.uniform(-0.8, 0.8)))
    degrees = _any_angle(rng) if front else float(rng.normal(0, 4))
    centre = (out_w * rng.uniform(0.1, 0.9), out_h * rng.uniform(0.3, 0.8))
    if scale * height > out_h:  # a close view: aim at the upper body
        anchor = (width / 2, height * rng.uniform(0.1, 0.55))
        centre = (out_w * rng.uniform(0.3, 0.7), out_h * rng.uniform(0.3, 0.6))
    else:
        anchor = (width / 2, height / 2)
    return placement(anchor, centre, scale=scale, degrees=degrees, mirrored=mirrored)


def _place_near(person: Cutout, size_hw: tuple[int, int], rng: Random) -> npt.NDArray[np.float64]:
    """Large, at one side of the frame, which cuts the person."""
    height, width = person.alpha.shape
    out_h, out_w = size_hw
    # A standing body is four busts tall.
    scale = min(out_h, out_w * 1.3) / height * float(rng.uniform(1.1, 2.2)) * (1.0 if person.flush else 2.5)
    x = out_w * float(rng.choice([rng.uniform(-0.1, 0.2), rng.uniform(0.8, 1.1)]))
    anchor = (width / 2, height * (rng.uniform(0.2, 0.6) if person.flush else rng.uniform(0.05, 0.2)))
    target = (x, out_h * rng.uniform(0.35, 0.8))
    degrees = float(rng.normal(0, 8))
    if person.flush:  # the cut edge stays below the frame
        target = (x, max(target[1], out_h - (height - anchor[1]) * scale * 0.9))
    return placement(anchor, target, scale=scale, degrees=degrees, mirrored=bool(rng.random() < 0.5))


def _clothed(person: Cutout, textures: Sequence[Bytes], dark: float, rng: Random) -> Bytes:
    """The person's colours, often in other clothes."""
    colour = person.foreground
    if person.white_shirt and rng.random() < 0.75:
        colour = _dress(colour, textures, rng)
    if person.flush and _happens(dark, rng):
        colour = _in_dark(colour, rng)
    return colour


def _dress(colour: Bytes, textures: Sequence[Bytes], rng: Random) -> Bytes:
    """New clothes for the white T-shirts of the London set: a tint or the texture of a scene, folds kept."""
    height, width = colour.shape[:2]
    start = int(height * 0.62)
    part = colour[start:]
    value, low = part.max(axis=2).astype(np.float32), part.min(axis=2).astype(np.float32)
    # Cloth: bright, hardly any colour, in the lower part.  The fairest skin of the set has 0.85 of its brightest
    # channel in its darkest, as the camera saw it: colours must not have been changed before.
    rows = np.linspace(0, (1 - 0.62) / 0.06, height - start, dtype=np.float32)[:, None]
    cloth = np.clip((low - 0.86 * value) / (0.06 * np.maximum(value, 1)), 0, 1)
    cloth *= np.clip(rows, 0, 1) * np.clip((value - 70) / 40, 0, 1)
    cloth = cv2.GaussianBlur(cloth, (0, 0), max(0.6, width / 500))[..., None]
    shade = np.clip(value / max(1.0, float(np.percentile(value[::4, ::4], 80))), 0, 1.2)[..., None]
    if rng.random() < 0.5 and textures:
        texture = textures[int(rng.integers(len(textures)))]
        tile = float(rng.uniform(0.3, 1.0))
        cut_h, cut_w = max(8, int(texture.shape[0] * tile)), max(8, int(texture.shape[1] * tile))
        y, x = rng.integers(texture.shape[0] - cut_h + 1), rng.integers(texture.shape[1] - cut_w + 1)
        dye = cv2.resize(texture[y : y + cut_h, x : x + cut_w], (width, height - start)).astype(np.float32)
    else:
        dye = np.broadcast_to(rng.uniform(5, 245, 3).astype(np.float32), part.shape)
    dressed = part + cloth * (np.clip(dye * shade, 0, 255) - part)
    return np.concatenate([colour[:start], np.clip(dressed, 0, 255).astype(np.uint8)])


def _in_dark(colour: Bytes, rng: Random) -> Bytes:
    """A bust in dark clothes, whatever it wore: black cloth hides its folds, and its edge before a dark scene."""
    height = colour.shape[0]
    rows = np.arange(height, dtype=np.float32)
    below: Floats = np.clip((rows / height - rng.uniform(0.62, 0.72)) / 0.06, 0, 1)[:, None, None]
    dark = _dark(colour, rng).astype(np.float32)
    return (colour + below * (dark - colour) + 0.5).astype(np.uint8)


def _dark(image: Bytes, rng: Random) -> Bytes:
    return _curve(image, gamma=rng.uniform(1.2, 2.0), gain=rng.uniform(0.2, 0.7))


def _barred(view: Bytes, textures: Sequence[Bytes], rng: Random) -> Bytes:
    """A railing, blinds, a fence: a row of bars over the scene."""
    height, width = view.shape[:2]
    reach = max(height, width)
    step = rng.uniform(0.03, 0.14) * reach
    thick = max(1, int(step * rng.uniform(0.15, 0.6)))
    direction = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.12)
    along = np.array([np.cos(direction), np.sin(direction)])
    across = np.array([-along[1], along[0]])
    middle = np.array([width, height]) * rng.uniform(0.3, 0.7, 2)
    cover = np.zeros((height, width), np.uint8)
    count = int(reach / step)
    for index in range(-count, count + 1):
        point = middle + across * (index * step)
        ends = [tuple(int(v) for v in point + along * sign * 2 * reach) for sign in (-1, 1)]
        cv2.line(cover, ends[0], ends[1], 255, thick, cv2.LINE_AA)
    if rng.random() < 0.5:
        front = np.full_like(view, rng.uniform(0, 255, 3).astype(np.uint8))
    else:
        front = _textured(textures, (height, width), rng)
    soft = (cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.5, 2.5)).astype(np.float32) / 255)[..., None]
    return (view + soft * (front.astype(np.float32) - view) + 0.5).astype(np.uint8)


def _hold(union: Floats, image: Floats, foreground: Floats, textures: Sequence[Bytes], rng: Random) -> Floats:
    """Something before a body, painted on ``image`` and ``foreground`` in place.

    Returns:
        (H, W) float32, 0..1, the union of people with it; without it where it would hardly touch anybody.
    """
    ys, xs = (4 * each for each in np.nonzero(union[::4, ::4] > 0.8))
    if len(ys) < 12:
        return union
    tall, wide = int(np.ptp(ys)) + 4, int(np.ptp(xs)) + 4
    body = np.nonzero(ys > ys.min() + 0.3 * tall)[0]  # hands are below the head
    at = int(rng.choice(body if len(body) else len(ys)))
    reach = float(rng.uniform(0.12, 0.4)) * min(max(tall, wide), 1.5 * min(tall, wide))
    cover, front = _thing(union.shape, (float(xs[at]), float(ys[at])), reach, textures, rng)
    if (cover * union).sum() < 0.3 * cover.sum():
        return union
    return _lay_over(union, image, foreground, cover, front)


def _lay_over(union: Floats, image: Floats, foreground: Floats, cover: Floats, colour: Floats) -> Floats:
    """Somebody, or something that belongs to them, in front of all: painted on ``image`` and ``foreground`` in place.

    Returns:
        (H, W) float32, 0..1, the union of all of them.
    """
    image += cover[..., None] * (colour - image)
    total: Floats = cover + (1 - cover) * union
    # Straight colour of the union: each one's share of what is seen.
    share = np.where(total > 1e-4, cover / np.maximum(total, 1e-4), 1.0).astype(np.float32, copy=False)
    foreground += share[..., None] * (colour - foreground)
    return total


def _thing(
    size_hw: tuple[int, ...], centre_xy: tuple[float, float], reach: float, textures: Sequence[Bytes], rng: Random
) -> tuple[Floats, Floats]:
    """A sheet of paper, a box, or something round: (H, W) float32, 0..1, what it covers; (H, W, 3) float32, colours."""
    height, width = size_hw
    x, y = centre_xy
    half = np.maximum(reach * rng.uniform(0.5, 1.0, 2), 2)
    degrees = float(rng.normal(0, 20))
    if rng.random() < 0.4:  # paper, or a thing of one colour
        front = np.empty((height, width, 3), np.float32)
        front[...] = rng.uniform(190, 250) if rng.random() < 0.6 else rng.uniform(0, 255, 3)
    else:
        front = _textured(textures, (height, width), rng).astype(np.float32)
    cover = np.zeros((height, width), np.uint8)
    if rng.random() < 0.4:
        cv2.ellipse(cover, (int(x), int(y)), (int(half[0]), int(half[1])), degrees, 0, 360, 255, -1)
        # Light falls on it from one side.
        away = half * rng.uniform(-0.6, 0.6, 2)
        columns = (np.arange(width, dtype=np.float32) - x - away[0]) / half[0]
        rows = (np.arange(height, dtype=np.float32) - y - away[1]) / half[1]
        front *= np.clip(1.25 - 0.6 * np.hypot(columns[None], rows[:, None]), 0.15, 1.25)[..., None].astype(np.float32)
    else:
        corners = cv2.boxPoints(((x, y), (2 * float(half[0]), 2 * float(half[1])), degrees))
        cv2.fillPoly(cover, [corners.astype(np.int32)], 255)
        if rng.random() < 0.6:  # lines of print
            ink = tuple(float(value) for value in rng.uniform(0, 120, 3))
            for down in np.arange(0.12, 0.9, rng.uniform(0.08, 0.25)):
                left, across = corners[0] + down * (corners[3] - corners[0]), corners[1] - corners[0]
                start, end = left + 0.1 * across, left + rng.uniform(0.4, 0.9) * across
                thick = max(1, int(reach * 0.03))
                cv2.line(front, start.astype(int).tolist(), end.astype(int).tolist(), ink, thick, cv2.LINE_AA)
    soft = cv2.GaussianBlur(cover, (0, 0), 0.7).astype(np.float32)
    soft /= 255
    return soft, np.clip(front, 0, 255)


def _textured(textures: Sequence[Bytes], size_hw: tuple[int, int], rng: Random) -> Bytes:
    """What a thing of that size may be made of: a scene, stretched over it."""
    texture = textures[int(rng.integers(len(textures)))]
    return _jitter(cv2.resize(texture, size_hw[::-1]).astype(np.uint8), rng, 0.3)


def _occluded(scene: Scene, textures: Sequence[Bytes], rng: Random) -> Scene:
    """Something in front: a table along the bottom, a post, a frame's edge. It is not a person."""
    height, width = scene.alpha.shape
    cover = np.zeros((height, width), np.uint8)
    if rng.random() < 0.6:
        top = int(height * rng.uniform(0.65, 0.95))
        slant = int(rng.normal(0, 0.06) * height)
        cv2.fillPoly(cover, [np.array([[0, top], [width, top + slant], [width, height], [0, height]], np.int32)], 255)
    else:
        x, thick = int(rng.uniform(0, width)), max(2, int(width * rng.uniform(0.01, 0.1)))
        cv2.line(cover, (x, 0), (int(x + rng.normal(0, 0.1) * width), height), 255, thick)
    front = _textured(textures, (height, width), rng)
    soft = (cv2.GaussianBlur(cover, (0, 0), 0.7).astype(np.float32) / 255.0)[..., None]
    image = soft * front + (1 - soft) * scene.image
    alpha = (1 - soft[..., 0]) * scene.alpha
    return Scene((image + 0.5).astype(np.uint8), (alpha + 0.5).astype(np.uint8), scene.fine)


def _jitter(image: Bytes, rng: Random, amount: float, shift: npt.NDArray[np.float64] | None = None) -> Bytes:
    """Exposure, contrast, gamma, white balance and saturation, as one table a channel and one mix."""
    gamma = float(np.exp(rng.normal(0, amount)))
    gain = float(np.exp(rng.normal(0, amount * 0.5)))
    balance = np.exp(rng.normal(0, amount * 0.25, 3) + (0 if shift is None else shift))
    ramp = np.linspace(0, 1, 256)
    table = np.clip((ramp[:, None] ** gamma * gain * balance), 0, 1) * 255
    out = cv2.LUT(np.ascontiguousarray(image), table[None].astype(np.uint8))
    saturation = float(np.exp(rng.normal(0, amount)))
    grey = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(out, saturation, grey, 1 - saturation, 0).astype(np.uint8, copy=False)


def _curve(image: Bytes, gamma: float, gain: float) -> Bytes:
    table = np.clip(np.linspace(0, 1, 256) ** gamma * gain, 0, 1) * 255
    return cv2.LUT(image, table.astype(np.uint8)).astype(np.uint8, copy=False)


def _blur(image: Bytes, sigma: float) -> Bytes:
    if sigma > 5:  # a wide blur has nothing that a smaller picture cannot hold
        height, width = image.shape[:2]
        factor = 2 / sigma
        small = (max(4, round(width * factor)), max(4, round(height * factor)))
        small_image = cv2.GaussianBlur(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (0, 0), 2)
        return cv2.resize(small_image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    return cv2.GaussianBlur(image, (0, 0), max(0.3, sigma)).astype(np.uint8, copy=False)
