"""Times of bshm's decoders and encoders beside Pillow's, on one thread.

    python benchmarks/codecs.py            # writes benchmarks/results/codecs.json

Method: every variant runs once to warm up, then all variants take turns, ROUNDS times, so that a machine that slows
down slows all of them; a round gives each variant's time over Pillow's in the same round.  Written are the median of
those ratios, their quartiles, the median milliseconds, and bytes.  Ratios travel between machines, milliseconds do not.
Decoding is held against Pillow at its leanest, turned in place; the way most programs write it stands beside.

The picture is skimage's astronaut, enlarged, with noise of a set strength (sigma in levels) as a camera leaves it;
the cut-out has a soft-edged ellipse for alpha and colour 0 outside.
"""

from __future__ import annotations

import io
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
from PIL import Image, ImageOps
from skimage.data import astronaut

from bshm.files.decode import decode
from bshm.files.encode import encode
from bshm.options import Limits

ROUNDS = 9
HEIGHT, WIDTH = 1080, 1920
RESULT = Path(__file__).parent / "results" / "codecs.json"


def photograph(sigma: float) -> np.ndarray[Any, Any]:
    """(1080, 1920, 3) uint8."""
    large = cv2.resize(astronaut(), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large += np.random.default_rng(0).normal(0, sigma, large.shape)
    return np.clip(large + 0.5, 0, 255).astype(np.uint8)


def cutout(sigma: float) -> np.ndarray[Any, Any]:
    """(1080, 1920, 4) uint8."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot((x - WIDTH / 2) / 520, (y - 600) / 560)
    alpha = (np.clip((1.05 - distance) * 10, 0, 1) * 255 + 0.5).astype(np.uint8)
    pixels = np.dstack([photograph(sigma), alpha])
    pixels[alpha == 0] = 0
    return pixels


def pillow(pixels: np.ndarray[Any, Any], form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def pillow_lean(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(image)


def pillow_usual(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def compare(variants: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    """Times by variant; the first is what the others are held against."""
    sizes = {name: len(result) for name, run in variants.items() if isinstance(result := run(), bytes)}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, run in variants.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    base = next(iter(variants))
    report = {}
    for name, taken in times.items():
        ratios = [one / reference for one, reference in zip(taken, times[base], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        report[name] = {
            "ratio": round(middle, 3),
            "ratio_quartiles": [round(low, 3), round(high, 3)],
            "median_ms": round(1000 * statistics.median(taken), 1),
        }
        if name in sizes:
            report[name] |= {"bytes": sizes[name], "bytes_ratio": round(sizes[name] / sizes[base], 3)}
        print(f"  {name:34} {report[name]}", flush=True)
    return report


def main() -> int:
    cv2.setNumThreads(1)
    report: dict[str, Any] = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "pillow": PIL.__version__,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
        },
        "rounds": ROUNDS,
        "size_hw": [HEIGHT, WIDTH],
    }
    limits = Limits()
    for sigma in (0.0, 1.0, 3.0):
        pixels = cutout(sigma)
        print(f"PNG cut-out, noise {sigma}")
        report[f"encode png cutout, noise {sigma:g}"] = compare(
            {
                "pillow default": lambda pixels=pixels: pillow(pixels, "PNG"),
                "pillow level 1": lambda pixels=pixels: pillow(pixels, "PNG", compress_level=1),
                "opencv default": lambda pixels=pixels: cv2.imencode(".png", pixels)[1].tobytes(),
                "bshm": lambda pixels=pixels: encode(pixels, "png", quality=95),
            }
        )
    pixels = cutout(1.0)
    print("other formats, cut-out")
    report["encode other formats, noise 1"] = compare(
        {
            "pillow png default": lambda: pillow(pixels, "PNG"),
            "bshm webp 100 (lossless)": lambda: encode(pixels, "webp", quality=100),
            "bshm webp 95": lambda: encode(pixels, "webp", quality=95),
            "bshm tiff": lambda: encode(pixels, "tiff", quality=95),
            "bshm jpg 95 (RGB)": lambda: encode(pixels[..., :3].copy(), "jpg", quality=95),
            "bshm png 16 bit": lambda: encode(pixels.astype(np.uint16) * 257, "png", quality=95),
        }
    )
    for orientation in (1, 6):
        exif = Image.Exif()
        exif[274] = orientation
        for form, options in (("JPEG", {"quality": 92}), ("PNG", {}), ("WEBP", {"quality": 90})):
            data = pillow(photograph(1.0), form, exif=exif, **options)
            print(f"decode {form}, orientation {orientation}")
            report[f"decode {form.lower()}, orientation {orientation}"] = compare(
                {
                    "pillow, turned in place": lambda data=data: pillow_lean(data),
                    "pillow, as usually written": lambda data=data: pillow_usual(data),
                    "bshm": lambda data=data: decode(data, name="a", limits=limits),
                }
            )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written: {RESULT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
