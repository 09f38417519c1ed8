"""The page by keyboard, by screen reader, on a phone, in two languages and two themes, and closed to others."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Open
from playwright.sync_api import expect
from studio import PERSON, Studio, portrait

from bshm.server import statuses

STATIC = Path(__file__).resolve().parents[2] / "src/bshm/web"
PHONE = {"viewport": {"width": 360, "height": 700}, "device_scale_factor": 3, "has_touch": True, "is_mobile": True}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize(
    ("scheme", "rules"),
    # Themes differ in colours only.
    [("light", RULES), ("dark", {"type": "rule", "values": ["color-contrast"]})],
)
def test_axe_finds_nothing_in_any_state(open_page: Open, service: str, scheme: str, rules: object) -> None:
    # Without motion: axe would measure the contrast of words that are half faded in.
    studio = open_page(service, color_scheme=scheme, reduced_motion="reduce")

    def violations() -> list[str]:
        found = Axe().run(studio.page, options={"runOnly": rules}).response["violations"]
        return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]

    assert violations() == []
    studio.add(("good.png", portrait()), ("notes.jpg", b"not a picture"))
    expect(studio.get("#strip-failed")).to_contain_text("1 failed")
    expect(studio.canvas).to_be_visible()
    for tool in ("background", "shop", "place", "touch", "crop", "quality"):
        studio.tool(tool)
        if tool == "background":
            studio.choose("kind", "gradient")
        elif tool == "shop":
            studio.preset("amazon-main")
        elif tool == "place":
            studio.get("#placed").check()
        elif tool == "touch":
            studio.get("#edges summary").click()
        assert violations() == [], tool
    studio.thumbs.nth(1).locator("button").first.click()
    expect(studio.get("#failed")).to_be_visible()
    assert violations() == []
    studio.get("#clear").click()
    expect(studio.get("#clear-dialog")).to_be_visible()
    assert violations() == []


def test_all_can_be_done_without_a_pointer(studio: Studio) -> None:
    page = studio.page
    expect(studio.get("#model")).to_be_visible()
    page.keyboard.press("Tab")
    expect(studio.get(".skip")).to_be_focused()
    names = []
    for _ in range(9):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.id"))
    assert names == [
        "to-pictures",
        "to-live",
        "to-video",
        "model",
        "language",
        "theme",
        "choose",
        "sample",
        "hero-split",
    ]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(studio.canvas).to_be_visible()
    expect(studio.get("#say")).to_have_text("astronaut.jpg is cut out.")
    # The button that was pressed is gone with the start page; focus goes on with the picture.
    expect(studio.thumbs.first.locator("button").first).to_be_focused()
    for selector in ("#canvas", "#divider"):
        studio.get(selector).focus()
        expect(studio.get(selector)).to_be_focused()
    studio.get("#tab-background").focus()
    for name in ("shop", "place", "touch", "crop"):
        page.keyboard.press("ArrowRight")
        expect(studio.get(f"#tab-{name}")).to_be_focused()
        expect(studio.get(f"#pane-{name}")).to_be_visible()
    page.keyboard.press("End")
    expect(studio.get("#pane-quality")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(studio.get("input[name=crop][value=subject]")).to_be_checked()


def test_focus_is_visible(studio: Studio) -> None:
    for _ in range(4):
        studio.page.keyboard.press("Tab")
    style = studio.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_the_language_follows_the_browser_and_the_button(open_page: Open, service: str) -> None:
    studio = open_page(service, locale="zh-CN")
    html = studio.get("html")
    expect(html).to_have_attribute("lang", "zh-Hans")
    expect(studio.get("#choose")).to_have_text("选择图片")
    studio.get("#language").click()
    expect(html).to_have_attribute("lang", "en")
    expect(studio.get("#choose")).to_have_text("Choose pictures")
    studio.page.reload()
    expect(html).to_have_attribute("lang", "en")


def test_the_language_changes_with_pictures_open(studio: Studio) -> None:
    studio.add_and_wait()
    studio.get("#language").click()
    expect(studio.get("html")).to_have_attribute("lang", "zh-Hans")
    expect(studio.get("#tab-touch")).to_have_text("修补")
    expect(studio.get("#save-text")).to_have_text("与服务器生成的文件完全相同。")
    expect(studio.thumbs.first.locator("button").first).to_have_accessible_name("portrait.png，已完成")
    assert studio.page.title() == "bshm · 人像抠图"


def test_both_dictionaries_have_every_word_and_no_other() -> None:
    def keys(name: str) -> dict[str, set[str]]:
        text = (STATIC / f"app/words/{name}.js").read_text(encoding="utf-8")
        found = re.findall(r'^  "([^"]+)": "((?:[^"\\]|\\.)*)",$', text, re.M)
        return {key: set(re.findall(r"\{(\w+)\}", words)) for key, words in found}

    english, chinese = keys("en"), keys("zh")
    assert english == chinese
    used = set(re.findall(r'data-t(?:-label|-name)?="([^"]+)"', (STATIC / "index.html").read_text(encoding="utf-8")))
    for path in (STATIC / "app").glob("*.js"):
        used |= set(re.findall(r'\bt\("([^"]+)"', path.read_text(encoding="utf-8")))
    assert used <= set(english)


def test_what_the_server_says_of_a_problem_is_told_in_the_pages_language(open_page: Open, service: str) -> None:
    studio = open_page(service, locale="zh-CN")
    studio.add(("notes.jpg", b"not a picture at all\n" * 9))
    expect(studio.get("#failed-title")).to_have_text("无法读取这张图片")
    expect(studio.get("#failed-detail")).to_have_text("文件不是图片，或者已经损坏。请重新复制或下载后再试。")
    studio.get("#language").click()
    expect(studio.get("#failed-title")).to_have_text("The picture cannot be read")
    expect(studio.get("#failed-detail")).to_contain_text("JPEG")


# The page sends no corrections, it draws them itself; and no words for a model that paints.
NOT_SENT = {"corrections", "painter-model", "hub-unreachable", "painting-withheld"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_problem_that_a_picture_may_have_is_told_in_the_pages_words(language: str) -> None:
    text = (STATIC / f"app/words/{language}-problems.js").read_text(encoding="utf-8")
    known = set(re.findall(r'^  "?([a-z-]+)"?: \["[^"]+", "[^"]+", "[^"]+"\],$', text, re.M))
    # What stands between page and server, and answers in its place, has no code.
    known -= {"no-answer"}
    codes = {statuses.problem_type(kind("")).rpartition(":")[2] for kind in statuses.OF_ERROR} | {"field", "internal"}
    # The page sends no URLs, makes no jobs, writes nothing and does not hear what it hung up on.
    others = {"url-refused", "fetch", "source-not-found", "output-exists", "client-gone"}
    others |= {"job-not-found", "job-unfinished", "idempotency", "queue-full"}
    others |= {"queue-share", "queue-unavailable"}
    # Clips have words of their own.
    others |= {"unreadable-video", "video-too-large", "not-offered"}
    others |= NOT_SENT
    assert known == codes - others


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_problem_that_a_clip_may_have_is_told_in_the_pages_words(language: str) -> None:
    text = (STATIC / f"app/words/{language}-clips.js").read_text(encoding="utf-8")
    known = set(re.findall(r'^  "?([a-z-]+)"?: \["[^"]+", "[^"]+"\],$', text, re.M))
    # What stands between page and server has no code.
    known -= {"no-answer", "answer"}
    codes = {statuses.problem_type(kind("")).rpartition(":")[2] for kind in statuses.OF_ERROR} | {"field", "internal"}
    # What a job alone may end with.
    codes |= {"worker-lost", "encoder-missing"}
    # The page sends no URLs, names no file and does not hear what it hung up on.
    others = {"url-refused", "fetch", "source-not-found", "output-exists", "client-gone"} | NOT_SENT
    assert known == codes - others


def test_the_theme_follows_the_system_and_the_button(open_page: Open, service: str) -> None:
    studio = open_page(service, color_scheme="dark")
    body = studio.get("body")
    dark = body.evaluate("(body) => getComputedStyle(body).backgroundColor")
    studio.get("#theme").click()
    light = body.evaluate("(body) => getComputedStyle(body).backgroundColor")
    assert (dark, light) == ("rgb(18, 19, 21)", "rgb(250, 249, 247)")
    studio.page.reload()
    assert body.evaluate("(body) => getComputedStyle(body).backgroundColor") == light


def test_nothing_moves_for_those_who_want_it_still(open_page: Open, service: str) -> None:
    studio = open_page(service, reduced_motion="reduce")
    assert studio.get(".hero-show").evaluate("(show) => getComputedStyle(show).animationName") == "none"


def test_a_phone_shows_all_of_it_without_scrolling_sideways(open_page: Open, service: str) -> None:
    studio = open_page(service, **PHONE)
    for _ in range(2):
        assert studio.page.evaluate("document.documentElement.scrollWidth") <= 360
        studio.add(("one.png", portrait()), ("two.png", portrait()))
        expect(studio.canvas).to_be_visible()
    box = studio.get("#stage").bounding_box()
    assert box is not None
    assert box["height"] > 200
    for selector in ("#save-one", "#save-all", "#tab-crop", "#add"):
        expect(studio.get(selector)).to_be_in_viewport(ratio=1)
        assert studio.get(selector).evaluate("(button) => button.scrollWidth <= button.clientWidth + 1"), selector


def test_a_phone_is_not_told_to_drop_or_paste(open_page: Open, service: str) -> None:
    expect(open_page(service, **PHONE).get("#paste-hint")).to_be_hidden()
    expect(open_page(service).get("#paste-hint")).to_be_visible()


def test_two_fingers_zoom_and_do_not_paint(open_page: Open, service: str) -> None:
    studio = open_page(service, **PHONE)
    studio.add_and_wait()
    studio.tool("touch")
    x, y = studio.point((PERSON[0] + PERSON[2]) / 2, 80)
    fingers = studio.page.context.new_cdp_session(studio.page)

    def touch(kind: str, *spread: float) -> None:
        points = [
            {"x": x + side * each, "y": y, "id": n} for n, (side, each) in enumerate(zip((-1, 1), spread, strict=False))
        ]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = studio.view()[0]
    touch("touchStart", 20)
    touch("touchStart", 20, 20)
    for spread in (25, 30, 40):
        touch("touchMove", spread, spread)
    touch("touchEnd")
    assert studio.view()[0] / before == pytest.approx(2, rel=0.1)
    expect(studio.get("#undo")).to_be_disabled()


def test_a_finger_paints(open_page: Open, service: str) -> None:
    studio = open_page(service, **PHONE)
    studio.add_and_wait()
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.page.touchscreen.tap(*studio.point(100, 100))
    expect(studio.get("#undo")).to_be_enabled()
    assert studio.pixel(100, 100)[:3] != (240, 20, 20)


def test_the_policy_forbids_inline_code_and_other_hosts_and_the_page_keeps_it(service: str) -> None:
    with urllib.request.urlopen(service) as answer:
        policy = answer.headers["Content-Security-Policy"]
        html = answer.read().decode()
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script>|//\w+\.\w+", html)
    for path in [*STATIC.rglob("*.js"), *STATIC.rglob("*.css")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\beval\(|innerHTML|document\.write", text), path.name


def test_the_resources_of_a_session_are_all_from_here(studio: Studio, service: str) -> None:
    studio.get("#sample").click()
    expect(studio.canvas).to_be_visible()
    names = json.loads(
        studio.page.evaluate("JSON.stringify(performance.getEntriesByType('resource').map((e) => e.name))")
    )
    assert any(name.endswith("/matte") for name in names)
    assert [name for name in names if not name.startswith((service, "blob:"))] == []
