"""One option has one name: Python, flags, fields and settings, held against the table in docs/conventions.md."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bshm.bulk.batch import BatchRecord, Job
from bshm.cli import matte as command
from bshm.cli import worker
from bshm.cli.reporting import json_line
from bshm.edit.spec import Edit
from bshm.options import BatchOptions, Limits, MatteOptions
from bshm.pipeline import Matting
from bshm.result import Matte

CONVENTIONS = Path(__file__).parents[1] / "docs" / "conventions.md"
CLASSES: dict[str, Any] = {
    "Edit": {each.name for each in fields(Edit)},
    "MatteOptions": {each.name for each in fields(MatteOptions)} - {"limits"},
    "Limits": {each.name for each in fields(Limits)},
    "BatchOptions": {each.name for each in fields(BatchOptions)},
    "Matting": set(inspect.signature(Matting).parameters) - {"engine"},
}


def table(first: str) -> dict[str, list[str]]:
    """The table whose first column is called ``first``: the other cells by the name in a row's first one."""
    lines = CONVENTIONS.read_text(encoding="utf-8").split(f"| {first} |", 1)[1].splitlines()[2:]
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        name, *rest = (cell.strip().strip("`") for cell in line.strip("|").split("|"))
        rows[name] = rest
    return rows


def named(column: int, word: str) -> set[str]:
    """The options that the table has ``word`` for in a column."""
    return {name for name, cells in table("option").items() if cells[column] == word}


@pytest.mark.parametrize("kind", CLASSES)
def test_the_names_in_python_are_those_of_the_table(kind: str) -> None:
    assert named(0, kind) == CLASSES[kind]


def test_the_flags_are_those_of_the_table() -> None:
    flags = {
        flag.removeprefix("--").replace("-", "_"): action
        for action in command.parser()._actions
        for flag in action.option_strings
        if flag.startswith("--")
    }
    before = {"jobs", "url_timeout"}
    assert set(flags) - before - {"help", "no_decontaminate"} == named(1, "flag")
    assert all(name == action.dest for name, action in flags.items() if name in named(1, "flag"))
    assert {flags[name].dest for name in before} == {"in_flight", "url_timeout_s"}


def test_the_fields_of_a_request_are_those_of_the_table() -> None:
    from bshm.server.fields import EDIT_FIELDS, PictureFields
    from bshm.server.routes.jobs import JobFields

    assert set(PictureFields.model_fields) == named(2, "field")
    assert set(EDIT_FIELDS) == CLASSES["Edit"]
    assert set(JobFields.model_fields) - named(2, "field") == {"keep_s", "webhook_url", "idempotency_key"}


def test_the_settings_are_those_of_the_table() -> None:
    from bshm.server.settings import Settings

    assert named(3, "setting") == set(Settings.model_fields) & set(table("option"))


def test_how_many_at_once_is_called_the_same_everywhere() -> None:
    from bshm.server.settings import Settings

    assert "in_flight" in inspect.signature(Matting.map).parameters
    assert worker.parser().parse_args(["--in-flight", "3"]).in_flight == 3
    assert worker.parser().parse_args(["--jobs", "3"]).in_flight == 3
    assert {"in_flight", "jobs_in_flight"} <= set(Settings.model_fields)
    assert "overwrite" in inspect.signature(Matte.save).parameters


@pytest.mark.usefixtures("fake")
def test_the_names_of_results_are_those_of_the_table() -> None:
    from bshm.jobs.records import JobOptions
    from bshm.jobs.work import MattingWork
    from bshm.server.routes.matte import _HEADERS

    rows = table("result")
    record = BatchRecord(Job("a", "a", Path("a.png")), "written", size_hw=(1, 2))
    line = set(json.loads(json_line(record))) - {"input", "output", "status"}
    assert line == {name for name, cells in rows.items() if cells[0] == "yes"}
    from bshm.files.png import encode_png

    product = MattingWork(Matting())(encode_png(np.zeros((8, 8, 3), np.uint8)), "a", JobOptions())
    assert set(product.details) == {name for name, cells in rows.items() if cells[1] == "yes"}
    assert {cells[2] for cells in rows.values() if cells[2]} == set(_HEADERS) - {"X-Bshm-Cache"}
