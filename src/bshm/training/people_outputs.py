"""Add the outputs that tell people apart to the ONNX file of a mask network.

The mask network holds MoveNet's trunk and two of its heads: where each keypoint is, and where the middle of a person.
Two more say to whom a keypoint belongs: its offset from the middle, and the size of the person.  They are not trained,
and the mask does not depend on them, so they are added to the finished file, whose other content stays the same bit
for bit.

Source: "MoveNet MultiPose Lightning", Google, Apache-2.0; Zhou et al., "Objects as Points", 2019.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from bshm.errors import CheckpointError
from bshm.training.network.people import read_tfjs

OUTPUTS = {"middle": 1, "keypoints": 17, "offsets": 34, "sizes": 2}
"""Channels of each, at stride 4: probability of a middle; of each keypoint; (y, x) from a middle to each of its
keypoints, in cells; (height, width) of the person around a middle, in cells."""

# Output, the name under which the head was published, and the numbers of its two convolutions there.
_HEADS = (("offsets", "kpt_regress_0", 7, 8), ("sizes", "box_scale_0", 4, 5))
PREFIX = "people_outputs."
"""Of the names of all that is added."""


def append(model: onnx.ModelProto, movenet: Path) -> onnx.ModelProto:
    """Add the outputs ``OUTPUTS`` to the ONNX file of a mask network.

    Args:
        model: as ``bshm export`` wrote it; changed in place.
        movenet: the published weights, ``movenet-multipose.json`` with its ``.bin`` beside it.

    Returns:
        ``model``.

    Raises:
        CheckpointError: the network has no MoveNet in it, has the outputs already, or the weights cannot be read.
    """
    graph = model.graph
    made_by = {output: node for node in graph.node for output in node.output}
    reads = {name: node for node in graph.node for name in node.input}
    if {output.name for output in graph.output} & set(OUTPUTS):
        raise CheckpointError("this mask network tells people apart already.")
    try:
        features = reads[reads["network.people.mix4.pointwise.weight"].output[0]].output[0]
        seen = {
            name: reads[reads[f"network.people.{name}.out.weight"].output[0]].output[0]
            for name in ("middle", "keypoints")
        }
    except KeyError as error:
        raise CheckpointError(f"this mask network holds no MoveNet: {error} is missing.") from error
    if made_by[features].op_type != "Relu" or any(made_by[name].op_type != "Sigmoid" for name in seen.values()):
        raise CheckpointError("this mask network holds another MoveNet than this version trains.")
    for name, tensor in seen.items():
        graph.node.append(helper.make_node("Identity", [tensor], [name]))
    values = read_tfjs(movenet)
    try:
        for name, published, first, second in _HEADS:
            mix = f"StatefulPartitionedCall/{published}/separable_conv2d_{first}"
            out = f"StatefulPartitionedCall/{published}/conv2d_{second}"
            depthwise = _weight(
                graph, f"{name}.depthwise", values[f"{mix}/separable_conv2d/ReadVariableOp"], (2, 3, 0, 1)
            )
            pointwise = _weight(
                graph, f"{name}.pointwise", values[f"{mix}/separable_conv2d/ReadVariableOp_1"], (3, 2, 0, 1)
            )
            bias = _weight(graph, f"{name}.pointwise_bias", values[f"{mix}/BiasAdd/ReadVariableOp"])
            last = _weight(graph, f"{name}.out", values[f"{out}/Conv2D/ReadVariableOp"], (3, 2, 0, 1))
            last_bias = _weight(graph, f"{name}.out_bias", values[f"{out}/BiasAdd/ReadVariableOp"])
            spread, mixed, lit = (f"{PREFIX}{name}.{step}" for step in ("spread", "mixed", "lit"))
            graph.node.extend((
                helper.make_node("Conv", [features, depthwise], [spread], group=24, pads=[1, 1, 1, 1]),
                helper.make_node("Conv", [spread, pointwise, bias], [mixed]),
                helper.make_node("Relu", [mixed], [lit]),
                helper.make_node("Conv", [lit, last, last_bias], [name]),
            ))  # fmt: skip
    except KeyError as error:
        raise CheckpointError(
            f"{movenet} does not hold the weights of MoveNet MultiPose: {error} is missing."
        ) from error
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, None, None])
        for name, channels in OUTPUTS.items()
    )
    onnx.checker.check_model(model)
    return model


def _weight(
    graph: onnx.GraphProto, name: str, value: npt.NDArray[np.float32], axes: tuple[int, ...] | None = None
) -> str:
    """Store a weight as it was published, as half floats, and cast it; returns the name of what is cast."""
    value = np.ascontiguousarray(value.transpose(axes) if axes else value)
    cast, stored = f"{PREFIX}{name}", f"{PREFIX}{name}_half"
    graph.initializer.append(numpy_helper.from_array(value.astype(np.float16), stored))
    graph.node.append(helper.make_node("Cast", [stored], [cast], to=TensorProto.FLOAT))
    return cast
