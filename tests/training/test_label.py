"""Rounds of labels: the first by a teacher, the next the mean of both."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from bshm.errors import DataFolderError, DiskFullError, OptionError, UnknownModelError
from bshm.training.data import Bytes, DataFolder, is_held_out, read_label
from bshm.training.label import label
from bshm.training.teachers import teacher
from bshm.types import FloatArray


def all_of(value: float):  # type: ignore[no-untyped-def]
    def look(image: Bytes) -> FloatArray:
        return np.full(image.shape[:2], value, np.float32)

    return look


def quiet(_: str) -> None:
    pass


def read(path: Path) -> Bytes:
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    return mask.astype(np.uint8)


@pytest.fixture
def first(data_root: Path, tmp_path: Path) -> Path:
    assert label(data_root, tmp_path / "first", [all_of(1.0)], quiet) == 4
    return tmp_path / "first"


def test_the_first_round_leaves_masks_drawn_by_hand_alone(first: Path) -> None:
    assert sorted(path.parent.name for path in first.rglob("*.png")) == ["us_governors"] * 4


def test_the_next_round_is_the_mean_of_both(data_root: Path, tmp_path: Path, first: Path) -> None:
    label(data_root, tmp_path / "second", [all_of(0.5)], quiet, earlier=first)
    for path in (tmp_path / "second" / "portraits").rglob("*.png"):
        assert np.unique(read(path)).tolist() == [191]  # (1 + 0.5) / 2 * 255 = 191.25
    for path in (tmp_path / "second" / "ccp" / "images").glob("*.png"):
        drawn = read(data_root / "ccp" / "masks" / path.name)
        expected = np.floor((drawn / 255 + 0.5) / 2 * 255 + 0.5)
        assert np.abs(read(path) - expected).max() <= 1  # single precision at a half
    assert len(list((tmp_path / "second" / "ccp" / "images").glob("*.png"))) == 28


def test_of_several_teachers_the_consensus_is_written_and_how_far_it_is_believed(
    data_root: Path, tmp_path: Path
) -> None:
    label(data_root, tmp_path / "both", [all_of(0.9), all_of(0.9), all_of(0.0)], quiet)
    (path, *_) = (tmp_path / "both").rglob("*.png")
    mask, belief = read_label(path, None)
    # 0.9 is the median and the first two; sharpened it is 0.81 / (0.81 + 0.01).
    assert np.unique(mask).tolist() == [round(0.81 / 0.82 * 255)]
    assert belief is not None and np.unique(belief).tolist() == [round(0.8 * 255)]


def test_what_teachers_dispute_is_not_believed(data_root: Path, tmp_path: Path) -> None:
    label(data_root, tmp_path / "both", [all_of(1.0), all_of(0.0)], quiet)
    (path, *_) = (tmp_path / "both").rglob("*.png")
    _, belief = read_label(path, None)
    assert belief is not None and belief.max() == 0


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("mediapipe", OptionError, "mediapipe=FILE"),
        ("yolo=weights.bin", OptionError, "yolo=weights.bin"),
        ("deeplab=nowhere.tflite", DataFolderError, "nowhere.tflite"),
        ("no-such-model", UnknownModelError, "no-such-model"),
    ],
)
def test_a_teacher_that_cannot_teach_is_named(name: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        teacher(name)


def test_a_missing_earlier_mask_is_named(data_root: Path, tmp_path: Path, first: Path) -> None:
    victim = sorted(first.rglob("*.png"))[1]
    victim.unlink()
    with pytest.raises(DataFolderError, match=victim.name):
        label(data_root, tmp_path / "second", [all_of(0.5)], quiet, earlier=first)


def test_an_earlier_mask_of_another_size_is_named(data_root: Path, tmp_path: Path, first: Path) -> None:
    victim = sorted(first.rglob("*.png"))[0]
    cv2.imwrite(str(victim), np.zeros((5, 7), np.uint8))
    with pytest.raises(DataFolderError, match=rf"{victim.name} is 7x5, its picture 96x96"):
        label(data_root, tmp_path / "second", [all_of(0.5)], quiet, earlier=first)


def test_a_full_disk_leaves_no_half_mask(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(DiskFullError):
        label(data_root, tmp_path / "out", [all_of(1.0)], quiet)
    monkeypatch.undo()
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_training_takes_the_later_masks_of_street_pictures_and_validation_those_drawn(
    data_root: Path, tmp_path: Path, first: Path
) -> None:
    # A name that is held out, so that both sides have one.
    data = Path(shutil.copytree(data_root, tmp_path / "data"))
    held = next(name for name in (f"more{n}" for n in range(1000)) if is_held_out(f"ccp/{name}", 0.06))
    for folder, ending in (("images", "jpg"), ("masks", "png")):
        some = sorted((data / "ccp" / folder).iterdir())[0]
        shutil.copy(some, data / "ccp" / folder / f"{held}.{ending}")
    label(data, tmp_path / "second", [all_of(0.5)], quiet, earlier=first)
    both = DataFolder(data, tmp_path / "second")
    for item in both.ccp("train", None):
        assert np.array_equal(item.mask, read(tmp_path / "second" / "ccp" / "images" / f"{item.name[4:]}.png"))
    names = []
    for item in both.ccp("validation", None):
        names.append(item.name)
        assert np.array_equal(item.mask, read(data / "ccp" / "masks" / f"{item.name[4:]}.png"))
    assert f"ccp/{held}" in names
