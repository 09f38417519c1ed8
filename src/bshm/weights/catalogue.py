"""Which sets of weights there are."""

from __future__ import annotations

from pathlib import Path

from bshm.errors import UnknownModelError
from bshm.weights.card import Card

BUNDLED = Path(__file__).parent / "files"


def cards(folder: Path = BUNDLED) -> list[Card]:
    """Every card in ``folder``, by name."""
    return [Card.read(path) for path in sorted(folder.glob("*.json"))]


def find(name: str, folder: Path = BUNDLED) -> Card:
    """The card called ``name``.

    Raises:
        UnknownModelError: there is none; the message lists those there are.
    """
    # A name is never a path: whoever passes one on from a request must not reach other files.
    path = folder / f"{name}.json"
    if Path(name).name != name or not path.is_file():
        known = ", ".join(sorted(entry.stem for entry in folder.glob("*.json"))) or "none"
        raise UnknownModelError(f"there is no model called {name!r}. There are: {known}. `bshm models` describes them.")
    return Card.read(path)
