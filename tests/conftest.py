"""Fixtures of several folders of tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fake_network
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights: red is a person."""
    fake_network.install(monkeypatch.setattr)


@pytest.fixture
def photo(tmp_path: Path) -> Callable[..., Path]:
    """Writes a picture with a red square in the middle, or without anybody, below the test's folder."""

    def write(name: str, *, empty: bool = False) -> Path:
        pixels = np.full((48, 64, 3), 60, np.uint8)
        if not empty:
            pixels[12:36, 16:48] = (240, 20, 20)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write
