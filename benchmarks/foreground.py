"""Foreground colours: time and error of `foreground.estimate`, pymatting's multi-level method, and none at all.

    OMP_NUM_THREADS=1 python benchmarks/foreground.py [rounds]

Interleaved rounds on one thread after a warm-up (pymatting compiles); time is the median, as a ratio to pymatting.
Error is the mean absolute difference to the true foreground in levels of 8 bits, over soft pixels (0 < alpha < 1), each
weighted by alpha: what shows.  Also with an alpha that is a little wrong (blurred), as every real one is.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from hair import scene
from pymatting import estimate_foreground_ml

from bshm.matting.foreground import estimate

SIZE_HW = (1080, 1920)
METHODS = {
    "bshm tiles": estimate,
    "pymatting ml": lambda pixels, alpha: estimate_foreground_ml(pixels / 255.0, alpha.astype(np.float64)) * 255,
    "none": lambda pixels, alpha: pixels,
}


def main(rounds: int = 3) -> None:
    cv2.setNumThreads(1)
    scenes = [scene(SIZE_HW, seed) for seed in range(4)]
    errors: dict[str, dict[str, list[float]]] = {name: {"true alpha": [], "blurred alpha": []} for name in METHODS}
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    for name, method in METHODS.items():
        method(scenes[0].pixels[:128, :128].copy(), scenes[0].alpha[:128, :128].copy())
        for item in scenes:
            soft = (item.alpha > 0) & (item.alpha < 1)
            for kind, alpha in (("true alpha", item.alpha), ("blurred alpha", cv2.GaussianBlur(item.alpha, (0, 0), 1))):
                found = method(item.pixels, np.clip(alpha, 0, 1))
                difference = np.abs(found.astype(np.float32) - item.foreground).mean(axis=2)
                errors[name][kind].append(float(np.average(difference[soft], weights=item.alpha[soft])))
    for _ in range(rounds):
        for item in scenes:
            for name, method in METHODS.items():
                start = time.perf_counter()
                method(item.pixels, item.alpha)
                times[name].append(time.perf_counter() - start)
    base = np.median(times["pymatting ml"])
    result = {
        "command": "OMP_NUM_THREADS=1 python benchmarks/foreground.py",
        "machine": platform.machine(),
        "size_hw": SIZE_HW,
        "rounds": rounds,
        "methods": {
            name: {
                "time_ratio_to_pymatting": round(float(np.median(times[name]) / base), 3),
                "time_ms": round(1000 * float(np.median(times[name])), 1),
                "time_ms_quartiles": [round(1000 * float(q), 1) for q in np.quantile(times[name], [0.25, 0.75])],
                "error": {kind: round(float(np.mean(values)), 2) for kind, values in errors[name].items()},
                "error_by_scene": {kind: [round(v, 2) for v in values] for kind, values in errors[name].items()},
            }
            for name in METHODS
        },
    }
    out = Path(__file__).parent / "results" / "foreground.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
