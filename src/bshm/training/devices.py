"""The devices that train a stage: one CPU, one GPU or several of either, through Lightning Fabric.

Several devices share a step: each has its own process with its own samples, the gradients are averaged, and only
process 0 validates and writes.
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

from bshm.errors import DeviceUnavailableError, OptionError, option

Precision = Literal["32", "bf16"]
# The others wait at a barrier while process 0 validates; on a CPU that takes minutes.
_PATIENCE = timedelta(hours=2)


def open_devices(device: str = "auto", devices: int = 1, precision: Precision | None = None) -> Fabric:
    """Open the devices called ``device``, without launching processes yet.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        devices: number of GPUs, or of processes on the CPU.
        precision: of the networks' arithmetic; weights and their averages are always 32-bit.  None is bf16 on a GPU
            that supports it, otherwise 32.

    Raises:
        OptionError: the device name is unknown, or contradicts ``devices``.
        DeviceUnavailableError: the device is missing; the message says what it needs.
    """
    match = re.fullmatch(r"(auto|cpu|cuda)(?::(\d+))?", device)
    if match is None or (match[2] and match[1] != "cuda"):
        raise OptionError(f"{option('device')} takes auto, cpu, cuda or one GPU such as cuda:1; got {device!r}.")
    if devices < 1:
        raise OptionError(f"{option('devices')} must be at least 1; got {devices}.")
    kind, index = match[1], None if match[2] is None else int(match[2])
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if index is not None and devices > 1:
        raise OptionError(
            f"{option('device')} {device} is one GPU, but {option('devices')} asks for {devices}. "
            f"Use {option('device')} cuda."
        )
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
            f"{option('device')} {device} needs a PyTorch built for GPUs; torch {torch.__version__} here is for CPUs "
            "only. https://pytorch.org/get-started shows how to install the other one."
        )
    if not torch.cuda.is_available():
        raise DeviceUnavailableError(
            f"{option('device')} {device} needs a GPU and its driver; torch {torch.__version__} finds none. "
            "`nvidia-smi` shows whether the driver finds one."
        )
    found = torch.cuda.device_count()
    if found < needed:
        raise DeviceUnavailableError(f"{option('device')} {device} needs {needed} GPUs; torch finds {found}.")
    if precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise DeviceUnavailableError(
            f"{option('precision')} bf16 is not supported by {torch.cuda.get_device_name()}. Use 32."
        )


def device_of(network: nn.Module) -> torch.device:
    """The device of the network's weights."""
    return next(network.parameters()).device


def leave(fabric: Fabric) -> None:
    """Close the connection to the other processes, if there are any.

    If this is left to the interpreter's end, gloo's threads are sometimes torn down while they run, and the process
    aborts after all its work is done.
    """
    if fabric.world_size > 1 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def end_others(fabric: Fabric) -> None:
    """End the processes that this one launched, when it cannot continue: they would wait for it."""
    for process in getattr(fabric.strategy.launcher, "procs", ()):
        with suppress(OSError):
            process.terminate()
