"""Results to review: copies in a separate folder, and a contact sheet of the worst ones."""

from __future__ import annotations

import heapq
import os
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bshm import geometry
from bshm.edit import composite
from bshm.errors import OptionError, option
from bshm.files import encode, sink

if TYPE_CHECKING:
    import numpy.typing as npt

    from bshm.matting.verdict import Verdict
    from bshm.result import Matte

    Bytes = npt.NDArray[np.uint8]

SHEET = "contact-sheet.jpg"
# Limits of the sheet: about three megabytes; each entry takes a third of a megabyte of memory until it is written.
MOST = 60
_TILE_PX, _GAP_PX, _COLUMNS = 320, 8, 2
_LINE_PX, _LINES, _LINE_LETTERS = 16, 4, 95
_PAPER, _INK, _BOX = (24, 24, 24), (225, 225, 225), (255, 64, 64)
_CHECKER_PX, _CHECKER = 16, (150, 200)


@dataclass(frozen=True)
class SheetEntry:
    """One result on the sheet.

    Attributes:
        name: name of the picture.
        verdict: its verdict.
        tiles: (h, w, 3) uint8: the picture with the boxes of the reasons, beside the cut-out over a checkerboard.
    """

    name: str
    verdict: Verdict
    tiles: Bytes


class Review:
    """A folder that gets a copy of each result whose score is below a limit.  Safe to share between threads."""

    def __init__(self, folder: Path, below: float, *, overwrite: bool = False) -> None:
        """Write nothing yet.

        Args:
            folder: created with the first copy.
            below: scores below this are reviewed, 0..1.
            overwrite: replace files of an earlier run; otherwise a name that is taken gets a number.

        Raises:
            OptionError: ``below`` is not a share.
        """
        if not 0 <= below <= 1:
            raise OptionError(f"{option('review_below')} takes a score of 0 to 1; got {below:g}.")
        self.folder = folder
        self.count = 0
        self._below = below
        self._overwrite = overwrite
        self._taken: set[str] = set()
        self._worst: list[tuple[float, int, SheetEntry]] = []
        self._lock = threading.Lock()

    def look(self, matte: Matte, name: str) -> SheetEntry | None:
        """The entry of a matte on the sheet; None if it needs no review."""
        verdict = matte.verdict
        if verdict is None or verdict.score >= self._below:
            return None
        return SheetEntry(name, verdict, _tiles(matte, verdict))

    def add(self, look: SheetEntry, data: bytes, name: str) -> Path:
        """Write a copy of a result, ``data``, as ``name``, and keep its entry for the sheet.

        Raises:
            OutputError: it cannot be written.
        """
        with self._lock:
            path = sink.write(data, self._free(name), overwrite=self._overwrite)
            self.count += 1
            entry = (-look.verdict.score, self.count, look)
            (heapq.heappush if len(self._worst) < MOST else heapq.heappushpop)(self._worst, entry)
        return path

    def write_sheet(self) -> Path | None:
        """Write the sheet, lowest score first; None if nothing needs a review.

        Raises:
            OutputError: it cannot be written.
        """
        with self._lock:
            looks = [look for _, _, look in sorted(self._worst, key=lambda entry: (-entry[0], entry[1]))]
            if not looks:
                return None
            data = encode.encode(sheet(looks, of=self.count), "jpg", quality=85)
            return sink.write(data, self._free(SHEET), overwrite=self._overwrite)

    def _free(self, name: str) -> Path:
        """A path that this run has not used, and, without ``overwrite``, that does not exist."""
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, no path
        number = 1
        while True:
            path = self.folder / (name if number == 1 else f"{stem}-{number}{suffix}")
            # On some systems a.png and A.PNG are the same file.
            if path.name.casefold() not in self._taken and (self._overwrite or not os.path.lexists(path)):
                self._taken.add(path.name.casefold())
                return path
            number += 1


def sheet(looks: list[SheetEntry], *, of: int) -> Bytes:
    """(H, W, 3) uint8: the entries in rows, each below its name, score and reasons.

    Args:
        looks: the entries, in order.
        of: number of all entries, of which only the worst were kept.
    """
    wide, high = 2 * _TILE_PX + 2 * _GAP_PX, _LINES * _LINE_PX + _TILE_PX + 2 * _GAP_PX
    rows = -(-len(looks) // _COLUMNS)
    head = _LINE_PX + 2 * _GAP_PX
    page = Image.new("RGB", (_COLUMNS * wide + _GAP_PX, head + rows * high), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default()
    shown = f"the {len(looks)} with the lowest score of {of}" if of > len(looks) else f"{of}"
    draw.text((_GAP_PX, _GAP_PX), f"To review: {shown}", _INK, font)
    for at, look in enumerate(looks):
        left, top = _GAP_PX + at % _COLUMNS * wide, head + at // _COLUMNS * high
        said = f"{look.name}: {look.verdict}"
        lines = textwrap.wrap(said, _LINE_LETTERS, max_lines=_LINES, placeholder=" ...")
        for line, text in enumerate(lines):
            draw.text((left, top + line * _LINE_PX), text, _INK, font)
        page.paste(Image.fromarray(look.tiles), (left, top + _LINES * _LINE_PX))
    return np.asarray(page, np.uint8)


def _tiles(matte: Matte, verdict: Verdict) -> Bytes:
    height, width = matte.picture.size_hw
    scale = min(1.0, _TILE_PX / max(height, width))
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    picture = geometry.shrink(matte.picture.pixels, size_hw)
    colour = geometry.shrink(matte.foreground, size_hw)
    small = cv2.resize(matte.alpha, size_hw[::-1], interpolation=cv2.INTER_AREA)
    alpha = np.clip(np.asarray(small, np.float32), 0, 1)  # the weights of a resize may add up to slightly more than 1
    down, right = np.indices(size_hw) // _CHECKER_PX
    checker = np.where((down + right) % 2, *_CHECKER).astype(np.uint8)[..., None].repeat(3, axis=2)
    shown = composite.over(colour, alpha, checker)
    for reason in verdict.reasons:
        box = reason.box
        corner = int(box.left * scale), int(box.top * scale)
        end = int((box.left + box.width) * scale) - 1, int((box.top + box.height) * scale) - 1
        cv2.rectangle(picture, corner, end, _BOX, 1)
        if not reason.code.startswith("cut"):  # a side of the frame needs no label
            # A box at the top has its label inside.
            cv2.putText(picture, reason.code, (corner[0] + 2, max(10, corner[1] - 3)), 0, 0.35, _BOX, 1, cv2.LINE_AA)
    result = np.full((size_hw[0], _TILE_PX + _GAP_PX + size_hw[1], 3), _PAPER, np.uint8)
    result[:, : size_hw[1]] = picture
    result[:, _TILE_PX + _GAP_PX :] = shown
    return result
