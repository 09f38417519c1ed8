"""MRN, the matting refinement network: a native-resolution tile and its unified mask in, alpha and foreground out.

Source: Liu et al., "Boosting Semantic Human Matting with Coarse Annotations", CVPR 2020, section 3.3.  The paper's
network sees the whole picture; this one sees tiles where the unified mask is unsure, so that cost follows the edge
and not the area, and a 24-megapixel picture is matted at 24 megapixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bshm.training.network.unet import SmallUNet, logit


class MattingNetwork(nn.Module):
    """Matting refinement.

    Args of ``forward``:
        image: (N, 3, H, W), RGB 0..1, native resolution, H and W multiples of 16.
        mask: (N, 1, H, W), 0..1, the unified mask enlarged.

    Returns of ``forward``:
        alpha (N, 1, H, W), 0..1, and straight foreground colour (N, 3, H, W), 0..1.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48, 64)) -> None:
        super().__init__()
        self.body = SmallUNet(4, 4, widths)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        change = self.body(torch.cat((image - 0.5, mask - 0.5), dim=1))
        alpha = torch.sigmoid(logit(mask) + change[:, :1])
        return alpha, (image + change[:, 1:]).clamp(0, 1)
