"""Corrections of masks, drawn as outlines and strokes over a picture, by its name.

A file of them is JSON, in pixels of the picture as it is stored::

    {"NAME": {"checked": true, "edits": [["keep", [[x, y], …]], ["drop", [[x, y], …]], ["keep", [[x, y], …], 8]]}}

``keep`` is a person, or what a person holds or wears; ``drop`` is not; ``unsure`` is left out of training.  With a
number behind the points they are a stroke of that width, without one an outline.  Later edits win.  ``checked`` says
that somebody looked at the whole picture: what no edit covers is right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import DataFolderError
from bshm.types import FloatArray

Region = npt.NDArray[np.bool_]
ACTIONS = ("keep", "drop", "unsure")
# An outline is drawn by eye: so far from a new edge, in pixels, the mask is only half believed.
_NEAR_PX = 2
# The masks of networks are ramps of ten pixels at an edge; an edge that was looked at is made steeper.
STEEPER = 2.5


@dataclass(frozen=True)
class RegionEdit:
    """One outline, or with a width one stroke.

    Attributes:
        action: one of ``ACTIONS``.
        points: (N, 2) int32, x and y in pixels; three or more for an outline, two or more for a stroke.
    """

    action: str
    points: npt.NDArray[np.int32]
    width_px: int | None = None

    @classmethod
    def of(cls, action: str, points: Sequence[Sequence[int]], width_px: int | None = None) -> RegionEdit:
        """From what a file says.

        Raises:
            ValueError: the action is unknown, or there are too few points.
        """
        corners = np.asarray(points, np.int32)
        fewest = 3 if width_px is None else 2
        if action not in ACTIONS or corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < fewest:
            raise ValueError(
                f"an edit is one of {', '.join(ACTIONS)} with three points [x, y] or more, or two and a width; "
                f"got {action} with {points}"
            )
        return cls(action, corners, None if width_px is None else int(width_px))

    def region(self, size_hw: tuple[int, ...]) -> Region:
        """(H, W) bool, what it covers.

        >>> int(RegionEdit.of("keep", [[0, 0], [3, 0], [3, 1], [0, 1]]).region((4, 6)).sum())
        8
        """
        drawn = np.zeros(size_hw, np.uint8)
        if self.width_px is None:
            cv2.fillPoly(drawn, [self.points], 1)
        else:
            cv2.polylines(drawn, [self.points], False, 1, self.width_px)
        return drawn > 0


@dataclass(frozen=True)
class RegionEdits:
    """What was drawn over one picture.

    Attributes:
        edits: in the order in which they apply.
        checked: what no edit covers is right.
    """

    edits: tuple[RegionEdit, ...]
    checked: bool = False

    def applied(self, mask: FloatArray, belief: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The mask with the corrections, and how reliable each pixel is.

        Args:
            mask: (H, W) float32, 0..1.
            belief: (H, W) float32, 0..1, how reliable that is.

        Returns:
            both anew; the arguments stay as they are.
        """
        belief = np.ones_like(belief) if self.checked else belief.copy()
        person = mask > 0.5
        redrawn, unsure = np.zeros_like(person), np.zeros_like(person)
        for edit in self.edits:
            region = edit.region(mask.shape)
            unsure = (unsure & ~region) | (region if edit.action == "unsure" else False)
            if edit.action != "unsure":
                person[region] = edit.action == "keep"
                redrawn |= region
        belief[redrawn] = 1
        changed = person != (mask > 0.5)
        edge = _near(_border(person) & _near(changed, 1), _NEAR_PX)
        belief[edge] = np.minimum(belief[edge], np.float32(0.5))
        belief[unsure] = 0
        plain = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 0.8)
        own = np.clip((mask - 0.5) * STEEPER + 0.5, 0, 1) if self.checked else mask
        result = np.where(redrawn | _near(changed, _NEAR_PX), plain, own)
        return result.astype(np.float32, copy=False), belief


def read(path: Path) -> dict[str, RegionEdits]:
    """The corrections of a file by the name of their picture.

    Raises:
        DataFolderError: the file cannot be read, or an entry does not say what it must; the message names the picture.
    """
    try:
        entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataFolderError(f"{path} cannot be read: {error.strerror or error}. Check the name.") from error
    except ValueError as error:
        raise DataFolderError(f"{path} is not JSON ({error}). bshm.training.outlines describes the format.") from error
    found = {}
    for name, entry in entries.items():
        try:
            edits = tuple(RegionEdit.of(*edit) for edit in entry.get("edits", ()))
        except (TypeError, ValueError) as error:
            raise DataFolderError(f"{path}, {name}: {error}.") from error
        found[name] = RegionEdits(edits, bool(entry.get("checked", False)))
    return found


def _border(region: Region) -> Region:
    """The pixels on both sides of a region's edge; what the frame cuts has none there."""
    kernel, levels = np.ones((3, 3), np.uint8), region.astype(np.uint8)
    found: Region = cv2.dilate(levels, kernel) != cv2.erode(levels, kernel, borderType=cv2.BORDER_REPLICATE)
    return found


def _near(region: Region, px: int) -> Region:
    """What is within ``px`` pixels of it."""
    found: Region = cv2.dilate(region.astype(np.uint8), np.ones((2 * px + 1, 2 * px + 1), np.uint8)) > 0
    return found
