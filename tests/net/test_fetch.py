from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from made_pictures import noise, saved
from PIL import Image

from bshm.errors import FetchError, PictureTooLargeError, UnreadablePictureError, UrlRefusedError
from bshm.net.fetch import fetch
from bshm.net.guard import is_public, shown
from bshm.options import Limits

PNG = saved(Image.fromarray(noise(64, 64, 3)), "PNG")

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.254", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "::7f00:1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::100.64.0.1",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1",
    "2002:808:808::1", "3fff::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    "ff0e::1", "2a00:1450:4001::5efe:127.0.0.1", "2a00:1450:4001::200:5efe:10.0.0.1", "4000::1", "localhost", "",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "93.184.216.34", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450:4001::200e",
    "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(UrlRefusedError, match="public address"):
        fetch("http://example.com/", limits=Limits(), _resolve=lambda host, port: [address])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(UrlRefusedError, match=r"10\.0\.0\.1"):
        fetch("http://example.com/", limits=Limits(), _resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "[::ffff:7f00:1]", "0"]
)
def test_every_spelling_of_this_machine_is_refused(host: str) -> None:
    with pytest.raises((UrlRefusedError, FetchError)):
        fetch(f"http://{host}:1/", limits=Limits(url_timeout_s=5))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "HTTP:///path", "http://", "http://:80/", "http://example.com:0/",
        "http://example.com:70000/", "http://example.com:x/", "http://user@example.com/", "http://u:p@example.com/",
        "http://@example.com/", "http://[::1/", "http://exa mple.com/", "http://example.com/\r\nX: y",
        "http://example.com\\@127.0.0.1/", "http://example.com/a\tb", "//example.com/", "http://a..b/",
        f"http://{'a' * 64}.com/",
    ],
)  # fmt: skip
def test_urls_that_are_not_plain_are_refused_before_any_look_up(url: str) -> None:
    def never(host: str, port: int) -> list[str]:
        raise AssertionError(f"looked up {host}")

    with pytest.raises(UrlRefusedError):
        fetch(url, limits=Limits(), _resolve=never)


def test_messages_show_neither_credentials_nor_queries() -> None:
    assert shown("https://me:secret@example.com:8/a?token=secret#secret") == "https://example.com:8/a?..."
    with pytest.raises(UrlRefusedError) as caught:
        fetch("https://me:secret@example.com/?token=secret", limits=Limits())
    assert "secret" not in str(caught.value)


# From here on against a server on this machine, which the injected check allows.


class Server:
    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, dict(self.headers)))
                with contextlib.suppress(OSError):  # the client may leave first
                    outer.answers[self.path](self)

            def log_message(self, *_: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.httpd.block_on_close = False
        self.port = self.httpd.server_address[1]

    def get(self, path: str, limits: Limits | None = None, **options: Any) -> bytes:
        options = {"_resolve": lambda host, port: ["127.0.0.1"], "_is_allowed": lambda ip: ip == "127.0.0.1"} | options
        return fetch(f"http://pictures.test:{self.port}{path}", limits=limits or Limits(url_timeout_s=10), **options)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.httpd.shutdown()
    server.httpd.server_close()
    thread.join()


def answer(
    status: int = 200, body: bytes = b"", length: int | None = -1, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        if length is not None:
            handler.send_header("Content-Length", str(len(body) if length == -1 else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def test_a_picture_comes_whole_by_its_name_and_without_a_second_look_up(server: Server) -> None:
    server.answers["/a.png?x=1"] = answer(body=PNG)
    looked_up: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    assert server.get("/a.png?x=1#part", _resolve=resolve) == PNG
    assert looked_up == ["pictures.test"]
    assert server.requests[0][1]["Host"] == f"pictures.test:{server.port}"
    assert server.requests[0][1]["User-Agent"].startswith("bshm/")


def test_the_environments_proxy_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.answers["/a.png"] = answer(body=PNG)
    assert server.get("/a.png") == PNG


def test_a_picture_without_a_length_comes_whole(server: Server) -> None:
    server.answers["/a.png"] = answer(body=PNG, length=None)
    assert server.get("/a.png") == PNG


def test_chunks_are_put_together(server: Server) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(PNG[at : at + 999]), PNG[at : at + 999]) for at in range(0, len(PNG), 999))
    server.answers["/a.png"] = answer(body=chunks + b"0\r\n\r\n", length=None, Transfer_Encoding="chunked")
    server.answers["/cut.png"] = answer(body=chunks[:3000], length=None, Transfer_Encoding="chunked")
    assert server.get("/a.png") == PNG
    # HTTP/1.0 answers are not chunked; http.client reads them all the same.
    with pytest.raises(FetchError):
        server.get("/cut.png")


def test_a_path_that_is_not_ascii_is_encoded(server: Server) -> None:
    server.answers["/%C3%A4.png"] = answer(body=PNG)
    assert server.get("/ä.png") == PNG


def test_a_dead_address_is_passed_over(server: Server) -> None:
    server.answers["/a.png"] = answer(body=PNG)
    addresses = ["127.0.0.2", "127.0.0.1"]  # nobody listens on the first
    assert server.get("/a.png", _resolve=lambda h, p: addresses, _is_allowed=lambda ip: True) == PNG


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_counted(server: Server, status: int) -> None:
    for step in range(4):
        server.answers[f"/{step}"] = answer(status, Location=f"/{step + 1}")
    server.answers["/4"] = answer(body=PNG)
    assert server.get("/0", Limits(redirects=4)) == PNG
    with pytest.raises(FetchError, match="more than 3 times"):
        server.get("/0", Limits(redirects=3))


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "//192.168.1.1/a", "file:///etc/passwd",
        "ftp://example.com/", "http://u:p@pictures.test/", "http://private.test/", "http://pictures.test/\\@10.0.0.1",
    ],
)  # fmt: skip
def test_redirects_to_what_is_not_allowed_are_refused(server: Server, location: str) -> None:
    server.answers["/a"] = answer(302, Location=location)
    names = {"pictures.test": ["127.0.0.1"], "private.test": ["10.0.0.7"]}
    with pytest.raises(UrlRefusedError):
        server.get("/a", _resolve=lambda host, port: names.get(host, [host]))
    assert len(server.requests) == 1


def test_a_name_that_changes_its_address_is_checked_again(server: Server) -> None:
    server.answers["/a"] = answer(302, Location="/b")
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    with pytest.raises(UrlRefusedError, match=r"10\.0\.0\.1"):
        server.get("/a", _resolve=lambda host, port: next(answers))


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 429, 500, 503])
def test_other_answers_are_told(server: Server, status: int) -> None:
    server.answers["/a.png"] = answer(status)
    with pytest.raises(FetchError, match=str(status)):
        server.get("/a.png")


def test_too_many_bytes_are_told_before_or_while_they_come(server: Server) -> None:
    server.answers["/announced"] = answer(body=PNG)
    server.answers["/silent"] = answer(body=PNG, length=None)
    for path in server.answers:
        assert server.get(path, Limits(max_bytes=len(PNG))) == PNG
        with pytest.raises(PictureTooLargeError, match="raise the limit"):
            server.get(path, Limits(max_bytes=len(PNG) - 1))


@pytest.mark.parametrize("kind", ["text/html", "image/png"])
def test_what_is_no_picture_is_told_before_it_is_downloaded(server: Server, kind: str) -> None:
    sent: list[int] = []

    def page(handler: BaseHTTPRequestHandler) -> None:
        answer(body=b"<!doctype html>", length=400_000_000, Content_Type=kind)(handler)
        for _ in range(1000):
            handler.wfile.write(b" " * 100_000)
            sent.append(100_000)

    server.answers["/a.png"] = page
    with pytest.raises(UnreadablePictureError, match="doctype"):
        server.get("/a.png")
    assert sum(sent) < 50_000_000
    server.answers["/empty"] = answer(Content_Type=kind)
    with pytest.raises(UnreadablePictureError, match="begins with '' "):
        server.get("/empty")


def test_a_format_that_is_not_read_is_called_by_its_name(server: Server) -> None:
    server.answers["/a.jxl"] = answer(body=b"\xff\x0a" + b"\0" * 1000)
    with pytest.raises(UnreadablePictureError, match=r"a\.jxl is a JPEG XL picture"):
        server.get("/a.jxl")


def test_a_body_that_stops_half_way_is_told(server: Server) -> None:
    server.answers["/a.png"] = answer(body=PNG[:5000], length=len(PNG))
    with pytest.raises(FetchError, match="stopped after 5,000"):
        server.get("/a.png")


def test_a_compressed_body_is_refused(server: Server) -> None:
    server.answers["/a.png"] = answer(body=PNG, Content_Encoding="gzip")
    with pytest.raises(FetchError, match="gzip"):
        server.get("/a.png")


def drip(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    for byte in data:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.02)


def dripping_body(handler: BaseHTTPRequestHandler) -> None:
    answer(length=len(PNG))(handler)
    drip(handler, PNG)


def dripping_head(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, b"HTTP/1.0 200 OK\r\nX: " + b"x" * 1000)


def endless_continue(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def silence(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


@pytest.mark.parametrize("slow", [dripping_body, dripping_head, endless_continue, silence])
def test_however_slow_a_server_is_the_whole_ends_in_time(
    server: Server, slow: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    server.answers["/a.png"] = slow
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"within 0\.3 s"):
        server.get("/a.png", Limits(url_timeout_s=0.3))
    # Ten times the limit, for a busy machine; dripping to the end would take far longer than that.
    assert time.monotonic() - started < 3


def test_redirects_share_one_time_limit(server: Server) -> None:
    def later(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.15)
        answer(302, Location="/a")(handler)

    server.answers["/a"] = later
    with pytest.raises(FetchError, match=r"within 0\.4 s"):
        server.get("/a", Limits(url_timeout_s=0.4, redirects=100))


def test_a_slow_name_server_ends_in_time() -> None:
    release = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        release.wait(5)
        return ["8.8.8.8"]

    with pytest.raises(FetchError, match=r"within 0\.2 s"):
        fetch("http://example.com/", limits=Limits(url_timeout_s=0.2), _resolve=slow)
    release.set()


def test_a_name_without_an_address_is_told() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(FetchError, match="spelling"):
        fetch("http://example.com/", limits=Limits(), _resolve=unknown)


def test_a_server_that_is_not_there_or_talks_nonsense_is_told(server: Server) -> None:
    def nonsense(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x16\x03\x01 nonsense\r\n\r\n")

    server.answers["/a.png"] = nonsense
    with pytest.raises(FetchError, match="did not come"):
        server.get("/a.png")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://pictures.test:{free.getsockname()[1]}/"
        with pytest.raises(FetchError, match="refused"):
            fetch(url, limits=Limits(), _resolve=lambda h, p: ["127.0.0.1"], _is_allowed=lambda ip: True)


def test_a_certificate_is_checked_against_the_name_though_the_address_is_pinned(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context()
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    asked: list[str] = []

    class Context:
        def wrap_socket(self, sock: socket.socket, server_hostname: str) -> socket.socket:
            asked.append(server_hostname)
            assert sock.getpeername()[0] == "127.0.0.1"
            error = ssl.SSLCertVerificationError(1, "failed")
            error.verify_message = "Hostname mismatch"
            raise error

    monkeypatch.setattr(ssl, "create_default_context", Context)
    url = f"https://pictures.test:{server.port}/"
    with pytest.raises(FetchError, match=r"not valid for pictures\.test: Hostname mismatch"):
        fetch(url, limits=Limits(), _resolve=lambda h, p: ["127.0.0.1"], _is_allowed=lambda ip: True)
    assert asked == ["pictures.test"]


def test_a_plain_server_behind_https_is_told(server: Server) -> None:
    url = f"https://pictures.test:{server.port}/"
    with pytest.raises(FetchError, match="did not come"):
        fetch(url, limits=Limits(url_timeout_s=5), _resolve=lambda h, p: ["127.0.0.1"], _is_allowed=lambda ip: True)
