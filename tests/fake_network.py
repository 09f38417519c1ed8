"""A network that takes red for people, so that the faces are tested without weights and with known answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bshm.errors import UnknownModelError
from bshm.matting import engines
from bshm.matting.engines import Staged
from bshm.runtime.providers import choose
from bshm.weights.card import Card, Look, Network, Preprocessing

CARD = Card(
    name="bshm",
    purpose="tests",
    date="2000-01-01",
    licence="Apache-2.0",
    paper="none",
    recipe="none",
    networks={"mask": Network("fake.onnx", "0" * 64, 0, 0, Preprocessing(32), 0.0, look=Look(64))},
    data=(),
    quality={},
)


class RedIsAPerson:
    """A session whose mask is 1 where red outweighs green; it sees no keypoints, so people are told apart by blobs."""

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        image = feeds["image"]
        clues = {"middle": 1, "keypoints": 17, "offsets": 34, "sizes": 2}
        cells = tuple(side // 4 for side in image.shape[2:])
        return {
            "mask": (image[:, :1] > image[:, 1:2] + 0.2).astype(np.float32),
            **{name: np.zeros((1, channels, *cells), np.float32) for name, channels in clues.items()},
        }


def open_fake(
    card: Card, device: str, threads: int | None = None, *, gpu_memory_limit: int | None = None, **_: Any
) -> Staged:
    """In place of ``open_engine``; the device is chosen as the real one does."""
    return Staged(card, choose(device, gpu_memory_limit=gpu_memory_limit), {"mask": RedIsAPerson()})


def find_fake(name: str) -> Card:
    """In place of ``catalogue.find``."""
    if name != CARD.name:
        raise UnknownModelError(f"there is no model called {name!r}.")
    return CARD


def install(patch: Any) -> None:
    """Put the fake network in place of all weights.

    Args:
        patch: called with owner, name and value; ``setattr`` or ``monkeypatch.setattr``.
    """
    from bshm.weights import catalogue

    patch(catalogue, "find", find_fake)
    patch(engines, "open_engine", open_fake)


def command(verb: str, *words: object, code: str = "") -> list[str]:
    """``bshm VERB`` in a process of its own, with the fake network; ``code`` runs before it."""
    line = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import fake_network; fake_network.install(setattr);"
        f"{code}\nfrom bshm.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", line, str(Path(__file__).parent), verb, *map(str, words)]
