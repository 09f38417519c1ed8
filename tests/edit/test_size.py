"""Sizes and ranges as people write them."""

from __future__ import annotations

import pytest

from bshm.edit.size import Range, Size, parse_aspect, parse_dpi, parse_range, parse_size
from bshm.errors import OptionError


@pytest.mark.parametrize(
    ("words", "dpi", "width", "height"),
    [
        ("35x45mm", 300, 413, 531),
        ("25x35mm", 300, 295, 413),
        ("35x49mm", 300, 413, 579),
        ("35x53mm", 300, 413, 626),
        ("26x32mm", 350, 358, 441),
        ("2x2in", 300, 600, 600),
        ("600 × 400", 72, 600, 400),
    ],
)
def test_millimetres_and_inches_become_the_pixels_that_offices_name(
    words: str, dpi: int, width: int, height: int
) -> None:
    assert parse_size(words).pixels(dpi) == (height, width)


@pytest.mark.parametrize("words", ["", "35", "0x0", "35x45cm", "-3x4", "10.5x10", "axb", "1e3x1"])
def test_a_size_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(OptionError, match="size"):
        parse_size(words)


@pytest.mark.parametrize("size", [Size(40000, 10), Size(20000, 20000), Size(900, 900, "in"), Size(0.001, 1, "mm")])
def test_a_canvas_that_no_machine_should_make_is_refused(size: Size) -> None:
    with pytest.raises(OptionError, match="pixels"):
        size.pixels()


def test_a_range_holds_its_ends_and_may_be_open() -> None:
    both, least, most, one = (parse_range(each, "mm", "%") for each in ("32..36mm", "85%..", "..240", "7"))
    assert [both.holds(each) for each in (31.9, 32, 36, 36.1)] == [False, True, True, False]
    assert least == Range(85, None, "%") and least.holds(1000)
    assert most == Range(None, 240, "mm") and not most.holds(240.5)
    assert one == Range(7, 7, "mm")
    assert parse_range("32mm..36mm") == both


@pytest.mark.parametrize("words", ["", "..", "5..4", "3..4kg", "mm", "3 4", "1..2..3"])
def test_a_range_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(OptionError, match="range"):
        parse_range(words)


def test_a_range_of_another_unit_is_refused() -> None:
    with pytest.raises(OptionError, match="with kB"):
        parse_range("3..4mm", "kB")


@pytest.mark.parametrize("words", ["1", "4:0", "100:1", "a:b", 0, True])
def test_an_aspect_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(OptionError, match="aspect"):
        parse_aspect(words)


@pytest.mark.parametrize("words", ["", "nan", 5, 99999, True, "12dpi"])
def test_a_resolution_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(OptionError, match="resolution"):
        parse_dpi(words)
