"""The small U-Net that the quality network is made of, and how a network corrects what it is given."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Double(nn.Sequential):
    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class SmallUNet(nn.Module):
    """Picture and mask in, one map or several out at the same resolution.

    The picture is folded 2x2 into channels first (pixel unshuffle): a quarter of the cost, and the unfolding at the
    end still writes every pixel by itself, so single hairs survive.

    Args of ``forward``:
        x: (N, channels_in, H, W), H and W multiples of 16.

    Returns of ``forward``:
        (N, channels_out, H, W).
    """

    def __init__(self, channels_in: int, channels_out: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.channels_out = channels_out
        self.down = nn.ModuleList()
        before = channels_in * 4
        for width in widths:
            self.down.append(_Double(before, width))
            before = width
        self.up = nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.up.append(_Double(before + width, width))
            before = width
        self.head = nn.Conv2d(before, channels_out * 4, 3, padding=1)
        # The network starts as "leave the mask as it is".
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(x, 2)
        skips = []
        for index, block in enumerate(self.down):
            x = block(x if index == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = block(torch.cat((twice(x), skip), dim=1))
        return F.pixel_shuffle(self.head(x), 2)


def twice(features: Tensor) -> Tensor:
    """Maps at twice their height and width, bilinear, with half-pixel centres."""
    return F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)


def logit(probability: Tensor, surest: float = 0.01) -> Tensor:
    """Inverse of the sigmoid, held finite: a sure mask can still be overruled.

    Args:
        probability: 0..1.
        surest: what lies nearer to 0 or 1 counts as this near.
    """
    held = probability.clamp(surest, 1 - surest)
    return torch.log(held) - torch.log1p(-held)
