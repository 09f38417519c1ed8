"""MRN, the matting refinement network: a native-resolution tile and its unified mask in, alpha and foreground out.

The mask comes in twice: enlarged as it is, which says how sure it was, and drawn to the picture's edges by the guided
filter, which the network then corrects.  From the enlarged mask alone it had to find every edge anew, and after 600
steps its gradient error on portraits was 11, where the filter has 6 without any training.

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
        guide: (N, 1, H, W), 0..1, the alpha that the guided filter makes of both.

    Returns of ``forward``:
        alpha (N, 1, H, W), 0..1, and straight foreground colour (N, 3, H, W), 0..1.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 96)) -> None:
        super().__init__()
        self.body = SmallUNet(5, 4, widths, narrow=True)

    def forward(self, image: Tensor, mask: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        change = self.body(torch.cat((image, mask, guide), dim=1) - 0.5)
        alpha = torch.sigmoid(logit(guide) + change[:, :1])
        return alpha, (image + change[:, 1:]).clamp(0, 1)
