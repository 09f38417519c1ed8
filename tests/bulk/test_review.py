"""Results that should be looked at: which are copied, where, and the sheet of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bshm.bulk import review
from bshm.bulk.review import SHEET, Review, SheetEntry, sheet
from bshm.cli.app import main
from bshm.matting.verdict import Reason, Verdict
from bshm.types import Box

Photo = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red is a person; blue may be one."""
    import fake_network

    class Session:
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            image = feeds["image"]
            red, blue = image[:, :1] > image[:, 1:2] + 0.2, image[:, 2:] > image[:, 1:2] + 0.2
            return {"mask": np.where(red, 1, np.where(blue, 0.5, 0)).astype(np.float32)}

    monkeypatch.setattr(fake_network, "RedIsAPerson", Session)
    fake_network.install(monkeypatch.setattr)


def doubtful(path: Path) -> Path:
    """Puts a blue patch beside the person of ``photo``."""
    with Image.open(path) as page:
        pixels = np.array(page)
    pixels[:40, :12] = (20, 20, 240)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.usefixtures("unsure")
def test_a_batch_copies_what_it_makes_once(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    photo("in/good.png"), doubtful(photo("in/bad.png"))
    out = tmp_path / "out"
    words = ["batch", str(tmp_path / "in"), "-o", str(out), "--review-below", "0.5", "--overwrite"]
    assert main(words) == 0
    assert f"to review: 1, see {out / 'review' / SHEET}" in capsys.readouterr().err
    assert sorted(path.name for path in (out / "review").iterdir()) == ["bad.png", SHEET]
    assert (out / "review" / "bad.png").read_bytes() == (out / "bad.png").read_bytes()
    assert main(words) == 0
    assert "to review: 0" in capsys.readouterr().err


def test_a_batch_keeps_copies_and_results_apart(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    photo("in/a.png"), photo("in/review/b.png")
    words = ["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--review-below", "0.5"]
    assert main(words) == 2
    assert "Set --review-folder" in capsys.readouterr().err
    assert main([*words, "--review-folder", str(tmp_path / "out")]) == 2


def test_a_batch_says_what_a_review_needs(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    words = ["batch", str(photo("in/a.png").parent), "-o", str(tmp_path / "out")]
    assert main([*words, "--review-folder", "look"]) == 2
    assert "--review-folder needs --review-below" in capsys.readouterr().err
    assert main([*words, "--review-below", "0.5", "--engine", "ray"]) == 2
    assert "--engine local" in capsys.readouterr().err
    assert main([*words, "--review-below", "2"]) == 2


@pytest.mark.usefixtures("unsure")
def test_only_results_below_the_score_are_copied_and_shown(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    good, bad = photo("in/good.png"), doubtful(photo("in/bad.png"))
    out = tmp_path / "out"
    assert main(["matte", str(good), str(bad), "-o", f"{out}/", "--review-below", "0.5", "--json"]) == 0
    assert sorted(path.name for path in (out / "review").iterdir()) == ["bad.png", SHEET]
    assert (out / "review" / "bad.png").read_bytes() == (out / "bad.png").read_bytes()
    told = capsys.readouterr()
    scores = {Path(line["input"]).name: line["verdict"]["score"] for line in map(json.loads, told.out.splitlines())}
    assert scores["bad.png"] < 0.5 < scores["good.png"]
    assert f"to review: 1, see {out / 'review' / SHEET}" in told.err
    assert "bad.png: worth a look, score" in told.err and "good.png: worth a look" not in told.err


@pytest.mark.usefixtures("unsure")
def test_two_results_of_one_name_are_both_kept_and_an_earlier_run_too(photo: Photo, tmp_path: Path) -> None:
    doubtful(photo("in/a/x.png")), doubtful(photo("in/b/x.png"))
    words = ["matte", str(tmp_path / "in"), "-r", "--review-below", "1", "--review-folder", str(tmp_path / "look")]
    assert main([*words, "-o", str(tmp_path / "one")]) == 0
    assert sorted(path.name for path in (tmp_path / "look").iterdir()) == [SHEET, "x-2.png", "x.png"]
    before = {path.name: path.read_bytes() for path in (tmp_path / "look").iterdir()}
    assert main([*words, "-o", str(tmp_path / "two")]) == 0
    after = {path.name: path.read_bytes() for path in (tmp_path / "look").iterdir()}
    assert len(after) == 6 and all(after[name] == data for name, data in before.items())
    assert main([*words, "-o", str(tmp_path / "two"), "--overwrite"]) == 0
    assert len(list((tmp_path / "look").iterdir())) == 6


@pytest.mark.usefixtures("fake")
def test_nothing_to_look_at_writes_nothing(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    words = ["--review-below", "0.3", "--review-folder", str(tmp_path / "look")]
    assert main(["matte", str(photo("a.png")), *words]) == 0
    assert not (tmp_path / "look").exists()
    assert "to review: 0" in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--review-below", "1.5"], "--review-below takes a score of 0 to 1; got 1.5"),
        (["--review-below", "nan"], "--review-below takes a score of 0 to 1; got nan"),
        (["--review-folder", "look"], "--review-folder needs --review-below"),
        (["--review-below", "0.5", "-o", "-"], "--review-below needs a result in a file"),
    ],
)
def test_what_cannot_be_meant_is_told(photo: Photo, words: list[str], told: str, capsys: Captured) -> None:
    path = photo("a.png")
    assert main(["matte", str(path), *words]) == 2
    assert told in capsys.readouterr().err
    assert not path.with_name("a.cutout.png").exists()


def shown(name: str, score: float) -> SheetEntry:
    return SheetEntry(name, Verdict(score, 0.1, (Reason("dark", Box(0, 0, 4, 4)),)), np.zeros((320, 648, 3), np.uint8))


def test_the_sheet_is_bounded_and_has_the_lowest_scores_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "MOST", 3)
    drawn: list[str] = []

    def draw(looks: list[SheetEntry], *, of: int) -> np.ndarray:
        drawn.extend(look.name for look in looks)
        assert of == 5
        return sheet(looks, of=of)

    monkeypatch.setattr(review, "sheet", draw)
    folder = Review(tmp_path, 1)
    for name, score in {"a": 0.5, "b": 0.1, "c": 0.9, "d": 0.3, "e": 0.2}.items():
        folder.add(shown(name, score), b"", f"{name}.png")
    written = folder.write_sheet()
    assert drawn == ["b", "e", "d"]
    assert written is not None
    with Image.open(written) as page:
        assert page.format == "JPEG"


def test_a_long_name_and_letters_of_any_script_can_be_drawn() -> None:
    pixels = sheet([shown("照片 " + "x" * 500 + ".jpg", 0.2)], of=1)
    assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
