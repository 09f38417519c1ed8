"""``bshm matte`` with several people in a picture."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import fake_network
import numpy as np
import pytest
from pictures import opened
from PIL import Image

from bshm.cli import main
from bshm.cli.exit_codes import code_of
from bshm.errors import NobodyThereError

pytestmark = pytest.mark.usefixtures("fake")
NOBODY_THERE = code_of(NobodyThereError())


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A large person on the left, a smaller one on the right."""
    pixels = np.full((96, 160, 3), 60, np.uint8)
    pixels[20:90, 16:56] = (240, 20, 20)
    pixels[40:90, 100:130] = (240, 20, 20)
    path = tmp_path / "two.png"
    Image.fromarray(pixels).save(path)
    return path


def columns(path: Path) -> tuple[int, int]:
    """From where to where somebody is to be seen."""
    seen = np.flatnonzero((np.asarray(opened(path))[..., 3] > 127).any(0))
    return int(seen[0]), int(seen[-1])


@pytest.mark.parametrize(
    ("which", "left", "right"),
    [
        ("all", 16, 129),
        ("largest", 16, 55),
        ("1", 16, 55),
        ("2", 100, 129),
        ("at:70%,60px", 100, 129),
        ("box:50%,0,100%,100%", 100, 129),
        ("box:0,0,100%,100%", 16, 129),
    ],
)
def test_the_people_who_are_asked_for_are_left_and_nobody_else(two: Path, which: str, left: int, right: int) -> None:
    assert main(["matte", str(two), "--people", which]) == 0
    found = columns(two.with_name("two.cutout.png"))
    assert np.abs(np.subtract(found, (left, right))).max() <= 2  # the edge of a mask of a quarter of the size


def test_split_writes_a_file_a_person_from_left_to_right(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matte", str(two), "--split", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    names = [two.with_name(f"two.cutout.{number}.png") for number in (1, 2)]
    assert (line["people"], line["outputs"]) == (2, [str(name) for name in names])
    assert columns(names[0])[1] < 60 < columns(names[1])[0]
    assert not two.with_name("two.cutout.png").exists()


def test_split_keeps_what_is_there_and_goes_on_where_it_stopped(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matte", str(two), "--split"]) == 0
    first = two.with_name("two.cutout.1.png")
    before = first.stat().st_mtime_ns
    assert main(["matte", str(two), "--split"]) == 10
    assert main(["matte", str(two), "--split", "--skip-existing"]) == 0
    assert "skipped" in capsys.readouterr().err and first.stat().st_mtime_ns == before


def test_split_of_a_picture_without_people_is_one_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    Image.new("RGB", (64, 48), (60, 60, 60)).save(path)
    assert main(["matte", str(path), "--split"]) == 0
    assert np.asarray(opened(tmp_path / "empty.cutout.1.png"))[..., 3].max() == 0


@pytest.mark.parametrize(("which", "told"), [("3", "person 3; 2 people were found"), ("at:80,5", "nobody is at 80, 5")])
def test_where_nobody_is_there_is_an_error_of_its_own(
    two: Path, capsys: pytest.CaptureFixture[str], which: str, told: str
) -> None:
    assert main(["matte", str(two), "--people", which]) == NOBODY_THERE
    assert told in capsys.readouterr().err
    assert not two.with_name("two.cutout.png").exists()


@pytest.mark.parametrize("which", ["everybody", "0", "at:5", "at:900,5", "box:9,9,9,9", "box:1,2,3"])
def test_words_that_name_nobody_are_wrong_usage(two: Path, capsys: pytest.CaptureFixture[str], which: str) -> None:
    assert main(["matte", str(two), "--people", which]) == 2
    assert "--people" in capsys.readouterr().err


def test_split_and_a_choice_contradict_each_other_and_split_needs_files(two: Path) -> None:
    assert main(["matte", str(two), "--split", "--people", "1"]) == 2
    assert main(["matte", str(two), "--split", "-o", "-"]) == 2


def test_weights_that_cannot_tell_people_apart_say_so(
    two: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fake_network.RedIsAPerson.run

    def mask_alone(self: Any, feeds: Any) -> Any:
        return {"mask": run(self, feeds)["mask"]}

    monkeypatch.setattr(fake_network.RedIsAPerson, "run", mask_alone)
    assert main(["matte", str(two), "--people", "1"]) == 2
    assert "a model that tells people apart" in capsys.readouterr().err
    assert main(["matte", str(two)]) == 0


@pytest.mark.parametrize("words", [["-o", "two.ora"], ["-f", "ora", "--crop"]])
def test_openraster_has_a_layer_a_person_and_together_they_are_the_cutout(
    two: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(two.parent)
    assert main(["matte", "two.png", *words]) == 0
    with zipfile.ZipFile("two.ora" if "-o" in words else "two.cutout.ora") as archive:

        def layer_of(name: str) -> Image.Image:
            return Image.open(io.BytesIO(archive.read(name)))

        first = archive.infolist()[0]
        assert (first.filename, archive.read(first)) == ("mimetype", b"image/openraster")
        stack = ElementTree.fromstring(archive.read("stack.xml"))
        names = [layer.attrib["name"] for layer in stack.iter("layer")]
        assert sorted(names) == ["1", "2"]
        merged = np.asarray(layer_of("mergedimage.png"))
        over = np.zeros(merged.shape[:2])
        for layer in stack.iter("layer"):
            alpha = np.asarray(layer_of(layer.attrib["src"]))[..., 3] / 255
            assert alpha.max() == 1
            over = alpha + (1 - alpha) * over
        assert np.abs(over * 255 - merged[..., 3]).max() <= 2  # each layer is rounded to levels
        assert max(layer_of("Thumbnails/thumbnail.png").size) <= 256


def test_openraster_holds_the_people_alone(two: Path) -> None:
    assert main(["matte", str(two), "-f", "ora", "--background", "white"]) == 2
    assert main(["matte", str(two), "-f", "ora", "--split"]) == 2


def test_a_layered_tiff_gets_its_name_and_refuses_what_it_cannot_hold(two: Path) -> None:
    assert main(["matte", str(two), "-f", "tiff-layers"]) == 0
    with Image.open(two.with_name("two.cutout.tiff")) as picture:
        assert getattr(picture, "n_frames", 1) == 2
    assert main(["matte", str(two), "-f", "tiff-layers", "-o", str(two.with_name("a.png"))]) == 2
    assert main(["matte", str(two), "-f", "tiff-layers", "-o", str(two.with_name("a.tif"))]) == 0
    assert main(["matte", str(two), "-f", "tiff-layers", "--split"]) == 2
    assert main(["matte", str(two), "-f", "tiff-layers", "-b", "white"]) == 2
