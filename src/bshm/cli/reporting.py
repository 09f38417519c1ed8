"""Report a batch to people and scripts: lines, a progress bar, JSON, a summary and the exit code."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bshm.bulk.batch import BatchRecord
from bshm.cli import exit_codes
from bshm.cli.parsing import told
from bshm.cli.streams import plain, put, say
from bshm.errors import BshmError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from bshm.matting.verdict import Verdict

EMPTY_NOTE = "nobody was found, so the result is empty"


def frames_note(frames: int) -> str:
    """The note on an animation, or on a file with several pages."""
    return f"only the first of its {frames} pictures was used"


def corrected_note(count: int) -> str:
    """The note on a result that was corrected by hand."""
    return f"{count} correction{'' if count == 1 else 's'} applied"


def edit_notes(head_by: str | None, notes: Iterable[str], background_by: Mapping[str, Any] | None = None) -> list[str]:
    """The notes on a framed result: what found the head, and what is wrong.

    For a painted background, also what painted it.
    """
    told = [f"the head was found by the {head_by}"] if head_by else []
    if background_by is not None:
        model, steps, seed = (background_by[each] for each in ("model", "steps", "seed"))
        told.append(f"the background was painted by {model} in {steps} steps, with the seed {seed}")
    return [*told, *notes]


def look_note(verdict: Verdict) -> str:
    """The note on a result that somebody should look at; empty for all others."""
    from bshm.matting.verdict import LOOK_BELOW

    return f"worth a look, {verdict}" if verdict.score < LOOK_BELOW else ""


class Reporter:
    """Reports on each picture: results on stdout, everything else on stderr.

    With several pictures, a terminal gets a progress bar; a pipe or a log file gets one line per picture.
    """

    def __init__(self, *, total: int, json_lines: bool, quiet: bool) -> None:
        self._total = total
        self._json = json_lines
        self._quiet = quiet
        self._counts = {"written": 0, "copied": 0, "skipped": 0, "failed": 0, "empty": 0}
        self._last_error: Exception | None = None
        self._started = time.perf_counter()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Reporter:
        if self._total > 1 and not self._quiet and sys.stderr.isatty():
            self._start_progress()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
        if self._total > 1 and not self._quiet:
            say(self._summary())

    def add(self, record: BatchRecord) -> None:
        """Report on one picture."""
        self._counts[record.status] += 1
        self._counts["empty"] += record.empty is True
        if self._json:
            put(json_line(record) + "\n")
        if record.error is not None:
            self._last_error = record.error
            for line in _failure(record):
                self._say(line)
        elif record.status == "skipped" and (record.proof is None or self._progress is None):
            # A million lines on pictures that were done before would say no more than their number.
            self._note(f"{record.job.name}: skipped, {record.note or f'{record.job.output} is there'}")
        elif record.status == "copied" and self._progress is None:
            self._note(f"{record.job.name} -> {record.job.output} ({record.note})")
        elif record.status == "written" and self._progress is None:
            seconds = sum(record.timings_ms.values()) / 1000
            written = ", ".join(map(str, record.outputs or (record.job.output,)))
            self._note(f"{record.job.name} -> {written} ({seconds:.2f} s)")
        if record.empty:
            self._note(f"{record.job.name}: {EMPTY_NOTE}")
        elif record.verdict is not None and (look := look_note(record.verdict)):
            self._note(f"{record.job.name}: {look}")
        if record.frames is not None and record.frames > 1:
            self._note(f"{record.job.name}: {frames_note(record.frames)}")
        if record.corrections:
            self._note(f"{record.job.name}: {corrected_note(record.corrections)}")
        for line in edit_notes(record.head_by, record.notes, record.background_by):
            self._note(f"{record.job.name}: {line}")
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    @property
    def exit_code(self) -> int:
        """0 if all succeeded; the code of its error if a single picture failed; 1 if any of several failed."""
        if self._last_error is None:
            return exit_codes.OK
        return exit_codes.code_of(self._last_error) if self._total == 1 else exit_codes.SOME_FAILED

    def _summary(self) -> str:
        counts = self._counts
        seconds = time.perf_counter() - self._started
        parts = [f"{counts['written']} written"]
        parts += [f"{counts[each]} {each}" for each in ("copied", "skipped", "failed") if counts[each]]
        if counts["empty"]:
            parts.append(f"{counts['empty']} without people")
        left = self._total - sum(counts[each] for each in ("written", "copied", "skipped", "failed"))
        if left:
            parts.append(f"{left} not done")
        return f"{', '.join(parts)} in {seconds:.1f} s"

    def _note(self, line: str) -> None:
        if not self._quiet:
            self._say(line)

    def _say(self, line: str) -> None:
        if self._progress is not None:
            self._progress.console.print(plain(line), markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)

    def _start_progress(self) -> None:
        self._progress = _bar()
        self._task = self._progress.add_task("", total=self._total)
        self._progress.start()


@contextmanager
def counter(*, shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar, to be called with (done, all, name) after each picture; None if ``shown`` is false."""
    if not shown:
        yield None
        return
    with _bar() as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, _: bar.update(task, completed=done, total=total)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    return Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )


def _failure(record: BatchRecord) -> list[str]:
    error = record.error
    if isinstance(error, BshmError):
        said = told(error)
        return [said if record.job.name in said else f"{record.job.name}: {said}"]
    if isinstance(error, MemoryError):
        return [f"{record.job.name}: this does not fit into memory. Use a smaller picture or --in-flight."]
    trace = "".join(traceback.format_exception(error)).splitlines() if error else []
    return [*trace, f"{record.job.name}: a fault in bshm itself: {type(error).__name__}: {error}"]


def json_line(record: BatchRecord) -> str:
    """One record as one line of JSON."""
    line: dict[str, Any] = {
        "input": record.job.name,
        "output": str(record.job.output) if record.job.output else None,
        "status": record.status,
    }
    if record.note is not None:
        line["note"] = record.note
    if record.proof is not None:
        line |= {
            "sha256": record.proof.sha256,
            "output_sha256": record.proof.output_sha256,
            "copy_of": record.proof.copy_of,
        }
    if record.size_hw is not None:
        line |= {
            "width": record.size_hw[1],
            "height": record.size_hw[0],
            "frames": record.frames,
            "empty": record.empty,
            "people": record.people,
            "head_by": record.head_by,
            "notes": list(record.notes),
            "corrections": record.corrections,
            "background_by": None if record.background_by is None else dict(record.background_by),
            "doubtful": None if record.doubtful is None else round(record.doubtful, 4),
            "verdict": None if record.verdict is None else record.verdict.as_json(),
            "model": record.model,
            "model_sha256": record.model_sha256,
            "device": record.device,
            "timings_ms": {stage: round(ms, 2) for stage, ms in record.timings_ms.items()},
        }
        if record.outputs:
            line["outputs"] = [str(path) for path in record.outputs]
    if record.error is not None:
        line["error"] = {
            "kind": type(record.error).__name__,
            "message": told(record.error),
            "exit_code": exit_codes.code_of(record.error),
        }
    return json.dumps(line)
