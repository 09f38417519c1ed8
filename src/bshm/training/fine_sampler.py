"""Samples for quality unification and matting: composites at native resolution, seen whole and in crops.

One scene gives the whole picture small (for the mask network, whose real mistakes the others must learn to mend), a
window of it at the quality network's scale, and crops at native resolution inside that window.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bshm.geometry import whole_picture_size
from bshm.training.data import Bytes, DataFolder
from bshm.training.scenes import Cutout, Random, Scene, composite_scene, cutout_of, decoded

WINDOW_PX = 256
CROP_PX = 192


@dataclass
class FinePools:
    """People with alpha at native resolution, and scenes to put behind them."""

    london: list[Cutout]
    street: list[Cutout]
    backgrounds: list[Bytes]

    @classmethod
    def load(cls, data: DataFolder, longest_px: int | None = None) -> FinePools:
        """Decode everything once; about 2 GB."""
        london = [cutout_of(item, flush=True, white_shirt=True) for item in data.keyed("london", "train", longest_px)]
        # Their masks are coarse, but over a new background the alpha they were pasted with is exact: clothes, limbs
        # and shoes, which the London busts lack.
        street = [cutout_of(item, flush=bool(item.mask[-2:].max() > 127)) for item in data.ccp("train", longest_px)]
        return cls(london, street, [image for _, image in data.backgrounds("train", longest_px)])


def fine_scene(pools: FinePools, size_hw: tuple[int, int], rng: Random) -> Scene:
    """A composite with exact alpha, foreground and background, at native resolution."""
    people = []
    for _ in range(int(rng.choice([1, 2], p=[0.85, 0.15]))):
        pool = pools.london if rng.random() < 0.7 else pools.street
        people.append(pool[int(rng.integers(len(pool)))])
    background = pools.backgrounds[int(rng.integers(len(pools.backgrounds)))]
    scene = composite_scene(people, background, pools.backgrounds, size_hw, rng, occlude=False)
    return _sensor(scene, rng)


def _sensor(scene: Scene, rng: Random) -> Scene:
    """Noise and JPEG on the picture alone: alpha, foreground and background stay what the lens saw."""
    image = scene.image
    if rng.random() < 0.4:
        grain = rng.standard_normal((image.shape[0], image.shape[1], 1), dtype=np.float32) * rng.uniform(1, 7)
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))])[1]
        image = decoded(encoded)
    if rng.random() < 0.06:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return Scene(np.repeat(grey[..., None], 3, axis=2), scene.alpha, scene.fine)
    return Scene(image, scene.alpha, scene.fine, scene.foreground, scene.background)


class FineBatches(Dataset[dict[str, Tensor]]):
    """Batch ``n`` of a run: ``scenes`` pictures of one size, ``crops`` crops of each.

    Keys, with N scenes and K crops each, all float32:
        whole: (N, 3, h, w) the picture at the mask network's size.
        window, window_alpha: (N, 3|1, 256, 256) at the quality network's size.
        window_box: (N, 4) x0, y0, x1, y1 of the window, 0..1 of the picture.
        crop, crop_alpha, crop_foreground, crop_background: (N*K, 3|1, 192, 192) native.
        crop_box: (N*K, 4) of each crop, -1..1 of its window (corners of pixels).
        crop_known: (N*K, 1, 1, 1) 1 where foreground and background are known.
    """

    def __init__(
        self, pools: FinePools, scenes: int, crops: int, first: int, count: int, seed: int,
        mask_area_px: int, quality_area_px: int,
    ) -> None:  # fmt: skip
        self.pools, self.scenes, self.crops = pools, scenes, crops
        self.first, self.count, self.seed = first, count, seed
        self.mask_area_px, self.quality_area_px = mask_area_px, quality_area_px

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, 7, self.first + index))
        aspect = float(np.exp(rng.uniform(-0.4, 0.4)))
        area = float(rng.choice([560, 720, 900, 1100, 1350], p=[0.15, 0.2, 0.3, 0.2, 0.15]))
        size_hw = (int(area * aspect**0.5), int(area / aspect**0.5))
        parts: dict[str, list[np.ndarray]] = {}

        def put(name: str, array: np.ndarray) -> None:
            parts.setdefault(name, []).append(array)

        for _ in range(self.scenes):
            scene = fine_scene(self.pools, size_hw, rng)
            small = whole_picture_size(*size_hw, self.mask_area_px)
            put("whole", cv2.resize(scene.image, small[::-1], interpolation=cv2.INTER_AREA))
            self._views(scene, put, rng)
        return {name: _tensor(np.stack(arrays)) for name, arrays in parts.items()}

    def _views(self, scene: Scene, put, rng: Random) -> None:  # type: ignore[no-untyped-def]
        height, width = scene.alpha.shape
        mid_h, mid_w = whole_picture_size(height, width, self.quality_area_px)
        interpolation = cv2.INTER_AREA if mid_h < height else cv2.INTER_LINEAR
        image = cv2.resize(scene.image, (mid_w, mid_h), interpolation=interpolation)
        alpha = cv2.resize(scene.alpha, (mid_w, mid_h), interpolation=interpolation)
        y, x = _edge_point(np.asarray(alpha, np.uint8), rng)
        top = int(np.clip(y - WINDOW_PX // 2 + rng.normal(0, 40), 0, mid_h - WINDOW_PX))
        left = int(np.clip(x - WINDOW_PX // 2 + rng.normal(0, 40), 0, mid_w - WINDOW_PX))
        cut = np.s_[top : top + WINDOW_PX, left : left + WINDOW_PX]
        put("window", image[cut])
        put("window_alpha", alpha[cut])
        box = np.array([left / mid_w, top / mid_h, (left + WINDOW_PX) / mid_w, (top + WINDOW_PX) / mid_h])
        put("window_box", box.astype(np.float32))
        # The window in native pixels, and crops that lie inside it.
        x0, y0, x1, y1 = box * np.array([width, height, width, height])
        inside = scene.alpha[int(y0) : int(y1), int(x0) : int(x1)]
        known = scene.foreground is not None and scene.background is not None
        for _ in range(self.crops):
            cy, cx = _edge_point(inside, rng)
            crop_top = int(
                np.clip(cy + y0 - CROP_PX // 2 + rng.normal(0, 24), np.ceil(y0), max(np.ceil(y0), y1 - CROP_PX))
            )
            crop_left = int(
                np.clip(cx + x0 - CROP_PX // 2 + rng.normal(0, 24), np.ceil(x0), max(np.ceil(x0), x1 - CROP_PX))
            )
            crop_top, crop_left = min(crop_top, height - CROP_PX), min(crop_left, width - CROP_PX)
            at = np.s_[crop_top : crop_top + CROP_PX, crop_left : crop_left + CROP_PX]
            put("crop", scene.image[at])
            put("crop_alpha", scene.alpha[at])
            put("crop_foreground", scene.foreground[at] if known and scene.foreground is not None else scene.image[at])
            put("crop_background", scene.background[at] if known and scene.background is not None else scene.image[at])
            put("crop_known", np.full((1, 1, 1), float(known), np.float32))
            spans = np.array([crop_left - x0, crop_top - y0, crop_left + CROP_PX - x0, crop_top + CROP_PX - y0])
            sides = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
            put("crop_box", (2 * spans / sides - 1).astype(np.float32))


def _edge_point(alpha: Bytes, rng: Random) -> tuple[float, float]:
    """A pixel where alpha is soft, four times in five where there is one; hair is picked as often as its area."""
    height, width = alpha.shape
    if rng.random() < 0.85:
        ys, xs = np.nonzero((alpha > 8) & (alpha < 247))
        if len(ys):
            pick = int(rng.integers(len(ys)))
            return float(ys[pick]), float(xs[pick])
    return rng.uniform(0, height), rng.uniform(0, width)


def _tensor(array: np.ndarray) -> Tensor:
    if array.dtype != np.uint8:
        return torch.from_numpy(array)
    tensor = torch.from_numpy(array).float() / 255
    return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor[:, None]
