"""Progress of a training run; the command line shows it as a bar or as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Step:
    """One optimiser step.

    Attributes:
        number: of the step, from 1.
        steps: of the whole run.
        loss: of this step, in this process.
        speed: pictures a second of this run so far, of all processes, validation left out.
    """

    stage: str
    number: int
    steps: int
    loss: float
    speed: float


class RunReporter(Protocol):
    """Whom a run tells."""

    def note(self, line: str) -> None:
        """Something to read."""

    def step(self, step: Step) -> None:
        """A step is done."""

    def checked(self, stage: str, number: int, figures: Mapping[str, float]) -> None:
        """The averaged weights were validated and saved after step ``number``."""


class Lines:
    """Plain lines: the mean loss every fifty steps, and the figures of each validation."""

    EVERY = 50

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self.note = say
        self._losses: list[float] = []

    def step(self, step: Step) -> None:
        """As in ``RunReporter``."""
        self._losses.append(step.loss)
        if step.number % self.EVERY == 0:
            mean = sum(self._losses) / len(self._losses)
            self.note(f"{step.stage} {step.number}/{step.steps} loss {mean:.4f} {step.speed:.1f} pictures/s")
            self._losses.clear()

    def checked(self, stage: str, number: int, figures: Mapping[str, float]) -> None:
        """As in ``RunReporter``."""
        self.note(f"{stage} {number}: {in_words(figures)}")


class Silent:
    """Tells nobody: the processes beside the first."""

    def note(self, line: str) -> None:
        """As in ``RunReporter``."""

    def step(self, step: Step) -> None:
        """As in ``RunReporter``."""

    def checked(self, stage: str, number: int, figures: Mapping[str, float]) -> None:
        """As in ``RunReporter``."""


def in_words(figures: Mapping[str, float]) -> str:
    """Figures on one line.

    >>> in_words({"mask": 0.01234, "alpha": 0.5})
    'mask 0.0123  alpha 0.5000'
    """
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
