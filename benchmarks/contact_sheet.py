"""The worst pictures of an evaluation on one sheet: picture, reference, ours and the difference, worst first."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bshm.evaluation.gallery import GalleryCard

Bytes = npt.NDArray[np.uint8]

COLUMNS = 2
CAPTION_PX = 20
GAP_PX = 4
PAPER, INK = 24, 225


def contact_sheet(cards: Sequence[GalleryCard], model: str, *, tile_px: int) -> Bytes:
    """(H, W, 3) uint8, BGR: for each card four tiles of ``tile_px`` at most, its name and mean absolute error above."""
    entries = [_entry(card, model, rank, tile_px) for rank, card in enumerate(cards, start=1)]
    blank = np.full_like(entries[0], PAPER)
    entries += [blank] * (-len(entries) % COLUMNS)
    # Down the first column, then the next: that is how ranks are read.
    rows = len(entries) // COLUMNS
    return np.hstack([np.vstack(entries[at * rows : (at + 1) * rows]) for at in range(COLUMNS)])


def write(sheet: Bytes, path: Path) -> None:
    """Write a JPEG."""
    path.write_bytes(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())


def _entry(card: GalleryCard, model: str, rank: int, tile_px: int) -> Bytes:
    found = card.whole.models.get(model)
    alpha, difference = found[:2] if found else (card.whole.reference, card.whole.reference)
    entry = np.full((CAPTION_PX + tile_px + GAP_PX, 4 * (tile_px + GAP_PX), 3), PAPER, np.uint8)
    for at, address in enumerate((card.whole.picture, card.whole.reference, alpha, difference)):
        tile = _fitted(_pixels(address), tile_px)
        height, width = tile.shape[:2]
        y, x = CAPTION_PX + (tile_px - height) // 2, at * (tile_px + GAP_PX) + (tile_px - width) // 2
        entry[y : y + height, x : x + width] = tile
    error = f"{1000 * card.rows[model].errors.whole.mad:.0f}" if model in card.rows else "failed"
    caption = f"{rank}  {card.name}  {error}"
    cv2.putText(entry, caption, (GAP_PX, CAPTION_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (INK,) * 3, 1, cv2.LINE_AA)
    return entry


def _fitted(pixels: Bytes, tile_px: int) -> Bytes:
    scale = tile_px / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _pixels(address: str) -> Bytes:
    """A view of the gallery, which keeps them as ``data:`` addresses."""
    data = np.frombuffer(base64.b64decode(address.split(",", 1)[1]), np.uint8)
    found = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if found is None:
        raise ValueError("the gallery holds something that is no picture")
    return found.astype(np.uint8, copy=False)
