"""Whole stages in small: they learn, resume after a kill, refuse foreign checkpoints, and export what they learned."""

from __future__ import annotations

import json
import operator
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bshm.cli import exit_codes, main
from bshm.errors import CheckpointError, DataFolderError, DiskFullError, OutputError, ParityError
from bshm.matting.engines import Staged, open_engine
from bshm.pipeline import Matting
from bshm.training import checkpoints, export, fine_stages, reopen
from bshm.training.data import DataFolder
from bshm.training.mask_stage import train_mask
from bshm.training.reporting import Silent, Step
from bshm.training.schedule import Schedule
from bshm.weights import catalogue
from bshm.weights.card import Signature

MASK_PLAN = Schedule(steps=4, batch=2, warmup=1, save_every=2)
FINE_PLAN = Schedule(steps=2, batch=1, warmup=1, save_every=2)
AFTER = {"quality": "mask", "matting": "quality", "joint": "matting"}
PREFIXES = {"quality": ("quality.",), "matting": ("matting.",), "joint": ("mask.", "quality.", "matting.")}


class At(Silent):
    """Does something when a step is done."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.number, self.act = number, act

    def step(self, step: Step) -> None:
        if step.number == self.number:
            self.act()


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module", autouse=True)
def small_validation() -> Iterator[None]:
    """One validation picture in place of twelve: what is checked here is that they are looked at."""
    with pytest.MonkeyPatch.context() as patch:
        whole = fine_stages.check_fine
        patch.setattr(fine_stages, "check_fine", lambda network, checks: whole(network, checks[:1]))
        yield


def fine(data_root: Path, out: Path, stage: str, start: Path, report: Silent | None = None) -> Path:
    return fine_stages.train_fine(
        DataFolder(data_root), out, FINE_PLAN, stage=stage, start=start, workers=0, crops=2, report=report or Silent()  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The last checkpoint of each stage after a few steps."""
    out = tmp_path_factory.mktemp("runs")
    data = DataFolder(data_root)
    found = {"mask": train_mask(data, out / "mask", MASK_PLAN, variant="lite0", workers=0, report=Silent())}
    for stage, before in AFTER.items():
        found[stage] = fine(data_root, out / stage, stage, found[before])
    return found


def weights(path: Path) -> Mapping[str, torch.Tensor]:
    average: Mapping[str, torch.Tensor] = checkpoints.load(path)["average"]
    return average


@pytest.mark.parametrize("stage", ["mask", *AFTER])
def test_figures_and_a_sheet_are_left_at_every_save(trained: dict[str, Path], stage: str) -> None:
    folder = trained[stage].parent
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    steps = [2, 4] if stage == "mask" else [2]
    assert [line["step"] for line in lines] == steps
    assert all(0 <= line["composites" if stage == "mask" else "alpha"] <= 1 for line in lines)
    assert [path.name for path in sorted((folder / "samples").iterdir())] == [f"{step:06d}.jpg" for step in steps]
    page = cv2.imread(str(folder / "samples" / "000002.jpg"))
    # picture, annotation, then mask or the four stages, and the cut-out, in cells of 448 px and gaps of 6.
    assert page is not None
    assert page.shape[1] == (4 if stage == "mask" else 7) * 454


@pytest.mark.parametrize("stage", AFTER)
def test_a_stage_changes_its_networks_and_no_other(trained: dict[str, Path], stage: str) -> None:
    before, after = weights(trained[AFTER[stage]]), weights(trained[stage])
    if AFTER[stage] == "mask":
        before = {f"mask.{name}": value for name, value in before.items()}
    changed = {name.partition(".")[0] + "." for name in before if not torch.equal(before[name], after[name])}
    if stage == "quality":
        # The quality network had not begun; that it learned is seen against its untrained head of zeros.
        assert after["quality.body.head.weight"].abs().max() > 0
        assert changed == set()
    else:
        assert changed == set(PREFIXES[stage])


def test_a_terminated_mask_run_ends_where_an_undisturbed_one_does(
    data_root: Path, tmp_path: Path, trained: dict[str, Path]
) -> None:
    data = DataFolder(data_root)
    with pytest.raises(KeyboardInterrupt):
        train_mask(data, tmp_path, MASK_PLAN, variant="lite0", workers=1, report=At(3, terminate))
    assert checkpoints.load(tmp_path / "last.pt")["step"] == 3
    again = weights(train_mask(data, tmp_path, MASK_PLAN, variant="lite0", workers=0, report=Silent()))
    whole = weights(trained["mask"])
    assert again.keys() == whole.keys()
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [2, 4]


def test_a_terminated_fine_run_ends_where_an_undisturbed_one_does(
    data_root: Path, tmp_path: Path, trained: dict[str, Path]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fine(data_root, tmp_path, "joint", trained["matting"], At(1, terminate))
    again, whole = weights(fine(data_root, tmp_path, "joint", trained["matting"])), weights(trained["joint"])
    assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_a_kill_while_saving_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\nfrom bshm.training import checkpoints\n"
        "path = pathlib.Path(sys.argv[1])\ncheckpoints.save(path, {'step': 1})\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\ncheckpoints.save(path, {'step': 2})\n"
    )
    path = tmp_path / "last.pt"
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=600, check=False)
    assert done.returncode == -signal.SIGKILL
    assert checkpoints.load(path)["step"] == 1
    checkpoints.save(path, {"step": 3})
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    checkpoints.save(path, {"step": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match=r"No space left.*unchanged.*free some disk space"):
        checkpoints.save(path, {"step": 2})
    monkeypatch.undo()
    assert checkpoints.load(path)["step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]


def test_a_folder_that_cannot_be_written_to_is_told_before_the_first_step(
    data_root: Path, tmp_path: Path, trained: dict[str, Path]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to"):
        fine(
            data_root,
            tmp_path / "file" / "out",
            "quality",
            trained["mask"],
            At(1, lambda: pytest.fail("it has learned")),
        )


def test_a_checkpoint_of_another_network_is_refused(trained: dict[str, Path], data_root: Path) -> None:
    with pytest.raises(CheckpointError, match=r"variant.*lite0.*lite2"):
        train_mask(
            DataFolder(data_root), trained["mask"].parent, MASK_PLAN, variant="lite2", workers=0, report=Silent()
        )


def altered(source: Path, target: Path, change: Callable[[dict[str, object]], object]) -> Path:
    state = torch.load(source, weights_only=True)
    change(state)
    torch.save(state, target)
    return target


def test_checkpoints_that_are_none_are_refused(tmp_path: Path, trained: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*gone\.pt"):
        checkpoints.load(tmp_path / "gone.pt")
    cut = tmp_path / "cut.pt"
    cut.write_bytes(trained["mask"].read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"cut\.pt is not a readable checkpoint"):
        checkpoints.load(cut)
    torch.save(torch.zeros(3), tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"not a checkpoint of `bshm train`"):
        checkpoints.load(tmp_path / "other.pt")
    old = altered(trained["mask"], tmp_path / "old.pt", lambda state: state.update(format=0))
    with pytest.raises(CheckpointError, match="format 0; this version reads 1"):
        checkpoints.load(old)


def test_a_checkpoint_with_the_paper_s_name_of_its_stage_is_read_and_continued_under_the_new_one(
    trained: dict[str, Path], data_root: Path, tmp_path: Path
) -> None:
    for old, new in {"mpn": "mask", "qun": "quality", "mrn": "matting"}.items():
        (tmp_path / old).mkdir()
        renamed = {"stage": old}
        path = altered(trained[new], tmp_path / old / "last.pt", operator.methodcaller("update", renamed))
        assert torch.load(path, weights_only=True)["stage"] == old
        assert checkpoints.load(path, stage=new)["stage"] == new
        assert set(checkpoints.part(checkpoints.load(path), "mask")) == set(weights(trained["mask"]))
    fine(data_root, tmp_path / "next", "quality", tmp_path / "mpn" / "last.pt")
    assert torch.load(tmp_path / "next" / "last.pt", weights_only=True)["stage"] == "quality"


def test_a_stage_starts_behind_those_that_it_needs(trained: dict[str, Path], data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"stage matting continues from .*quality or matting or joint; .* is of mask"
    ):
        fine(data_root, tmp_path, "matting", trained["mask"])
    with pytest.raises(CheckpointError, match=r"stage joint continues from .*matting or joint; .* is of quality"):
        fine(data_root, tmp_path, "joint", trained["quality"])


def test_a_start_of_another_shape_is_refused(trained: dict[str, Path], data_root: Path, tmp_path: Path) -> None:
    def widen(state: dict[str, object]) -> None:
        state["average"]["quality.body.head.weight"] = torch.zeros(2, 2, 3, 3)  # type: ignore[index]

    start = altered(trained["quality"], tmp_path / "wide.pt", widen)
    told = r"wide\.pt holds networks of another shape.*QualityNetwork.*body\.head\.weight"
    with pytest.raises(CheckpointError, match=told):
        fine(data_root, tmp_path / "out", "matting", start)


def test_a_set_without_pictures_on_one_side_is_named(data_root: Path, tmp_path: Path, trained: dict[str, Path]) -> None:
    data = Path(shutil.copytree(data_root, tmp_path / "data"))
    for path in (data / "backgrounds" / "rooms").iterdir():
        path.unlink()
    with pytest.raises(DataFolderError, match="no picture of backgrounds"):
        fine(data, tmp_path / "out", "quality", trained["mask"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("stage", "roles"),
    [("mask", ["mask"]), ("quality", ["mask", "quality"]), ("matting", ["mask", "quality", "matting"])],
)
def test_an_exported_set_runs_and_says_what_it_is(
    trained: dict[str, Path], tmp_path: Path, stage: str, roles: list[str]
) -> None:
    export.write("small", trained[stage], tmp_path, purpose="a test", date="2026-01-01")
    card = catalogue.find("small", tmp_path)
    assert list(card.networks) == roles
    assert all(network.parity <= export.TOLERANCE for network in card.networks.values())
    matting = Matting(engine=open_engine(card, "cpu"))
    matte = matting.matte(np.random.default_rng(0).integers(0, 255, (300, 200, 3), dtype=np.uint8))
    assert matte.alpha.shape == (300, 200)
    assert [name for name in matte.ran.timings_ms if name in ("mask", "quality", "matting")] == roles


@pytest.mark.filterwarnings("ignore")
def test_the_mean_of_two_networks_is_exported_and_a_mask_network_may_look_twice(
    trained: dict[str, Path], data_root: Path, tmp_path: Path
) -> None:
    before, other = weights(trained["mask"]), tmp_path / "other.pt"
    state = torch.load(trained["mask"], weights_only=True)
    state["average"]["head.bias"] = before["head.bias"] + 2
    torch.save(state, other)
    found = export.parts(trained["quality"], ("mask",), 256, masks=[trained["mask"], other], mirrored=True)["mask"]
    assert found.look.mirrored
    bias = found.module.state_dict()["network.head.bias"]
    assert torch.allclose(bias, before["head.bias"] + 1)
    further = fine(data_root, tmp_path / "matting", "matting", trained["matting"])
    both = [trained["matting"], further]
    of_both = export.parts(trained["matting"], ("matting",), 256, mattings=both)["matting"].module.state_dict()
    one, other_one = (weights(path)["matting.head.weight"] for path in both)
    assert not torch.equal(one, other_one)
    assert torch.allclose(next(v for n, v in of_both.items() if n.endswith("head.weight")), (one + other_one) / 2)
    # A matting network that is given is written, although the checkpoint has none that has learned.
    card = export.write("whole", trained["quality"], tmp_path / "whole", mattings=both)
    assert sorted(card.networks) == ["mask", "matting", "quality"] and card.quality == {}
    with pytest.raises(CheckpointError, match=r"stage = 'quality', this run has 'mask'"):
        export.parts(trained["quality"], ("mask",), 256, masks=[trained["quality"]])


def test_unification_learned_anew_keeps_the_matting_network_that_there_is(
    trained: dict[str, Path], data_root: Path, tmp_path: Path
) -> None:
    anew = fine(data_root, tmp_path, "quality", trained["matting"])
    before, after = weights(trained["matting"]), weights(anew)
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"quality"}
    going_on = fine_stages.Networks.load(anew, "matting")
    assert torch.equal(going_on.matting.head.weight, before["matting.head.weight"])
    assert going_on.learned == ["mask", "quality", "matting"]


def test_settled_networks_keep_their_statistics_and_learn(trained: dict[str, Path], data_root: Path) -> None:
    fresh = fine_stages.Networks.load(trained["quality"], "matting").train()
    settled = fine_stages.Networks.load(trained["matting"], "matting").train()
    # Those of the encoder, which ImageNet taught, have learned before even in a fresh network.
    encoder = set(fresh.matting.encoder.modules())
    norms = [m for m in fresh.matting.modules() if isinstance(m, torch.nn.BatchNorm2d) and m not in encoder]
    still = [m for m in settled.matting.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.training for norm in norms) and not any(norm.training for norm in still)
    # Of the encoder only the early layers are held still, as in the mask network.
    held = [name for name, parameter in settled.matting.named_parameters() if not parameter.requires_grad]
    assert all(name.startswith("encoder.") for name in held)
    assert not any(name.startswith(f"encoder._blocks.{len(settled.matting.encoder._blocks) - 1}.") for name in held)


@pytest.mark.filterwarnings("ignore")
def test_a_network_that_computes_something_else_is_refused(
    trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(ParityError, match="differs from PyTorch"):
        export.write("small", trained["mask"], tmp_path)
    assert not (tmp_path / "small.json").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_reopened_set_computes_what_its_files_do_and_learns_on(
    trained: dict[str, Path], data_root: Path, tmp_path: Path
) -> None:
    export.write("small", trained["matting"], tmp_path)
    card = catalogue.find("small", tmp_path)
    start = reopen.checkpoint(card, tmp_path / "start.pt", reopen.pictures(data_root, seed=1))
    networks = fine_stages.Networks.load(start).eval()
    sessions = open_engine(card, "cpu").sessions
    generator = torch.Generator().manual_seed(0)
    image, plane = torch.rand(1, 3, 96, 64, generator=generator), torch.rand(1, 1, 96, 64, generator=generator)
    with torch.no_grad():
        ours = {
            "mask": networks.mask(image).sigmoid(),
            "mask_unified": networks.quality(image, plane).sigmoid(),
            "alpha": networks.matting(image, plane, plane)[0],
        }
    feeds = {"image": image, "mask": plane, "guide": plane}
    takes = {"mask": ("mask", ["image"]), "mask_unified": ("quality", ["image", "mask"]), "alpha": ("matting", feeds)}
    for output, (role, names) in takes.items():
        theirs = sessions[role].run({name: feeds[name].numpy() for name in names})[output]
        # The same single-precision products, added up in another order.
        np.testing.assert_allclose(ours[output].numpy(), theirs, atol=2e-5)
    # A normalisation in training divides by what it measures: had it not been put back, this would be another network.
    networks.mask.train()
    with torch.no_grad():
        pictures = reopen.pictures(data_root, seed=2)[0]["whole"]
        learning = networks.mask(pictures).sigmoid()
        still = networks.mask.eval()(pictures).sigmoid()
    assert (learning - still).abs().mean() < 0.1
    plan = Schedule(steps=1, batch=2, warmup=1, save_every=1)
    for before in (start, trained["joint"]):
        out = tmp_path / before.stem
        train_mask(DataFolder(data_root), out, plan, variant="lite0", start=before, workers=0, report=Silent())
    assert checkpoints.load(fine(data_root, tmp_path / "matting", "matting", start))["stage"] == "matting"


@pytest.mark.filterwarnings("ignore")
def test_a_mask_run_starts_from_its_own_kind_of_network(
    trained: dict[str, Path], data_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"variant.*lite0.*lite1"):
        train_mask(
            DataFolder(data_root), tmp_path / "out", MASK_PLAN, variant="lite1", start=trained["quality"], workers=0,
            report=Silent(),
        )  # fmt: skip


def test_networks_that_make_no_set_are_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["reopen", "bshm", "--networks", "quality,matting", "--data", str(tmp_path), "-o", str(tmp_path / "x.pt")]
    assert main(asked) == exit_codes.USAGE
    told = capsys.readouterr().err
    assert "no model has exactly the networks matting, quality" in told and "mask,quality,matting" in told
    assert not (tmp_path / "x.pt").exists()


def test_a_set_of_other_networks_cannot_be_reopened(trained: dict[str, Path], data_root: Path, tmp_path: Path) -> None:
    card, pictures = catalogue.find("bshm-lite"), reopen.pictures(data_root, seed=1)
    whole = replace(card, networks={"alpha": replace(card.networks["mask"], signature=Signature("image", "mask"))})
    with pytest.raises(CheckpointError, match="has the networks alpha, which `bshm train` cannot make"):
        reopen.checkpoint(whole, tmp_path / "start.pt", pictures)
    full = catalogue.find("bshm")
    swapped = replace(full, networks={"mask": full.networks["matting"]})
    with pytest.raises(CheckpointError, match="a shape that this version does not train"):
        reopen.checkpoint(swapped, tmp_path / "start.pt", pictures)
    assert not (tmp_path / "start.pt").exists()


@pytest.mark.filterwarnings("ignore")
def test_two_sets_of_one_network_share_its_file_and_differ_in_how_they_look(
    trained: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "notes.json").write_text("{}")  # what else may lie in the folder
    one = export.write("one", trained["mask"], tmp_path, mirrored=True)
    two = export.write("two", trained["mask"], tmp_path, mask_side_px=288)
    assert two.networks["mask"].file == "one.mask.onnx" and not (tmp_path / "two.mask.onnx").exists()
    assert one.sha256 != two.sha256
    for card in (one, two):
        engine = open_engine(card, "cpu")
        assert isinstance(engine, Staged)
        assert engine.mask(np.zeros((64, 64, 3), np.uint8)).max() <= 1
