"""Pictures from URLs: the guard, as it is met over HTTP, and what is kept of them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sent import picture

from bshm.net.fetch import Fetched, Validators, fetch_if_changed
from bshm.net.guard import is_public
from bshm.options import Limits

NOT_PUBLIC = [
    "http://127.0.0.1/a.png",
    "http://localhost/a.png",
    "http://0.0.0.0/a.png",
    "http://[::1]/a.png",
    "http://[::ffff:127.0.0.1]/a.png",
    "http://[64:ff9b::7f00:1]/a.png",
    "http://[2002:7f00:1::]/a.png",
    "http://10.0.0.1/a.png",
    "http://172.16.0.1/a.png",
    "http://192.168.1.1/a.png",
    "http://100.64.0.1/a.png",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.127.255.254/a.png",
    "http://198.18.0.1/a.png",
    "http://224.0.0.1/a.png",
    "http://255.255.255.255/a.png",
    "http://[::]/a.png",
    "http://[64:ff9b::a9fe:a9fe]/a.png",
    "http://[64:ff9b::6440:1]/a.png",
    "http://[2002:a00:1::1]/a.png",
    "http://[2001:db8::1]/a.png",
    "http://[::ffff:10.0.0.1]/a.png",
    "http://[fd00::1]/a.png",
    "http://[fe80::1]/a.png",
    "http://0x7f000001/a.png",
    "http://2130706433/a.png",
    "http://127.1/a.png",
    "http://user:word@93.184.216.34/a.png",
    "file:///etc/passwd",
    "ftp://93.184.216.34/a.png",
    "gopher://127.0.0.1:6379/_INFO",
    "http://127.0.0.1\\@93.184.216.34/a.png",
    "http://",
    "not a url",
]


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_the_guard_stands_before_every_way_in(start: Any, url: str) -> None:
    client = start(allow_urls=True, url_timeout_s=5)
    answers = [
        client.post("/matte", data={"image_url": url}),
        client.post("/matte", json={"image_url": url}),
        client.post("/v1.0/removebg", data={"image_url": url}),
        client.post("/v1.0/removebg", files={"image_file": picture()}, data={"bg_image_url": url}),
    ]
    if url.startswith("http"):
        answers.append(client.post("/matte", files={"image": picture()}, data={"background": url}))
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text
        # What names resolve to in here is nobody's business.
        assert "10.0.0" not in answer.text.replace(url, "")


def only_the_first_hop_is_trusted(url: str, limits: Limits, known: Validators | None) -> Fetched:
    """The real guard, but for the address of the test's own server, which sends the client elsewhere."""
    hops: list[str] = []

    def is_allowed(address: str) -> bool:
        hops.append(address)
        return len(hops) == 1 or is_public(address)

    return fetch_if_changed(url, limits=limits, known=known, _is_allowed=is_allowed)


@pytest.mark.parametrize(
    "url", [each for each in NOT_PUBLIC if "\\" not in each and each not in ("http://", "not a url")]
)
def test_a_redirect_to_what_is_not_public_is_refused_at_every_way_in(start: Any, url: str) -> None:
    class Elsewhere(Pictures):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            self.send_response(302)
            self.send_header("Location", url)
            self.end_headers()

    client = start(fetch=only_the_first_hop_is_trusted, allow_urls=True, url_timeout_s=5, jobs=True)
    with serving(Elsewhere) as (first, asked):
        answers = [
            client.post("/matte", data={"image_url": first}),
            client.post("/matte", files={"image": picture()}, data={"background": first}),
            client.post("/v1.0/removebg", data={"image_url": first}),
            client.post("/v1.0/removebg", files={"image_file": picture()}, data={"bg_image_url": first}),
            client.post("/jobs", data={"image_url": first}),
            client.post("/jobs", files={"image": picture()}, data={"background": first}),
        ]
    assert asked == ["/a.png"] * len(answers)  # each was sent on, and none came back here
    assert [answer.status_code for answer in answers] == [422, 422, 400, 400, 422, 422]
    assert all("10.0.0" not in answer.text and "passwd" not in answer.text for answer in answers)


def test_a_name_is_looked_up_once_and_its_address_pinned(start: Any) -> None:
    class One(Pictures):
        data = picture()

    looked_up: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        # Whoever asks twice is sent inside (DNS rebinding).
        return ["127.0.0.1"] if len(looked_up) == 1 else ["10.0.0.1"]

    def fetch(url: str, limits: Limits, known: Validators | None) -> Fetched:
        return fetch_if_changed(
            url, limits=limits, known=known, _resolve=resolve, _is_allowed=lambda address: address == "127.0.0.1"
        )

    client = start(fetch=fetch, allow_urls=True)
    with serving(One) as (url, asked):
        named = url.replace("127.0.0.1", "pictures.test")
        assert client.post("/matte", data={"image_url": named}).status_code == 200
        assert (looked_up, len(asked)) == (["pictures.test"], 1)
        again = client.post("/matte", data={"image_url": named, "alpha": "1"})
    assert again.status_code == 422 and len(asked) == 1 and "10.0.0.1" not in again.text


def test_bytes_pixels_and_time_of_a_download_have_caps(start: Any) -> None:
    class Large(Pictures):
        data = picture((400, 300))

    class Slow(Pictures):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(300):
                    self.wfile.write(b"\x89PNG\r\n\x1a\n")
                    threading.Event().wait(0.1)

    few_bytes = start(fetch=loopback_too, allow_urls=True, max_upload_bytes=1024)
    few_pixels = start(fetch=loopback_too, allow_urls=True, max_pixels=400 * 300 - 1)
    little_time = start(fetch=loopback_too, allow_urls=True, url_timeout_s=1)

    class Heavy(Pictures):
        data = picture() + bytes(2000)

    with serving(Heavy) as (url, _):
        assert few_bytes.post("/matte", data={"image_url": url}).status_code == 413
    with serving(Large) as (url, _):
        assert few_pixels.post("/matte", data={"image_url": url}).status_code == 413
    with serving(Slow) as (url, _):
        began = time.monotonic()
        assert little_time.post("/matte", data={"image_url": url}).status_code == 424
        assert time.monotonic() - began < 15  # of the 30 that it would take


def test_a_slow_name_server_holds_nobody_else_up(start: Any) -> None:
    asked, answer = threading.Event(), threading.Event()

    def fetch(url: str, limits: Limits, known: Validators | None) -> Fetched:
        def resolve(host: str, port: int) -> list[str]:
            asked.set()
            answer.wait(20)
            return ["10.0.0.1"]

        return fetch_if_changed(url, limits=limits, known=known, _resolve=resolve)

    client = start(fetch=fetch, allow_urls=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, "/matte", data={"image_url": "http://slow.test/a.png"})
        assert asked.wait(10)
        assert client.post("/matte", files={"image": picture()}).status_code == 200
        assert not waiting.done()
        answer.set()
        assert waiting.result(20).status_code == 422


def test_urls_are_off_unless_asked_for(start: Any) -> None:
    fetched: list[str] = []

    def fetch(url: str, limits: Limits, known: Validators | None) -> Fetched:
        fetched.append(url)
        return Fetched(picture(), Validators())

    client = start(fetch=fetch)
    for data in ({"image_url": "https://example.com/a.png"}, {"image_url": "http://93.184.216.34/"}):
        assert client.post("/matte", data=data).status_code == 422
        assert client.post("/v1.0/removebg", data=data).status_code == 400
    assert fetched == []


class Pictures(BaseHTTPRequestHandler):
    """Serves one picture with an ETag, and remembers who asked for what."""

    data = b""
    etag = '"one"'
    asked: list[str]

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("If-None-Match") or "")  # type: ignore[attr-defined]
        if self.headers.get("If-None-Match") == self.etag:
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(self.data)))
        self.send_header("ETag", self.etag)
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(handler: type[Pictures]) -> Iterator[tuple[str, list[str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/a.png", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def loopback_too(url: str, limits: Limits, known: Validators | None) -> Fetched:
    return fetch_if_changed(url, limits=limits, known=known, _is_allowed=lambda address: True)


def test_a_url_that_has_not_changed_is_neither_downloaded_nor_matted_again(start: Any) -> None:
    class One(Pictures):
        data = picture()

    client = start(fetch=loopback_too, allow_urls=True)
    with serving(One) as (url, asked):
        first = client.post("/matte", data={"image_url": url})
        second = client.post("/matte", data={"image_url": url})
        other = client.post("/matte", data={"image_url": url, "alpha": "1"})
        One.data, One.etag = picture((32, 32), person=(8, 8, 24, 24)), '"two"'
        changed = client.post("/matte", data={"image_url": url})
    assert [each.status_code for each in (first, second, other, changed)] == [200] * 4
    assert [each.headers["x-bshm-cache"] for each in (first, second, other, changed)] == ["miss", "hit", "miss", "miss"]
    assert first.content == second.content and changed.headers["x-width"] == "32"
    # The third had no result to fall back on, so it asked for the picture whatever it is.
    assert asked == ["", '"one"', "", '"one"']


def test_the_same_picture_by_url_and_by_upload_is_made_once(start: Any) -> None:
    class One(Pictures):
        data = picture()

    client = start(fetch=loopback_too, allow_urls=True)
    with serving(One) as (url, _):
        assert client.post("/matte", files={"image": picture()}).headers["x-bshm-cache"] == "miss"
        assert client.post("/matte", data={"image_url": url}).headers["x-bshm-cache"] == "hit"


def test_a_url_can_be_the_background(start: Any) -> None:
    class Green(Pictures):
        data = picture((8, 8), person=None)

    client = start(fetch=loopback_too, allow_urls=True)
    with serving(Green) as (url, _):
        answer = client.post("/matte", files={"image": picture()}, data={"background": url})
        assert answer.status_code == 200
        removed = client.post("/v1.0/removebg", files={"image_file": picture()}, data={"bg_image_url": url})
        assert removed.status_code == 200 and removed.headers["content-type"] == "image/jpeg"


def test_a_job_takes_the_picture_and_the_background_from_urls(start: Any) -> None:
    class One(Pictures):
        data = picture()

    client = start(fetch=loopback_too, allow_urls=True)
    with serving(One) as (url, asked):
        single = client.post("/matte", data={"image_url": url, "background": url})
        accepted = client.post("/jobs", data={"image_url": url, "background": url})
    # What the job needs is here before it is accepted: the URL's server may be gone by now.
    place = accepted.headers["location"]
    for _ in range(600):
        job = client.get(place).json()
        if job["state"] not in ("queued", "running"):
            break
        threading.Event().wait(0.05)
    assert job["state"] == "done" and job["items"][0]["name"] == "a.png" and len(asked) == 4
    assert client.get(f"{place}/results/0").content == single.content
