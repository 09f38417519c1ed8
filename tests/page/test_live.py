"""The Live tab in a real Chromium, before a real service, with a clip of a person in the place of a camera."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Launch, Open, opener, served
from make_known import KNOWN, answer
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, Route, expect
from studio import Studio

import bshm
from bshm import geometry
from bshm.matting.networks import mask
from bshm.weights.card import Preprocessing

ROOT = Path(__file__).resolve().parents[2]
PERSON = ROOT / "src/bshm/cli/astronaut.jpg"
SIZE = (320, 240)
WALL = (96, 140, 110)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# What the page asks of cameras, and what it was given.
WATCHED = """
  globalThis.streams = [];
  const real = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (real) navigator.mediaDevices.getUserMedia = async (wishes) => {
    globalThis.asked = wishes;
    const stream = await real(wishes);
    streams.push(stream);
    return stream;
  };
"""
# The network no longer answers once this is set.
STALLING = """
  const send = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (globalThis.stalls && message.type === "frame") return message.frame.close();
    return send.call(this, message, ...rest);
  };
"""


def scene() -> Pixels:
    """What the camera sees: (H, W, 3), a person before a wall."""
    width, height = SIZE
    image = Image.new("RGB", SIZE, WALL)
    person = Image.open(PERSON).convert("RGB").resize((height, height), Image.Resampling.LANCZOS)
    # Mirrored: of the two this is the one whose face the network is sure of.
    image.paste(ImageOps.mirror(person), ((width - height) // 2, 0))
    return np.asarray(image)


def write_clip(path: Path) -> None:
    """The scene as a clip that Chromium plays in the place of a camera, over and over."""
    width, height = SIZE
    # BT.601 in limited range, as cameras of this size have it.
    frame = cv2.cvtColor(scene(), cv2.COLOR_RGB2YUV_I420).tobytes()
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F15:1 Ip A1:1 C420jpeg\n".encode() + 3 * (b"FRAME\n" + frame))


@pytest.fixture(scope="module")
def live_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service as `bshm serve` starts it."""
    folder = tmp_path_factory.mktemp("live-service")
    command = [sys.executable, "-m", "bshm", "serve", "--port", "0", "--model", "bshm-live", "--cache", "off"]
    with served([*command, "--no-jobs", "--keys-file", str(folder / "keys.json")]) as address:
        yield address.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def camera(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium with a camera that sees the scene."""
    clip = tmp_path_factory.mktemp("camera") / "clip.y4m"
    write_clip(clip)
    return launch(["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={clip}"])


@pytest.fixture
def open_live(camera: Browser, live_service: str) -> Iterator[Callable[..., Studio]]:
    """Opens the Live tab; the camera is allowed unless a test says otherwise."""
    pages = opener(camera)
    go: Open = next(pages)

    def begin(*scripts: str, allowed: bool = True, routes: dict[str, Any] | None = None, **options: Any) -> Studio:
        given = {"permissions": ["camera"]} if allowed else {}
        studio = go("about:blank", address=live_service, **given, **options)
        for script in (WATCHED, *scripts):
            studio.page.add_init_script(script)
        for pattern, handler in (routes or {}).items():
            studio.page.route(pattern, handler)
        studio.page.goto(live_service)
        studio.get("#to-live").click()
        expect(studio.get("#live-start")).to_be_visible()
        return studio

    yield begin
    next(pages, None)


def start(studio: Studio) -> None:
    """Press Start and wait for the first picture that the network made."""
    studio.get("#live-start").click()
    expect(studio.get("#live-canvas")).to_have_attribute("data-shows", "matte")


def set_black(studio: Studio) -> None:
    studio.choose("kind", "colour")
    studio.get('#colours [data-name="black"]').click()
    corner = """() => {
      const canvas = document.querySelector("#live-canvas");
      const [r, g, b, a] = canvas.getContext("2d").getImageData(2, 2, 1, 1).data;
      return canvas.dataset.shows === "matte" && r + g + b === 0 && a === 255;
    }"""
    studio.page.wait_for_function(corner)


def shown(studio: Studio) -> Pixels:
    """What the canvas shows: (H, W, 4)."""
    address = studio.get("#live-canvas").evaluate("(canvas) => canvas.toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))


def known_alpha() -> np.ndarray[Any, np.dtype[np.float32]]:
    """What the same network finds in the scene outside a browser."""
    return bshm.Matting(model="bshm-live").matte(scene()).alpha


def inner(places: Pixels | np.ndarray[Any, np.dtype[np.bool_]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The places that are four pixels and more away from others: edges may lie elsewhere by a pixel or two."""
    return np.asarray(cv2.erode(places.astype(np.uint8), np.ones((9, 9), np.uint8))) > 0


@pytest.mark.real
@pytest.mark.parametrize("able", [True, False])
def test_the_person_stays_and_the_room_goes(open_live: Callable[..., Studio], able: bool, live_service: str) -> None:
    def without_isolation(route: Route) -> None:
        answer = route.fetch()
        headers = {name: value for name, value in answer.headers.items() if "embedder" not in name}
        route.fulfill(response=answer, headers=headers)

    cores = "Object.defineProperty(navigator, 'hardwareConcurrency', { value: 4 });"
    without_streams = "delete globalThis.MediaStreamTrackProcessor;"
    studio = (
        open_live(cores)
        if able
        else open_live(cores, without_streams, routes={live_service: without_isolation})  # on a canvas, in one thread
    )
    assert studio.page.evaluate("crossOriginIsolated") is able
    assert studio.page.evaluate("globalThis.asked") is None
    asked: list[str] = []
    studio.page.on("request", lambda request: asked.append(request.url))
    start(studio)
    # The worker's requests are seen, too: `open_live` holds all of them to the service's address.
    names = {url.removeprefix(live_service) for url in asked}
    assert {"web-weights/bshm-live.onnx", "vendor/onnxruntime-web/ort-wasm-simd-threaded.wasm"} <= names
    assert "audio" not in studio.page.evaluate("Object.keys(asked).filter((kind) => asked[kind])")
    studio.get("#live-mirror").uncheck()
    expect(studio.get("#live")).to_have_attribute("data-threads", "2" if able else "1")
    told = "WebAssembly on 2 threads" if able else "WebAssembly on 1 thread"
    expect(studio.get("#live-facts")).to_contain_text(told)
    # Once it is black, the camera has been turned round, too.
    set_black(studio)
    found = shown(studio).astype(int)
    alpha = known_alpha()
    person, room = inner(alpha > 0.99), inner(alpha < 0.01)
    assert person.mean() > 0.1 and room.mean() > 0.2
    assert (found[..., 3] == 255).all()
    # The camera's colours have come through YUV of half the size, and the browser rounds.
    assert np.abs(found[person][:, :3] - scene()[person]).mean() < 6
    # The browser's filter has two passes, the service's three: about hair a trace may be left that reaches further.
    assert np.quantile(found[room][:, :3].max(axis=1), 0.95) <= 3
    assert np.abs(found[..., :3] - alpha[..., None] * scene()).mean() < 6

    studio.get("#live-mirror").check()
    facing = "() => document.querySelector('#live-canvas').getContext('2d').getImageData(160, 120, 1, 1).data[0]"
    before = studio.page.evaluate(facing)
    studio.page.wait_for_function(f"(before) => Math.abs(({facing})() - before) > 8", arg=before)


@pytest.mark.real
def test_every_background_is_made_in_the_browser(open_live: Callable[..., Studio], tmp_path: Path) -> None:
    studio = open_live()
    start(studio)
    corner = """([r, g, b, a]) => {
      const canvas = document.querySelector("#live-canvas");
      const found = canvas.getContext("2d").getImageData(2, 2, 1, 1).data;
      return canvas.dataset.shows === "matte" && [r, g, b, a].every((level, i) => Math.abs(level - found[i]) <= 2);
    }"""
    studio.choose("kind", "none")
    studio.page.wait_for_function(corner, arg=[0, 0, 0, 0])
    # The wall is of one colour: blurred it is the same.
    studio.choose("kind", "blur")
    studio.page.wait_for_function(corner.replace("<= 2", "<= 6"), arg=[*WALL, 255])
    picture = tmp_path / "beach.png"
    Image.new("RGB", (64, 48), (10, 120, 250)).save(picture)
    studio.page.set_input_files("#backdrop-file", picture)
    studio.page.wait_for_function(corner, arg=[10, 120, 250, 255])


@pytest.mark.real
def test_stop_frees_the_camera_and_so_does_leaving(open_live: Callable[..., Studio]) -> None:
    studio = open_live()
    ended = "streams.every((stream) => stream.getTracks().every((track) => track.readyState === 'ended'))"
    start(studio)
    assert not studio.page.evaluate(ended)
    studio.get("#live-stop").click()
    assert studio.page.evaluate(ended)
    expect(studio.get("#live-canvas")).to_be_hidden()
    expect(studio.get("#live-start")).to_be_focused()
    start(studio)
    studio.page.wait_for_function("() => streams.length === 2")
    studio.page.go_back()
    expect(studio.get("#choose")).to_be_visible()
    assert studio.page.evaluate(ended)


@pytest.mark.real
def test_a_recording_shows_what_the_canvas_shows(open_live: Callable[..., Studio]) -> None:
    studio = open_live()
    start(studio)
    studio.get("#live-mirror").uncheck()
    set_black(studio)
    studio.get("#live-record").click()
    expect(studio.get("#live-record")).to_have_text(re.compile("Stop recording · 0:(?!00)"))
    name, data = studio.download("#live-record")
    assert name == "live.webm"
    played = studio.page.evaluate(
        """async (data) => {
          const video = document.createElement("video");
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          video.src = URL.createObjectURL(new Blob([bytes], { type: "video/webm" }));
          video.muted = true;
          await video.play();
          const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
          const context = canvas.getContext("2d");
          context.drawImage(video, 0, 0);
          const at = (x, y) => [...context.getImageData(x, y, 1, 1).data];
          return { size: [canvas.width, canvas.height], corner: at(2, 2), person: at(233, 135) };
        }""",
        base64.b64encode(data).decode(),
    )
    assert tuple(played["size"]) == SIZE
    # The codec's own error.
    assert max(played["corner"][:3]) < 24
    assert max(played["person"][:3]) > 80


@pytest.mark.real
def test_without_an_answer_in_time_all_is_blurred(open_live: Callable[..., Studio]) -> None:
    studio = open_live(STALLING)
    start(studio)
    set_black(studio)
    studio.page.evaluate("globalThis.stalls = true")
    expect(studio.get("#live-canvas")).to_have_attribute("data-shows", "blur")
    expect(studio.get("#live-facts")).to_have_text("Blurred: waiting for the next picture.")
    assert is_blurred(shown(studio))


def is_blurred(pixels: Pixels) -> bool:
    """Whether neighbours differ nowhere by more than a face or a room would need."""
    grey = pixels[..., :3].mean(axis=2)
    sharp = max(np.abs(np.diff(grey, axis=0)).max(), np.abs(np.diff(grey, axis=1)).max())
    # The scene's own: above 100.  All 320 columns come from 16: a step is a twentieth of what those differ by.
    return bool(sharp < 20)


def test_the_scene_is_not_blurred() -> None:
    assert not is_blurred(scene())


@pytest.mark.real
def test_a_network_that_computes_something_else_replaces_nothing(open_live: Callable[..., Studio]) -> None:
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    # As half precision would: one value in its second digit.
    known["expected"][-1][1] -= 0.02

    def answer_otherwise(route: Route) -> None:
        route.fulfill(json=known)

    studio = open_live(routes={"**/live-known.json": answer_otherwise})
    studio.get("#live-start").click()
    expect(studio.get("#live-note-title")).to_have_text("This browser computes something else")
    expect(studio.get("#live-canvas")).to_have_attribute("data-shows", "blur")
    assert is_blurred(shown(studio))
    assert "wrong here, so all stays blurred" in studio.get("#say").inner_text()


@pytest.mark.parametrize(
    ("locale", "title", "text"),
    [
        ("en-GB", "The camera is not allowed", "Allow it for this page"),
        ("zh-CN", "摄像头未获允许", "请在浏览器地址栏"),
    ],
)
def test_a_refusal_is_told_and_can_be_mended(
    open_live: Callable[..., Studio], locale: str, title: str, text: str
) -> None:
    studio = open_live(allowed=False, locale=locale)
    studio.get("#live-start").click()
    expect(studio.get("#live-title")).to_have_text(title)
    expect(studio.get("#live-text")).to_contain_text(text)
    expect(studio.get("#live-start")).to_be_enabled()
    expect(studio.get("#say")).to_contain_text(title)


@pytest.mark.parametrize(
    ("script", "title"),
    [
        ("", "No camera was found"),
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "No camera over this connection"),
        (
            "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotReadableError') }",
            "The camera cannot be used",
        ),
    ],
)
def test_why_there_is_no_camera(open_page: Open, service: str, script: str, title: str) -> None:
    studio = open_page("about:blank", address=service, permissions=["camera"])
    studio.page.add_init_script(script)
    studio.page.goto(f"{service}#live")
    studio.get("#live-start").click()
    expect(studio.get("#live-title")).to_have_text(title)


@pytest.mark.real
def test_a_camera_that_goes_away_is_told(open_live: Callable[..., Studio]) -> None:
    studio = open_live()
    studio.get("#live-start").click()
    expect(studio.get("#live-stop")).to_be_visible()
    studio.page.evaluate("streams[0].getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(studio.get("#live-title")).to_have_text("The camera is gone")
    expect(studio.get("#live-canvas")).to_be_hidden()


@pytest.mark.real
def test_the_tab_is_for_everybody_and_for_small_windows(open_live: Callable[..., Studio]) -> None:
    studio = open_live(reduced_motion="reduce")

    def violations() -> list[str]:
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = Axe().run(studio.page, options={"runOnly": rules}).response["violations"]
        return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]

    assert violations() == []
    studio.get(".skip").focus()
    studio.page.keyboard.press("Enter")
    expect(studio.get("#main")).to_be_focused()
    start(studio)
    assert violations() == []
    for width, height in ((1440, 900), (844, 390), (568, 320), (390, 844), (320, 568)):
        studio.page.set_viewport_size({"width": width, "height": height})
        studio.settle()
        assert studio.page.evaluate("document.documentElement.scrollWidth") <= width
        for selector in ("#live-stop", "#live-record", "#live-canvas"):
            expect(studio.get(selector)).to_be_in_viewport(ratio=1)
        way = studio.get("#to-pictures")
        expect(way).to_be_in_viewport(ratio=1)
        expect(way).to_have_accessible_name("Pictures")


def test_a_background_of_the_camera_is_not_the_pictures(open_page: Open, service: str) -> None:
    studio = open_page(service)
    studio.add_and_wait()
    studio.choose("kind", "colour")
    studio.get("#to-live").click()
    expect(studio.get('input[name="kind"][value="blur"]')).to_be_checked()
    studio.choose("kind", "gradient")
    studio.get("#to-pictures").click()
    expect(studio.get('input[name="kind"][value="colour"]')).to_be_checked()
    studio.tool("touch")
    studio.get("#to-live").click()
    expect(studio.get('input[name="kind"][value="gradient"]')).to_be_checked()
    expect(studio.get("#pane-background")).to_be_visible()
    studio.get("#to-pictures").click()
    expect(studio.get("#pane-background")).to_be_hidden()
    expect(studio.get("#pane-touch")).to_be_visible()


@pytest.mark.real
def test_the_known_answers_are_those_of_the_weights_in_the_box() -> None:
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    height, width = known["size_hw"]
    pixels = np.frombuffer(base64.b64decode(known["pixels"]), np.uint8).reshape(height, width, 3)
    found = answer(pixels)
    # Single precision on another machine.  Other weights: run tests/page/make_known.py.
    assert [found[at] for at, _ in known["expected"]] == pytest.approx(
        [each for _, each in known["expected"]], abs=1e-3
    )
    # Values near nothing would hide a network that answers nothing.
    assert max(value for _, value in known["expected"]) > 0.5


@pytest.fixture(scope="module")
def page(browser: Browser, service: str) -> Iterator[Page]:
    """One page for all that only compute: they leave nothing in it."""
    pages = opener(browser)
    yield next(pages)(service).page
    next(pages, None)


def test_the_browser_prepares_a_picture_as_the_service_does(page: Page) -> None:
    sides = [(1080, 1920), (480, 640), (240, 320), (1, 5000), (720, 720), (4000, 3000), (100, 33)]
    areas = [202, 256, 320]
    found = page.evaluate(
        """async ([sides, areas]) => {
          const { networkSize } = await import("./app/live-network.js");
          return areas.map((area) => sides.map(([height, width]) => networkSize(height, width, area, 32)));
        }""",
        [sides, areas],
    )
    expected = [[list(geometry.whole_picture_size(*side, area)) for side in sides] for area in areas]
    assert found == expected
    pixels = np.random.default_rng(5).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    planes = mask.network_input(pixels, Preprocessing(multiple_px=32), 80)[0]
    rgba = np.dstack([pixels, np.full((90, 120), 255, np.uint8)])
    found = page.evaluate(
        """async ([data, height, width]) => {
          const { planesOf } = await import("./app/live-planes.js");
          return [...planesOf(Uint8ClampedArray.from(data), 90, 120, height, width)];
        }""",
        [rgba.ravel().tolist(), *planes.shape[1:]],
    )
    # The service rounds to levels after shrinking.
    assert np.abs(np.reshape(found, planes.shape) - planes).max() <= 1 / 255


def test_edges_of_the_picture_become_edges_of_the_alpha(page: Page) -> None:
    # As the docstring of guided_filter.refine: an edge at column 100, under a mask that is soft from 96 to 104.
    found = page.evaluate(
        """async () => {
          const { alphaOf } = await import("./app/live-edges.js");
          const picture = new ImageData(256, 256);
          for (let i = 0; i < 256 * 256; i += 1) picture.data.fill(i % 256 < 100 ? 0 : 200, i * 4, i * 4 + 3);
          const mask = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.min(1, Math.max(0, (i % 64 - 23) / 3)));
          const alpha = alphaOf(picture, mask, 64, 64);
          return [60, 99, 100, 160].map((x) => alpha.data[(128 * 256 + x) * 4 + 3]);
        }"""
    )
    assert found[0] == 0 and found[1] < 51 and found[2] > 204 and found[3] == 255


def test_a_mask_is_steady_where_nothing_moves_and_follows_what_does(page: Page) -> None:
    found = page.evaluate(
        """async () => {
          const { Steady, isDoubtful } = await import("./app/live-steady.js");
          const steady = new Steady();
          const one = (value, at) => steady.next(Float32Array.of(value, 0, 0, 0, 0, 0, 0, 0), at)[0];
          const flicker = [one(0.5, 0), one(0.6, 33), one(0.5, 66)];
          const moved = one(1, 99);
          const cut = [...steady.next(new Float32Array(8).fill(0.75), 132)];
          return {
            flicker, moved, cut,
            doubtful: [[0, 1, NaN], [0, 1, 2], [0.5, 0.5, 0.5], [0, 1, 0.99]].map(isDoubtful),
          };
        }"""
    )
    first, second, third = found["flicker"]
    assert first == 0.5 and 0.5 < second < 0.57 and 0.5 <= third < second
    assert found["moved"] == 1
    assert found["cut"] == [0.75] * 8
    assert found["doubtful"] == [True, True, True, False]
