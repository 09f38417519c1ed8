"""A server with ModelScope's interface that can behave badly."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILE = "tf_graph.pb"
BASE = "/api/v1/models/iic/cv_unet_image-matting"


class Hub(ThreadingHTTPServer):
    """What it serves, how it misbehaves, and what it was asked.

    ``faults`` is taken from the front, one a download: ``drop`` closes after a third, ``truncate`` says that a third is
    all, ``corrupt`` changes a byte, ``stall`` sends a third and then nothing, ``error`` answers 503, ``missing`` 404,
    ``no-range`` ignores the range, ``away`` redirects to plain HTTP elsewhere, ``ok`` does as it should.
    """

    daemon_threads = True

    def __init__(self, data: bytes, faults: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data = data
        self.faults = faults
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.stated_sha256: str | None = hashlib.sha256(data).hexdigest()
        self.listed = True
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^http://[^/]*", "", parts.path)
        self.server.paths.append(self.path)
        if path == f"{BASE}/repo/files":
            files = [{"Path": "README.md", "Size": 3, "Type": "blob"}]
            if self.server.listed:
                files.append({"Path": FILE, "Size": len(self.server.data), "Sha256": self.server.stated_sha256})
            self._json({"Code": 200, "Data": {"Files": files}, "Success": True})
        elif path == BASE:
            self._json({"Code": 200, "Data": {"License": "Apache License 2.0"}})
        elif path == f"{BASE}/repo" and parse_qs(parts.query)["FilePath"] == [FILE]:
            self._file()
        else:
            self.send_error(404)

    def _json(self, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self) -> None:
        fault = self.server.faults.pop(0) if self.server.faults else "ok"
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if fault in ("error", "missing"):
            self.send_error(503 if fault == "error" else 404)
            return
        if fault == "away":
            self.send_response(302)
            self.send_header("Location", "http://files.example.org/tf_graph.pb")
            self.end_headers()
            return
        data = self.server.data
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault != "no-range" else 0
        if start >= len(data):
            self.send_error(416)
            return
        body = data[start:]
        if fault == "corrupt":
            body = bytes([body[0] ^ 1]) + body[1:]
        third = max(1, len(body) // 3)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if fault != "truncate":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body[:third] if fault in ("drop", "stall", "truncate") else body)
            self.wfile.flush()
        if fault == "stall":
            self.server.released.wait(10)

    def log_message(self, *_: Any) -> None:
        """Tests read stderr."""


@contextlib.contextmanager
def serving(data: bytes, *faults: str) -> Iterator[Hub]:
    """A hub, on a port of its own."""
    hub = Hub(data, list(faults))
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        hub.shutdown()
        hub.server_close()
        thread.join()
