"""Sheets of ID photographs: how many, how large, where to cut, never mirrored."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from bshm.edit.paper import PAPERS, SheetOptions, paper_size
from bshm.edit.sheet import encode, layout, sheet
from bshm.edit.size import Size
from bshm.errors import OptionError, ShapeError

PASSPORT = Size(35, 45, "mm")


def photo(height: int = 531, width: int = 413) -> np.ndarray:
    """Four corners of four colours on grey, so that every turn and mirroring shows."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[:50, :50], pixels[:50, -50:] = (255, 0, 0), (0, 255, 0)
    pixels[-50:, :50], pixels[-50:, -50:] = (0, 0, 255), (255, 255, 0)
    return pixels


@pytest.mark.parametrize(
    ("paper", "gap", "size", "count"),
    [
        ("4x6in", 0, PASSPORT, 8),
        ("4x6in", 2, PASSPORT, 8),
        ("4x6in", 2, Size(25, 35, "mm"), 12),
        ("5x7in", 0, PASSPORT, 9),
        ("a4", 2, PASSPORT, 30),
        ("letter", 0, Size(2, 2, "in"), 20),
        ("100x150mm", 0, Size(600, 600), 2),
    ],
)
def test_as_many_as_fit_lie_on_the_paper_apart_and_within_the_margin(
    paper: str, gap: float, size: Size, count: int
) -> None:
    options = SheetOptions(paper=paper, gap_mm=gap)
    plan = layout(size, 300, options)
    assert len(plan.corners) == count
    height, width = plan.photo_hw
    taken = np.zeros((plan.height, plan.width), int)
    for top, left in plan.corners:
        taken[top : top + height, left : left + width] += 1
    assert taken.max() == 1 and taken.sum() == count * height * width
    margin = round(3 * 300 / 25.4) - 1
    assert not taken[:margin].any() and not taken[-margin:].any()
    assert not taken[:, :margin].any() and not taken[:, -margin:].any()
    columns = sorted({left for _, left in plan.corners})
    if len(columns) > 1:
        assert columns[1] - columns[0] - width == round(gap * 300 / 25.4)


def test_each_copy_is_the_photograph_neither_turned_nor_mirrored() -> None:
    one = photo()
    options = SheetOptions(gap_mm=0)
    page, plan = sheet(one, PASSPORT, 300, options), layout(PASSPORT, 300, options)
    assert page.shape == (plan.height, plan.width, 3) == (1200, 1800, 3)
    for top, left in plan.corners:
        assert (page[top : top + 531, left : left + 413] == one).all()


@pytest.mark.parametrize("gap", [0, 1, 5])
def test_marks_are_never_on_a_photograph_and_stand_at_every_cut(gap: float) -> None:
    options = SheetOptions(gap_mm=gap, marks=True, paper="a4")
    plan = layout(PASSPORT, 300, options)
    page = sheet(photo(), PASSPORT, 300, options)
    inked = (page == 0).all(axis=2)
    height, width = plan.photo_hw
    outside = np.ones(inked.shape, bool)
    for top, left in plan.corners:
        assert (page[top : top + height, left : left + width] == photo()).all()
        outside[top : top + height, left : left + width] = False
    assert inked[outside].any()
    first = min(plan.corners)
    above, beside = inked[: first[0]], inked[:, : first[1]]
    columns = sorted({left for _, left in plan.corners})
    rows = sorted({top for top, _ in plan.corners})
    for left in columns:
        assert above[:, left - 2 : left + 3].any() and above[:, left + width - 2 : left + width + 3].any()
    for top in rows:
        assert beside[top - 2 : top + 3].any() and beside[top + height - 2 : top + height + 3].any()
    assert not (sheet(photo(), PASSPORT, 300, SheetOptions(gap_mm=gap, paper="a4")) == 0).all(axis=2).any()


@pytest.mark.parametrize("form", ["jpg", "png", "tiff"])
@pytest.mark.parametrize("dpi", [254, 300])
def test_the_resolution_is_in_the_file(form: str, dpi: int) -> None:
    page = sheet(photo(), PASSPORT, 300, SheetOptions(dpi=dpi))
    with Image.open(io.BytesIO(encode(page, form, dpi))) as image:  # type: ignore[arg-type]
        assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)
        assert image.size == (6 * dpi, 4 * dpi)


def test_a_pdf_has_a_page_of_the_papers_size() -> None:
    options = SheetOptions(paper="a4")
    data = encode(sheet(photo(), PASSPORT, 300, options), "pdf", 300)
    assert data.startswith(b"%PDF-")
    (box,) = re.findall(rb"/MediaBox\s*\[([^\]]*)\]", data)
    assert [float(each) for each in box.split()] == pytest.approx([0, 0, 595.3, 841.9], abs=0.3)


@pytest.mark.parametrize("name", PAPERS)
def test_a_paper_is_known_in_any_case(name: str) -> None:
    assert paper_size(name.upper()) == paper_size(name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"paper": "a5x"}, "a paper is 4x6in"),
        ({"paper": "600x600"}, "a size in mm or in"),
        ({"gap_mm": -1}, "gap"),
        ({"gap_mm": float("nan")}, "gap"),
        ({"margin_mm": 101}, "margin"),
        ({"dpi": 10}, "dpi"),
    ],
)
def test_a_sheet_that_makes_no_sense_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        SheetOptions(**options)  # type: ignore[arg-type]


def test_a_photograph_larger_than_the_paper_is_refused_with_both_sizes() -> None:
    with pytest.raises(OptionError, match=r"200.0x300.0 mm does not fit on 4x6in"):
        layout(Size(200, 300, "mm"), 300, SheetOptions())


def test_a_sheet_is_made_of_eight_bits_and_three_colours() -> None:
    with pytest.raises(ShapeError):
        sheet(np.zeros((3, 3), np.uint8), PASSPORT, 300, SheetOptions())
