"""The finished picture by the clipboard, and dragged out of the page."""

from __future__ import annotations

import numpy as np
from conftest import Open
from playwright.sync_api import expect
from studio import RED, SIZE, Studio, decoded

PASTED = """async () => {
  const [item] = await navigator.clipboard.read();
  return [...new Uint8Array(await (await item.getType("image/png")).arrayBuffer())];
}"""
DRAGGED = """(element) => {
  const data = new DataTransfer();
  const event = new DragEvent("dragstart", { bubbles: true, cancelable: true, dataTransfer: data });
  element.dispatchEvent(event);
  return [event.defaultPrevented, data.getData("DownloadURL"), [...data.files].map((file) => file.name)];
}"""


DROPPED = """(body) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(9)], "own.png", { type: "image/png" }));
  for (const type of ["dragenter", "drop"]) body.dispatchEvent(new DragEvent(type, { bubbles: true, dataTransfer }));
}"""


def test_the_finished_picture_is_copied_as_it_would_be_downloaded(open_page: Open, service: str) -> None:
    studio = open_page(service, permissions=["clipboard-read", "clipboard-write"])
    studio.add_and_wait()
    studio.choose("kind", "colour")
    studio.get("#copy").click()
    expect(studio.get("#toast")).to_have_text("Copied. Paste it anywhere.")
    pasted = decoded(bytes(studio.page.evaluate(PASTED)))
    # The browser writes the pixels anew, with an alpha that is full.
    assert np.array_equal(pasted[..., :3], decoded(studio.download()[1]))


def test_a_jpeg_of_the_rules_is_copied_too(open_page: Open, service: str) -> None:
    studio = open_page(service, permissions=["clipboard-read", "clipboard-write"])
    studio.add_and_wait()
    studio.preset("id-35x45")
    studio.get("#copy").click()
    expect(studio.get("#toast")).to_have_text("Copied. Paste it anywhere.")
    assert decoded(bytes(studio.page.evaluate(PASTED))).shape[:2] == (531, 413)


def test_where_the_browser_has_no_clipboard_there_is_no_button(open_page: Open, service: str) -> None:
    studio = open_page("about:blank", address=service)
    studio.page.add_init_script("delete window.ClipboardItem;")
    studio.page.goto(service)
    studio.add_and_wait()
    expect(studio.get("#copy")).to_be_hidden()


def test_a_refused_clipboard_is_told(open_page: Open, service: str) -> None:
    studio = open_page("about:blank", address=service)
    studio.page.add_init_script("navigator.clipboard.write = () => Promise.reject(new DOMException('no'));")
    studio.page.goto(service)
    studio.add_and_wait()
    studio.get("#copy").click()
    expect(studio.get("#toast")).to_have_text("The browser did not allow copying. Use Download.")


def test_the_file_is_dragged_out_once_it_is_made(studio: Studio) -> None:
    studio.add_and_wait()
    handle = studio.get("#drag-out")
    assert handle.evaluate(DRAGGED)[0] is True
    expect(studio.get("#toast")).to_have_text("Being made. Drag it once more in a moment.")
    handle.hover()
    expect(handle).to_have_attribute("data-ready", "portrait-cutout.png")
    prevented, url, names = handle.evaluate(DRAGGED)
    assert (prevented, names) == (False, ["portrait-cutout.png"])
    kind, name, address = url.split(":", 2)
    assert (kind, name) == ("image/png", "portrait-cutout.png")
    read = "async (address) => [...new Uint8Array(await (await fetch(address)).arrayBuffer())]"
    pixels = decoded(bytes(studio.page.evaluate(read, address)))
    assert pixels.shape[:2] == (SIZE[1], SIZE[0]) and tuple(pixels[100, 100]) == (*RED, 255)
    # Let go over the page it is not added as a new picture.
    studio.get("body").evaluate(DROPPED)
    handle.dispatch_event("dragend")
    expect(studio.thumbs).to_have_count(1)
    # What changed since is made anew.
    studio.choose("format", "webp")
    handle.hover()
    expect(handle).to_have_attribute("data-ready", "portrait-cutout.webp")
