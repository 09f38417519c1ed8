"""Writes the golden tensors: what each set of weights in the box answers to one photograph, at every stage.

    python tests/golden/make_golden.py

Run it when weights are replaced on purpose, and look at the pictures before you commit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bshm.files.decode import open_picture
from bshm.matting.engines import Staged, open_engine
from bshm.pipeline import Matting
from bshm.weights import catalogue
from bshm.weights.card import Card

FOLDER = Path(__file__).parent
PHOTOGRAPH = FOLDER.parent.parent / "image-matting" / "1.png"


def answers(card: Card) -> dict[str, np.ndarray]:
    """The stages' outputs, thinned to every fourth value."""
    engine = open_engine(card, "cpu", threads=1)
    assert isinstance(engine, Staged)
    pixels = open_picture(PHOTOGRAPH).pixels
    found: dict[str, Any] = {"mask": engine.mask(pixels)[::4, ::4]}
    if "quality" in engine.sessions:
        found["unified"] = engine.unify(pixels, engine.mask(pixels))[::4, ::4]
    matte = Matting(engine=engine).matte(pixels)
    found["alpha"] = matte.alpha[::4, ::4]
    found["foreground"] = matte.foreground[::16, ::16]
    return found


if __name__ == "__main__":
    for card in catalogue.cards():
        values: dict[str, Any] = {name: value.astype(np.float16) for name, value in answers(card).items()}
        np.savez_compressed(FOLDER / f"{card.name}.npz", sha256=np.array(card.sha256), **values)
