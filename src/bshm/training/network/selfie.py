"""MediaPipe's selfie segmentation, whose mask is an input of the mask network's decoder.

It has a thirtieth of the mask network's parameters and knows casual portraits better than networks trained on a few
thousand pictures; on other pictures it is often wrong.  It is not trained; the mask network learns when to trust it.

The layers are a small MobileNetV3 with a decoder that weighs its skips by their global mean.  Normalisations are
folded into the convolutions, as its authors publish it.

Source: "MediaPipe Selfie Segmentation", Google, Apache-2.0; the file is in the wheel of mediapipe 0.10.14.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bshm.errors import CheckpointError, MissingExtraError
from bshm.training.network.encoder import SameConv
from bshm.training.network.unet import twice

# Height and width that it sees every picture at, stretched, as MediaPipe feeds it.
_SEEN_HW = (256, 256)
# Channels, channels inside the block, and of its weighing by the global mean; all at stride 16.
_DEEP = ((32, 128, 32), (32, 128, 32), (32, 96, 24), (32, 96, 24))


def _conv(channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> SameConv:
    return SameConv(channels_in, channels_out, kernel, stride, groups=groups, bias=True)


class _Weighed(nn.Module):
    """Channels weighed by what their global means say."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.narrow, self.widen = _conv(channels, inner), _conv(inner, channels)

    def forward(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.widen(F.relu(self.narrow(features.mean((2, 3), keepdim=True)))))


class _SelfieBlock(nn.Module):
    """Widen, depthwise convolution, weigh where ``inner``, narrow; hard swish at stride 16, else ReLU."""

    def __init__(self, channels_in: int, wide: int, channels_out: int, *, kernel: int, stride: int, inner: int) -> None:
        super().__init__()
        self.expand = _conv(channels_in, wide)
        self.depthwise = _conv(wide, wide, kernel, stride, groups=wide)
        self.weighed = _Weighed(wide, inner) if inner else None
        self.project = _conv(wide, channels_out)
        self.swish = kernel == 5
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, features: Tensor) -> Tensor:
        act = F.hardswish if self.swish else F.relu
        x = act(self.depthwise(act(self.expand(features))))
        if self.weighed is not None:
            x = x * self.weighed(x)
        x = self.project(x)
        result: Tensor = x + features if self.residual else x
        return result


class _Up(nn.Module):
    """Features enlarged twice and joined with those of the way down."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.reduce = _conv(channels_in, channels)
        self.weighed = _Weighed(channels, channels)
        self.mix = _conv(channels, channels)
        self.depthwise = _conv(channels, channels, 3, groups=channels)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        up = self.reduce(twice(features))
        x = F.relu(self.mix(skip * self.weighed(skip + up) + up))
        return x + F.relu(self.depthwise(x))


class SelfieNetwork(nn.Module):
    """What MediaPipe believes of a picture.  It never learns.

    Args of ``forward``:
        image: (N, 3, H, W) float32, RGB 0..1, of any size.

    Returns of ``forward``:
        mask (N, 1, 256, 256) float32, 0..1, the picture stretched to a square.
    """

    def __init__(self) -> None:
        super().__init__()
        # In the order in which the published graph runs them: its weights are taken in that order.
        self.stem = _conv(3, 16, 3, 2)
        self.down4 = _SelfieBlock(16, 16, 16, kernel=3, stride=2, inner=8)
        self.down8 = nn.Sequential(
            _SelfieBlock(16, 72, 24, kernel=3, stride=2, inner=0), _SelfieBlock(24, 88, 24, kernel=3, stride=1, inner=0)
        )
        self.down16 = nn.Sequential(
            _SelfieBlock(24, 96, 32, kernel=5, stride=2, inner=24),
            *(_SelfieBlock(32, wide, out, kernel=5, stride=1, inner=inner) for out, wide, inner in _DEEP),
        )
        self.bottom, self.bottom_weight = _conv(32, 128), _conv(32, 128)
        self.up8, self.up4, self.up2 = _Up(128, 24), _Up(24, 16), _Up(16, 16)
        self.head = nn.ConvTranspose2d(16, 1, 2, stride=2)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        seen = F.interpolate(image, _SEEN_HW, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.head(self._features(seen)))

    @torch.no_grad()
    def at_half(self, image: Tensor) -> Tensor:
        """Logits (N, 1, H/2, W/2) of a picture in its own shape; H and W are multiples of 16.

        The last layer writes each cell of stride 2 as four pixels; their mean is the cell.
        """
        weight = self.head.weight.mean((2, 3)).reshape(1, -1, 1, 1)
        return F.conv2d(self._features(image), weight, self.head.bias)

    def _features(self, seen: Tensor) -> Tensor:
        f2 = F.hardswish(self.stem(seen))
        f4 = self.down4(f2)
        f8 = self.down8(f4)
        f16 = self.down16(f8)
        x = F.relu(self.bottom(f16)) * torch.sigmoid(self.bottom_weight(f16.mean((2, 3), keepdim=True)))
        features: Tensor = self.up2(self.up4(self.up8(x, f8), f4), f2)
        return features

    @torch.no_grad()
    def load_mediapipe(self, path: Path) -> None:
        """Load the published weights, ``selfie_segmentation.tflite``.

        Raises:
            CheckpointError: they cannot be read or are of another network.
        """
        layers = [layer for layer in self.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
        try:
            published = _read_tflite(path)
            for layer, (weight, bias) in zip(layers, published, strict=True):
                assert layer.bias is not None
                layer.weight.copy_(_as_torch(weight, layer))
                layer.bias.copy_(torch.from_numpy(bias))
        except MissingExtraError:
            raise
        except Exception as error:
            # A damaged flatbuffer ends in struct, index and value errors of all kinds.
            raise CheckpointError(
                f"{path} does not hold the weights of MediaPipe's selfie segmentation ({error}). It is "
                "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite in the wheel of mediapipe 0.10.14."
            ) from error


def _as_torch(weight: npt.NDArray[np.float32], layer: nn.Conv2d | nn.ConvTranspose2d) -> Tensor:
    # Out, height, width, in; a depthwise one has its channels last, and one in front.
    depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
    axes = (3, 0, 1, 2) if depthwise or isinstance(layer, nn.ConvTranspose2d) else (0, 3, 1, 2)
    found = torch.from_numpy(np.ascontiguousarray(weight.transpose(axes)))
    if found.shape != layer.weight.shape:
        raise ValueError(f"a layer of shape {tuple(found.shape)} where {tuple(layer.weight.shape)} is expected")
    return found


def _read_tflite(path: Path) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Weight and bias of each convolution of a TensorFlow Lite graph, in the order in which they run."""
    try:
        import tflite
    except ImportError as error:
        raise MissingExtraError("reading TensorFlow Lite files needs tflite: pip install 'bshm[train]'") from error
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    kinds = []
    for code in (model.OperatorCodes(index) for index in range(model.OperatorCodesLength())):
        kinds.append(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
    halves: dict[int, int] = {}  # tensors that are unpacked to single floats, and where they are stored
    found = []
    for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
        kind, inputs = kinds[operator.OpcodeIndex()], operator.InputsAsNumpy()
        if kind == tflite.BuiltinOperator.DEQUANTIZE:
            halves[int(operator.Outputs(0))] = int(inputs[0])
        elif len(inputs) == 3:
            weight, bias = (graph.Tensors(halves[int(index)]) for index in inputs[1:])
            found.append((_values(model, weight), _values(model, bias)))
    return found


def _values(model: object, tensor: object) -> npt.NDArray[np.float32]:
    stored = model.Buffers(tensor.Buffer()).DataAsNumpy()  # type: ignore[attr-defined]
    values: npt.NDArray[np.float32] = stored.view(np.float16).astype(np.float32)
    return values.reshape(tensor.ShapeAsNumpy())  # type: ignore[attr-defined]
