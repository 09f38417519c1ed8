"""The album outlives a reload: in its own tab, within bounds, until it is removed, and not where nothing is stored."""

from __future__ import annotations

import io
import re

from conftest import Open
from PIL import Image
from playwright.sync_api import Page, expect
from studio import RED, Studio, portrait

BOUND = """async (most) => {
  const { Shelf, keyOf } = await import("./app/shelf.js");
  const { plainLook } = await import("./app/look.js");
  const shelf = new Shelf({ mostBytes: most });
  const settled = async () => {
    const change = () => new Promise((done) => shelf.addEventListener("change", done, { once: true }));
    while (shelf.state === "saving") await change();
    return [shelf.state, shelf.left];
  };
  await shelf.ready;
  const entry = (place, size) => ({
    key: keyOf(place), name: `${place}.png`, model: "", state: "waiting", problem: null, result: null, strokes: [],
    look: plainLook(), file: new Blob([new Uint8Array(size)]),
  });
  const states = [];
  const first = entry(1, 600);
  const second = entry(2, 600);
  shelf.keep(first);
  states.push(await settled());
  shelf.keep(second);
  states.push(await settled());
  shelf.remove(first);
  states.push(await settled());
  states.push((await shelf.load()).map(({ name, file }) => [name, file.size]));
  shelf.clear();
  await settled();
  states.push((await shelf.load()).length);
  return states;
}"""
# Another tab's album, last seen so many hours ago.
LEAVE_BEHIND = """async (hours) => {
  const opening = indexedDB.open("bshm");
  await new Promise((done) => (opening.onsuccess = done));
  const database = opening.result;
  const change = database.transaction(["albums", "pictures"], "readwrite");
  change.objectStore("albums").put({ id: `gone ${hours}`, touched: Date.now() - hours * 3600_000 });
  change.objectStore("pictures").put({ album: `gone ${hours}`, key: "1" });
  await new Promise((done) => (change.oncomplete = done));
}"""
LEFT = """async () => {
  const opening = indexedDB.open("bshm");
  await new Promise((done) => (opening.onsuccess = done));
  const database = opening.result;
  const all = database.transaction("pictures").objectStore("pictures").getAllKeys();
  await new Promise((done) => (all.onsuccess = done));
  return all.result.map(([album]) => album).filter((album) => album.startsWith("gone"));
}"""


def accept_leaving(page: Page) -> None:
    """Strokes make the browser ask before the page is left."""
    page.on("dialog", lambda dialog: dialog.accept())


def test_a_reload_keeps_pictures_results_and_all_that_was_done_to_them(studio: Studio) -> None:
    accept_leaving(studio.page)
    studio.add(("a.png", portrait(soft=2)), ("notes.jpg", b"not a picture at all\n" * 9), ("b.png", portrait()))
    expect(studio.get("#strip-progress")).to_have_text("2 of 3 done")
    studio.open(2)
    studio.choose("kind", "picture")
    behind = io.BytesIO()
    Image.new("RGB", (30, 90), (10, 200, 90)).save(behind, "PNG")
    studio.page.set_input_files(
        "#backdrop-file", {"name": "meadow.png", "mimeType": "image/png", "buffer": behind.getvalue()}
    )
    expect(studio.get("#backdrop-name")).to_have_text("meadow.png")
    studio.tool("touch")
    studio.choose("brush", "erase")
    studio.drag((100, 100), (110, 100))
    studio.tool("crop")
    studio.choose("crop", "subject")
    made = studio.download()
    asked: list[str] = []
    studio.page.on("request", lambda request: asked.append(request.method))
    studio.reload()
    expect(studio.canvas).to_be_visible()
    expect(studio.get("#strip-progress")).to_have_text("2 of 3 done")
    expect(studio.thumbs.nth(2).locator("button").first).to_have_attribute("aria-current", "true")
    assert studio.download() == made
    expect(studio.get("#backdrop-name")).to_have_text("meadow.png")
    studio.open(1)
    expect(studio.get("#failed-title")).to_have_text("The picture cannot be read")
    studio.open(0)
    expect(studio.canvas).to_be_visible()
    assert studio.download()[0] == "a-cutout.png"
    # Nothing was sent anew.
    assert "POST" not in asked


def test_what_was_on_its_way_is_sent_again_after_a_reload(failing_studio: Studio) -> None:
    failing_studio.add(("always-busy-kept.png", portrait()))
    expect(failing_studio.get("#working-text")).to_contain_text("busy")
    with failing_studio.page.expect_request("**/matte"):
        failing_studio.reload()
    expect(failing_studio.thumbs).to_have_count(1)
    expect(failing_studio.get("#working-text")).to_contain_text("busy")


def test_a_removed_picture_stays_away_and_remove_all_leaves_nothing(studio: Studio) -> None:
    studio.add(("a.png", portrait()), ("b.png", portrait()), ("c.png", portrait()))
    expect(studio.get("#strip-progress")).to_have_text("3 of 3 done")
    studio.thumbs.nth(0).hover()
    studio.thumbs.nth(0).locator(".remove").click()
    studio.reload()
    expect(studio.thumbs).to_have_count(2)
    studio.get("#clear").click()
    expect(studio.get("#clear-where")).to_contain_text("kept in this browser, for this tab only")
    studio.get("#clear-cancel").click()
    expect(studio.thumbs).to_have_count(2)
    studio.get("#clear").click()
    studio.get("#clear-dialog [value=clear]").click()
    expect(studio.get("#hero")).to_be_visible()
    expect(studio.get("#choose")).to_be_focused()
    studio.reload()
    expect(studio.get("#hero")).to_be_visible()
    expect(studio.thumbs).to_have_count(0)


def test_another_tab_sees_nothing_of_it(studio: Studio) -> None:
    studio.add_and_wait()
    expect(studio.get("body")).to_have_attribute("data-kept", "all")
    other = Studio(studio.page.context.new_page())
    other.page.goto(studio.page.url)
    expect(other.get("body")).to_have_attribute("data-kept", "all")
    expect(other.get("#hero")).to_be_visible()
    expect(other.thumbs).to_have_count(0)
    expect(other.get("#kept")).to_have_text("Kept in this tab, so a reload loses nothing")
    studio.reload()
    expect(studio.canvas).to_be_visible()


def test_what_closed_tabs_left_behind_goes_after_a_day(studio: Studio) -> None:
    expect(studio.get("body")).to_have_attribute("data-kept", "all")
    for hours in (23, 25):
        studio.page.evaluate(LEAVE_BEHIND, hours)
    studio.reload()
    expect(studio.get("body")).to_have_attribute("data-kept", "all")
    assert studio.page.evaluate(LEFT) == ["gone 23"]


def test_it_keeps_no_more_than_its_bound_and_takes_up_the_rest_when_there_is_room(studio: Studio) -> None:
    expect(studio.get("body")).to_have_attribute("data-kept", "all")
    assert studio.page.evaluate(BOUND, 1000) == [["all", 0], ["some", 1], ["all", 0], [["2.png", 600]], 0]


def without_storage(open_page: Open, service: str) -> Studio:
    """The page where IndexedDB is refused, as some browsers do in private windows."""
    studio = open_page(service)
    studio.page.add_init_script(
        "Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    studio.page.reload()
    return studio


def test_without_storage_the_page_works_keeps_nothing_and_says_so(open_page: Open, service: str) -> None:
    studio = without_storage(open_page, service)
    expect(studio.get("body")).to_have_attribute("data-kept", "off")
    expect(studio.get("#kept")).to_have_text("Not kept: a reload starts anew")
    studio.get("#language").click()
    expect(studio.get("#kept")).to_have_text("不保存：刷新后从头开始")
    studio.add_and_wait()
    assert studio.pixel(100, 100) == (*RED, 255)
    studio.get("#clear").click()
    expect(studio.get("#clear-where")).to_have_text(re.compile("刷新后图片也会消失"))
    studio.get("#clear-cancel").click()
    studio.page.reload()
    expect(studio.get("#hero")).to_be_visible()
