"""The three networks: shapes, starting points, and what freezing leaves alone."""

from __future__ import annotations

import pytest
import torch

from bshm.training.network.encoder import Encoder
from bshm.training.network.mask import MaskNetwork
from bshm.training.network.matting import MattingNetwork
from bshm.training.network.quality import QualityNetwork


@pytest.mark.parametrize("variant", ["lite0", "lite2"])
def test_imagenet_weights_load_whole(variant: str) -> None:
    encoder = Encoder(variant)  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.load_imagenet()
    same = [n for n, v in encoder.state_dict().items() if v.equal(before[n]) and not n.endswith("num_batches_tracked")]
    assert same == []


def test_imagenet_weights_see_the_astronaut() -> None:
    """Features of a mirrored photograph are the mirrored features, more than those of noise: the padding is right."""
    import skimage

    encoder = Encoder("lite0").eval()
    encoder.load_imagenet()
    picture = torch.from_numpy(skimage.data.astronaut()[::2, ::2].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        straight, mirrored = encoder(picture)[3], encoder(picture.flip(-1))[3].flip(-1)
    likeness = torch.nn.functional.cosine_similarity(straight.flatten(1), mirrored.flatten(1)).item()
    # SAME padding at stride 2 is lopsided, so mirroring shifts by a pixel: 0.8 measured, 0.3 with wrong weights.
    assert likeness > 0.6


def test_the_mask_network_answers_at_the_pictures_size() -> None:
    assert MaskNetwork("lite0").eval()(torch.rand(1, 3, 96, 128)).shape == (1, 1, 96, 128)


def test_frozen_layers_do_not_learn() -> None:
    network = MaskNetwork("lite0")
    network.encoder.freeze_early()
    network.train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    network(torch.rand(2, 3, 64, 64)).mean().backward()
    stem = network.encoder._conv_stem.weight
    assert stem.grad is None
    assert network.encoder._bn0.running_mean is not None
    assert network.encoder._bn0.running_mean.equal(before["_bn0.running_mean"])


def test_unification_and_matting_begin_as_leave_it() -> None:
    image, mask, guide = torch.rand(1, 3, 64, 64), *(torch.rand(2, 1, 1, 64, 64) * 0.9 + 0.05)
    with torch.no_grad():
        assert torch.allclose(QualityNetwork().eval()(image, mask).sigmoid(), mask, atol=1e-5)
        alpha, foreground = MattingNetwork().eval()(image, mask, guide)
    # The guide starts it at most nine tenths sure.
    assert torch.allclose(alpha, guide.clamp(0.1, 0.9), atol=1e-5)
    assert torch.allclose(foreground, image)
