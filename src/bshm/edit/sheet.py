"""Sheets of ID photographs for printing: as many as fit, in their true size, with optional cut marks."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from bshm import geometry
from bshm.edit.paper import SHEET_FORMATS, SheetFormat, SheetOptions, paper_size
from bshm.edit.size import MM_PER_INCH, Size
from bshm.errors import OptionError, ShapeError

# Cut marks: length, and distance from the photograph.
_MARK_MM, _MARK_AWAY_MM = 3.0, 0.5
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Layout:
    """The positions of photographs on a sheet, in pixels.

    Attributes:
        height, width: size of the sheet.
        photo_hw: size of one photograph.
        corners: (top, left) of each photograph.
    """

    height: int
    width: int
    photo_hw: tuple[int, int]
    corners: tuple[tuple[int, int], ...]


def layout(photo: Size, photo_dpi: float, options: SheetOptions) -> Layout:
    """As many photographs as fit, in rows and columns around the middle of the paper, portrait or landscape.

    Args:
        photo: the size of a photograph; pixels are converted with ``photo_dpi``.
        photo_dpi: see ``photo``.
        options: paper, gaps, margins and resolution.

    Raises:
        OptionError: no photograph fits.

    >>> len(layout(Size(35, 45, "mm"), 300, SheetOptions(gap_mm=0)).corners)
    8
    """
    across, down = photo.mm(photo_dpi)
    paper = paper_size(options.paper).mm()
    found = max(
        (_grid((across, down), way, options) for way in (paper, paper[::-1])), key=lambda grid: len(grid.corners)
    )
    if not found.corners:
        raise OptionError(
            f"a photograph of {across:.1f}x{down:.1f} mm does not fit on {options.paper} with a margin of "
            f"{options.margin_mm:g} mm. Choose a larger paper, or a smaller margin."
        )
    return found


def _grid(photo_mm: tuple[float, float], paper_mm: tuple[float, float], options: SheetOptions) -> Layout:
    per_mm = options.dpi / MM_PER_INCH
    width, height = (round(each * per_mm) for each in paper_mm)
    photo_w, photo_h = (max(1, round(each * per_mm)) for each in photo_mm)
    gap = round(options.gap_mm * per_mm)
    counts = []
    for paper, photo in zip(paper_mm, photo_mm, strict=True):
        room = paper - 2 * options.margin_mm
        # A small tolerance for rounding: 2 * 50.8 mm fit on 4 inches.
        counts.append(max(0, int((room + options.gap_mm + 1e-6) // (photo + options.gap_mm))))
    columns, rows = counts
    left = (width - columns * photo_w - (columns - 1) * gap) // 2
    top = (height - rows * photo_h - (rows - 1) * gap) // 2
    corners = tuple(
        (top + y * (photo_h + gap), left + x * (photo_w + gap)) for y in range(rows) for x in range(columns)
    )
    return Layout(height, width, (photo_h, photo_w), corners)


def sheet(pixels: npt.NDArray[np.uint8], photo: Size, photo_dpi: float, options: SheetOptions) -> npt.NDArray[np.uint8]:
    """A white sheet with copies of a photograph, neither turned nor mirrored.

    Args:
        pixels: (H, W, 3) uint8, one photograph.
        photo: its size on paper; pixels are converted with ``photo_dpi``.
        photo_dpi: see ``photo``.
        options: paper, gaps, margins and resolution.

    Returns:
        (H, W, 3) uint8.

    Raises:
        OptionError: no photograph fits.
        ShapeError: ``pixels`` is not such an array.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ShapeError(f"sheet() needs (H, W, 3) uint8; got {pixels.shape} {pixels.dtype}.")
    plan = layout(photo, photo_dpi, options)
    page = np.full((plan.height, plan.width, 3), 255, np.uint8)
    if options.marks:
        _draw_marks(page, plan, options.dpi)
    one = pixels if pixels.shape[:2] == plan.photo_hw else geometry.resize(pixels, plan.photo_hw)
    for top, left in plan.corners:
        page[top : top + plan.photo_hw[0], left : left + plan.photo_hw[1]] = one
    return page


def _draw_marks(page: npt.NDArray[np.uint8], plan: Layout, dpi: float) -> None:
    """Lines along every cut; the photographs are laid over them."""
    per_mm = dpi / MM_PER_INCH
    long, away = round(_MARK_MM * per_mm), round(_MARK_AWAY_MM * per_mm)
    thick = max(1, round(0.1 * per_mm))
    height, width = plan.photo_hw
    for top, left in plan.corners:
        # Marks are at the first and last row and column of a photograph, so that none runs along its neighbour.
        for y in (top, top + height - thick):
            rows = slice(y, y + thick)
            page[rows, max(0, left - away - long) : max(0, left - away)] = 0
            page[rows, left + width + away : left + width + away + long] = 0
        for x in (left, left + width - thick):
            columns = slice(x, x + thick)
            page[max(0, top - away - long) : max(0, top - away), columns] = 0
            page[top + height + away : top + height + away + long, columns] = 0


def encode(page: npt.NDArray[np.uint8], format: SheetFormat, dpi: float, quality: int = _JPEG_QUALITY) -> bytes:
    """The file of a sheet, with its resolution; a PDF has one page of the paper's size.

    Raises:
        OptionError: another format.
    """
    if format not in SHEET_FORMATS:
        raise OptionError(f"a sheet is written as {', '.join(SHEET_FORMATS)}; got {format!r:.40}.")
    image, file = Image.fromarray(page), BytesIO()
    if format == "pdf":
        image.save(file, "PDF", resolution=dpi, quality=quality)
    elif format == "jpg":
        image.save(file, "JPEG", quality=quality, subsampling=0, dpi=(dpi, dpi))
    else:
        image.save(file, format.upper(), dpi=(dpi, dpi))
    return file.getvalue()
