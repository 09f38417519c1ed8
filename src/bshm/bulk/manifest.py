"""Lists of pictures: CSV, JSON lines or Parquet with a column ``input`` and an optional column ``output``."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bshm.errors import ManifestError, MissingExtraError, SourceNotFoundError

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True)
class ManifestRow:
    """One line of a manifest.

    Attributes:
        place: its position, for messages.
        input: a path relative to the manifest's folder, or a URI; empty if ``problem`` is set.
        output: path below the output folder; None uses the input's name.
        problem: why the line names no picture.
    """

    place: str
    input: str
    output: str | None = None
    problem: str | None = None


def is_manifest(given: str) -> bool:
    """Whether a name is the name of a manifest.

    >>> is_manifest("photos.csv"), is_manifest("photo.jpg")
    (True, False)
    """
    return given.lower().endswith(SUFFIXES)


def rows(path: Path) -> Iterator[ManifestRow]:
    """The lines of a manifest, one after another; an unusable line has a ``problem``.

    Raises:
        SourceNotFoundError: it does not exist.
        ManifestError: it cannot be read, is not a manifest, or has no column ``input``.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    read = {".csv": _csv, ".parquet": _parquet}.get(path.suffix.lower(), _json_lines)
    try:
        for number, found in read(path):
            place = f"{path.name} {'row' if read is _parquet else 'line'} {number}"
            yield _row(place, found)
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"no manifest at {path}. Check the spelling and the working folder.") from error
    except OSError as error:
        raise ManifestError(f"the manifest {path} cannot be read: {error.strerror or error}.") from error


def _row(place: str, found: dict[str, Any] | str) -> ManifestRow:
    if isinstance(found, str):
        return ManifestRow(place, "", problem=f"{place} is not a row of a manifest: {found}.")
    given, output = found.get("input"), found.get("output")
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        return ManifestRow(place, "", problem=f"{place} needs a path or a URI under 'input'; it has {given!r}.")
    if output is not None and (not isinstance(output, str) or "\0" in output):
        return ManifestRow(place, "", problem=f"{place} needs a path under 'output', or nothing; it has {output!r}.")
    return ManifestRow(place, given.strip(), (output or "").strip() or None)


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    csv.field_size_limit(min(sys.maxsize, 1 << 20))
    # utf-8-sig: spreadsheets write a byte order mark before the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            _has_input(path, [name.strip() for name in reader.fieldnames or []])
            reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
            for found in reader:
                yield reader.line_num, found
        except (csv.Error, UnicodeDecodeError) as error:
            raise ManifestError(
                f"the manifest {path} is not a CSV file in UTF-8: {error}. Save it as CSV in UTF-8."
            ) from error


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, f"it is not JSON, {error}"
                continue
            yield number, found if isinstance(found, dict) else "it is not a JSON object"


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        reason = f"{path} is Parquet, which needs an optional part: pip install 'bshm[bulk]'."
        raise MissingExtraError(reason) from error
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _has_input(path, names)
            number = 0
            wanted = [name for name in ("input", "output") if name in names]
            for batch in file.iter_batches(batch_size=10_000, columns=wanted):
                for found in batch.to_pylist():
                    number += 1
                    yield number, found
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise ManifestError(f"the manifest {path} is not a Parquet file: {reason}. Write it again.") from error


def _has_input(path: Path, names: list[str]) -> None:
    if "input" not in names:
        there = ", ".join(names[:8]) or "none"
        raise ManifestError(f"the manifest {path} needs a column called 'input'; it has these: {there}. Rename one.")
