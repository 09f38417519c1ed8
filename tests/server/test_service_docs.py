"""docs/service.md says what the service does."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from bshm.cli import main
from bshm.server import statuses
from bshm.server.keys import Keys
from bshm.server.metrics import Metrics

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "service.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_fresh() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        import make_service
    finally:
        sys.path.remove(str(DOCS))
    assert make_service.page(PAGE) == PAGE, "run python docs/make_service.py"


def test_the_figures_and_the_problem_that_it_names_are_there() -> None:
    shown = Metrics().text().decode()
    for name in ("bshm_requests", "bshm_request_seconds", "bshm_stage_seconds", "bshm_cache_lookups", "bshm_errors"):
        assert name in PAGE and name in shown
    titles = {answer.title for answer in statuses.OF_ERROR.values()}
    assert "The picture cannot be read" in titles and "The picture cannot be read" in PAGE


def test_it_names_every_status_that_a_request_can_get() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| 4") or line.startswith("| 5")]
    named = {int(word) for row in rows for word in row.split("|")[1].replace(",", " ").split()}
    possible = {answer.status for answer in statuses.OF_ERROR.values()}
    # 404 needs no explanation, 499 nobody reads, 500 is a fault.
    assert possible - {404, 499, 500} <= named


def test_the_key_for_the_systemd_service_is_made_as_its_user_and_where_it_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = dict(re.findall(r"^(\w+)=(.*)$", PAGE.partition("```ini")[2].partition("```")[0], re.MULTILINE))
    environment = dict(word.split("=", 1) for word in shlex.split(unit["Environment"]))
    (command,) = [line.split() for line in PAGE.splitlines() if line.startswith("    sudo ")]
    assert command[:4] == ["sudo", "-H", "-u", unit["User"]]
    assert command[4:6] == ["env", f"BSHM_KEYS_FILE={environment['BSHM_KEYS_FILE']}"]
    assert command[6] == unit["ExecStart"].split()[0]
    # And a setting in the environment is where the verb of the command writes.
    file = tmp_path / "state" / "keys.json"
    monkeypatch.setenv("BSHM_KEYS_FILE", str(file))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(command[7:]) == 0
    assert capsys.readouterr().out.startswith("bshm_")
    assert [key.name for key in Keys(file).all()] == ["shop"] and not (tmp_path / "home").exists()
