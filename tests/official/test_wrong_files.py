"""Files that are no official weights: each is named for what it is, and the store stays as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import networks
import pytest

from bshm.cli import main
from bshm.errors import ModelFileError
from bshm.importing import frozen, protobuf
from bshm.importing.protobuf import Node

Captured = pytest.CaptureFixture[str]


def field(number: int, content: bytes | int) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def node(name: str, op: str, *inputs: str, shape: tuple[int, ...] | None = None, const: bytes = b"") -> bytes:
    """A node of a GraphDef."""
    body = field(1, name.encode()) + field(2, op.encode())
    body += b"".join(field(3, each.encode()) for each in inputs)
    if shape is not None:
        sizes = b"".join(field(2, field(1, size if size >= 0 else (1 << 64) + size)) for size in shape)
        body += field(5, field(1, b"dtype") + field(2, field(6, 1)))
        body += field(5, field(1, b"shape") + field(2, field(7, sizes)))
    if const:
        body += field(5, field(1, b"value") + field(2, const))
    return field(1, body)


NODES = [
    node("input_image", "Placeholder", shape=(-1, -1, 3)),
    node("weights", "Const", const=bytes(5000)),
    node("conv", "Conv2D", "input_image", "weights"),
    node("output_png", "Cast", "conv:0"),
    node("if_person", "Greater", "^conv", "weights"),
]
GRAPH = b"".join(NODES)
ENDS = {sum(map(len, NODES[:count])) for count in range(1, len(NODES) + 1)}
SAVED_MODEL = field(1, 1) + field(2, field(1, b"\x0a\x00" * 50) + field(2, GRAPH))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"hello, I am no graph at all", "neither a frozen TensorFlow graph nor an ONNX file"),
        (b"\0" * 5000, "neither a frozen"),
        (b"<!DOCTYPE html><html>Please log in</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\x80\x02}q\x00.", "pickle"),
        (b"\x89HDF\r\n\x1a\n", "Keras"),
        (b"\x1c\0\0\0TFL3\0\0", "TensorFlow Lite"),
        (b'node {\n  name: "input_image"', "text form"),
        (SAVED_MODEL, "SavedModel of TensorFlow 2"),
        (GRAPH[:-7], "ends in the middle"),
        (GRAPH[:2000], "ends in the middle"),
        (networks.bshm()[:-9], "ends in the middle"),
    ],
)
def test_a_wrong_file_is_named_for_what_it_is(
    tmp_path: Path, models: Path, data: bytes, says: str, capsys: Captured
) -> None:
    path = tmp_path / "tf_graph.pb"
    path.write_bytes(data)
    assert main(["models", "import", str(path)]) == 15
    told = capsys.readouterr().err
    assert says in told and "tf_graph.pb" in told
    assert len(told.splitlines()) == 1
    assert not models.exists()


def test_a_folder_with_a_saved_model_and_a_missing_file_are_told_apart(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(SAVED_MODEL)
    assert main(["models", "import", str(tmp_path / "saved")]) == 15
    assert "tf2onnx.convert --saved-model" in capsys.readouterr().err
    assert main(["models", "import", str(tmp_path / "none.pb")]) == 3
    assert "bshm models pull" in capsys.readouterr().err


def test_every_way_to_cut_a_graph_off_is_an_error_and_never_a_crash() -> None:
    for end in sorted({*range(1, len(GRAPH), 13), *ENDS}):
        data = GRAPH[:end]
        try:
            protobuf.kind_of(data, "x")
        except ModelFileError:
            continue
        # Cut between two nodes it is a graph still, a shorter one.
        assert end in ENDS


def test_without_tensorflow_the_message_names_the_extra_and_the_other_way(
    tmp_path: Path, models: Path, capsys: Captured
) -> None:
    path = tmp_path / "tf_graph.pb"
    path.write_bytes(GRAPH)
    has_it = (
        subprocess.run([sys.executable, "-c", "import tensorflow"], capture_output=True, check=False).returncode == 0
    )
    assert not has_it, "this environment is meant to have no TensorFlow"
    assert main(["models", "import", str(path), "--python", sys.executable]) == 18
    told = capsys.readouterr().err
    assert "bshm[import]" in told and "with --python" in told
    assert not models.exists()
    assert main(["models", "import", str(path), "--python", str(tmp_path / "nothing")]) == 2


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--input", "picture"], 2, "no input called 'picture'"),
        (["--output", "alpha:0"], 2, "no output called 'alpha:0'"),
        (["--like", "sam"], 2, "--like takes"),
        (["--opset", "9"], 2, "11 to 18"),
        (["--tolerance", "-1"], 2, "--tolerance"),
        (["--name", "bshm"], 2, "is an included model"),
        (["--name", "../x"], 2, "the name of a model"),
        (["--like", "modnet"], 2, "read as BSHM"),
        (["--against", "tf_graph.pb"], 2, "for ONNX files"),
    ],
)
def test_a_wrong_flag_is_told_before_tensorflow_is_started(
    tmp_path: Path,
    models: Path,
    flags: list[str],
    code: int,
    says: str,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.run", never)
    path = tmp_path / "tf_graph.pb"
    path.write_bytes(GRAPH)
    assert main(["models", "import", str(path), *flags]) == code
    assert says in capsys.readouterr().err
    assert not models.exists()


def test_other_names_are_found_and_told_where_there_is_one_choice() -> None:
    nodes = [Node("image", "Placeholder", (), "float32", (-1, -1, 3)), Node("alpha", "Sigmoid", ("image",))]
    found = frozen.find(nodes)
    assert (found.image.name, found.answer) == ("image", "alpha")
    assert len(found.notes) == 3
    switch = Node("training", "Placeholder", (), "bool", ())
    assert frozen.find([*nodes, switch]).image.name == "image"
    with pytest.raises(ModelFileError, match="Set image to its name"):
        frozen.find([*nodes, Node("second", "Placeholder", (), "float32", (-1, -1, 3))])
    with pytest.raises(ModelFileError, match="Set answer to its name"):
        frozen.find([*nodes, Node("colour", "Tanh", ("image",))])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (networks.normalised("u2net").replace(b"\x08\xc0\x02", b"\x08\xc1\x02"), "--like"),
        (b"\x08\x06" + field(2, b"tests") + field(7, b"") + field(8, field(2, 17)), "cannot be run by onnxruntime"),
    ],
)
def test_onnx_files_that_cannot_be_used_say_why(
    tmp_path: Path, models: Path, data: bytes, says: str, capsys: Captured
) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    assert main(["models", "import", str(tmp_path / "net.onnx")]) == 15
    assert says in capsys.readouterr().err
    assert not models.exists()


def test_a_name_in_use_is_kept_unless_overwriting_is_asked_for(tmp_path: Path, models: Path, capsys: Captured) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(networks.bshm())
    assert main(["models", "import", str(path)]) == 0
    before = {each.name: each.read_bytes() for each in models.iterdir()}
    path.write_bytes(networks.bshm(opset=13))
    assert main(["models", "import", str(path)]) == 10
    assert {each.name: each.read_bytes() for each in models.iterdir()} == before
    assert main(["models", "import", str(path), "--overwrite"]) == 0
    after = {each.name for each in models.iterdir()}
    assert len(after) == 2 and after != set(before)
    capsys.readouterr()
    assert main(["models", "remove", "net"]) == 0
    assert not list(models.iterdir())
    capsys.readouterr()
    assert main(["models", "remove", "bshm"]) == 2
    assert "comes with bshm" in capsys.readouterr().err
