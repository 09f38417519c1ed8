"""Undo and redo: one row of steps for strokes, background, frame, turns, people, edges and all that is finished."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect
from studio import SIZE, Studio, decoded

INSIDE = (100, 100)


def test_all_kinds_of_changes_are_taken_back_in_their_order_and_made_again(studio: Studio) -> None:
    studio.add_and_wait()
    made = [studio.download()[1]]
    studio.choose("kind", "colour")
    made.append(studio.download()[1])
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.drag(INSIDE, (110, 100))
    made.append(studio.download()[1])
    studio.tool("crop")
    studio.choose("crop", "subject")
    made.append(studio.download()[1])
    studio.get("[data-turn=left]").click()
    studio.remade()
    made.append(studio.download()[1])
    for step in reversed(made[:-1]):
        studio.get("#undo").click()
        studio.remade()
        assert (decoded(studio.download()[1]) == decoded(step)).all()
    expect(studio.get("#undo")).to_be_disabled()
    for step in made[1:]:
        studio.get("#redo").click()
        studio.remade()
        assert (decoded(studio.download()[1]) == decoded(step)).all()
    expect(studio.get("#redo")).to_be_disabled()


def test_the_panes_show_what_came_back(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "gradient")
    studio.set_range("#angle", 40)
    studio.set_range("#angle", 90)
    studio.get("#undo").click()
    expect(studio.get("#angle")).to_have_value("40")
    studio.get("#undo").click()
    studio.get("#undo").click()
    expect(studio.get("input[name=kind][value=none]")).to_be_checked()


def test_one_drag_is_one_step(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("crop")
    studio.drag((0, 0), (20, 10), (30, 20), (40, 30))
    expect(studio.get("#crop-size")).to_have_text("160 × 130 px")
    studio.get("#undo").click()
    expect(studio.get("#crop-size")).to_have_text(f"{SIZE[0]} × {SIZE[1]} px")
    expect(studio.get("#undo")).to_be_disabled()


def test_the_keys_work_in_every_tool_but_not_in_a_field_of_text(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "colour")
    studio.get("#own-colour").fill("#102030")
    studio.get("#own-colour-code").focus()
    studio.page.keyboard.press("Control+z")
    expect(studio.get("#own-colour")).to_have_value("#102030")
    studio.tool("quality")
    studio.page.keyboard.press("Control+z")
    expect(studio.get("#own-colour")).to_have_value("#ffffff")
    studio.page.keyboard.press("Control+y")
    expect(studio.get("#own-colour")).to_have_value("#102030")


def test_a_new_change_leaves_nothing_to_do_again(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "colour")
    studio.get("#undo").click()
    expect(studio.get("#redo")).to_be_enabled()
    studio.choose("kind", "gradient")
    expect(studio.get("#redo")).to_be_disabled()


def test_every_picture_has_steps_of_its_own(studio: Studio) -> None:
    studio.add_and_wait("a.png")
    studio.choose("kind", "colour")
    studio.add_and_wait("b.png")
    expect(studio.thumbs.nth(1).locator("button").first).to_have_attribute("aria-current", "true")
    expect(studio.get("#undo")).to_be_disabled()
    studio.open(0)
    expect(studio.get("#undo")).to_be_enabled()
    studio.get("#undo").click()
    expect(studio.get("input[name=kind][value=none]")).to_be_checked()


def test_strokes_that_came_back_with_a_reload_can_still_be_taken_back(studio: Studio) -> None:
    studio.page.on("dialog", lambda dialog: dialog.accept())
    studio.add_and_wait()
    before = decoded(studio.download()[1])
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.drag(INSIDE, (110, 100))
    studio.drag((90, 60), (95, 60))
    studio.reload()
    expect(studio.canvas).to_be_visible()
    for _ in range(2):
        studio.get("#undo").click()
    expect(studio.get("#undo")).to_be_disabled()
    assert np.array_equal(decoded(studio.download()[1]), before)
