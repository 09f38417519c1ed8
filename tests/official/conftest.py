"""A store of each test's own, and the Python that has TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bshm.weights import store

REPOSITORY = Path(__file__).parents[2]
# A program for the Python that has TensorFlow; the search for doctests would import it here.
collect_ignore = ["make_standin.py"]


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model store, empty, in the test's folder."""
    folder = tmp_path / "models"
    monkeypatch.setenv(store.VARIABLE, str(folder))
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "BSHM_MODELSCOPE", "MODELSCOPE_DOMAIN"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(scope="session")
def tensorflow_python() -> str:
    """An interpreter with TensorFlow and tf2onnx; `make test` makes one."""
    chosen = os.environ.get("BSHM_TENSORFLOW_PYTHON") or str(REPOSITORY / ".venv-tf" / "bin" / "python")
    if not Path(chosen).is_file():
        pytest.fail(f"{chosen} is missing: `make .venv-tf/.ready` makes it, or set BSHM_TENSORFLOW_PYTHON")
    return chosen
