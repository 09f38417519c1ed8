"""The quality unification network (QUN in the paper): from an image and any mask to a mask of even quality.

Masks come from many sources, and the mask network is sure in some places and vague in others.  So that the matting
network does not have to learn all of their properties, this network gives masks the same form, sure only where the
picture is clear.

Source: Liu et al., "Boosting Semantic Human Matting with Coarse Annotations", CVPR 2020, section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bshm.training.network.unet import SmallUNet, logit


class QualityNetwork(nn.Module):
    """Quality unification.

    Args of ``forward``:
        image: (N, 3, H, W), RGB 0..1, H and W multiples of 32.
        mask: (N, 1, H, W), 0..1.

    Returns of ``forward``:
        logits (N, 1, H, W) of the unified mask.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48, 80, 96)) -> None:
        super().__init__()
        self.body = SmallUNet(4, 1, widths)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        change: Tensor = self.body(torch.cat((image - 0.5, mask - 0.5), dim=1))
        return logit(mask) + change
