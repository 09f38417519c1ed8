"""An evaluation as plain text: a line for each model and kind of picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bshm.evaluation.metrics import BAD_MAD, Errors
from bshm.evaluation.report import EvaluationResult


@dataclass(frozen=True)
class Column:
    """A metric as it is shown.

    Attributes:
        title: short name.
        unit: what its figures are counted in, in ASCII: not every console has more.
        value: the figure, of ``Errors``.
        digits: after the point.
        higher_is_better: as it says.
    """

    title: str
    unit: str
    value: Callable[[Errors], float]
    digits: int
    higher_is_better: bool = False

    def text(self, errors: Errors | None) -> str:
        """The figure as it is printed; a dash where there is none."""
        return "-" if errors is None else f"{self.value(errors):.{self.digits}f}"

    def best(self, errors: Sequence[Errors]) -> Errors:
        """The one of these that does best."""
        return max(errors, key=self.value) if self.higher_is_better else min(errors, key=self.value)


# Units and order of the published tables; the page and the text show the same.
COLUMNS = (
    Column("MAD", "1e-3", lambda e: e.mad * 1000, 2),
    Column("MSE", "1e-3", lambda e: e.mse * 1000, 2),
    Column("SAD", "1e3", lambda e: e.sad_thousands, 2),
    Column("Grad", "1e3", lambda e: e.grad, 2),
    Column("Conn", "1e3", lambda e: e.conn, 2),
    Column("IoU", "%", lambda e: e.iou * 100, 2, higher_is_better=True),
)
BAND_COLUMNS = COLUMNS[:3]


def table(result: EvaluationResult, *, by_kind: bool = True) -> str:
    """The means of every model, over all pictures and, unless ``by_kind`` is off, by kind; and what failed.

    >>> from bshm.evaluation.metrics import compare
    >>> from bshm.evaluation.report import Row
    >>> import numpy as np
    >>> errors = compare(np.zeros((10, 10)), np.full((10, 10), 0.02))
    >>> print(table(EvaluationResult(("ours",), (Row("a", "", (10, 10), "ours", errors, 12.0),))))
    pictures  model  n    MAD   MSE   SAD  Grad  Conn     IoU  band MAD   MSE   SAD  bad  time
                       1e-3  1e-3   1e3   1e3   1e3       %      1e-3  1e-3   1e3    %    ms
    ------------------------------------------------------------------------------------------
    all       ours   1  20.00  0.40  0.00  0.00  0.00  100.00     20.00  0.40  0.00  0.0    12
    <BLANKLINE>
    Means over the pictures. band: within the unknown band. bad: share of pictures with a MAD over 0.1. time: median.
    """
    lines = [_titles(), _units()]
    kinds: list[str | None] = [None, *result.kinds] if by_kind and len(result.kinds) > 1 else [None]
    for kind in kinds:
        for model in result.models:
            lines.append(_line(result, model, kind))
    return _aligned(lines) + "\n\n" + _notes(result)


def matrix(result: EvaluationResult, column: Column, *, band: bool = False) -> str:
    """One figure of every model on every kind of picture: a line for each model, a column for each kind.

    Args:
        result: from ``report.evaluate``.
        column: which figure, one of ``COLUMNS``.
        band: within the unknown band alone.

    >>> from bshm.evaluation.metrics import compare
    >>> from bshm.evaluation.report import Row
    >>> import numpy as np
    >>> off = [compare(np.zeros((10, 10)), np.full((10, 10), by)) for by in (0.02, 0.04)]
    >>> rows = (Row("a", "group", (10, 10), "ours", off[0], 1.0), Row("b", "small", (10, 10), "ours", off[1], 1.0))
    >>> print(matrix(EvaluationResult(("ours",), rows), COLUMNS[0]))
    MAD, 1e-3  pictures    all  group  small
    ----------------------------------------
    ours              2  30.00  20.00  40.00
    """
    kinds: list[str | None] = [None, *result.kinds]
    title = f"{'band ' if band else ''}{column.title}, {column.unit}"
    lines = [[title, "pictures", *(kind or "all" for kind in kinds)]]
    for model in result.models:
        found = [result.summary(model, kind=kind, band=band) for kind in kinds]
        lines.append(
            [
                model,
                str(found[0].pictures if found[0] else 0),
                *(column.text(one.mean if one else None) for one in found),
            ]
        )
    return _aligned(lines, words=1, heading=1)


def by_picture(result: EvaluationResult, *, kind: str | None = None, most: int | None = None) -> str:
    """MAD of every picture, worst first by the first model, and the share of a model's whole error that each carries.

    A mean of a hundred pictures can be a hundredth that every picture has, or one picture that was lost; this tells
    which.  Pictures on which the first model failed stand in front.

    Args:
        result: from ``report.evaluate``.
        kind: of this kind alone; the shares are then of its error.
        most: so many lines at most; None gives all.

    >>> from bshm.evaluation.metrics import compare
    >>> from bshm.evaluation.report import Row
    >>> import numpy as np
    >>> off = [compare(np.zeros((10, 10)), np.full((10, 10), by)) for by in (0.02, 0.06)]
    >>> rows = (Row("a", "group", (10, 10), "ours", off[0], 1.0), Row("b", "small", (10, 10), "ours", off[1], 1.0))
    >>> print(by_picture(EvaluationResult(("ours",), rows)))
    MAD by picture, 1e-3  kind    ours  % of all
    --------------------------------------------
    b                     small  60.00        75
    a                     group  20.00        25
    """
    found = {(row.model, row.name): row.errors.whole.mad for row in result.rows if kind in (None, row.kind)}
    kinds = {row.name: row.kind for row in result.rows if kind in (None, row.kind)}
    whole = {model: sum(mad for (of, _), mad in found.items() if of == model) for model in result.models}
    lines = [["MAD by picture, 1e-3", "kind", *(cell for model in result.models for cell in (model, "% of all"))]]
    for name in [name for name in result.worst_first() if name in kinds][:most]:
        line = [name, kinds[name]]
        for model in result.models:
            mad = found.get((model, name))
            line.append("failed" if mad is None else f"{mad * 1000:.2f}")
            line.append("-" if not mad else f"{mad / whole[model] * 100:.0f}")
        lines.append(line)
    return _aligned(lines, words=2, heading=1)


def _titles() -> list[str]:
    band = [f"band {BAND_COLUMNS[0].title}", *(column.title for column in BAND_COLUMNS[1:])]
    return ["pictures", "model", "n", *(column.title for column in COLUMNS), *band, "bad", "time"]


def _units() -> list[str]:
    return ["", "", "", *(c.unit for c in COLUMNS), *(c.unit for c in BAND_COLUMNS), "%", "ms"]


def _line(result: EvaluationResult, model: str, kind: str | None) -> list[str]:
    whole = result.summary(model, kind=kind)
    band = result.summary(model, kind=kind, band=True)
    median_ms = result.median_ms(model, kind=kind)
    return [
        "all" if kind is None else kind or "(no kind)",
        model,
        str(whole.pictures if whole else 0),
        *(column.text(whole.mean if whole else None) for column in COLUMNS),
        *(column.text(band.mean if band else None) for column in BAND_COLUMNS),
        "-" if whole is None else f"{whole.bad_share * 100:.1f}",
        "-" if median_ms is None else f"{median_ms:.0f}",
    ]


def _aligned(lines: list[list[str]], *, words: int = 2, heading: int = 2) -> str:
    """Columns of words to the left, figures to the right, a rule below the lines of heading."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    rendered = [
        "  ".join(
            cell.ljust(width) if place < words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rule = "-" * max(len(line) for line in rendered)
    return "\n".join([*rendered[:heading], rule, *rendered[heading:]])


def _notes(result: EvaluationResult) -> str:
    notes = [
        "Means over the pictures. band: within the unknown band. "
        f"bad: share of pictures with a MAD over {BAD_MAD}. time: median."
    ]
    if result.longest_px is not None:
        notes.append(f"Pictures were shrunk to at most {result.longest_px} px.")
    for failure in result.failures:
        who = f"{failure.model} on {failure.name}" if failure.model else failure.name
        notes.append(f"Not measured: {who}: {failure.message}")
    return "\n".join(notes)
