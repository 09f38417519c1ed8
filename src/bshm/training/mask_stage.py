"""Stage ``mpn``: the mask prediction network, its samples, its loss and its validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bshm.geometry import whole_picture_size
from bshm.training import schedule
from bshm.training.data import Bytes, DataFolder
from bshm.training.losses import mask_loss
from bshm.training.network.live import LiveNetwork
from bshm.training.network.mask import MaskNetwork
from bshm.training.network.variants import MaskVariant, mask_network
from bshm.training.sampler import MaskBatches, Mixture, Pools, fix_threads
from bshm.training.scenes import composite_scene, cutout_of, photograph

# The longer side that pictures are decoded to for the networks that see the whole picture small.
_SMALL_LONGEST_PX = 640
# Side of the square whose area the mask network sees a picture at.
MASK_AREA_PX = 256


def train_mask(
    data: DataFolder,
    out: Path,
    plan: schedule.Schedule,
    *,
    variant: MaskVariant = "lite2",
    workers: int = 1,
    report: Callable[[str], None] = print,
) -> Path:
    """Stage ``mpn``: the mask prediction network, on coarse and fine annotations together."""
    fix_threads()
    pools = Pools.load(data, _SMALL_LONGEST_PX)
    checks = mask_validation(data)
    torch.manual_seed(plan.seed)
    network = mask_network(variant).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.encoder.load_imagenet()
    network.encoder.freeze_early()

    def batches(first: int, count: int) -> Iterable[Sequence[Tensor]]:
        dataset = MaskBatches(pools, Mixture(), plan.batch, first=first, count=count, seed=plan.seed)
        return DataLoader(dataset, batch_size=None, num_workers=workers, worker_init_fn=fix_threads)

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        assert isinstance(net, MaskNetwork | LiveNetwork)
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
