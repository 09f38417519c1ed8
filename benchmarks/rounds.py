"""What the benchmarks of speed share: rounds in turn, ratios, the machine, a photograph."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from hair import scene
from PIL import Image

RESULTS = Path(__file__).parent / "results"
SIZES = {"1080p": (1080, 1920), "4K": (2160, 3840)}


def photograph(path: Path, size_hw: tuple[int, int], seed: int = 0) -> Path:
    """A JPEG of a head with hair before a background (hair.py), quality 92."""
    Image.fromarray(scene(size_hw, seed).pixels).save(path, quality=92)
    return path


def in_turn(variants: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds by variant: each once to warm up, then all in turn, so that a slow spell of the machine meets all."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, run in variants.items():
            started = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - started)
    return times


def ratio(times: list[float], base: list[float]) -> dict[str, Any]:
    """The median of the ratios round by round, their quartiles, and both medians in milliseconds."""
    ratios = [one / other for one, other in zip(times, base, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "ratio": round(middle, 3),
        "quartiles": [round(low, 3), round(high, 3)],
        "median_ms": round(1000 * statistics.median(times), 1),
        "base_ms": round(1000 * statistics.median(base), 1),
    }


def machine() -> dict[str, Any]:
    """What it ran on, how busy that was (processes that wanted to run, over the last minute), and who goes first."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": cores,
        "nice": os.nice(0) if hasattr(os, "nice") else None,
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def target(name: str, found: float, at_most: float) -> dict[str, Any]:
    """One target with what was found; printed, too."""
    met = found <= at_most
    print(f"  {'met   ' if met else 'MISSED'} {name}: {found:.3g}, at most {at_most:g}", flush=True)
    return {"target": name, "found": round(found, 3), "at_most": at_most, "met": met}


def write(name: str, report: Mapping[str, Any]) -> None:
    """Write ``results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written: {path}")
