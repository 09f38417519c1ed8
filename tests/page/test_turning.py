"""Turns and mirror images, and the handles of the crop frame's sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import expect
from studio import PERSON, SIZE, Studio, decoded, portrait

# What numpy calls each turn of an array of rows.
TURNS = {"right": (-1, False), "left": (1, False), "mirror": (0, True)}
SIDE = portrait(box=(20, 40, 100, 160), soft=2)


def turned(pixels: Any, which: str) -> Any:
    """An array of rows, turned as the button does."""
    quarters, mirror = TURNS[which]
    return np.rot90(pixels, quarters)[:, ::-1] if mirror else np.rot90(pixels, quarters)


def test_a_turned_file_is_the_cut_out_turned_pixel_by_pixel(studio: Studio) -> None:
    studio.add_and_wait(data=SIDE)
    expected = decoded(studio.download()[1])
    studio.tool("crop")
    for step in ("right", "mirror", "right", "left", "left"):
        studio.get(f"[data-turn={step}]").click()
        studio.remade()
        expected = turned(expected, step)
        assert np.array_equal(decoded(studio.download()[1]), expected), step


def test_strokes_and_a_drawn_frame_turn_with_the_picture(studio: Studio) -> None:
    studio.add_and_wait(data=SIDE)
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.drag((60, 80), (70, 100))
    studio.tool("crop")
    studio.drag((0, 0), (10, 30))
    before = decoded(studio.download()[1])
    for step in ("right", "mirror"):
        studio.get(f"[data-turn={step}]").click()
        studio.remade()
        before = turned(before, step)
    after = decoded(studio.download()[1])
    assert after.shape == before.shape
    # A stroke's own arithmetic is done anew in the turned picture.
    assert np.abs(after.astype(int) - before).max() <= 2


def test_the_original_beside_the_result_turns_too(studio: Studio) -> None:
    studio.add_and_wait(data=SIDE)
    studio.tool("crop")
    studio.get("[data-turn=right]").click()
    studio.remade()
    studio.tool("background")
    expect(studio.get("#divider")).to_be_visible()
    # Upright this is (170, 140), beside the person.
    assert studio.pixel(20, 170)[:3] == (60, 60, 60)


def test_a_turn_outlives_a_reload(studio: Studio) -> None:
    studio.add_and_wait(data=SIDE)
    studio.tool("crop")
    studio.get("[data-turn=left]").click()
    studio.remade()
    made = studio.download()[1]
    studio.reload()
    expect(studio.canvas).to_be_visible()
    assert np.array_equal(decoded(studio.download()[1]), decoded(made))


def test_a_side_of_the_crop_frame_moves_alone(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("crop")
    for start, end, size in (
        ((100, 0), (100, 30), (200, 130)),
        ((100, 160), (90, 120), (200, 90)),
        ((0, 80), (50, 90), (150, 90)),
        ((200, 80), (140, 60), (90, 90)),
    ):
        # Between pixels is where the frame's side is.
        studio.drag((start[0] - 0.5, start[1] - 0.5), (end[0] - 0.5, end[1] - 0.5))
        expect(studio.get("#crop-size")).to_have_text(f"{size[0]} × {size[1]} px")
    expect(studio.get("[data-corner=n]")).to_have_accessible_name("Top side. Arrow keys move it.")
    studio.get("[data-corner=e]").focus()
    studio.page.keyboard.press("ArrowLeft")
    expect(studio.get("#crop-size")).not_to_have_text("90 × 90 px")


def test_a_side_keeps_a_chosen_shape_about_the_middle(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("crop")
    studio.choose("aspect", "1:1")
    expect(studio.get("#crop-size")).to_have_text(f"{SIZE[1]} × {SIZE[1]} px")
    right = int((PERSON[0] + PERSON[2]) / 2 + SIZE[1] / 2)
    studio.drag((right - 0.5, 79.5), (right - 40.5, 79.5))
    expect(studio.get("#crop-size")).to_have_text("120 × 120 px")
