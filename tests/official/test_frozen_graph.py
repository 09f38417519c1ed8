"""The whole way of the official weights, with a stand-in of their signature: graph, conversion, check, store, pictures.

TensorFlow is in an environment of its own (``make .venv-tf/.ready``), called as a user's ``--python`` is.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hub import serving

import bshm
from bshm import MatteOptions, Matting
from bshm.cli import main
from bshm.importing import parity, protobuf
from bshm.types import Picture
from bshm.weights import catalogue, store

Captured = pytest.CaptureFixture[str]
MAKER = Path(__file__).with_name("make_standin.py")


@pytest.fixture(scope="module")
def graphs(tensorflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random.pb, trained.pb and unconvertible.pb."""
    folder = tmp_path_factory.mktemp("graphs")
    command = [tensorflow_python, "-W", "ignore", str(MAKER), str(folder), "--weights", "all"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def store_with_trained(graphs: Path, tensorflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that trained.pb was imported into, with what the command wrote beside it."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.VARIABLE, str(folder))
        from bshm.importing.command import ImportOptions, import_file

        told: list[str] = []
        sample = Path(bshm.__file__).parent / "cli" / "astronaut.jpg"
        options = ImportOptions(python=tensorflow_python, pictures=(sample,), threads=1)
        imported = import_file(graphs / "trained.pb", options, told.append)
        assert imported.report is not None
        (folder / "report.txt").write_text(json.dumps({"told": told, "report": imported.report.to_json()}))
    return folder


@pytest.fixture
def official(store_with_trained: Path, models: Path) -> dict[str, Any]:
    """The test's own store with trained.pb in it, as bshm-official; gives what the import told."""
    shutil.copytree(store_with_trained, models)
    told: dict[str, Any] = json.loads((models / "report.txt").read_text())
    (models / "report.txt").unlink()
    return told


def people(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Somebody in bright red before a grey wall."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = (250, 10, 10)
    return pixels


def test_the_conversion_agrees_with_tensorflow_within_a_level_at_every_size(official: dict[str, Any]) -> None:
    report = official["report"]
    assert report["passed"] and report["worst"] <= parity.TOLERANCE_LEVELS
    assert [tuple(row["size_hw"]) for row in report["rows"]] == list(parity.SIZES_HW)
    assert all(row["colour_max"] is not None and row["original_ms"] > 0 for row in report["rows"])
    # A level is rare: it takes a value within the last bits of a whole level.
    assert max(row["alpha_mean"] for row in report["rows"]) < 0.01
    told = "\n".join(official["told"])
    assert "takes input_image (?x?x3 float32), gives output_png" in told
    assert "PASS: at most" in told


def test_its_card_says_where_it_came_from_and_how_it_is_called(official: dict[str, Any]) -> None:
    assert official
    card = catalogue.find("bshm-official")
    (network,) = card.networks.values()
    assert network.signature is not None
    assert (network.signature.image, network.signature.answer) == ("input_image", "output_png")
    assert (network.preprocessing.layout, network.preprocessing.white) == ("HWC", 255)
    assert 0 < network.parameters < 1e6
    assert 0 <= network.parity <= 1 / 255 + 1e-6  # six digits are kept
    assert "trained.pb" in card.recipe and "tf2onnx" in card.recipe
    data = store.read(card, network)
    summary = protobuf.onnx_summary(data)
    assert (summary.opset, summary.parameters) == (17, network.parameters)


@pytest.mark.parametrize("size", [(64, 64), (333, 517), (768, 640), (97, 801)])
def test_people_are_opaque_inside_although_the_graph_says_254(official: dict[str, Any], size: tuple[int, int]) -> None:
    assert official
    matting = Matting(model="bshm-official", device="cpu", threads=1)
    pixels = people(*size)
    inside = np.s_[int(size[0] * 0.4) : int(size[0] * 0.6), int(size[1] * 0.4) : int(size[1] * 0.6)]
    plain, exact = (matting.matte_picture(Picture(pixels), MatteOptions(exact=exact)).alpha for exact in (False, True))
    assert (plain[inside] == 1).all()
    assert np.unique(np.rint(exact[inside] * 255)).tolist() == [254]
    # Nothing but the stretch differs, by a level at most.
    assert np.abs(plain - exact).max() <= 1 / 255 + 1e-6
    assert plain[0, 0] < 0.02 and plain.shape == size


def test_the_command_line_uses_it_like_any_model(official: dict[str, Any], tmp_path: Path, capsys: Captured) -> None:
    from PIL import Image

    assert official
    Image.fromarray(people(60, 80)).save(tmp_path / "a.png")
    assert main(["models"]) == 0
    assert "bshm-official" in capsys.readouterr().out
    for flags, level in (([], 255), (["--exact"], 254)):
        command = ["matte", str(tmp_path / "a.png"), "-o", str(tmp_path / "out.png"), "--overwrite", "--quiet"]
        assert main([*command, "--model", "bshm-official", *flags]) == 0
        with Image.open(tmp_path / "out.png") as cut:
            pixel = cut.getpixel((40, 30))
            assert isinstance(pixel, tuple) and pixel[3] == level
            # 254 counts as a soft edge, whose colour is estimated: to a level.
            assert np.abs(np.subtract(pixel[:3], (250, 10, 10))).max() <= (0 if level == 255 else 1)
            assert cut.getpixel((1, 1)) == (0, 0, 0, 0)


def test_random_weights_agree_too_and_a_stricter_tolerance_stores_nothing(
    graphs: Path, tensorflow_python: str, models: Path, capsys: Captured
) -> None:
    command = ["models", "import", str(graphs / "random.pb"), "--python", tensorflow_python, "--threads", "1"]
    code = main([*command, "--json", "--name", "noise", "--opset", "18"])
    told = capsys.readouterr()
    assert code == 0, told.err
    report = json.loads(told.out)["report"]
    assert report["worst"] <= 1 and len(report["rows"]) == len(parity.SIZES_HW)
    before = sorted(each.name for each in models.iterdir())
    if report["worst"] > 0:
        assert main([*command, "--tolerance", "0", "--name", "exact"]) == 15
        assert "nothing was stored" in capsys.readouterr().err
        assert sorted(each.name for each in models.iterdir()) == before


def test_an_operator_that_onnx_does_not_have_is_named(
    graphs: Path, tensorflow_python: str, models: Path, capsys: Captured
) -> None:
    command = ["models", "import", str(graphs / "unconvertible.pb"), "--python", tensorflow_python, "--threads", "1"]
    assert main(command) == 15
    told = capsys.readouterr().err
    assert "cannot be converted to ONNX" in told and "PyFunc" in told
    assert "--opset" in told
    assert not models.exists()


def test_somebodys_conversion_is_compared_with_the_graph_it_was_made_of(
    official: dict[str, Any], graphs: Path, tensorflow_python: str, models: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert official
    theirs = tmp_path / "theirs.onnx"
    shutil.copy(next(models.glob("*.onnx")), theirs)
    command = ["models", "import", str(theirs), "--python", tensorflow_python, "--threads", "1", "--against"]
    assert main([*command, str(graphs / "trained.pb")]) == 0
    assert "PASS" in capsys.readouterr().err
    assert main([*command, str(graphs / "random.pb"), "--name", "other"]) == 15
    told = capsys.readouterr().err
    assert "FAIL" in told and "nothing was stored" in told
    assert not (models / "other.json").exists()


def test_pull_fetches_converts_compares_and_stores(
    graphs: Path, tensorflow_python: str, models: Path, capsys: Captured
) -> None:
    with serving((graphs / "trained.pb").read_bytes(), "drop") as hub:
        command = ["models", "pull", "bshm-official", "--mirror", hub.url, "--via", "https"]
        assert main([*command, "--python", tensorflow_python]) == 0
    assert "PASS" in capsys.readouterr().err
    card = catalogue.find("bshm-official")
    assert card.licence == "Apache License 2.0" and hub.url in card.purpose
    assert card.folder == models
