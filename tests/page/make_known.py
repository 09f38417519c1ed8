"""Make the known picture of the page's Live tab with the weights in the box: python tests/page/make_known.py

Run it again when the weights of `bshm-live` change: a browser whose network answers otherwise replaces no background.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
from PIL import Image

from bshm.matting.engines import Staged, open_engine
from bshm.weights import catalogue

ROOT = Path(__file__).resolve().parents[2]
KNOWN = ROOT / "src/bshm/web/app/live-known.json"
PICTURE = ROOT / "src/bshm/cli/astronaut.jpg"
# The head and the collar: at this size the network is sure of some of it, and unsure of much.
CROP = (40, 0, 230, 190)
SIZE_HW = (96, 96)
VALUES = 16


def answer(
    pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The network's mask of (h, w, 3) pixels, flat."""
    engine = open_engine(catalogue.find("bshm-live"), "cpu")
    assert isinstance(engine, Staged)
    session = engine.sessions["mask"]
    image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    return np.asarray(session.run({"image": image})["mask"], np.float32).ravel()


def main() -> None:
    picture = Image.open(PICTURE).convert("RGB").crop(CROP).resize(SIZE_HW[::-1], Image.Resampling.BOX)
    pixels = np.asarray(picture)
    mask = answer(pixels)
    # Sure and unsure places alike: their ranks are evenly spread.
    at = np.sort(np.argsort(mask)[np.linspace(0, mask.size - 1, VALUES).astype(int)])
    known = {
        "size_hw": SIZE_HW,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
        "expected": [[int(i), round(float(mask[i]), 5)] for i in at],
    }
    KNOWN.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
