"""Samples for quality unification and matting: composites at native resolution with exact alpha.

The mask network gets the whole picture at a small size, and the later networks learn to correct its errors.  The
quality network gets the same picture at its own size.  The crops for the matting network are cut from the native
picture during the step, where the unified mask is unsure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from bshm import geometry
from bshm.training.data import Bytes, DataFolder, some
from bshm.training.scenes import (
    TRAINED_RARE,
    Cutout,
    Random,
    Scene,
    composite_scene,
    cut_below,
    cutout_of,
    decoded,
    enlarged,
    grainy,
    is_sure_person,
    is_sure_portrait,
)

# How often a person is real with true alpha, and how often drawn.  Drawn skin and faces look like a game's, and their
# hair has three times as many soft pixels: the real ones stay in the majority.
_LONDON, _RENDERED = 0.52, 0.24


@dataclass
class FinePools:
    """People with alpha at native resolution, and scenes to put behind them.

    Attributes:
        london: with true alpha, strands and all.
        clothed: by set, with coarse masks; over a new background the alpha that they are pasted with is exact.
        backgrounds: scenes.
        rendered: drawn people, with exact alpha and with all kinds of hair, clothes and held things.
    """

    london: list[Cutout]
    clothed: list[list[Cutout]]
    backgrounds: list[Bytes]
    rendered: list[Cutout] = field(default_factory=list)

    @classmethod
    def load(cls, data: DataFolder, longest_px: int | None = None) -> FinePools:
        """Decode everything once; about 2 GB."""
        keyed = some(data.keyed("london", "train", longest_px), "keyed/london")
        london = [cutout_of(item, flush=True, white_shirt=True) for item in keyed]
        # Clothes, limbs and shoes, which the London busts lack; and suits, dark collars and ties: a network that knew
        # few of them cut their dark gaps beside the neck as it does those between locks.
        street = [cutout_of(item, flush=cut_below(item.mask)) for item in some(data.ccp("train", longest_px), "ccp")]
        labelled = data.labelled("train", longest_px, only="portraits")
        portraits = [cutout_of(item, flush=True) for item in labelled if is_sure_portrait(item)]
        wide = [
            cutout_of(item, flush=cut_below(item.mask))
            for item in data.wide("train", longest_px)
            if is_sure_person(item)
        ]
        rendered = [cutout_of(item, flush=cut) for item, cut in data.rendered("train", longest_px)]
        backgrounds = [image for _, image in some(data.backgrounds("train", longest_px), "backgrounds")]
        backgrounds += [image for _, image in data.nobody("train", longest_px)]
        return cls(london, [people for people in (street, portraits, wide) if people], backgrounds, rendered)


def fine_scene(pools: FinePools, size_hw: tuple[int, int], rng: Random) -> Scene:
    """A composite with exact alpha, foreground and background, at native resolution."""
    people = []
    for _ in range(int(rng.choice([1, 2], p=[0.85, 0.15]))):
        kind = rng.random()
        if kind < _LONDON:
            pool = pools.london
        elif kind < _LONDON + _RENDERED:
            pool = pools.rendered or pools.london
        else:
            pool = pools.clothed[int(rng.integers(len(pools.clothed)))]
        people.append(pool[int(rng.integers(len(pool)))])
    background = pools.backgrounds[int(rng.integers(len(pools.backgrounds)))]
    scene = composite_scene(people, background, pools.backgrounds, size_hw, rng, occlude=False, rare=TRAINED_RARE)
    return _sensor(scene, rng)


def _sensor(scene: Scene, rng: Random) -> Scene:
    """Noise, JPEG and enlargement of the picture alone: alpha, foreground and background stay what the lens saw."""
    image = scene.image
    if rng.random() < 0.1:
        image = enlarged(image, rng)
    if rng.random() < 0.4:
        image = grainy(image, rng)
    if rng.random() < 0.4:
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))])[1]
        image = decoded(encoded)
    if rng.random() < 0.06:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return Scene(np.repeat(grey[..., None], 3, axis=2), scene.alpha, scene.fine)
    return Scene(image, scene.alpha, scene.fine, scene.foreground, scene.background)


class FineBatches(Dataset[dict[str, Tensor]]):
    """Batch ``n`` of a run: ``scenes`` pictures of one size.

    Keys, with N scenes:
        whole, whole_alpha: (N, 3|1, h, w) float32, 0..1, the picture at the mask network's size or somewhat smaller.
        middle, middle_alpha: (N, 3|1, h2, w2) float32, 0..1, at the quality network's size.
        image, foreground, background: (N, H, W, 3) uint8; alpha: (N, H, W) uint8, native.
        known: (N,) float32, 1 where foreground and background are the true ones.
    """

    def __init__(
        self, pools: FinePools, scenes: int, first: int, count: int, seed: int, mask_side_px: int, quality_side_px: int
    ) -> None:
        self.pools, self.scenes = pools, scenes
        self.first, self.count, self.seed = first, count, seed
        self.mask_side_px, self.quality_side_px = mask_side_px, quality_side_px

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, 7, self.first + index))
        aspect = float(np.exp(rng.uniform(-0.4, 0.4)))
        area = float(rng.choice([560, 720, 900, 1100, 1350], p=[0.15, 0.2, 0.3, 0.2, 0.15]))
        size_hw = (int(area * aspect**0.5), int(area / aspect**0.5))
        scenes = [fine_scene(self.pools, size_hw, rng) for _ in range(self.scenes)]
        batch = {
            "image": np.stack([scene.image for scene in scenes]),
            "alpha": np.stack([scene.alpha for scene in scenes]),
            "foreground": np.stack([_or(scene.foreground, scene.image) for scene in scenes]),
            "background": np.stack([_or(scene.background, scene.image) for scene in scenes]),
            "known": np.array([scene.foreground is not None for scene in scenes], np.float32),
        }
        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        # Masks of several sharpnesses: what stands behind the mask network shall not depend on one.
        sides = {"whole": self.mask_side_px - 32 * int(rng.integers(4)), "middle": self.quality_side_px}
        for name, side_px in sides.items():
            size = geometry.whole_picture_size(*size_hw, side_px)
            # As the networks are fed when they are used.
            pictures = torch.from_numpy(np.stack([geometry.shrink(scene.image, size) for scene in scenes]))
            alphas = torch.from_numpy(np.stack([geometry.shrink(scene.alpha, size) for scene in scenes]))
            tensors[name] = pictures.permute(0, 3, 1, 2).float() / 255
            tensors[f"{name}_alpha"] = alphas[:, None].float() / 255
        return tensors


def _or(known: Bytes | None, otherwise: Bytes) -> Bytes:
    return otherwise if known is None else known


def resized(maps: Tensor, size_hw: Sequence[int]) -> Tensor:
    """(N, C, H, W) brought to another size, as masks are when networks are used."""
    return F.interpolate(maps, tuple(size_hw), mode="bilinear", align_corners=False)
