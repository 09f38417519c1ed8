"""Fixtures of the tests of video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_clips import make

from bshm.video import parts


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a clip below the test's folder."""

    def write(name: str = "clip.mp4", *args: Any, **kwargs: Any) -> Path:
        return make(tmp_path / name, *args, **kwargs)

    return write


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The segments that were finished in this process."""
    found: list[int] = []
    add = parts.Parts.add

    def adding(self: parts.Parts, index: int, *args: Any, **kwargs: Any) -> None:
        add(self, index, *args, **kwargs)
        found.append(index)

    monkeypatch.setattr(parts.Parts, "add", adding)
    return found
