"""Small and flat windows: the picture is large enough to work on, and what is cut says so."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Open
from playwright.sync_api import expect
from studio import Studio, portrait

PHONE = {"device_scale_factor": 2, "has_touch": True, "is_mobile": True}
DRAWN = """async ([width, height]) => {
  const canvas = document.querySelector("#canvas");
  const sharp = () => canvas.width === Math.round(canvas.clientWidth * devicePixelRatio);
  const drawn = () => innerWidth === width && innerHeight === height && (canvas.hidden || sharp());
  while (!drawn()) await new Promise(requestAnimationFrame);
}"""
LARGE = portrait(size=(900, 900), box=(300, 200, 600, 900))


def resize(studio: Studio, width: int, height: int) -> None:
    """Another window, until the picture is drawn for it."""
    studio.page.set_viewport_size({"width": width, "height": height})
    studio.page.evaluate(DRAWN, [width, height])
    studio.settle()


def shown_px(studio: Studio) -> tuple[float, float]:
    """Width and height of a picture of 900 x 900 on the screen."""
    left, top = studio.point(-0.5, -0.5)
    right, bottom = studio.point(899.5, 899.5)
    stage = studio.get("#stage").bounding_box()
    assert stage is not None
    assert left >= stage["x"] and right <= stage["x"] + stage["width"]
    assert top >= stage["y"] and bottom <= stage["y"] + stage["height"]
    return right - left, bottom - top


# Window, and the least width and height of a square picture on it: what the parts around it can spare.
WINDOWS = ((844, 390, 210), (667, 375, 200), (568, 320, 140), (320, 568, 180), (390, 844, 230))


TOOLS = ("background", "shop", "place", "touch", "crop", "quality")


def look_over(studio: Studio, windows: tuple[tuple[int, int, int], ...], tools: tuple[str, ...] = TOOLS) -> None:
    """The picture is large and the buttons whole, in each tool."""
    for width, height, least in windows:
        resize(studio, width, height)
        for tool in tools:
            studio.tool(tool)
            assert min(shown_px(studio)) >= least, (width, height, tool)
            assert studio.page.evaluate("document.documentElement.scrollWidth") <= width
            for selector in ("#save-one", f"#tab-{tool}", "#add", "#zoom-fit"):
                expect(studio.get(selector)).to_be_in_viewport(ratio=1)
                fits = "(button) => button.scrollWidth <= button.clientWidth + 1"
                assert studio.get(selector).evaluate(fits), (width, height, selector)


def test_the_whole_picture_is_large_in_every_window_and_every_tool(open_page: Open, service: str) -> None:
    studio = open_page(service, viewport={"width": 844, "height": 390}, **PHONE)
    studio.add_and_wait("large.png", LARGE)
    look_over(studio, WINDOWS)
    studio.add(("second.png", LARGE), ("notes.jpg", b"not a picture at all\n" * 9))
    expect(studio.get("#save-all")).to_be_visible()
    expect(studio.get("#strip-failed")).to_contain_text("1 failed")
    look_over(studio, WINDOWS, ("background", "crop"))
    studio.get("#language").click()
    look_over(studio, WINDOWS[1:4:2])
    expect(studio.get("#save-all")).to_be_in_viewport(ratio=1)


def test_the_bars_do_not_cover_the_picture(open_page: Open, service: str) -> None:
    studio = open_page(service, viewport={"width": 844, "height": 390}, **PHONE)
    studio.add_and_wait("large.png", LARGE)
    for width, height in ((844, 390), (320, 568), (390, 844)):
        resize(studio, width, height)
        right, bottom = studio.point(899.5, 899.5)
        tools = studio.get("#stage-tools").bounding_box()
        assert tools is not None
        assert tools["x"] >= right or tools["y"] >= bottom


def test_the_start_page_shows_its_picture_and_what_to_press(open_page: Open, service: str) -> None:
    studio = open_page(service, viewport={"width": 844, "height": 390}, **PHONE)
    for width, height in ((844, 390), (667, 375), (320, 568)):
        resize(studio, width, height)
        expect(studio.get("#choose")).to_be_in_viewport(ratio=1)
        expect(studio.get(".hero-show")).to_be_in_viewport(ratio=1)
        box = studio.get(".hero-show").bounding_box()
        assert box is not None and min(box["width"], box["height"]) > 150
        assert studio.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_pane_that_goes_on_below_says_so_until_its_end_is_there(open_page: Open, service: str) -> None:
    studio = open_page(service, viewport={"width": 844, "height": 390}, **PHONE)
    studio.add_and_wait()
    more = studio.get(".more .icon")
    studio.tool("crop")
    expect(more).to_be_visible()
    studio.get("#panes").evaluate("(panes) => panes.scrollTo(0, panes.scrollHeight)")
    expect(more).to_be_hidden()
    expect(studio.get("#crop-reset")).to_be_in_viewport(ratio=1)
    resize(studio, 1440, 900)
    expect(more).to_be_hidden()


def test_the_start_pictures_divider_follows_pointer_finger_and_keys(open_page: Open, service: str) -> None:
    studio = open_page(service)
    show, before = studio.get(".hero-show"), studio.get(".show-before")

    def share() -> float:
        """Of the picture's width that shows the photo: where the line is, which the eye follows."""
        line = studio.get(".show-line").bounding_box()
        box = show.bounding_box()
        assert line is not None and box is not None
        at = (line["x"] + line["width"] / 2 - box["x"]) / box["width"]
        cut = before.evaluate("(part) => getComputedStyle(part).clipPath")
        assert float(cut.split()[1].rstrip("%")) == pytest.approx(100 - 100 * at, abs=0.5)
        return at

    box = show.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    studio.page.mouse.move(box["x"] + 0.5 * box["width"], middle)
    studio.page.mouse.down()
    for at in (0.2, 0.8):
        studio.page.mouse.move(box["x"] + at * box["width"], middle, steps=3)
        # A slider's steps are whole percents, and its thumb has a width.
        assert share() == pytest.approx(at, abs=0.03)
    studio.page.mouse.up()
    moved = share()
    studio.page.keyboard.press("ArrowLeft")
    assert moved - 0.05 < share() < moved
    studio.page.keyboard.press("Home")
    assert share() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        # A tall picture whose person stands low, and wide ones whose person stands at either side.
        ((200, 640), (70, 300, 130, 640)),
        ((640, 200), (20, 40, 70, 200)),
        ((640, 200), (560, 40, 620, 200)),
    ],
)
def test_a_thumbnail_shows_the_head(studio: Studio, size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    studio.add_and_wait("far.png", portrait(size=size, box=box))
    thumb = studio.thumbs.first.locator("canvas")
    expect(studio.thumbs.first).to_have_attribute("data-drawn", "after")
    read = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    pixels = np.array(thumb.evaluate(read), np.uint8).reshape(160, 160, 4)
    rows = np.nonzero((pixels[..., 3] > 200).any(axis=1))[0]
    columns = np.nonzero((pixels[:40, :, 3] > 200).any(axis=0))[0]
    # There is room above the head, and the head is whole.
    assert 2 <= rows[0] <= 40
    scale = 160 / min(size)
    assert len(columns) == pytest.approx((box[2] - box[0]) * scale, rel=0.15)
