"""Convert a frozen graph and run it, as a separate program for a Python with TensorFlow and tf2onnx.

    python tensorflow_worker.py REQUEST.json

It imports nothing of bshm, so that TensorFlow may live in another environment, and what it needs of memory or prints
there stays there.  The answer is written to the file that the request names under ``answer``:
``{"ok": true, ...}`` or ``{"ok": false, "kind": "missing" | "conversion" | "graph" | "memory", "message": ...}``.

Request:
    graph: path of the frozen graph.
    image, answer_tensor: names of the nodes that take the picture and give the result.
    onnx: path to write to; null only runs.
    opset, metadata: of the ONNX file.
    pictures: paths of .npy files, (H, W, 3) float32 0..255; results go beside them as NAME.out.npy.
    threads: of one run.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any


class _Failed(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Do what the request says; returns the answer."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # parity is a matter of the processor; a busy GPU must not stop it
    try:
        import numpy as np
        import tensorflow
        import tensorflow.compat.v1 as tf
    except ImportError as error:
        raise _Failed("missing", str(error)) from error
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_eager_execution()
    graph = tf.GraphDef()
    try:
        graph.ParseFromString(Path(request["graph"]).read_bytes())
    except Exception as error:
        raise _Failed("graph", str(error)) from error
    answer: dict[str, Any] = {"ok": True, "tensorflow": tensorflow.__version__, "times_ms": []}
    # Converted first: an operator that ONNX lacks is told by its name, where running it may fail obscurely.
    if request["onnx"] is not None:
        convert(graph, request, answer)
        _give_back()
    if request["pictures"]:
        run(tf, np, graph, request, answer)
    return answer


def _spare_memory(optimizer: Any) -> None:
    """Keep tf2onnx from holding a copy of the weights for each of its passes.

    As it is, 78 MB of weights took 4.0 GB, and 312 MB were killed at 10 GB: it copies the graph before each pass, in
    case the pass fails, and what a pass leaves behind lies in cycles that the collector, with all of TensorFlow's
    objects to look at, never finds worth while.
    """
    os.environ["TF2ONNX_CATCH_ERRORS"] = "FALSE"  # a pass that fails ends the conversion instead
    gc.collect()
    gc.freeze()
    passes = getattr(optimizer, "_optimizers", {})
    for name, factory in list(passes.items()):
        passes[name] = partial(_collected, factory)


def _collected(factory: Any) -> Any:
    gc.collect()
    return factory()


def _give_back() -> None:
    """Hand freed memory back to the system before TensorFlow runs, where the C library can."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def run(tf: Any, np: Any, graph: Any, request: dict[str, Any], answer: dict[str, Any]) -> None:
    """Write TensorFlow's results beside the pictures, and the time of each."""
    config = tf.ConfigProto(
        intra_op_parallelism_threads=request["threads"], inter_op_parallelism_threads=1, device_count={"GPU": 0}
    )
    try:
        with tf.Graph().as_default() as loaded:
            tf.import_graph_def(graph, name="")
        with tf.Session(graph=loaded, config=config) as session:
            for number, picture in enumerate(request["pictures"]):
                feeds = {f"{request['image']}:0": np.load(picture)}
                wanted = f"{request['answer_tensor']}:0"
                if number == 0:
                    session.run(wanted, feeds)
                started = time.perf_counter()
                found = session.run(wanted, feeds)
                answer["times_ms"].append((time.perf_counter() - started) * 1000)
                np.save(f"{picture}.out.npy", found)
    except Exception as error:
        kind = "memory" if "OOM" in str(error) or "alloc" in str(error).lower() else "graph"
        raise _Failed(kind, " ".join(str(error).split())[:300] or repr(error)) from error


def convert(graph: Any, request: dict[str, Any], answer: dict[str, Any]) -> None:
    """Write the ONNX file: converted, simplified, with plain names and the metadata."""
    try:
        import onnx
        import tf2onnx
        from tf2onnx import optimizer
    except ImportError as error:
        raise _Failed("missing", str(error)) from error
    names = [f"{request['image']}:0", f"{request['answer_tensor']}:0"]
    try:
        # Converts and then simplifies: constants folded, transposes cancelled, batch norm merged into convolutions.
        _spare_memory(optimizer)
        model, _ = tf2onnx.convert.from_graph_def(
            graph, input_names=names[:1], output_names=names[1:], opset=request["opset"]
        )
    except Exception as error:
        raise _Failed(
            "conversion", str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        ) from error
    foreign = sorted({node.op_type for node in model.graph.node if node.domain not in ("", "ai.onnx")})
    if foreign:
        raise _Failed("conversion", f"ONNX has no operator for {', '.join(foreign)}")
    plain = dict(zip(names, (request["image"], request["answer_tensor"]), strict=True))
    for node in model.graph.node:
        for side in (node.input, node.output):
            for index, name in enumerate(side):
                side[index] = plain.get(name, name)
        node.doc_string = ""
    for each in (*model.graph.input, *model.graph.output):
        each.name = plain.get(each.name, each.name)
    del model.graph.value_info[:]
    for key, value in request["metadata"].items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise _Failed("conversion", str(error).splitlines()[0]) from error
    Path(request["onnx"]).write_bytes(model.SerializeToString())
    answer["tf2onnx"] = tf2onnx.__version__
    answer["operators"] = len(model.graph.node)


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        answered = main(asked)
    except _Failed as failure:
        answered = {"ok": False, "kind": failure.kind, "message": str(failure)}
    except MemoryError:
        answered = {"ok": False, "kind": "memory", "message": "out of memory"}
    Path(asked["answer"]).write_text(json.dumps(answered), encoding="utf-8")
