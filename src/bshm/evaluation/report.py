"""Compare models on pairs of picture and alpha: a row for each picture, and their means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from bshm.errors import DataFolderError, InputError, MemoryExhaustedError, OptionError, ShapeError, option
from bshm.evaluation.metrics import BAND_PX, Comparison, Region, Summary, compare, summarise
from bshm.evaluation.pairs import Pair, Sample, read_sample
from bshm.types import FloatArray, Picture

MatteFunction = Callable[[Picture], FloatArray]
"""A model: a picture in, its alpha out, (H, W) float32, 0..1, the size of the picture."""

Progress = Callable[[int, int, str], None]
"""Told pictures done, pictures in all, and the name of the one that was just done."""


@dataclass(frozen=True)
class Row:
    """One model on one picture.

    Attributes:
        name: of the pair.
        kind: of the pair; ``""`` without sub-folders.
        size_hw: height and width as measured, after any shrinking.
        model: its name among those that were compared.
        errors: over the whole picture and over the unknown band.
        time_ms: what the model took, reading and measuring not counted; one run, the first picture's warm-up included.
    """

    name: str
    kind: str
    size_hw: tuple[int, int]
    model: str
    errors: Comparison
    time_ms: float


@dataclass(frozen=True)
class Failure:
    """A pair, or one model on it, that gave no row.

    Attributes:
        name: of the pair.
        kind: of the pair.
        model: None when the pair itself cannot be used.
        error: the error's class, as in ``bshm.errors``.
        message: what it said.
    """

    name: str
    kind: str
    model: str | None
    error: str
    message: str


@dataclass(frozen=True)
class EvaluationResult:
    """What was measured.

    Attributes:
        models: their names, in the order given.
        rows: by picture, then by model.
        failures: what could not be measured; every mean is over the rows alone.
        longest_px: the longer side to which larger pictures were shrunk; None kept their size.
        band_px: how far the unknown band reached; a trimap in the folder stands above it.
    """

    models: tuple[str, ...]
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...] = ()
    longest_px: int | None = None
    band_px: int = BAND_PX

    @property
    def kinds(self) -> list[str]:
        """The kinds of picture that have rows, by name."""
        return sorted({row.kind for row in self.rows})

    @property
    def pictures(self) -> list[str]:
        """Names of the pictures that have rows, in order."""
        return list(dict.fromkeys(row.name for row in self.rows))

    def rows_of(self, model: str, *, kind: str | None = None) -> list[Row]:
        """One model's rows; of one kind of picture when ``kind`` is given."""
        return [row for row in self.rows if row.model == model and kind in (None, row.kind)]

    def summary(self, model: str, *, kind: str | None = None, band: bool = False) -> Summary | None:
        """The means of one model; over the unknown band alone with ``band``.  None without rows."""
        errors = (row.errors.band if band else row.errors.whole for row in self.rows_of(model, kind=kind))
        return summarise(one for one in errors if one is not None)

    def median_ms(self, model: str, *, kind: str | None = None) -> float | None:
        """The median time of one model: a mean would count its warm-up."""
        times = [row.time_ms for row in self.rows_of(model, kind=kind)]
        return median(times) if times else None

    def worst_first(self) -> list[str]:
        """Names of the pictures by the mean absolute error of the first model, the greatest first.

        Pictures on which that model failed stand at the very front.
        """
        first = {row.name: row.errors.whole.mad for row in self.rows_of(self.models[0])}
        return sorted(self.pictures, key=lambda name: -first.get(name, np.inf))


@dataclass(frozen=True)
class Examined:
    """A picture that was just measured, for those who want to look at it.

    Attributes:
        sample: picture and reference.
        band: (H, W) bool, the unknown band.
        alphas: by model, (H, W) float32, 0..1; a model that failed is missing.
        rows: by model, likewise.
    """

    sample: Sample
    band: Region
    alphas: Mapping[str, FloatArray]
    rows: Mapping[str, Row]


def evaluate(
    pairs: Sequence[Pair],
    mattes: Mapping[str, MatteFunction],
    *,
    longest_px: int | None = None,
    band_px: int = BAND_PX,
    read: Callable[..., Sample] = read_sample,
    watch: Callable[[Examined], None] | None = None,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Measure each model on each pair.

    A pair that cannot be used, and a model that cannot do a picture, become failures of the result; the rest goes on.

    Args:
        pairs: from ``pairs.find_pairs``.
        mattes: the models by name; the first is the one by which the worst pictures are picked.
        longest_px: shrink larger pictures, and their alphas, so that the longer side is this; None keeps them.
        band_px: how far the unknown band reaches beyond the soft pixels of the reference.
        read: reads a pair; called as ``read(pair, longest_px=…)``.
        watch: is shown every picture with its alphas, which are not kept otherwise.
        progress: is told after every picture.

    Raises:
        OptionError: no models, or ``longest_px`` below 16.
        ShapeError: a model gave something that is no alpha of the picture.
        DataFolderError: not one row came about.
        EnvironmentFault: from a model, except a picture that does not fit into memory.
    """
    if not mattes:
        raise OptionError("evaluate() needs at least one model; got none.")
    if longest_px is not None and longest_px < 16:
        raise OptionError(f"{option('longest_px')} takes 16 or more pixels; got {longest_px}.")
    rows: list[Row] = []
    failures: list[Failure] = []
    for done, pair in enumerate(pairs, start=1):
        try:
            sample = read(pair, longest_px=longest_px)
        except (InputError, MemoryExhaustedError) as error:
            failures.append(_failure(pair, None, error))
        else:
            examined = _examine(sample, mattes, sample.band(band_px=band_px), failures)
            rows += examined.rows.values()
            if watch is not None and examined.rows:
                watch(examined)
        if progress is not None:
            progress(done, len(pairs), pair.name)
    if not rows:
        first = f" The first: {failures[0].message}" if failures else ""
        raise DataFolderError(f"none of {len(pairs)} pair(s) could be measured.{first}")
    return EvaluationResult(tuple(mattes), tuple(rows), tuple(failures), longest_px, band_px)


def _examine(sample: Sample, mattes: Mapping[str, MatteFunction], band: Region, failures: list[Failure]) -> Examined:
    pair, size_hw = sample.pair, sample.picture.size_hw
    alphas: dict[str, FloatArray] = {}
    rows: dict[str, Row] = {}
    for model, matte in mattes.items():
        started = time.perf_counter()
        try:
            alpha = matte(sample.picture)
        except (InputError, MemoryExhaustedError) as error:
            failures.append(_failure(pair, model, error))
            continue
        time_ms = (time.perf_counter() - started) * 1000
        if alpha.shape != size_hw:
            raise ShapeError(f"{model} should give an alpha {size_hw} for {pair.name}; it gave {alpha.shape}.")
        alphas[model] = alpha
        errors = compare(alpha, sample.reference, band=band, counted=sample.counted)
        rows[model] = Row(pair.name, pair.kind, size_hw, model, errors, time_ms)
    return Examined(sample, band, alphas, rows)


def _failure(pair: Pair, model: str | None, error: Exception) -> Failure:
    message = str(error)
    for path in (pair.picture, pair.alpha, pair.trimap, pair.counted):
        # A report that is handed on should not tell of somebody's folders; the pair's name says where the file is.
        if path is not None:
            message = message.replace(str(path), f"{path.parent.name}/{path.name}")
    return Failure(pair.name, pair.kind, model, type(error).__name__, message)
