"""The mask network for video calls: a frame of 256x160 in a few milliseconds of one core.

An encoder spends most of its time in the first layers at full resolution, which find edges.  Here the encoder sees the
picture at half the size, and a small branch of two convolutions adds the edges.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bshm.training.network.encoder import Encoder
from bshm.training.network.mask import Context, Separable, Up
from bshm.training.network.unet import twice


class LiveNetwork(nn.Module):
    """Mask prediction, small.

    Args of ``forward``:
        image: (N, 3, H, W) float32, RGB 0..1, H and W multiples of 32.

    Returns of ``forward``:
        mask logits (N, 1, H/2, W/2) float32; their sigmoid is the probability that a pixel shows a person.  Half
        the size, for the filter behind takes most of a frame's time otherwise (benchmarks/live.py).
    """

    def __init__(self, widths: tuple[int, int, int, int] = (64, 40, 24, 16)) -> None:
        super().__init__()
        self.encoder = Encoder("lite0")
        c2, c4, c8, c16, _ = self.encoder.channels
        # What follows stride 16 is a third of the weights, for pictures four times as large.
        self.encoder.drop_last()
        self.context = Context(c16, 64)
        self.up8 = Up(64, c8, widths[0])
        self.up4 = Up(widths[0], c4, widths[1])
        self.up2 = Up(widths[1], c2, widths[2])
        self.edges = nn.Sequential(
            nn.Conv2d(3, widths[3], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[3]),
            nn.ReLU(inplace=True),
        )
        self.join = Separable(widths[2] + widths[3], widths[3])
        self.head = nn.Conv2d(widths[3], 1, 3, padding=1)
        self.coarse_head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self._half(image)[0]

    def predict(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The logits (N, 1, H, W), and beside them those (N, 1, H/16, W/16) of the coarse levels alone."""
        half, coarse = self._half(image)
        return twice(half), coarse

    def _half(self, image: Tensor) -> tuple[Tensor, Tensor]:
        f2, f4, f8, f16 = self.encoder(F.avg_pool2d(image, 2))
        d8 = self.up8(self.context(f16), f8)
        d2 = self.up2(self.up4(d8, f4), f2)
        up = twice(d2)
        joined = self.join(torch.cat((up, self.edges(image - 0.5)), dim=1))
        return self.head(joined), self.coarse_head(d8)
