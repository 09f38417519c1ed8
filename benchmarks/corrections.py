"""What one stroke mends: on pictures with a known alpha, drawn through the largest region that is wrong.

    python benchmarks/corrections.py FOLDER… --wide DATA --json benchmarks/results/corrections.json

DATA is that of docs/training.md: of it the pictures of judge.py.  FOLDER holds ``images/NAME`` and
``alphas/NAME.png``, and maybe ``counted/NAME.png``, or folders of such; `bshm eval` reads the same.

A region is where alpha is off by more than one half, connected, without what is thinner than a soft
edge.  The stroke goes along its length, through the middle, half as wide as the region is.  Told for each picture: the
error of the region before and after, what was made worse elsewhere within the reach, and that nothing changed beyond.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm.corrections import Corrections, Kind, Stroke
from bshm.evaluation.pairs import find_pairs, read_sample
from bshm.matting import correcting, engines
from bshm.options import DEFAULT_MODEL, MatteOptions
from bshm.pipeline import Matting
from bshm.types import FloatArray, Picture

Region = npt.NDArray[np.bool_]

# Of the picture: a smaller region nobody would paint over.
LEAST = 5e-4
POINTS = 7
LONGEST_PX = 1600


def worst(alpha: FloatArray, reference: FloatArray, counted: Region | None) -> Region | None:
    """(H, W) bool: the largest connected region that is wrong in one direction; None where all is small."""
    best, most = None, LEAST * alpha.size
    for wrong in (reference - alpha > 0.5, alpha - reference > 0.5):
        plane = (wrong if counted is None else wrong & counted).astype(np.uint8)
        side = max(3, round(0.004 * max(alpha.shape))) | 1
        plane = cv2.morphologyEx(plane, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
        count, parts, stats, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
        if count > 1:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            if stats[largest, cv2.CC_STAT_AREA] > most:
                best, most = parts == largest, float(stats[largest, cv2.CC_STAT_AREA])
    return best


def stroke_through(region: Region, kind: Kind) -> Stroke:
    """A stroke along the length of a region, through its middle, half as wide as it is."""
    height, width = region.shape
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    ys, xs = np.nonzero(region)
    points = np.stack([xs, ys], 1).astype(np.float64)
    centred = points - points.mean(0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    edges = np.quantile(along, np.linspace(0, 1, POINTS + 1))
    line, depths = [], []
    for first, last in pairwise(edges):
        within = np.flatnonzero((along >= first) & (along <= last))
        deepest = within[int(depth[ys[within], xs[within]].argmax())]
        line.append(((float(xs[deepest]) + 0.5) / width, (float(ys[deepest]) + 0.5) / height))
        depths.append(float(depth[ys[deepest], xs[deepest]]))
    return Stroke(kind, tuple(line), max(1.0, float(np.median(depths))) / max(height, width))


def pictures(
    folders: list[Path], data: Path | None, most: int | None
) -> Iterator[tuple[str, Picture, FloatArray, Region | None]]:
    """Name, picture, true alpha and what counts of it, one by one."""
    for folder in folders:
        for pair in find_pairs(folder, limit=most):
            sample = read_sample(pair, longest_px=LONGEST_PX)
            yield pair.name, sample.picture, sample.reference, sample.counted
    if data is not None:
        import judge

        found = sorted(judge.samples(data).items())
        for name, sample in found[:: max(1, len(found) // (most or len(found)))]:
            yield f"judge/{name}", sample.picture, sample.reference, sample.counted


def measured(
    matting: Matting, picture: Picture, reference: FloatArray, counted: Region | None
) -> dict[str, Any] | None:
    """The figures of one picture; None where no region is worth a stroke."""
    matte = matting.matte_picture(picture, MatteOptions(decontaminate=False))
    region = worst(matte.alpha, reference, counted)
    if region is None:
        return None
    kind: Kind = "keep" if float((reference - matte.alpha)[region].mean()) > 0 else "erase"
    stroke = stroke_through(region, kind)
    started = time.perf_counter()
    found = correcting.apply(
        picture.pixels, matte.alpha, matte.mask, Corrections((stroke,)), partial(engines.detail, matting.engine)
    )
    seconds = time.perf_counter() - started
    counts = 1.0 if counted is None else counted
    before, after = (np.abs(alpha - reference) * counts for alpha in (matte.alpha, found.alpha))
    wrong = float(before[region].sum())
    return {
        "kind": kind,
        "region_share": round(float(region.mean()), 5),
        "width_share": round(stroke.width or 0.0, 5),
        "gone": round(1 - float(after[region].sum()) / wrong, 3),
        "harm": round(float(np.maximum(after - before, 0).sum()) / wrong, 3),
        "mad_before": round(1e3 * float(before.mean()), 3),
        "mad_after": round(1e3 * float(after.mean()), 3),
        "changed_beyond": int(np.count_nonzero((found.alpha != matte.alpha) & ~found.reach)),
        "ms": round(1e3 * seconds, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--wide", type=Path, metavar="DATA", help="the pictures of judge.py, too")
    parser.add_argument("--most", type=int, metavar="N", help="about so many pictures of each FOLDER and of DATA")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all figures")
    arguments = parser.parse_args()
    found, seen = {}, 0
    with Matting(model=arguments.model, device="cpu", threads=1) as matting:
        for name, picture, reference, counted in pictures(arguments.folders, arguments.wide, arguments.most):
            seen += 1
            figures = measured(matting, picture, reference, counted)
            if figures is not None:
                found[name] = figures
                print(name, figures, flush=True)
    gone = np.array([each["gone"] for each in found.values()])
    before, after = (np.array([each[key] for each in found.values()]) for key in ("mad_before", "mad_after"))
    summary = {
        "pictures": seen,
        "with_a_region": len(found),
        "half_gone_share": round(float((gone >= 0.5).mean()), 3),
        "gone_median": round(float(np.median(gone)), 3),
        "harm_mean": round(float(np.mean([each["harm"] for each in found.values()])), 3),
        "mad_before": round(float(before.mean()), 3),
        "mad_after": round(float(after.mean()), 3),
        "worse": int((after > before).sum()),
        "changed_beyond": sum(each["changed_beyond"] for each in found.values()),
        "ms_median": round(float(np.median([each["ms"] for each in found.values()])), 1),
    }
    print(json.dumps(summary, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps({**summary, "by_picture": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
