"""The matting refinement network (MRN in the paper): from a native-resolution tile and its mask to alpha and colour.

The input has the mask twice: enlarged, which shows how sure it is, and aligned to the picture's edges by the guided
filter, which the network then corrects.  With only the enlarged mask, the network has to find every edge by itself:
after 600 steps its gradient error on portraits was 11, while the filter alone has 6.

The picture goes through an encoder with ImageNet's weights: the colour of dark threads beside a neck does not tell hair
from a fence, and a few dozen heads are too few to learn the difference.

Source: Liu et al., "Boosting Semantic Human Matting with Coarse Annotations", CVPR 2020, section 3.3.  The paper's
network sees the whole picture; this one sees tiles where the unified mask is unsure, so that cost follows the edge
and not the area, and a 24-megapixel picture is matted at 24 megapixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bshm.training.network.encoder import Encoder
from bshm.training.network.unet import logit, twice

# The guide starts the answer at most this sure.  A sigmoid's slope is a twenty-fifth at a
# hundredth of what it is at one half: strands that the guide has missed would hardly be learned from there.
_GUIDE_SURE = 0.1


class _Join(nn.Sequential):
    """Features from below and from beside brought to one width by single pixels, then mixed."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class MattingNetwork(nn.Module):
    """Matting refinement.

    Args of ``forward``:
        image: (N, 3, H, W), RGB 0..1, native resolution, H and W multiples of 16.
        mask: (N, 1, H, W), 0..1, the unified mask enlarged.
        guide: (N, 1, H, W), 0..1, the alpha that the guided filter makes of both.

    Returns of ``forward``:
        alpha (N, 1, H, W), 0..1, and straight foreground colour (N, 3, H, W), 0..1.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (96, 64, 48, 32)) -> None:
        super().__init__()
        self.encoder = Encoder("lite0")
        self.encoder.drop_last()
        c2, c4, c8, c16 = self.encoder.channels[:4]
        # What is known of alpha stands beside the picture's features at every scale.
        self.bottom = _Join(c16 + 2, widths[0])
        self.up8 = _Join(widths[0] + c8 + 2, widths[1])
        self.up4 = _Join(widths[1] + c4 + 2, widths[2])
        # The encoder's first step halves the picture; its pixels themselves come in here, folded 2x2 into channels.
        self.pixels = nn.Sequential(
            nn.Conv2d(5 * 4, widths[3], 3, padding=1, bias=False), nn.BatchNorm2d(widths[3]), nn.ReLU(inplace=True)
        )
        self.up2 = _Join(widths[2] + c2 + widths[3], widths[3])
        self.head = nn.Conv2d(widths[3], 4 * 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, image: Tensor, mask: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        f2, f4, f8, f16 = self.encoder(image)
        known = torch.cat((mask, guide), dim=1) - 0.5
        k4 = F.avg_pool2d(known, 4)
        k8 = F.avg_pool2d(k4, 2)
        k16 = F.avg_pool2d(k8, 2)
        x = self.bottom(torch.cat((f16, k16), dim=1))
        x = self.up8(torch.cat((twice(x), f8, k8), dim=1))
        x = self.up4(torch.cat((twice(x), f4, k4), dim=1))
        pixels = self.pixels(F.pixel_unshuffle(torch.cat((image - 0.5, known), dim=1), 2))
        x = self.up2(torch.cat((twice(x), f2, pixels), dim=1))
        # The unfolding writes every pixel by itself, so single hairs survive.
        change = F.pixel_shuffle(self.head(x), 2)
        alpha = torch.sigmoid(logit(guide, _GUIDE_SURE) + change[:, :1])
        return alpha, (image + change[:, 1:]).clamp(0, 1)

    def train(self, mode: bool = True) -> MattingNetwork:
        """As ``nn.Module.train``; the encoder keeps the statistics of ImageNet's many pictures."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self
