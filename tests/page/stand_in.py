"""A tiny server in the place of the real one, for what a healthy server does not do: busy, broken, locked, nobody.

    python tests/page/stand_in.py PORT [--weights]

serves the page with its strict policy.  What ``POST /matte`` answers follows from the name of the file:

    busy-…      503 with Retry-After the first time, then the cut-out
    always-busy-…  503 each time
    locked-…    401 unless the key is "open sesame"
    broken-…    500 without a word
    large-…     413 with the service's own words
    nginx-large-…  413 with a page of a proxy
    proxy-…     200 with a page in place of a picture
    slow-…      the cut-out after a second
    held-…      the cut-out once ``Handler.released`` is set
    others      the cut-out, or a problem where the picture cannot be read
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fake_network

import bshm
from bshm.edit.spec import Edit
from bshm.errors import InputError

STATIC = Path(__file__).resolve().parents[2] / "src/bshm/web"
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
KEY = "open sesame"
# Longer than any step of a test.
HELD_S = 120


class Handler(SimpleHTTPRequestHandler):
    """The page, and answers to its questions."""

    extensions_map = {  # noqa: RUF012 (the base class declares it so)
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".webp": "image/webp",
        ".svg": "image/svg+xml",
    }
    matting: bshm.Matting
    seen: set[str]
    released: threading.Event

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(STATIC))

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, b'{"status":"ok"}', {"Content-Type": "application/json"})
        else:
            super().do_GET()

    def do_POST(self) -> None:
        name, data = self._picture(self.rfile.read(int(self.headers["Content-Length"])))
        if name.startswith("always-busy-") or (name.startswith("busy-") and name not in self.seen):
            self.seen.add(name)
            self._problem(503, "The server is busy", "All places are taken.", {"Retry-After": "1"})
        elif name.startswith("locked-") and self.headers.get("X-Api-Key") != KEY:
            self._problem(401, "An API key is needed", "Send it in X-Api-Key.")
        elif name.startswith("large-"):
            detail = "a request may have 33,554,432 bytes here; this one has more."
            self._problem(413, "The picture is too large", detail, code="urn:bshm:problem:picture-too-large")
        elif name.startswith("nginx-large-"):
            self._answer(413, b"<h1>413 Request Entity Too Large</h1>", {"Content-Type": "text/html"})
        elif name.startswith("broken-"):
            self._answer(500, b"", {})
        elif name.startswith("proxy-"):
            self._answer(200, b"<h1>Log in</h1>", {"Content-Type": "text/html"})
        else:
            time.sleep(1 if name.startswith("slow-") else 0)
            if name.startswith("held-"):
                self.released.wait(HELD_S)
            self._cut_out(data)

    def _cut_out(self, data: bytes) -> None:
        started = time.perf_counter()
        try:
            matte = self.matting.matte(data)
        except InputError as error:
            self._problem(422, "Not a picture that can be read", str(error))
            return
        headers = {
            "Content-Type": "image/png",
            "X-Bshm-Model": matte.ran.model,
            "X-Bshm-Device": matte.ran.device,
            "Server-Timing": f"total;dur={(time.perf_counter() - started) * 1000:.1f}",
            **({"X-Bshm-Empty": "true"} if matte.is_empty else {}),
        }
        self._answer(200, matte.encode(Edit(format="png")), headers)

    def _picture(self, body: bytes) -> tuple[str, bytes]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        part = next(
            part for part in message.iter_parts() if part.get_param("name", header="content-disposition") == "image"
        )
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        return part.get_filename() or "", data

    def _problem(
        self, status: int, title: str, detail: str, headers: dict[str, str] | None = None, code: str = "about:blank"
    ) -> None:
        body = json.dumps({"type": code, "title": title, "status": status, "detail": detail}).encode()
        self._answer(status, body, {"Content-Type": "application/problem+json", **(headers or {})})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing: the tests read what the browser logs."""


def server(port: int = 0, *, weights: bool = False) -> ThreadingHTTPServer:
    """The stand-in, bound to ``port`` and not yet serving; with the weights in the box, or red for people."""
    if weights:
        matting = bshm.Matting(threads=1)
    else:
        matting = bshm.Matting(engine=fake_network.open_fake(fake_network.CARD, "cpu"))
    handler = type("Bound", (Handler,), {"matting": matting, "seen": set(), "released": threading.Event()})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    server(int(sys.argv[1]), weights="--weights" in sys.argv).serve_forever()
