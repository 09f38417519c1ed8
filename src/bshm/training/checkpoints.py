"""Training checkpoints: written whole or not at all, refused when they belong to another run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from bshm.errors import CheckpointError, DiskFullError

FORMAT = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` beside ``path`` and move it there, so that a kill leaves the last whole checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise DiskFullError(
            f"the checkpoint {path} cannot be written ({error}). The one before it is untouched; "
            "make room and start the same command again."
        ) from error


def load(path: Path, **expected: object) -> dict[str, Any]:
    """Read a checkpoint and compare what it says of itself with ``expected``.

    Raises:
        CheckpointError: it cannot be read, has another format, or an expected entry differs.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} is not a checkpoint that can be read ({error}).") from error
    if state.get("format") != FORMAT:
        raise CheckpointError(f"{path} has checkpoint format {state.get('format')}; this version reads {FORMAT}.")
    for name, value in expected.items():
        if state.get(name) != value:
            raise CheckpointError(
                f"{path} was made with {name} = {state.get(name)!r}, this run has {value!r}. "
                "Use another --out folder or the same options."
            )
    return state
