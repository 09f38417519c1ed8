"""A data folder in small: the layout of docs/training.md with generated people and scenes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np


def make(root: Path, *, people: int = 14, scenes: int = 14) -> Path:
    """Write the folder; red ellipses are people, everything else is noise."""
    rng = np.random.default_rng(3)
    for which in ("london", "congress"):
        folder = root / "keyed" / which
        entries = []
        for index in range(people):
            name = f"neutral_{index:03d}_03"
            alpha = _ellipse(120, 100)
            _write(folder / "alpha" / f"{name}.png", alpha)
            _write(folder / "foreground" / f"{name}.jpg", _red(alpha.shape, rng))
            entries.append({"name": name, "person": f"{index:03d}"})
        (folder / "index.json").write_text(json.dumps(entries))
    for index in range(2 * people):
        mask = _ellipse(120, 80)
        image = np.where(mask[..., None] > 127, _red(mask.shape, rng), _noise(mask.shape, rng))
        _write(root / "ccp" / "images" / f"{index:04d}.jpg", image)
        _write(root / "ccp" / "masks" / f"{index:04d}.png", mask)
    for index in range(3 * scenes):
        _write(root / "backgrounds" / "rooms" / f"room{index}.jpg", _noise((100, 140), rng))
    for index in range(4):
        _write(root / "portraits" / "us_governors" / f"person{index}.jpg", _red((96, 96), rng))
    return root


def add_the_world(root: Path, *, pictures: int = 40) -> Path:
    """Add ``wide`` and ``keyed/rendered`` to a folder that ``make`` wrote; each fourth picture is by Pexels."""
    rng = np.random.default_rng(5)
    rows = ["file,mask,used,source,licence,credit"]
    for index in range(pictures):
        licence = "Pexels" if index % 4 == 0 else "CC BY"
        mask = _ellipse(120, 90)
        kind = "drawn" if index % 10 == 9 else "consensus"
        _write(
            root / "wide" / "people" / f"world{index}.webp",
            np.where(mask[..., None] > 127, 200, 40).repeat(3, 2).astype(np.uint8),
        )
        _write(root / "wide" / "masks" / f"world{index}.webp", mask)
        rows.append(f"people/world{index}.webp,{kind},,someone/pictures@1:{index}.jpg,{licence},by {index}")
        _write(root / "wide" / "nobody" / f"room{index}.webp", _noise((90, 120), rng))
        rows.append(f"nobody/room{index}.webp,,,someone/rooms@1:{index}.jpg,{licence},by {index}")
    (root / "wide" / "index.csv").write_text("\n".join(rows) + "\n")
    facts = {}
    for index in range(pictures // 2):
        name = f"s1_{index:05d}"
        alpha = _ellipse(120, 100)
        _write(root / "keyed" / "rendered" / "alpha" / f"{name}.png", alpha)
        _write(root / "keyed" / "rendered" / "foreground" / f"{name}.jpg", _red(alpha.shape, rng))
        facts[name] = {"framing": "full" if index % 2 else "bust"}
    (root / "keyed" / "rendered" / "index.json").write_text(json.dumps(facts))
    return root


def _write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array[..., ::-1] if array.ndim == 3 else array)


def _ellipse(height: int, width: int) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint8)
    cv2.ellipse(canvas, (width // 2, height * 2 // 3), (width // 3, height // 2), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(canvas, (0, 0), 1.5)


def _red(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return np.clip(rng.normal((190, 60, 60), 12, (*size_hw, 3)), 0, 255).astype(np.uint8)


def _noise(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    small = rng.uniform(0, 180, (4, 4, 3)).astype(np.float32)
    small[..., 0] *= 0.3
    return cv2.resize(small, size_hw[::-1]).astype(np.uint8)
