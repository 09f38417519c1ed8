"""Does the verdict's score rank real errors?  On the judge's pictures, by kind.

    python benchmarks/verdict.py DATA [MODEL…] --json benchmarks/results/verdict.json

For each set in the box: Spearman's rank correlation of the expected with the real mean absolute error, by kind of
picture; how many of the worst tenth are among the tenth with the lowest score; the factor that fits the mean error, and
how far the expected error is off in ten folds, each with the factor that the other nine give; and for each reason how
large the error is with it and without.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import judge
import numpy as np
import numpy.typing as npt

from bshm.matting import verdict
from bshm.options import DEFAULT_MODEL
from bshm.pipeline import Matting

Doubles = npt.NDArray[np.float64]

FOLDS = 10


def ranks(values: Doubles) -> Doubles:
    """1 for the smallest; equal ones share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[places], float)


def spearman(one: Doubles, other: Doubles) -> float:
    """Rank correlation, -1 to 1."""
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def worst_caught(expected: Doubles, real: Doubles) -> tuple[int, int]:
    """How many of the worst tenth are among the tenth expected to be worst, and how many those are."""
    count = max(1, round(len(real) / 10))
    return len(set(np.argsort(-real)[:count]) & set(np.argsort(-expected)[:count])), count


def folds(doubts: Doubles, real: Doubles) -> Doubles:
    """The expected error of each picture, with the factor of the pictures in other folds."""
    order = np.random.default_rng(0).permutation(len(real))
    found = np.zeros(len(real))
    for fold in range(FOLDS):
        left_out = order[fold::FOLDS]
        others = np.setdiff1d(order, left_out)
        found[left_out] = doubts[left_out] * real[others].sum() / doubts[others].sum()
    return found


def measured(model: str, data: Path) -> dict[str, Any]:
    """All figures of one set; errors in thousandths."""
    kinds, doubts, errors, verdicts = [], [], [], []
    with Matting(model=model, device="cpu", threads=1) as matting:
        for sample in judge.samples(data).values():
            matte = matting.matte_picture(sample.picture)
            if matte.mask is None or matte.verdict is None:
                raise SystemExit(f"{model} gives no verdict")
            difference = np.abs(matte.alpha - sample.reference)
            counted = difference if sample.counted is None else difference[sample.counted]
            kinds.append(sample.pair.kind)
            doubts.append(verdict.doubt_of(matte.mask))
            errors.append(float(counted.mean()) if counted.size else 0.0)
            verdicts.append(matte.verdict)
    kind, doubt, real = np.asarray(kinds), np.asarray(doubts), np.asarray(errors)
    expected = folds(doubt, real)
    caught, count = worst_caught(expected, real)
    scores = np.asarray([each.score for each in verdicts])
    return {
        "pictures": len(real),
        "spearman": round(spearman(doubt, real), 3),
        "spearman_by_kind": {
            each: {
                "pictures": int((kind == each).sum()),
                "spearman": round(spearman(doubt[kind == each], real[kind == each]), 3),
            }
            for each in sorted(set(kinds))
        },
        "worst_tenth_caught": caught,
        "worst_tenth": count,
        "factor": round(float(real.sum() / doubt.sum()), 3),
        "mad": round(1000 * float(real.mean()), 2),
        "expected_off_in_folds": round(1000 * float(np.abs(expected - real).mean()), 2),
        "mean_off": round(1000 * float(np.abs(real.mean() - real).mean()), 2),
        "score_of_the_lowest_tenth": round(float(np.quantile(scores, 0.1)), 3),
        "reasons": {code: reason(code, verdicts, real) for code in verdict.WORDS},
    }


def reason(code: str, verdicts: Sequence[verdict.Verdict], real: Doubles) -> dict[str, Any]:
    """How often a reason is given, and the error with it and without."""
    given = np.asarray([any(each.code == code for each in one.reasons) for one in verdicts])
    with_it, without = (round(1000 * float(real[at].mean()), 1) if at.any() else None for at in (given, ~given))
    return {"pictures": int(given.sum()), "mad_with": with_it, "mad_without": without}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the sets of docs/training.md")
    parser.add_argument("models", nargs="*", default=[DEFAULT_MODEL], metavar="MODEL", help="in the box")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all figures")
    arguments = parser.parse_args()
    result = {model: measured(model, arguments.data) for model in arguments.models}
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if arguments.json:
        arguments.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
