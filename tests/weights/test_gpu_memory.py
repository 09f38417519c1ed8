"""A limit on the memory of a CUDA device reaches the provider, or is refused where it would do nothing."""

from __future__ import annotations

import pytest

from bshm.cli import main
from bshm.errors import OptionError
from bshm.options import byte_count
from bshm.runtime import providers


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """An onnxruntime that was built for CUDA."""
    monkeypatch.setattr(
        "onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )


@pytest.mark.usefixtures("cuda")
def test_the_limit_reaches_the_provider_and_the_arena_grows_by_what_is_needed() -> None:
    assert providers.choose("cuda:1", gpu_memory_limit=2 << 30).options == {
        "device_id": 1,
        "gpu_mem_limit": 2 << 30,
        "arena_extend_strategy": "kSameAsRequested",
    }
    assert "gpu_mem_limit" not in providers.choose("cuda").options


def test_a_limit_on_the_processor_is_refused() -> None:
    with pytest.raises(OptionError, match="gpu_memory_limit is for cuda"):
        providers.choose("cpu", gpu_memory_limit=1 << 30)


@pytest.mark.parametrize("text", ["", "2", "2G", "512M", "512 MiB", "1.5gb", "100k"])
def test_sizes_are_read_as_people_write_them(text: str) -> None:
    sizes = {"2": 2, "2G": 2 << 30, "512M": 512 << 20, "512 MiB": 512 << 20, "1.5gb": 3 << 29, "100k": 102_400}
    if text in sizes:
        assert byte_count(text) == sizes[text]
    else:
        with pytest.raises(OptionError):
            byte_count(text)


@pytest.mark.parametrize("text", ["much", "-1G", "0", "2T", "G"])
def test_what_is_no_size_is_a_wrong_call(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matte", "none.jpg", "-o", "x.png", f"--gpu-memory-limit={text}"]) == 2
    assert "a size needs a number" in capsys.readouterr().err
