"""Scenes with a known answer: a head with procedural hair, its true colour, and a background.

No photograph has a true alpha, so strands are drawn: thousands of anti-aliased curves from a head outwards, thinner
than a pixel at their tips.  Texture is skimage's astronaut (public domain, NASA) and made-up backgrounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from skimage.data import astronaut, camera


@dataclass(frozen=True)
class Scene:
    """One composite with all that it was made of.

    Attributes:
        pixels: (H, W, 3) uint8.
        alpha: (H, W) float32, 0..1, the truth.
        foreground: (H, W, 3) uint8, straight, known everywhere.
        background: (H, W, 3) uint8.
    """

    pixels: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.float32]
    foreground: npt.NDArray[np.uint8]
    background: npt.NDArray[np.uint8]


def scene(size_hw: tuple[int, int] = (1080, 1920), seed: int = 0) -> Scene:
    """A person-like shape with hair over a background, the same for the same seed.

    Backgrounds take turns: a bright gradient (studio), a busy street (hard-edged rectangles), a photograph (camera),
    soft coloured lights (out of focus).
    """
    rng = np.random.default_rng(seed)
    alpha = hair_alpha(size_hw, rng)
    foreground = _foreground(size_hw, rng)
    background = _background(size_hw, seed % 4, rng)
    mixed = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    noisy = mixed + rng.normal(0, 1.5, mixed.shape)
    return Scene(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), alpha, foreground, background)


def hair_alpha(size_hw: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(H, W) float32, 0..1: a head and shoulders with strands, and a hole between arm and body."""
    height, width = size_hw
    unit = min(height, width)
    centre = np.array([width * 0.5, height * 0.42])
    radius = 0.2 * unit
    solid = np.zeros(size_hw, np.uint8)

    def point(x: np.floating | float, y: np.floating | float) -> tuple[int, int]:
        return round(float(x)), round(float(y))

    cv2.circle(solid, point(*centre), int(radius), 255, -1, cv2.LINE_AA)
    shoulders = (int(0.42 * unit), int(0.5 * unit))
    cv2.ellipse(solid, point(centre[0], height * 1.05), shoulders, 0, 0, 360, 255, -1, cv2.LINE_AA)
    hole = (int(0.03 * unit), int(0.09 * unit))
    cv2.ellipse(solid, point(centre[0] - 0.26 * unit, height * 0.92), hole, 0, 0, 360, 0, -1, cv2.LINE_AA)
    alpha = cv2.GaussianBlur(solid, (0, 0), 1.0).astype(np.float32) / 255
    strands = np.zeros(size_hw, np.float32)
    # Layers, each drawn with whole opacity and thinned: lines of less than a pixel are a share of a pixel.
    for opacity, count, reach in ((0.9, 240, 0.10), (0.6, 320, 0.17), (0.3, 240, 0.24)):
        layer = np.zeros(size_hw, np.uint8)
        for _ in range(count):
            angle = rng.uniform(np.pi * 0.85, np.pi * 2.15)
            start = centre + radius * 0.93 * np.array([np.cos(angle), np.sin(angle)])
            length = unit * reach * rng.uniform(0.3, 1.0)
            bend = rng.normal(0, 0.9)
            steps = np.linspace(0, 1, 24)[:, None]
            turn = angle + bend * steps
            path = start + length * steps * np.hstack([np.cos(turn), np.sin(turn)])
            thickness = max(1, round(unit / 1080))
            cv2.polylines(layer, [np.rint(path * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4)
        strands = 1 - (1 - strands) * (1 - opacity * layer.astype(np.float32) / 255)
    alpha = 1 - (1 - alpha) * (1 - strands)
    # Below half a level nothing can be seen or saved; the solid part is solid.
    alpha[alpha < 1 / 510] = 0
    alpha[alpha > 1 - 1 / 510] = 1
    return alpha.astype(np.float32)


def network_mask(alpha: npt.NDArray[np.float32], size_hw: tuple[int, int], seed: int = 0) -> npt.NDArray[np.float32]:
    """What a mask network makes of a true alpha: small, soft, its edge a little off, strands a blur.

    Args:
        alpha: (H, W) float32, 0..1.
        size_hw: size of the network's output.
        seed: of the edge's wobble.
    """
    rng = np.random.default_rng(seed)
    small = cv2.resize(alpha, size_hw[::-1], interpolation=cv2.INTER_AREA)
    wobble = cv2.resize(rng.normal(0, 1, (8, 8, 2)).astype(np.float32), size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    xs, ys = np.meshgrid(np.arange(size_hw[1], dtype=np.float32), np.arange(size_hw[0], dtype=np.float32))
    small = cv2.remap(small, xs + 0.7 * wobble[..., 0], ys + 0.7 * wobble[..., 1], cv2.INTER_LINEAR)
    small = cv2.GaussianBlur(small, (0, 0), 1.2)
    # A sigmoid's contrast: nets are surer than the area share.
    logits = 5.5 * (small - 0.45)
    mask = 1 / (1 + np.exp(-2 * logits))
    return np.clip((mask - 0.01) / 0.98, 0, 1).astype(np.float32)


def _foreground(size_hw: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Astronaut stretched over the picture; hair in streaks of one of four hair colours at the top."""
    height, width = size_hw
    texture = cv2.resize(astronaut()[40:420, 60:420], (width, height), interpolation=cv2.INTER_LINEAR).astype(
        np.float32
    )
    colour = np.array([(40, 28, 20), (120, 80, 40), (205, 170, 110), (150, 145, 140)][int(rng.integers(4))], np.float32)
    streaks = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 6.0) * 21.0
    hair = colour * (1 + 0.15 * np.clip(streaks, -2, 2))[..., None]
    ys = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    share = np.clip((0.55 - ys) / 0.1, 0, 1)
    return np.clip(share * hair + (1 - share) * texture, 0, 255).astype(np.uint8)


def _background(size_hw: tuple[int, int], kind: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    height, width = size_hw
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    if kind == 0:
        picture = (1 - ramp) * rng.uniform(120, 250, 3) + ramp * rng.uniform(120, 250, 3)
        picture = np.broadcast_to(picture, (height, width, 3)).astype(np.float32)
    elif kind == 1:
        picture = np.full((height, width, 3), 128, np.float32)
        for _ in range(250):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            w, h = int(rng.integers(10, width // 6)), int(rng.integers(10, height // 6))
            cv2.rectangle(picture, (x, y), (x + w, y + h), rng.uniform(0, 255, 3).tolist(), -1)
    elif kind == 2:
        grey = cv2.resize(camera(), (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        picture = grey[..., None] * np.array([0.8, 1.0, 0.9], np.float32)
    else:
        picture = np.full((height, width, 3), 30, np.float32)
        for _ in range(60):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            cv2.circle(picture, (x, y), int(rng.integers(15, height // 8)), rng.uniform(60, 255, 3).tolist(), -1)
        picture = cv2.GaussianBlur(picture, (0, 0), height / 80)
    return np.clip(picture, 0, 255).astype(np.uint8)
