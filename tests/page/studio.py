"""The page as a person uses it, for the tests: pictures in, tools, pixels and files out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from playwright.sync_api import FilePayload, Locator, Page, expect

SIZE = (200, 160)
# In pixels of the picture: the person of `portrait` is this box.
PERSON = (60, 40, 140, 160)
RED = (240, 20, 20)
GREEN = (20, 240, 20)
GREY = (60, 60, 60)


def portrait(
    *,
    person: bool = True,
    colour: tuple[int, int, int] = RED,
    size: tuple[int, int] = SIZE,
    box: tuple[int, int, int, int] = PERSON,
    soft: float = 0,
    form: str = "PNG",
    **options: Any,
) -> bytes:
    """A picture whose red box the fake network takes for a person, which the lower edge cuts.

    Args:
        person: whether there is one.
        colour: of the person; green is a person to `bshm-lite` alone.
        size: (width, height).
        box: of the person: left, top, right, bottom.
        soft: blur of the edges in pixels; soft edges have levels of alpha between.
        form, options: as Pillow takes them.
    """
    image = Image.new("RGB", size, GREY)
    if person:
        image.paste(colour, box)
    if soft:
        image = image.filter(ImageFilter.GaussianBlur(soft))
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def decoded(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(H, W, channels) uint8 of an encoded picture."""
    return np.asarray(Image.open(io.BytesIO(data)))


class Studio:
    """The page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.canvas = page.locator("#canvas")
        self.thumbs = page.locator(".thumb")

    def get(self, selector: str) -> Locator:
        """An element."""
        return self.page.locator(selector)

    def add(self, *files: tuple[str, bytes]) -> None:
        """Choose files by name and bytes."""
        self.page.set_input_files(
            "#files", [FilePayload(name=name, mimeType="application/octet-stream", buffer=data) for name, data in files]
        )

    def add_and_wait(self, name: str = "portrait.png", data: bytes | None = None) -> None:
        """One picture, until its cut-out is on the stage."""
        self.add((name, portrait() if data is None else data))
        expect(self.canvas).to_be_visible()

    def settle(self) -> None:
        """Until what was asked for is drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def view(self) -> tuple[float, float, float]:
        """Scale and offset of the picture on the canvas."""
        self.settle()
        scale, x, y = (float(word) for word in (self.canvas.get_attribute("data-view") or "").split())
        return scale, x, y

    def pixel(self, x: float, y: float) -> tuple[int, ...]:
        """What the stage shows at a pixel of the picture, RGBA."""
        scale, left, top = self.view()
        at = [int((x + 0.5) * scale + left), int((y + 0.5) * scale + top)]
        read = "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x, y, 1, 1).data]"
        return tuple(self.canvas.evaluate(read, at))

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the picture is in the window."""
        scale, left, top = self.view()
        box = self.canvas.bounding_box()
        ratio = self.page.evaluate("devicePixelRatio")
        assert box is not None
        return box["x"] + ((x + 0.5) * scale + left) / ratio, box["y"] + ((y + 0.5) * scale + top) / ratio

    def drag(self, start: tuple[float, float], *rest: tuple[float, float]) -> None:
        """Press the mouse at a pixel of the picture, move over others, let go."""
        self.page.mouse.move(*self.point(*start))
        self.page.mouse.down()
        for each in rest:
            self.page.mouse.move(*self.point(*each), steps=4)
        self.page.mouse.up()
        self.settle()

    def choose(self, name: str, value: str) -> None:
        """Press the label of a radio button."""
        self.get(f'label:has(input[name="{name}"][value="{value}"])').click()
        self.settle()

    def tool(self, name: str) -> None:
        """Background, shop, place, touch, crop or quality."""
        self.get(f"#tab-{name}").click()
        self.settle()

    def set_range(self, selector: str, value: float) -> None:
        """Move a native slider."""
        self.get(selector).fill(str(value))
        self.settle()

    def finished(self) -> None:
        """Until the stage shows what the server made of the latest change."""
        expect(self.get("#stage")).to_have_attribute("data-finish", "done")
        self.settle()

    def preset(self, name: str) -> None:
        """Choose the rules of a shop or an office, until the picture is made and measured."""
        self.tool("shop")
        self.get("#preset").select_option(name)
        self.finished()

    def remade(self) -> None:
        """Until the pixels are made anew: turned, or with other people or edges."""
        expect(self.get("#stage")).to_have_attribute("aria-busy", "false")
        self.settle()

    def download(self, selector: str = "#save-one") -> tuple[str, bytes]:
        """Name and bytes of what a button downloads."""
        with self.page.expect_download() as waiting:
            self.get(selector).click()
        name = waiting.value.suggested_filename
        return name, waiting.value.path().read_bytes()

    def open(self, place: int) -> None:
        """Press a picture of the strip."""
        self.thumbs.nth(place).locator("button").first.click()

    def reload(self) -> None:
        """Once all is kept: load the page again."""
        expect(self.get("body")).to_have_attribute("data-kept", "all")
        self.page.reload()

    def plain(self) -> None:
        """The result alone, without the divider."""
        self.get("#compare").click()
        self.settle()
