"""The training data as it lies on disk, split by person, decoded once.

Two kinds of annotation, as in the paper: *fine* (a keyed foreground with its true alpha) and *coarse* (a mask
drawn by hand over superpixels, or one that a network wrote).  The folder layout is that of docs/training.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import DataFolderError

Item = TypeVar("Item")
Split = Literal["train", "validation"]
Bytes = npt.NDArray[np.uint8]

PORTRAITS = ("us_house", "us_senate", "us_governors", "nyc_council")
# Members of Congress appear in several sets; only these two portrait sets are disjoint from all others.
HELD_OUT_PORTRAITS = ("us_governors", "nyc_council")


@dataclass(frozen=True)
class Labelled:
    """One picture with its annotation.

    Attributes:
        image: (H, W, 3) uint8, RGB.  For a cut-out it is the straight foreground colour.
        mask: (H, W) uint8, 255 is a person (fine: the true alpha).
        kind: "fine" (true alpha), "coarse" (drawn by hand) or "label" (written by a network).
        name: unique, ``set/stem``.
    """

    name: str
    image: Bytes
    mask: Bytes
    kind: Literal["fine", "coarse", "label"]


def is_held_out(name: str, share: float) -> bool:
    """Whether ``name`` belongs to validation: by its hash, so that it never depends on what else is there."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") < share * 2**32


def read_image(path: Path, longest_px: int | None) -> Bytes:
    """The picture at ``path``, RGB, shrunk so that its longer side is at most ``longest_px``."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DataFolderError(f"{path} cannot be read as a picture. Fetch it again or remove it from the set.")
    return _shrink(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False), longest_px)


def read_mask(path: Path, longest_px: int | None) -> Bytes:
    """The annotation at ``path``, one channel, shrunk as the pictures are."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise DataFolderError(f"{path} cannot be read as a mask. Fetch it again or make it anew with `bshm label`.")
    # Some sets store the mask as 0 and 1.
    return _shrink((mask * 255 if mask.max() == 1 else mask).astype(np.uint8, copy=False), longest_px)


def _shrink(array: Bytes, longest_px: int | None) -> Bytes:
    height, width = array.shape[:2]
    if longest_px is None or max(height, width) <= longest_px:
        return array
    scale = longest_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def some(items: Iterable[Item], name: str) -> Iterator[Item]:
    """``items`` as they are, or an error that names their set where there is none.

    Raises:
        DataFolderError: nothing of ``name`` is on the side that was asked for.

    >>> list(some("ab", "letters"))
    ['a', 'b']
    """
    empty = True
    for item in items:
        empty = False
        yield item
    if empty:
        raise DataFolderError(
            f"no picture of {name} is on one side of the split; a set needs enough for training and validation. "
            "docs/training.md tells how the sides are chosen."
        )


@dataclass(frozen=True)
class DataFolder:
    """The sets under one folder, and the labels that a network wrote for those that have none.

    Attributes:
        root: the folder with ``keyed``, ``ccp``, ``portraits``, ``backgrounds`` and ``fur``.
        labels: the folder that ``bshm label`` wrote, mirroring ``root``; None leaves unlabelled pictures out.
    """

    root: Path
    labels: Path | None = None

    def __post_init__(self) -> None:
        needed = ("keyed/london/alpha", "keyed/congress/alpha", "ccp/images", "ccp/masks", "backgrounds")
        missing = [name for name in needed if not (self.root / name).is_dir()]
        if missing:
            raise DataFolderError(
                f"{self.root} lacks {', '.join(missing)}. docs/training.md lists the sets and where each comes from."
            )

    def keyed(self, which: Literal["london", "congress"], split: Split, longest_px: int | None) -> Iterator[Labelled]:
        """Foregrounds with true alpha, split by person."""
        folder = self.root / "keyed" / which
        people = {entry["name"]: entry.get("person", entry["name"]) for entry in self._index(folder)}
        for path in sorted((folder / "alpha").glob("*.png")):
            held_out = which == "london" and is_held_out(f"london/{people.get(path.stem, path.stem)}", 0.15)
            if held_out == (split == "validation"):
                image = read_image(folder / "foreground" / f"{path.stem}.jpg", longest_px)
                yield self._checked(Labelled(f"{which}/{path.stem}", image, read_mask(path, longest_px), "fine"))

    def ccp(self, split: Split, longest_px: int | None) -> Iterator[Labelled]:
        """Street fashion, masks drawn by hand over superpixels; for training, what a later round made of them."""
        for path in sorted((self.root / "ccp" / "masks").glob("*.png")):
            if is_held_out(f"ccp/{path.stem}", 0.06) == (split == "validation"):
                image = read_image(self.root / "ccp" / "images" / f"{path.stem}.jpg", longest_px)
                later = self.labels / "ccp" / "images" / path.name if self.labels and split == "train" else path
                mask = read_mask(later if later.is_file() else path, longest_px)
                yield self._checked(Labelled(f"ccp/{path.stem}", image, mask, "coarse"))

    def labelled(self, split: Split, longest_px: int | None, *, only: str = "") -> Iterator[Labelled]:
        """Pictures whose mask was written by a network: portraits, more street fashion, frames of videos.

        Args:
            only: how the names of those that are wanted begin; the others are not decoded.
        """
        if self.labels is None:
            return
        sources = [(f"portraits/{name}", self.root / "portraits" / name) for name in PORTRAITS]
        sources.append(("ccp/unlabelled", self.root / "ccp" / "unlabelled"))
        sources.append(("video/masks", self.labels / "video" / "images"))
        for name, images in sources:
            if not name.startswith(only) or not images.is_dir() or not (self.labels / name).is_dir():
                continue
            may_hold_out = name.split("/")[-1] in HELD_OUT_PORTRAITS
            for path in sorted((self.labels / name).glob("*.png")):
                held_out = may_hold_out and is_held_out(f"{name}/{path.stem}", 0.3)
                if held_out == (split == "validation"):
                    image = read_image(images / f"{path.stem}.jpg", longest_px)
                    mask = read_mask(path, longest_px)
                    yield self._checked(Labelled(f"{name}/{path.stem}", image, mask, "label"))

    def backgrounds(self, split: Split, longest_px: int | None) -> Iterator[tuple[str, Bytes]]:
        """Scenes without people."""
        for path in sorted((self.root / "backgrounds").glob("*/*.jpg")):
            if is_held_out(f"backgrounds/{path.stem}", 0.08) == (split == "validation"):
                yield f"backgrounds/{path.stem}", read_image(path, longest_px)

    def animals(self, longest_px: int | None) -> Iterator[Labelled]:
        """Animals with their own true alpha: nobody is in these pictures."""
        for path in sorted((self.root / "fur" / "images").glob("*.jpg")):
            alpha = read_mask(self.root / "fur" / "alphas" / f"{path.stem}.png", longest_px)
            yield self._checked(Labelled(f"fur/{path.stem}", read_image(path, longest_px), alpha, "fine"))

    @staticmethod
    def _index(folder: Path) -> list[dict[str, str]]:
        path = folder / "index.json"
        try:
            entries: list[dict[str, str]] = json.loads(path.read_text()) if path.is_file() else []
        except ValueError as error:
            raise DataFolderError(f"{path} cannot be read as JSON ({error}). Fetch it again.") from error
        return entries

    @staticmethod
    def _checked(item: Labelled) -> Labelled:
        if item.image.shape[:2] != item.mask.shape:
            raise DataFolderError(
                f"{item.name}: the picture is {item.image.shape[1]}x{item.image.shape[0]} but its mask is "
                f"{item.mask.shape[1]}x{item.mask.shape[0]}. Both must have one size."
            )
        return item
