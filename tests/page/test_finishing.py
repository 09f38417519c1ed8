"""What the server lays around the people: the rules of shops and offices with their check, shadows, size and place."""

from __future__ import annotations

import io

import numpy as np
import pytest
from conftest import Open
from PIL import Image
from playwright.sync_api import expect
from studio import RED, SIZE, Studio, decoded, portrait


def test_the_rules_of_a_shop_make_the_picture_and_each_is_shown_with_its_figure(studio: Studio) -> None:
    studio.add_and_wait()
    studio.preset("amazon-main")
    expect(studio.get("#check-words")).to_contain_text("Meets all")
    subject = studio.get("#check-list li[data-rule=subject]")
    expect(subject).to_have_attribute("data-passed", "true")
    expect(subject).to_contain_text("How much people fill")
    expect(subject.locator(".rule-found")).to_contain_text("%")
    expect(studio.get("#preset-facts")).to_contain_text("2000 × 2000 px")
    name, data = studio.download()
    assert name == "portrait-amazon-main.jpg"
    assert Image.open(io.BytesIO(data)).size == (2000, 2000)
    assert decoded(data)[5, 5].min() >= 254


def test_what_breaks_a_rule_is_said_to_fail_and_stands_first(studio: Studio) -> None:
    studio.add_and_wait()
    studio.preset("amazon-main")
    studio.tool("background")
    studio.get("#own-colour").fill("#404040")
    studio.tool("shop")
    expect(studio.get("#check-head")).to_have_attribute("data-passed", "false")
    expect(studio.get("#check-words")).to_contain_text("1 of")
    first = studio.get("#check-list li").first
    expect(first).to_have_attribute("data-rule", "background")
    expect(first.locator("strong")).to_have_text("Fail")
    studio.get("#undo").click()
    expect(studio.get("#check-head")).to_have_attribute("data-passed", "true")


def test_the_check_speaks_the_pages_language(open_page: Open, service: str) -> None:
    studio = open_page(service, locale="zh-CN")
    studio.add_and_wait()
    studio.preset("amazon-main")
    expect(studio.get("#preset option:checked")).to_have_text("亚马逊主图")
    expect(studio.get("#check-words")).to_contain_text("符合全部")
    row = studio.get("#check-list li[data-rule=subject]")
    expect(row).to_contain_text("人物占画面")
    expect(row.locator(".rule-needed")).to_have_text("要求 至少 85 %（占画面）")


def test_rules_for_heads_say_where_the_people_are_and_others_let_them_be_placed(studio: Studio) -> None:
    studio.add_and_wait()
    studio.preset("id-35x45")
    studio.tool("place")
    expect(studio.get("#placed")).to_be_disabled()
    studio.preset("etsy")
    studio.tool("place")
    expect(studio.get("#placed")).to_be_enabled()
    studio.tool("shop")
    studio.get("#preset").select_option("")
    expect(studio.get("#check-head")).to_be_hidden()
    expect(studio.get("#stage")).to_have_attribute("data-finish", "off")


def test_a_shadow_lies_beside_the_people_on_the_stage_and_in_the_file(studio: Studio) -> None:
    studio.add_and_wait()
    plain = decoded(studio.download()[1])
    studio.tool("place")
    studio.choose("shadow", "drop")
    studio.finished()
    expect(studio.get("#divider")).to_be_hidden()
    name, data = studio.download()
    assert name == "portrait-cutout.png"
    pixels = decoded(data)
    assert pixels.shape == plain.shape
    fresh = (plain[..., 3] == 0) & (pixels[..., 3] > 10)
    assert fresh.any() and (pixels[fresh][:, :3] == 0).all()
    y, x = (int(place[len(place) // 2]) for place in np.nonzero(fresh))
    shown = studio.pixel(x, y)
    studio.choose("shadow", "none")
    expect(studio.get("#stage")).to_have_attribute("data-finish", "off")
    studio.plain()
    assert sum(studio.pixel(x, y)[:3]) > sum(shown[:3])


def test_people_are_made_smaller_and_moved(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("place")
    studio.get("#placed").check()
    studio.set_range("#place-scale", 50)
    studio.set_range("#place-x", 0)
    studio.set_range("#place-y", 0)
    studio.finished()
    pixels = decoded(studio.download()[1])
    assert pixels.shape == (SIZE[1], SIZE[0], 4)
    ys, xs = np.nonzero(pixels[..., 3] > 127)
    # By half of the side that people fill first; the edge of a mask is a few pixels wide.
    assert max(np.ptp(ys) / SIZE[1], np.ptp(xs) / SIZE[0]) == pytest.approx(0.5, abs=0.03)
    assert xs.min() <= 3 and ys.min() <= 3
    assert studio.pixel(int(xs.min()) + 10, int(ys.min()) + 10) == (*RED, 255)


def test_a_blurred_room_and_a_picture_go_behind_a_finished_picture_too(studio: Studio) -> None:
    studio.add_and_wait()
    studio.choose("kind", "blur")
    studio.tool("place")
    studio.choose("shadow", "contact")
    studio.finished()
    pixels = decoded(studio.download()[1])
    assert pixels.shape == (SIZE[1], SIZE[0], 3)
    # The room is one grey, and far from the feet there is no shadow.
    assert np.abs(pixels[5, 5].astype(int) - 60).max() <= 3


def test_a_jpeg_with_a_shadow_lies_on_white(studio: Studio) -> None:
    studio.add_and_wait()
    studio.tool("place")
    studio.choose("shadow", "drop")
    studio.choose("format", "jpeg")
    name, data = studio.download()
    assert name == "portrait-cutout.jpg"
    assert decoded(data)[3, 3].min() >= 253


def test_a_reload_keeps_the_rules_and_the_check_comes_back(studio: Studio) -> None:
    studio.add_and_wait()
    studio.preset("etsy")
    studio.reload()
    studio.finished()
    studio.tool("shop")
    expect(studio.get("#preset")).to_have_value("etsy")
    expect(studio.get("#check-list li").first).to_be_visible()


def test_a_server_without_rules_says_so_and_a_failed_finish_is_told(failing_studio: Studio) -> None:
    failing_studio.add_and_wait()
    failing_studio.tool("shop")
    expect(failing_studio.get("#preset-facts")).to_have_text("This server has no rules to choose from.")
    failing_studio.page.route("**/finish", lambda route: route.fulfill(status=500, body=""))
    failing_studio.tool("place")
    failing_studio.choose("shadow", "drop")
    expect(failing_studio.get("#stage")).to_have_attribute("data-finish", "failed")
    expect(failing_studio.get("#toast")).to_have_text("The server could not do this picture")
    failing_studio.choose("shadow", "none")
    expect(failing_studio.get("#stage")).to_have_attribute("data-finish", "off")


def test_a_finish_goes_to_all_pictures_but_a_turn_does_not(studio: Studio) -> None:
    studio.add(("a.png", portrait()), ("b.png", portrait()))
    expect(studio.get("#strip-progress")).to_have_text("2 of 2 done")
    studio.tool("crop")
    studio.get("[data-turn=right]").click()
    studio.remade()
    studio.preset("shopify-square")
    studio.get("#use-all").click()
    studio.open(1)
    studio.finished()
    expect(studio.get("#preset")).to_have_value("shopify-square")
    studio.tool("crop")
    expect(studio.get("#crop-size")).to_have_text(f"{SIZE[0]} × {SIZE[1]} px")
