"""Find the input and output tensors of a frozen graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bshm.errors import ModelFileError, OptionError, option
from bshm.importing.protobuf import Node
from bshm.importing.signatures import OFFICIAL_ANSWER, OFFICIAL_IMAGE

PERSON = "if_person"
# Nodes without readers that are no answers.
_NO_ANSWER = {"Const", "NoOp", "Assert", "Placeholder", "PlaceholderWithDefault", "Print"}
_SHOWN = 12


@dataclass(frozen=True)
class Tensors:
    """What was found.

    Attributes:
        image: the placeholder that takes the picture.
        answer: name of the node that gives the result.
        notes: lines for the person who imports, where something is not as in the official graph.
    """

    image: Node
    answer: str
    notes: tuple[str, ...]


def find(nodes: Sequence[Node], *, image: str | None = None, answer: str | None = None) -> Tensors:
    """The tensors of a graph: those that are named, else the official ones, else the only ones there could be.

    Args:
        nodes: of the graph.
        image, answer: names that the user gave, with or without ``:0``.

    Raises:
        OptionError: there is no node of a name that was given.
        ModelFileError: none was given, the official ones are not there, and there is not exactly one candidate.
    """
    notes: list[str] = []
    placeholders = {node.name: node for node in nodes if node.op in ("Placeholder", "PlaceholderWithDefault")}
    names = {node.name for node in nodes}
    read = {source for node in nodes for source in node.inputs}
    ends = [node.name for node in nodes if node.name not in read and node.op not in _NO_ANSWER]
    found = f"inputs {_few(list(placeholders))}; outputs {_few(ends)}"

    taken = _named(image, set(placeholders), "input", found)
    if taken is None and OFFICIAL_IMAGE in placeholders:
        taken = OFFICIAL_IMAGE
    if taken is None:
        # A placeholder for "is training" and the like has no axes.
        pictures = [name for name, node in placeholders.items() if node.shape is None or len(node.shape) in (3, 4)]
        if len(pictures) != 1:
            raise ModelFileError(
                f"the graph has no {OFFICIAL_IMAGE} and not exactly one input for a picture: {found}. "
                f"Set {option('image')} to its name, and {option('answer')} to that of the result."
            )
        taken = pictures[0]
        notes.append(f"there is no {OFFICIAL_IMAGE}; the picture goes into {taken}, the only input for one")

    given = _named(answer, names, "output", found)
    if given is None and OFFICIAL_ANSWER in names:
        given = OFFICIAL_ANSWER
    if given is None:
        candidates = [name for name in ends if name != PERSON]
        if len(candidates) != 1:
            raise ModelFileError(
                f"the graph has no {OFFICIAL_ANSWER} and not exactly one output: {found}. Set {option('answer')} to "
                "its name."
            )
        given = candidates[0]
        notes.append(f"there is no {OFFICIAL_ANSWER}; the result is read from {given}, the only output")
    if PERSON not in names:
        notes.append(f"there is no {PERSON}; bshm does not need it")
    return Tensors(placeholders[taken], given, tuple(notes))


def _named(name: str | None, there: set[str], what: str, found: str) -> str | None:
    if name is None:
        return None
    plain = name.removesuffix(":0")
    if plain not in there:
        raise OptionError(f"the graph has no {what} called {name!r}; it has {found}. Correct --{what}.")
    return plain


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
