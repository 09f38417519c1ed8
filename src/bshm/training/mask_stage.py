"""Stage ``mask``: train the mask prediction network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from bshm.errors import CheckpointError, option
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

# Longer side of decoded pictures, for the networks that see the whole picture at a small size.
_SMALL_LONGEST_PX = 512
# The mask network sees pictures with as many pixels as a square of this side.  It is trained at 192 to 365: at much
# more, faces that fill the frame get holes.
MASK_SIDE_PX = 320
# Pictures of each validation kind on the contact sheet.
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
    """Run stage ``mask``: train the mask prediction network on coarse and fine annotations together.

    Args:
        start: checkpoint of any stage whose mask network to continue from; None starts from ImageNet's weights.  A
            network without MoveNet or MediaPipe can continue as a ``variant`` with them.
        movenet: published weights of MoveNet, needed when a ``variant`` first uses them.
        selfie: published weights of MediaPipe's selfie segmentation, needed when a ``variant`` first uses them.
        mixture: shares of the kinds of samples; None is the full mixture.

    Raises:
        CheckpointError: ``start`` cannot be read or has another mask network than ``variant``; or ``movenet`` or
            ``selfie`` is needed and is not given, or cannot be read.
    """
    fix_threads()
    torch.manual_seed(plan.seed)
    network = mask_network(variant).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Before the minute of decoding, so that missing files are reported at once.
    _begin(network, variant, start, {"people": movenet, "selfie": selfie})
    network.encoder.freeze_early()
    pools = Pools.load(data, _SMALL_LONGEST_PX)
    checks = mask_validation(data)
    # MoveNet does not learn, so on a CPU the processes that make the samples compute its features.
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
        network, plan, out, stage="mask", describe={"variant": variant},
        batches=batches, loss=loss, validate=lambda net: check_mask(net, checks), report=report, fabric=fabric,
    )  # fmt: skip


def _begin(
    network: MaskNetwork | LiveNetwork, variant: MaskVariant, start: Path | None, eyes: Mapping[str, Path | None]
) -> None:
    """Load the network's first weights.

    Args:
        eyes: files of the published encoders that work beside its own, by the word in the variant's name.
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
    files = {"people": ("MoveNet's", "movenet", "movenet-multipose.json"),
             "selfie": ("MediaPipe's", "selfie", "selfie_segmentation.tflite")}  # fmt: skip
    for eye in sorted(missing):
        path = eyes[eye]
        if path is None:
            owner, name, file = files[eye]
            raise CheckpointError(
                f"{variant} needs {owner} weights: give {option(name)} {file}. docs/training.md says where to get it."
            )
        if eye == "people":
            assert isinstance(network, MaskNetwork) and network.people is not None
            network.people.load_movenet(path)
        else:
            assert network.selfie is not None
            network.selfie.load_mediapipe(path)


def mask_validation(data: DataFolder) -> dict[str, list[tuple[Bytes, Bytes]]]:
    """Pictures that are never trained on, by kind: (image, mask) pairs, longer side at most 640 px."""
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
    """Mean absolute difference to the annotation by kind of picture, with some pairs for the contact sheet."""
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
