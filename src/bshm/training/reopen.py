"""Make a checkpoint from a model, to continue training when its checkpoints are gone.

Export folds each normalisation into the convolution before it.  Folded weights compute the same but cannot be trained
further: in training, a normalisation measures its input again and would divide out what was folded in.  So each
normalisation is put back such that it exactly undoes what it measures on some pictures.  The network then computes the
same as the ONNX file, and training starts from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from bshm.errors import CheckpointError
from bshm.training import checkpoints, people_outputs
from bshm.training.data import DataFolder
from bshm.training.fine_sampler import FineBatches, FinePools
from bshm.training.fine_stages import QUALITY_SIDE_PX, Networks, look
from bshm.training.mask_stage import MASK_SIDE_PX
from bshm.training.network.variants import VARIANTS
from bshm.training.sampler import fix_threads
from bshm.weights import store
from bshm.weights.card import Card

# The last stage of a model, by its networks.
_STAGES = {("mask",): "mask", ("mask", "quality"): "quality", ("mask", "matting", "quality"): "matting"}
# Used only in training and therefore not in the ONNX file; it starts untrained.
_TRAINING_ONLY = "coarse_head."
_BATCHES = 24
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class _Folded:
    """What an ONNX file holds of one network: weight and bias of each convolution, and of other norms, in order."""

    convolutions: Mapping[str, tuple[Tensor, Tensor | None]]
    norms: tuple[Tensor, ...]

    @classmethod
    def read(cls, data: bytes) -> _Folded:
        model = onnx.load_from_string(data)
        values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Cast" and node.input[0] in values:
                values[node.output[0]] = values[node.input[0]]

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.array(values[name], np.float32))

        convolutions = {}
        norms = []
        for node in model.graph.node:
            if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in values:
                path = node.input[1].removesuffix(".weight").removeprefix("network.")
                if path.startswith(people_outputs.PREFIX):  # published, and no part of what is trained
                    continue
                bias = tensor(node.input[2]) if len(node.input) > 2 and node.input[2] else None
                convolutions[path] = (tensor(node.input[1]), bias)
            elif node.op_type in ("Mul", "Add"):
                # The affine part of a group normalisation: the only constants with a value for each channel.
                norms += [tensor(name).flatten() for name in node.input if name in values and values[name].ndim == 3]
        return cls(convolutions, tuple(norms))


def pictures(data: Path, seed: int) -> FineBatches:
    """Composites to measure on, two at a time.

    Raises:
        DataFolderError: ``data`` lacks a set or one cannot be read.
    """
    fix_threads()
    return FineBatches(
        FinePools.load(DataFolder(data)), 2, first=0, count=_BATCHES, seed=seed,
        mask_side_px=MASK_SIDE_PX, quality_side_px=QUALITY_SIDE_PX,
    )  # fmt: skip


def checkpoint(card: Card, out: Path, batches: FineBatches) -> Path:
    """Write a checkpoint that ``card``'s files could have been exported from.

    Args:
        card: of a set that ``bshm export`` made.
        out: where the checkpoint goes.
        batches: pictures to measure on.

    Raises:
        CheckpointError: this version does not train networks like those in the files.
        ModelFileError: a file is missing or is not the one that the card describes.
    """
    stage = _STAGES.get(tuple(sorted(card.networks)))
    if stage is None:
        raise CheckpointError(
            f"{card.name} has the networks {', '.join(card.networks)}, which `bshm train` cannot make."
        )
    folded = {role: _Folded.read(store.read(card, network)) for role, network in card.networks.items()}
    networks = _shaped(card, folded["mask"])
    norms: dict[nn.BatchNorm2d, Tensor] = {}
    for role, parts in folded.items():
        norms |= _fill(card, networks.get_submodule(role), parts)
    networks.eval()
    with torch.no_grad():
        _measure(networks, norms, [batches[index] for index in range(len(batches))])
    state = (networks.mask if stage == "mask" else networks).state_dict()
    checkpoints.save(out, {
        "stage": stage, "describe": {"variant": networks.variant}, "step": 0, "figures": {}, "average": state,
        "reopened": {"name": card.name, "sha256": card.sha256},
    })  # fmt: skip
    return out


def _shaped(card: Card, mask: _Folded) -> Networks:
    """Networks with the mask network whose convolutions have the shapes of those in the file."""
    shapes = {path: tuple(weight.shape) for path, (weight, _) in mask.convolutions.items()}
    for variant in VARIANTS:
        networks = Networks(variant)
        own = {
            path: tuple(module.weight.shape)
            for path, module in networks.mask.named_modules()
            if isinstance(module, _CONVOLUTIONS) and not f"{path}.".startswith(_TRAINING_ONLY)
        }
        if own == shapes:
            return networks
    raise CheckpointError(f"the mask network of {card.name} has a shape that this version does not train.")


def _fill(card: Card, network: nn.Module, parts: _Folded) -> dict[nn.BatchNorm2d, Tensor]:
    """Load what the file holds; returns each normalisation that was folded with the bias it left."""
    left: dict[nn.BatchNorm2d, Tensor] = {}
    modules = list(network.named_modules())
    group_norms = iter(parts.norms)
    try:
        for at, (path, module) in enumerate(modules):
            if isinstance(module, nn.GroupNorm):
                module.weight.data.copy_(next(group_norms))
                module.bias.data.copy_(next(group_norms))
            if not isinstance(module, _CONVOLUTIONS) or f"{path}.".startswith(_TRAINING_ONLY):
                continue
            weight, bias = parts.convolutions[path]
            module.weight.data.copy_(weight)
            if module.bias is not None:
                assert bias is not None
                module.bias.data.copy_(bias)
            elif bias is not None:
                # In all of these networks the normalisation stands right after its convolution.
                norm = modules[at + 1][1]
                assert isinstance(norm, nn.BatchNorm2d)
                left[norm] = bias
    except (KeyError, RuntimeError, StopIteration, AssertionError) as error:
        raise CheckpointError(f"{card.name} holds networks of a shape that this version does not train.") from error
    return left


def _measure(networks: Networks, norms: Mapping[nn.BatchNorm2d, Tensor], batches: list[dict[str, Any]]) -> None:
    """Give each normalisation the mean and variance of its input, and the affine part that undoes them."""
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {norm: [] for norm in norms}
    for norm, bias in norms.items():
        _identity(norm, bias)

    def listen(norm: nn.BatchNorm2d) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hear(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
            mean = mean.double()
            sums[norm].append(torch.stack((mean, variance.double() + mean * mean)))

        return hear

    handles = [norm.register_forward_pre_hook(listen(norm)) for norm in norms]
    for batch in batches:
        look(networks, batch)
    for handle in handles:
        handle.remove()
    for norm, bias in norms.items():
        if not sums[norm]:
            continue
        mean, square = torch.stack(sums[norm]).mean(0)
        variance = (square - mean * mean).clamp_min(1e-8)
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(bias + mean)


def _identity(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    norm.running_mean.zero_()  # type: ignore[union-attr]
    norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
    norm.weight.data.fill_(1.0)
    norm.bias.data.copy_(bias)
