"""An evaluation as JSON: the schema, ``bshm-evaluation/1``, is the typed dictionaries below.

Errors are as ``metrics`` gives them: ``sad`` in pixels, ``mad`` and ``mse`` 0..1, ``grad`` and ``conn`` in thousands,
``iou`` 0..1.  A field is never left out; what is unknown is null.  New fields may be added under the same schema name;
a field whose meaning changes makes ``/2``.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import TypedDict

from bshm._version import __version__
from bshm.evaluation.metrics import BAD_MAD, Errors
from bshm.evaluation.report import EvaluationResult
from bshm.types import Run

SCHEMA = "bshm-evaluation/1"

# What changes the figures: the run time, and the resizing and labelling of OpenCV.
VERSIONED = ("numpy", "onnxruntime", "opencv-python-headless")


class ErrorsRecord(TypedDict):
    """Over one region; in a summary, the means."""

    pixels: float
    sad: float
    mad: float
    mse: float
    grad: float
    conn: float
    iou: float


class SummaryRecord(TypedDict):
    """One model over one kind of picture, or over all."""

    pictures: int  # that were measured
    bad_share: float  # share of them with mad over settings.bad_mad, 0..1
    whole: ErrorsRecord
    band: ErrorsRecord | None  # over the unknown band of those that have one
    median_ms: float


class ModelRecord(TypedDict):
    """One model and its means."""

    sha256: str | None  # of the weights; null for a model that is not bshm's
    device: str | None  # that it ran on
    overall: SummaryRecord | None  # null when it failed on every picture
    kinds: dict[str, SummaryRecord]


class ResultRecord(TypedDict):
    """One model on one picture."""

    whole: ErrorsRecord
    band: ErrorsRecord | None
    time_ms: float


class PictureRecord(TypedDict):
    """One picture; models that failed on it are missing in ``results``."""

    name: str
    kind: str
    height: int
    width: int
    results: dict[str, ResultRecord]


class FailureRecord(TypedDict):
    """A picture, or one model on it, that could not be measured."""

    name: str
    kind: str
    model: str | None  # null: the pair itself cannot be used
    error: str
    message: str


class SettingsRecord(TypedDict):
    """What the figures depend on."""

    longest_px: int | None
    band_px: int
    bad_mad: float


class Record(TypedDict):
    """The whole file."""

    schema: str
    date: str  # as the caller gave it
    folder: str
    versions: dict[str, str]
    settings: SettingsRecord
    models: dict[str, ModelRecord]
    pictures: list[PictureRecord]
    failures: list[FailureRecord]


def record(result: EvaluationResult, *, folder: str, date: str, ran: Mapping[str, Run] | None = None) -> Record:
    """The evaluation in the form of the schema.

    Args:
        result: from ``report.evaluate``.
        folder: where the pairs came from.
        date: when, in whatever form the caller wants to find again; ISO 8601 is a good one.
        ran: by model, the weights and the device; models of others have none.
    """
    ran = ran or {}
    return {
        "schema": SCHEMA,
        "date": date,
        "folder": folder,
        "versions": versions(),
        "settings": {"longest_px": result.longest_px, "band_px": result.band_px, "bad_mad": BAD_MAD},
        "models": {
            model: {
                "sha256": ran[model].model_sha256 if model in ran else None,
                "device": ran[model].device if model in ran else None,
                "overall": _summary(result, model, None),
                "kinds": {
                    kind: summary for kind in result.kinds if (summary := _summary(result, model, kind)) is not None
                },
            }
            for model in result.models
        },
        "pictures": _pictures(result),
        "failures": [
            {"name": f.name, "kind": f.kind, "model": f.model, "error": f.error, "message": f.message}
            for f in result.failures
        ],
    }


def to_json(content: Record) -> bytes:
    """The bytes of the file: UTF-8, indented, the same for the same content."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def versions() -> dict[str, str]:
    """bshm, Python, and the packages that the figures depend on; one that is not installed is left out."""
    found = {"bshm": __version__, "python": platform.python_version()}
    for package in VERSIONED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _pictures(result: EvaluationResult) -> list[PictureRecord]:
    pictures: dict[str, PictureRecord] = {}
    for row in result.rows:
        height, width = row.size_hw
        picture = pictures.setdefault(
            row.name, {"name": row.name, "kind": row.kind, "height": height, "width": width, "results": {}}
        )
        band = row.errors.band
        picture["results"][row.model] = {
            "whole": _errors(row.errors.whole),
            "band": None if band is None else _errors(band),
            "time_ms": round(row.time_ms, 3),
        }
    return list(pictures.values())


def _summary(result: EvaluationResult, model: str, kind: str | None) -> SummaryRecord | None:
    whole = result.summary(model, kind=kind)
    band = result.summary(model, kind=kind, band=True)
    median_ms = result.median_ms(model, kind=kind)
    if whole is None or median_ms is None:
        return None
    return {
        "pictures": whole.pictures,
        "bad_share": whole.bad_share,
        "whole": _errors(whole.mean),
        "band": None if band is None else _errors(band.mean),
        "median_ms": round(median_ms, 3),
    }


def _errors(errors: Errors) -> ErrorsRecord:
    return {
        "pixels": errors.pixels,
        "sad": errors.sad,
        "mad": errors.mad,
        "mse": errors.mse,
        "grad": errors.grad,
        "conn": errors.conn,
        "iou": errors.iou,
    }
