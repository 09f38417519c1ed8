"""What a batch knows of itself, after every kind of end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bshm.bulk.journal import FOLDER, Journal
from bshm.errors import OptionError


def line(output: str, sha256: str = "ab" * 32) -> dict[str, Any]:
    return {"output": output, "input": f"/in/{output}", "proof": {"sha256": sha256, "output_size": 3}}


def opened(folder: Path, *, overwrite: bool = False, **settings: object) -> Journal:
    return Journal(folder, settings, overwrite=overwrite)


def test_what_was_added_is_found_by_the_next_process_and_by_its_bytes(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert first.is_new
    first.add(line("a.png"))
    first.add(line("b.png", "cd" * 32))
    second = opened(tmp_path)  # the first was not closed: so a killed process leaves it
    found = second.find("b.png")
    assert not second.is_new and found is not None and found.found["input"] == "/in/b.png"
    twin = second.twin("ab" * 32, ".png")
    assert twin is not None and twin.found["output"] == "a.png"
    assert second.twin("ab" * 32, ".jpg") is None
    assert second.find("c.png") is None


def test_the_latest_line_of_an_output_counts(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.add(line("a.png"))
    first.add({**line("a.png"), "input": "/in/other"})
    for journal in (first, opened(tmp_path)):
        found = journal.find("a.png")
        assert found is not None and found.found["input"] == "/in/other"


@pytest.mark.parametrize("torn", [b'{"at": 1, "output": "b.p', b"\0\0\0\0", b"\xff\n", b"[]\n", b'"x"\n'])
def test_a_line_that_a_crash_tore_is_none_and_those_before_it_stay(tmp_path: Path, torn: bytes) -> None:
    journal = opened(tmp_path)
    journal.add(line("a.png"))
    (path,) = (tmp_path / FOLDER / "journal").iterdir()
    with path.open("ab") as file:
        file.write(torn)
    after = opened(tmp_path)
    assert after.find("a.png") is not None and after.find("b.png") is None
    after.add(line("b.png"))  # into a file of its own, never behind the torn line
    assert opened(tmp_path).find("b.png") is not None


def test_what_other_processes_add_is_found_when_it_is_asked_for(tmp_path: Path) -> None:
    here, there = opened(tmp_path), opened(tmp_path)
    there.add(line("a.png"))
    assert here.find("a.png") is None
    assert here.find("a.png", anew=True) is not None
    there.add(line("b.png"))
    assert here.find("b.png", anew=True) is not None


def test_results_of_other_settings_are_told_before_anything_is_made(tmp_path: Path) -> None:
    opened(tmp_path, background="white").add(line("a.png"))
    with pytest.raises(OptionError, match=r"background was 'white' and is None.*add overwrite"):
        opened(tmp_path, background=None)
    again = opened(tmp_path, overwrite=True, background=None)
    found = again.find("a.png")
    assert found is not None and not again.is_current(found)
    assert again.twin("ab" * 32, ".png") is None


def test_names_that_are_no_text_are_kept_apart(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.add(line("\udce4.png"))
    for each in (journal, opened(tmp_path)):
        found = each.find("\udce4.png")
        assert found is not None and found.found["output"] == "\udce4.png"
        assert each.find("\udce5.png") is None
