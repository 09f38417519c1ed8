"""A home folder that cannot be used costs a run nothing that it does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bshm.cli import main
from bshm.errors import EnvironmentFault, OutputError
from bshm.weights import catalogue, store

Captured = pytest.CaptureFixture[str]


@pytest.fixture(params=["locked", "a loop", "too long", "none"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A home folder that cannot be looked into, or none."""
    for name in (store.VARIABLE, "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "home"
    if request.param == "locked":
        if not hasattr(os, "geteuid") or os.geteuid() == 0:
            pytest.skip("nothing is locked for root")
        path.mkdir(mode=0)
    elif request.param == "a loop":
        path.symlink_to(path)
    elif request.param == "too long":
        path = tmp_path / ("a" * 300)
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("USERPROFILE", str(path))
    if request.param == "none":

        def homeless(_: Path) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "expanduser", homeless)
        monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where there is no home
    return str(request.param)


@pytest.mark.usefixtures("home")
def test_the_models_in_the_box_are_there_and_the_rest_is_told(capsys: Captured) -> None:
    assert {"bshm", "bshm-lite", "bshm-live"} <= {card.name for card in catalogue.cards()}
    assert catalogue.find("bshm").name == "bshm"
    assert main(["models"]) == 0
    told = capsys.readouterr()
    assert "bshm-lite" in told.out
    assert "only the included models are listed" in told.err and store.VARIABLE in told.err
    assert main(["matte", "a.png", "--model", "mine"]) == 13
    assert store.VARIABLE in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_what_needs_the_store_is_refused_without_a_trace() -> None:
    for call in (lambda: store.remove("mine"), lambda: store.check_free("mine", overwrite=False)):
        with pytest.raises((OutputError, EnvironmentFault), match=store.VARIABLE):
            call()


def test_a_store_that_is_not_there_yet_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file" / "below"):
        monkeypatch.setenv(store.VARIABLE, str(path))
        assert store.cards() == ([], None)


@pytest.mark.real
@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_picture_is_cut_out_with_a_home_that_cannot_be_used(photo: Callable[..., Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.symlink_to(home)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "BSHM_"))}
    words = [sys.executable, "-m", "bshm", "matte", str(photo("a.png")), "--quiet"]
    done = subprocess.run(words, env={**environment, "HOME": str(home)}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.skipif(os.name == "nt", reason="a folder in use cannot be removed there")
def test_a_current_folder_that_is_gone_is_told_without_a_trace(tmp_path: Path) -> None:
    code = (
        f"import os, sys; gone = {str(tmp_path / 'gone')!r}; os.mkdir(gone); os.chdir(gone); os.rmdir(gone)\n"
        "from bshm.cli import main; sys.exit(main(['matte', 'a.png']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "no file at a.png" in done.stderr and "Traceback" not in done.stderr
