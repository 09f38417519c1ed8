"""MoveNet's trunk: features that show where people and their limbs are, in any pose.

A few thousand portraits and street pictures show faces and upright bodies, but few people who sit, bend or lie.
MoveNet MultiPose was trained to find keypoints of people in all poses.  Its features are used, untrained, beside those
of the mask network's own encoder.

The layers are MobileNetV2 at 1.5 times the width, and a pyramid of features up to stride 4.  Normalisations are folded
into the convolutions, as its authors publish it.

Source: "MoveNet MultiPose Lightning", Google, Apache-2.0; Sandler et al., "MobileNetV2", CVPR 2018.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bshm.errors import CheckpointError
from bshm.training.network.encoder import SameConv
from bshm.training.network.unet import twice

# Stride and channels out of each block; every one but the first widens six times.
_BLOCKS = (
    (1, 24), (2, 40), (1, 40), (2, 48), (1, 48), (1, 48), (2, 96), (1, 96), (1, 96), (1, 96),
    (1, 144), (1, 144), (1, 144), (2, 240), (1, 240), (1, 240), (1, 480),
)  # fmt: skip
# The last block at strides 4, 8 and 16.
_TAPS = (2, 5, 9)
_KEYPOINTS = 17
_TRUNK = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1"
_HEADS = "StatefulPartitionedCall"


class _PeopleBlock(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int, *, widens: bool) -> None:
        super().__init__()
        wide = 6 * channels_in if widens else channels_in
        self.expand = SameConv(channels_in, wide, 1, 1, bias=True) if widens else nn.Identity()
        self.depthwise = SameConv(wide, wide, 3, stride, groups=wide, bias=True)
        self.project = SameConv(wide, channels_out, 1, 1, bias=True)
        self.widens = widens
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, features: Tensor) -> Tensor:
        x = F.relu6(self.expand(features)) if self.widens else features
        x = self.project(F.relu6(self.depthwise(x)))
        result: Tensor = x + features if self.residual else x
        return result


class _Separable(nn.Module):
    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.depthwise = SameConv(channels_in, channels_in, 3, 1, groups=channels_in)
        self.pointwise = SameConv(channels_in, channels_out, 1, 1, bias=True)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.pointwise(self.depthwise(features)))


class _Head(nn.Module):
    def __init__(self, channels_out: int) -> None:
        super().__init__()
        self.mix = _Separable(24, 96)
        self.out = SameConv(96, channels_out, 1, 1, bias=True)

    def forward(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.out(self.mix(features)))


class PeopleEncoder(nn.Module):
    """What MoveNet sees in a picture.  Nothing in it learns.

    Args of ``forward``:
        image: (N, 3, H, W) float32, RGB 0..1, H and W multiples of 32.

    Returns of ``forward``:
        four tensors (N, C, H/s, W/s) for s = 4, 8, 16, 32 with C = ``channels``: the pyramid, and at strides 4 and 16
        how much each pixel looks like each keypoint and like the middle of a person, 0..1.
    """

    channels = (24 + _KEYPOINTS + 1, 32, 64 + _KEYPOINTS + 1, 64)

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 48, 3, 2, bias=True)
        blocks = []
        channels_in = 48
        for index, (stride, channels_out) in enumerate(_BLOCKS):
            blocks.append(_PeopleBlock(channels_in, channels_out, stride, widens=index > 0))
            channels_in = channels_out
        self.blocks = nn.ModuleList(blocks)
        self.last = SameConv(channels_in, 1280, 1, 1, bias=True)
        self.beside32 = SameConv(1280, 64, 1, 1, bias=True)
        self.beside16 = SameConv(96, 64, 1, 1, bias=True)
        self.beside8 = SameConv(48, 32, 1, 1, bias=True)
        self.beside4 = SameConv(40, 24, 1, 1, bias=True)
        self.mix16, self.mix8, self.mix4 = _Separable(64, 32), _Separable(32, 24), _Separable(24, 24)
        self.keypoints, self.middle = _Head(_KEYPOINTS), _Head(1)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = F.relu6(self.stem(image * 2 - 1))
        taps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                taps.append(x)
        f4, f8, f16 = taps
        p32 = self.beside32(F.relu6(self.last(x)))
        p16 = twice(p32) + self.beside16(f16)
        p8 = twice(self.mix16(p16)) + self.beside8(f8)
        p4 = self.mix4(twice(self.mix8(p8)) + self.beside4(f4))
        where = torch.cat((self.keypoints(p4), self.middle(p4)), dim=1)
        return torch.cat((p4, where), dim=1), p8, torch.cat((p16, F.max_pool2d(where, 4)), dim=1), p32

    def load_movenet(self, path: Path) -> None:
        """Load the published weights: a TensorFlow.js graph, ``movenet-multipose.json`` with its ``.bin`` beside it.

        Raises:
            CheckpointError: they cannot be read or are of another network.
        """
        try:
            values = read_tfjs(path)
            self.load_state_dict({name: _weight(values, name) for name in self.state_dict()})
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise CheckpointError(f"{path} does not hold the weights of MoveNet MultiPose ({error}).") from error


def _weight(values: Mapping[str, npt.NDArray[np.float32]], name: str) -> Tensor:
    layer, kind = name.rsplit(".", 1)
    value = values[_published(layer, kind)]
    if kind == "bias":
        return torch.from_numpy(value.copy())
    # Height, width, in, out; a depthwise one has its channels where others have what goes in.
    axes = (2, 3, 0, 1) if layer.endswith("depthwise") else (3, 2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(value.transpose(axes)))


def _published(layer: str, kind: str) -> str:
    """The name under which the weights of a layer were published."""
    weights = "weights" if kind == "weight" else "bn_offset"
    read = "Conv2D/ReadVariableOp" if kind == "weight" else "BiasAdd/ReadVariableOp"
    pyramid = {"beside32": "conv2d", "beside16": "conv2d_1", "beside8": "conv2d_2", "beside4": "conv2d_3"}
    mixes = {"mix16": "separable_conv2d", "mix8": "separable_conv2d_1", "mix4": "separable_conv2d_2"}
    heads = {"keypoints": ("kpt_heatmap_0", 6, 7), "middle": ("center_0", 3, 4)}
    match layer.split("."):
        case ["stem"]:
            return f"{_TRUNK}/model/Conv1/Conv2D_{weights}"
        case ["last"]:
            return f"{_TRUNK}/model/Conv_1/Conv2D_{weights}"
        case ["blocks", index, part]:
            block = "expanded_conv" if index == "0" else f"block_{index}"
            operator = "depthwise" if part == "depthwise" else "Conv2D"
            return f"{_TRUNK}/model/{block}_{part}/{operator}_{weights}"
        case [name] if name in pyramid:
            return f"{_TRUNK}/{pyramid[name]}/{read}"
        case [name, "depthwise"]:
            return f"{_TRUNK}/{mixes[name]}/separable_conv2d/ReadVariableOp"
        case [name, "pointwise"]:
            return f"{_TRUNK}/{mixes[name]}/separable_conv2d_{weights}"
        case [name, "mix", "depthwise"]:
            return f"{_HEADS}/{heads[name][0]}/separable_conv2d_{heads[name][1]}/separable_conv2d/ReadVariableOp"
        case [name, "mix", "pointwise"]:
            conv = f"{_HEADS}/{heads[name][0]}/separable_conv2d_{heads[name][1]}"
            return f"{conv}/separable_conv2d/ReadVariableOp_1" if kind == "weight" else f"{conv}/BiasAdd/ReadVariableOp"
        case [name, "out"]:
            return f"{_HEADS}/{heads[name][0]}/conv2d_{heads[name][2]}/{read}"
        case _:
            raise KeyError(layer)


def read_tfjs(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The single-precision weights of a TensorFlow.js graph, some of them stored as half floats."""
    manifest = json.loads(path.read_text(encoding="utf-8"))["weightsManifest"]
    values = {}
    for group in manifest:
        data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        at = 0
        for entry in group["weights"]:
            stored = np.dtype(entry.get("quantization", entry)["dtype"])
            count = int(np.prod(entry["shape"]))
            if entry["dtype"] == "float32":
                value = np.frombuffer(data, stored, count, at).astype(np.float32)
                values[entry["name"]] = value.reshape(entry["shape"])
            at += count * stored.itemsize
    return values
