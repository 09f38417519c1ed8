"""Held-out pictures of the set ``wide``: strangers, in places that no other set shows.

A tenth of the set is never trained on, by the hash of its names; of the pictures whose people were drawn by hand, none
is.  Kinds: ``wide-casual`` (one or two people fill much of the frame), ``wide-scene`` (all others with people),
``wide-nobody``, and ``drawn`` (by hand, as polygons: there what a person holds is no part of the person).

The masks of the first two are what several networks agreed on, wrong in places, and corrected: outlines and
strokes, drawn roughly and moved to the picture's edges.  ``wide_corrections.json`` has them, by the picture's name:

    "STEM": {"kind": "casual", "edits": [["keep", [[x, y], …]], ["drop", [[x, y], …]], ["keep", [[x, y], …], 8]]}
    "STEM": {"skip": "reason"}

``keep`` is a person, or what a person holds or wears; ``drop`` is not: what stands before or behind people, and what
they sit on.  ``unsure`` is left out of every error, and so is a mask that is in doubt over more than an edge, unless an
edit says what is there.  Points are pixels of the picture as it is stored; with a number behind them they are a stroke
of that width, without one an outline.  Later edits win.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm.training.data import is_held_out, read_image, read_mask
from bshm.training.outlines import STEEPER, RegionEdit

Bytes = npt.NDArray[np.uint8]
Region = npt.NDArray[np.bool_]

CORRECTIONS = Path(__file__).parent / "wide_corrections.json"
KINDS = ("casual", "scene")
# Of the kinds of this file, and of no other.
PREFIXES = ("wide-", "drawn")
HELD_OUT_SHARE = 0.1
LONGEST_PX = 1024

# An outline drawn by eye on a picture of 544 px is off by about this much.
SNAP_PX = 4
# Colours are learned this far around a correction: a person's sleeve says nothing about another's.
AROUND_PX = 40
# A mask between these levels does not say what a pixel is; along an edge it need not.
DOUBT_FROM, DOUBT_TO = 0.3 * 255, 0.7 * 255
EDGE_PX = 7


@dataclass(frozen=True)
class Judged:
    """A held-out picture with the answer.

    Attributes:
        kind: "wide-casual", "wide-scene", "wide-nobody" or "drawn"; with "-seen" behind it where an ancestor of today's
            weights learned from the picture.
        name: the picture's file, without suffix.
        image: (H, W, 3) uint8, RGB.
        alpha: (H, W) uint8.
        counted: (H, W) uint8, 255 where alpha can be believed, else 0.
    """

    kind: str
    name: str
    image: Bytes
    alpha: Bytes
    counted: Bytes


@dataclass(frozen=True)
class Correction:
    """What a person saw in a held-out picture.

    Attributes:
        kind: "casual" (one or two people fill much of the frame) or "scene"; None when the picture is left out.
        skip: why it is left out; None when it is not.
        edits: in the order in which they apply.
    """

    kind: str | None
    skip: str | None
    edits: tuple[RegionEdit, ...] = ()


def read(path: Path = CORRECTIONS) -> dict[str, Correction]:
    """The corrections by stem.

    Raises:
        SystemExit: the file does not say what it must; the message names the picture.
    """
    return {stem: _correction(stem, entry) for stem, entry in json.loads(path.read_text(encoding="utf-8")).items()}


def _correction(stem: str, entry: dict[str, Any]) -> Correction:
    if "skip" in entry:
        return Correction(None, str(entry["skip"]))
    if entry.get("kind") not in KINDS:
        raise SystemExit(f"{stem}: needs a kind ({', '.join(KINDS)}) or a reason to skip it; got {entry.get('kind')}")
    try:
        edits = [RegionEdit.of(*edit) for edit in entry.get("edits", ())]
    except (TypeError, ValueError) as error:
        raise SystemExit(f"{stem}: {error}") from error
    return Correction(str(entry["kind"]), None, tuple(edits))


def pictures(data_root: Path, *, seen: bool = False, corrections: Path = CORRECTIONS) -> Iterator[Judged]:
    """The held-out pictures, by name.

    Args:
        data_root: the folder that has ``wide``.
        seen: also those that ancestors of the weights in use learned from (``used`` in the set's index), as kinds of
            their own: what is found on them says little.
        corrections: what was seen on the pictures.

    Raises:
        SystemExit: the set is not there, or a picture with people was never looked at.
    """
    root = data_root / "wide"
    index = root / "index.csv"
    if not index.is_file():
        raise SystemExit(f"{index} is not there; docs/training.md tells where the set `wide` comes from")
    with index.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file"])
    known = read(corrections)
    for row in rows:
        path = root / row["file"]
        entry = known.get(path.stem)
        by_hand = row["mask"] == "drawn"
        if not (by_hand or is_held_out(f"wide/{path.stem}", HELD_OUT_SHARE)) or (row["used"] and not seen):
            continue
        if entry is not None and entry.skip:
            continue
        suffix = "-seen" if row["used"] else ""
        image = read_image(path, None)
        if path.parent.name == "nobody":
            empty = np.zeros(image.shape[:2], np.uint8)
            yield _fitted(Judged(f"wide-nobody{suffix}", path.stem, image, empty, empty + np.uint8(255)))
            continue
        mask = read_mask(root / "masks" / path.name, None)
        if mask.shape != image.shape[:2]:
            raise SystemExit(f"{path.stem}: picture and mask need one size; got {image.shape[:2]} and {mask.shape}")
        if by_hand:
            yield _fitted(Judged(f"drawn{suffix}", path.stem, image, *drawn(mask)))
        elif entry is None:
            raise SystemExit(f"{path.stem} is held out, and {corrections} does not say what it is")
        else:
            yield _fitted(Judged(f"wide-{entry.kind}{suffix}", path.stem, image, *corrected(image, mask, entry.edits)))


def _fitted(judged: Judged) -> Judged:
    """The same, its longer side at most ``LONGEST_PX``."""
    height, width = judged.alpha.shape
    scale = LONGEST_PX / max(height, width)
    if scale >= 1:
        return judged
    size = (round(width * scale), round(height * scale))
    image, alpha, counted = (
        cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        for plane in (judged.image, judged.alpha, judged.counted)
    )
    return Judged(judged.kind, judged.name, image, alpha, np.where(counted == 255, 255, 0).astype(np.uint8))


def corrected(image: Bytes, mask: Bytes, edits: Sequence[RegionEdit]) -> tuple[Bytes, Bytes]:
    """The mask as it should be, and where it can be believed.

    Args:
        image: (H, W, 3) uint8, RGB.
        mask: (H, W) uint8, 255 is surely a person; the consensus of networks.
        edits: what is wrong with it.

    Returns:
        (H, W) uint8 alpha, 0 or 255 but for the edge; (H, W) uint8, 255 where it counts and 0 where neither the mask
        nor an edit says what a pixel is.
    """
    before = mask > 127
    after = before.copy()
    doubtful = _doubtful(mask)
    for edit in edits:
        region = edit.region(after.shape)
        if edit.action == "unsure":
            doubtful |= region
        else:
            after[region] = edit.action == "keep"
            doubtful &= ~region
    after, redrawn = _snapped(image, before, after)
    return _edged(mask, after, redrawn), np.where(doubtful, 0, 255).astype(np.uint8)


def _doubtful(mask: Bytes) -> Region:
    """Where the mask is in doubt over more than an edge."""
    doubt = ((mask > DOUBT_FROM) & (mask < DOUBT_TO)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (EDGE_PX, EDGE_PX))
    core = cv2.morphologyEx(doubt, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    found: Region = (cv2.dilate(core, kernel) & doubt) > 0
    return found


def _border(region: Region) -> Bytes:
    """The pixels of a region that touch the rest."""
    inside = region.astype(np.uint8)
    # What the frame cuts has no edge there.
    return inside - cv2.erode(inside, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)


def _snapped(image: Bytes, before: Region, after: Region) -> tuple[Region, Region]:
    """The drawn edges moved to the picture's own, by GrabCut in a narrow band; and where edges are new."""
    known = cv2.dilate(_border(before) | _border(~before), np.ones((3, 3), np.uint8))
    new = _border(after) & (1 - known)
    band = cv2.dilate(new, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SNAP_PX + 1,) * 2))
    result = after.copy()
    count, labels, stats, _ = cv2.connectedComponentsWithStats(band)
    for label in range(1, count):
        x, y, w, h = stats[label, :4]
        part = np.s_[max(0, y - AROUND_PX) : y + h + AROUND_PX, max(0, x - AROUND_PX) : x + w + AROUND_PX]
        here = labels[part] == label
        drawn = after[part]
        guess = np.where(
            here,
            np.where(drawn, cv2.GC_PR_FGD, cv2.GC_PR_BGD),
            np.where(drawn, cv2.GC_FGD, cv2.GC_BGD),
        ).astype(np.uint8)
        # It needs some of both that is sure.
        if not (guess == cv2.GC_FGD).any() or not (guess == cv2.GC_BGD).any():
            continue
        cv2.setRNGSeed(1)
        cv2.grabCut(
            np.ascontiguousarray(image[part][..., ::-1]),
            guess,
            None,
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            3,
            cv2.GC_INIT_WITH_MASK,
        )
        found = ((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)).astype(np.uint8)
        smooth = cv2.medianBlur(found, 5) > 0
        result[part] = np.where(here, smooth, result[part])
    return result, band > 0


def _edged(mask: Bytes, after: Region, redrawn: Region) -> Bytes:
    """0 and 255; the mask's own edge, made steeper, where that stands, and a plain one of a pixel where it is new."""
    plain = cv2.GaussianBlur(after.astype(np.float32) * 255, (0, 0), 0.8)
    own = np.clip((mask.astype(np.float32) - 127.5) * STEEPER + 127.5, 0, 255)
    near = cv2.dilate(_border(after) | _border(~after), np.ones((EDGE_PX + 2,) * 2, np.uint8)) > 0
    theirs = near & ~redrawn & ((own > 127) == after)
    return np.floor(np.where(theirs, own, plain) + 0.5).astype(np.uint8)


def drawn(mask: Bytes) -> tuple[Bytes, Bytes]:
    """A mask of outlines drawn by hand, where 128 stands for a crowd or for what nobody is sure of.

    Args:
        mask: (H, W) uint8: 0, 128 or 255, give or take what compression makes of them.

    Returns:
        (H, W) uint8 alpha with a plain edge of a pixel; (H, W) uint8, 0 around 128 and 255 elsewhere.
    """
    unsure = cv2.dilate(_doubtful(mask).astype(np.uint8), np.ones((EDGE_PX, EDGE_PX), np.uint8)) > 0
    plain = cv2.GaussianBlur((mask > 191).astype(np.float32) * 255, (0, 0), 0.8)
    return np.floor(plain + 0.5).astype(np.uint8), np.where(unsure, 0, 255).astype(np.uint8)
