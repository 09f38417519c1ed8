"""Stages ``quality``, ``matting`` and ``joint``: train the networks after mask prediction, on exact alpha."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from bshm import geometry
from bshm.errors import CheckpointError
from bshm.matting.refine import guided_filter
from bshm.training import checkpoints, schedule
from bshm.training.data import Bytes, DataFolder, some
from bshm.training.devices import device_of
from bshm.training.fine_crops import CropBatches, WindowBatches, crops_of, damaged, windows_of
from bshm.training.fine_sampler import FineBatches, FinePools, fine_scene, resized
from bshm.training.losses import (
    composition_loss,
    foreground_loss,
    gradient_difference,
    mask_loss,
    matting_loss,
    unification_loss,
)
from bshm.training.mask_stage import MASK_SIDE_PX
from bshm.training.network.matting import MattingNetwork
from bshm.training.network.quality import QualityNetwork
from bshm.training.network.variants import MaskVariant, mask_network
from bshm.training.reporting import RunReporter
from bshm.training.sampler import fix_threads, start_worker
from bshm.training.scenes import cutout_of
from bshm.training.sheet import cutout_on_colour, levels

FineStage = Literal["quality", "matting", "joint"]
# The quality network sees pictures with as many pixels as a square of this side.
QUALITY_SIDE_PX = 512
LEARNING: dict[FineStage, tuple[str, ...]] = {
    "quality": ("quality",),
    "matting": ("matting",),
    "joint": ("mask", "quality", "matting"),
}
# The stages that each one may continue from: the networks that it does not train must be trained.
BEFORE: dict[FineStage, tuple[str, ...]] = {
    "quality": ("mask", "quality", "matting", "joint"),
    "matting": ("quality", "matting", "joint"),
    "joint": ("matting", "joint"),
}
# Validation pictures on the contact sheet.
_SHOWN = 4


class Networks(nn.Module):
    """The three networks, some of which are trained."""

    def __init__(self, variant: MaskVariant, learning: Collection[str] = (), settled: Collection[str] = ()) -> None:
        """Make untrained networks.

        Args:
            variant: the variant of the mask network.
            learning: names of the networks to train.
            settled: names of those that were trained before and keep the statistics of their normalisations.
        """
        super().__init__()
        self.variant = variant
        self.mask, self.quality, self.matting = mask_network(variant), QualityNetwork(), MattingNetwork()
        self.learning, self.settled = frozenset(learning), frozenset(settled)
        for name, network in self.named_children():
            network.requires_grad_(name in self.learning)
        # No loss of these stages uses the coarse output of the mask network.
        self.mask.coarse_head.requires_grad_(False)

    @classmethod
    def load(
        cls, checkpoint: Path, stage: FineStage | None = None, *,
        masks: Sequence[Path] = (), mattings: Sequence[Path] = (),
    ) -> Networks:  # fmt: skip
        """Load the averaged weights of a checkpoint; networks that it does not have start untrained.

        Args:
            checkpoint: a checkpoint of any stage.
            stage: the stage that continues from it; None if nothing is trained.
            masks: checkpoints of one run of stage mask; the mean of their networks replaces the mask network of
                ``checkpoint``.
            mattings: the same for the matting network, from checkpoints of stage matting.

        Raises:
            CheckpointError: it cannot be read, has another version, or is of a stage too early for ``stage``.
        """
        state = checkpoints.load(checkpoint)
        if stage is not None and state["stage"] not in BEFORE[stage]:
            raise CheckpointError(
                f"stage {stage} continues from a checkpoint of {' or '.join(BEFORE[stage])}; "
                f"{checkpoint} is of {state['stage']}."
            )
        describe = checkpoints.load(masks[0])["describe"] if masks else state["describe"]
        learned = checkpoints.learned(state)
        found = {name: (checkpoint, checkpoints.part(state, name)) for name in learned}
        if masks:
            found["mask"] = masks[0], checkpoints.mean(masks, "mask", stage="mask", describe=describe)
        if mattings:
            found["matting"] = mattings[0], checkpoints.mean(mattings, "matting", stage="matting")
        networks = cls(describe["variant"], LEARNING[stage] if stage else (), found)
        for name, (path, weights) in found.items():
            try:
                networks.get_submodule(name).load_state_dict(weights)
            except RuntimeError as error:
                raise checkpoints.other_shape(path, error) from error
        if stage is not None and "matting" in LEARNING[stage]:
            if "matting" not in learned:
                networks.matting.encoder.load_imagenet()
            networks.matting.encoder.freeze_early()
        return networks

    @property
    def learned(self) -> list[str]:
        """The networks that are trained at the end of this stage."""
        return [name for name, _ in self.named_children() if name in self.learning | self.settled]

    def train(self, mode: bool = True) -> Networks:
        """As ``nn.Module.train``, but networks that are not trained, and settled ones, keep their statistics.

        The windows of a step come from one or two pictures, whose statistics are not typical. A network that normalised
        with them got worse on other pictures, by up to two thirds in gradient error, while its loss fell.
        """
        super().train(mode)
        for name, network in self.named_children():
            network.train(mode and name in self.learning)
            if name in self.settled:
                for module in network.modules():
                    if isinstance(module, nn.BatchNorm2d):
                        module.eval()
        return self


def train_fine(
    data: DataFolder, out: Path, plan: schedule.Schedule, *, stage: FineStage, start: Path,
    mask: Path | None = None, workers: int = 1, crops: int = 16, report: RunReporter | None = None,
    fabric: Fabric | None = None,
) -> Path:  # fmt: skip
    """Run one of the stages after mask prediction.

    Args:
        stage: which networks to train.
        start: checkpoint of the stage before; its mask network makes the masks, with their errors.
        mask: checkpoint of a mask network that replaces the one in ``start``.
        crops: native-resolution crops per scene, for the matting network.

    Raises:
        CheckpointError: ``start`` cannot be read or is of a stage too early.
    """
    fix_threads()
    torch.manual_seed(plan.seed)
    networks = Networks.load(start, stage, masks=[mask] if mask else []).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pools = FinePools.load(data)
    checks = fine_validation(data)

    # Networks that are held still run where the samples are made: on a GPU every new size of a picture costs seconds.
    before = None if stage == "joint" else copy.deepcopy(networks)

    def batches(numbers: range) -> Iterable[dict[str, Tensor]]:
        scenes = FineBatches(
            pools, scenes=plan.batch, first=0, count=numbers.stop, seed=plan.seed,
            mask_side_px=MASK_SIDE_PX, quality_side_px=QUALITY_SIDE_PX,
        )  # fmt: skip
        dataset: Dataset[dict[str, Tensor]] = scenes
        if before is not None and stage == "matting":
            dataset = CropBatches(
                scenes, before.mask, before.quality, crops=crops, stride=numbers.step * max(1, workers)
            )
        elif before is not None:
            dataset = WindowBatches(scenes, before.mask)
        chosen = Subset(dataset, numbers)
        return DataLoader(chosen, batch_size=None, num_workers=workers, worker_init_fn=start_worker)

    def loss(net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        assert isinstance(net, Networks)
        if stage == "matting":
            return _learn_matting(net, batch)
        if stage == "quality":
            return _learn_quality(net, batch)
        # The native pictures stay where they are: only crops of them are needed.
        names = ("whole", "whole_alpha", "middle", "middle_alpha")
        whole, whole_alpha, middle, target = (batch[name].to(device_of(net), non_blocking=True) for name in names)
        logits = net.mask(whole).float()
        coarse = damaged(resized(logits.sigmoid(), middle.shape[-2:]), target)
        unified = net.quality(middle, coarse).float().sigmoid()
        total = mask_loss(logits, whole_alpha) + _learn_quality(net, windows_of(middle, target, coarse))
        return total + _learn_matting(net, crops_of(batch, unified, crops))

    return schedule.run(
        networks, plan, out, stage=stage, describe={"variant": networks.variant, "learned": networks.learned},
        batches=batches, loss=loss, validate=lambda net: check_fine(net, checks),
        pretrained=lambda name: name.startswith(("mask.", "matting.encoder.")), report=report, fabric=fabric,
    )  # fmt: skip


def _learn_quality(net: Networks, windows: dict[str, Tensor]) -> Tensor:
    there = {name: each.to(device_of(net), non_blocking=True) for name, each in windows.items()}
    picture, true = there["picture"], there["alpha"]
    unified: Tensor = net.quality(picture, there["mask"]).float()
    # Identity: a fine mask, as the small picture can show it, stays as it is.
    kept: Tensor = net.quality(picture, true).float()
    consistency = (unified.sigmoid() - kept.sigmoid()).abs().mean()
    return unification_loss(unified, true) + 0.3 * unification_loss(kept, true) + 0.3 * consistency


def _learn_matting(net: Networks, crops: dict[str, Tensor]) -> Tensor:
    seen = _on(device_of(net), crops)
    alpha, colour = net.matting(seen["image"], seen["mask"], seen["guide"])
    alpha, colour = alpha.float(), colour.float()
    total = matting_loss(alpha, seen["alpha"])
    total = total + 0.5 * composition_loss(alpha, colour, seen["background"], seen["image"], seen["known"])
    return total + 0.5 * foreground_loss(colour, seen["foreground"], seen["alpha"], seen["known"])


def _on(device: torch.device, crops: dict[str, Tensor]) -> dict[str, Tensor]:
    """Levels as numbers 0..1, where the network is."""
    there = {name: each.to(device, non_blocking=True) for name, each in crops.items()}
    floats = {name: each.float() / 255 if each.dtype == torch.uint8 else each for name, each in there.items()}
    return {name: each.contiguous(memory_format=torch.channels_last) for name, each in floats.items()}


@torch.no_grad()
def look(net: Networks, batch: dict[str, Tensor], crops: int = 8) -> None:
    """Show the three networks a batch as training does, for what their layers then see."""
    coarse = resized(net.mask(batch["whole"]).sigmoid(), batch["middle"].shape[-2:])
    unified = net.quality(batch["middle"], coarse).sigmoid()
    seen = _on(device_of(net), crops_of(batch, unified, crops))
    net.matting(seen["image"], seen["mask"], seen["guide"])


@torch.no_grad()
def fine_validation(data: DataFolder) -> list[tuple[Bytes, Bytes]]:
    """Composites of people never trained on, over scenes never trained on, with exact alpha; longer side 1024."""
    rng = np.random.default_rng(21)
    held_out = some(data.keyed("london", "validation", None), "keyed/london")
    people = [cutout_of(item, flush=True, white_shirt=True) for item in held_out]
    backgrounds = [image for _, image in some(data.backgrounds("validation", None), "backgrounds")]
    pools = FinePools(people, [people], backgrounds)
    scenes = [fine_scene(pools, (1024, 832), rng) for _ in range(12)]
    return [(scene.image, scene.alpha) for scene in scenes]


@torch.no_grad()
def check_fine(network: nn.Module, checks: list[tuple[Bytes, Bytes]]) -> schedule.Checked:
    """Each stage's output against the exact alpha: mean absolute difference, inside the soft band, and of the steps."""
    assert isinstance(network, Networks)
    sums: dict[str, list[float]] = {}
    rows = []
    for index, (image, alpha) in enumerate(checks):
        true = torch.from_numpy(alpha)[None, None].float() / 255
        found, colour = _stages(network, image)
        band = F.max_pool2d(((true > 0.01) & (true < 0.99)).float(), 11, stride=1, padding=5) > 0
        for name, value in found.items():
            sums.setdefault(name, []).append(float((value - true).abs().mean()))
            sums.setdefault(f"band_{name}", []).append(float((value - true).abs()[band].mean()))
            sums.setdefault(f"steps_{name}", []).append(float(gradient_difference(value, true)))
        if index < _SHOWN:
            planes = {name: value[0, 0].numpy() for name, value in found.items()}
            foreground = (colour[0].permute(1, 2, 0).contiguous().numpy() * 255 + 0.5).astype(np.uint8)
            rows.append(
                {"picture": image, "annotation": alpha}
                | {name: levels(plane) for name, plane in planes.items()}
                | {"cut out": cutout_on_colour(foreground, planes["alpha"])}
            )
    return schedule.Checked({name: float(np.mean(values)) for name, values in sums.items()}, rows)


def _stages(network: Networks, image: Bytes) -> tuple[dict[str, Tensor], Tensor]:
    """What each stage gives, (1, 1, H, W) on the processor, and the foreground (1, 3, H, W)."""
    device = device_of(network)
    mask = network.mask(_seen(image, MASK_SIDE_PX).to(device)).sigmoid()
    middle = _seen(image, QUALITY_SIDE_PX).to(device)
    unified = network.quality(middle, resized(mask, middle.shape[-2:])).sigmoid()
    guide = torch.from_numpy(guided_filter.refine(image, unified[0, 0].cpu().numpy()))[None, None]
    size_hw = image.shape[:2]
    enlarged = resized(unified, size_hw)
    whole = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    alpha, colour = network.matting(whole.to(device), enlarged, guide.to(device))
    found = {"mask": resized(mask, size_hw), "unified": enlarged, "guide": guide, "alpha": alpha}
    return {name: value.cpu() for name, value in found.items()}, colour.cpu()


def _seen(image: Bytes, side_px: int) -> Tensor:
    small = geometry.shrink(image, geometry.whole_picture_size(image.shape[0], image.shape[1], side_px))
    return torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
