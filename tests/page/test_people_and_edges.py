"""Who stays, and how their edges are: made by the server, beneath the strokes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from studio import GREY, RED, Studio, decoded

LEFT, RIGHT = (16, 20, 56, 90), (100, 40, 130, 90)


@pytest.fixture
def two() -> bytes:
    """A large person on the left, a smaller one on the right."""
    image = Image.new("RGB", (160, 96), GREY)
    for box in (LEFT, RIGHT):
        image.paste(RED, box)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def seen(studio: Studio) -> tuple[bool, bool]:
    """Whether the left and the right person are in the file."""
    alpha = decoded(studio.download()[1])[..., 3]
    return bool(alpha[60, 36] == 255), bool(alpha[60, 115] == 255)


def test_people_are_found_and_switched_off_and_on(studio: Studio, two: bytes) -> None:
    studio.add_and_wait("two.png", two)
    studio.tool("touch")
    assert seen(studio) == (True, True)
    studio.get("#people-find").click()
    chips = studio.get("#people-chips label")
    expect(chips).to_have_count(2)
    expect(studio.get("#people-text")).to_contain_text("2 people")
    chips.nth(1).click()
    studio.remade()
    assert seen(studio) == (True, False)
    expect(chips.nth(1).locator("input")).not_to_be_checked()
    chips.nth(0).click()
    chips.nth(1).click()
    studio.remade()
    assert seen(studio) == (False, True)
    studio.get("#undo").click()
    studio.get("#undo").click()
    studio.remade()
    assert seen(studio) == (True, False)
    studio.get("#undo").click()
    studio.remade()
    assert seen(studio) == (True, True)


def test_who_was_taken_out_stays_out_after_a_reload(studio: Studio, two: bytes) -> None:
    studio.add_and_wait("two.png", two)
    studio.tool("touch")
    studio.get("#people-find").click()
    studio.get("#people-chips label").nth(0).click()
    studio.remade()
    studio.reload()
    expect(studio.canvas).to_be_visible()
    assert seen(studio) == (False, True)
    studio.tool("touch")
    expect(studio.get("#people-chips input").nth(0)).not_to_be_checked()


def test_one_person_alone_has_no_chip(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("touch")
    studio.get("#people-find").click()
    expect(studio.get("#people-text")).to_have_text("There is one person.")
    expect(studio.get("#people-chips label")).to_have_count(0)


def test_edges_are_moved_out_and_in(studio: Studio) -> None:
    studio.add_and_wait()
    plain = (decoded(studio.download()[1])[..., 3] > 127).sum()
    studio.tool("touch")
    studio.get("#edges summary").click()
    studio.set_range("#edge-grow", -4)
    studio.remade()
    tight = (decoded(studio.download()[1])[..., 3] > 127).sum()
    studio.set_range("#edge-grow", 4)
    studio.remade()
    wide = (decoded(studio.download()[1])[..., 3] > 127).sum()
    assert tight < plain < wide
    expect(studio.get("#edge-grow-value")).to_have_text("+4 px")


def test_loose_bits_go_and_strokes_stay_on_top(studio: Studio) -> None:
    image = Image.new("RGB", (200, 160), GREY)
    image.paste(RED, (60, 40, 140, 160))
    image.paste(RED, (10, 10, 22, 22))
    out = io.BytesIO()
    image.save(out, "PNG")
    studio.add_and_wait("scrap.png", out.getvalue())
    assert decoded(studio.download()[1])[16, 16, 3] == 255
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.set_range("#softness", 0)
    studio.drag((100, 100), (105, 100))
    studio.get("#edges summary").click()
    studio.set_range("#edge-islands", 20)
    studio.remade()
    alpha = decoded(studio.download()[1])[..., 3]
    assert (alpha[16, 16], alpha[100, 102], alpha[140, 100]) == (0, 0, 255)


def test_what_cannot_be_done_is_told_and_leaves_all_as_it_was(studio: Studio) -> None:
    studio.add_and_wait()
    before = decoded(studio.download()[1])
    studio.page.route("**/finish", lambda route: route.fulfill(status=500, body=""))
    studio.tool("touch")
    studio.get("#edges summary").click()
    studio.set_range("#edge-feather", 3)
    expect(studio.get("#toast")).to_have_text("The server could not do this picture")
    studio.remade()
    expect(studio.get("#edge-feather")).to_have_value("0")
    expect(studio.get("#undo")).to_be_disabled()
    assert np.array_equal(decoded(studio.download()[1]), before)
