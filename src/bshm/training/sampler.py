"""Choose samples: the mixture of real pictures, composites and empty scenes, by the number of the sample."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import cv2
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
    cut_below,
    cutout_of,
    empty_scene,
    is_sure_person,
    is_sure_portrait,
    patched,
    photograph,
    real_scene,
    turned,
)

Item = TypeVar("Item")
# What a run can do without, to see what it gives.
LeftOut = Literal["coarse", "fine", "wide", "rendered", "patches"]
# How often a composited person is taken from each set.
_PEOPLE_SHARES = {
    "london": 0.2, "congress": 0.08, "rendered": 0.22, "street": 0.14, "portraits": 0.1, "wide": 0.26,
}  # fmt: skip


@dataclass(frozen=True)
class Mixture:
    """The share of each kind of sample; the rest is empty scenes.

    Attributes:
        coarse: pictures with a mask drawn by hand.
        label: pictures with a mask of teachers.
        wide: the part of those that shows the world at large.
        composite: people laid over scenes.
        people: how often each set gives such a person.
        patched: how often something within a person is blurred, printed on or held before it.
    """

    coarse: float = 0.14
    label: float = 0.5
    wide: float = 0.85
    composite: float = 0.28
    people: Mapping[str, float] = field(default_factory=lambda: dict(_PEOPLE_SHARES))
    patched: float = 0.22

    @classmethod
    def without(cls, left_out: LeftOut | None) -> Mixture:
        """The whole mixture, or what is left of it without one kind of sample, empty scenes as often as ever."""

        def only(*names: str) -> dict[str, float]:
            return {name: _PEOPLE_SHARES[name] for name in names}

        match left_out:
            case "coarse":
                return cls(coarse=0.0, label=0.0, composite=0.92, people=only("london", "congress", "rendered"))
            case "fine":
                return cls(coarse=0.2, label=0.72, composite=0.0)
            case "wide":
                return cls(wide=0.0, people=only("london", "congress", "rendered", "street", "portraits"))
            case "rendered":
                return cls(people=only("london", "congress", "street", "portraits", "wide"))
            case "patches":
                return cls(patched=0.0)
            case _:
                return cls()


@dataclass
class Pools:
    """The training side of the data, decoded."""

    coarse: list[Labelled]
    label: list[Labelled]
    wide: list[Labelled]
    people: dict[str, list[Cutout]]
    backgrounds: list[Bytes]
    empty: list[Bytes] = field(default_factory=list)
    animals: list[Cutout] = field(default_factory=list)

    @classmethod
    def load(cls, data: DataFolder, longest_px: int) -> Pools:
        """Decode everything once; at 512 px this takes about 4 GB."""
        coarse = list(some(data.ccp("train", longest_px), "ccp"))
        label = list(data.labelled("train", longest_px))
        wide = list(data.wide("train", longest_px))
        people = {
            "london": [
                cutout_of(item, flush=True, white_shirt=True) for item in data.keyed("london", "train", longest_px)
            ],
            "congress": [cutout_of(item, flush=True) for item in data.keyed("congress", "train", longest_px)],
            "rendered": [cutout_of(item, flush=cut) for item, cut in data.rendered("train", longest_px)],
            "street": [cutout_of(item, flush=cut_below(item.mask)) for item in coarse],
            # Labels give further people.
            "portraits": [cutout_of(item, flush=True) for item in label if is_sure_portrait(item)],
            "wide": [cutout_of(item, flush=cut_below(item.mask)) for item in wide if is_sure_person(item)],
        }
        backgrounds = [image for _, image in some(data.backgrounds("train", longest_px), "backgrounds")]
        nobody = [image for _, image in data.nobody("train", longest_px)]
        animals = list(data.animals(longest_px))
        return cls(
            coarse, label, wide, people, backgrounds + nobody,
            # What looks like people and is not is seen as often as all the rooms and streets.
            backgrounds + 2 * nobody + [item.image for item in animals],
            [cutout_of(item, flush=False) for item in animals],
        )  # fmt: skip


# Heights and widths seen in training, multiples of 32, and how often: training at one size makes a network that works
# at one size.
Sizes = Sequence[tuple[tuple[int, int], float]]
SIZES: Sizes = (
    ((192, 192), 0.05),
    ((224, 224), 0.08),
    ((288, 192), 0.08),
    ((192, 288), 0.07),
    ((256, 256), 0.14),
    ((320, 224), 0.11),
    ((224, 320), 0.11),
    ((288, 288), 0.12),
    ((384, 256), 0.07),
    ((256, 384), 0.06),
    ((352, 352), 0.06),
    ((416, 320), 0.03),
    ((320, 416), 0.02),
)
# On a GPU the libraries compile kernels for each new shape, up to 20 seconds each, and small pictures gain nothing.
GPU_SIZES: Sizes = (((320, 320), 0.3), ((384, 384), 0.34), ((416, 288), 0.2), ((288, 416), 0.16))
# Frames of calls, wide and upright.
LIVE_SIZES: Sizes = (((160, 256), 0.35), ((192, 256), 0.15), ((192, 192), 0.2), ((256, 192), 0.15), ((256, 160), 0.15))


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
    scene = turned(_upright(pools, mixture, (width, height) if turns % 2 else size_hw, rng), turns)
    if rng.random() < mixture.patched:
        scene = patched(scene, pools.backgrounds, rng)
    return photograph(scene, rng)


def _upright(pools: Pools, mixture: Mixture, size_hw: tuple[int, int], rng: np.random.Generator) -> Scene:
    kind = rng.random()
    if kind < mixture.coarse:
        return real_scene(_one_of(pools.coarse, rng), size_hw, rng)
    if kind < mixture.coarse + mixture.label and (pools.label or pools.wide):
        is_wide = rng.random() < mixture.wide
        return real_scene(
            _one_of((pools.wide if is_wide else pools.label) or pools.label or pools.wide, rng), size_hw, rng
        )
    animals = [_one_of(pools.animals, rng)] if rng.random() < _ANIMAL and pools.animals else []
    if kind < mixture.coarse + mixture.label + mixture.composite:
        names = [name for name in mixture.people if pools.people[name]]
        shares = np.array([mixture.people[name] for name in names])
        count = 1 + int(rng.choice(len(_GROUP_SHARES), p=_GROUP_SHARES))
        people = [_one_of(pools.people[name], rng) for name in rng.choice(names, size=count, p=shares / shares.sum())]
        background = _one_of(pools.backgrounds, rng)
        return composite_scene(people, background, pools.backgrounds, size_hw, rng, rare=TRAINED_RARE, animals=animals)
    return empty_scene(_one_of(pools.empty, rng), size_hw, rng, animals=animals)


def _one_of(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]


class MaskBatches(Dataset[tuple[Tensor, ...]]):
    """Batch ``n`` of a run: image (N, H, W, 3), mask and weight (N, 1, H, W), all uint8; see ``as_numbers``.

    With ``people``, what that sees in the images follows.
    """

    def __init__(
        self, pools: Pools, mixture: Mixture, batch: int, *, first: int, count: int, seed: int,
        people: PeopleEncoder | None = None, sizes: Sizes = SIZES,
    ) -> None:  # fmt: skip
        self.pools, self.mixture, self.batch = pools, mixture, batch
        self.first, self.count, self.seed = first, count, seed
        self.people = people
        self.sizes, self.shares = zip(*sizes, strict=True)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng((self.seed, self.first + index))
        size_hw = self.sizes[int(rng.choice(len(self.sizes), p=self.shares))]
        scenes = [sample(self.pools, self.mixture, size_hw, rng) for _ in range(self.batch)]
        image = torch.from_numpy(np.stack([scene.image for scene in scenes]))
        mask = torch.from_numpy(np.stack([scene.alpha for scene in scenes])[:, None])
        weight = torch.from_numpy(np.stack([_weight(scene) for scene in scenes])[:, None])
        if self.people is None:
            return image, mask, weight
        return image, mask, weight, *self.people(as_numbers(image.permute(0, 3, 1, 2)))


def _weight(scene: Scene) -> Bytes:
    """How much each pixel counts: what teachers are unsure of, or disagree about, teaches nothing but doubt."""
    if scene.fine:
        return np.full_like(scene.alpha, 255)
    belief = cv2.absdiff(scene.alpha, 255 - scene.alpha) if scene.belief is None else scene.belief
    return cv2.addWeighted(belief, 0.95, belief, 0, 0.05 * 255).astype(np.uint8, copy=False)


def as_numbers(levels: Tensor) -> Tensor:
    """(N, C, H, W) uint8 as float32, 0..1, channels last."""
    return (levels.float() / 255).contiguous(memory_format=torch.channels_last)


def fix_threads() -> None:
    """One thread a process: two threads on a busy machine wait at every barrier for each other."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    random.seed(0)


def start_worker(_worker: int) -> None:
    """The beginning of a process that makes samples."""
    fix_threads()
    ignore_signals()
