"""Which device, and several processes that learn as one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import two_processes

from bshm.cli import exit_codes, main
from bshm.errors import CheckpointError, DeviceUnavailableError, OptionError
from bshm.training import checkpoints
from bshm.training.devices import open_devices


def script(*words: str | int | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, two_processes.__file__, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in two processes."""
    out = tmp_path_factory.mktemp("two")
    done = script(out, 2)
    assert done.returncode == 0, done.stderr
    return out


def test_two_processes_learn_what_one_learns_from_both_samples(tmp_path: Path, two: Path) -> None:
    two_processes.learn(tmp_path, 1, count=2)
    ours, theirs = (checkpoints.load(folder / "last.pt") for folder in (two, tmp_path))
    assert (ours["processes"], theirs["processes"]) == (2, 1)
    for name in ours["network"]:
        # The mean of two means adds up in another order than the mean of all; a sample missed would differ by 1e-3.
        assert torch.allclose(ours["network"][name], theirs["network"][name], atol=1e-6)
    assert len((two / "log.jsonl").read_text().splitlines()) == 1


def test_a_run_goes_on_with_as_many_processes_alone(two: Path) -> None:
    with pytest.raises(CheckpointError, match=r"devices 2.* this run has 1"):
        two_processes.learn(two, 1)


def test_a_signal_to_one_process_stops_both_after_the_same_step(tmp_path: Path, two: Path) -> None:
    done = script(tmp_path, 2, "stop")
    assert "KeyboardInterrupt" in done.stderr
    assert checkpoints.load(tmp_path / "last.pt")["step"] == 3
    again = script(tmp_path, 2)
    assert again.returncode == 0, again.stderr
    ours, theirs = (checkpoints.load(folder / "last.pt")["average"] for folder in (tmp_path, two))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_bf16_computes_coarsely_and_keeps_single_weights(tmp_path: Path) -> None:
    for precision in ("32", "bf16"):
        two_processes.learn(tmp_path / precision, 1, precision=precision)
    exact, coarse = (checkpoints.load(tmp_path / name / "last.pt")["network"] for name in ("32", "bf16"))
    assert coarse["weight"].dtype == torch.float32
    assert not torch.equal(exact["weight"], coarse["weight"])
    # bf16 has 8 bits: gradients are off by a hundredth, six steps of at most 1e-3 by far less than their sum.
    assert torch.allclose(exact["weight"], coarse["weight"], atol=2e-3)


def test_auto_is_the_processor_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert open_devices("auto").device.type == "cpu"


def test_a_torch_without_gpus_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    with pytest.raises(DeviceUnavailableError, match=r"PyTorch built for GPUs.*pytorch\.org"):
        open_devices("cuda")


def test_a_missing_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceUnavailableError, match="driver"):
        open_devices("cuda:0")


@pytest.mark.parametrize(("device", "devices"), [("cuda:2", 1), ("cuda", 3)])
def test_a_missing_gpu_is_counted(monkeypatch: pytest.MonkeyPatch, device: str, devices: int) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceUnavailableError, match="needs 3 GPUs here; torch finds 2"):
        open_devices(device, devices)


@pytest.mark.parametrize(("device", "devices"), [("gpu", 1), ("cpu:1", 1), ("cuda:1", 2), ("cpu", 0)])
def test_what_is_no_device_is_refused(device: str, devices: int) -> None:
    with pytest.raises(OptionError):
        open_devices(device, devices)


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["--stage", "quality"], "needs --start", exit_codes.USAGE),
        (["--stage", "mask", "--start", "no-such.pt"], "there is no checkpoint no-such.pt", 17),
        (
            ["--stage", "quality", "--start", "x.pt", "--without", "fine"],
            "--without works with stage mask only",
            exit_codes.USAGE,
        ),
        (["--stage", "mask", "--steps", "0"], "--steps must be at least 1", exit_codes.USAGE),
        (["--stage", "mask", "--batch", "0"], "--batch must be at least 1", exit_codes.USAGE),
        (["--stage", "mask", "--workers", "-1"], "--workers must be 0 or more", exit_codes.USAGE),
        (["--stage", "mask", "--device", "tpu"], "--device takes", exit_codes.USAGE),
        (["--stage", "quality", "--start", "no-such.pt"], "there is no checkpoint no-such.pt", 17),
    ],
)
def test_wrong_flags_are_told_before_anything_is_read(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str, code: int
) -> None:
    assert main(["train", "--data", str(data_root), "--out", str(tmp_path / "out"), *words]) == code
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_sets_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--stage", "mask", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 9
    assert "lacks keyed/london/alpha" in capsys.readouterr().err
