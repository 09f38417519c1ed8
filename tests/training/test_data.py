"""The data folder: split by person, complete or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from bshm.errors import DataFolderError
from bshm.training.data import DataFolder, is_held_out


def test_no_person_of_london_is_on_both_sides(data_root: Path) -> None:
    data = DataFolder(data_root)
    people = [
        {item.name.split("_")[1] for item in data.keyed("london", split, None)} for split in ("train", "validation")
    ]
    assert people[0] and people[1]
    assert not people[0] & people[1]


def test_every_picture_is_on_one_side(data_root: Path) -> None:
    data = DataFolder(data_root)
    names = [item.name for split in ("train", "validation") for item in data.ccp(split, None)]
    assert sorted(names) == sorted({f"ccp/{path.stem}" for path in (data_root / "ccp" / "masks").iterdir()})


def test_the_split_depends_on_the_name_alone() -> None:
    assert [is_held_out(f"x/{n}", 0.5) for n in range(6)] == [True, True, False, False, True, True]  # in every process
    share = np.mean([is_held_out(f"y/{n}", 0.15) for n in range(4000)])
    assert abs(share - 0.15) < 0.02  # four standard deviations of 4,000 draws


def test_a_folder_without_a_set_says_which(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match=r"lacks .*ccp/masks.*docs/training\.md"):
        DataFolder(tmp_path)


@pytest.fixture
def broken(data_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_root, tmp_path / "data"))


def test_an_unreadable_picture_is_named(broken: Path) -> None:
    victim = sorted((broken / "ccp" / "images").iterdir())[0]
    victim.write_bytes(b"not a picture")
    with pytest.raises(DataFolderError, match=victim.name):
        [list(DataFolder(broken).ccp(split, None)) for split in ("train", "validation")]


def test_a_mask_of_another_size_is_named_with_both_sizes(broken: Path) -> None:
    victim = sorted((broken / "ccp" / "masks").iterdir())[0]
    cv2.imwrite(str(victim), np.zeros((10, 12), np.uint8))
    with pytest.raises(DataFolderError, match=r"80x120 .* 12x10"):
        [list(DataFolder(broken).ccp(split, None)) for split in ("train", "validation")]


def test_pictures_of_the_world_are_on_one_side_and_drawn_masks_on_none(world_root: Path) -> None:
    data = DataFolder(world_root)
    sides = [{item.name for item in data.wide(split, None)} for split in ("train", "validation")]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 36  # of 40 four are drawn by hand
    assert all(is_held_out(name, 0.1) for name in sides[1])
    assert {name.removeprefix("wide/") for name, _ in data.nobody("train", None)} & {"room0", "room1", "room2"}


def test_pictures_under_a_licence_can_be_left_out(world_root: Path) -> None:
    everything, without = DataFolder(world_root), DataFolder(world_root, without=("pexels",))
    kept = {entry["file"] for entry in without.credits()}
    left_out = [entry for entry in everything.credits() if entry["file"] not in kept]
    assert left_out and {entry["licence"] for entry in left_out} == {"Pexels"}
    assert {entry["licence"] for entry in without.credits()} == {"CC BY"}
    assert len(list(without.wide("train", None))) < len(list(everything.wide("train", None)))


def test_every_picture_that_training_sees_has_its_credit(world_root: Path) -> None:
    data = DataFolder(world_root)
    seen = {item.name for item in data.wide("train", None)} | {name for name, _ in data.nobody("train", None)}
    assert seen == {f"wide/{Path(entry['file']).stem}" for entry in data.credits()}


def test_drawn_people_say_whether_they_are_cut(world_root: Path) -> None:
    assert {cut for _, cut in DataFolder(world_root).rendered("train", None)} == {True, False}


def test_a_picture_that_the_index_names_and_that_is_not_there_is_named(world_root: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(world_root, tmp_path / "data"))
    (broken / "wide" / "people" / "world1.webp").unlink()
    with pytest.raises(DataFolderError, match=r"world1\.webp"):
        [list(DataFolder(broken).wide(split, None)) for split in ("train", "validation")]


def test_an_index_without_its_columns_is_named(world_root: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(world_root, tmp_path / "data"))
    (broken / "wide" / "index.csv").write_text("name,who\npeople/a.webp,me\n")
    with pytest.raises(DataFolderError, match=r"index\.csv needs the columns file, mask"):
        DataFolder(broken).credits()
