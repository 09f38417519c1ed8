"""``bshm doctor``, ``bshm models`` and ``bshm eval``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bshm.cli import doctor, main
from bshm.errors import ModelFileError
from bshm.weights import catalogue, store

Captured = pytest.CaptureFixture[str]


@pytest.mark.real
def test_doctor_finds_the_person_in_the_sample_with_the_weights_in_the_box(capsys: Captured) -> None:
    assert main(["doctor", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    checks = {check["name"]: check for check in report["checks"]}
    assert {"bshm", "python", "numpy", "device", "run"} <= set(checks)
    assert "a person found" in checks["run"]["detail"]


@pytest.mark.usefixtures("fake")
def test_doctor_says_what_auto_picks_and_why(capsys: Captured) -> None:
    main(["doctor"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " device " in line]
    assert "auto chooses" in line and "built for" in line


def test_doctor_names_a_damaged_model_file_and_ends_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def damaged(*_: Any) -> bytes:
        raise ModelFileError("it is not the file that the card describes")

    monkeypatch.setattr(store, "read", damaged)
    assert main(["doctor", "--device", "cpu"]) == 15
    told = capsys.readouterr().out
    assert "BAD" in told and "not the file that the card describes" in told
    assert told.splitlines()[-1].startswith("something does not work")


@pytest.mark.usefixtures("fake")
def test_doctor_is_not_content_with_a_network_that_runs_but_sees_nobody(
    monkeypatch: pytest.MonkeyPatch, photo: Callable[..., Path], capsys: Captured
) -> None:
    monkeypatch.setattr(doctor, "SAMPLE", photo("wall.png", empty=True))
    assert main(["doctor"]) == 15
    assert "0% of the sample" in capsys.readouterr().out


def test_models_lists_every_card_with_what_one_must_know(capsys: Captured) -> None:
    assert main(["models"]) == 0
    page = capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in entries] == [card.name for card in catalogue.cards()]
    assert entries
    for entry in entries:
        for known in (entry["name"], entry["sha256"], entry["licence"], entry["purpose"]):
            assert known in page
        assert all(source["licence"] for source in entry["data"])


def test_models_begins_with_the_default_and_says_so(capsys: Captured) -> None:
    assert main(["models"]) == 0
    names = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines() if line and line[0] != " "]
    assert names[0] == "bshm (default)"
    assert not any("default" in name for name in names[1:])


@pytest.mark.usefixtures("fake")
def test_eval_prints_a_table_and_writes_what_is_asked_for(tmp_path: Path, capsys: Captured) -> None:
    alpha = np.zeros((48, 64), np.uint8)
    alpha[12:36, 16:48] = 255
    pixels = np.full((48, 64, 3), 60, np.uint8)
    pixels[alpha == 255] = (240, 20, 20)
    for folder, array in (("images", pixels), ("alphas", alpha)):
        (tmp_path / folder).mkdir()
        Image.fromarray(array).save(tmp_path / folder / "red.png")
    figures = tmp_path / "figures.json"
    assert main(["eval", str(tmp_path), "--json", str(figures)]) == 0
    assert "SAD" in capsys.readouterr().out
    assert "red" in figures.read_text(encoding="utf-8")


@pytest.mark.parametrize(("folder", "code"), [("missing", 3), (".", 9)])
@pytest.mark.usefixtures("fake")
def test_eval_without_data_has_its_exit_codes(tmp_path: Path, folder: str, code: int) -> None:
    assert main(["eval", str(tmp_path / folder)]) == code
