"""A contact sheet of validation pictures: input, annotation, and the output of each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from bshm.edit.composite import over
from bshm.training.data import Bytes
from bshm.types import FloatArray

_TITLE_PX = 28
_GAP_PX = 6
_PAPER = (32, 32, 32)
# A colour that neither skin nor hair nor most rooms have: what is left of the background shows.
_BEHIND = (0, 150, 90)
_JPEG_QUALITY = 88


def levels(alpha: FloatArray) -> Bytes:
    """(H, W) float32, 0..1, as (H, W) uint8."""
    rounded: Bytes = np.floor(np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)
    return rounded


def cutout_on_colour(foreground: Bytes, alpha: FloatArray) -> Bytes:
    """(H, W, 3) uint8: the foreground over one colour."""
    return over(foreground, alpha, np.full_like(foreground, _BEHIND)).astype(np.uint8, copy=False)


def sheet(rows: Sequence[Mapping[str, Bytes]], cell_px: int) -> bytes:
    """One row a picture, one column a name, as a JPEG.

    Args:
        rows: (H, W) or (H, W, 3) uint8 by name; all rows have the same names, each its own size.
        cell_px: height and width that the cells are shrunk to fit into.
    """
    names = list(rows[0])
    step = cell_px + _GAP_PX
    page = np.full((_TITLE_PX + step * len(rows), step * len(names), 3), _PAPER, np.uint8)
    for column, name in enumerate(names):
        cv2.putText(page, name, (column * step + 4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (230, 230, 230), 1, cv2.LINE_AA)
        for index, row in enumerate(rows):
            cell = _fitted(row[name], cell_px)
            top, left = _TITLE_PX + index * step, column * step
            page[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    bgr = cv2.cvtColor(page, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1])


def _fitted(picture: Bytes, side_px: int) -> Bytes:
    height, width = picture.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return (np.repeat(small[..., None], 3, axis=2) if small.ndim == 2 else small).astype(np.uint8, copy=False)
