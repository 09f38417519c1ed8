"""Makes the pictures of the pages from the samples: of the README, the gallery of docs/studio.md, corrections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

import bshm
from bshm.edit.render import compose
from bshm.files import encode, sink
from bshm.result import Matte
from bshm.types import Picture, PixelArray, Run

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
# Each picture of the gallery: what its parts are called, and the options of each.
GALLERY: dict[str, list[dict[str, Any]]] = {
    "gallery-backgrounds": [
        {"background": "linear:#fdfbfb,#a8b8d8:160"},
        {"background": "radial:#ffffff,#8a93a6:50% 35%"},
        {"background": "evening"},
        {"background": "evening", "background_blur": 12},
        {"background": "blur:10"},
    ],
    "gallery-edges": [{}, {"feather": 12}, {"grow": -4}, {"grow": 6}],
    "gallery-light": [
        {"background": "evening"},
        {"background": "evening", "harmonize": 0.5},
        {"background": "evening", "harmonize": 1.0},
        {"background": "night", "harmonize": 0.0},
        {"background": "night", "harmonize": 0.8},
    ],
    "gallery-blend": [{"background": "#102040"}, {"background": "#102040", "blend": "linear"}],
    "gallery-shadows": [
        {"background": "linear:#ffffff,#d8d8dc"},
        {"background": "linear:#ffffff,#d8d8dc", "shadow": True},
        {"background": "linear:#ffffff,#d8d8dc", "shadow": True, "shadow_kind": "contact"},
    ],
    "gallery-cleaning": [
        {"background": "white"},
        {"background": "white", "drop_islands": 0.05},
        {"background": "white", "drop_islands": 0.05, "fill_holes": 0.02},
    ],
}


def main() -> None:
    """Write docs/pictures."""
    matte = bshm.matte(ROOT / "image-matting" / "1.png")
    checkerboard = _checkerboard(matte.picture.size_hw)
    parts = [matte.picture.pixels, matte.over(checkerboard), matte.over("#2f6fb3"), matte.over("blur")]
    pixels = np.concatenate(parts, axis=1)
    sink.write(encode.encode(pixels, "png", quality=95), PICTURES / "before-after.png", overwrite=True)
    write_corrections(matte)
    figure, damaged = drawn_figure(), drawn_figure(damaged=True)
    for name, edits in GALLERY.items():
        shown = {"gallery-shadows": figure, "gallery-cleaning": damaged}.get(name, matte)
        strip = np.concatenate([_cell(made(shown, options), name) for options in edits], axis=1)
        sink.write(encode.encode(strip, "jpg", quality=82), PICTURES / f"{name}.jpg", overwrite=True)


# Of docs/corrections.md: through the helmet under the arm, and along the flag.
HELMET = bshm.Stroke("keep", ((0.68, 0.93), (0.74, 0.84), (0.84, 0.86), (0.9, 0.95)), 0.08)
FLAG = bshm.Stroke("erase", ((0.005, 0.79), (0.03, 0.95)), 0.02)


def write_corrections(matte: Matte) -> None:
    """The sample before, with a stroke drawn on it, and after; then with one more."""
    with bshm.Matting() as matting:
        mended = matting.corrected(matte, bshm.Corrections((HELMET,)))
        both = matting.corrected(mended, bshm.Corrections((FLAG,)))
    shown = [matte.over("white"), matte.over("white").copy(), mended.over("white"), both.over("white")]
    side = shown[1].shape[0]
    for stroke, colour in ((HELMET, (30, 160, 60)), (FLAG, (40, 90, 230))):
        line = np.array([[(round(x * side), round(y * side)) for x, y in stroke.points]])
        cv2.polylines(shown[1], line, False, colour, round((stroke.width or 0) * side), cv2.LINE_AA)
    strip = np.concatenate([bshm.geometry.resize(each, (384, 384)) for each in shown], axis=1)
    sink.write(encode.encode(strip, "jpg", quality=85), PICTURES / "corrections.jpg", overwrite=True)


def made(matte: Matte, options: dict[str, Any]) -> PixelArray:
    """(H, W, 3): what an edit makes, a cut-out on a checkerboard."""
    background = options.get("background")
    scene = SCENES[background](matte.picture.size_hw) if background in SCENES else None
    if scene is not None:
        options = {**options, "background": bshm.edit.words.PictureBackground()}
    edit = bshm.Edit(**options)
    if edit.background is None:
        cut = compose(matte, edit)
        return bshm.edit.composite.over(cut.colour, cut.alpha, _checkerboard(cut.size_hw))
    return compose(matte, edit, None if scene is None else Picture(scene)).pixels()


def _cell(pixels: PixelArray, name: str) -> PixelArray:
    """A part of a strip, without alpha; hair and edges are shown larger."""
    if name in ("gallery-edges", "gallery-blend"):
        pixels = np.ascontiguousarray(pixels[10:266, 120:376])
    return bshm.geometry.resize(pixels, (320, 320))


def _checkerboard(size_hw: tuple[int, int]) -> PixelArray:
    rows, columns = np.indices(size_hw) // 16 % 2
    squares = np.where((rows + columns) % 2, 205, 245).astype(np.uint8)
    return np.repeat(squares[..., None], 3, axis=2)


def _lights(size_hw: tuple[int, int], top: tuple[int, ...], bottom: tuple[int, ...], lamps: list[Any]) -> PixelArray:
    height, width = size_hw
    share = np.linspace(0, 1, height)[:, None, None]
    scene = np.tile(np.array(top) * (1 - share) + np.array(bottom) * share, (1, width, 1)).astype(np.float32)
    for at, (x, y) in enumerate(np.random.default_rng(5).random((28, 2))):
        lamp = np.zeros_like(scene)
        cv2.circle(lamp, (int(x * width), int((0.35 + 0.6 * y) * height)), 6 + at % 14, lamps[at % len(lamps)], -1)
        scene += lamp * 0.45
    return np.clip(cv2.GaussianBlur(scene, (0, 0), 1.5), 0, 255).astype(np.uint8)


SCENES: dict[Any, Any] = {
    "evening": lambda size: _lights(size, (255, 170, 90), (110, 50, 40), [(255, 210, 120), (255, 150, 60)]),
    "night": lambda size: _lights(size, (12, 22, 60), (20, 40, 90), [(90, 150, 255), (160, 190, 255)]),
}


def drawn_figure(*, damaged: bool = False) -> Matte:
    """Somebody who stands, drawn; with ``damaged`` the matte has a hole and scraps."""
    alpha = np.zeros((512, 512), np.float32)
    for middle, axes in (((256, 110), (34, 42)), ((256, 240), (62, 100))):
        cv2.ellipse(alpha, middle, axes, 0, 0, 360, 1.0, -1)
    for left in (205, 262):
        cv2.rectangle(alpha, (left, 300), (left + 44, 440), 1.0, -1)
        cv2.ellipse(alpha, (left + 20, 440), (32, 12), 0, 0, 360, 1.0, -1)
    colour = np.full((512, 512, 3), (60, 84, 120), np.uint8)
    colour[:152], colour[330:] = (222, 178, 150), (44, 46, 54)
    if damaged:
        cv2.circle(alpha, (262, 230), 9, 0.0, -1)
        for middle in ((90, 400), (420, 90), (440, 330)):
            cv2.circle(alpha, middle, 12, 1.0, -1)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 0.8), np.float32)
    return Matte(picture=Picture(colour), alpha=alpha, foreground=colour, ran=Run("drawn", "", "", {}))


if __name__ == "__main__":
    main()
