"""The Video tab in a real Chromium, before the real service, which makes clips in which red is a person."""

from __future__ import annotations

import io
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import HERE, Open, served
from PIL import Image
from playwright.sync_api import FilePayload, Route, expect
from service import MOST_BYTES, MOST_S
from studio import Studio

pytest.importorskip("av")

from made_clips import decoded, make, number_of, pixels

from bshm.server.keys import Keys

FRAMES = 16
SIZE_HW = (96, 128)
PHONE = {"device_scale_factor": 2, "has_touch": True, "is_mobile": True}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Of the frame that the result shows, at its upper left corner and where the person of the first frames is.
SHOWN = """async (video) => {
  if (video.readyState < 2) await new Promise((done) => video.addEventListener("loadeddata", done, { once: true }));
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data];
  return [at(2, 2), at(28, 40)];
}"""
DROP = """([type, name, data]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(data)], name, { type: "video/mp4" }));
  document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: files }));
}"""


class Serving(NamedTuple):
    """A service that makes clips: its address, and the file that holds its network back."""

    address: str
    held: Path

    def job(self, job_id: str, method: str = "GET") -> int:
        """The status that a job is answered with."""
        request = urllib.request.Request(f"{self.address}videos/{job_id}", method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


def begun(folder: Path, what: str) -> Any:
    return served([sys.executable, str(HERE / "service.py"), str(folder), what])


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The service; its network is held back by a test alone."""
    folder = tmp_path_factory.mktemp("clip-service")
    with begun(folder, "clips") as address:
        yield Serving(address, folder / "held")


@pytest.fixture
def serving(making: Serving) -> Iterator[Serving]:
    """The service, and nothing is held back after the test."""
    yield making
    making.held.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Sixteen frames with sound."""
    return make(tmp_path_factory.mktemp("clips") / "anna.mp4", FRAMES, audio=True).read_bytes()


@pytest.fixture
def tab(open_page: Open, serving: Serving) -> Studio:
    """The Video tab."""
    return open_page(f"{serving.address}#video", address=serving.address)


def choose(studio: Studio, data: bytes, name: str = "anna.mp4") -> None:
    """Choose a clip."""
    studio.page.set_input_files("#clip-file", FilePayload(name=name, mimeType="video/mp4", buffer=data))


def ready(studio: Studio, data: bytes, name: str = "anna.mp4") -> None:
    """Choose a clip, until its preview and its length are there."""
    choose(studio, data, name)
    expect(studio.get("#clip-trim")).to_be_visible()


def state(studio: Studio, wanted: str) -> None:
    """Until the tab is in a state."""
    expect(studio.get("#video")).to_have_attribute("data-state", wanted)


def made(studio: Studio) -> None:
    """Press Make, until the clip is done."""
    studio.get("#clip-make").click()
    state(studio, "done")


def frames(data: bytes, folder: Path, *, decoder: str | None = None) -> list[Any]:
    """The frames of a file, RGBA."""
    path = folder / "result"
    path.write_bytes(data)
    return [frame for _, frame in decoded(path, decoder=decoder)]


def kept_id(studio: Studio) -> str:
    """The job that the browser remembers."""
    found = json.loads(studio.page.evaluate("localStorage.getItem('bshm.clip')") or "{}")
    return str(found.get("id", ""))


def test_a_clip_becomes_a_cutout_that_plays_over_chequered_ground_and_is_downloaded(
    tab: Studio, clip: bytes, tmp_path: Path
) -> None:
    expect(tab.get("#clip-make")).to_be_disabled()
    expect(tab.get("#clip-card-more")).to_contain_text("up to 2 s")
    ready(tab, clip)
    expect(tab.get("#clip-preview")).to_be_visible()
    made(tab)
    expect(tab.get("#say")).to_have_text("anna.mp4 is done.")
    expect(tab.get("#clip-facts")).to_contain_text(f"128 × 96, {FRAMES} frames")
    # AAC does not go into WebM, which is no secret.
    tab.get("#clip-notes summary").click()
    expect(tab.get("#clip-notes li")).to_contain_text("audio")
    result = tab.get("#clip-result")
    expect(result).to_be_visible()
    assert "conic-gradient" in result.evaluate("(video) => getComputedStyle(video).backgroundImage")
    corner, person = result.evaluate(SHOWN)
    assert corner[3] < 10 and person[3] > 245 and person[0] > 200
    name, data = tab.download("#clip-download")
    assert name == "anna.cutout.webm"
    assert [number_of(frame[..., 3]) for frame in frames(data, tmp_path, decoder="libvpx-vp9")] == list(range(FRAMES))


def test_each_choice_becomes_the_file_that_it_names(tab: Studio, clip: bytes, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (20, 60, 220)).save(picture, "PNG")
    behind = FilePayload(name="sea.png", mimeType="image/png", buffer=picture.getvalue())
    ready(tab, clip)

    def result(kind: str, target: str = "") -> tuple[str, Any]:
        tab.choose("clip-kind", kind)
        if target:
            tab.choose("clip-target", target)
        if kind == "picture":
            # Without one there is nothing to make.
            tab.get("#clip-make").click()
            expect(tab.get("#toast")).to_contain_text("Choose a picture")
            tab.page.set_input_files("#clip-picture-file", [behind])
            expect(tab.get("#clip-picture-name")).to_have_text("sea.png")
        made(tab)
        plays = tab.get("#clip-unplayed") if target == "edit" else tab.get("#clip-result")
        expect(plays).to_be_visible()
        name, data = tab.download("#clip-download")
        tab.get("#clip-again").click()
        state(tab, "ready")
        all_frames = frames(data, tmp_path)
        assert len(all_frames) == FRAMES
        return name, all_frames[0].astype(int)

    name, frame = result("none", "edit")
    assert name == "anna.cutout.mov" and (frame[2, 2, 3], frame[40, 28, 3]) == (0, 255)
    name, frame = result("colour")
    assert name == "anna.composite.mp4" and np.abs(frame[2, 2, :3] - (0x00, 0xB1, 0x40)).max() < 12
    assert frame[40, 28, 0] > 200
    name, frame = result("picture")
    assert name == "anna.composite.mp4" and np.abs(frame[2, 2, :3] - (20, 60, 220)).max() < 12
    name, frame = result("blur")
    assert name == "anna.composite.mp4" and np.abs(frame[2, 120, :3] - 60).max() < 12
    name, frame = result("alpha")
    assert name == "anna.alpha.mp4" and frame[2, 2].max(where=np.array([1, 1, 1, 0], bool), initial=0) < 12
    assert frame[40, 28].min() > 240


def test_a_part_is_chosen_by_handles_and_in_seconds(tab: Studio, clip: bytes, tmp_path: Path) -> None:
    ready(tab, clip)
    start, end, first = tab.get("#clip-start"), tab.get("#clip-end"), tab.get("#clip-from")
    expect(end).to_have_value("0.53")
    first.focus()
    for _ in range(3):
        tab.page.keyboard.press("ArrowRight")
    expect(start).to_have_value("0.03")
    expect(first).to_have_attribute("aria-valuetext", "0:00.03")
    # The preview shows where the handle is.
    tab.page.wait_for_function("document.querySelector('#clip-preview').currentTime === 0.03")
    start.fill("0.2")
    end.fill("0.4")
    end.blur()
    expect(tab.get("#clip-to")).to_have_value("0.4")
    expect(tab.get("#clip-takes")).to_contain_text("0.2 s")
    # The handles never cross.
    first.fill("0.5")
    expect(start).to_have_value("0.35")
    first.fill("0.2")
    made(tab)
    _, data = tab.download("#clip-download")
    assert [number_of(frame[..., 3]) for frame in frames(data, tmp_path, decoder="libvpx-vp9")] == list(range(6, 12))


def test_handles_are_dragged(tab: Studio, clip: bytes) -> None:
    ready(tab, clip)
    box = tab.get("#clip-trim").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    for at, to in ((9, 0.25), (box["width"] - 9, 0.75)):
        tab.page.mouse.move(box["x"] + at, middle)
        tab.page.mouse.down()
        tab.page.mouse.move(box["x"] + to * box["width"], middle, steps=5)
        tab.page.mouse.up()
    values = [float(tab.get(selector).input_value()) for selector in ("#clip-start", "#clip-end")]
    assert values == pytest.approx([0.25 * 0.54, 0.75 * 0.54], abs=0.02)


def test_progress_in_frames_outlives_a_reload(tab: Studio, serving: Serving, tmp_path: Path) -> None:
    # Frames on their way, and those that wait for later neighbours, are fewer than the network has seen.
    serving.held.write_text("30")
    ready(tab, make(tmp_path / "anna.mp4", [pixels(n % 12) for n in range(40)]).read_bytes())
    tab.get("#clip-make").click()
    words = tab.get("#clip-working-text")
    expect(words).to_have_text(re.compile(r"^[1-9]\d* of 40 frames$"))
    expect(tab.get("#clip-left")).to_have_text(re.compile(r"^About \d+ (s|min) left$"))
    assert float(tab.get("#clip-bar").get_attribute("aria-valuenow") or 0) > 0
    job_id = kept_id(tab)
    assert serving.job(job_id) == 200
    tab.page.reload()
    expect(words).to_have_text(re.compile(r"^[1-9]\d* of 40 frames$"))
    serving.held.unlink()
    state(tab, "done")
    # And so does what was made.
    tab.page.reload()
    state(tab, "done")
    expect(tab.get("#clip-result")).to_be_visible()
    expect(tab.get("#clip-again")).to_be_hidden()
    tab.get("#clip-delete").click()
    state(tab, "empty")
    assert serving.job(job_id) == 404
    assert kept_id(tab) == ""


def test_cancel_stops_it_and_leaves_nothing_on_the_server(tab: Studio, serving: Serving, clip: bytes) -> None:
    serving.held.write_text("0")
    ready(tab, clip)
    tab.get("#clip-make").click()
    expect(tab.get("#clip-cancel")).to_be_focused()
    state(tab, "running")
    job_id = kept_id(tab)
    tab.get("#clip-cancel").click()
    state(tab, "ready")
    expect(tab.get("#toast")).to_contain_text("Cancelled")
    assert serving.job(job_id) == 404
    assert kept_id(tab) == ""
    expect(tab.get("#clip-make")).to_be_focused()


def test_an_upload_is_seen_and_can_be_cancelled(tab: Studio, clip: bytes) -> None:
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    tab.page.route("**/videos", hold)
    ready(tab, clip)
    tab.get("#clip-make").click()
    state(tab, "sending")
    expect(tab.get("#clip-working-text")).to_have_text(re.compile("Sen(ding|t)"))
    tab.get("#clip-cancel").click()
    state(tab, "ready")
    tab.page.unroute("**/videos")


def test_a_lost_connection_is_said_and_gone_when_it_is_back(tab: Studio, serving: Serving, clip: bytes) -> None:
    serving.held.write_text("0")
    ready(tab, clip)
    tab.get("#clip-make").click()
    state(tab, "running")
    tab.page.route("**/videos/*", lambda route: route.abort())
    expect(tab.get("#clip-working-text")).to_contain_text("does not answer")
    serving.held.unlink()
    tab.page.unroute("**/videos/*")
    state(tab, "done")


def test_a_clip_that_is_gone_from_the_server_says_so(tab: Studio, serving: Serving, clip: bytes) -> None:
    serving.held.write_text("0")
    ready(tab, clip)
    tab.get("#clip-make").click()
    state(tab, "running")
    assert serving.job(kept_id(tab), "DELETE") == 204
    expect(tab.get("#clip-failed-title")).to_have_text("The clip is no longer on the server")
    expect(tab.get("#clip-failed-title")).to_be_focused()
    assert kept_id(tab) == ""
    tab.get("#clip-change").click()
    state(tab, "ready")


def test_what_is_no_clip_is_refused_in_words(tab: Studio) -> None:
    choose(tab, b"not a clip at all\n" * 9, "notes.mp4")
    expect(tab.get("#clip-blind")).to_be_visible()
    tab.get("#clip-make").click()
    expect(tab.get("#clip-failed-title")).to_have_text("The clip cannot be read")
    expect(tab.get("#clip-failed-detail")).to_contain_text("MP4")
    expect(tab.get("#clip-failed-name")).to_have_text("notes.mp4")
    expect(tab.get("#clip-failed-said")).to_contain_text("notes.mp4 cannot be read as a video")
    expect(tab.get("#clip-retry")).to_be_hidden()
    tab.get("#language").click()
    expect(tab.get("#clip-failed-title")).to_have_text("无法读取这段视频")
    tab.get("#clip-remove").click()
    state(tab, "empty")
    expect(tab.get("#clip-choose")).to_be_focused()


def test_a_file_that_is_too_large_is_not_sent(tab: Studio) -> None:
    sent: list[str] = []
    tab.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    choose(tab, bytes(MOST_BYTES + 1), "long.mp4")
    expect(tab.get("#clip-failed-title")).to_have_text("The clip is too large for this server")
    expect(tab.get("#clip-failed-detail")).to_contain_text("up to 2 s and 293 kB")
    assert sent == []


def test_of_a_clip_that_is_too_long_a_part_is_taken(tab: Studio, tmp_path: Path) -> None:
    long = make(tmp_path / "long.mp4", [pixels(n % 12) for n in range(75)]).read_bytes()
    ready(tab, long)
    expect(tab.get("#clip-end")).to_have_value(f"{MOST_S:g}")
    tab.get("#clip-end").fill("2.4")
    tab.get("#clip-end").blur()
    tab.get("#clip-make").click()
    expect(tab.get("#toast")).to_contain_text("This server takes up to 2 s")
    state(tab, "ready")


def test_what_the_browser_recorded_has_a_length(tab: Studio) -> None:
    # Such files do not say how long they are.
    recorded = tab.page.evaluate("""async () => {
      const canvas = document.createElement("canvas");
      const context = canvas.getContext("2d");
      const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: "video/webm;codecs=vp8" });
      const parts = [];
      recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
      const ended = new Promise((done) => recorder.addEventListener("stop", done));
      recorder.start();
      for (let n = 0; n < 20; n += 1) {
        context.fillStyle = n % 2 ? "red" : "blue";
        context.fillRect(0, 0, 300, 150);
        await new Promise((done) => setTimeout(done, 30));
      }
      recorder.stop();
      await ended;
      return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
    }""")
    ready(tab, bytes(recorded), "live.webm")
    assert 0 < float(tab.get("#clip-end").input_value()) < 60


def test_a_dropped_clip_opens_the_tab(open_page: Open, serving: Serving, clip: bytes) -> None:
    studio = open_page(serving.address)
    expect(studio.get("#hero")).to_be_visible()
    studio.page.evaluate(DROP, ["dragenter", "anna.mp4", list(clip)])
    expect(studio.get("#veil")).to_be_visible()
    studio.page.evaluate(DROP, ["drop", "anna.mp4", list(clip)])
    state(studio, "ready")
    expect(studio.get("#to-video")).to_have_attribute("aria-current", "page")
    expect(studio.get("#clip-preview")).to_be_visible()
    expect(studio.get("#clip-name")).to_have_text("anna.mp4")


def test_a_server_without_the_part_for_videos_says_what_to_install(open_page: Open, tmp_path: Path) -> None:
    with begun(tmp_path, "without-pyav") as address:
        studio = open_page(f"{address}#video", address=address)
        expect(studio.get("#clip-install")).to_have_text("pip install 'bshm[video]'")
        expect(studio.get("#clip-card-text")).to_contain_text("not installed")
        expect(studio.get("#clip-choose")).to_be_hidden()
        expect(studio.get("#clip-panel")).to_be_hidden()


def test_a_server_that_has_videos_switched_off_says_so(open_page: Open, service: str) -> None:
    studio = open_page(f"{service}#video", address=service)
    expect(studio.get("#clip-card-text")).to_contain_text("switched off")
    expect(studio.get("#clip-install")).to_be_hidden()


def test_with_a_key_it_is_asked_for_once_and_results_are_shown(open_page: Open, tmp_path: Path, clip: bytes) -> None:
    _, key = Keys(tmp_path / "keys.json").add("anna")
    with begun(tmp_path, "clips") as address:
        studio = open_page(f"{address}#video", address=address)
        expect(studio.get("#key-dialog")).to_be_visible()
        studio.get("#key").fill(key)
        studio.get("#key-form [type=submit]").click()
        state(studio, "empty")
        ready(studio, clip)
        made(studio)
        corner, person = studio.get("#clip-result").evaluate(SHOWN)
        assert corner[3] < 10 and person[3] > 245
        name, data = studio.download("#clip-download")
        assert name == "anna.cutout.webm" and data[:4] == b"\x1a\x45\xdf\xa3"


@pytest.mark.parametrize(
    ("scheme", "rules"), [("light", RULES), ("dark", {"type": "rule", "values": ["color-contrast"]})]
)
def test_axe_finds_nothing_in_any_state(
    open_page: Open, serving: Serving, clip: bytes, scheme: str, rules: object
) -> None:
    studio = open_page(
        f"{serving.address}#video", address=serving.address, color_scheme=scheme, reduced_motion="reduce"
    )

    def violations() -> list[str]:
        found = Axe().run(studio.page, options={"runOnly": rules}).response["violations"]
        return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]

    state(studio, "empty")
    assert violations() == []
    ready(studio, clip)
    for kind in ("none", "colour", "picture", "blur", "alpha"):
        studio.choose("clip-kind", kind)
        assert violations() == [], kind
    serving.held.write_text("0")
    studio.get("#clip-make").click()
    state(studio, "running")
    assert violations() == []
    serving.held.unlink()
    state(studio, "done")
    assert violations() == []
    studio.get("#clip-other").click()
    choose(studio, bytes(MOST_BYTES + 1), "long.mp4")
    state(studio, "failed")
    assert violations() == []


def test_all_can_be_done_by_keyboard(tab: Studio, serving: Serving, clip: bytes) -> None:
    ready(tab, clip)
    page = tab.page
    serving.held.write_text("0")
    tab.get("#clip-preview").focus()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.id || document.activeElement.name")
        if name and name not in seen:
            seen.append(name)
        if name == "clip-make":
            break
    # Between stand what a browser draws over a video, and the panes, which scroll.
    order = ["clip-from", "clip-to", "clip-kind", "clip-target", "clip-sound", "clip-start", "clip-end", "clip-model"]
    assert [name for name in seen if name in order] == order
    page.keyboard.press("Enter")
    state(tab, "running")
    expect(tab.get("#clip-cancel")).to_be_focused()
    serving.held.unlink()
    state(tab, "done")
    expect(tab.get("#clip-download")).to_be_focused()


WINDOWS = ((1440, 900), (844, 390), (667, 375), (390, 844), (320, 568))


def test_it_fits_every_window(open_page: Open, serving: Serving, clip: bytes) -> None:
    studio = open_page(
        f"{serving.address}#video", address=serving.address, viewport={"width": 844, "height": 390}, **PHONE
    )

    def fits(*selectors: str) -> None:
        for width, height in WINDOWS:
            studio.page.set_viewport_size({"width": width, "height": height})
            studio.settle()
            assert studio.page.evaluate("document.documentElement.scrollWidth") <= width
            for selector in selectors:
                expect(studio.get(selector)).to_be_in_viewport(ratio=1)
                whole = "(part) => part.scrollWidth <= part.clientWidth + 1"
                assert studio.get(selector).evaluate(whole), (width, height, selector)

    for _ in range(2):
        state(studio, "empty")
        fits("#clip-choose", "#clip-make")
        ready(studio, clip)
        fits("#clip-make", "#clip-other", "#clip-trim")
        for width, height in WINDOWS:
            studio.page.set_viewport_size({"width": width, "height": height})
            studio.settle()
            box = studio.get("#clip-preview").bounding_box()
            assert box is not None and min(box["width"], box["height"]) >= 140, (width, height)
        made(studio)
        fits("#clip-download", "#clip-again", "#clip-other")
        studio.get("#clip-other").click()
        studio.get("#language").click()


def test_the_tab_goes_on_while_another_is_looked_at(tab: Studio, serving: Serving, clip: bytes) -> None:
    serving.held.write_text("0")
    ready(tab, clip)
    tab.get("#clip-make").click()
    state(tab, "running")
    tab.get("#to-pictures").click()
    expect(tab.get("#hero")).to_be_visible()
    serving.held.unlink()
    expect(tab.get("#toast")).to_have_text("anna.mp4 is done.")
    tab.get("#to-video").click()
    expect(tab.get("#clip-result")).to_be_visible()
