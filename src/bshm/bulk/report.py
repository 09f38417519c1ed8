"""The report of a batch: a table of all files, and a page with the pictures to review."""

from __future__ import annotations

import csv
import heapq
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from bshm.bulk import rows
from bshm.bulk.batch import BatchRecord
from bshm.bulk.page import Thumb, page
from bshm.files import sink

# Most pictures of each group on the page; the table has all.
MOST_SHOWN = 48
# The share of the people's area in doubt from which a picture should be looked at.
DOUBTFUL = 0.1
# Rows in memory before they are written, some megabytes.
_CHUNK = 2000

# Makes a thumbnail of a record's picture, as a ``data:`` URL; None if there is none.
Thumbnailer = Callable[[BatchRecord], "str | None"]

COLUMNS: dict[str, str] = {
    "input": "string",
    "output": "string",
    "status": "string",
    "note": "string",
    "copy_of": "string",
    "width": "int32",
    "height": "int32",
    "frames": "int32",
    "empty": "bool_",
    "doubtful": "float32",
    "sha256": "string",
    "size": "int64",
    "output_sha256": "string",
    "output_size": "int64",
    "model": "string",
    "model_sha256": "string",
    "device": "string",
    "milliseconds": "float64",
    "timings_ms": "string",
    "error_kind": "string",
    "error": "string",
}


class BatchReport:
    """Collects records; writes ``report.parquet`` (or ``report.csv``) and ``report.html`` at the end.

    In memory it keeps figures, and a limited number of pictures to look at.
    """

    def __init__(self, folder: Path, facts: Mapping[str, str]) -> None:
        """Start a report.

        Args:
            folder: folder of the results.
            facts: further facts for the page, by name.

        Raises:
            OutputError: nothing can be written there.
        """
        self.folder = folder
        self._facts = dict(facts)
        self._started = time.time()
        self._clock = time.perf_counter()
        self._table = _Parquet(folder) if has_parquet() else _Csv(folder)
        self._counts: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._shown: dict[str, list[BatchRecord]] = {"failed": [], "empty": []}
        self._doubtful: list[tuple[float, int, BatchRecord]] = []  # a heap: the least doubtful is removed first

    @property
    def table(self) -> Path:
        """The path of the table."""
        return self._table.path

    def __enter__(self) -> BatchReport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._table.drop()

    def add(self, record: BatchRecord) -> None:
        """Add one record."""
        self._table.add(flat(record))
        self._counts[record.status] += 1
        self._counts["empty"] += record.empty is True
        if record.error is not None:
            self._kinds[type(record.error).__name__] += 1
            self._keep("failed", record)
        elif record.empty:
            self._keep("empty", record)
        elif record.doubtful is not None and record.doubtful >= DOUBTFUL:
            self._counts["doubtful"] += 1
            heapq.heappush(self._doubtful, (record.doubtful, self._counts["doubtful"], record))
            if len(self._doubtful) > MOST_SHOWN:
                heapq.heappop(self._doubtful)
        if record.status == "written":
            self._stages.update(record.timings_ms)
        if record.proof is not None:
            self._bytes.update(read=record.proof.size, written=record.proof.output_size)

    def finish(self, thumbnail: Thumbnailer) -> None:
        """Write table and page.

        Args:
            thumbnail: returns the ``data:`` URL of a record's thumbnail, or None.

        Raises:
            OutputError: one of them cannot be written.
        """
        self._table.finish()
        doubtful = [record for _, _, record in sorted(self._doubtful, reverse=True)]
        shown = {
            kind: [Thumb(each.job.name, _why(each), thumbnail(each)) for each in kept]
            for kind, kept in {**self._shown, "doubtful": doubtful}.items()
        }
        text = page(
            counts=self._counts,
            kinds=self._kinds,
            stages=self._stages,
            volume=self._bytes,
            shown=shown,
            facts=self._facts,
            table=self._table.path.name,
            seconds=time.perf_counter() - self._clock,
            started=time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(self._started)),
        )
        sink.write(text.encode(), self.folder / "report.html", overwrite=True)

    def _keep(self, kind: str, record: BatchRecord) -> None:
        if len(self._shown[kind]) < MOST_SHOWN:
            self._shown[kind].append(record)


def flat(record: BatchRecord) -> dict[str, Any]:
    """A record as a row of the table, with the names of ``COLUMNS``."""
    found = rows.row(record)
    proof, error, timings = found.pop("proof") or {}, found.pop("error") or {}, found.pop("timings_ms")
    found |= {name: proof.get(name) for name in ("copy_of", "sha256", "size", "output_sha256", "output_size")}
    found |= {"error_kind": error.get("kind"), "error": None if record.error is None else str(record.error)}
    found |= {"milliseconds": round(sum(timings.values()), 2) if timings else None, "timings_ms": json.dumps(timings)}
    return {name: _text(found[name]) for name in COLUMNS}


def has_parquet() -> bool:
    """Whether the package that writes Parquet is installed."""
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


def _text(value: Any) -> Any:
    """A file name as text, even if it contains bytes that are not text."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _why(record: BatchRecord) -> str:
    if record.error is not None:
        return str(record.error)
    return "nobody was found" if record.empty else f"{record.doubtful:.0%} in doubt"


class _Table:
    """A file that is written beside its place, and moved there when it is complete."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.path = folder / f"report.{suffix}"
        self.partial = folder / f".bshm-{os.urandom(8).hex()}.part"
        with _told(self.path):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: dict[str, Any]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        with _told(self.path):
            self.close()
            self.partial.replace(self.path)

    def drop(self) -> None:
        with _told(self.path):
            self.close()
            self.partial.unlink(missing_ok=True)


class _Parquet(_Table):
    def __init__(self, folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        super().__init__(folder, "parquet")
        self._schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()])
        with _told(self.path):
            self._writer = pq.ParquetWriter(self.partial, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _CHUNK:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            with _told(self.path):
                self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


class _Csv(_Table):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "csv")
        with _told(self.path):
            self._file = self.partial.open("x", encoding="utf-8", newline="")
            self._writer = csv.DictWriter(self._file, list(COLUMNS))
            self._writer.writeheader()

    def add(self, row: dict[str, Any]) -> None:
        with _told(self.path):
            self._writer.writerow(row)

    def close(self) -> None:
        self._file.close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise sink.explained(error, str(path)) from error
