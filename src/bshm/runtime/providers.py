"""Choose the execution provider: the requested one, or an error that says why it does not work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import onnxruntime

from bshm.errors import DeviceUnavailableError, OptionError, option

# name on the command line -> (provider, what brings it)
_PROVIDERS = {
    "cpu": ("CPUExecutionProvider", "pip install onnxruntime"),
    "cuda": (
        "CUDAExecutionProvider",
        "pip install onnxruntime-gpu (in place of onnxruntime), with CUDA 12 and cuDNN 9",
    ),
    "tensorrt": ("TensorrtExecutionProvider", "pip install onnxruntime-gpu, with TensorRT 10"),
    "rocm": ("ROCMExecutionProvider", "an onnxruntime built for ROCm"),
    "directml": ("DmlExecutionProvider", "pip install onnxruntime-directml (in place of onnxruntime)"),
    "openvino": ("OpenVINOExecutionProvider", "pip install onnxruntime-openvino (in place of onnxruntime)"),
    "coreml": ("CoreMLExecutionProvider", "onnxruntime on macOS"),
}
# What `auto` tries, best first; the rest are chosen by name only.
_AUTO = ("cuda", "rocm", "directml", "cpu")
# The providers with an arena that can be limited.
_WITH_MEMORY_LIMIT = ("cuda", "rocm")


@dataclass(frozen=True)
class Device:
    """An execution provider with its options.

    Attributes:
        name: as `--device` takes it, with its number: ``cpu``, ``cuda:1``.
        provider: onnxruntime's name of it.
        options: passed to the provider.
    """

    name: str
    provider: str
    options: dict[str, Any]


def available() -> list[str]:
    """The devices that this onnxruntime was built for; whether they work shows when a session is opened."""
    built = onnxruntime.get_available_providers()
    return [name for name, (provider, _) in _PROVIDERS.items() if provider in built]


def choose(device: str, *, gpu_memory_limit: int | None = None) -> Device:
    """The device called ``device``: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``directml``, …

    Args:
        device: its name.
        gpu_memory_limit: bytes that this process may take of a CUDA device for networks' tensors; the libraries of
            CUDA and cuDNN themselves need a few hundred megabytes besides.  None lets it grow as it needs.

    Raises:
        OptionError: no device has that name.
        DeviceUnavailableError: this onnxruntime was not built for it; the message says what to install.
    """
    match = re.fullmatch(r"([a-z]+)(?::(\d+))?", device)
    if match is None or (match[1] != "auto" and match[1] not in _PROVIDERS):
        raise OptionError(
            f"{option('device')} takes auto, {', '.join(_PROVIDERS)} (and a number: cuda:1); got {device!r}."
        )
    built = available()
    kind = match[1]
    if kind == "auto":
        kind = next(name for name in _AUTO if name in built)
    provider, remedy = _PROVIDERS[kind]
    if kind not in built:
        raise DeviceUnavailableError(
            f"{option('device')} {device} needs {provider}, which this onnxruntime {onnxruntime.__version__} does not "
            f"have (it has {', '.join(built)}). It comes with: {remedy}."
        )
    if gpu_memory_limit is not None and kind not in _WITH_MEMORY_LIMIT:
        raise OptionError(
            f"{option('gpu_memory_limit')} is for {' and '.join(_WITH_MEMORY_LIMIT)}; {device} is {kind} here. "
            "Drop one of them."
        )
    if kind == "cpu":
        return Device("cpu", provider, {})
    number = int(match[2] or 0)
    options: dict[str, Any] = {"device_id": number} if kind in ("cuda", "tensorrt", "rocm", "directml") else {}
    if gpu_memory_limit is not None:
        options["gpu_mem_limit"] = gpu_memory_limit
    if kind in _WITH_MEMORY_LIMIT:
        # The arena otherwise doubles whenever it grows: up to twice what is needed, and a limit is reached early.
        options["arena_extend_strategy"] = "kSameAsRequested"
    return Device(f"{kind}:{number}", provider, options)


def unavailable(device: Device, reason: str) -> DeviceUnavailableError:
    """The error of a device that was built in but does not start."""
    remedy = _PROVIDERS[device.name.split(":")[0]][1]
    return DeviceUnavailableError(f"{option('device')} {device.name} does not start: {reason}. It needs: {remedy}.")
