"""Paper sizes and the layout of sheets of ID photographs, as data; loads no numpy, so help pages can use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bshm.edit.size import DEFAULT_DPI, Size, parse_size
from bshm.errors import OptionError

SheetFormat = Literal["jpg", "png", "tiff", "pdf"]
SHEET_FORMATS: tuple[SheetFormat, ...] = ("jpg", "png", "tiff", "pdf")
PAPERS: dict[str, Size] = {
    "4x6in": Size(4, 6, "in"),
    "5x7in": Size(5, 7, "in"),
    "a4": Size(210, 297, "mm"),
    "letter": Size(8.5, 11, "in"),
}


@dataclass(frozen=True)
class SheetOptions:
    """How a sheet is laid out.

    Attributes:
        paper: one of ``PAPERS``, or a size such as ``"100x150mm"``; turned if more photographs fit that way.
        gap_mm: between photographs, 0 or more.
        margin_mm: smallest margin at the edges of the paper, where many printers do not print.
        marks: short lines in the gaps and margins that show where to cut; never on a photograph.
        dpi: of the sheet; written into the file.
    """

    paper: str = "4x6in"
    gap_mm: float = 2.0
    margin_mm: float = 3.0
    marks: bool = False
    dpi: float = DEFAULT_DPI

    def __post_init__(self) -> None:
        paper_size(self.paper)
        for name, value, most in (("gap", self.gap_mm, 50), ("margin", self.margin_mm, 100)):
            # "not" also catches NaN.
            if not 0 <= value <= most:
                raise OptionError(f"the {name} of a sheet is 0 to {most} mm; got {value!r:.40}.")
        if not 50 <= self.dpi <= 1200:
            raise OptionError(f"a sheet has 50 to 1200 dpi; got {self.dpi!r:.40}.")


def paper_size(words: str) -> Size:
    """The size of a paper by its name, or as a size in mm or inches.

    Raises:
        OptionError: it is neither.

    >>> str(paper_size("A4")), str(paper_size("100x150mm"))
    ('210x297mm', '100x150mm')
    """
    named = PAPERS.get(words.strip().lower())
    if named is not None:
        return named
    try:
        size = parse_size(words)
    except OptionError as error:
        raise OptionError(
            f'a paper is {", ".join(PAPERS)}, or a size such as "100x150mm"; got {words[:40]!r}.'
        ) from error
    if size.unit == "px":
        raise OptionError(f'a paper has a size in mm or in, e.g. "100x150mm"; got {words[:40]!r}.')
    return size
