"""Export checkpoints as a model: ONNX files, a card, and a check that both forms agree.

Weights are stored as 16-bit floats, to halve the size of the package, and used as 32-bit floats.  They are rounded
*after* the comparison, so that the parity figure shows only the exporter, which folds normalisations into convolutions.
The effect of rounding is part of the quality figures, which are measured on the ONNX files.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from bshm.errors import CheckpointError, ModelFileError, ParityError
from bshm.files import sink
from bshm.runtime.providers import choose
from bshm.runtime.session import METADATA_KEY, OnnxSession
from bshm.training import checkpoints, people_outputs
from bshm.training.data import DataFolder
from bshm.training.fine_stages import QUALITY_SIDE_PX, Networks
from bshm.training.mask_stage import MASK_SIDE_PX
from bshm.training.sources import SOURCES
from bshm.weights.card import Card, Look, Network, Preprocessing

OPSET = 18
_PAPER = 'Liu et al., "Boosting Semantic Human Matting with Coarse Annotations", CVPR 2020'
# An eighth of an 8-bit level, which no output can show.  Single-precision sums in another order differ by up to 4e-4 on
# pictures of noise and 1e-5 on photographs; a wrong operator or resize rule differs by 1e-2 and more.
TOLERANCE = 1 / 255 / 8
_HALF_FROM = 64  # elements; smaller tensors (constants of operators) stay as they are


@dataclass(frozen=True)
class Part:
    """A network ready for export.

    Attributes:
        module: returns the named outputs.
        inputs: example inputs by name, each (1, C, H, W).
        outputs: names.
        preprocessing: what it expects.
        look: how the set will use it.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    preprocessing: Preprocessing
    look: Look = field(default_factory=Look)


class _Probability(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.network(image))


class _Unified(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return torch.sigmoid(self.network(image, mask))


def parts(
    checkpoint: Path, roles: Collection[str], mask_side_px: int, *,
    masks: Sequence[Path] = (), mattings: Sequence[Path] = (), mirrored: bool = False, closer_px: int = 0,
) -> dict[str, Part]:  # fmt: skip
    """The networks of a checkpoint, their averaged weights, by role; see ``write``."""
    networks = Networks.load(checkpoint, masks=masks, mattings=mattings)
    generator = torch.Generator().manual_seed(0)

    def example(*names: str, sides: tuple[int, int] = (256, 256)) -> dict[str, Tensor]:
        planes = {name: 3 if name == "image" else 1 for name in names}
        return {name: torch.rand(1, count, *sides, generator=generator) for name, count in planes.items()}

    found = {
        "mask": Part(
            _Probability(networks.mask), example("image", sides=(256, 192)), ["mask"],
            Preprocessing(32), Look(mask_side_px, mirrored=mirrored, closer_px=closer_px),
        ),
        "quality": Part(
            _Unified(networks.quality), example("image", "mask"), ["mask_unified"], Preprocessing(32),
            Look(QUALITY_SIDE_PX),
        ),
        "matting": Part(
            networks.matting, example("image", "mask", "guide"), ["alpha", "foreground"],
            Preprocessing(16, resize="none"),
        ),
    }  # fmt: skip
    return {role: part for role, part in found.items() if role in roles}


def write_network(part: Part, path: Path, movenet: Path | None = None) -> Network:
    """Write one ONNX file and return its entry on the card.

    Args:
        part: the network.
        path: of the file.
        movenet: of a mask network, see ``write``.

    Raises:
        ParityError: the largest difference to PyTorch, over three sizes, is beyond ``TOLERANCE``.
    """
    module = part.module.eval()
    spatial = {name: {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC} for name in part.inputs}
    program = torch.onnx.export(
        module, kwargs=dict(part.inputs), dynamo=True, opset_version=OPSET, dynamic_shapes=spatial,
        input_names=list(part.inputs), output_names=list(part.outputs), verbose=False,
    )  # fmt: skip
    if program is None:
        raise CheckpointError("torch.onnx.export gave nothing back; see what it printed.")
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(asdict(part.preprocessing))
    onnx.checker.check_model(model)
    parameters = sum(tensor.numel() for tensor in module.parameters())

    def described(data: bytes, parity: float) -> Network:
        sha256 = hashlib.sha256(data).hexdigest()
        return Network(path.name, sha256, len(data), parameters, part.preprocessing, parity, look=part.look)

    data = model.SerializeToString()
    parity = _parity(part, data, described(data, 0.0))
    model = _halve(model)
    if movenet is not None:
        before = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
        people_outputs.append(model, movenet)
        parameters += sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer) - before
    data = model.SerializeToString()
    path.write_bytes(data)
    return described(data, parity)


def _parity(part: Part, data: bytes, network: Network) -> float:
    session = OnnxSession(data, network, choose("cpu"), threads=1)
    worst = 0.0
    generator = torch.Generator().manual_seed(1)
    for factor_h, factor_w in ((1.0, 1.0), (0.5, 1.0), (1.5, 1.0)):
        feeds = {}
        for name, example in part.inputs.items():
            n, c, h, w = example.shape
            feeds[name] = torch.rand(n, c, int(h * factor_h), int(w * factor_w), generator=generator)
        with torch.no_grad():
            expected = part.module(**feeds)
        expected = [expected] if isinstance(expected, Tensor) else list(expected)
        found = session.run({name: value.numpy() for name, value in feeds.items()})
        for name, tensor in zip(part.outputs, expected, strict=True):
            worst = max(worst, float(np.abs(found[name] - tensor.numpy()).max()))
    if worst > TOLERANCE:
        raise ParityError(f"{network.file} differs from PyTorch by {worst:.2e}; at most {TOLERANCE:.0e} is rounding.")
    return float(f"{worst:.2e}")


def _halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large single-precision weights as half precision, followed by a cast."""
    casts = []
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < _HALF_FROM:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}_half")
        casts.append(onnx.helper.make_node("Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT))
        model.graph.initializer[index].CopyFrom(half)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    # Shapes and docstrings of the tracer: larger than some of the weights, and nobody reads them.
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    return model


def _shared(network: Network, folder: Path) -> Network:
    """The same network in the file of another set of the folder where one holds it, whose copy then goes."""
    for path in sorted(folder.glob("*.json")):
        try:
            card = Card.read(path)
        except ModelFileError:  # something else that lies there
            continue
        for other in card.networks.values():
            if other.sha256 == network.sha256 and other.file != network.file and (folder / other.file).is_file():
                (folder / network.file).unlink()
                return replace(network, file=other.file)
    return network


def write_credits(data: DataFolder, folder: Path) -> int:
    """Write ``credits.csv``: source, licence and credit of every picture of ``wide`` that training sees.

    Returns:
        how many there are.
    """
    credits = data.credits()
    lines = io.StringIO()
    table = csv.DictWriter(lines, ("file", "source", "licence", "credit"), lineterminator="\n")
    table.writeheader()
    table.writerows(credits)
    sink.write(lines.getvalue().encode(), folder / "credits.csv", overwrite=True)
    return len(credits)


def write(
    name: str, checkpoint: Path, folder: Path, *, roles: Collection[str] | None = None,
    mask_side_px: int = MASK_SIDE_PX, masks: Sequence[Path] = (), mattings: Sequence[Path] = (),
    mirrored: bool = False, closer_px: int = 0, movenet: Path | None = None, purpose: str = "", date: str = "",
    licence: str = "Apache-2.0",
) -> Card:  # fmt: skip
    """Write the networks of a checkpoint and their card into ``folder``.

    Args:
        name: of the set, and the beginning of its files' names.
        checkpoint: of any stage.
        roles: which networks to write; None for those that have learned by this stage or are given.  Without
            ``matting`` the edge-aware filter's alpha stands.
        mask_side_px: side of a square as large as what the mask network will see of a picture.
        masks: checkpoints of one run of stage mask; the mean of their networks replaces the mask network of
            ``checkpoint``.
        mattings: the same for the matting network, from checkpoints of stage matting.
        mirrored: whether the mask network will look twice, at the picture and at its mirror image.
        closer_px: as ``mask_side_px``, for another look at pictures where people cover little; 0 for none.
        movenet: the published weights of MoveNet MultiPose: the mask network's file, which must hold MoveNet already,
            then tells people apart as well.  None leaves it at the mask.

    Raises:
        ParityError, CheckpointError: nothing of a set that is not whole is described by a card.
    """
    state = checkpoints.load(checkpoint)
    if roles is None:
        roles = {*checkpoints.learned(state), *(["matting"] if mattings else [])}
    learned = parts(
        checkpoint, roles, mask_side_px, masks=masks, mattings=mattings, mirrored=mirrored, closer_px=closer_px
    )
    folder.mkdir(parents=True, exist_ok=True)
    networks = {
        role: _shared(write_network(part, folder / f"{name}.{role}.onnx", movenet if role == "mask" else None), folder)
        for role, part in learned.items()
    }
    # Those of the checkpoint are of what it learned behind its own mask network.
    measured = [*masks, *mattings] or [checkpoint]
    figures = checkpoints.load(measured[0]).get("figures", {}) if len(measured) == 1 else {}
    card = Card(name, purpose, date, licence, _PAPER, "docs/training.md", networks, SOURCES, figures, folder)
    (folder / f"{name}.json").write_text(card.to_json(), encoding="utf-8")
    return card
