"""Colours as people write them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bshm.color import looks_like_color, parse_color
from bshm.errors import OptionError

levels = st.integers(0, 255)


@given(levels, levels, levels)
def test_every_form_says_the_same(r: int, g: int, b: int) -> None:
    for form in (
        f"#{r:02x}{g:02x}{b:02x}",
        f"#{r:02X}{g:02X}{b:02X}",
        f"{r},{g},{b}",
        f" {r}, {g} ,{b} ",
        (r, g, b),
        [r, g, b],
    ):
        assert parse_color(form) == (r, g, b)


def test_short_hex_doubles_its_digits() -> None:
    assert parse_color("#1e9") == (0x11, 0xEE, 0x99)


def test_all_names_of_css_are_known() -> None:
    from PIL import ImageColor

    names = list(ImageColor.colormap)
    assert len(names) == 148
    assert all(parse_color(name) == ImageColor.getrgb(name) for name in names)
    assert all(parse_color(name.upper()) == ImageColor.getrgb(name) for name in names)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "whit",
        "#12",
        "#12345",
        "1,2",
        "1,2,256",
        "-1,0,0",
        "1.5,0,0",
        (1, 2),
        (1, 2, 300),
        (0.5, 0, 0),
        ("a", 0, 0),
        "ffffff",
    ],
)
def test_what_is_no_colour_is_refused_with_the_forms_that_are(bad: object) -> None:
    with pytest.raises(OptionError, match="#rrggbb"):
        parse_color(bad)  # type: ignore[arg-type]


def test_a_slip_of_the_pen_gets_a_hint() -> None:
    with pytest.raises(OptionError, match='Did you mean "tomato"'):
        parse_color("tomatto")


def test_a_broken_colour_still_looks_like_one_and_a_file_does_not() -> None:
    assert all(map(looks_like_color, ["#12345", "#", "1,2,300", "1,2", "red", "RED"]))
    assert not any(map(looks_like_color, ["a.png", "blur", "red.png", "http://x/1,2,3", "beach"]))


def test_numbers_need_no_pillow() -> None:
    code = "import sys; from bshm.color import parse_color as p; p('#123'); p('1,2,3'); sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
