"""The mask network for video calls: a frame of 256x160 in a few milliseconds of one core.

It begins as MediaPipe's selfie segmentation, which knows people before a camera, and learns on from there: frames in
their own shape instead of squares, people of all sizes and in all places, and places with nobody.  Attention over the
deepest features, which MediaPipe lacks, lets every part of the picture hear of the others.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bshm.training.network.mask import Context
from bshm.training.network.selfie import SelfieTrunk
from bshm.training.network.unet import twice

_CONTEXT = 64


class LiveNetwork(nn.Module):
    """Mask prediction, small.

    Args of ``forward``:
        image: (N, 3, H, W) float32, RGB 0..1, H and W multiples of 32.

    Returns of ``forward``:
        mask logits (N, 1, H/2, W/2) float32; their sigmoid is the probability that a pixel shows a person.  Half
        the size, for the filter behind takes most of a frame's time otherwise (benchmarks/live.py).
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SelfieTrunk()
        deepest, coarse, fine = SelfieTrunk.channels
        self.context = Context(deepest, _CONTEXT)
        self.told = nn.Conv2d(_CONTEXT, deepest, 1)
        nn.init.zeros_(self.told.weight)
        assert self.told.bias is not None
        nn.init.zeros_(self.told.bias)
        self.head = nn.Conv2d(fine, 1, 1)
        self.coarse_head = nn.Conv2d(coarse, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self._half(image)[0]

    def predict(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The logits (N, 1, H, W), and beside them those (N, 1, H/8, W/8) of the coarse levels alone."""
        half, coarse = self._half(image)
        return twice(half), coarse

    def _half(self, image: Tensor) -> tuple[Tensor, Tensor]:
        f2, f4, f8, deepest = self.encoder.down(image)
        d8, d2 = self.encoder.up(f2, f4, f8, deepest + self.told(self.context(deepest)))
        return self.head(d2), self.coarse_head(d8)

    @torch.no_grad()
    def load_mediapipe(self, path: Path) -> None:
        """Begin as MediaPipe's selfie segmentation, its mask at half the size; see ``SelfieTrunk``."""
        weight, bias = self.encoder.load_mediapipe(path)
        # It writes each cell of stride 2 as four pixels; their mean is the cell.
        self.head.weight.copy_(weight.mean((2, 3)).reshape(1, -1, 1, 1))
        assert self.head.bias is not None
        self.head.bias.copy_(bias)
