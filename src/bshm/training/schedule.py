"""The loop that all stages share: optimise, average, validate, save, go on after a kill."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bshm.training import checkpoints

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage learns.

    Attributes:
        steps: optimiser steps of the whole run.
        batch: pictures a step.
        rate_encoder: learning rate of pretrained layers.
        rate: learning rate of all other layers.
        ema: decay of the running average of the weights; the average is what ships.
        save_every: steps between checkpoints and validations.
        seed: picks every sample of the run.
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


def average_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights, to be moved towards them as they learn."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _move(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                average[name].lerp_(value, 1 - decay)
            else:
                average[name].copy_(value)


def run(
    network: nn.Module,
    schedule: Schedule,
    out: Path,
    *,
    stage: str,
    describe: dict[str, Any],
    batches: Callable[[int, int], Iterable[Batch]],
    loss: Callable[[nn.Module, Batch], Tensor],
    validate: Callable[[nn.Module], dict[str, float]],
    pretrained: Callable[[str], bool] = lambda name: name.startswith("encoder."),
    report: Callable[[str], None],
) -> Path:
    """Train ``network`` and return the path of its last checkpoint.

    Args:
        out: folder of ``last.pt`` and ``log.jsonl``; a run that finds its checkpoint there goes on from it.
        stage: name kept in the checkpoint.
        describe: what else must be equal for a checkpoint to be resumed (variant, widths).
        batches: from (first step, count of steps) to the batches.
        loss: from (network, batch) to the scalar to make small.
        validate: figures of the averaged network, by name.
        pretrained: which parameter names learn at ``rate_encoder``.
    """
    encoder = [p for n, p in network.named_parameters() if p.requires_grad and pretrained(n)]
    rest = [p for n, p in network.named_parameters() if p.requires_grad and not pretrained(n)]
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "lr": schedule.rate_encoder}, {"params": rest, "lr": schedule.rate}],
        weight_decay=schedule.weight_decay,
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    average = average_of(network)
    step = 0
    last = out / "last.pt"
    if last.exists():
        state = checkpoints.load(last, stage=stage, describe=describe)
        network.load_state_dict(state["network"])
        average = {name: value.clone() for name, value in state["average"].items()}
        optimizer.load_state_dict(state["optimizer"])
        step = int(state["step"])
        report(f"{stage}: going on from step {step} of {schedule.steps}")

    def write(figures: dict[str, float]) -> None:
        checkpoints.save(last, {
            "stage": stage, "describe": describe, "schedule": asdict(schedule), "step": step, "figures": figures,
            "network": network.state_dict(), "average": average, "optimizer": optimizer.state_dict(),
        })  # fmt: skip

    out.mkdir(parents=True, exist_ok=True)
    network.train()
    started, seen, running = time.monotonic(), 0, 0.0
    for batch in batches(step, schedule.steps - step):
        factor = min(1.0, (step + 1) / schedule.warmup)
        factor *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / schedule.steps))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        # What is drawn inside a step depends on its number alone, so that a resumed run draws the same.
        torch.manual_seed(schedule.seed * 1_000_003 + step)
        optimizer.zero_grad(set_to_none=True)
        value = loss(network, batch)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        step += 1
        # A short memory at first, or the average would carry the untrained start along.
        _move(average, network, min(schedule.ema, step / (step + 10)))
        seen += schedule.batch
        running += value.item()
        if step % 50 == 0:
            speed = seen / (time.monotonic() - started)
            report(f"{stage} {step}/{schedule.steps} loss {running / 50:.4f} {speed:.1f} pictures/s")
            running = 0.0
        if step % schedule.save_every == 0 or step == schedule.steps:
            learning = average_of(network)
            network.load_state_dict(average)
            network.eval()
            figures = {name: round(value, 5) for name, value in validate(network).items()}
            network.load_state_dict(learning)
            network.train()
            write(figures)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps({"stage": stage, "step": step, **figures}) + "\n")
            report(f"{stage} {step}: " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    return last
