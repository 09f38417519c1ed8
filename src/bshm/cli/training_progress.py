"""The progress of ``bshm train``: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from bshm.cli.streams import plain, say
from bshm.training.reporting import Lines, RunReporter, Silent, Step, in_words

# How far each step moves the loss that is shown: the last fifty or so count.
_SMOOTHING = 0.04


@contextmanager
def reporter(*, shown: bool) -> Iterator[RunReporter]:
    """The reporter for a run, while it runs."""
    if not shown:
        yield Silent()
    elif sys.stderr.isatty():
        bar = Bar(Console(stderr=True))
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield Lines(say)


class Bar:
    """Step, loss, pictures a second and the time left, with the figures of the last validation below."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("{task.fields[speed]:.1f} pictures/s"),
            TimeRemainingColumn(),
            console=console,
        )
        self._figures = Text("")
        self._live = Live(Group(self._progress, self._figures), console=console, refresh_per_second=4)
        self._loss: float | None = None

    def note(self, line: str) -> None:
        """As in ``RunReporter``."""
        self._live.console.print(plain(line), markup=False, highlight=False, soft_wrap=True)

    def step(self, step: Step) -> None:
        """As in ``RunReporter``."""
        self._loss = step.loss if self._loss is None else self._loss + _SMOOTHING * (step.loss - self._loss)
        if not self._progress.tasks:
            # The clock of the time left starts here, not while the data is read.
            self._progress.add_task(
                step.stage, total=step.steps, completed=step.number, loss=self._loss, speed=step.speed
            )
            self._live.start()
        self._progress.update(
            self._progress.tasks[0].id, completed=step.number, loss=self._loss, speed=step.speed, refresh=False
        )

    def checked(self, stage: str, number: int, figures: Mapping[str, float]) -> None:
        """As in ``RunReporter``."""
        line = f"{stage} {number}: {in_words(figures)}"
        self.note(line)
        self._figures.plain = f"at {line}"

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._live.stop()
