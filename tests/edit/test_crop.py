"""Where the people are, and pictures cropped, scaled and placed by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bshm.edit.crop import Box, arrange, foreground_box
from bshm.edit.words import Length, Margins, parse_length, parse_margins
from bshm.errors import OptionError, ShapeError


@given(height=some.integers(1, 40), width=some.integers(1, 40), data=some.data())
def test_a_box_of_people_is_found_exactly(height: int, width: int, data: some.DataObject) -> None:
    top, left = data.draw(some.integers(0, height - 1)), data.draw(some.integers(0, width - 1))
    box = Box(top, left, data.draw(some.integers(1, height - top)), data.draw(some.integers(1, width - left)))
    alpha = np.zeros((height, width), np.float32)
    alpha[box.top : box.top + box.height, box.left : box.left + box.width] = 1
    assert foreground_box(alpha) == box


def test_haze_does_not_widen_the_box() -> None:
    alpha = np.full((20, 20), 0.05, np.float32)
    assert foreground_box(alpha) is None
    alpha[5:8, 6:10] = 1
    assert foreground_box(alpha) == Box(5, 6, 3, 4)


@given(
    box=some.tuples(some.integers(0, 9), some.integers(0, 9), some.integers(1, 6), some.integers(1, 6)),
    margins=some.tuples(*[some.integers(0, 12)] * 4),
)
def test_a_crop_is_a_cut_out_of_the_padded_picture(
    box: tuple[int, int, int, int], margins: tuple[int, int, int, int]
) -> None:
    layer = np.arange(1, 15 * 15 + 1, dtype=np.uint16).reshape(15, 15)
    top, right, bottom, left = margins
    (found,) = arrange([layer], Box(*box), crop=True, margins=Margins(*(Length(m, "px") for m in margins)))
    padded = np.pad(layer, 12)
    y, x, height, width = box[0] + 12, box[1] + 12, box[2], box[3]
    expected = padded[y - top : y + height + bottom, x - left : x + width + right]
    np.testing.assert_array_equal(found, expected)


def test_without_wishes_nothing_moves() -> None:
    layer = np.random.default_rng(0).integers(0, 255, (7, 9, 3), np.uint8)
    np.testing.assert_array_equal(arrange([layer], Box(1, 2, 3, 4))[0], layer)


@pytest.mark.parametrize(
    ("position", "top", "left"), [((0, 0), 0, 0), ((1, 1), 60, 80), ((0.5, 0.5), 30, 40), ((0, 1), 60, 0)]
)
def test_a_position_is_a_share_of_the_room_that_is_left(position: tuple[float, float], top: int, left: int) -> None:
    alpha = np.zeros((100, 100), np.float32)
    alpha[10:50, 30:50] = 1
    (moved,) = arrange([alpha], Box(10, 30, 40, 20), position=position)
    assert foreground_box(np.asarray(moved)) == Box(top, left, 40, 20)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0])
def test_a_scale_is_the_share_of_the_canvas(scale: float) -> None:
    alpha = np.zeros((200, 100), np.float32)
    alpha[10:50, 30:50] = 1
    (moved,) = arrange([alpha], Box(10, 30, 40, 20), scale=scale)
    found = foreground_box(np.asarray(moved))
    # A soft edge of one pixel on both sides comes from the bilinear resize.
    assert found is not None and abs(found.height - 200 * scale) <= 2 and abs(found.width - 100 * scale) <= 2


def test_where_the_picture_ends_a_mirrored_layer_goes_on() -> None:
    layer = np.arange(4 * 5 * 3, dtype=np.uint16).reshape(4, 5, 3)
    around = Margins(*[Length(3, "px")] * 4)
    (found,) = arrange([layer], Box(0, 0, 4, 5), crop=True, margins=around, mirrored=True)
    np.testing.assert_array_equal(found, np.pad(layer, ((3, 3), (3, 3), (0, 0)), "symmetric"))


def test_a_tiny_box_on_a_large_canvas_costs_no_more_than_the_canvas() -> None:
    alpha = np.zeros((2000, 2000), np.float32)
    alpha[1000, 1000] = 1
    (moved,) = arrange([alpha], Box(1000, 1000, 1, 1), scale=1.0)
    assert moved.shape == (2000, 2000) and moved.max() == 1


@pytest.mark.parametrize("text", ["", "x", "10pt", "-1px", "1px 2px 3px", "51%", "501px", "1e9px", "9" * 40, "nan%"])
def test_margins_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(OptionError):
        parse_margins(text)


def test_lengths_round_half_up() -> None:
    assert [parse_length(text).of(5) for text in ("0", "50%", "30%", "12.5px")] == [0, 3, 2, 13]


def test_layers_of_different_sizes_are_refused() -> None:
    with pytest.raises(ShapeError):
        arrange([np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)], Box(0, 0, 1, 1))
    with pytest.raises(ShapeError):
        arrange([], Box(0, 0, 1, 1))
