"""The training signals of the three networks.

Source: Liu et al., CVPR 2020, section 3; the Laplacian pyramid term is that of Hou and Liu, "Context-Aware Image
Matting", ICCV 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mask_loss(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy, L1 (the paper's) and soft Dice between a predicted mask and its annotation.

    L1 alone starts slowly on a picture with few people pixels; Dice makes a small person weigh as much as a big one.

    Args:
        logits: (N, 1, H, W).
        target: (N, 1, H, W), 0..1.
        weight: (N, 1, H, W) or None, how far each pixel's annotation is believed.
    """
    weight = torch.ones_like(target) if weight is None else weight
    probability = logits.sigmoid()
    entropy = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).mean()
    absolute = ((probability - target).abs() * weight).mean()
    overlap = (probability * target * weight).sum((1, 2, 3))
    size = ((probability + target) * weight).sum((1, 2, 3))
    # An empty picture has no overlap to measure: the constant keeps its term near zero.
    dice = 1 - (2 * overlap + 20) / (size + 20)
    return entropy + absolute + 0.3 * dice.mean()
