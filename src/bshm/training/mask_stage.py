"""Stage ``mpn``: the mask prediction network, its samples, its loss and its validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from bshm.errors import CheckpointError
from bshm.geometry import whole_picture_size
from bshm.training import checkpoints, schedule
from bshm.training.data import Bytes, DataFolder, some
from bshm.training.devices import device_of
from bshm.training.losses import mask_loss
from bshm.training.network.live import LiveNetwork
from bshm.training.network.mask import MaskNetwork
from bshm.training.network.variants import MaskVariant, lacks, mask_network
from bshm.training.reporting import RunReporter
from bshm.training.sampler import (
    GPU_SIZES,
    LIVE_SIZES,
    SIZES,
    MaskBatches,
    Mixture,
    Pools,
    as_numbers,
    fix_threads,
    start_worker,
)  # fmt: skip
from bshm.training.scenes import composite_scene, cutout_of, photograph
from bshm.training.sheet import cutout_on_colour, levels

# The longer side that pictures are decoded to for the networks that see the whole picture small.
_SMALL_LONGEST_PX = 512
# Side of the square whose area the mask network sees a picture at.  It learns at 192 to 365: much beyond that, faces
# that fill the frame lose their middle.
MASK_SIDE_PX = 320
# Of each kind of validation picture, on the contact sheet.
_SHOWN = 2


def train_mask(
    data: DataFolder,
    out: Path,
    plan: schedule.Schedule,
    *,
    variant: MaskVariant = "lite2",
    start: Path | None = None,
    movenet: Path | None = None,
    selfie: Path | None = None,
    mixture: Mixture | None = None,
    workers: int = 1,
    report: RunReporter | None = None,
    fabric: Fabric | None = None,
) -> Path:
    """Stage ``mpn``: the mask prediction network, on coarse and fine annotations together.

    Args:
        start: checkpoint whose mask network to go on from, of any stage; None begins with what ImageNet taught.  One
            that sees without MoveNet or MediaPipe is taken into a ``variant`` that sees with them.
        movenet: the published weights of MoveNet, for a ``variant`` with its features that begins here.
        selfie: those of MediaPipe's selfie segmentation, likewise.
        mixture: of the samples; None is the whole one.

    Raises:
        CheckpointError: ``start`` cannot be read or has another mask network than ``variant``; or ``movenet`` or
            ``selfie`` is needed and is not given, or cannot be read.
    """
    fix_threads()
    torch.manual_seed(plan.seed)
    network = mask_network(variant).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Before the minute that decoding takes: what is missing is told at once.
    _begin(network, variant, start, {"people": movenet, "selfie": selfie})
    network.encoder.freeze_early()
    pools = Pools.load(data, _SMALL_LONGEST_PX)
    checks = mask_validation(data)
    # MoveNet's features are the same whoever computes them: on a processor, the process that makes the samples.
    on_processor = fabric is None or fabric.device.type == "cpu"
    people = network.people if isinstance(network, MaskNetwork) and on_processor else None
    sizes = LIVE_SIZES if isinstance(network, LiveNetwork) else SIZES if on_processor else GPU_SIZES

    def batches(numbers: range) -> Iterable[Sequence[Tensor]]:
        dataset = MaskBatches(
            pools, mixture or Mixture(), plan.batch, first=0, count=numbers.stop, seed=plan.seed,
            people=people, sizes=sizes,
        )  # fmt: skip
        chosen = Subset(dataset, numbers)
        return DataLoader(
            chosen, batch_size=None, num_workers=workers, worker_init_fn=start_worker, pin_memory=not on_processor
        )

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        assert isinstance(net, MaskNetwork | LiveNetwork)
        levels, mask_levels, weight_levels, *seen = (each.to(device_of(net), non_blocking=True) for each in batch)
        image, mask, weight = map(as_numbers, (levels.permute(0, 3, 1, 2), mask_levels, weight_levels))
        logits = net.predict(image, seen) if isinstance(net, MaskNetwork) else net.predict(image)
        # Losses are summed in single precision, whatever the network computed in.
        fine, coarse = (each.float() for each in logits)
        small = [F.interpolate(x, coarse.shape[-2:], mode="area") for x in (mask, weight)]
        return mask_loss(fine, mask, weight) + 0.4 * mask_loss(coarse, *small)

    return schedule.run(
        network, plan, out, stage="mpn", describe={"variant": variant},
        batches=batches, loss=loss, validate=lambda net: check_mask(net, checks), report=report, fabric=fabric,
    )  # fmt: skip


def _begin(
    network: MaskNetwork | LiveNetwork, variant: MaskVariant, start: Path | None, eyes: Mapping[str, Path | None]
) -> None:
    """What the network knows before its first step.

    Args:
        eyes: the published weights of what it sees with beside its own encoder, by the word in the variant's name.
    """
    missing = set(variant.split("-")[1:])
    if start is None:
        network.encoder.load_imagenet()
    else:
        state = checkpoints.load(start)
        found = lacks(variant, state["describe"]["variant"])
        if found is None:
            checkpoints.load(start, describe={"variant": variant})  # says what differs
        missing &= found or set()
        weights = checkpoints.part(state, "mask")
        try:
            network.grow_from(weights)
        except RuntimeError as error:
            raise checkpoints.other_shape(start, error) from error
    files = {"people": ("MoveNet's", "--movenet movenet-multipose.json"),
             "selfie": ("MediaPipe's", "--selfie selfie_segmentation.tflite")}  # fmt: skip
    for eye in sorted(missing):
        path = eyes[eye]
        if path is None:
            owner, flag = files[eye]
            raise CheckpointError(
                f"{variant} begins with {owner} weights: give {flag}. docs/training.md tells where it comes from."
            )
        if eye == "people":
            assert isinstance(network, MaskNetwork) and network.people is not None
            network.people.load_movenet(path)
        else:
            assert network.selfie is not None
            network.selfie.load_mediapipe(path)


def mask_validation(data: DataFolder) -> dict[str, list[tuple[Bytes, Bytes]]]:
    """Pictures of people never trained on, by kind: (image, mask) pairs, longer side at most 640 px."""
    rng = np.random.default_rng(20)
    backgrounds = [image for _, image in some(data.backgrounds("validation", _SMALL_LONGEST_PX), "backgrounds")]
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
    network: nn.Module, checks: dict[str, list[tuple[Bytes, Bytes]]], side_px: int = MASK_SIDE_PX
) -> schedule.Checked:
    """Mean absolute difference to the annotation, by kind of picture; pairs of each kind to look at."""
    figures, rows = {}, []
    device = device_of(network)
    for kind, pairs in checks.items():
        errors = []
        for index, (image, mask) in enumerate(pairs):
            size = whole_picture_size(image.shape[0], image.shape[1], side_px)
            whole = torch.from_numpy(image).permute(2, 0, 1)[None].to(device).float() / 255
            small = F.interpolate(whole, size, mode="bilinear", antialias=True, align_corners=False)
            maps = F.interpolate(network(small).sigmoid(), mask.shape, mode="bilinear", align_corners=False)
            found = maps[0, 0].cpu()
            errors.append(float((found - torch.from_numpy(mask).float() / 255).abs().mean()))
            if index < _SHOWN:
                rows.append({
                    "picture": image, "annotation": mask, "mask": levels(found.numpy()),
                    "cut out": cutout_on_colour(image, found.numpy()),
                })  # fmt: skip
        figures[kind] = float(np.mean(errors)) if errors else float("nan")
    return schedule.Checked(figures, rows)
