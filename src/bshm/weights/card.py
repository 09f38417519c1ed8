"""The card of a set of weights: everything needed to run it, to trust it and to make it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bshm.errors import ModelFileError

# Raised when a field changes its meaning; a card of another format is refused rather than misread.
FORMAT = 1


@dataclass(frozen=True)
class Preprocessing:
    """What a network expects of its picture; also written into the ONNX metadata and compared when it is loaded.

    Attributes:
        area_px: the whole picture is scaled to about this number squared of pixels, aspect kept; 0 for a network
            that works at native resolution.
        multiple_px: height and width are multiples of this.
        mean, std: of RGB in 0..1, subtracted and divided before the network; those of the shipped networks are
            folded into their first layer, so 0 and 1.
        resize: the rule of the resampling.
    """

    area_px: int
    multiple_px: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resize: str = "antialiased, half-pixel centres"

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Preprocessing:
        """Back from the card or the ONNX metadata."""
        return cls(**{**entry, "mean": tuple(entry["mean"]), "std": tuple(entry["std"])})


@dataclass(frozen=True)
class Network:
    """One ONNX file of a set.

    Attributes:
        file: name beside the card.
        sha256: of the file, lower-case hex.
        bytes: size of the file.
        parameters: how many weights.
        preprocessing: what it expects.
        parity: largest absolute difference of its ONNX form to PyTorch, measured at export.
    """

    file: str
    sha256: str
    bytes: int
    parameters: int
    preprocessing: Preprocessing
    parity: float


@dataclass(frozen=True)
class Card:
    """A set of weights.

    Attributes:
        name: what ``--model`` takes.
        purpose: one line for people who choose.
        date: ISO date of the training's end.
        licence: SPDX name of the weights' licence.
        paper: what the method is.
        recipe: where the commands stand that made it.
        networks: by role: ``mask``, ``quality``, ``matting``.
        data: each training set with source, licence and attribution.
        quality: figures of the validation at export, by name.
        folder: where the files lie; not part of the card's text.
    """

    name: str
    purpose: str
    date: str
    licence: str
    paper: str
    recipe: str
    networks: Mapping[str, Network]
    data: tuple[Mapping[str, str], ...]
    quality: Mapping[str, float]
    folder: Path = field(default=Path(), compare=False)

    @property
    def sha256(self) -> str:
        """One hash for the set: of its files' hashes in the order of their roles' names."""
        joined = "".join(self.networks[role].sha256 for role in sorted(self.networks))
        return hashlib.sha256(joined.encode()).hexdigest()

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(network.bytes for network in self.networks.values())

    def to_json(self) -> str:
        """The card's text."""
        entry = asdict(self)
        del entry["folder"]
        return json.dumps({"format": FORMAT, **entry}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Card:
        """The card at ``path``.

        Raises:
            ModelFileError: it is missing, is not a card or has another format.
        """
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            if entry.pop("format") != FORMAT:
                raise ModelFileError(f"{path} is a model card of another format; this version reads {FORMAT}.")
            networks = {}
            for role, network in entry.pop("networks").items():
                preprocessing = Preprocessing.from_json(network.pop("preprocessing"))
                networks[role] = Network(**network, preprocessing=preprocessing)
            return cls(**{**entry, "data": tuple(entry["data"])}, networks=networks, folder=path.parent)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelFileError(
                f"{path} is not a model card that can be read ({error}). Install bshm again."
            ) from error
