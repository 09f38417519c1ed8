"""The real service over fake networks, on a free port: python tests/page/service.py FOLDER [clips | without-pyav]

Red is a person; to `bshm-lite` green is one, too.  Its own line on stderr, once it listens, tells the address.  FOLDER
takes its cache, jobs and keys.  With ``clips`` it makes clips of up to MOST_S seconds and MOST_BYTES; while FOLDER/held
is there, the network sees no more than as many frames as that file says.  With ``without-pyav`` it would make clips,
but PyAV is not installed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fake_network
import numpy as np

from bshm.matting import engines
from bshm.matting.engines import Staged
from bshm.server.run import run
from bshm.server.settings import Settings
from bshm.weights import catalogue
from bshm.weights.card import Card

LITE = replace(fake_network.CARD, name="bshm-lite")


class RedAndGreenArePeople:
    """A session whose mask is 1 where red or green outweighs blue."""

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        image = feeds["image"]
        return {"mask": (image[:, :2].max(axis=1, keepdims=True) > image[:, 2:] + 0.2).astype(np.float32)}


MOST_S = 2.0
MOST_BYTES = 300_000


def holding(folder: Path) -> Any:
    """In place of ``RedIsAPerson.run``: lets frames through as FOLDER/held has it."""
    plain, held, seen = fake_network.RedIsAPerson.run, folder / "held", 0

    def most() -> float:
        try:
            return float(held.read_text() or 0)
        except FileNotFoundError:
            return inf

    def run(self: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal seen
        while seen >= most():
            time.sleep(0.02)
        seen = 0 if most() == inf else seen + 1
        return plain(self, feeds)

    return run


def find(name: str) -> Card:
    """In place of ``catalogue.find``: two models."""
    return LITE if name == LITE.name else fake_network.find_fake(name)


def open_either(card: Card, device: str, *rest: Any, **options: Any) -> Staged:
    """In place of ``open_engine``."""
    engine = fake_network.open_fake(card, device, *rest, **options)
    if card.name == LITE.name:
        engine = replace(engine, sessions={"mask": RedAndGreenArePeople()})
    return engine


def main(folder: Path, what: str) -> None:
    fake_network.install(setattr)
    setattr(catalogue, "find", find)  # noqa: B010 (mypy allows no assignment to a function)
    setattr(engines, "open_engine", open_either)  # noqa: B010
    setattr(fake_network.RedIsAPerson, "run", holding(folder))  # noqa: B010
    if what == "without-pyav":
        # Importing it fails from here on.
        sys.modules["av"] = None  # type: ignore[assignment]
    run(
        Settings(
            port=0,
            cache_dir=folder / "cache",
            results=str(folder / "jobs"),
            keys_file=folder / "keys.json",
            jobs=what != "",
            max_video_s=MOST_S,
            max_video_bytes=MOST_BYTES,
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), (sys.argv[2:] or [""])[0])
