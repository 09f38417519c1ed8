"""MediaPipe's belief beside the mask network's own features: it stays what was published, and is listened to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bshm.errors import CheckpointError
from bshm.training.network.live import LiveNetwork
from bshm.training.network.mask import MaskNetwork
from bshm.training.network.selfie import SelfieNetwork
from bshm.training.network.variants import lacks


def test_a_network_that_does_not_listen_yet_computes_what_it_did() -> None:
    torch.manual_seed(1)
    before, grown = MaskNetwork("lite0").eval(), MaskNetwork("lite0", selfie=True).eval()
    grown.grow_from(before.state_dict())
    image = torch.rand(2, 3, 96, 64)
    with torch.no_grad():
        expected = before(image)
        assert torch.allclose(grown(image), expected, atol=1e-4)  # sums in another order
        # And it can learn to: what reads the belief gets a gradient.
    grown.train()
    grown(image).sum().backward()
    assert grown.up2.reduce[0].weight.grad[:, -1].abs().max() > 0  # type: ignore[index]


def test_what_it_believes_never_learns() -> None:
    network = MaskNetwork("lite0", selfie=True).train()
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    assert network.selfie is not None
    assert all(parameter.grad is None for parameter in network.selfie.parameters())


def test_any_picture_is_seen_as_a_square() -> None:
    network = SelfieNetwork().eval()
    for size in ((320, 192), (97, 64)):
        belief = network(torch.rand(1, 3, *size))
        assert belief.shape == (1, 1, 256, 256) and belief.min() >= 0 and belief.max() <= 1


class _Ones(torch.nn.Module):
    """Features that are one everywhere."""

    def __init__(self, channels: tuple[int, ...], first: int) -> None:
        super().__init__()
        self.channels, self.first = channels, first

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sides = [image.shape[-1] // (self.first * 2**index) for index in range(len(self.channels))]
        return tuple(torch.ones(len(image), c, s, s) for c, s in zip(self.channels, sides, strict=True))


def test_training_goes_without_each_of_those_who_see_at_times() -> None:
    torch.manual_seed(0)
    network = MaskNetwork("lite0", people=True, selfie=True)
    own = network.encoder.channels[-1]
    network.encoder = _Ones(network.encoder.channels, 2)  # type: ignore[assignment]
    assert network.people is not None
    network.people = _Ones(network.people.channels, 4)  # type: ignore[assignment]
    heard: dict[str, torch.Tensor] = {}
    network.context.register_forward_pre_hook(lambda _, given: heard.update(deep=given[0]))
    network.up2.register_forward_pre_hook(lambda _, given: heard.update(shallow=given[1]))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # so that pictures of a batch do not hear of each other
    with torch.no_grad():
        network(torch.rand(1, 3, 64, 64).expand(64, -1, -1, -1))
    parts = (heard["deep"][:, :own], heard["deep"][:, own:], heard["shallow"][:, -1:])
    left_out = {tuple(bool((part[n] == 0).all()) for part in parts) for n in range(64)}
    assert left_out == {(False, False, False), (True, False, False), (False, True, False), (False, False, True)}


@pytest.mark.parametrize("content", [b"", b"not a flatbuffer", bytes(64)])
def test_a_file_that_is_not_mediapipes_is_named(tmp_path: Path, content: bytes) -> None:
    wrong = tmp_path / "wrong.tflite"
    wrong.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"wrong\.tflite does not hold the weights of MediaPipe's selfie"):
        SelfieNetwork().load_mediapipe(wrong)


def test_a_variant_says_what_another_lacks() -> None:
    assert lacks("lite2-people-selfie", "lite2-people") == {"selfie"}
    assert lacks("lite2-people", "lite2-people-selfie") is None


def test_in_its_own_shape_it_believes_the_same_at_half_the_size() -> None:
    torch.manual_seed(2)
    network, image = SelfieNetwork().eval(), torch.rand(1, 3, 256, 256)
    found = network.at_half(image)
    assert network.at_half(image[..., :160]).shape == (1, 1, 128, 80)
    # The mean of four logits; a sigmoid in single precision gives back five digits of one.
    logits = torch.logit(network(image).double())
    assert torch.allclose(found, torch.nn.functional.avg_pool2d(logits, 2).float(), atol=1e-3)


def test_the_network_for_calls_begins_with_both_answers_and_learns_whom_to_trust() -> None:
    torch.manual_seed(3)
    alone, both = LiveNetwork().eval(), LiveNetwork(selfie=True).eval()
    both.grow_from(alone.state_dict())
    assert both.selfie is not None
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        believed = both.selfie.at_half(image).clamp(-7, 7)
        assert torch.allclose(both(image), alone(image) + 0.75 * believed, atol=1e-4)  # sums in another order
    both.train()
    both(image).square().sum().backward()
    assert both.trust.weight.grad is not None and both.trust.weight.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in both.selfie.parameters())


def test_a_network_for_calls_can_be_given_mediapipes_eyes() -> None:
    assert lacks("live-selfie", "live") == {"selfie"}
    assert lacks("live-selfie", "lite0") is None
