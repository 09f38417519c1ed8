"""Samples of stages ``quality`` and ``matting``: windows and native-resolution crops at unsure edges of scenes.

Both include the masks that the earlier networks make of the scene, with their errors.

A scene takes long to make and gives a dozen crops.  A batch from a single scene would show one person in one light, so
a batch takes one crop from each of many scenes.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from bshm import geometry
from bshm.matting.networks.matting import TILE_PX, unsure_cells
from bshm.matting.refine import guided_filter
from bshm.training.fine_sampler import FineBatches, resized

CROP_PX = TILE_PX
# Side of the windows that unification learns from, and how many a scene gives.
WINDOW_PX, WINDOWS = 256, 4
# Where the guide is off by more, the network has to see more than an edge that is drawn a little soft.
_WRONG = 0.3
# A mask has lost a body, or a limb of one, where its error averages more than this over a window of so many pixels of
# the quality network's picture, on more than this share of the picture.
_LOST, _BODY_PX, _LOST_SHARE = 0.35, 25, 0.004


class CropBatches(Dataset[dict[str, Tensor]]):
    """Batch ``n`` of stage ``matting``: crops of as many scenes, and the masks that the earlier networks make of them.

    Keys, with N crops of side S:
        image, foreground, background: (N, 3, S, S) uint8; alpha: (N, 1, S, S) uint8.
        mask, guide: (N, 1, S, S) float32, 0..1, the unified mask and what the guided filter makes of it.
        known: (N, 1, 1, 1) float32, 1 where foreground and background are the true ones.
    """

    def __init__(self, scenes: FineBatches, mask: nn.Module, quality: nn.Module, *, crops: int, stride: int) -> None:
        """Batches that take one crop of each of ``crops`` neighbouring batches of scenes.

        Args:
            scenes: the scenes; every crop of each is used once.
            mask: network that is held still, as it runs in the processes that make samples.
            quality: likewise.
            crops: of each scene.
            stride: from one batch of a process to its next, so that it needs the scenes of no other process.
        """
        self.scenes, self.mask, self.quality = scenes, mask.eval(), quality.eval()
        self.crops, self.stride = crops, stride
        self._made: dict[int, dict[str, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        # A process asks for its batches in order: earlier scenes will not be asked for again.
        self._made = {number: made for number, made in self._made.items() if number >= index}
        turns = []
        for turn in range(self.crops):
            number = index + turn * self.stride
            if number not in self._made:
                self._made[number] = self._make(number)
            turns.append({name: each[turn :: self.crops] for name, each in self._made[number].items()})
        return {name: torch.cat([turn[name] for turn in turns]) for name in turns[0]}

    @torch.no_grad()
    def _make(self, number: int) -> dict[str, Tensor]:
        batch = self.scenes[number]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(self.scenes.seed * 1_000_003 + number)
            unified = self.quality(batch["middle"], _given(self.mask, batch)).sigmoid()
            return crops_of(batch, unified, self.crops)


class WindowBatches(Dataset[dict[str, Tensor]]):
    """Batch ``n`` of stage ``quality``: windows of the scenes of one batch, see ``windows_of``."""

    def __init__(self, scenes: FineBatches, mask: nn.Module) -> None:
        """Windows behind ``mask``, a network that is held still and runs in the processes that make samples."""
        self.scenes, self.mask = scenes, mask.eval()

    def __len__(self) -> int:
        return len(self.scenes)

    @torch.no_grad()
    def __getitem__(self, number: int) -> dict[str, Tensor]:
        batch = self.scenes[number]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(self.scenes.seed * 1_000_003 + number)
            return windows_of(batch["middle"], batch["middle_alpha"], _given(self.mask, batch))


def _given(mask: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The masks that unification is given of a batch of scenes, at its size."""
    coarse = resized(mask(batch["whole"]).sigmoid(), batch["middle"].shape[-2:])
    return damaged(healed(coarse, batch["middle_alpha"]), batch["middle_alpha"])


def windows_of(middle: Tensor, target: Tensor, coarse: Tensor) -> dict[str, Tensor]:
    """Windows where the edge is, of pictures (N, 3, H, W), true alpha and masks (N, 1, H, W).

    Returns:
        picture, alpha and mask, (N * WINDOWS, 3 or 1, WINDOW_PX, WINDOW_PX) float32, 0..1.
    """
    at = [(n, *corner(soft(alpha[0]), WINDOW_PX)) for n, alpha in enumerate(target) for _ in range(WINDOWS)]
    planes = {"picture": middle, "alpha": target, "mask": coarse}
    return {
        name: torch.stack([plane[n, :, y : y + WINDOW_PX, x : x + WINDOW_PX] for n, y, x in at])
        for name, plane in planes.items()
    }


def crops_of(batch: dict[str, Tensor], unified: Tensor, crops: int) -> dict[str, Tensor]:
    """Crops of each scene of a batch; (N * crops, C, S, S) by name, those of one scene together.

    Args:
        batch: of ``FineBatches``, N scenes.
        unified: (N, 1, h, w), 0..1.
        crops: of each scene, in turn where alpha is soft, where the guide is wrong, and where tiles will be run.
    """
    parts: dict[str, list[Tensor]] = {}
    for n, (image, alpha) in enumerate(zip(batch["image"], batch["alpha"], strict=True)):
        mask = unified[n].detach()[0].cpu().numpy()
        guide = torch.from_numpy(guided_filter.refine(image.cpu().numpy(), np.ascontiguousarray(mask)))
        planes = {
            "image": image.permute(2, 0, 1),
            "alpha": alpha[None],
            "foreground": batch["foreground"][n].permute(2, 0, 1),
            "background": batch["background"][n].permute(2, 0, 1),
            "mask": resized(unified[n : n + 1].detach().cpu(), alpha.shape)[0],
            "guide": guide[None],
        }
        true = alpha.float() / 255
        unsure = geometry.enlarge(unsure_cells(mask).astype(np.float32), (alpha.shape[0], alpha.shape[1])) > 0.5
        places = (soft(true), (guide - true).abs() > _WRONG, torch.from_numpy(unsure))
        for crop in range(crops):
            y, x = corner(places[crop % 3], CROP_PX)
            for name, plane in planes.items():
                parts.setdefault(name, []).append(plane[:, y : y + CROP_PX, x : x + CROP_PX])
        parts.setdefault("known", []).extend([batch["known"][n].view(1, 1, 1)] * crops)
    return {name: torch.stack(tensors) for name, tensors in parts.items()}


def soft(alpha: Tensor) -> Tensor:
    return (alpha > 0.03) & (alpha < 0.97)


def corner(places: Tensor, side: int) -> tuple[int, int]:
    """Upper left corner of a square of ``side`` near one of the places (H, W) bool, or anywhere if there is none."""
    height, width = places.shape
    found = places.flatten().nonzero()
    pick = int(found[torch.randint(len(found), ())]) if len(found) else int(torch.randint(height * width, ()))
    y, x = pick // width, pick % width
    shift = (torch.randn(2) * side / 8).tolist()
    return (
        int(min(max(y + shift[0] - side / 2, 0), height - side)),
        int(min(max(x + shift[1] - side / 2, 0), width - side)),
    )


def healed(coarse: Tensor, target: Tensor) -> Tensor:
    """Masks that lose or invent a body replaced by the truth, blurred.

    A network that sees tiles can't know that a body is missing.  Taught to fill in such bodies it filled in background:
    gradient errors on strangers' pictures rose by a third, and fell by a sixth with these masks replaced.

    Args:
        coarse: (N, 1, H, W), 0..1.
        target: (N, 1, H, W), 0..1, the true alpha.
    """
    out = []
    for mask, true in zip(coarse, target, strict=True):
        given = mask
        error = F.avg_pool2d((given - true).abs()[None], _BODY_PX, stride=4)
        if float((error > _LOST).float().mean()) > _LOST_SHARE:
            radius = int(torch.randint(5, 14, ()))
            kernel = 2 * (radius // 2) + 1
            soft = true[None]
            for _ in range(2):
                soft = F.avg_pool2d(soft, kernel, stride=1, padding=kernel // 2, count_include_pad=False)
            given = soft[0]
        out.append(given)
    return torch.stack(out)


def damaged(coarse: Tensor, target: Tensor) -> Tensor:
    """Some masks made worse: the mask network has seen these people, and is surer of them than of strangers."""
    out = []
    for given, true in zip(coarse, target, strict=True):
        mask = given
        kind = torch.rand(()).item()
        if kind < 0.1:  # a mask drawn by hand: hard, and off by some pixels
            hard = (F.avg_pool2d(true[None], 9, stride=1, padding=4)[0] > torch.empty(()).uniform_(0.2, 0.8)).float()
            mask = F.avg_pool2d(hard[None], 3, stride=1, padding=1)[0]
        elif kind < 0.4:  # patches of doubt, and of wrong belief
            rough = (torch.randn(1, 1, 6, 6) * torch.empty(()).uniform_(0.3, 2.0)).to(mask.device)
            shift = F.interpolate(rough, mask.shape[-2:], mode="bicubic", align_corners=False)[0]
            edge = F.max_pool2d(((mask > 0.02) & (mask < 0.98)).float()[None], 15, stride=1, padding=7)[0]
            mask = torch.sigmoid(torch.logit(mask, eps=0.01) + shift * edge)
        out.append(mask)
    return torch.stack(out)
