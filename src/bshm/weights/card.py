"""The card of a model: everything needed to run it, to trust it and to make it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from bshm.errors import ModelFileError

# Raised when a field changes its meaning; a card of a format that is not known is refused rather than misread.
FORMAT = 2
# Format 1 had the look of a set inside of the preprocessing of its files: the old name of each field, and its own.
_LOOK_IN_FORMAT_1 = {
    "area_px": "side_px",
    "shortest_px": "shortest_px",
    "mirrored": "mirrored",
    "closer_px": "closer_px",
}

Layout = Literal["NCHW", "NHWC", "HWC"]
Order = Literal["RGB", "BGR"]
Dtype = Literal["float32", "float16", "uint8"]
Activation = Literal["none", "sigmoid", "softmax", "minmax"]

# What a network answers, which decides how it is called; the first three are the stages of BSHM.
ROLES = {
    "mask": "a small soft mask of the whole picture; its edges are worked out afterwards",
    "quality": "a mask of one quality, from picture and mask",
    "matting": "alpha in tiles of the picture's own resolution",
    "alpha": "alpha of the whole picture at the network's size",
    "rgba": "colour and alpha of the whole picture at its own size",
}


@dataclass(frozen=True)
class Preprocessing:
    """What a network file expects of its picture, in whatever set it is.

    It is also written into the ONNX metadata and compared when the file is loaded.

    Attributes:
        multiple_px: height and width are multiples of this.
        mean, std: of RGB, subtracted and divided before the network, in units of ``white``; those of the shipped
            networks are folded into their first layer, so 0 and 1.
        resize: the rule of the resampling, for people; bshm always averages by area where it shrinks.
        size_hw: the one size that the network takes; the picture is squeezed into it.  None where any size will do.
        layout: order of the axes; HWC has no batch axis.
        order: of the colours.
        white: what the brightest level becomes, before ``mean`` and ``std``: 1 or 255.
        dtype: of the input.
    """

    multiple_px: int = 1
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resize: str = "antialiased, half-pixel centres"
    size_hw: tuple[int, int] | None = None
    layout: Layout = "NCHW"
    order: Order = "RGB"
    white: float = 1.0
    dtype: Dtype = "float32"

    def __post_init__(self) -> None:
        _one_of("layout", self.layout, get_args(Layout))
        _one_of("order", self.order, get_args(Order))
        _one_of("dtype", self.dtype, get_args(Dtype))
        if self.multiple_px < 1 or self.white <= 0:
            raise ValueError("multiple_px must be 1 or more, and white above 0")
        if len(self.mean) != 3 or len(self.std) != 3 or 0 in self.std:
            raise ValueError("mean and std need three numbers each, for R, G and B, and std must not contain 0")
        if self.size_hw is not None and (len(self.size_hw) != 2 or min(self.size_hw) < 1):
            raise ValueError("size_hw needs height and width, at least 1 each")

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Preprocessing:
        """Back from the card or the ONNX metadata."""
        triples = {name: tuple(entry[name]) for name in ("mean", "std") if name in entry}
        size = {"size_hw": tuple(entry["size_hw"])} if entry.get("size_hw") is not None else {}
        return cls(**{**entry, **triples, **size})

    @classmethod
    def from_metadata(cls, text: str) -> Preprocessing:
        """Back from the ONNX metadata; files of earlier versions state a look there as well, which is passed over.

        Raises:
            ValueError, TypeError: it is no preprocessing.
        """
        return cls.from_json({name: value for name, value in json.loads(text).items() if name not in _LOOK_IN_FORMAT_1})


@dataclass(frozen=True)
class Look:
    """How a set looks at a picture with one of its networks: a choice of the set, not a fact of the file.

    At most one of ``side_px``, ``shortest_px`` and the preprocessing's ``size_hw`` says which size the whole picture
    is brought to; with none of them the network takes the picture as large as it is.

    Attributes:
        side_px: the side of a square with as many pixels as the network sees; the aspect is kept.  0 for another rule.
        shortest_px: the shorter side gets about this long, aspect kept; 0 for another rule.
        mirrored: the network looks twice, at the picture and at its mirror image, and the mean of both counts.
        closer_px: where people cover little of the picture, it is looked at again with this in the place of
            ``side_px``, and not mirrored; 0 for no such look.
    """

    side_px: int = 0
    shortest_px: int = 0
    mirrored: bool = False
    closer_px: int = 0

    def __post_init__(self) -> None:
        if self.side_px < 0 or self.shortest_px < 0:
            raise ValueError("side_px and shortest_px must be 0 or more")
        if self.closer_px and not self.side_px < self.closer_px:
            raise ValueError("closer_px must be more than side_px, or 0")


@dataclass(frozen=True)
class Signature:
    """How a network that was not made by ``bshm export`` is called and its answer read.

    Attributes:
        image: name of the input that takes the picture.
        answer: name of the output that holds the alpha or mask.
        channel: which channel of the answer that is; -1 is the last.
        activation: what must still be done to it: ``none``, ``sigmoid``, ``softmax`` over the channels, or ``minmax``
            (stretched so that its least value is 0 and its greatest 1).
        white: the value that means fully a person: 1 or 255.
        opaque: the greatest value that the network gives a person's inside, where that is less than ``white``; alpha
            is stretched so that it becomes 1, unless ``MatteOptions.exact``.
        constants: further inputs with the values that they always get (nested lists; their numbers' type is the
            input's own).
    """

    image: str
    answer: str
    channel: int = 0
    activation: Activation = "none"
    white: float = 1.0
    opaque: float | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("activation", self.activation, get_args(Activation))
        if self.white <= 0 or (self.opaque is not None and not 0 < self.opaque <= self.white):
            raise ValueError("white must be above 0, and opaque above 0 and at most white")


@dataclass(frozen=True)
class Network:
    """One ONNX file of a set, and how the set looks at pictures with it.

    All but ``look`` holds for the file: two sets that share one have the same entry but for that.

    Attributes:
        file: name beside the card.
        sha256: of the file, lower-case hex.
        bytes: size of the file.
        parameters: how many weights; 0 where nobody counted.
        preprocessing: what it expects.
        parity: largest absolute difference of its ONNX form to the framework it came from (alpha 0..1), measured at
            export or import; -1 where it was never measured.
        signature: how to call it; None for a network made by ``bshm export``, whose file states its preprocessing
            too and must agree with the card.  A file from elsewhere need not: then the card alone holds it.
        look: how the set uses it.
    """

    file: str
    sha256: str
    bytes: int
    parameters: int
    preprocessing: Preprocessing
    parity: float
    signature: Signature | None = None
    look: Look = Look()

    def __post_init__(self) -> None:
        # A card may come from anywhere: it must not lead to files outside of its folder.
        if not self.file or Path(self.file).name != self.file or self.file.startswith("."):
            raise ValueError(f"file must be a plain name in the folder of the card; got {self.file!r}")
        if sum(map(bool, (self.look.side_px, self.look.shortest_px, self.preprocessing.size_hw))) > 1:
            raise ValueError("only one of side_px, shortest_px and size_hw can be given")
        if self.signature is not None and (self.look.mirrored or self.look.closer_px):
            raise ValueError("only a mask network from `bshm export` can have mirrored or closer_px")

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Network:
        """Back from the card."""
        signature = entry.get("signature")
        return cls(
            **{
                **entry,
                "preprocessing": Preprocessing.from_json(entry["preprocessing"]),
                "signature": None if signature is None else Signature(**signature),
                "look": Look(**entry.get("look", {})),
            }
        )


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
        networks: by role, see ``ROLES``: ``mask`` alone or with ``quality`` and ``matting``, or ``alpha`` alone, or
            ``rgba`` alone.
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

    def __post_init__(self) -> None:
        if set(self.networks) not in _SETS:
            raise ValueError(f"no model has exactly the networks {', '.join(sorted(self.networks)) or 'none'}")
        foreign_only = {"alpha", "rgba"} & set(self.networks)
        if any(self.networks[role].signature is None for role in foreign_only):
            raise ValueError(f"a network {' and '.join(foreign_only)} needs a signature")

    @property
    def sha256(self) -> str:
        """One hash for the set: of its files' hashes and of how it looks, in the order of their roles' names."""
        networks = [self.networks[role] for role in sorted(self.networks)]
        looks = [(each.look.side_px, each.look.mirrored, each.look.closer_px) for each in networks]
        joined = "".join(f"{each.sha256}{look}" for each, look in zip(networks, looks, strict=True))
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
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")), path.parent)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ModelFileError(
                f"{path} is not a readable model card ({reason}). Correct it, or install or import the model again."
            ) from error

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], folder: Path) -> Card:
        """The card of a parsed text.

        Raises:
            ValueError, KeyError, TypeError: it is no card, or one of another format.
        """
        if entry["format"] not in (1, FORMAT):
            raise ValueError(f"its format is {entry['format']}, this version reads 1 and {FORMAT}")
        entries = entry["networks"].items()
        if entry["format"] == 1:
            entries = [(role, _of_format_1(network)) for role, network in entries]
        networks = {role: Network.from_json(network) for role, network in entries}
        rest = {name: value for name, value in entry.items() if name not in ("format", "networks")}
        return cls(**{**rest, "data": tuple(entry["data"])}, networks=networks, folder=folder)


# The sets of roles that a card may have.
_SETS = ({"mask"}, {"mask", "quality"}, {"mask", "quality", "matting"}, {"alpha"}, {"rgba"})


def _of_format_1(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a network with its look taken out of its preprocessing."""
    preprocessing = dict(entry["preprocessing"])
    look = {new: preprocessing.pop(old) for old, new in _LOOK_IN_FORMAT_1.items() if old in preprocessing}
    return {**entry, "preprocessing": preprocessing, "look": {**look, **entry.get("look", {})}}


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} needs to be one of {', '.join(allowed)}; got {value!r}")
