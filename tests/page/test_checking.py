"""How far to trust a cut-out: the verdict with its reasons, where they are, and the alpha."""

from __future__ import annotations

import io

import pytest
from conftest import Open
from PIL import Image
from playwright.sync_api import expect
from studio import GREY, PERSON, RED, SIZE, Studio, portrait


def test_the_verdict_is_told_with_its_reasons_and_marks_show_where(studio: Studio) -> None:
    studio.add_and_wait()
    expect(studio.get("#marks")).to_be_hidden()
    studio.tool("quality")
    expect(studio.get("#verdict-title")).to_have_text("Looks good")
    expect(studio.get("#verdict-score")).to_contain_text("of 100 sure")
    # The lower edge of the picture cuts the person off.
    reason = studio.get("#reasons button[data-code=cut-bottom]")
    expect(reason).to_contain_text("Cut off at the bottom")
    mark = studio.get(".mark-box[data-code=cut-bottom]")
    expect(mark).to_be_visible()
    box = mark.bounding_box()
    left, bottom = studio.point(PERSON[0] - 0.5, SIZE[1] - 0.5)
    right, _ = studio.point(PERSON[2] - 0.5, 0)
    assert box is not None
    scale = studio.view()[0]
    # The mask has a quarter of the size.
    assert box["x"] == pytest.approx(left, abs=6 * scale)
    assert box["x"] + box["width"] == pytest.approx(right, abs=6 * scale)
    assert box["y"] + box["height"] == pytest.approx(bottom, abs=2 * scale)
    before = studio.view()[0]
    reason.click()
    assert studio.view()[0] > before
    expect(mark).to_be_visible()
    studio.tool("background")
    expect(studio.get("#marks")).to_be_hidden()


def test_a_loose_bit_is_named_where_it_is_and_turns_with_the_picture(studio: Studio) -> None:
    image = Image.new("RGB", (200, 160), GREY)
    image.paste(RED, (60, 40, 140, 160))
    image.paste(RED, (10, 10, 20, 20))
    out = io.BytesIO()
    image.save(out, "PNG")
    studio.add_and_wait("scrap.png", out.getvalue())
    studio.tool("quality")
    mark = studio.get(".mark-box[data-code=scraps]")
    for middle in ((15, 15), (SIZE[1] - 15, 15)):
        box = mark.bounding_box()
        x, y = studio.point(*middle)
        assert box is not None
        assert box["x"] - 4 <= x <= box["x"] + box["width"] + 4
        assert box["y"] - 4 <= y <= box["y"] + box["height"] + 4
        studio.tool("crop")
        studio.get("[data-turn=right]").click()
        studio.remade()
        studio.tool("quality")


def test_black_and_white_shows_what_stays_and_what_goes(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("quality")
    assert studio.pixel(100, 100) == (*RED, 255)
    studio.get("#alpha-view").click()
    expect(studio.get("#alpha-view")).to_have_attribute("aria-pressed", "true")
    assert studio.pixel(100, 100) == (255, 255, 255, 255)
    assert studio.pixel(20, 20) == (0, 0, 0, 255)
    studio.tool("background")
    studio.plain()
    assert studio.pixel(100, 100) == (*RED, 255)


def test_where_the_server_gives_no_verdict_the_page_says_so(failing_studio: Studio) -> None:
    failing_studio.add_and_wait()
    failing_studio.tool("quality")
    expect(failing_studio.get("#verdict-title")).to_have_text("No opinion")
    expect(failing_studio.get("#verdict-text")).to_have_text("This model cannot say how sure it is.")
    expect(failing_studio.get("#reasons button")).to_have_count(0)


def test_the_reasons_are_told_in_chinese_and_outlive_a_reload(open_page: Open, service: str) -> None:
    studio = open_page(service, locale="zh-CN")
    studio.add_and_wait(data=portrait())
    studio.reload()
    expect(studio.canvas).to_be_visible()
    studio.tool("quality")
    expect(studio.get("#reasons button[data-code=cut-bottom]")).to_contain_text("下方被截断")
