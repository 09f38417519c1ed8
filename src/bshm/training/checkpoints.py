"""Training checkpoints: written completely or not at all, and refused if they belong to another run."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bshm.errors import CheckpointError, DiskFullError, OutputError, option
from bshm.training.stages import stage_named

FORMAT = 1
# Which networks are trained at the end of a stage, whatever it started from.
_LEARNED = {"mask": ("mask",), "quality": ("mask", "quality")} | dict.fromkeys(
    ("matting", "joint"), ("mask", "quality", "matting")
)
# Windows has no quota error.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to a temporary file and rename it, so that a kill leaves the last complete checkpoint.

    Raises:
        DiskFullError: the disk is full.
        OutputError: the file cannot be written for another reason.
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
            f"the checkpoint {path} cannot be written ({error.strerror or error}). The previous one is unchanged; "
            + ("free some disk space" if full else "choose a writable folder")
            + " and run the same command again."
        ) from error


def load(path: Path, **expected: object) -> dict[str, Any]:
    """Read a checkpoint and compare its entries with ``expected``.

    A checkpoint from before the stages had the names of their networks gets the name that its stage has now.

    Raises:
        CheckpointError: it cannot be read, has another format, or an entry differs from the expected one.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}.")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} is not a readable checkpoint ({_short(error)}).") from error
    if not isinstance(state, dict) or "format" not in state:
        raise CheckpointError(f"{path} is a PyTorch file, but not a checkpoint of `bshm train`.")
    if state["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {state['format']}; this version reads {FORMAT}. "
            "Train it again, or use the version of bshm that made it."
        )
    if "stage" in state:
        state["stage"] = stage_named(state["stage"])
    for name, value in expected.items():
        if state.get(name) != value:
            raise CheckpointError(
                f"{path} was made with {name} = {state.get(name)!r}, this run has {value!r}. "
                f"Use the same options, or another {option('out')} folder."
            )
    return state


def learned(state: Mapping[str, Any]) -> tuple[str, ...]:
    """The networks of a checkpoint that are trained; stage ``quality`` may have kept an earlier matting network."""
    return tuple(state["describe"].get("learned", _LEARNED[state["stage"]]))


def part(state: Mapping[str, Any], network: str) -> dict[str, Tensor]:
    """The averaged weights of one network.

    A checkpoint of stage ``mask`` has only that network; in later ones the network's name comes before each weight's.
    """
    average: dict[str, Tensor] = state["average"]
    if state["stage"] == "mask":
        return average
    prefix = f"{network}."
    return {name.removeprefix(prefix): value for name, value in average.items() if name.startswith(prefix)}


def mean(paths: Sequence[Path], network: str, **expected: object) -> dict[str, Tensor]:
    """The mean of one network's weights in several checkpoints of one run, or of a run and its start.

    Such networks are so close to each other that their mean works as a network, and it averages out their weak spots.

    Source:
        Wortsman et al., "Model soups", ICML 2022.

    Raises:
        CheckpointError: see ``load``; or the networks have different shapes.
    """
    averages = [part(load(path, **expected), network) for path in paths]
    shapes = [{name: value.shape for name, value in average.items()} for average in averages]
    if any(one != shapes[0] for one in shapes):
        raise CheckpointError(
            f"{', '.join(map(str, paths))} hold networks of different shapes, which cannot be averaged."
        )
    return {
        name: torch.stack([average[name].float() for average in averages]).mean(0).to(value.dtype)
        for name, value in averages[0].items()
    }


def other_shape(path: Path, error: Exception) -> CheckpointError:
    """The error for weights that do not fit their network; torch's own message can be very long."""
    return CheckpointError(
        f"{path} holds networks of another shape than this version of bshm trains ({_short(error)}). "
        "Train it again, or use the version of bshm that made it."
    )


def _short(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= 240 else words[:240] + " …"
