"""Which picture comes next: the mixture of real pictures, composites and empty scenes, by step number."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bshm.training.data import Bytes, DataFolder, Labelled, some
from bshm.training.interruption import ignore_signals
from bshm.training.network.people import PeopleEncoder
from bshm.training.scenes import (
    TRAINED_RARE,
    Cutout,
    Scene,
    composite_scene,
    cutout_of,
    empty_scene,
    is_sure_portrait,
    photograph,
    real_scene,
    turned,
)

# How often a composited person is taken from each set.
_PEOPLE_SHARES = {"london": 0.36, "congress": 0.14, "street": 0.28, "portraits": 0.22}


@dataclass(frozen=True)
class Mixture:
    """The share of each kind of sample; the rest is empty scenes.

    Attributes:
        coarse: pictures with a mask drawn by hand.
        label: pictures with a teacher's mask.
        composite: people laid over scenes.
        people: how often each set gives such a person.
    """

    coarse: float = 0.28
    label: float = 0.30
    composite: float = 0.34
    people: Mapping[str, float] = field(default_factory=lambda: dict(_PEOPLE_SHARES))

    @classmethod
    def without(cls, left_out: Literal["coarse", "fine"] | None) -> Mixture:
        """The whole mixture, or what is left of it without one kind of annotation, empty scenes as often as ever."""
        if left_out == "coarse":
            fine = {name: _PEOPLE_SHARES[name] for name in ("london", "congress")}
            return cls(coarse=0.0, label=0.0, composite=0.92, people=fine)
        if left_out == "fine":
            return cls(coarse=0.44, label=0.48, composite=0.0)
        return cls()


@dataclass
class Pools:
    """The training side of the data, decoded."""

    coarse: list[Labelled]
    label: list[Labelled]
    people: dict[str, list[Cutout]]
    backgrounds: list[Bytes]
    empty: list[Bytes] = field(default_factory=list)
    animals: list[Cutout] = field(default_factory=list)

    @classmethod
    def load(cls, data: DataFolder, longest_px: int) -> Pools:
        """Decode everything once; at 640 px this takes about 3 GB."""
        coarse = list(some(data.ccp("train", longest_px), "ccp"))
        label = list(data.labelled("train", longest_px))
        people = {
            "london": [
                cutout_of(item, flush=True, white_shirt=True) for item in data.keyed("london", "train", longest_px)
            ],
            "congress": [cutout_of(item, flush=True) for item in data.keyed("congress", "train", longest_px)],
            "street": [cutout_of(item, flush=bool(item.mask[-2:].max() > 127)) for item in coarse],
        }
        # Labels give further faces.
        people["portraits"] = [cutout_of(item, flush=True) for item in label if is_sure_portrait(item)]
        backgrounds = [image for _, image in some(data.backgrounds("train", longest_px), "backgrounds")]
        animals = list(data.animals(longest_px))
        empty = backgrounds + [item.image for item in animals]
        return cls(coarse, label, people, backgrounds, empty, [cutout_of(item, flush=False) for item in animals])


# Heights and widths seen in training, multiples of 32; training at one size makes a network that works at one size.
_SIZES = (
    (192, 192),
    (224, 224),
    (288, 192),
    (192, 288),
    (256, 256),
    (320, 224),
    (224, 320),
    (288, 288),
    (384, 256),
    (256, 384),
    (352, 352),
    (416, 320),
    (320, 416),
)
_SIZE_SHARES = (0.05, 0.06, 0.06, 0.05, 0.08, 0.09, 0.09, 0.13, 0.11, 0.1, 0.1, 0.04, 0.04)


# How often a composite has one to five people.
_GROUP_SHARES = (0.56, 0.2, 0.12, 0.07, 0.05)
# How often a picture lies on its side or head, as from a phone held so.
_OVERTURNED = 0.07
# How often an animal is in a composite or an empty scene, behind whoever is there.  There are few of them, and
# where they came five times as often the network took a head of curls for fur.
_ANIMAL = 0.03


def sample(pools: Pools, mixture: Mixture, size_hw: tuple[int, int], rng: np.random.Generator) -> Scene:
    """One training picture with its mask."""
    turns = int(rng.integers(1, 4)) if rng.random() < _OVERTURNED else 0
    height, width = size_hw
    scene = _upright(pools, mixture, (width, height) if turns % 2 else size_hw, rng)
    return photograph(turned(scene, turns), rng)


def _upright(pools: Pools, mixture: Mixture, size_hw: tuple[int, int], rng: np.random.Generator) -> Scene:
    kind = rng.random()
    if kind < mixture.coarse:
        return real_scene(pools.coarse[int(rng.integers(len(pools.coarse)))], size_hw, rng)
    if kind < mixture.coarse + mixture.label and pools.label:
        return real_scene(pools.label[int(rng.integers(len(pools.label)))], size_hw, rng)
    animals = [pools.animals[int(rng.integers(len(pools.animals)))]] if rng.random() < _ANIMAL and pools.animals else []
    if kind < mixture.coarse + mixture.label + mixture.composite:
        names = [name for name in mixture.people if pools.people[name]]
        shares = np.array([mixture.people[name] for name in names])
        count = 1 + int(rng.choice(len(_GROUP_SHARES), p=_GROUP_SHARES))
        people = []
        for name in rng.choice(names, size=count, p=shares / shares.sum()):
            people.append(pools.people[name][int(rng.integers(len(pools.people[name])))])
        background = pools.backgrounds[int(rng.integers(len(pools.backgrounds)))]
        return composite_scene(people, background, pools.backgrounds, size_hw, rng, rare=TRAINED_RARE, animals=animals)
    return empty_scene(pools.empty[int(rng.integers(len(pools.empty)))], size_hw, rng, animals=animals)


class MaskBatches(Dataset[tuple[Tensor, ...]]):
    """Batch ``n`` of a run: image (N, 3, H, W) 0..1, mask (N, 1, H, W) 0..1, weight (N, 1, H, W).

    With ``people``, what that sees in the images follows.
    """

    def __init__(
        self, pools: Pools, mixture: Mixture, batch: int, *, first: int, count: int, seed: int,
        people: PeopleEncoder | None = None,
    ) -> None:  # fmt: skip
        self.pools, self.mixture, self.batch = pools, mixture, batch
        self.first, self.count, self.seed = first, count, seed
        self.people = people

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng((self.seed, self.first + index))
        size_hw = _SIZES[int(rng.choice(len(_SIZES), p=_SIZE_SHARES))]
        scenes = [sample(self.pools, self.mixture, size_hw, rng) for _ in range(self.batch)]
        images = np.stack([scene.image for scene in scenes])
        masks = np.stack([scene.alpha for scene in scenes])[:, None]
        mask = torch.from_numpy(masks).float() / 255
        image = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        # What teachers are unsure of, or disagree about, teaches nothing but doubt.
        sure = torch.tensor([scene.fine for scene in scenes]).view(-1, 1, 1, 1)
        weight = torch.where(sure, torch.ones_like(mask), 0.05 + 0.95 * (2 * mask - 1).abs())
        seen = () if self.people is None else self.people(image.contiguous(memory_format=torch.channels_last))
        return image, mask, weight, *seen


def fix_threads() -> None:
    """One thread a process: two threads on a busy machine wait at every barrier for each other."""
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    random.seed(0)


def start_worker(_worker: int) -> None:
    """The beginning of a process that makes samples."""
    fix_threads()
    ignore_signals()
