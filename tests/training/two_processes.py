"""A run in small, as a script: Fabric starts it again for each further process.

two_processes.py OUT DEVICES [PRECISION] [stop]: a linear network learns from numbers.  With ``stop`` process 0 sends
itself a SIGTERM at its third step.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from bshm.training.devices import end_others, leave, open_devices
from bshm.training.reporting import Silent, Step
from bshm.training.schedule import Checked, Schedule, run

STEPS = 6


def picture(number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    x = torch.randn(4, 3, generator=generator)
    return x, x.sum(1, keepdim=True)


def together(numbers: range, count: int) -> list[tuple[Tensor, Tensor]]:
    """Batches of ``count`` pictures' numbers each."""
    parts = [[picture(number * count + k) for k in range(count)] for number in numbers]
    return [(torch.cat([x for x, _ in part]), torch.cat([y for _, y in part])) for part in parts]


class Stopping(Silent):
    def step(self, step: Step) -> None:
        if step.number == 3:
            os.kill(os.getpid(), signal.SIGTERM)


def learn(out: Path, devices: int, *, precision: str = "32", stop: bool = False, count: int = 1) -> None:
    fabric = open_devices("cpu", devices, precision)  # type: ignore[arg-type]
    if devices > 1:
        fabric.launch()
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    try:
        run(
            network, Schedule(STEPS, batch=1, warmup=1, save_every=STEPS), out, stage="numbers", describe={},
            batches=lambda numbers: together(numbers, count),
            loss=lambda net, batch: ((net(batch[0]).float() - batch[1]) ** 2).mean(),
            validate=lambda net: Checked({"bias": float(net.bias.item())}),  # type: ignore[operator]
            report=Stopping() if stop and fabric.is_global_zero else Silent(), fabric=fabric,
        )  # fmt: skip
    except BaseException:
        end_others(fabric)
        raise
    finally:
        leave(fabric)


if __name__ == "__main__":
    learn(Path(sys.argv[1]), int(sys.argv[2]), stop="stop" in sys.argv)
