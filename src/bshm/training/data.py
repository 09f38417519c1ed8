"""The training data on disk, split by person, decoded once.

Two kinds of annotation, as in the paper: *fine* (a keyed foreground with its true alpha) and *coarse* (a mask
drawn by hand over superpixels, or one that a network wrote).  The folder layout is that of docs/training.md.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import DataFolderError

# Pictures of `wide/nobody` in which there are people after all, far away or at the frame.
_INHABITED = frozenset({
    "american-government__OSC_AmGov_08_00_PressBriefing",
    "asknet__02_Fav_CC4D_SOIL-MOISTURE",
    "business-ethics__OSX_Ethics_03_02_Edsel",
    "cfde__mrmcd-2017-food",
    "cfde__out-in-the-open-2025-10-header",
    "entrepreneurship__OSX_Eship_02_00_GradChoice",
    "fossasia16__16270213194_43125e8eb9_z",
    "introduction-anthropology__ANTHRO_Figure_09_03_006A",
    "introduction-anthropology__ANTHRO_Figure_16_Intro_001_Splash",
    "introduction-business__Photo_17_4",
    "introduction-business__Photo_1_Apple_Headquarters",
    "introduction-intellectual-property__IP_Figure_03_08_001",
    "introduction-political-science__POL_Figure_14_02_008",
    "introduction-political-science__POL_Figure_16_06_016",
    "world-history__OSX_WorldHist_A06_05_TemAugustus",
    "world-history__OSX_WorldHist_A15_01_Timbuktu",
    "writing-guide__COMP_Figure_03_08_020",
})  # fmt: skip

Item = TypeVar("Item")
Made = TypeVar("Made")
Split = Literal["train", "validation"]
Bytes = npt.NDArray[np.uint8]

PORTRAITS = ("us_house", "us_senate", "us_governors", "nyc_council")
# Members of Congress appear in several sets; only these two portrait sets are disjoint from all others.
HELD_OUT_PORTRAITS = ("us_governors", "nyc_council")
# Pictures of the world at large are judged by, too: this share of them is never trained on.
_WIDE_HELD_OUT = 0.1
# What the folders of scenes are under; files of `wide` each have a licence of their own in its index.
_SCENE_LICENCES = {
    "budgie": "CC0",
    "clic2025": "Unsplash",
    "doordetect_openimages": "CC BY 2.0",
    "elementary": "CC BY 4.0, CC0, Unsplash",
    "kodak": "unrestricted",
    "pexels_architecture": "Pexels",
    "popos": "Unsplash",
    "worksuite": "Unsplash, Pexels",
}


@dataclass(frozen=True)
class Labelled:
    """One picture with its annotation.

    Attributes:
        image: (H, W, 3) uint8, RGB.  For a cut-out it is the straight foreground colour.
        mask: (H, W) uint8, 255 is a person (fine: the true alpha).
        kind: "fine" (true alpha), "coarse" (drawn by hand) or "label" (written by networks).
        name: unique, ``set/stem``.
        belief: (H, W) uint8, how far each pixel of a label is believed; None where the mask alone says it, by how
            far it is from one half.
    """

    name: str
    image: Bytes
    mask: Bytes
    kind: Literal["fine", "coarse", "label"]
    belief: Bytes | None = None


def is_held_out(name: str, share: float) -> bool:
    """Whether ``name`` belongs to validation: by its hash, so that it never depends on what else is there."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") < share * 2**32


def _is_on(split: Split, name: str, share: float) -> bool:
    return is_held_out(name, share) == (split == "validation")


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
        raise DataFolderError(f"{path} cannot be read as a mask. Fetch it again or make it again with `bshm label`.")
    # Some sets store the mask as 0 and 1.
    return _shrink((mask * 255 if mask.max() == 1 else mask).astype(np.uint8, copy=False), longest_px)


def read_label(path: Path, longest_px: int | None) -> tuple[Bytes, Bytes | None]:
    """The mask that `bshm label` wrote at ``path``, and how far it is believed where that is written beside it."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.ndim == 2 or stored.shape[2] != 4:
        return read_mask(path, longest_px), None
    # Grey and alpha, which OpenCV opens as four channels.
    mask, belief = (np.ascontiguousarray(stored[..., channel]).astype(np.uint8, copy=False) for channel in (0, 3))
    return _shrink(mask, longest_px), _shrink(belief, longest_px)


def _shrink(array: Bytes, longest_px: int | None) -> Bytes:
    height, width = array.shape[:2]
    if longest_px is None or max(height, width) <= longest_px:
        return array
    scale = longest_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _read(sources: Iterable[Item], read: Callable[[Item], Made]) -> Iterator[Made]:
    """What ``read`` makes of each, in order, on all cores: decoding is most of the time until a run's first step."""
    with ThreadPoolExecutor() as pool:
        yield from pool.map(read, sources)


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
            f"one side of the split has no picture of {name}; a set needs enough pictures for training and validation. "
            "docs/training.md tells how the sides are chosen."
        )


@dataclass(frozen=True)
class DataFolder:
    """The sets under one folder, and the labels that networks wrote for those that have none.

    Attributes:
        root: the folder with ``keyed``, ``ccp``, ``portraits``, ``backgrounds``, ``fur`` and, optionally, ``wide``.
        labels: the folder that ``bshm label`` wrote, mirroring ``root``; None leaves unlabelled pictures out.
        without: words of licences; pictures of ``wide`` and scenes under one that has such a word are left out.
    """

    root: Path
    labels: Path | None = None
    without: tuple[str, ...] = ()

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
        entries: list[dict[str, str]] = _json(folder / "index.json", [])
        people = {entry["name"]: entry.get("person", entry["name"]) for entry in entries}

        def held_out(path: Path) -> bool:
            return which == "london" and is_held_out(f"london/{people.get(path.stem, path.stem)}", 0.15)

        chosen = [p for p in sorted((folder / "alpha").glob("*.png")) if held_out(p) == (split == "validation")]
        return _read(chosen, lambda path: _keyed(folder, path, longest_px))

    def rendered(self, split: Split, longest_px: int | None) -> Iterator[tuple[Labelled, bool]]:
        """Drawn people with exact alpha, and whether each is cut by the lower edge; nothing where the set is not."""
        folder = self.root / "keyed" / "rendered"
        facts: dict[str, dict[str, Any]] = _json(folder / "index.json", {})
        paths = sorted((folder / "alpha").glob("*.png"))
        chosen = [p for p in paths if _is_on(split, f"rendered/{p.stem}", 0.1)]
        cut = (facts.get(path.stem, {}).get("framing") != "full" for path in chosen)
        return zip(_read(chosen, lambda path: _keyed(folder, path, longest_px)), cut, strict=True)

    def ccp(self, split: Split, longest_px: int | None) -> Iterator[Labelled]:
        """Street fashion, masks drawn by hand over superpixels; for training, what a later round made of them."""
        paths = sorted((self.root / "ccp" / "masks").glob("*.png"))

        def read(path: Path) -> Labelled:
            image = read_image(self.root / "ccp" / "images" / f"{path.stem}.jpg", longest_px)
            later = self.labels / "ccp" / "images" / path.name if self.labels and split == "train" else path
            mask, belief = read_label(later if later.is_file() else path, longest_px)
            return _checked(Labelled(f"ccp/{path.stem}", image, mask, "coarse", belief))

        return _read([p for p in paths if _is_on(split, f"ccp/{p.stem}", 0.06)], read)

    def labelled(self, split: Split, longest_px: int | None, *, only: str = "") -> Iterator[Labelled]:
        """Pictures whose mask was written by networks: portraits, more street fashion, frames of videos; and
        those that were corrected by hand.

        Args:
            only: how the names of those that are wanted begin; the others are not decoded.
        """
        if self.labels is None:
            return
        sources = [(f"portraits/{name}", self.root / "portraits" / name) for name in PORTRAITS]
        sources.append(("ccp/unlabelled", self.root / "ccp" / "unlabelled"))
        sources.append(("video/masks", self.labels / "video" / "images"))
        sources.append(("corrected/masks", self.labels / "corrected" / "images"))
        for name, images in sources:
            if not name.startswith(only) or not images.is_dir() or not (self.labels / name).is_dir():
                continue
            may_hold_out = name.split("/")[-1] in HELD_OUT_PORTRAITS

            def read(path: Path, name: str = name, images: Path = images) -> Labelled:
                image = read_image(images / f"{path.stem}.jpg", longest_px)
                mask, belief = read_label(path, longest_px)
                return _checked(Labelled(f"{name}/{path.stem}", image, mask, "label", belief))

            def held_out(path: Path, name: str = name, may: bool = may_hold_out) -> bool:
                return may and is_held_out(f"{name}/{path.stem}", 0.3)

            paths = sorted((self.labels / name).glob("*.png"))
            yield from _read([p for p in paths if held_out(p) == (split == "validation")], read)

    def wide(self, split: Split, longest_px: int | None) -> Iterator[Labelled]:
        """People of the world at large with masks that several networks agreed on; nothing where the set is not.

        Masks drawn by hand are kept for judging.  A later round of labels takes the place of the masks in the set.
        """
        folder = self.root / "wide"
        kinds = {Path(entry["file"]).stem: entry["mask"] for entry in self._index_of_wide("people")}

        def read(stem: str) -> Labelled:
            image = read_image(folder / "people" / f"{stem}.webp", longest_px)
            later = self.labels / "wide" / "people" / f"{stem}.png" if self.labels else None
            first = folder / "masks" / f"{stem}.webp"
            mask, belief = read_label(later if later and later.is_file() else first, longest_px)
            return _checked(Labelled(f"wide/{stem}", image, mask, "label", belief))

        chosen = [
            stem for stem, mask in kinds.items()
            if mask == "consensus" and _is_on(split, f"wide/{stem}", _WIDE_HELD_OUT)
        ]  # fmt: skip
        return _read(chosen, read)

    def backgrounds(self, split: Split, longest_px: int | None) -> Iterator[tuple[str, Bytes]]:
        """Scenes without people, to lay people over."""
        paths = [
            path for path in sorted((self.root / "backgrounds").glob("*/*.jpg"))
            if not self._left_out(_SCENE_LICENCES.get(path.parent.name, ""))
        ]  # fmt: skip
        scenes = [(f"backgrounds/{path.stem}", path) for path in paths]
        chosen = [scene for scene in scenes if _is_on(split, scene[0], 0.08)]
        return _read(chosen, lambda scene: (scene[0], read_image(scene[1], longest_px)))

    def nobody(self, split: Split, longest_px: int | None) -> Iterator[tuple[str, Bytes]]:
        """What networks take for people elsewhere: rooms, food, statues, animals; nothing where `wide` is not."""
        paths = [self.root / "wide" / entry["file"] for entry in self._index_of_wide("nobody")]
        scenes = [(f"wide/{path.stem}", path) for path in paths if path.stem not in _INHABITED]
        chosen = [scene for scene in scenes if _is_on(split, scene[0], _WIDE_HELD_OUT)]
        return _read(chosen, lambda scene: (scene[0], read_image(scene[1], longest_px)))

    def animals(self, longest_px: int | None) -> Iterator[Labelled]:
        """Animals with their own true alpha: nobody is in these pictures."""
        for path in sorted((self.root / "fur" / "images").glob("*.jpg")):
            alpha = read_mask(self.root / "fur" / "alphas" / f"{path.stem}.png", longest_px)
            yield _checked(Labelled(f"fur/{path.stem}", read_image(path, longest_px), alpha, "fine"))

    def credits(self) -> list[dict[str, str]]:
        """Of each picture of ``wide`` that training sees: file, source, licence, credit."""
        wide = self._index_of_wide("people") + self._index_of_wide("nobody")
        held_out = {
            entry["file"] for entry in wide
            if entry["mask"] == "drawn" or Path(entry["file"]).stem in _INHABITED
            or is_held_out(f"wide/{Path(entry['file']).stem}", _WIDE_HELD_OUT)
        }  # fmt: skip
        kept = ("file", "source", "licence", "credit")
        return [{name: entry[name] for name in kept} for entry in wide if entry["file"] not in held_out]

    def _index_of_wide(self, part: Literal["people", "nobody"]) -> list[dict[str, str]]:
        path = self.root / "wide" / "index.csv"
        if not path.is_file():
            return []
        try:
            with path.open(encoding="utf-8", newline="") as file:
                entries = [row for row in csv.DictReader(file) if row["file"].startswith(f"{part}/")]
                return [row for row in entries if not self._left_out(row["licence"])]
        except (KeyError, ValueError, csv.Error) as error:
            raise DataFolderError(
                f"{path} needs the columns file, mask, source, licence and credit ({error!r}). Fetch it again."
            ) from error

    def _left_out(self, licence: str) -> bool:
        return any(word.lower() in licence.lower() for word in self.without)


def _json(path: Path, otherwise: Item) -> Item:
    """What the JSON file holds, or ``otherwise`` where there is none."""
    try:
        found: Item = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else otherwise
    except ValueError as error:
        raise DataFolderError(f"{path} cannot be read as JSON ({error}). Fetch it again.") from error
    return found


def _keyed(folder: Path, alpha: Path, longest_px: int | None) -> Labelled:
    image = read_image(folder / "foreground" / f"{alpha.stem}.jpg", longest_px)
    return _checked(Labelled(f"{folder.name}/{alpha.stem}", image, read_mask(alpha, longest_px), "fine"))


def _checked(item: Labelled) -> Labelled:
    planes = [item.mask] if item.belief is None else [item.mask, item.belief]
    for plane in planes:
        if item.image.shape[:2] != plane.shape:
            raise DataFolderError(
                f"{item.name}: the picture is {item.image.shape[1]}x{item.image.shape[0]} but its mask is "
                f"{plane.shape[1]}x{plane.shape[0]}. Both must have one size."
            )
    return item
