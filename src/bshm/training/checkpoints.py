"""Training checkpoints: written whole or not at all, refused when they belong to another run."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bshm.errors import CheckpointError, DiskFullError, OutputError

FORMAT = 1
# Which networks have learned by the end of a stage, whatever it began with.
_LEARNED = {"mpn": ("mask",), "qun": ("mask", "quality")} | dict.fromkeys(
    ("mrn", "joint"), ("mask", "quality", "matting")
)
# Windows has no quota error.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` beside ``path`` and move it there, so that a kill leaves the last whole checkpoint.

    Raises:
        DiskFullError: no room for it.
        OutputError: it cannot be written for another reason.
    """
    whole = io.BytesIO()
    torch.save({"format": FORMAT, **state}, whole)
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(whole.getbuffer())
                file.flush()
                # The name must not be taken before the bytes are on the disk: a power cut would leave neither.
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        full = error.errno in _FULL
        raise (DiskFullError if full else OutputError)(
            f"the checkpoint {path} cannot be written ({error.strerror or error}). The one before it is untouched; "
            + ("make room" if full else "choose a folder that can be written to")
            + " and start the same command again."
        ) from error


def load(path: Path, **expected: object) -> dict[str, Any]:
    """Read a checkpoint and compare what it says of itself with ``expected``.

    Raises:
        CheckpointError: it cannot be read, has another format, or an expected entry differs.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}.")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} is not a checkpoint that can be read ({_short(error)}).") from error
    if not isinstance(state, dict) or "format" not in state:
        raise CheckpointError(f"{path} is a file of torch, but no checkpoint of `bshm train`.")
    if state["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {state['format']}; this version reads {FORMAT}. "
            "Train it anew, or use the version of bshm that made it."
        )
    for name, value in expected.items():
        if state.get(name) != value:
            raise CheckpointError(
                f"{path} was made with {name} = {state.get(name)!r}, this run has {value!r}. "
                "Use another --out folder or the same options."
            )
    return state


def learned(state: Mapping[str, Any]) -> tuple[str, ...]:
    """The networks of a checkpoint that have learned; one of stage ``qun`` may have a matting network from before."""
    return tuple(state["describe"].get("learned", _LEARNED[state["stage"]]))


def part(state: Mapping[str, Any], network: str) -> dict[str, Tensor]:
    """The averaged weights of one network; stage ``mpn`` has that one alone, later stages name it before each."""
    average: dict[str, Tensor] = state["average"]
    if state["stage"] == "mpn":
        return average
    prefix = f"{network}."
    return {name.removeprefix(prefix): value for name, value in average.items() if name.startswith(prefix)}


def mean(paths: Sequence[Path], network: str, **expected: object) -> dict[str, Tensor]:
    """The mean of one network's weights in several checkpoints of one run, or of a run and what it went on from.

    Each has weak spots that the others lack, and such networks are near enough for their mean to be one.

    Source:
        Wortsman et al., "Model soups", ICML 2022.

    Raises:
        CheckpointError: see ``load``; or they are of networks of different shapes.
    """
    averages = [part(load(path, **expected), network) for path in paths]
    shapes = [{name: value.shape for name, value in average.items()} for average in averages]
    if any(one != shapes[0] for one in shapes):
        raise CheckpointError(f"{', '.join(map(str, paths))} hold networks of different shapes and have no mean.")
    return {
        name: torch.stack([average[name].float() for average in averages]).mean(0).to(value.dtype)
        for name, value in averages[0].items()
    }


def other_shape(path: Path, error: Exception) -> CheckpointError:
    """The error for weights that do not fit their network, as torch tells it at length."""
    return CheckpointError(
        f"{path} holds networks of another shape than this version of bshm trains ({_short(error)}). "
        "Train it anew, or use the version that made it."
    )


def _short(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= 240 else words[:240] + " …"
