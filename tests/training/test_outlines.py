"""Masks of `wide` with what was drawn over them by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_data import add_the_world, make

from bshm.errors import DataFolderError
from bshm.training import outlines
from bshm.training.data import Bytes, DataFolder, read_label
from bshm.training.label import label
from bshm.types import FloatArray

SQUARE = [[20, 20], [39, 20], [39, 39], [20, 39]]


def half(mask: FloatArray) -> FloatArray:
    return np.full_like(mask, 0.5)


def applied(mask: FloatArray, *edits: list[Any], checked: bool = False) -> tuple[FloatArray, FloatArray]:
    found = outlines.RegionEdits(tuple(outlines.RegionEdit.of(*edit) for edit in edits), checked)
    before = mask.copy()
    result = found.applied(mask, half(mask))
    assert np.array_equal(mask, before)
    return result


def test_what_is_kept_is_a_person_and_believed_but_for_its_edge() -> None:
    mask, belief = applied(np.zeros((60, 60), np.float32), ["keep", SQUARE])
    assert mask[23:37, 23:37].min() == 1 and mask[:16].max() == 0
    assert belief[24:36, 24:36].min() == 1
    assert belief[20, 20:40].max() == 0.5  # drawn by eye
    assert np.unique(belief[:16]).tolist() == [0.5]  # as it was


def test_what_is_dropped_is_nobody() -> None:
    mask, belief = applied(np.ones((60, 60), np.float32), ["drop", SQUARE])
    assert mask[23:37, 23:37].max() == 0 and mask[:16].min() == 1
    assert belief[24:36, 24:36].min() == 1


def test_a_stroke_covers_its_width() -> None:
    mask, _ = applied(np.zeros((60, 60), np.float32), ["keep", [[10, 30], [50, 30]], 9])
    assert mask[28:33, 12:48].min() > 0.9 and mask[:22].max() == 0


def test_unsure_pixels_teach_nothing_unless_a_later_edit_decides() -> None:
    _, belief = applied(np.zeros((60, 60), np.float32), ["unsure", SQUARE], checked=True)
    assert belief[20:40, 20:40].max() == 0 and belief[:19].min() == 1
    _, belief = applied(np.zeros((60, 60), np.float32), ["unsure", SQUARE], ["keep", SQUARE])
    assert belief[24:36, 24:36].min() == 1


def test_a_checked_mask_is_believed_everywhere_and_its_edges_are_made_steeper() -> None:
    ramp = np.tile(np.linspace(0, 1, 61, dtype=np.float32), (8, 1))
    mask, belief = applied(ramp, checked=True)
    assert belief.min() == 1
    assert np.allclose(mask[0], np.clip((ramp[0] - 0.5) * 2.5 + 0.5, 0, 1))
    mask, belief = applied(ramp)
    assert np.array_equal(mask, ramp) and np.unique(belief).tolist() == [0.5]


def test_an_edge_that_was_right_keeps_its_own_ramp() -> None:
    ramp = np.tile(np.linspace(0, 1, 61, dtype=np.float32), (60, 1))
    mask, _ = applied(ramp, ["keep", [[0, 0], [9, 0], [9, 9], [0, 9]]], checked=True)
    assert np.allclose(mask[30], np.clip((ramp[0] - 0.5) * 2.5 + 0.5, 0, 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        (json.dumps({"somebody": {"edits": [["keep", [[1, 1], [2, 2]]]]}}), "somebody.*three points"),
        (json.dumps({"somebody": {"edits": [["paint", SQUARE]]}}), "somebody.*keep, drop, unsure"),
        (json.dumps({"somebody": {"edits": [["keep"]]}}), "somebody"),
    ],
)
def test_a_broken_file_names_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "outlines.json"
    path.write_text(text)
    with pytest.raises(DataFolderError, match=told):
        outlines.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match=r"nowhere\.json"):
        outlines.read(tmp_path / "nowhere.json")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return add_the_world(make(tmp_path / "data", people=7, scenes=7), pictures=12)


def never(image: Bytes) -> FloatArray:
    return np.zeros(image.shape[:2], np.float32)


def test_a_corrected_picture_of_the_set_gets_its_own_mask_with_the_corrections(world: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "outlines.json"
    drawn.write_text(
        json.dumps({"world3": {"checked": True, "edits": [["keep", [[0, 0], [12, 0], [12, 12], [0, 12]]]]}})
    )
    label(world, tmp_path / "labels", [never], lambda _: None, drawn=drawn)
    mask, belief = read_label(tmp_path / "labels" / "wide" / "people" / "world3.png", None)
    own = cv2.imread(str(world / "wide" / "masks" / "world3.webp"), cv2.IMREAD_GRAYSCALE)
    assert own is not None and own[:10, :10].max() == 0
    assert mask[:10, :10].min() == 255
    assert np.array_equal(mask[30:] > 127, own[30:] > 127)
    assert belief is not None and belief[30:].min() == 255
    other, _ = read_label(tmp_path / "labels" / "wide" / "people" / "world4.png", None)
    assert other.max() == 0  # the teacher's
    learned = {item.name: item for item in DataFolder(world, tmp_path / "labels").wide("train", None)}
    assert np.array_equal(learned["wide/world3"].mask, mask)


def test_a_mask_of_another_size_than_its_picture_is_named(world: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(world / "wide" / "masks" / "world3.webp"), np.zeros((5, 7), np.uint8))
    drawn = tmp_path / "outlines.json"
    drawn.write_text(json.dumps({"world3": {"checked": True}}))
    with pytest.raises(DataFolderError, match=r"world3\.webp is 7x5, its picture 90x120"):
        label(world, tmp_path / "labels", [never], lambda _: None, drawn=drawn)
