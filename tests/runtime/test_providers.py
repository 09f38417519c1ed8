"""The device that was asked for, or an error that says why not and what brings it."""

from __future__ import annotations

import onnxruntime
import pytest

from bshm.errors import DeviceUnavailableError, OptionError
from bshm.runtime import providers
from bshm.runtime.providers import choose


def built_with(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(names))


@pytest.mark.parametrize("device", ["gpu", "CPU", "", "cuda:", "cuda:x", "cuda:-1", "cpu;cuda", "auto:1x"])
def test_an_unknown_device_is_a_wrong_call_that_names_those_there_are(device: str) -> None:
    with pytest.raises(OptionError, match="auto, cpu, cuda"):
        choose(device)


def test_cuda_that_this_onnxruntime_does_not_have_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    built_with(monkeypatch, "CPUExecutionProvider")
    with pytest.raises(DeviceUnavailableError, match=r"^device cuda .*it has cpu.*pip install onnxruntime-gpu"):
        choose("cuda")


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "rocm", "directml", "openvino", "coreml"])
def test_no_device_is_replaced_by_another(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    built_with(monkeypatch, "CPUExecutionProvider")
    with pytest.raises(DeviceUnavailableError, match="It comes with"):
        choose(device)


def test_auto_takes_the_best_that_is_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    built_with(monkeypatch, "CPUExecutionProvider", "CUDAExecutionProvider")
    assert choose("auto").name == "cuda:0"
    built_with(monkeypatch, "OpenVINOExecutionProvider", "CPUExecutionProvider")
    assert choose("auto").name == "cpu"  # the rest are chosen by name only


def test_the_number_of_a_device_reaches_its_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    built_with(monkeypatch, "CUDAExecutionProvider", "CPUExecutionProvider")
    chosen = choose("cuda:3")
    assert (chosen.name, chosen.provider, chosen.options["device_id"]) == ("cuda:3", "CUDAExecutionProvider", 3)


def test_a_device_that_does_not_start_says_why_and_what_it_needs() -> None:
    device = providers.Device("cuda:0", "CUDAExecutionProvider", {})
    message = str(providers.unavailable(device, "libcudnn.so.9 is missing"))
    assert "libcudnn.so.9 is missing" in message and "cuDNN 9" in message
