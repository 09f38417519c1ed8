"""Corrections on the command line: given, saved, applied again, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import opened
from PIL import Image

import bshm
from bshm.cli import main

pytestmark = pytest.mark.usefixtures("fake")
Photo = Callable[..., Path]
Captured = pytest.CaptureFixture[str]
# Across the red square of the picture, which reaches from 16, 12 to 48, 36 of 64x48.
LINE = {"points": [[0.3, 0.5], [0.7, 0.5]], "width": 0.05}


def strokes(path: Path, *given: dict[str, Any], **more: Any) -> str:
    path.write_text(json.dumps({"version": 1, "strokes": given, **more}))
    return str(path)


def alpha_of(path: Path) -> Any:
    return np.asarray(opened(path))[..., 3]


def test_a_stroke_erases_and_the_result_says_so(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    path, out = photo("a.png"), tmp_path / "o.png"
    line = strokes(tmp_path / "e.json", LINE)
    assert main(["matte", str(path), "-o", str(out), "--erase", line, "--json"]) == 0
    assert alpha_of(out)[24, 22:42].max() == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["corrections"] == 1
    assert "a.png: 1 correction applied" in told.err
    assert not path.with_name("a.bshm.json").exists()


def test_what_was_saved_is_applied_on_the_next_run_at_another_size_too(photo: Photo, tmp_path: Path) -> None:
    path = photo("a.png")
    line = strokes(tmp_path / "e.json", LINE)
    assert main(["matte", str(path), "-o", str(tmp_path / "1.png"), "--erase", line, "--save-corrections"]) == 0
    saved = json.loads(path.with_name("a.bshm.json").read_text())
    assert saved["picture"]["width"] == 64 and saved["strokes"] == [{"kind": "erase", **LINE}]
    assert main(["matte", str(path), "-o", str(tmp_path / "2.png")]) == 0
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    Image.open(path).resize((128, 96), Image.Resampling.BILINEAR).save(path)
    assert main(["matte", str(path), "-o", str(tmp_path / "3.png")]) == 0
    assert alpha_of(tmp_path / "3.png")[48, 44:84].max() == 0
    assert main(["matte", str(path), "-o", str(tmp_path / "4.png"), "--corrections", "none"]) == 0
    assert alpha_of(tmp_path / "4.png")[48, 44:84].min() == 255


def test_more_strokes_are_added_to_those_saved(photo: Photo, tmp_path: Path) -> None:
    path = photo("a.png")
    for name in ("keep", "erase"):
        words = ["matte", str(path), "--overwrite", f"--{name}", strokes(tmp_path / "s.json", LINE)]
        assert main([*words, "--save-corrections"]) == 0
    found = json.loads(path.with_name("a.bshm.json").read_text())["strokes"]
    assert [stroke["kind"] for stroke in found] == ["keep", "erase"]


def test_pictures_say_what_to_keep_and_to_erase(photo: Photo, tmp_path: Path) -> None:
    path, out = photo("a.png"), tmp_path / "o.png"
    planes = {name: np.zeros((48, 64), np.uint8) for name in ("keep", "erase")}
    planes["keep"][2:6, 2:10] = 255
    planes["erase"][20:30, 20:40] = 255
    words = ["matte", str(path), "-o", str(out)]
    for name, plane in planes.items():
        Image.fromarray(plane).save(tmp_path / f"{name}.png")
        words += [f"--{name}", str(tmp_path / f"{name}.png")]
    assert main(words) == 0
    alpha = alpha_of(out)
    assert alpha[2:6, 2:10].min() == 255 and alpha[20:30, 20:40].max() == 0


def test_a_trimap_is_followed(photo: Photo, tmp_path: Path) -> None:
    path, out = photo("a.png"), tmp_path / "o.png"
    trimap = np.full((48, 64), 0, np.uint8)
    trimap[5:20, 5:20] = 255
    Image.fromarray(trimap).save(tmp_path / "t.png")
    assert main(["matte", str(path), "-o", str(out), "--trimap", str(tmp_path / "t.png")]) == 0
    assert np.array_equal(alpha_of(out) == 255, trimap == 255)


def test_those_of_another_picture_are_refused_when_named_and_told_when_found(
    photo: Photo, tmp_path: Path, capsys: Captured
) -> None:
    path, other = photo("a.png"), photo("b.png", empty=True)
    line = strokes(tmp_path / "e.json", LINE)
    assert main(["matte", str(path), "--erase", line, "--save-corrections"]) == 0
    saved = path.with_name("a.bshm.json")
    assert main(["matte", str(other), "--corrections", str(saved)]) == 26
    assert "another picture than" in capsys.readouterr().err
    assert not other.with_name("b.cutout.png").exists()
    saved.rename(other.with_name("b.bshm.json"))
    assert main(["matte", str(other), "--json"]) == 0
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert record["corrections"] == 0 and "b.bshm.json was not applied" in record["notes"][0]
    assert "b.bshm.json was not applied" in told.err


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ([{**LINE, "points": [[0.5, 1.5]]}], 26, "leaves the picture at (0.5, 1.5)"),
        ([{"points": [[0.05, 0.05]]}], 25, "the click at 5%, 5%"),
        ("nonsense", 26, "is a list"),
    ],
)
def test_what_cannot_be_meant_is_said_and_nothing_written(
    photo: Photo, tmp_path: Path, capsys: Captured, given: Any, code: int, said: str
) -> None:
    path = photo("a.png")
    marks = tmp_path / "e.json"
    marks.write_text(json.dumps({"version": 1, "strokes": given}))
    assert main(["matte", str(path), "--erase", str(marks), "--save-corrections"]) == code
    assert said in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.png", "e.json"]


def test_one_file_of_corrections_is_for_one_picture(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    paths = [str(photo(name)) for name in ("a.png", "b.png")]
    assert main(["matte", *paths, "--keep", strokes(tmp_path / "k.json", LINE)]) == 2
    assert "--keep corrects one picture; there are 2" in capsys.readouterr().err
    assert main(["matte", *paths, "--corrections", str(tmp_path / "no.json")]) == 2
    assert main(["matte", paths[0], "--keep", str(tmp_path / "no.json")]) == 3


def test_in_python_they_are_an_option_and_can_be_laid_on_a_matte(photo: Photo) -> None:
    path = photo("a.png")
    stroke = bshm.Stroke("erase", ((0.3, 0.5), (0.7, 0.5)), 0.05)
    corrections = bshm.Corrections((stroke,))
    with bshm.Matting() as matting:
        plain = matting.matte(path)
        later = matting.corrected(plain, corrections)
    at_once = bshm.matte(path, corrections=corrections)
    assert plain.corrections is None and later.corrections == at_once.corrections == corrections
    assert np.array_equal(later.alpha, at_once.alpha) and np.array_equal(later.foreground, at_once.foreground)
    assert plain.alpha[24, 22:42].min() == 1 and later.alpha[24, 22:42].max() == 0


def test_what_a_file_has_transparent_stays_so_under_a_keep_stroke(tmp_path: Path) -> None:
    pixels = np.full((48, 64, 4), (240, 20, 20, 255), np.uint8)
    pixels[:, :20, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    keep = bshm.Corrections((bshm.Stroke("keep", ((0.1, 0.5), (0.6, 0.5)), 0.1),))
    with bshm.Matting() as matting:
        for matte in (
            matting.matte(tmp_path / "a.png", bshm.MatteOptions(corrections=keep)),
            matting.corrected(matting.matte(tmp_path / "a.png"), keep),
        ):
            assert matte.alpha[:, :20].max() == 0 and matte.alpha[24, 30] == 1
