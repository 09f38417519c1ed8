"""Corrections as data: written, read, refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

import bshm
from bshm.corrections import LOOK_SIDE, MOST_STROKES, Corrections, PictureMark, Stroke
from bshm.errors import CorrectionsError, OptionError, UnreadablePictureError
from bshm.files import corrections as files
from bshm.files.png import encode_png
from bshm.options import Limits, MatteOptions

share = some.floats(0, 1)
points = some.lists(some.tuples(share, share), min_size=1, max_size=4).map(tuple)
drawn = some.builds(Stroke, some.sampled_from(["keep", "erase", "soft"]), points, some.floats(1e-4, 1))
clicks = some.builds(
    lambda kind, point: Stroke(kind, (point,)), some.sampled_from(["keep", "erase"]), points.map(lambda p: p[0])
)
marks = some.builds(
    PictureMark, some.integers(1, 9000), some.integers(1, 9000), some.none() | some.binary(min_size=256, max_size=256)
)
everything = some.builds(
    Corrections,
    some.lists(drawn | clicks, max_size=4).map(tuple),
    some.none() | marks,
    some.none() | some.binary(min_size=1),
)


@given(everything)
def test_they_go_through_json_and_back(corrections: Corrections) -> None:
    assert Corrections.from_bytes(corrections.to_bytes(), "a.bshm.json") == corrections


@given(everything)
def test_they_go_through_the_json_of_jobs_and_back(corrections: Corrections) -> None:
    from bshm.jobs.records import JobOptions

    options = JobOptions(matte=MatteOptions(corrections=corrections))
    assert JobOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_they_can_be_pickled_and_are_a_part_of_options_that_can_be_compared() -> None:
    corrections = Corrections((Stroke("keep", ((0.5, 0.5),)),))
    options = MatteOptions(corrections=corrections)
    assert pickle.loads(pickle.dumps(options)) == options != MatteOptions()
    assert hash(options) == hash(MatteOptions(corrections=corrections))


def test_they_are_public() -> None:
    assert bshm.Corrections is Corrections and bshm.Stroke is Stroke


STROKE = {"kind": "keep", "points": [[0.5, 0.5], [0.6, 0.5]], "width": 0.1}
WRONG: list[tuple[Any, str]] = [
    ([], "JSON object"),
    ({"strokes": []}, '"version": 1; got None'),
    ({"version": 2, "strokes": []}, "update bshm"),
    ({"version": 1, "stroke": []}, "has no 'stroke'"),
    ({"version": 1, "strokes": {}}, "is a list"),
    ({"version": 1, "strokes": ["keep"]}, "a stroke is written as a JSON object"),
    ({"version": 1, "strokes": [{**STROKE, "kind": "paint"}]}, "keep, erase, soft; got 'paint'"),
    ({"version": 1, "strokes": [{**STROKE, "radius": 3}]}, "has no 'radius'"),
    ({"version": 1, "strokes": [{**STROKE, "points": []}]}, "one point or more"),
    ({"version": 1, "strokes": [{**STROKE, "points": [[0.5]]}]}, "is [x, y]"),
    ({"version": 1, "strokes": [{**STROKE, "points": [["a", 1]]}]}, "is [x, y]"),
    ({"version": 1, "strokes": [{**STROKE, "points": [[True, 1]]}]}, "is [x, y]"),
    ({"version": 1, "strokes": [{**STROKE, "points": [[0.5, 1.01]]}]}, "leaves the picture at (0.5, 1.01)"),
    ({"version": 1, "strokes": [{**STROKE, "points": [[-3, 0]]}]}, "leaves the picture at (-3, 0)"),
    ({"version": 1, "strokes": [{**STROKE, "width": 0}]}, "above 0"),
    ({"version": 1, "strokes": [{**STROKE, "width": "12px"}]}, "above 0"),
    ({"version": 1, "strokes": [{**STROKE, "width": None}]}, "needs a width"),
    ({"version": 1, "strokes": [{"kind": "soft", "points": [[0.5, 0.5]]}]}, "needs a width"),
    ({"version": 1, "strokes": [STROKE] * (MOST_STROKES + 1)}, "take 2,000 strokes"),
    ({"version": 1, "picture": {"width": 0, "height": 5}}, "1 pixel or more"),
    ({"version": 1, "picture": {"width": 9, "height": 5, "look": "AAAA"}}, "256 levels"),
    ({"version": 1, "picture": {"width": 9, "height": 5, "sha256": ""}}, "has no 'sha256'"),
    ({"version": 1, "trimap": "not base64!"}, "base64"),
]


@pytest.mark.parametrize(("value", "told"), WRONG)
def test_what_is_wrong_is_said(value: Any, told: str) -> None:
    with pytest.raises(CorrectionsError) as caught:
        Corrections.from_bytes(json.dumps(value).encode(), "a.bshm.json")
    assert told in str(caught.value) and str(caught.value).startswith("a.bshm.json")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"version": NaN}'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(CorrectionsError):
        Corrections.from_bytes(data, "a.bshm.json")


@pytest.mark.parametrize("value", ["yes", 1, {"version": 1}])
def test_an_option_takes_nothing_else(value: Any) -> None:
    with pytest.raises(OptionError, match="corrections takes Corrections"):
        MatteOptions(corrections=value)


def test_a_file_of_one_kind_need_not_say_it_and_may_not_say_another(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    path.write_text(json.dumps({"version": 1, "strokes": [{"points": [[0.1, 0.2]], "width": 0.1}]}))
    assert files.read_any(path, "erase", Limits()).strokes == (Stroke("erase", ((0.1, 0.2),), 0.1),)
    path.write_text(json.dumps({"version": 1, "strokes": [STROKE]}))
    with pytest.raises(CorrectionsError, match="all strokes here are to erase, but one says 'keep'"):
        files.read_any(path, "erase", Limits())


def test_a_picture_says_what_to_keep_by_its_white_or_by_what_is_opaque(tmp_path: Path) -> None:
    plane = np.zeros((6, 8), np.uint8)
    plane[2:4, 3:5] = 255
    path = tmp_path / "k.png"
    for picture in (Image.fromarray(plane), Image.fromarray(np.dstack([plane * 0] * 3 + [plane]))):
        picture.save(path)
        trimap = files.opened_trimap(files.read_any(path, "keep", Limits()), Limits())
        assert trimap is not None
        assert np.array_equal(trimap[..., 1] > 0.5, plane > 0)
        assert trimap[plane > 0, 0].min() == 1
    erased = files.opened_trimap(files.read_any(path, "erase", Limits()), Limits())
    assert erased is not None and erased[plane > 0].tolist() == [[0, 1]] * 4


def test_what_is_neither_json_nor_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.txt"
    path.write_text("left half, please")
    with pytest.raises(UnreadablePictureError):
        files.read_any(path, "keep", Limits())


def test_of_two_put_together_the_later_counts(tmp_path: Path) -> None:
    def trimap(level: int, columns: slice) -> Corrections:
        pixels = np.zeros((4, 8, 4), np.uint8)
        pixels[:, columns] = (level, level, level, 255)
        return Corrections(trimap=encode_png(pixels))

    one, other = Stroke("keep", ((0.1, 0.1),)), Stroke("erase", ((0.2, 0.2),))
    both = files.together(
        Corrections((one,), trimap=trimap(255, slice(0, 6)).trimap),
        Corrections((other,), trimap=trimap(0, slice(4, 8)).trimap),
        Limits(),
    )
    assert both.strokes == (one, other) and len(both) == 3
    found = files.opened_trimap(both, Limits())
    assert found is not None
    assert found[0, :, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0] and found[..., 1].min() == 1


def test_those_of_two_pictures_are_not_put_together() -> None:
    look = bytes(LOOK_SIDE**2)
    with pytest.raises(CorrectionsError, match="different pictures"):
        files.together(
            Corrections(picture=PictureMark(8, 6, look)), Corrections(picture=PictureMark(6, 8, look)), Limits()
        )


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 100)
    path = tmp_path / "a.bshm.json"
    path.write_bytes(b"{" + b" " * 200)
    with pytest.raises(CorrectionsError, match="more than 100 bytes"):
        files.read(path)
