"""Records as plain values and back, for the journal, other machines and the report."""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from bshm import errors
from bshm.bulk.batch import BatchRecord, Job, Proof
from bshm.errors import BshmError, option


def row(record: BatchRecord) -> dict[str, Any]:
    """A record as plain JSON values."""
    error = record.error
    return {
        "input": record.job.name,
        "output": None if record.job.output is None else str(record.job.output),
        "status": record.status,
        "note": record.note,
        "width": None if record.size_hw is None else record.size_hw[1],
        "height": None if record.size_hw is None else record.size_hw[0],
        "frames": record.frames,
        "empty": record.empty,
        "doubtful": None if record.doubtful is None else round(record.doubtful, 4),
        "model": record.model,
        "model_sha256": record.model_sha256,
        "device": record.device,
        "timings_ms": {stage: round(ms, 2) for stage, ms in record.timings_ms.items()},
        "background_by": None if record.background_by is None else dict(record.background_by),
        "proof": None if record.proof is None else asdict(record.proof),
        "error": None if error is None else {"kind": type(error).__name__, "message": _kept(error)},
    }


def record(found: dict[str, Any], job: Job) -> BatchRecord:
    """The record of ``job`` from its ``row``.

    An error of an unknown kind is a fault in bshm: a ``RuntimeError``.
    """
    width, height, error = found["width"], found["height"], found["error"]
    return BatchRecord(
        job,
        found["status"],
        size_hw=None if width is None else (height, width),
        empty=found["empty"],
        doubtful=found["doubtful"],
        model=found["model"],
        model_sha256=found["model_sha256"],
        device=found["device"],
        timings_ms=MappingProxyType(found["timings_ms"]),
        error=None if error is None else _error(error["kind"], error["message"]),
        frames=found["frames"],
        background_by=found.get("background_by"),
        note=found["note"],
        proof=None if found["proof"] is None else Proof(**found["proof"]),
    )


def _kept(error: Exception) -> str:
    """A message with its options marked, so that each interface can name them in its own way."""
    return error.told(option) if isinstance(error, BshmError) else str(error)


def _error(kind: str, message: str) -> Exception:
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, BshmError):
        return known(message)
    return MemoryError(message) if kind == "MemoryError" else RuntimeError(f"{kind}: {message}")
