"""Recognise a model file by its bytes, so that a wrong file is reported before anything large is loaded.

TensorFlow and ONNX both write protocol buffers.  The few fields needed here are read by hand: neither package has to be
installed to say that a file is the wrong one.

Source: protobuf.dev, "Encoding"; tensorflow/core/framework/{graph,node_def,attr_value}.proto; onnx/onnx.proto.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bshm.errors import ModelFileError, SourceNotFoundError

Value = int | memoryview
Kind = Literal["frozen graph", "ONNX"]

_DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 9: "int64", 10: "bool", 19: "float16"}
# Of other programs, which a user may take for a graph.
_MAGIC = {
    b"\x89HDF": "a Keras or HDF5 file",
    b"PK\x03\x04": "a zip archive (a PyTorch checkpoint or a Keras file)",
    b"\x80\x02": "a Python pickle (a PyTorch checkpoint)",
    b"\x80\x04": "a Python pickle (a PyTorch checkpoint)",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"<!DO": "a web page, not the file behind it",
    b"<htm": "a web page, not the file behind it",
    b"vers": "a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`",
    b"node": "a graph in text form; a binary one is needed",
}


class _Broken(ValueError):
    """The bytes are no protocol buffer, or end in the middle of one."""


@dataclass(frozen=True)
class Node:
    """One operation of a frozen graph.

    Attributes:
        name: of the node.
        op: what it does.
        inputs: names of the nodes it takes its inputs from, without the output's number.
        dtype: of a placeholder; None of others.
        shape: of a placeholder, -1 for what is open; None of others and where it is not stated.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    dtype: str | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class OnnxSummary:
    """What an ONNX file says of itself.

    Attributes:
        opset: of the standard operators.
        producer: the program that wrote it.
        parameters: numbers in its weights.
    """

    opset: int
    producer: str
    parameters: int


def read_file(path: Path) -> bytes:
    """The bytes of a model file.

    Raises:
        SourceNotFoundError: there is none.
        ModelFileError: it is a folder (a SavedModel of TensorFlow 2, perhaps), is empty or cannot be read.
    """
    if os.path.isdir(path):  # noqa: PTH112 - in a folder that is locked Path.is_dir() raises
        if (path / "saved_model.pb").is_file():
            raise ModelFileError(f"{path} is {_SAVED_MODEL}")
        raise ModelFileError(f"{path} is a folder. Name the file in it: tf_graph.pb or NAME.onnx.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"there is no file {path}. `bshm models pull bshm-official` fetches it.") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not data:
        raise ModelFileError(f"{path} is empty. Download it again.")
    return data


_SAVED_MODEL = (
    "a SavedModel of TensorFlow 2, not a frozen graph. Convert it first: python -m tf2onnx.convert --saved-model "
    "FOLDER --output model.onnx; then `bshm models import model.onnx`."
)


def kind_of(data: bytes, name: str) -> Kind:
    """What the bytes are.

    Args:
        data: a whole file.
        name: what messages call it.

    Raises:
        ModelFileError: neither a frozen graph nor ONNX, or one that was cut off; the message says what it seems to be.
    """
    for magic, meaning in _MAGIC.items():
        if data.startswith(magic):
            raise ModelFileError(f"{name} is {meaning}. A frozen graph (tf_graph.pb) or an ONNX file is needed.")
    if data[4:8] == b"TFL3":
        raise ModelFileError(f"{name} is a TensorFlow Lite file. A frozen graph (tf_graph.pb) or ONNX is needed.")
    seen: dict[int, set[type]] = {}
    nodes = 0
    complete, named = True, False
    try:
        for number, value in _fields(memoryview(data)):
            seen.setdefault(number, set()).add(type(value))
            if number == 1 and isinstance(value, memoryview) and nodes < 3:
                nodes += _node(value).op.isidentifier()
            # ONNX names its producer where a SavedModel has a graph.
            named = named or (number == 2 and isinstance(value, memoryview) and bytes(value[:64]).isalnum())
    except _Broken:
        complete = False
    if seen.get(1) == {int}:
        if 7 in seen or (not complete and (named or 2 not in seen)):
            return "ONNX" if complete else _cut_off(name, len(data))
        if seen.get(2) == {memoryview} and not {5, 6, 8} & set(seen):
            raise ModelFileError(f"{name} is {_SAVED_MODEL}")
    if nodes and seen.get(1) == {memoryview}:
        return "frozen graph" if complete else _cut_off(name, len(data))
    if not complete and seen and set(seen) <= {1, 2, 3, 4, 5, 6, 7, 8, 14} and len(data) > 1 << 16:
        _cut_off(name, len(data))
    raise ModelFileError(
        f"{name} is neither a frozen TensorFlow graph nor an ONNX file ({len(data):,} bytes that begin "
        f"{bytes(data[:8])!r}). The official weights are tf_graph.pb: `bshm models pull bshm-official` fetches them."
    )


def _cut_off(name: str, size: int) -> Kind:
    raise ModelFileError(
        f"{name} ends in the middle: it has {size:,} bytes and needs more. Copy or download it again, "
        "e.g. with `bshm models pull bshm-official`."
    )


def nodes_of(data: bytes) -> list[Node]:
    """The operations of a frozen graph, in its order.

    Raises:
        ModelFileError: it is damaged.
    """
    try:
        return [
            _node(value) for number, value in _fields(memoryview(data)) if number == 1 and isinstance(value, memoryview)
        ]
    except (_Broken, UnicodeDecodeError) as error:
        raise ModelFileError(f"the graph is damaged ({error}). Download it again.") from error


def onnx_summary(data: bytes) -> OnnxSummary:
    """Opset, producer and size of an ONNX file.

    Raises:
        ModelFileError: it is damaged.
    """
    opset, producer, parameters = 0, "", 0
    try:
        for number, value in _fields(memoryview(data)):
            if not isinstance(value, memoryview):
                continue
            if number == 2:
                producer = bytes(value).decode("utf-8", "replace")
            elif number == 8:
                entry = dict(_fields(value))
                domain, version = entry.get(1, b""), entry.get(2, 0)
                if not isinstance(domain, int) and bytes(domain) in (b"", b"ai.onnx") and isinstance(version, int):
                    opset = version
            elif number == 7:
                parameters = sum(
                    _size(tensor) for field, tensor in _fields(value) if field == 5 and isinstance(tensor, memoryview)
                )
    except _Broken as error:
        raise ModelFileError(f"the ONNX file is damaged ({error}). Download it again.") from error
    return OnnxSummary(opset, producer, parameters)


def _size(tensor: memoryview) -> int:
    size = 1
    for number, value in _fields(tensor):
        if number != 1:
            continue
        if isinstance(value, int):
            size *= value
        else:
            at = 0
            while at < len(value):
                each, at = _varint(value, at)
                size *= each
    return size


def _node(data: memoryview) -> Node:
    name = op = ""
    inputs: list[str] = []
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    for number, value in _fields(data):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            name = bytes(value).decode()
        elif number == 2:
            op = bytes(value).decode()
        elif number == 3:
            inputs.append(bytes(value).decode().removeprefix("^").partition(":")[0])
        elif number == 5 and op in ("Placeholder", "PlaceholderWithDefault"):
            entry = dict(_fields(value))
            key, content = entry.get(1), entry.get(2)
            if isinstance(key, int) or not isinstance(content, memoryview) or key is None:
                continue
            for field, detail in _fields(content):
                if field == 6 and bytes(key) == b"dtype" and isinstance(detail, int):
                    dtype = _DTYPES.get(detail, f"type {detail}")
                elif field == 7 and bytes(key) == b"shape" and isinstance(detail, memoryview):
                    shape = _shape(detail)
    return Node(name, op, tuple(inputs), dtype, shape)


def _shape(data: memoryview) -> tuple[int, ...] | None:
    sizes = []
    for number, value in _fields(data):
        if number == 3:
            return None
        if number == 2 and isinstance(value, memoryview):
            size = dict(_fields(value)).get(1, 0)
            sizes.append(-1 if not isinstance(size, int) or size >= 1 << 63 else size)
    return tuple(sizes)


def _fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field of a message."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _Broken(f"no field has the number 0 (at byte {at})")
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise _Broken(f"unknown encoding {wire} at byte {at}")
        if at + size > end:
            raise _Broken(f"a part of {size} bytes at byte {at} ends beyond the end")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _Broken(f"a number at byte {at} does not end")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
