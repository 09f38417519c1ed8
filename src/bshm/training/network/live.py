"""The mask network for video calls: a frame of 256x160 in a few milliseconds of one core.

An encoder spends most of its time in the first layers at full resolution, which find edges.  Here the encoder sees the
picture at half the size, and a small branch of two convolutions adds the edges.

MediaPipe's selfie segmentation, which knows people in front of a camera, sees the frame in its own shape; how far it is
trusted is learned, cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bshm.training.network.encoder import Encoder
from bshm.training.network.mask import WITHOUT_SELFIE, Context, Separable, Up, grow
from bshm.training.network.selfie import SelfieNetwork
from bshm.training.network.unet import twice

# How far MediaPipe's logits are trusted at first: as much as our own, nearly; and how sure it may be at most.
_TRUSTED, _SUREST = 0.75, 7.0


class LiveNetwork(nn.Module):
    """Mask prediction, small.

    Args:
        selfie: whether what MediaPipe believes stands beside the features, and counts in the answer.
        widths: of the decoder, from stride 16 to stride 4, and of the edges.

    Args of ``forward``:
        image: (N, 3, H, W) float32, RGB 0..1, H and W multiples of 32.

    Returns of ``forward``:
        mask logits (N, 1, H/2, W/2) float32; their sigmoid is the probability that a pixel shows a person.  Half
        the size, for the filter behind takes most of a frame's time otherwise (benchmarks/live.py).
    """

    def __init__(self, *, selfie: bool = False, widths: tuple[int, int, int, int] = (64, 40, 24, 16)) -> None:
        super().__init__()
        self.encoder = Encoder("lite0")
        c2, c4, c8, c16, _ = self.encoder.channels
        # What follows stride 16 is a third of the weights, for pictures four times as large.
        self.encoder.drop_last()
        self.selfie = SelfieNetwork() if selfie else None
        if selfie:
            c2, c4, c8 = (c + 1 for c in (c2, c4, c8))
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
        if selfie:
            self.trust = nn.Conv2d(widths[3], 1, 1)
            assert self.trust.bias is not None
            nn.init.zeros_(self.trust.weight)
            nn.init.constant_(self.trust.bias, _TRUSTED)
        self.coarse_head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self._half(image)[0]

    def predict(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The logits (N, 1, H, W), and beside them those (N, 1, H/16, W/16) of the coarse levels alone."""
        half, coarse = self._half(image)
        return twice(half), coarse

    def _half(self, image: Tensor) -> tuple[Tensor, Tensor]:
        skips = list(self.encoder(F.avg_pool2d(image, 2)))
        believed = self._believed(image)
        if believed is not None:
            belief = torch.sigmoid(believed) - 0.5
            for index in range(3):
                belief = F.avg_pool2d(belief, 2)
                skips[index] = torch.cat((skips[index], belief), dim=1)
        f2, f4, f8, f16 = skips
        d8 = self.up8(self.context(f16), f8)
        d2 = self.up2(self.up4(d8, f4), f2)
        up = twice(d2)
        joined = self.join(torch.cat((up, self.edges(image - 0.5)), dim=1))
        logits = self.head(joined)
        if believed is not None:
            logits = logits + self.trust(joined) * believed
        return logits, self.coarse_head(d8)

    def _believed(self, image: Tensor) -> Tensor | None:
        """MediaPipe's logits (N, 1, H/2, W/2); training goes without them at times, so that it leans on nobody."""
        if self.selfie is None:
            return None
        believed = self.selfie.at_half(image).clamp(-_SUREST, _SUREST)
        if self.training:
            heard = torch.rand(len(image), 1, 1, 1, device=image.device) >= WITHOUT_SELFIE
            believed = believed * heard.to(image.dtype)
        return believed

    def grow_from(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights of a network that may see without MediaPipe; see ``MaskNetwork.grow_from``."""
        grow(self, weights, ("selfie.", "trust."))
