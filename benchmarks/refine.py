"""From a small mask to an alpha: the guided filter, bilinear enlargement, and pymatting's closed form on a trimap.

    OMP_NUM_THREADS=1 python benchmarks/refine.py [rounds]

Scenes with a true alpha (hair.py); the mask is what a network would make of it at 192x352.  Mean absolute difference
(MAD), mean squared error (MSE) and error of the gradient's magnitude, each times 1000 over the whole picture.  Closed
form runs at half size (it is slow), on a trimap from the same mask.  Times are medians of
interleaved rounds on one thread; closed form is timed once a scene.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from hair import network_mask, scene
from pymatting import estimate_alpha_cf

from bshm.geometry import enlarge
from bshm.matting.refine.guided_filter import refine

SIZE_HW, MASK_HW = (1080, 1920), (192, 352)
Floats = npt.NDArray[np.float32]


def closed_form(pixels: npt.NDArray[np.uint8], mask: Floats) -> Floats:
    """Levin et al. 2008 at half size, unknown where the mask is unsure, 4 px wider."""
    half = (SIZE_HW[1] // 2, SIZE_HW[0] // 2)
    wide = cv2.resize(mask, half)
    around = np.ones((9, 9), np.uint8)
    trimap = np.full(wide.shape, 0.5)
    trimap[cv2.erode((wide > 0.97).astype(np.uint8), around) > 0] = 1
    trimap[cv2.erode((wide < 0.03).astype(np.uint8), around) > 0] = 0
    small = cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(estimate_alpha_cf(small / 255.0, trimap).astype(np.float32), SIZE_HW[::-1])


METHODS = {
    "guided filter": refine,
    "bilinear": lambda pixels, mask: enlarge(mask, pixels.shape[:2]),
    "closed form": closed_form,
}


def slope(alpha: Floats) -> Floats:
    return np.hypot(cv2.Sobel(alpha, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(alpha, cv2.CV_32F, 0, 1, ksize=3)) / 8


def main(rounds: int = 5) -> None:
    cv2.setNumThreads(1)
    scenes = [scene(SIZE_HW, seed) for seed in range(4)]
    masks = [network_mask(item.alpha, MASK_HW, seed) for seed, item in enumerate(scenes)]
    figures: dict[str, dict[str, list[float]]] = {name: {"mad": [], "mse": [], "grad": []} for name in METHODS}
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    for turn in range(rounds + 1):
        for item, mask in zip(scenes, masks, strict=True):
            for name, method in METHODS.items():
                if turn > 0 and name == "closed form":
                    continue
                start = time.perf_counter()
                found = method(item.pixels, mask)
                seconds = time.perf_counter() - start
                if turn > 0 or name == "closed form":
                    times[name].append(seconds)
                if turn == 0:
                    figures[name]["mad"].append(1000 * float(np.abs(found - item.alpha).mean()))
                    figures[name]["mse"].append(1000 * float(((found - item.alpha) ** 2).mean()))
                    figures[name]["grad"].append(1000 * float(np.abs(slope(found) - slope(item.alpha)).mean()))
    large: dict[str, list[float]] = {"1080p": [], "2160p": []}
    twice = cv2.resize(scenes[0].pixels, (2 * SIZE_HW[1], 2 * SIZE_HW[0]))
    for _ in range(rounds):
        for name, pixels in (("1080p", scenes[0].pixels), ("2160p", twice)):
            start = time.perf_counter()
            refine(pixels, masks[0])
            large[name].append(time.perf_counter() - start)
    result = {
        "command": "OMP_NUM_THREADS=1 python benchmarks/refine.py",
        "machine": platform.machine(),
        "size_hw": SIZE_HW,
        "mask_hw": MASK_HW,
        "rounds": rounds,
        "methods": {
            name: {
                "time_ms": round(1000 * float(np.median(times[name])), 1),
                "time_ms_quartiles": [round(1000 * float(q), 1) for q in np.quantile(times[name], [0.25, 0.75])],
                **{key: round(float(np.mean(values)), 2) for key, values in figures[name].items()},
                "mad_by_scene": [round(value, 2) for value in figures[name]["mad"]],
            }
            for name in METHODS
        },
        "guided_filter_time_2160p_to_1080p": round(float(np.median(large["2160p"]) / np.median(large["1080p"])), 2),
    }
    out = Path(__file__).parent / "results" / "refine.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
