"""Whole stages in small: they learn, resume after a kill, refuse foreign checkpoints, and export what they learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bshm.errors import CheckpointError, DiskFullError
from bshm.pipeline import Matting
from bshm.training import checkpoints, export, stages
from bshm.training.data import DataFolder
from bshm.training.schedule import Schedule
from bshm.weights import catalogue


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def trained(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Checkpoints of the mask network and of the two behind it, after a few steps."""
    out = tmp_path_factory.mktemp("runs")
    data = DataFolder(data_root)
    plan = Schedule(steps=4, batch=2, warmup=1, save_every=2)
    mask = stages.train_mask(data, out / "mpn", plan, variant="lite0", workers=0, report=quiet)
    plan = Schedule(steps=2, batch=1, warmup=1, save_every=1)
    fine = stages.train_fine(data, out / "fine", plan, mask=mask, workers=0, crops=1, report=quiet)
    return mask, fine


def test_figures_are_logged_at_every_save(trained: tuple[Path, Path]) -> None:
    lines = [json.loads(line) for line in (trained[0].parent / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert all(0 <= line["composites"] <= 1 for line in lines)


def test_a_killed_run_ends_where_an_undisturbed_one_does(
    data_root: Path, tmp_path: Path, trained: tuple[Path, Path]
) -> None:
    data = DataFolder(data_root)

    class Killed(Exception):
        pass

    def die(line: str) -> None:
        if line.startswith("mpn 2:"):
            raise Killed

    plan = Schedule(steps=4, batch=2, warmup=1, save_every=2)
    with pytest.raises(Killed):
        stages.train_mask(data, tmp_path, plan, variant="lite0", workers=0, report=die)
    again = stages.train_mask(data, tmp_path, plan, variant="lite0", workers=0, report=quiet)
    ours, theirs = (checkpoints.load(path)["average"] for path in (again, trained[0]))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [2, 4]


def test_a_checkpoint_of_another_network_is_refused(trained: tuple[Path, Path], data_root: Path) -> None:
    plan = Schedule(steps=4, batch=2)
    with pytest.raises(CheckpointError, match=r"variant.*lite0.*lite2"):
        stages.train_mask(DataFolder(data_root), trained[0].parent, plan, variant="lite2", workers=0, report=quiet)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, trained: tuple[Path, Path]) -> None:
    cut = tmp_path / "cut.pt"
    cut.write_bytes(trained[0].read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"cut\.pt"):
        checkpoints.load(cut)


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    checkpoints.save(path, {"step": 1})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DiskFullError, match="untouched"):
        checkpoints.save(path, {"step": 2})
    monkeypatch.undo()
    assert checkpoints.load(path)["step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


@pytest.fixture(scope="module")
def exported(trained: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    export.write("small", *trained, folder, purpose="a test", date="2026-01-01")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_an_exported_set_runs_and_says_what_it_is(exported: Path) -> None:
    from bshm.model.predictor import Predictor

    card = catalogue.find("small", exported)
    assert set(card.networks) == {"mask", "quality", "matting"}
    assert all(network.parity <= export.TOLERANCE for network in card.networks.values())
    matting = Matting(predictor=Predictor.open(card, "cpu"))
    matte = matting.matte(np.random.default_rng(0).integers(0, 255, (300, 200, 3), dtype=np.uint8))
    assert matte.alpha.shape == (300, 200)
    assert list(matte.ran.timings_ms) == ["decode", "mask", "quality", "matting", "foreground"]


@pytest.mark.filterwarnings("ignore")
def test_a_network_that_computes_something_else_is_refused(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(export.ParityError, match="differs from PyTorch"):
        export.write("small", *trained, tmp_path)
    assert not (tmp_path / "small.json").exists()
