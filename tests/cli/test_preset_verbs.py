"""``bshm check``, ``bshm presets``, ``bshm sheet`` and ``bshm matte --preset`` as people and scripts use them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_people import Drawn, drawn_alpha
from pictures import opened
from PIL import Image

from bshm.cli import main
from bshm.edit import faces

pytestmark = pytest.mark.usefixtures("fake")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _by_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawing has no face."""
    monkeypatch.setattr(faces, "available", lambda: False)


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """Somebody in red before a grey-blue wall."""
    path = tmp_path / "portrait.png"
    Image.fromarray(Drawn(drawn_alpha(700, 500, crown=120, head=180)).picture.pixels).save(path)
    return path


def test_a_preset_makes_the_picture_and_the_check_passes(portrait: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "id.jpg"
    assert main(["matte", str(portrait), "-o", str(out), "--preset", "id-35x45"]) == 0
    assert "the head was found by the shape of the matte" in capsys.readouterr().err
    image = opened(out)
    assert image.size == (413, 531) and image.info["dpi"] == (300, 300)
    assert main(["check", str(out), "--preset", "id-35x45"]) == 0
    told = capsys.readouterr().out
    assert "meets the rules of id-35x45" in told
    assert "pass  size" in told and "35.0x45.0 mm (413x531 px at 300 dpi)" in told
    assert "not measured: no older than 6 months" in told


def test_a_picture_that_breaks_rules_has_an_exit_code_of_its_own(portrait: Path, capsys: Captured) -> None:
    assert main(["check", str(portrait), "--preset", "amazon-main"]) == 22
    told = capsys.readouterr().out
    assert "FAIL  longest" in told and "700 px" in told and "at least" not in told.split("longest")[0].splitlines()[-1]
    assert main(["check", str(portrait), "--preset", "amazon-main", "--json"]) == 22
    line = json.loads(capsys.readouterr().out)
    found = {each["rule"]: each for each in line["findings"]}
    assert line["passed"] is False and line["preset"] == "amazon-main"
    assert found["longest"] == {
        "rule": "longest", "passed": False, "value": 700, "found": "700 px", "needed": "1000 to 10000 px"
    }  # fmt: skip
    assert found["formats"]["passed"] is True and found["background"]["passed"] is False


def test_fixing_writes_a_picture_that_meets_the_rules(portrait: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "shop.jpg"
    assert main(["check", str(portrait), "--preset", "amazon-main", "--fix", "-o", str(out), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["passed"] is True and line["output"] == str(out)
    assert any("enlarged" in note for note in line["notes"])
    assert opened(out).size == (2000, 2000)
    assert main(["check", str(portrait), "--preset", "amazon-main", "--fix", "-o", str(out)]) == 10
    assert main(["check", str(portrait), "--preset", "amazon-main", "--fix", "-o", str(out), "--overwrite"]) == 0


def test_several_are_measured_each_and_an_error_does_not_end_it(
    portrait: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "fixed"
    words = ["check", str(portrait), str(tmp_path / "none.jpg"), "--preset", "ebay", "--json"]
    assert main(words) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["passed"] for line in lines] == [True, None]
    assert lines[1]["error"]["kind"] == "SourceNotFoundError"
    assert main(["check", str(portrait), "--preset", "ebay", "--fix", "-o", f"{folder}/"]) == 0
    assert [path.name for path in folder.iterdir()] == ["portrait.jpg"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--preset", "pasport-us"], 21, "Did you mean passport-us"),
        (["--preset", "ebay", "--presets", "nowhere"], 2, "is not a folder"),
        (["--preset", "ebay", "-o", "x.jpg"], 2, "Add --fix"),
        (["--preset", "ebay", "--fix"], 2, "--fix needs -o"),
        (["--preset", "ebay", "--fix", "-o", "x.gif"], 2, "suffixes"),
        ([], 2, "--preset"),
    ],
)
def test_wrong_words_are_told(portrait: Path, capsys: Captured, words: list[str], code: int, told: str) -> None:
    assert main(["check", str(portrait), *words]) == code
    assert told in capsys.readouterr().err


def test_a_repaired_picture_never_replaces_the_one_it_is_made_of(portrait: Path, capsys: Captured) -> None:
    words = ["check", str(portrait), "--preset", "sticker", "--fix", "-o", str(portrait), "--overwrite"]
    before = portrait.read_bytes()
    assert main(words) == 2
    assert "would replace" in capsys.readouterr().err and portrait.read_bytes() == before


def test_asking_for_a_face_without_the_detector_names_the_extra(
    portrait: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "_folder", lambda: None)
    faces._networks.cache_clear()
    assert main(["check", str(portrait), "--preset", "passport-us", "--head", "face"]) == 18
    assert "bshm[faces]" in capsys.readouterr().err


def test_flags_count_in_place_of_the_presets_options(portrait: Path, tmp_path: Path) -> None:
    blue = tmp_path / "blue.png"
    words = ["--preset", "cn-1in", "-b", "#438edb"]
    assert main(["matte", str(portrait), "-o", str(blue), *words]) == 0
    image = opened(blue)
    assert (image.format, image.size) == ("PNG", (295, 413))
    assert np.asarray(image.convert("RGB"))[2, 2].tolist() == [0x43, 0x8E, 0xDB]
    beside = portrait.with_name("portrait.cutout.jpg")
    assert main(["matte", str(portrait), *words]) == 0
    assert opened(beside).format == "JPEG"


def test_a_preset_and_the_alpha_alone_contradict_each_other(portrait: Path, capsys: Captured) -> None:
    assert main(["matte", str(portrait), "--preset", "ebay", "--alpha"]) == 2
    assert "Drop --alpha or --preset" in capsys.readouterr().err


def test_presets_are_listed_in_pixels_and_in_mm(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "badge.toml").write_text(
        'title = "Badge"\nsource = "here"\nchecked = "2026-01-02"\nseen = "source"\n[edit]\nsize = "30x40mm"\n',
        encoding="utf-8",
    )
    assert main(["presets", "--presets", str(tmp_path)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "413x579" in lines["cn-2in"] and "35x49 mm at 300 dpi" in lines["cn-2in"]
    assert "413x626" in lines["cn-2in-large"] and "your own" in lines["badge"]
    assert main(["presets", "id-cn"]) == 0
    page = capsys.readouterr().out
    assert "358x441 px, 26x32 mm at 350 dpi" in page and "GA 461-2004" in page and "not measured" in page
    assert main(["presets", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert listed["id-cn"]["width"] == 358 and listed["id-cn"]["width_mm"] == 26


def test_a_damaged_preset_of_ones_own_hides_no_other(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "mine.toml").write_text("x", encoding="utf-8")
    assert main(["presets", "--presets", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert "mine.toml" in told.err and "passport-us" in told.out


def test_a_sheet_is_made_of_a_photograph_and_of_a_finished_picture(
    portrait: Path, tmp_path: Path, capsys: Captured
) -> None:
    made, as_is, page = tmp_path / "made.png", tmp_path / "as-is.jpg", tmp_path / "page.pdf"
    one = tmp_path / "one.png"
    assert main(["matte", str(portrait), "-o", str(one), "--preset", "id-35x45"]) == 0
    assert main(["sheet", str(portrait), "--preset", "id-35x45", "--gap", "0", "-o", str(made)]) == 0
    assert "8 of 35x45 mm on 4x6in" in capsys.readouterr().err
    sheet = np.asarray(opened(made))
    assert sheet.shape == (1200, 1800, 3)
    copy = np.asarray(opened(one))
    top, left = (1200 - 2 * 531) // 2, (1800 - 4 * 413) // 2
    assert (sheet[top : top + 531, left : left + 413] == copy).all()
    assert main(["sheet", str(one), "--as-is", "--preset", "id-35x45", "--paper", "a4", "-o", str(as_is)]) == 0
    assert opened(as_is).size == (2480, 3508) and opened(as_is).info["dpi"] == (300, 300)
    assert main(["sheet", str(one), "--as-is", "--preset", "id-35x45", "--marks", "-o", str(page)]) == 0
    assert page.read_bytes().startswith(b"%PDF")
    assert main(["sheet", str(one), "--as-is", "--preset", "id-35x45", "-o", str(page)]) == 10


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["-o", "x.webp"], 2, "NAME.pdf"),
        (["-o", "x.jpg", "--paper", "napkin"], 2, "a paper is"),
        (["-o", "x.jpg", "--gap", "-1"], 2, "gap"),
        (["-o", "x.jpg", "--paper", "20x20mm"], 2, "does not fit"),
    ],
)
def test_a_sheet_that_cannot_be_made_is_told(
    portrait: Path, capsys: Captured, words: list[str], code: int, told: str
) -> None:
    assert main(["sheet", str(portrait), "--preset", "id-35x45", *words]) == code
    assert told in capsys.readouterr().err
