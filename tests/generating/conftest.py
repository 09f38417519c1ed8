"""One tiny model for all tests that paint."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_painter

pytest.importorskip("diffusers", reason="what paints has no release for this Python", exc_type=ImportError)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pipeline with random weights."""
    return tiny_painter.save(tmp_path_factory.mktemp("painter") / "tiny")
