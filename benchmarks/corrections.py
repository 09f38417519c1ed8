"""What one stroke mends: on pictures with a known alpha, drawn through the largest region that is wrong.

    python benchmarks/corrections.py FOLDER… --json benchmarks/results/corrections.json

FOLDER holds ``images/NAME`` and ``alphas/NAME.png``, and maybe ``counted/NAME.png``, or folders of such; `bshm eval`
reads the same.  A region is where alpha is off by more than one half, connected, without what is thinner than a soft
edge.  The stroke goes along its length, through the middle, half as wide as the region is.  Told for each picture: the
error of the region before and after, what was made worse elsewhere within the reach, and that nothing changed beyond.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm.corrections import Corrections, Kind, Stroke
from bshm.evaluation.pairs import find_pairs, read_sample
from bshm.matting import correcting, engines
from bshm.options import DEFAULT_MODEL
from bshm.pipeline import Matting
from bshm.types import FloatArray

Region = npt.NDArray[np.bool_]

# Of the picture: a smaller region nobody would paint over.
LEAST = 5e-4
POINTS = 7


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
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        within = np.flatnonzero((along >= first) & (along <= last))
        deepest = within[int(depth[ys[within], xs[within]].argmax())]
        line.append(((float(xs[deepest]) + 0.5) / width, (float(ys[deepest]) + 0.5) / height))
        depths.append(float(depth[ys[deepest], xs[deepest]]))
    return Stroke(kind, tuple(line), max(1.0, float(np.median(depths))) / max(height, width))
