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


def unification_loss(logits: Tensor, target: Tensor) -> Tensor:
    """L1 to the true alpha at the quality network's scale, its soft band counted four times, plus cross-entropy.

    Cross-entropy makes the mask sure of itself away from the edge, which is what decides where tiles are run.
    """
    weight = 1 + 3 * _soft_band(target)
    absolute = ((logits.sigmoid() - target).abs() * weight).mean()
    return absolute + 0.3 * F.binary_cross_entropy_with_logits(logits, target)


def matting_loss(alpha: Tensor, target: Tensor) -> Tensor:
    """Alpha L1 (the soft band counted four times), gradient L1 (twice) and squared (six times), Laplacian pyramid L1.

    Where it cannot be known whether a strand is there, L1 asks for the likelier of both, which is mostly none; the
    square asks for the mean, a faint strand.
    """
    weight = 1 + 3 * _soft_band(target)
    absolute = ((alpha - target).abs() * weight).mean()
    across, down = _steps(alpha - target)
    squared = across.square().mean() + down.square().mean()
    return absolute + 2 * gradient_difference(alpha, target) + 6 * squared + _laplacian(alpha, target)


def composition_loss(alpha: Tensor, foreground: Tensor, background: Tensor, image: Tensor, known: Tensor) -> Tensor:
    """L1 between the picture and what alpha and foreground make of its true background.

    Args:
        known: (N, 1, 1, 1), 1 where the background is the true one.
    """
    made = alpha * foreground + (1 - alpha) * background
    return ((made - image).abs() * known).mean()


def foreground_loss(foreground: Tensor, target: Tensor, alpha: Tensor, known: Tensor) -> Tensor:
    """L1 of the colour where the true alpha shows any of it."""
    return ((foreground - target).abs() * (alpha > 0.02) * known).mean()


def _soft_band(alpha: Tensor) -> Tensor:
    soft = ((alpha > 0.01) & (alpha < 0.99)).float()
    return F.max_pool2d(soft, 5, stride=1, padding=2)


def gradient_difference(found: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the steps from pixel to pixel, across plus down."""
    across, down = _steps(found - target)
    return across.abs().mean() + down.abs().mean()


def _steps(plane: Tensor) -> tuple[Tensor, Tensor]:
    """From each pixel to the next, across and down."""
    return plane[..., :, 1:] - plane[..., :, :-1], plane[..., 1:, :] - plane[..., :-1, :]


def _laplacian(found: Tensor, target: Tensor, levels: int = 4) -> Tensor:
    """All levels count alike.

    Weighed by 2 to the level, as in the source, regions that the mask took wrongly outweigh the strands, and strands
    are what a network that sees tiles can mend.
    """
    difference, total = found - target, found.new_zeros(())
    for _ in range(levels):
        coarse = F.avg_pool2d(difference, 2)
        back = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        total = total + (difference - back).abs().mean()
        difference = coarse
    return total
