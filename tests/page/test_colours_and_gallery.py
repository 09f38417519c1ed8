"""A colour by its code or off the screen, and the pictures that stood behind people before."""

from __future__ import annotations

import io

import pytest
from conftest import Open
from PIL import Image
from playwright.sync_api import expect
from studio import Studio, decoded, portrait

# Chromium's own eyedropper waits for a press anywhere on the screen, which a test has not.
PICKED = "window.EyeDropper = class { async open() { return { sRGBHex: '#0a7b3c' }; } };"
LEFT = "window.EyeDropper = class { async open() { throw new DOMException('left', 'AbortError'); } };"


def test_a_colour_is_typed_by_its_code(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "colour")
    typed = {"#1e90ff": "#1e90ff", "#abc": "#aabbcc", "2E90FF": "#2e90ff", "30, 144, 255": "#1e90ff"}
    for words, colour in typed.items():
        studio.get("#own-colour-code").fill(words)
        expect(studio.get("#own-colour")).to_have_value(colour)
    assert tuple(decoded(studio.download()[1])[5, 5]) == (0x1E, 0x90, 0xFF)


def test_what_is_no_colour_is_marked_and_changes_nothing(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "colour")
    code = studio.get("#own-colour-code")
    code.fill("#12345")
    expect(code).to_have_attribute("aria-invalid", "true")
    expect(studio.get("#own-colour")).to_have_value("#ffffff")
    code.blur()
    expect(code).to_have_value("#ffffff")
    expect(code).to_have_attribute("aria-invalid", "false")
    code.fill("300, 0, 0")
    expect(code).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize(("dropper", "colour"), [(PICKED, "#0a7b3c"), (LEFT, "#ffffff")])
def test_a_colour_is_picked_from_the_screen_or_stays(open_page: Open, service: str, dropper: str, colour: str) -> None:
    studio = open_page("about:blank", address=service)
    studio.page.add_init_script(dropper)
    studio.page.goto(service)
    studio.add_and_wait()
    studio.choose("kind", "colour")
    studio.get("#own-colour-drop").click()
    expect(studio.get("#own-colour-code")).to_have_value(colour)
    assert tuple(decoded(studio.download()[1])[5, 5]) == tuple(bytes.fromhex(colour[1:]))


def test_where_there_is_no_eyedropper_there_is_no_button(open_page: Open, service: str) -> None:
    studio = open_page("about:blank", address=service)
    studio.page.add_init_script("delete window.EyeDropper;")
    studio.page.goto(service)
    studio.add_and_wait()
    studio.choose("kind", "colour")
    expect(studio.get("#own-colour-code")).to_be_visible()
    expect(studio.get("#own-colour-drop")).to_have_count(0)


def behind(colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


def test_pictures_that_stood_behind_people_are_taken_again_at_a_press(studio: Studio) -> None:
    studio.add(("a.png", portrait()), ("b.png", portrait()))
    expect(studio.get("#strip-progress")).to_have_text("2 of 2 done")
    studio.choose("kind", "picture")
    for name, colour in (("sea.png", (10, 90, 200)), ("meadow.png", (10, 200, 90))):
        studio.page.set_input_files("#backdrop-file", {"name": name, "mimeType": "image/png", "buffer": behind(colour)})
        expect(studio.get("#backdrop-name")).to_have_text(name)
    recents = studio.get("#recents button")
    expect(recents).to_have_count(2)
    expect(recents.nth(0)).to_have_attribute("aria-pressed", "true")
    recents.nth(1).click()
    expect(studio.get("#backdrop-name")).to_have_text("sea.png")
    assert tuple(decoded(studio.download()[1])[5, 5]) == (10, 90, 200)
    # Of the album, not of one picture.
    studio.open(1)
    expect(studio.canvas).to_be_visible()
    with studio.page.expect_file_chooser():
        studio.choose("kind", "picture")
    expect(studio.get("#recents button")).to_have_count(2)
    studio.reload()
    expect(studio.canvas).to_be_visible()
    studio.open(0)
    expect(studio.get("#recents button")).to_have_count(1)
    expect(studio.get("#recents button").nth(0)).to_have_accessible_name("sea.png")
