"""On what a stage learns: one processor, one GPU or several of either, through Lightning Fabric.

Several devices share a step: each has a process of its own with its own samples, the gradients are averaged, and
process 0 alone validates and writes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn

from bshm.errors import DeviceUnavailableError, OptionError

Precision = Literal["32", "bf16"]
# While process 0 validates, the others wait at a barrier; on a processor that takes minutes.
_PATIENCE = timedelta(hours=2)


def open_devices(device: str = "auto", devices: int = 1, precision: Precision | None = None) -> Fabric:
    """The devices called ``device``, not yet launched.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        devices: how many GPUs, or processes on the processor.
        precision: of the networks' arithmetic; weights and their averages are single floats either way.  None is bf16
            on a GPU that has it, else 32.

    Raises:
        OptionError: there is no such device name, or it contradicts ``devices``.
        DeviceUnavailableError: the device is not there; the message says what is missing.
    """
    match = re.fullmatch(r"(auto|cpu|cuda)(?::(\d+))?", device)
    if match is None or (match[2] and match[1] != "cuda"):
        raise OptionError(f"--device takes auto, cpu, cuda or a number of it (cuda:1); got {device!r}.")
    if devices < 1:
        raise OptionError(f"--devices counts from 1; got {devices}.")
    kind, index = match[1], None if match[2] is None else int(match[2])
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if index is not None and devices > 1:
        raise OptionError(f"--device {device} is one GPU, and --devices asks for {devices}. Use --device cuda.")
    if kind == "cuda":
        _check_gpus(device, devices if index is None else index + 1, precision)
    if precision is None:
        precision = "bf16" if kind == "cuda" and torch.cuda.is_bf16_supported() else "32"
    return Fabric(
        accelerator=kind,
        devices=devices if index is None else [index],
        strategy=DDPStrategy(timeout=_PATIENCE) if devices > 1 else "auto",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )


def _check_gpus(device: str, needed: int, precision: Precision | None) -> None:
    if torch.version.cuda is None and torch.version.hip is None:
        raise DeviceUnavailableError(
            f"--device {device} needs a torch built for GPUs; torch {torch.__version__} here is built for processors "
            "alone. https://pytorch.org/get-started shows the command that installs the other one."
        )
    if not torch.cuda.is_available():
        raise DeviceUnavailableError(
            f"--device {device} needs a GPU and its driver; torch {torch.__version__} finds none. "
            "`nvidia-smi` shows whether the driver does."
        )
    found = torch.cuda.device_count()
    if found < needed:
        raise DeviceUnavailableError(f"--device {device} needs {needed} GPUs here; torch finds {found}.")
    if precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise DeviceUnavailableError(f"--precision bf16: {torch.cuda.get_device_name()} does not have it. Use 32.")


def device_of(network: nn.Module) -> torch.device:
    """Where the weights lie."""
    return next(network.parameters()).device


def leave(fabric: Fabric) -> None:
    """Close what connects this process with the others, where there are any.

    Left to the interpreter's end, gloo's threads are at times torn down while they run, and the process aborts after
    all its work is done.
    """
    if fabric.world_size > 1 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def end_others(fabric: Fabric) -> None:
    """End the processes that this one launched, when it cannot go on: they would wait for it."""
    for process in getattr(fabric.strategy.launcher, "procs", ()):
        with suppress(OSError):
            process.terminate()
