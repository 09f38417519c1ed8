"""``inference_bshm.py``, the original script's door."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pictures import opened

DOOR = Path(__file__).parents[1] / "inference_bshm.py"

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the script in the test's folder and gives its exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", [str(DOOR), *words])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(DOOR), run_name="__main__")
        return int(left.value.code or 0)

    return run


def test_without_flags_it_reads_the_sample_and_writes_into_results(
    door: Callable[..., int], photo: Callable[..., Path]
) -> None:
    photo("image-matting/1.png")
    assert door() == 0
    assert opened("results/1.png").mode == "RGBA"


@pytest.mark.parametrize("flags", [("--input", "--output_dir"), ("-i", "-d")])
def test_its_flags_are_those_of_the_original(
    door: Callable[..., int], photo: Callable[..., Path], flags: tuple[str, str]
) -> None:
    assert door(flags[0], str(photo("anna.jpg")), flags[1], "new/folder") == 0
    assert opened("new/folder/anna.png").size == (64, 48)


def test_a_second_run_replaces_its_result(door: Callable[..., int], photo: Callable[..., Path]) -> None:
    path = str(photo("anna.jpg"))
    assert door("-i", path) == 0
    Path("results/anna.png").write_bytes(b"old")
    assert door("-i", path) == 0
    assert opened("results/anna.png").mode == "RGBA"


def test_it_ends_with_the_codes_of_the_command_line(door: Callable[..., int]) -> None:
    assert door("-i", "missing.jpg") == 3
    assert door("-i", "http://localhost/a.jpg") == 7
    assert door("-d", "") == 2


def test_the_samples_it_reads_are_in_the_repository() -> None:
    for name in ("1.png", "2.png", "2.jpg"):
        opened(DOOR.with_name("image-matting") / name)
