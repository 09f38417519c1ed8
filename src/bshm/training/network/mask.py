"""The mask prediction network (MPN in the paper): from a picture to a mask of its people.

Source: Liu et al., "Boosting Semantic Human Matting with Coarse Annotations", CVPR 2020, section 3.1.  The
paper's plain U-Net is replaced by an encoder with ImageNet's weights, because there are only a few thousand pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bshm.training.network.encoder import Encoder, Variant
from bshm.training.network.people import PeopleEncoder
from bshm.training.network.selfie import SelfieNetwork
from bshm.training.network.unet import twice

# How often training goes without one of those who see: the deeper features of the encoder, those of MoveNet, what
# MediaPipe believes.  So none is leaned on alone: on strangers' pictures each fails at times.
_WITHOUT_OWN, _WITHOUT_PEOPLE, WITHOUT_SELFIE = 0.08, 0.06, 0.2
# Channels that MoveNet's features have beside the encoder's own, at strides 4, 8, 16 and 32.
_BROUGHT_WIDTHS = (24, 32, 64, 64)


class Separable(nn.Sequential):
    """Depthwise 3x3, then pointwise: a third of the time of a plain 3x3 at these widths on a CPU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False),
            nn.BatchNorm2d(channels_in),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class Pointwise(nn.Sequential):
    """Features brought to another width and scale, pixel by pixel."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)
        )


class Up(nn.Module):
    """Features enlarged twice and mixed with those of the encoder at that stride."""

    def __init__(self, channels_in: int, channels_skip: int, channels_out: int) -> None:
        super().__init__()
        self.reduce = Pointwise(channels_in + channels_skip, channels_out)
        self.mix = nn.Sequential(Separable(channels_out, channels_out), Separable(channels_out, channels_out))

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        up = twice(features)
        mixed: Tensor = self.mix(self.reduce(torch.cat((up, skip), dim=1)))
        return mixed


class Context(nn.Module):
    """Every cell of the coarsest map sees the whole picture: self-attention plus the global mean.

    A convolution at stride 32 still decides locally; whether a blob is a person's leg or a bag beside it is
    decided by what else is in the picture.
    """

    def __init__(self, channels_in: int, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Sequential(nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.feed = nn.Sequential(
            nn.GroupNorm(1, channels),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * channels, channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        x = self.project(features)
        x = x + self.position(x)
        n, c, h, w = x.shape
        q, k, v = self.query_key_value(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, h * w).unbind(1)
        scores = (q.transpose(-1, -2) @ k) * (c // self.heads) ** -0.5
        mixed = (v @ scores.softmax(-1).transpose(-1, -2)).reshape(n, c, h, w)
        x = x + self.out(mixed)
        fed: Tensor = x + self.feed(x)
        return fed


class MaskNetwork(nn.Module):
    """Mask prediction.

    Args:
        variant: of the encoder that learns.
        people: whether MoveNet's features stand beside the encoder's from stride 4 on.
        selfie: whether what MediaPipe believes stands beside the features from stride 2 to 16.
        widths: of the decoder, from stride 16 to stride 2.

    Args of ``forward``:
        image: (N, 3, H, W) float32, RGB 0..1, H and W multiples of 32.

    Returns of ``forward``:
        mask logits (N, 1, H, W) float32; their sigmoid is the probability that a pixel shows a person.
    """

    def __init__(
        self,
        variant: Variant = "lite0",
        *,
        people: bool = False,
        selfie: bool = False,
        widths: tuple[int, int, int, int] = (96, 64, 40, 24),
    ) -> None:
        super().__init__()
        self.encoder = Encoder(variant)
        c2, c4, c8, c16, c32 = self.encoder.channels
        self.people = PeopleEncoder() if people else None
        if people:
            self.brought = nn.ModuleList(
                Pointwise(channels, width)
                for channels, width in zip(PeopleEncoder.channels, _BROUGHT_WIDTHS, strict=True)
            )
            c4, c8, c16, c32 = (c + width for c, width in zip((c4, c8, c16, c32), _BROUGHT_WIDTHS, strict=True))
        self.selfie = SelfieNetwork() if selfie else None
        if selfie:
            c2, c4, c8, c16 = (c + 1 for c in (c2, c4, c8, c16))
        self.context = Context(c32, 128)
        self.up16 = Up(128, c16, widths[0])
        self.up8 = Up(widths[0], c8, widths[1])
        self.up4 = Up(widths[1], c4, widths[2])
        self.up2 = Up(widths[2], c2, widths[3])
        self.head = nn.Conv2d(widths[3], 1, 3, padding=1)
        # A second opinion at stride 8, in training only: it makes the coarse levels carry the meaning.
        self.coarse_head = nn.Conv2d(widths[1], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.predict(image)[0]

    def predict(self, image: Tensor, seen: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """As ``forward``, and beside it the logits (N, 1, H/8, W/8) of the coarse levels alone.

        Args:
            image: see ``forward``.
            seen: what ``people`` gives for it, where that is known already.
        """
        f2, *deeper = self.encoder(image)
        # One draw a picture decides who is left out of it.
        draw = torch.rand(len(image), 1, 1, 1, device=image.device) if self.training else None
        if self.people is not None:
            brought = [bring(x) for bring, x in zip(self.brought, seen or self.people(image), strict=True)]
            if draw is not None:
                # Strides 4 and 8 tell edges and small parts; what they are is told from 16 on.
                own = (draw >= _WITHOUT_OWN).to(image.dtype)
                other = ((draw < _WITHOUT_OWN) | (draw >= _WITHOUT_OWN + _WITHOUT_PEOPLE)).to(image.dtype)
                deeper[2:] = [x * own for x in deeper[2:]]
                brought[2:] = [x * other for x in brought[2:]]
            deeper = [torch.cat(pair, dim=1) for pair in zip(deeper, brought, strict=True)]
        skips = [f2, *deeper[:3]]
        if self.selfie is not None:
            belief = F.interpolate(self.selfie(image), f2.shape[-2:], mode="bilinear", align_corners=False) - 0.5
            if draw is not None:
                belief = belief * (draw < 1 - WITHOUT_SELFIE).to(image.dtype)
            for index, skip in enumerate(skips):
                skips[index] = torch.cat((skip, belief), dim=1)
                belief = F.avg_pool2d(belief, 2)
        f2, f4, f8, f16 = skips
        d8 = self.up8(self.up16(self.context(deeper[3]), f16), f8)
        d2 = self.up2(self.up4(d8, f4), f2)
        return twice(self.head(d2)), self.coarse_head(d8)

    def grow_from(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights of a network that sees with fewer eyes; those that it lacks are not listened to yet.

        Raises:
            RuntimeError: the weights are of another network, as ``load_state_dict`` says it.
        """
        grow(self, weights, ("people.", "brought.", "selfie."))


def grow(network: nn.Module, weights: Mapping[str, Tensor], added: tuple[str, ...]) -> None:
    """Load the weights of a network that has fewer parts and narrower inputs.

    Args:
        network: with all its parts.
        weights: by name.
        added: what the names of parts begin with that may be missing; they stay as they are.

    Raises:
        RuntimeError: the weights are of another network, as ``load_state_dict`` says it.
    """
    own = network.state_dict()
    grown = {name: value for name, value in own.items() if name.startswith(added) and name not in weights}
    for name, value in weights.items():
        # The features that were there stand first in what goes in.
        missing = own[name].shape[1] - value.shape[1] if name in own and value.ndim == 4 else 0
        grown[name] = F.pad(value, (0, 0, 0, 0, 0, missing)) if missing > 0 else value
    network.load_state_dict(grown)
