"""Where people end up on a canvas of another size."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from drawn_people import Drawn, drawn_alpha
from PIL import Image

from bshm.edit import faces
from bshm.edit.crop import foreground_box
from bshm.edit.head import by_shape
from bshm.edit.render import compose, render
from bshm.edit.spec import Edit
from bshm.errors import OptionError

RED = (220, 40, 30)
# An enlarged edge is a ramp, and a person begins at 0.3 of it.
EDGE = 2


@pytest.fixture(autouse=True)
def _by_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawing has no face."""
    monkeypatch.setattr(faces, "available", lambda: False)


def square(height: int = 120, width: int = 200) -> Drawn:
    """Somebody who is a square of 40 in the middle."""
    alpha = np.zeros((height, width), np.float32)
    alpha[40:80, 80:120] = 1
    return Drawn(alpha)


def made(matte: Any, **options: Any) -> Any:
    return compose(matte, Edit(**options))


def test_scale_on_a_size_fills_that_share_of_it() -> None:
    box = foreground_box(made(square(), size="300x200", scale="50%").alpha)
    assert box == pytest.approx((50, 100, 100, 100), abs=EDGE)


def test_a_position_lays_them_against_the_edge() -> None:
    box = foreground_box(made(square(), size="300x200", scale="50%", position="0% 100%").alpha)
    assert box == pytest.approx((100, 0, 100, 100), abs=EDGE)


def test_crop_and_size_scale_the_people_with_their_margin_to_fit_in() -> None:
    box = foreground_box(made(square(), crop=True, crop_margin="50%", size="160x160").alpha)
    assert box == pytest.approx((40, 40, 80, 80), abs=EDGE)


def test_a_size_alone_takes_the_whole_picture() -> None:
    result = made(square(), size="100x100")
    assert result.size_hw == (100, 100)
    assert foreground_box(result.alpha) == pytest.approx((40, 40, 20, 20), abs=EDGE)


def test_an_aspect_grows_the_crop_and_scales_nothing() -> None:
    result = made(square(), crop=True, aspect="2:1")
    assert result.size_hw == (40, 80)
    assert foreground_box(result.alpha) == (0, 20, 40, 40)


def test_whom_the_photograph_cuts_off_stays_at_that_edge_without_a_margin() -> None:
    alpha = np.zeros((100, 100), np.float32)
    alpha[60:, :30] = 1
    result = made(Drawn(alpha), crop=True, crop_margin="20%", size="200x200")
    box = foreground_box(result.alpha)
    assert box is not None
    assert (box.left, box.top + box.height) == (0, 200)
    assert result.notes == ("the photograph was enlarged 4.2 times and is less sharp than its size says",)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.75])
def test_a_head_has_its_share_of_the_height_its_margin_and_the_middle(share: float) -> None:
    matte = Drawn(drawn_alpha(600, 500, crown=90, head=120, centre=200))
    before = by_shape(matte.alpha)
    result = made(matte, size="35x45mm", head=share, head_top="10%")
    found = by_shape(result.alpha)
    assert before is not None and found is not None
    assert result.size_hw == (531, 413)
    assert result.head_by == "shape of the matte"
    assert found.crown == pytest.approx(53.1, abs=1.5)
    # Measured by the same outline on another grid: its heights are 5 % apart.
    assert found.height == pytest.approx(share * 531, rel=0.06)
    assert found.centre == pytest.approx(413 / 2, abs=2)


def test_a_head_without_a_size_scales_nothing() -> None:
    matte = Drawn(drawn_alpha(600, 500, crown=90, head=120))
    result = made(matte, head="50%", aspect="1:1")
    head = by_shape(matte.alpha)
    assert head is not None
    assert result.size_hw[0] == result.size_hw[1] == round(head.height / 0.5)


def test_of_two_shares_as_much_is_taken_as_closes_the_gap_below() -> None:
    matte = Drawn(drawn_alpha(300, 500, crown=60, head=160))
    gap = made(matte, size="400x400", head="50%", head_top="10%")
    assert any("before the bottom edge" in note for note in gap.notes)
    closed = made(matte, size="400x400", head="40%..70%", head_top="10%")
    assert closed.alpha[-1].max() == 1
    assert not any("bottom" in note for note in closed.notes)
    moved = made(matte, size="400x400", head="50%", head_top="10%..30%")
    assert moved.alpha[-1].max() == 1
    head = by_shape(moved.alpha)
    assert head is not None and head.crown > 0.1 * 400


def test_nobody_gives_the_whole_picture_and_no_head() -> None:
    result = made(Drawn(np.zeros((100, 200), np.float32)), size="50x50", head="50%")
    assert result.size_hw == (50, 50) and result.is_empty and result.head_by is None


@pytest.mark.parametrize(("turn", "expected"), [(90, (0, 5)), (180, (5, 15)), (270, (15, 0)), (0, (0, 0))])
def test_turning_is_clockwise(turn: int, expected: tuple[int, int]) -> None:
    alpha = np.zeros((10, 20), np.float32)
    alpha[:5, :5] = 1
    box = foreground_box(made(Drawn(alpha), rotate=turn).alpha)
    assert box is not None
    assert (box.top, box.left) == expected


def test_flipping_mirrors_and_nothing_else_does() -> None:
    matte = square()
    plain, flipped = made(matte).colour, made(matte, flip="horizontal").colour
    assert (plain == matte.foreground).all()
    assert (flipped == matte.foreground[:, ::-1]).all()
    assert (made(matte, flip="vertical").colour == matte.foreground[::-1]).all()


def test_the_resolution_is_written_into_the_file() -> None:
    for edit, dpi in (
        (Edit(size="35x45mm", background="white", format="jpg"), 300),
        (Edit(size="35x45mm", dpi=254, background="white", format="jpg"), 254),
        (Edit(dpi=150, format="png"), 150),
    ):
        with Image.open(io.BytesIO(render(square(), edit).data)) as image:
            assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)


def test_an_outline_is_as_wide_as_it_says_and_follows_no_edge_that_cuts_people_off() -> None:
    alpha = np.zeros((200, 200), np.float32)
    alpha[100:, 60:140] = 1
    result = made(Drawn(alpha), outline="10px #0000ff")
    row = result.colour[170]
    assert row[49].tolist() != [0, 0, 255] or result.alpha[170, 48] == 0
    assert result.alpha[170, 52:60].min() == 1 and (row[53:59] == (0, 0, 255)).all()
    assert result.alpha[170, 47] == 0
    assert tuple(row[100]) == RED


def test_a_circle_leaves_the_corners_empty_over_any_background() -> None:
    result = made(square(), size="100x100", background="white", mask="circle")
    pixels = result.pixels()
    assert pixels.shape == (100, 100, 4)
    assert pixels[0, 0, 3] == 0 and pixels[50, 1, 3] == 255 and pixels[50, 50, 3] == 255
    assert float(result.alpha.sum()) == pytest.approx(np.pi * 50 * 50, rel=0.01)


def test_a_blurred_background_moves_with_the_people_and_fills_the_canvas() -> None:
    result = made(square(), size="300x300", scale="90%", background="blur:5")
    assert result.is_opaque
    assert np.abs(result.colour[5, 5].astype(int) - (90, 120, 150)).max() <= 2


@pytest.mark.parametrize(
    "options",
    [
        {"size": "3x3", "aspect": "1:1"},
        {"head": "50%", "scale": "50%", "size": "9x9"},
        {"head_top": "5%"},
        {"head": "80%", "head_top": "30%"},
        {"head": "80%..70%"},
        {"rotate": 45},
        {"flip": "sideways"},
        {"mask": "star"},
        {"mask": "circle", "format": "jpg", "background": "white"},
        {"alpha": True, "outline": "2%"},
        {"size": "99999x9"},
        {"max_kb": 0},
        {"min_kb": 100, "max_kb": 100},
        {"max_kb": 10, "format": "zip"},
        {"outline": "90%"},
        {"dpi": 1},
    ],
)
def test_what_makes_no_sense_is_refused_before_a_picture_is_read(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Edit(**options)
