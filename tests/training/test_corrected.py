"""Pictures that were corrected by hand become training data."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bshm.cli import main
from bshm.corrections import Corrections, Stroke
from bshm.training.data import DataFolder

pytestmark = pytest.mark.usefixtures("fake")
ERASE = Corrections((Stroke("erase", ((0.3, 0.7), (0.5, 0.7)), 0.02),))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures with a red square, one of them corrected, in a folder below."""
    pixels = np.full((96, 128, 3), 60, np.uint8)
    pixels[24:72, 32:96] = (240, 20, 20)
    folder = tmp_path / "mine" / "summer"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(folder / name)
    (folder / "a.bshm.json").write_bytes(ERASE.to_bytes())
    return tmp_path / "mine"


def test_corrected_pictures_are_written_and_training_reads_them(
    pictures: Path, tmp_path: Path, data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels"
    assert main(["label", str(pictures), "-o", str(out), "--from-corrections"]) == 0
    assert capsys.readouterr().out == f"1 corrected masks written to {out}\n"
    (item,) = DataFolder(data_root, labels=out).labelled("train", None)
    assert item.name == "corrected/masks/summer_a" and item.kind == "label"
    assert item.image.shape == (96, 128, 3) and item.belief is not None
    assert item.mask[67, 40:62].max() == 0 and item.mask[30, 85] == 255 and item.mask[5, 5] == 0
    assert item.belief[67, 40:62].min() == 255


def test_what_was_not_touched_is_believed_as_far_as_the_network_was_sure(
    pictures: Path, tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fake_network

    real = fake_network.RedIsAPerson.run
    monkeypatch.setattr(
        fake_network.RedIsAPerson,
        "run",
        lambda self, feeds: {**real(self, feeds), "mask": real(self, feeds)["mask"] * 0.8},
    )
    assert main(["label", str(pictures), "-o", str(tmp_path / "labels"), "--from-corrections"]) == 0
    (item,) = DataFolder(data_root, labels=tmp_path / "labels").labelled("train", None)
    assert item.belief is not None
    assert abs(int(item.belief[30, 85]) - round(0.6 * 255)) <= 1 and item.belief[67, 50] == 255


def test_corrections_that_cannot_be_used_are_left_out_and_told(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures / "summer"
    (folder / "b.bshm.json").write_text('{"version": 9}')
    (folder / "gone.bshm.json").write_bytes(ERASE.to_bytes())
    assert main(["label", str(pictures), "-o", str(tmp_path / "labels"), "--from-corrections"]) == 0
    told = capsys.readouterr()
    assert "b.bshm.json is left out" in told.err and "gone.bshm.json is left out: there is no picture" in told.err
    assert told.out.startswith("1 corrected")


def test_a_folder_without_corrections_is_an_error(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "summer" / "a.bshm.json").unlink()
    assert main(["label", str(pictures), "-o", str(tmp_path / "labels"), "--from-corrections"]) == 9
    assert "no picture with corrections" in capsys.readouterr().err
    shutil.rmtree(pictures)
    assert main(["label", str(pictures), "-o", str(tmp_path / "labels"), "--from-corrections"]) == 3
    words = ["label", str(tmp_path), "-o", str(tmp_path / "labels"), "--from-corrections", "--teacher", "bshm", "x"]
    assert main(words) == 2
