"""A recipe file: its steps are the verbs' own flags, checked before the first of them runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bshm.cli import export, label, main, reopen, train
from bshm.errors import OptionError
from bshm.training import recipe

BOX = Path(__file__).parents[2] / "recipes" / "bshm.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_step_of_the_recipe_in_the_project_is_a_command_that_parses() -> None:
    parsers = {"label": label, "train": train, "reopen": reopen, "export": export}
    steps = recipe.read(BOX, {"data": "somewhere", "workers": "15"})
    assert [step.verb for step in steps] == ["label", "train", "train", "train", "export", "export", "train", "export"]
    for step in steps:
        parsers[step.verb].parser().parse(step.words)
    assert steps[1].words[steps[1].words.index("--data") + 1] == "somewhere"
    assert "--mirrored" in steps[4].words and "True" not in steps[4].words


def test_the_networks_names_in_the_paper_still_name_the_stages() -> None:
    stages = [train.parser().parse(["--stage", name]).stage for name in ("mpn", "qun", "mrn", "joint")]
    assert stages == ["mask", "quality", "matting", "joint"]


def test_steps_run_in_order_and_the_first_that_fails_ends_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def labels(arguments: Any) -> int:
        ran.append(str(arguments.output))
        return 0

    def exports(arguments: Any) -> int:
        ran.append(arguments.name)
        return 5

    monkeypatch.setattr(label, "run", labels)
    monkeypatch.setattr(export, "run", exports)
    path = written(
        tmp_path,
        """
        names = { data = "d" }
        step = [
          { verb = "label", inputs = ["{data}"], output = "{data}/labels" },
          { verb = "export", inputs = ["one"], checkpoint = "c", output = "o" },
          { verb = "export", inputs = ["two"], checkpoint = "c", output = "o" },
        ]
        """,
    )
    assert main(["train", str(path), "--set", "data=e"]) == 5
    assert ran == ["e/labels", "one"]
    assert "step 2 of 3: bshm export one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step = [{ verb = 'bake' }]", "step 1 of .* needs a verb: label, train"),
        ("step = [{ verb = 'label', inputs = ['{data}'] }]", "uses {data}"),
        ("", "has no .*step"),
        ("step = [", "not a readable recipe"),
    ],
)
def test_what_is_no_recipe_is_refused_with_its_step(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        recipe.read(written(tmp_path, text), {})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "datum=x"], "has no name datum"),
        (["--set", "data"], "--set takes NAME=VALUE"),
        (["--out", "x"], "a recipe sets --stage"),
    ],
)
def test_wrong_words_beside_a_recipe_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(BOX), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_step_with_a_flag_that_its_verb_lacks_is_named_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(
        tmp_path,
        "step = [{ verb = 'label', inputs = ['d'], output = 'o' }, { verb = 'export', inputs = ['a'], color = 1 }]",
    )
    assert main(["train", str(path)]) == 2
    assert "step 2 of" in capsys.readouterr().err


def test_without_a_recipe_the_three_flags_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--stage", "mask"]) == 2
    assert "needs --data and --out, or a recipe" in capsys.readouterr().err
