"""The catalogue of models: those included, then those in the model store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bshm.errors import UnknownModelError
from bshm.weights import store
from bshm.weights.card import Card

BUNDLED = Path(__file__).parent / "files"

# What `bshm models pull` and `bshm models import` bring, for the message when it is asked for too early.
OBTAINABLE = {
    "bshm-official": "`bshm models pull bshm-official` fetches it; `bshm models import tf_graph.pb` takes your file.",
}


def paths(folder: Path | None = None) -> Iterator[Path]:
    """Every card's file, by name: of ``folder``, or of the box and then of the store.

    A card in the store never hides one in the box.
    """
    bundled = sorted((folder or BUNDLED).glob("*.json"), key=_name)
    yield from bundled
    if folder is None:
        taken = {path.name for path in bundled}
        yield from (path for path in store.cards()[0] if path.name not in taken)


def _name(path: Path) -> str:
    # Not the path itself: with its suffix bshm.json comes after bshm-lite.json.
    return path.stem


def cards(folder: Path | None = None) -> list[Card]:
    """Every card in ``folder``, or in the box and the store, by name.

    Raises:
        ModelFileError: one of them cannot be read.
    """
    return [Card.read(path) for path in paths(folder)]


def find(name: str, folder: Path | None = None) -> Card:
    """The card called ``name``, in ``folder`` or in the box and the store.

    Raises:
        UnknownModelError: there is none; the message lists those there are.
        ModelFileError: it cannot be read.
    """
    # A name is looked up, never made a path of: whoever passes one on from a request must not reach other files.
    known = {path.stem: path for path in paths(folder)}
    if name not in known:
        unread = store.cards()[1] if folder is None else None
        hint = f"Others are not seen: {unread}" if unread else OBTAINABLE.get(name, "`bshm models` describes them.")
        raise UnknownModelError(f"there is no model called {name!r}. There are: {', '.join(known) or 'none'}. {hint}")
    return Card.read(known[name])
