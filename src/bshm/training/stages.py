"""The stages of the recipe, each a network, its samples, its loss and its validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bshm.geometry import whole_picture_size
from bshm.training import checkpoints, schedule
from bshm.training.data import Bytes, DataFolder
from bshm.training.fine_sampler import FineBatches, FinePools, fine_scene
from bshm.training.losses import composition_loss, foreground_loss, mask_loss, matting_loss, unification_loss
from bshm.training.network.encoder import Variant
from bshm.training.network.mask import MaskNetwork
from bshm.training.network.matting import MattingNetwork
from bshm.training.network.quality import QualityNetwork
from bshm.training.sampler import MaskBatches, Mixture, Pools, fix_threads
from bshm.training.scenes import composite_scene, cutout_of, photograph

# The longer side that pictures are decoded to for the networks that see the whole picture small.
_SMALL_LONGEST_PX = 640
# Sides of the square whose area the mask and the quality network see a picture at.
MASK_AREA_PX = 256
QUALITY_AREA_PX = 512


def train_mask(
    data: DataFolder,
    out: Path,
    plan: schedule.Schedule,
    *,
    variant: Variant = "lite2",
    workers: int = 1,
    report: Callable[[str], None] = print,
) -> Path:
    """Stage ``mpn``: the mask prediction network, on coarse and fine annotations together."""
    fix_threads()
    pools = Pools.load(data, _SMALL_LONGEST_PX)
    checks = mask_validation(data)
    torch.manual_seed(plan.seed)
    network = MaskNetwork(variant).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.encoder.load_imagenet()
    network.encoder.freeze_early()

    def batches(first: int, count: int) -> Iterable[Sequence[Tensor]]:
        dataset = MaskBatches(pools, Mixture(), plan.batch, first=first, count=count, seed=plan.seed)
        return DataLoader(dataset, batch_size=None, num_workers=workers, worker_init_fn=fix_threads)

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        assert isinstance(net, MaskNetwork)
        image, mask, weight = batch
        fine, coarse = net.predict(image.contiguous(memory_format=torch.channels_last))
        small = [F.interpolate(x, coarse.shape[-2:], mode="area") for x in (mask, weight)]
        return mask_loss(fine, mask, weight) + 0.4 * mask_loss(coarse, *small)

    return schedule.run(
        network, plan, out, stage="mpn", describe={"variant": variant},
        batches=batches, loss=loss, validate=lambda net: check_mask(net, checks), report=report,
    )  # fmt: skip


def mask_validation(data: DataFolder) -> dict[str, list[tuple[Bytes, Bytes]]]:
    """Pictures of people never trained on, by kind: (image, mask) pairs, longer side at most 640 px."""
    rng = np.random.default_rng(20)
    backgrounds = [image for _, image in data.backgrounds("validation", _SMALL_LONGEST_PX)]
    composites = []
    for item in data.keyed("london", "validation", _SMALL_LONGEST_PX):
        person = cutout_of(item, flush=True, white_shirt=True)
        background = backgrounds[int(rng.integers(len(backgrounds)))]
        scene = photograph(composite_scene([person], background, backgrounds, (512, 448), rng), rng)
        composites.append((scene.image, scene.alpha))
    labelled = [(item.image, item.mask) for item in data.labelled("validation", _SMALL_LONGEST_PX)]
    street = [(item.image, item.mask) for item in data.ccp("validation", _SMALL_LONGEST_PX)]
    empty = [(image, np.zeros(image.shape[:2], np.uint8)) for image in backgrounds[:20]]
    return {"composites": composites, "portraits": labelled, "street": street, "empty": empty}


@torch.no_grad()
def check_mask(
    network: nn.Module, checks: dict[str, list[tuple[Bytes, Bytes]]], area_px: int = MASK_AREA_PX
) -> dict[str, float]:
    """Mean absolute difference to the annotation, by kind of picture."""
    figures = {}
    for kind, pairs in checks.items():
        errors = []
        for image, mask in pairs:
            size = whole_picture_size(image.shape[0], image.shape[1], area_px)
            whole = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
            small = F.interpolate(whole, size, mode="bilinear", antialias=True, align_corners=False)
            found = F.interpolate(network(small).sigmoid(), mask.shape, mode="bilinear", align_corners=False)
            errors.append(float((found[0, 0] - torch.from_numpy(mask).float() / 255).abs().mean()))
        figures[kind] = float(np.mean(errors)) if errors else float("nan")
    return figures


class FineNetworks(nn.Module):
    """Quality unification and matting behind a mask network that is held still."""

    def __init__(self, mask: MaskNetwork) -> None:
        super().__init__()
        self.quality = QualityNetwork()
        self.matting = MattingNetwork()
        # In a list, so that it is not among the parameters that are trained and saved.
        self.held = [mask.eval().requires_grad_(False)]

    @torch.no_grad()
    def coarse(self, whole: Tensor) -> Tensor:
        """The mask network's own mask, mistakes included: (N, 1, h, w), 0..1."""
        logits: Tensor = self.held[0](whole)
        return logits.sigmoid()


def train_fine(
    data: DataFolder, out: Path, plan: schedule.Schedule, *, mask: Path, learn_quality: bool = True,
    learn_matting: bool = True, start: Path | None = None, workers: int = 1, crops: int = 3,
    report: Callable[[str], None] = print,
) -> Path:  # fmt: skip
    """Stages ``qun``, ``mrn`` and ``joint``: the two networks behind the mask network, on exact alpha.

    Args:
        mask: checkpoint of stage ``mpn``, whose masks they are trained on.
        learn_quality, learn_matting: which of the two learns.
        start: checkpoint of an earlier fine stage to begin from.
    """
    fix_threads()
    pools = FinePools.load(data)
    state = checkpoints.load(mask, stage="mpn")
    held = MaskNetwork(state["describe"]["variant"])
    held.load_state_dict(state["average"])
    torch.manual_seed(plan.seed)
    networks = FineNetworks(held).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start is not None:
        networks.load_state_dict(checkpoints.load(start)["average"])
    networks.quality.requires_grad_(learn_quality)
    networks.matting.requires_grad_(learn_matting)
    checks = fine_validation(data)

    def batches(first: int, count: int) -> Iterable[dict[str, Tensor]]:
        dataset = FineBatches(
            pools, scenes=plan.batch, crops=crops, first=first, count=count, seed=plan.seed,
            mask_area_px=MASK_AREA_PX, quality_area_px=QUALITY_AREA_PX,
        )  # fmt: skip
        return DataLoader(dataset, batch_size=None, num_workers=workers, worker_init_fn=fix_threads)

    def loss(net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        assert isinstance(net, FineNetworks)
        window, target = batch["window"], batch["window_alpha"]
        coarse = _cut(net.coarse(batch["whole"]), batch["window_box"] * 2 - 1, window.shape[-2:])
        coarse = _damage(coarse, target)
        total = window.new_zeros(())
        unified = net.quality(window, coarse)
        if learn_quality:
            # Identity: a fine mask, as the small picture can show it, stays as it is.
            kept = net.quality(window, target)
            consistency = (unified.sigmoid() - kept.sigmoid()).abs().mean()
            total = total + unification_loss(unified, target) + 0.3 * unification_loss(kept, target) + 0.3 * consistency
        if learn_matting:
            per_scene = len(batch["crop"]) // len(window)
            masks = unified.sigmoid().detach().repeat_interleave(per_scene, dim=0)
            masks = _cut(masks, batch["crop_box"], batch["crop"].shape[-2:])
            alpha, colour = net.matting(batch["crop"], masks)
            known = batch["crop_known"]
            total = total + matting_loss(alpha, batch["crop_alpha"])
            total = total + 0.5 * composition_loss(alpha, colour, batch["crop_background"], batch["crop"], known)
            total = total + 0.5 * foreground_loss(colour, batch["crop_foreground"], batch["crop_alpha"], known)
        return total

    return schedule.run(
        networks, plan, out, stage="fine", describe={"variant": held.encoder.variant},
        batches=batches, loss=loss, validate=lambda net: check_fine(net, checks), pretrained=lambda name: False,
        report=report,
    )  # fmt: skip


def _cut(maps: Tensor, boxes: Tensor, size_hw: Sequence[int]) -> Tensor:
    """Each map's part inside its box, enlarged: boxes (N, 4) are x0, y0, x1, y1 in -1..1, corners of pixels."""
    zero = torch.zeros_like(boxes[:, 0])
    x0, y0, x1, y1 = boxes.unbind(1)
    rows = [torch.stack(((x1 - x0) / 2, zero, (x0 + x1) / 2), 1), torch.stack((zero, (y1 - y0) / 2, (y0 + y1) / 2), 1)]
    grid = F.affine_grid(torch.stack(rows, 1), [len(maps), 1, *size_hw], align_corners=False)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _damage(coarse: Tensor, target: Tensor) -> Tensor:
    """Some masks made worse: the mask network has seen these people, and is surer of them than of strangers."""
    out = []
    for given, true in zip(coarse, target, strict=True):
        mask = given
        kind = torch.rand(()).item()
        if kind < 0.1:  # a mask drawn by hand: hard, and off by some pixels
            hard = (F.avg_pool2d(true[None], 9, stride=1, padding=4)[0] > torch.empty(()).uniform_(0.2, 0.8)).float()
            mask = F.avg_pool2d(hard[None], 3, stride=1, padding=1)[0]
        elif kind < 0.4:  # patches of doubt, and of wrong belief
            rough = torch.randn(1, 1, 6, 6) * torch.empty(()).uniform_(0.3, 2.0)
            shift = F.interpolate(rough, mask.shape[-2:], mode="bicubic", align_corners=False)[0]
            edge = F.max_pool2d(((mask > 0.02) & (mask < 0.98)).float()[None], 15, stride=1, padding=7)[0]
            mask = torch.sigmoid(torch.logit(mask, eps=0.01) + shift * edge)
        out.append(mask)
    return torch.stack(out)


@torch.no_grad()
def fine_validation(data: DataFolder) -> list[tuple[Bytes, Bytes]]:
    """Composites of people never trained on, over scenes never trained on, with exact alpha; longer side 1024."""
    rng = np.random.default_rng(21)
    people = [cutout_of(item, flush=True, white_shirt=True) for item in data.keyed("london", "validation", None)]
    backgrounds = [image for _, image in data.backgrounds("validation", None)]
    pools = FinePools(people, people, backgrounds)
    scenes = [fine_scene(pools, (1024, 832), rng) for _ in range(12)]
    return [(scene.image, scene.alpha) for scene in scenes]


@torch.no_grad()
def check_fine(network: nn.Module, checks: list[tuple[Bytes, Bytes]]) -> dict[str, float]:
    """Mean absolute difference of each stage's output to the exact alpha, and inside the soft band."""
    assert isinstance(network, FineNetworks)
    sums = {name: [] for name in ("mask", "unified", "alpha", "band_unified", "band_alpha")}  # type: dict[str, list[float]]
    for image, alpha in checks:
        whole = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        true = torch.from_numpy(alpha)[None, None].float() / 255
        sizes = [whole_picture_size(alpha.shape[0], alpha.shape[1], area) for area in (MASK_AREA_PX, QUALITY_AREA_PX)]
        small, middle = (F.interpolate(whole, s, mode="bilinear", antialias=True, align_corners=False) for s in sizes)
        mask = network.coarse(small)
        unified = network.quality(middle, _resized(mask, sizes[1])).sigmoid()
        enlarged = _resized(unified, alpha.shape)
        found, _ = network.matting(whole, enlarged)
        band = F.max_pool2d(((true > 0.01) & (true < 0.99)).float(), 11, stride=1, padding=5) > 0
        for name, value in (("mask", _resized(mask, alpha.shape)), ("unified", enlarged), ("alpha", found)):
            sums[name].append(float((value - true).abs().mean()))
        sums["band_unified"].append(float((enlarged - true).abs()[band].mean()))
        sums["band_alpha"].append(float((found - true).abs()[band].mean()))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def _resized(maps: Tensor, size_hw: Sequence[int]) -> Tensor:
    return F.interpolate(maps, tuple(size_hw), mode="bilinear", align_corners=False)
