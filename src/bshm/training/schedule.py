"""The training loop of all stages: optimise, average, validate, save, and continue after a kill."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from bshm.errors import CheckpointError, OptionError, OutputError, option
from bshm.files import sink
from bshm.training import checkpoints
from bshm.training.data import Bytes
from bshm.training.devices import open_devices
from bshm.training.interruption import Interruption
from bshm.training.reporting import Lines, RunReporter, Step
from bshm.training.sheet import sheet

Batch = TypeVar("Batch")
# A cell of a contact sheet is shrunk to this.
_CELL_PX = 448
# Each further process adds this to the seed of the random numbers within a step.
_APART = 15_485_863
# The time that these steps take decides how many fit into `minutes`: before them, kernels are compiled.
_MEASURED = range(40, 100)
# The part of the remaining time that is planned; the rest is a reserve in case the machine gets slower.
_SURE = 0.96
# Steps between two reads of the loss on a GPU: each read waits for all queued work.
_GPU_LOOKS = 20


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage learns.

    Attributes:
        steps: optimiser steps of the whole run.
        minutes: how long to train; the number of steps is set after the first hundred, at most ``steps``.  None trains
            all of them.
        batch: pictures per step in each process.
        rate_encoder: learning rate of pretrained layers.
        rate: learning rate of all other layers.
        ema: decay of the running average of the weights; the average is what is exported.
        save_every: steps between checkpoints.
        check_every: steps between validations, a multiple of ``save_every``; 0 never validates, None validates at each
            checkpoint.
        seed: chooses every sample of the run.

    Raises:
        OptionError: a count below one, or a negative seed.
    """

    steps: int
    batch: int = 16
    rate_encoder: float = 2e-4
    rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 1e-2
    ema: float = 0.998
    save_every: int = 250
    seed: int = 1
    check_every: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        counts = {"steps": self.steps, "batch": self.batch, "save_every": self.save_every}
        for name, value in counts.items():
            if value < 1:
                raise OptionError(f"{option(name)} must be at least 1; got {value}.")
        if self.seed < 0:
            raise OptionError(f"{option('seed')} must be 0 or more; got {self.seed}.")
        if self.check_every is not None and self.check_every % self.save_every:
            raise OptionError(
                f"{option('check_every')} must be 0 or a multiple of {option('save_every')} ({self.save_every}); "
                f"got {self.check_every}."
            )
        if self.minutes is not None and self.minutes <= 0:
            raise OptionError(f"{option('minutes')} must be above 0; got {self.minutes}.")

    def checks_at(self, step: int) -> bool:
        """Whether the weights are validated after ``step``, which is saved."""
        if self.check_every is None:
            return True
        return self.check_every > 0 and (step % self.check_every == 0 or step == self.steps)


@dataclass(frozen=True)
class Checked:
    """What a validation found.

    Attributes:
        figures: by name.
        rows: of the contact sheet, see ``sheet``; may be empty.
    """

    figures: Mapping[str, float]
    rows: Sequence[Mapping[str, Bytes]] = ()


class _Learner(nn.Module):
    """Network and loss as one module: several processes average the gradients of what a module's call computes."""

    def __init__(self, network: nn.Module, loss: Callable[[nn.Module, Any], Tensor]) -> None:
        super().__init__()
        self.network = network
        self._loss = loss

    def forward(self, batch: Any) -> Tensor:
        return self._loss(self.network, batch)


class _Average:
    """The running average of a network's weights, which is what ships."""

    def __init__(self, network: nn.Module, known: Mapping[str, Tensor] | None = None) -> None:
        now = network.state_dict()
        self.weights = {name: (known or now)[name].detach().to(value.device, copy=True) for name, value in now.items()}
        self._floats = [name for name, value in now.items() if value.dtype.is_floating_point]

    @torch.no_grad()
    def move(self, network: nn.Module, decay: float) -> None:
        """Towards what the network has learned; all weights in a few calls, for a GPU waits for each."""
        now = network.state_dict()
        # torch declares no types here.
        get_ema_multi_avg_fn(decay)(  # type: ignore[no-untyped-call]
            [self.weights[name] for name in self._floats], [now[name] for name in self._floats], 0
        )
        for name in now.keys() - set(self._floats):
            self.weights[name].copy_(now[name])


def run(
    network: nn.Module,
    schedule: Schedule,
    out: Path,
    *,
    stage: str,
    describe: dict[str, Any],
    batches: Callable[[range], Iterable[Batch]],
    loss: Callable[[nn.Module, Batch], Tensor],
    validate: Callable[[nn.Module], Checked],
    pretrained: Callable[[str], bool] = lambda name: name.startswith("encoder."),
    report: RunReporter | None = None,
    fabric: Fabric | None = None,
) -> Path:
    """Train ``network`` and return the path of its last checkpoint.

    Args:
        out: folder of ``last.pt``, ``log.jsonl`` and ``samples``; a run that finds its checkpoint there goes on from
            it.
        stage: name kept in the checkpoint.
        describe: what else must be equal for a checkpoint to be resumed (variant, widths).
        batches: from the numbers of the samples to the batches.  Of P processes, process p learns from the numbers
            p, P + p, 2P + p, …
        loss: from (network, batch as ``batches`` gave it) to the scalar to make small; moves what it needs to the
            network's device.
        validate: what the averaged network does on pictures never trained on.
        pretrained: which parameter names learn at ``rate_encoder``.
        report: whom to tell; None says lines on stdout.
        fabric: launched devices; None is this process on the processor.

    Raises:
        CheckpointError: the one in ``out`` is of another run.
        OutputError: ``out`` cannot be written to; ``DiskFullError`` where it is full.
        KeyboardInterrupt: Ctrl-C or SIGTERM came; a checkpoint of the last step is saved.
    """
    report = report or Lines()
    fabric = fabric or open_devices("cpu")
    first, processes = fabric.is_global_zero, fabric.world_size
    network.to(fabric.device)
    encoder = [p for n, p in network.named_parameters() if p.requires_grad and pretrained(n)]
    rest = [p for n, p in network.named_parameters() if p.requires_grad and not pretrained(n)]
    on_gpu = fabric.device.type == "cuda"
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "lr": schedule.rate_encoder}, {"params": rest, "lr": schedule.rate}],
        weight_decay=schedule.weight_decay, fused=on_gpu,
    )  # fmt: skip
    rates = [group["lr"] for group in optimizer.param_groups]
    known, step = None, 0
    last = out / "last.pt"
    if last.exists():
        state = checkpoints.load(last, stage=stage, describe=describe)
        before = state.get("processes", 1)
        if before != processes:
            raise CheckpointError(
                f"{last} is from a run with {option('devices')} {before}, and this run has {processes}: it would see "
                f"other samples. Continue with {option('devices')} {before}, or use another {option('out')} folder."
            )
        try:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise checkpoints.other_shape(last, error) from error
        known, step = state["average"], int(state["step"])
        if schedule.minutes is not None and state["schedule"].get("minutes") is not None:
            # The number of steps was set in the first run.
            schedule = replace(schedule, steps=state["schedule"]["steps"])
        report.note(_going_on(stage, step, schedule, state["schedule"]))
    average = _Average(network, known)
    _check_writable(out)

    def write(figures: Mapping[str, float]) -> None:
        checkpoints.save(last, {
            "stage": stage, "describe": describe, "schedule": asdict(schedule), "step": step, "processes": processes,
            "figures": dict(figures), "network": network.state_dict(), "average": average.weights,
            "optimizer": optimizer.state_dict(),
        })  # fmt: skip

    def check(interruption: Interruption) -> None:
        """Save; if it is time to, validate the averaged weights and report."""
        if not schedule.checks_at(step):
            write({})
            report.note(f"{stage} {step}: saved")
            return
        learning = {name: value.clone() for name, value in network.state_dict().items()}
        network.load_state_dict(average.weights)
        network.eval()
        try:
            with interruption.at_once():
                checked = validate(network)
        except KeyboardInterrupt:
            # Validation takes minutes, so it is given up; the steps so far are saved without figures.
            interruption.asked = True
            checked = None
        finally:
            network.load_state_dict(learning)
            network.train()
        figures = {name: round(value, 5) for name, value in checked.figures.items()} if checked else {}
        write(figures)
        if checked is None:
            return
        _append(out / "log.jsonl", {"stage": stage, "step": step, **figures})
        if checked.rows:
            sink.write(sheet(checked.rows, _CELL_PX), out / "samples" / f"{step:06d}.jpg", overwrite=True)
        report.checked(stage, step, figures)

    learner, stepper = fabric.setup(_Learner(network, loss), optimizer)
    network.train()
    seen, seconds, began = 0, 0.0, time.monotonic()
    measured: float | None = None
    numbers = range(step * processes + fabric.global_rank, schedule.steps * processes, processes)
    with Interruption() as interruption:
        for batch in batches(numbers):
            if step >= schedule.steps:
                break
            if schedule.minutes is not None:
                if step == 0:
                    began = time.monotonic()  # the first samples are there
                elif step == _MEASURED.start:
                    measured = time.monotonic()
                elif step == _MEASURED.stop and measured is not None:
                    now = time.monotonic()
                    # All processes need the same number of steps, or some would wait for the others for ever.
                    schedule = fabric.broadcast(_fitted(schedule, now - began, now - measured))
                    report.note(f"{stage}: {schedule.steps} steps fit into {schedule.minutes} minutes")
            factor = min(1.0, (step + 1) / schedule.warmup)
            factor *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / schedule.steps))
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            # Random numbers depend only on the number of the step, so a continued run draws the same ones.
            torch.manual_seed(schedule.seed * 1_000_003 + step + fabric.global_rank * _APART)
            stepper.zero_grad(set_to_none=True)
            value = learner(batch)
            fabric.backward(value)
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            stepper.step()
            step += 1
            # A short memory at first, or the average would keep the untrained start.
            average.move(network, min(schedule.ema, step / (step + 10)))
            seen += schedule.batch * processes
            spent = seconds + time.monotonic() - began
            if not on_gpu or step % _GPU_LOOKS == 0:
                report.step(Step(stage, step, schedule.steps, value.item(), seen / spent))
            saved = step % schedule.save_every == 0 or step == schedule.steps
            if saved:
                seconds = spent
                if first:
                    check(interruption)
                fabric.barrier()
                began = time.monotonic()
            # All processes stop after the same step, or some would wait for the others for ever.
            if fabric.strategy.reduce_boolean_decision(interruption.asked, all=False):
                if first and not saved:
                    write({})
                report.note(f"{stage}: step {step} of {schedule.steps} is saved; run the same command to continue")
                raise KeyboardInterrupt
    return last


def _fitted(schedule: Schedule, spent_s: float, measured_s: float) -> Schedule:
    """The schedule with as many steps as fit into its minutes.

    Args:
        spent_s: since the first step.
        measured_s: that the ``_MEASURED`` steps took.

    >>> _fitted(Schedule(9999, minutes=10), 300.0, 60.0).steps
    388
    """
    assert schedule.minutes is not None
    left = max(0.0, schedule.minutes * 60 - spent_s)
    return replace(
        schedule, steps=min(schedule.steps, _MEASURED.stop + max(1, int(_SURE * left * len(_MEASURED) / measured_s)))
    )


def _going_on(stage: str, step: int, schedule: Schedule, before: Mapping[str, Any]) -> str:
    now = asdict(schedule)
    changed = [f"{name} {before.get(name)} -> {now[name]}" for name in now if before.get(name) != now[name]]
    told = f"; changed: {', '.join(changed)}" if changed else ""
    if step >= schedule.steps:
        return f"{stage}: all {schedule.steps} steps are done already{told}"
    return f"{stage}: continuing from step {step} of {schedule.steps}{told}"


def _check_writable(out: Path) -> None:
    """Find out now, and not hours later at the first checkpoint."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(
            f"{option('out')}: {out} cannot be written to ({error.strerror or error}). Choose another folder."
        ) from error


def _append(log: Path, line: Mapping[str, Any]) -> None:
    """Add a line; the whole file is written again, so that a full disk leaves no half line."""
    before = log.read_bytes() if log.exists() else b""
    sink.write(before + json.dumps(line).encode() + b"\n", log, overwrite=True)
