"""The user's own model store: where it is, and that a set is there whole or not at all."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from bshm.cli import main
from bshm.errors import DiskFullError, ModelFileError, OptionError, OutputError, OutputExistsError, UnknownModelError
from bshm.weights import catalogue, store
from bshm.weights.card import Card, Network, Preprocessing, Signature

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv(store.VARIABLE, str(folder))
    return folder


def card(name: str = "mine") -> Card:
    network = Network("x.onnx", "", 0, 7, Preprocessing(size_hw=(320, 320), white=255), 0.25,
                      Signature("in", "out", activation="sigmoid", constants={"r1i": [[0.0]]}))  # fmt: skip
    return Card(name, "tests", "2026-01-01", "MIT", "none", "none", {"alpha": network}, ({"name": "n"},), {"mse": 0.5})


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


def test_what_was_installed_is_found_with_everything_on_its_card(models: Path) -> None:
    installed = store.install(card(), {"alpha": b"weights"}, overwrite=False)
    found = catalogue.find("mine")
    assert found == installed
    assert found.networks["alpha"].signature == card().networks["alpha"].signature
    assert found.networks["alpha"].preprocessing == Preprocessing(size_hw=(320, 320), white=255)
    assert store.read(found, found.networks["alpha"]) == b"weights"
    assert catalogue.cards()[-1].name == "mine"
    assert len(names(models)) == 2


def test_the_box_comes_first_and_cannot_be_hidden(models: Path) -> None:
    models.mkdir()
    (models / "bshm.json").write_text("{}", encoding="utf-8")
    assert catalogue.find("bshm").folder == catalogue.BUNDLED
    with pytest.raises(OptionError, match="is an included model"):
        store.check_free("bshm", overwrite=True, taken=("bshm",))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", ".hidden", "UPPER", "a" * 65, "nul\0", "mine.json/.."])
def test_a_name_never_becomes_a_path(name: str) -> None:
    with pytest.raises(OptionError):
        store.check_name(name)
    with pytest.raises(OptionError):
        store.remove(name)
    with pytest.raises(UnknownModelError):
        catalogue.find(name)


@pytest.mark.parametrize("stop", range(6))
@pytest.mark.parametrize("there", [False, True])
def test_whatever_stops_an_installation_the_store_stays_as_it_was(
    models: Path, monkeypatch: pytest.MonkeyPatch, stop: int, there: bool
) -> None:
    if there:
        store.install(card(), {"alpha": b"old"}, overwrite=False)
    before = {name: (models / name).read_bytes() for name in names(models)}
    calls = 0

    def failing(real: object) -> object:
        def step(*arguments: object, **others: object) -> object:
            nonlocal calls
            calls += 1
            if calls > stop:
                raise OSError(errno.ENOSPC, "No space left on device")
            assert callable(real)
            return real(*arguments, **others)

        return step

    monkeypatch.setattr(os, "fsync", failing(os.fsync))
    monkeypatch.setattr(Path, "replace", failing(Path.replace))
    if stop >= 4:  # two files, each synchronised and renamed
        store.install(card(), {"alpha": b"new"}, overwrite=True)
        assert len(names(models)) == 2
        return
    with pytest.raises(DiskFullError, match=store.VARIABLE):
        store.install(card(), {"alpha": b"new"}, overwrite=True)
    assert {name: (models / name).read_bytes() for name in names(models)} == before


def test_replacing_a_set_leaves_nothing_of_the_old_one(models: Path) -> None:
    store.install(card(), {"alpha": b"old"}, overwrite=False)
    store.install(card("mine.too"), {"alpha": b"other"}, overwrite=False)
    with pytest.raises(OutputExistsError, match="Add overwrite"):
        store.install(card(), {"alpha": b"new"}, overwrite=False)
    store.install(card(), {"alpha": b"new"}, overwrite=True)
    assert len(names(models)) == 4
    found = catalogue.find("mine")
    assert store.read(found, found.networks["alpha"]) == b"new"
    # A set whose name begins alike keeps its files.
    store.remove("mine")
    other = catalogue.find("mine.too")
    assert store.read(other, other.networks["alpha"]) == b"other"


def test_a_damaged_or_missing_file_is_named_with_the_way_back(models: Path) -> None:
    installed = store.install(card(), {"alpha": b"weights"}, overwrite=False)
    path = models / installed.networks["alpha"].file
    path.write_bytes(b"weightz")
    with pytest.raises(ModelFileError, match="bshm models import FILE --name mine --overwrite"):
        store.read(installed, installed.networks["alpha"])
    path.unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        store.read(installed, installed.networks["alpha"])


def test_one_damaged_card_does_not_hide_the_others(models: Path, capsys: Captured) -> None:
    store.install(card(), {"alpha": b"weights"}, overwrite=False)
    (models / "broken.json").write_text("{", encoding="utf-8")
    assert main(["models"]) == 15
    told = capsys.readouterr()
    assert "mine: tests" in told.out and "broken.json" in told.err
    assert main(["models", "--where"]) == 0
    assert capsys.readouterr().out == f"{models}\n"


@pytest.mark.parametrize("file", ["../secret.onnx", "/etc/passwd", "a/b.onnx", ".hidden", "", ".."])
def test_a_card_from_anywhere_does_not_lead_out_of_its_folder(models: Path, file: str) -> None:
    installed = store.install(card(), {"alpha": b"weights"}, overwrite=False)
    text = (models / "mine.json").read_text(encoding="utf-8")
    (models / "mine.json").write_text(text.replace(installed.networks["alpha"].file, file), encoding="utf-8")
    with pytest.raises(ModelFileError, match="plain name"):
        catalogue.find("mine")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 3}, "format is 3"),
        ({"networks": {}}, "no model has exactly the networks none"),
        ({"surprise": 1}, "surprise"),
        ({"data": None}, "NoneType"),
        ({"networks": 3}, "int"),
    ],
)
def test_a_card_that_is_none_is_refused_with_the_reason(models: Path, change: dict[str, object], says: str) -> None:
    import json

    store.install(card(), {"alpha": b"weights"}, overwrite=False)
    path = models / "mine.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(ModelFileError, match=says):
        catalogue.find("mine")


def test_a_network_that_answers_alpha_needs_a_signature() -> None:
    network = replace(card().networks["alpha"], signature=None)
    with pytest.raises(ValueError, match="needs a signature"):
        replace(card(), networks={"alpha": network})
    with pytest.raises(ValueError, match="no model has"):
        replace(card(), networks={"alpha": card().networks["alpha"], "mask": network})


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("unix.Unix", {"XDG_DATA_HOME": "/data"}, "/data/bshm/models"),
        ("unix.Unix", {"HOME": "/home/me"}, "/home/me/.local/share/bshm/models"),
        ("macos.MacOS", {"HOME": "/Users/me"}, "/Users/me/Library/Application Support/bshm/models"),
        ("windows.Windows", {"LOCALAPPDATA": "/c/Local"}, "/c/Local/bshm/models"),
    ],
)
def test_the_store_is_where_each_system_keeps_an_applications_data(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in (store.VARIABLE, "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # What its class for Windows asks elsewhere than on Windows.
    windows = import_module("platformdirs.windows")
    monkeypatch.setattr(windows, "get_win_folder", windows.get_win_folder_from_env_vars)
    module, _, kind = platform.partition(".")
    folders = getattr(import_module(f"platformdirs.{module}"), kind)
    monkeypatch.setattr("platformdirs.user_data_path", lambda *words, **named: folders(*words, **named).user_data_path)
    assert store.root() == Path(expected)


def test_a_store_that_cannot_be_written_names_the_variable(models: Path) -> None:
    models.write_bytes(b"a file where the folder should be")
    with pytest.raises(OutputError, match=store.VARIABLE):
        store.install(card(), {"alpha": b"weights"}, overwrite=False)
