"""What every request passes, whatever its route: id, host, key, room, size, time; and what every answer carries."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bshm.errors import BshmError, PictureTooLargeError
from bshm.server import answers, intake, logs
from bshm.server.keys import Key
from bshm.server.refusals import HostRefusedError, KeyRefusedError, TimeRanOutError, TooBusyError, TooManyAtOnceError
from bshm.server.service import Service
from bshm.server.settings import LOOPBACK_HOSTS, MIB

# Reached without a key: they say nothing of anybody.
_OPEN_ROUTES = ("/healthz", "/readyz", "/openapi.json", "/favicon.ico")
_OPEN_FOLDERS = ("/docs", "/app/", "/static/")
_WORK = ("/matte", "/v1.0/removebg", "/jobs")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Around the picture in a request: other fields, boundaries, and a third more for base64.
_BASE64 = 4 / 3
_FIELDS_BYTES = MIB

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
}
# For all that is no page: should a browser be talked into showing it, it runs nothing.
_NO_PAGE_CSP = "default-src 'none'; frame-ancestors 'none'; sandbox"


class Gate:
    """The outermost layer.  It knows paths and headers; what is in a body is the routes' business."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._origins = set(service.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, receive, send, self._service)
        try:
            self._check_place(scope, passage)
            self._check_key(scope, passage)
            await self._let_in(scope, passage)
        except BshmError as error:
            answers.note(error, self._service.metrics, passage.id)
            response = answers.of_error(error, path=scope["path"], request_id=passage.id)
            await response(scope, receive, passage.send)
        except Exception as error:
            if passage.status is not None:  # the head is out already
                raise
            answers.note(error, self._service.metrics, passage.id)
            response = answers.of_error(error, path=scope["path"], request_id=passage.id)
            await response(scope, receive, passage.send)
        finally:
            passage.end()

    async def _let_in(self, scope: Scope, passage: _Passage) -> None:
        service = self._service
        is_work = scope["method"] == "POST" and scope["path"].rstrip("/") in _WORK
        if not is_work:
            await self._app(scope, passage.receive, passage.send)
            return
        if service.draining:
            raise TooBusyError("the service is being stopped. Try again shortly.", retry_after_s=5)
        caller: str = scope["state"]["caller"]
        # First what the caller can mend by itself.
        mine = service.house.of(caller)
        if mine >= service.share and service.share < service.settings.queue:
            raise TooManyAtOnceError(
                f"{mine} requests of yours are being served, and one caller may have {service.share} at once. Send the "
                "next one when an answer has come.",
                retry_after_s=service.retry_after_s(mine),
            )
        if service.inside >= service.settings.queue:
            raise TooBusyError(
                f"{service.inside} requests are being served and no more fit. Try again shortly.",
                retry_after_s=service.retry_after_s(service.inside),
            )
        passage.begin_body(self._most_bytes(scope["path"], passage.headers))
        with service.house.guest(caller):
            await self._app(scope, passage.receive, passage.send)

    def _most_bytes(self, path: str, headers: Headers) -> int:
        settings = self._service.settings
        # A background may come along with the picture.
        single = int(2 * settings.max_upload_bytes * _BASE64)
        if not path.startswith("/jobs"):
            return single + _FIELDS_BYTES
        # JSON is in memory whole, several times while it is read: a job of it is no larger than a single request.
        is_json = intake.kind_of(headers) == intake.JSON
        return (min(single, settings.max_job_bytes) if is_json else settings.max_job_bytes) + _FIELDS_BYTES

    def _check_place(self, scope: Scope, passage: _Passage) -> None:
        """Without keys, only pages of this machine may speak to the service.

        A page anywhere can make a browser send requests to 127.0.0.1, and with a name that it points there
        (DNS rebinding) read the answers; the Host and the Origin that the browser adds give it away.
        """
        settings = self._service.settings
        headers = passage.headers
        host = headers.get("host", "")
        if self._service.is_open and not settings.allow_open:
            name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
            if "*" not in settings.allowed_hosts and name.lower() not in (*LOOPBACK_HOSTS, *settings.allowed_hosts):
                raise HostRefusedError(
                    f"this service answers to {', '.join(LOOPBACK_HOSTS)}; the request is for {host[:80]!r}. "
                    "Start it with API keys, or with --allowed-hosts."
                )
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            try:
                place = urlsplit(origin).netloc
            except ValueError:
                place = ""
            if place.lower() != host.lower():
                raise HostRefusedError("pages of other origins may not use this service. See --cors-origins.")

    def _check_key(self, scope: Scope, passage: _Passage) -> None:
        if not self._service.see_keys():
            return
        path = scope["path"]
        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in passage.headers
        if path in _OPEN_ROUTES or path == "/" or path.startswith(_OPEN_FOLDERS) or is_preflight:
            return
        if scope["method"] in ("GET", "HEAD") and not path.startswith(
            ("/jobs", "/v1.0", "/metrics", "/matte", "/models")
        ):
            return  # files of the page
        secret = passage.headers.get("x-api-key")
        word, _, token = passage.headers.get("authorization", "").partition(" ")
        if secret is None and word.lower() == "bearer":
            secret = token.strip()
        if not secret:
            raise KeyRefusedError("send your API key as X-Api-Key: KEY, or as Authorization: Bearer KEY.")
        key = self._service.keys.find(secret)
        if key is None:
            raise KeyRefusedError("this API key is not known here. Check it, or ask for a new one.")
        passage.key = key
        scope["state"]["caller"] = f"key:{key.id}"


class _Passage:
    """One request on its way in and its answer on the way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, service: Service) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._service = service
        self._started = time.perf_counter()
        self._left: int | None = None
        self._most = 0
        self._deadline: float | None = None
        self._complete = False
        self.headers = Headers(scope=scope)
        self.key: Key | None = None
        self.status: int | None = None
        given = self.headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        client = scope.get("client")
        state = scope.setdefault("state", {})
        state["request_id"] = self.id
        state["caller"] = f"address:{client[0] if client else 'none'}"

    def begin_body(self, most: int) -> None:
        """From here on a body may have ``most`` bytes and ``upload_timeout_s``.

        Raises:
            PictureTooLargeError: it announces more.
        """
        self._left = self._most = most
        self._deadline = time.monotonic() + self._service.settings.upload_timeout_s
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next part of the request."""
        if self._deadline is None or self._complete:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._deadline - time.monotonic()))
        except asyncio.TimeoutError as error:
            seconds = self._service.settings.upload_timeout_s
            raise TimeRanOutError(f"the request did not arrive within {seconds:g} s.") from error
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            if self._left is not None:
                self._left -= len(message.get("body", b""))
                if self._left < 0:
                    raise self._too_large()
        return message

    def _too_large(self) -> PictureTooLargeError:
        return PictureTooLargeError(f"a request may have {self._most:,} bytes here; this one has more.")

    async def send(self, message: Message) -> None:
        """The answer, with what every answer carries."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", _NO_PAGE_CSP)
            headers.setdefault("Cache-Control", "no-store")
            foreign = bool(self._service.settings.cors_origins)
            headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin" if foreign else "same-origin")
        await self._send(message)

    def end(self) -> None:
        """Count and log the request."""
        seconds = time.perf_counter() - self._started
        route = _route(self._scope)
        status = self.status or 499
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        self._service.metrics.requests.labels(route, method, str(status)).inc()
        self._service.metrics.request_seconds.labels(route).observe(seconds)
        fields: dict[str, Any] = {
            "id": self.id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "caller": self._scope["state"]["caller"],
        }
        quiet = route in ("/healthz", "/readyz", "/metrics")
        logs.say(logging.DEBUG if quiet else logging.INFO, "request", **fields)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(scope: Scope) -> str:
    """The route's pattern: what people put into a path must not become a label."""
    found = scope.get("route")
    path = getattr(found, "path", None)
    return path if isinstance(path, str) and path else "unmatched"


def page_csp(extra: Iterable[str] = ()) -> str:
    """The policy of a page of ours: everything from here, nothing from elsewhere."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "font-src 'self'",
            "connect-src 'self' blob:",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            *extra,
        )
    )
