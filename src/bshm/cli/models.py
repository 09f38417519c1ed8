"""``bshm models``: list the models from their cards."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from bshm.cli import exit_codes
from bshm.cli.parsing import Parser, add_help, told
from bshm.cli.streams import put, say
from bshm.errors import ModelFileError
from bshm.options import DEFAULT_MODEL

if TYPE_CHECKING:
    from bshm.weights.card import Card


def parser() -> Parser:
    """The flags of ``bshm models``."""
    result = Parser(
        "models",
        "Lists the models: what each is for, its size, hash and licence, and the data it was trained on.",
        usage="[--json] [--where]",
        examples=[
            ("bshm models", "a list to read"),
            ("bshm models pull bshm-official", "the official BSHM weights; see `bshm models pull --help`"),
            ("bshm models import tf_graph.pb", "the same, from a file; see `bshm models import --help`"),
            ("bshm models --json", "the cards as one JSON array"),
            ("bshm matte photo.jpg --model NAME", "use one of them"),
        ],
    )
    options = result.add_argument_group("Options")
    options.add_argument("--json", action="store_true", help="write JSON")
    options.add_argument("--where", action="store_true", help="print only the folder of imported models")
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """List the cards; returns the exit code."""
    from bshm.weights import catalogue, store
    from bshm.weights.card import Card

    if arguments.where:
        put(f"{store.root()}\n")
        return exit_codes.OK
    if (unread := store.cards()[1]) is not None:
        say(f"bshm: only the included models are listed: {unread}")
    cards = []
    code = exit_codes.OK
    for path in catalogue.paths():
        try:
            cards.append(Card.read(path))
        except ModelFileError as error:  # one damaged card must not hide the others
            say(f"bshm: {told(error)}")
            code = exit_codes.code_of(error)
    if arguments.json:
        put(json.dumps([as_json(card) for card in cards], indent=2) + "\n")
    else:
        put("\n".join(map(as_text, cards)) or "there are no models in this installation\n")
    return code


def as_json(card: Card) -> dict[str, Any]:
    """The card with the hash and the size of all files together."""
    entry = json.loads(card.to_json())
    return {"name": entry.pop("name"), "sha256": card.sha256, "bytes": card.bytes, **entry}


def as_text(card: Card) -> str:
    """The card as a short page."""
    lines = [
        f"{card.name}{' (default)' if card.name == DEFAULT_MODEL else ''}: {card.purpose}",
        f"  size      {card.bytes / 1e6:.1f} MB in {len(card.networks)} file{'s' if len(card.networks) > 1 else ''}",
        f"  sha256    {card.sha256}",
        f"  licence   {card.licence}",
        f"  paper     {card.paper}",
        f"  recipe    {card.recipe}",
    ]
    for network in card.networks.values():
        lines.append(
            f"  file      {network.file}, {network.parameters / 1e6:.1f} M parameters, sha256 {network.sha256}"
        )
    for entry in card.data:
        lines.append("  data      " + ", ".join(str(value) for value in entry.values() if value))
    for name, value in card.quality.items():
        lines.append(f"  error     {name} {value:g} of 1, averaged over the pixels of validation pictures")
    return "\n".join(lines) + "\n"
