"""Pictures on their way in, and what happens when something is wrong."""

from __future__ import annotations

import re
import threading

import pytest
from conftest import Open
from playwright.sync_api import expect
from studio import Studio, portrait

DROP = """([selector, type, data]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(data)], "dropped.png", { type: "image/png" }));
  const how = { bubbles: true, cancelable: true };
  const event = type === "paste"
    ? new ClipboardEvent("paste", { ...how, clipboardData: files })
    : new DragEvent(type, { ...how, dataTransfer: files });
  document.querySelector(selector).dispatchEvent(event);
}"""


def test_a_dropped_picture_is_taken_and_the_veil_shows_where(studio: Studio) -> None:
    data = list(portrait())
    studio.page.evaluate(DROP, ["main", "dragenter", data])
    expect(studio.get("#veil")).to_be_visible()
    studio.page.evaluate(DROP, ["main", "drop", data])
    expect(studio.get("#veil")).to_be_hidden()
    expect(studio.canvas).to_be_visible()


def test_a_pasted_picture_is_taken(studio: Studio) -> None:
    studio.page.evaluate(DROP, ["body", "paste", list(portrait())])
    expect(studio.canvas).to_be_visible()


def test_the_sample_is_one_press_away(studio: Studio) -> None:
    studio.get("#sample").click()
    expect(studio.canvas).to_be_visible()
    expect(studio.thumbs).to_have_count(1)


def test_removing_the_last_picture_leads_back_to_the_start(studio: Studio) -> None:
    studio.add_and_wait()
    studio.get(".thumb .remove").click()
    expect(studio.get("#hero")).to_be_visible()
    expect(studio.get("#choose")).to_be_focused()


def test_a_text_that_is_called_jpg_is_refused_in_words_and_stands_beside_the_good_ones(studio: Studio) -> None:
    studio.add(("good.png", portrait()), ("notes.jpg", b"not a picture at all\n" * 9), ("fine.png", portrait()))
    expect(studio.get("#strip-progress")).to_have_text("2 of 3 done")
    expect(studio.get("#strip-failed")).to_contain_text("1 failed")
    studio.thumbs.nth(1).locator("button").first.click()
    card = studio.get("#failed")
    expect(card).to_be_visible()
    expect(studio.get("#failed-title")).to_have_text(re.compile("picture", re.I))
    expect(studio.get("#failed-detail")).to_have_text(re.compile("JPEG"))
    expect(studio.get("#failed-name")).to_have_text("notes.jpg")
    expect(studio.get("#save-one")).to_be_disabled()
    thumb = studio.thumbs.nth(1).locator("button").first
    expect(thumb).to_have_accessible_name("notes.jpg, failed: The picture cannot be read")
    expect(thumb).to_have_text("Unreadable")
    expect(thumb).to_have_attribute("title", "notes.jpg\nThe picture cannot be read")
    studio.get("#failed-remove").click()
    expect(studio.canvas).to_be_visible()


def test_what_the_server_refuses_is_not_offered_to_be_tried_again(studio: Studio) -> None:
    studio.add(("notes.jpg", b"not a picture at all\n" * 9), ("empty.jpg", b"none either"))
    expect(studio.get("#strip-failed")).to_contain_text("2 failed")
    expect(studio.get("#failed-remove")).to_be_visible()
    expect(studio.get("#failed-retry")).to_be_hidden()
    expect(studio.get("#retry-all")).to_be_hidden()


def test_the_note_about_nobody_leaves_the_picture_free(studio: Studio) -> None:
    studio.add_and_wait("meadow.png", portrait(person=False))
    note = studio.get("#note").bounding_box()
    assert note is not None
    fitted = studio.view()
    assert studio.point(0, 0)[1] > note["y"] + note["height"]
    studio.get("#note-close").click()
    assert studio.view()[2] < fitted[2]


def test_nobody_in_the_picture_is_a_friendly_note_and_no_error(studio: Studio) -> None:
    studio.add_and_wait("meadow.png", portrait(person=False))
    expect(studio.get("#note")).to_contain_text("Nobody in this picture")
    expect(studio.get("#failed")).to_be_hidden()
    expect(studio.get("#say")).to_have_text("meadow.png: nobody found.")
    studio.get("#note-close").click()
    expect(studio.get("#note")).to_be_hidden()


def test_a_busy_server_is_waited_for_visibly_and_asked_again(failing_studio: Studio) -> None:
    failing_studio.add(("busy-1.png", portrait()))
    expect(failing_studio.get("#working-text")).to_have_text("The server is busy. Trying again in 1 s")
    expect(failing_studio.canvas).to_be_visible()


def test_a_picture_can_be_taken_away_while_the_server_is_busy(failing_studio: Studio) -> None:
    failing_studio.add(("always-busy-1.png", portrait()))
    expect(failing_studio.get("#working-text")).to_contain_text("busy")
    failing_studio.get(".thumb .remove").click()
    expect(failing_studio.get("#hero")).to_be_visible()


def test_a_key_is_asked_for_only_when_the_server_wants_one_and_work_goes_on(failing_studio: Studio) -> None:
    dialog = failing_studio.get("#key-dialog")
    expect(dialog).to_be_hidden()
    failing_studio.add(("locked-1.png", portrait()))
    expect(dialog).to_be_visible()
    expect(failing_studio.get("#key-refused")).to_be_hidden()
    failing_studio.get("#key").fill("wrong")
    failing_studio.page.keyboard.press("Enter")
    expect(failing_studio.get("#key-refused")).to_be_visible()
    failing_studio.get("#key").fill("open sesame")
    failing_studio.page.keyboard.press("Enter")
    expect(failing_studio.canvas).to_be_visible()
    expect(dialog).to_be_hidden()


def test_a_key_that_is_not_given_can_be_given_later(failing_studio: Studio) -> None:
    failing_studio.add(*[(f"locked-{n}.png", portrait()) for n in range(2, 6)])
    failing_studio.get("#key-cancel").click()
    expect(failing_studio.get("#strip-failed")).to_contain_text("4 failed")
    expect(failing_studio.get("#failed-title")).to_have_text("An API key is needed")
    failing_studio.add(("open.png", portrait()))
    expect(failing_studio.canvas).to_be_visible()
    failing_studio.thumbs.nth(0).locator("button").first.click()
    failing_studio.get("#failed-retry").click()
    expect(failing_studio.get("#key-dialog")).to_be_visible()


def test_errors_without_words_get_the_pages_own_and_all_can_be_tried_again(failing_studio: Studio) -> None:
    failing_studio.add(("broken-1.png", portrait()), ("proxy-1.png", portrait()))
    expect(failing_studio.get("#strip-failed")).to_contain_text("2 failed")
    expect(failing_studio.get("#failed-title")).to_have_text("The server could not do this picture")
    expect(failing_studio.get("#failed-detail")).to_contain_text("500")
    failing_studio.thumbs.nth(1).locator("button").first.click()
    expect(failing_studio.get("#failed-title")).to_have_text("The answer is not a picture")
    with failing_studio.page.expect_response("**/matte"):
        failing_studio.get("#retry-all").click()


@pytest.mark.parametrize(
    ("locale", "title", "reason"),
    [("en-GB", "The picture is too large", "Too large"), ("zh-CN", "图片太大", "图片太大")],
)
def test_what_the_server_or_a_proxy_says_to_engineers_is_told_to_people_in_their_words(
    open_page: Open, failing_service: str, locale: str, title: str, reason: str
) -> None:
    studio = open_page(failing_service, locale=locale)
    studio.add(("large-1.png", portrait()), ("nginx-large-1.png", portrait()))
    for place in range(2):
        studio.open(place)
        expect(studio.get("#failed-title")).to_have_text(title)
        words = studio.get("#failed-detail").text_content() or ""
        assert words and not re.search(r"\d|bytes|pixels here", words)
        expect(studio.thumbs.nth(place).locator(".badge")).to_have_text(reason)
    # Who helps may want the server's own words; they are there when asked for.
    expect(studio.get("#failed-more")).to_be_hidden()
    studio.open(0)
    expect(studio.get("#failed-said")).to_be_hidden()
    studio.get("#failed-more summary").click()
    expect(studio.get("#failed-said")).to_have_text(
        "The picture is too large: a request may have 33,554,432 bytes here; this one has more."
    )


def test_a_lost_connection_is_told_and_the_picture_can_be_tried_again(failing_studio: Studio) -> None:
    failing_studio.page.context.set_offline(True)
    failing_studio.add(("later.png", portrait()))
    expect(failing_studio.get("#failed-title")).to_have_text("The server cannot be reached")
    failing_studio.page.context.set_offline(False)
    failing_studio.get("#failed-retry").click()
    expect(failing_studio.canvas).to_be_visible()


def test_pictures_can_be_opened_while_others_are_on_their_way(
    failing_studio: Studio, released: threading.Event
) -> None:
    # Nothing that the page says passes before it is looked at: the others wait for the test, and it for nothing.
    failing_studio.add(("quick.png", portrait()), *[(f"held-{n}.png", portrait()) for n in range(3)])
    expect(failing_studio.canvas).to_be_visible()
    expect(failing_studio.get("#strip-progress")).to_have_text("1 of 4 done")
    failing_studio.thumbs.nth(3).locator("button").first.click()
    expect(failing_studio.get("#working-text")).to_have_text("Waiting for its turn…")
    released.set()
    expect(failing_studio.get("#say")).to_have_text("All 4 pictures are done.")


@pytest.mark.parametrize(
    ("locale", "said"), [("en-GB", "2 of 3 pictures are done; 1 failed."), ("zh-CN", "3 张图片中 2 张完成，1 张失败。")]
)
def test_at_the_end_those_that_failed_are_not_called_done(
    open_page: Open, failing_service: str, locale: str, said: str
) -> None:
    studio = open_page(failing_service, locale=locale)
    studio.add(("a.png", portrait()), ("broken-b.png", portrait()), ("slow-c.png", portrait()))
    expect(studio.get("#say")).to_have_text(said)
