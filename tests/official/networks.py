"""Tiny ONNX files with the inputs and outputs of well-known matting networks.

Each undoes the preprocessing that the real one expects and answers with the red of the picture: who feeds it rightly
gets red back, 0..1, and any slip in size, order, range, mean or layout shows as a number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Pairs of mean and standard deviation by the network's name here.
NORMALISED = {
    "modnet": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "u2net": (IMAGENET_MEAN, IMAGENET_STD),
    "isnet": ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0)),
    "birefnet": (IMAGENET_MEAN, IMAGENET_STD),
}
SIDES = {"u2net": 320, "isnet": 1024, "birefnet": 1024}


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: dict[str, object],
    opset: int = 17,
) -> bytes:
    """The bytes of an ONNX file."""
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "red", list(inputs), list(outputs), initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="tests", ir_version=6)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def bshm(
    *, opset: int = 17, order: str = "RGB", answer: str = "rgba", layout: str = "HWC", scale: float = 1.0
) -> bytes:
    """A conversion of the official graph: ``answer`` is rgba (uint8, cut off), mask (H, W), or mask1 (H, W, 1).

    Args:
        scale: of a float mask; 1/255 gives one that ends at 1.
    """
    shapes: dict[str, list[str | int | None]]
    shapes = {"HWC": ["h", "w", 3], "NHWC": [1, "h", "w", 3], "NCHW": [1, 3, "h", "w"]}
    shape = shapes[layout]
    axis = shape.index(3)
    image = helper.make_tensor_value_info("input_image", TensorProto.FLOAT, shape)
    red = 0 if order == "RGB" else 2
    if answer == "rgba":
        nodes = [
            helper.make_node("Gather", ["input_image", "red"], ["alpha"], axis=axis),
            helper.make_node("Concat", ["input_image", "alpha"], ["both"], axis=axis),
            helper.make_node("Cast", ["both"], ["output_png"], to=TensorProto.UINT8),
        ]
        out = [4 if side == 3 else side for side in shape]
        outputs = [helper.make_tensor_value_info("output_png", TensorProto.UINT8, out)]
        return model(nodes, [image], outputs, {"red": np.array([red], np.int64)}, opset)
    index = np.array(red, np.int64) if answer == "mask" else np.array([red], np.int64)
    nodes = [
        helper.make_node("Gather", ["input_image", "red"], ["alpha"], axis=axis),
        helper.make_node("Mul", ["alpha", "scale"], ["output_mask"]),
    ]
    out = [side for side in shape if side != 3] if answer == "mask" else [1 if side == 3 else side for side in shape]
    outputs = [helper.make_tensor_value_info("output_mask", TensorProto.FLOAT, out)]
    return model(nodes, [image], outputs, {"red": index, "scale": np.float32(scale)}, opset)


def normalised(kind: str) -> bytes:
    """MODNet, U²-Net, IS-Net or BiRefNet."""
    mean, std = NORMALISED[kind]
    side = SIDES.get(kind)
    shape = [1, 3, side or "h", side or "w"]
    name = {"modnet": "input", "u2net": "input.1", "isnet": "input", "birefnet": "input_image"}[kind]
    answer = {"modnet": "output", "u2net": "1959", "isnet": "d1", "birefnet": "output_image"}[kind]
    nodes = [
        helper.make_node("Mul", [name, "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["rgb"]),
        helper.make_node("Gather", ["rgb", "red"], ["probability"], axis=1),
    ]
    constants: dict[str, object] = {
        "mean": np.array(mean, np.float32).reshape(1, 3, 1, 1),
        "std": np.array(std, np.float32).reshape(1, 3, 1, 1),
        "red": np.array([0], np.int64),
    }
    if kind == "birefnet":  # answers logits
        constants |= {"least": np.float32(1e-6), "most": np.float32(1 - 1e-6), "one": np.float32(1)}
        nodes += [
            helper.make_node("Max", ["probability", "least"], ["above"]),
            helper.make_node("Min", ["above", "most"], ["between"]),
            helper.make_node("Sub", ["one", "between"], ["rest"]),
            helper.make_node("Div", ["between", "rest"], ["odds"]),
            helper.make_node("Log", ["odds"], [answer]),
        ]
    elif kind in ("u2net", "isnet"):  # any range; stretched by who calls it
        constants |= {"gain": np.float32(0.5), "shift": np.float32(0.2)}
        nodes += [
            helper.make_node("Mul", ["probability", "gain"], ["half"]),
            helper.make_node("Add", ["half", "shift"], [answer]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["probability"], [answer]))
    out = [1, 1, side or "h", side or "w"]
    outputs = [helper.make_tensor_value_info(answer, TensorProto.FLOAT, out)]
    if kind in ("u2net", "isnet"):  # coarser answers that nobody reads
        nodes.append(helper.make_node("Identity", [answer], ["d2"]))
        outputs.append(helper.make_tensor_value_info("d2", TensorProto.FLOAT, out))
    return model(nodes, [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)], outputs, constants)


def rvm() -> bytes:
    """Robust Video Matting: recurrent states and a ratio go in beside the picture."""
    states = [f"r{index}i" for index in range(1, 5)]
    inputs = [helper.make_tensor_value_info("src", TensorProto.FLOAT, [1, 3, "h", "w"])]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "c", name, f"{name}w"]) for name in states]
    inputs.append(helper.make_tensor_value_info("downsample_ratio", TensorProto.FLOAT, [1]))
    nodes = [
        helper.make_node("Gather", ["src", "red"], ["red_plane"], axis=1),
        helper.make_node("Sum", ["red_plane", *states], ["summed"]),
        # A ratio that is not the one of the card moves every value.
        helper.make_node("Add", ["summed", "downsample_ratio"], ["moved"]),
        helper.make_node("Sub", ["moved", "ratio"], ["pha"]),
        helper.make_node("Identity", ["src"], ["fgr"]),
        *(helper.make_node("Identity", [name], [name.replace("i", "o")]) for name in states),
    ]
    outputs = [
        helper.make_tensor_value_info("fgr", TensorProto.FLOAT, [1, 3, "h", "w"]),
        helper.make_tensor_value_info("pha", TensorProto.FLOAT, [1, 1, "h", "w"]),
    ]
    outputs += [
        helper.make_tensor_value_info(name.replace("i", "o"), TensorProto.FLOAT, [1, "c", name, f"{name}w"])
        for name in states
    ]
    return model(nodes, inputs, outputs, {"red": np.array([0], np.int64), "ratio": np.array([0.375], np.float32)})
