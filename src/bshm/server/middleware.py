"""Checks for every request on any route: id, host, key, limits, size, time; and headers for every answer."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bshm.errors import PictureTooLargeError, VideoTooLargeError
from bshm.server import answers, intake, logs
from bshm.server.keys import Key
from bshm.server.refusals import (
    HostRefusedError,
    KeyRefusedError,
    KeysUnreadableError,
    TooBusyError,
    TooSlowError,
)
from bshm.server.security_headers import NO_PAGE_CSP, SECURITY_HEADERS
from bshm.server.service import Service
from bshm.server.settings import LOOPBACK_HOSTS, MIB

# These need no key, because they reveal nothing about anybody; nor do the page's files.  Everything else needs one.
_ALIVE = ("/healthz", "/readyz")
_OPEN_ROUTES = (*_ALIVE, "/openapi.json", "/favicon.ico", "/")
_OPEN_FOLDERS = ("/docs", "/app/", "/static/", "/vendor/", "/web-weights/")
_WORK = {("POST", path) for path in ("/matte", "/finish", "/v1.0/removebg", "/jobs", "/videos", "/api/remove")} | {
    ("GET", "/api/remove")
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")

# A request is larger than its picture: other fields, boundaries, and a third more for base64.
_BASE64 = 4 / 3
_FIELDS_BYTES = MIB
# While the service stops, a body has this share of the time in which requests must end.
_STOPPING_SHARE = 0.5
# How often a request that waits for its body checks whether the service stops.
_LOOK_S = 0.5

# Headers that pages of other origins may send; they may read every header of an answer.
_CORS_HEADERS = ["X-Api-Key", "Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"]


class Middleware:
    """The outermost layer.  It checks paths and headers; the routes check bodies."""

    def __init__(self, app: ASGIApp, service: Service, page: Iterable[str] = ()) -> None:
        """Wrap ``app``.

        Args:
            app: the routes.
            service: has the settings and keys.
            page: paths of the web page's files, which need no key.
        """
        self._app = app
        self._service = service
        self._root = service.settings.root_path
        self._origins = set(service.settings.cors_origins)
        self._open = {*_OPEN_ROUTES, *page}
        self._inner: ASGIApp = self._checked
        if self._origins:
            # Outside the checks, so that a page of another origin can read why it is refused.
            self._inner = CORSMiddleware(
                self._checked,
                allow_origins=list(self._origins),
                allow_methods=["GET", "HEAD", "POST", "DELETE"],
                allow_headers=_CORS_HEADERS,
                expose_headers=["*"],
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope, path = _below(self._root, scope)
        exchange = _Exchange(scope, path, receive, send, self._service)
        try:
            await self._inner(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: _Exchange = scope["state"]["exchange"]
        try:
            if not exchange.path:  # the root path without a slash at the end
                await RedirectResponse(f"{self._root}/")(scope, receive, send)
                return
            self._check_caller(scope, exchange)
            await self._let_in(scope, exchange, receive, send)
        except asyncio.CancelledError:
            # The time for stopping is over, and the server cancels the request.
            if not self._service.draining:
                raise
            if exchange.status is None:
                error = TooBusyError("the service is being stopped. Try again shortly.", retry_after_s=5)
                await self._refuse(error, scope, exchange, receive, send)
        except Exception as error:
            if exchange.status is not None:  # the head was sent already
                raise
            await self._refuse(error, scope, exchange, receive, send)

    async def _refuse(self, error: Exception, scope: Scope, exchange: _Exchange, receive: Receive, send: Send) -> None:
        answers.note(error, self._service.metrics, exchange.id)
        response = answers.of_error(error, path=exchange.path, request_id=exchange.id)
        await response(scope, receive, send)

    async def _let_in(self, scope: Scope, exchange: _Exchange, receive: Receive, send: Send) -> None:
        service = self._service
        if not _is_work(scope, exchange):
            await self._app(scope, receive, send)
            return
        if service.draining:
            raise TooBusyError("the service is being stopped. Try again shortly.", retry_after_s=5)
        caller: str = scope["state"]["caller"]
        service.limiter.check(
            caller, most=service.settings.queue, share=service.share, retry_after_s=service.retry_after_s
        )
        is_video = exchange.path.startswith("/videos")
        settings = service.settings
        arrives_s = settings.video_upload_timeout_s if is_video else settings.upload_timeout_s
        exchange.begin_body(self._most_bytes(exchange), within_s=arrives_s)
        with service.limiter.hold(caller):
            await self._app(scope, receive, send)

    def _most_bytes(self, exchange: _Exchange) -> int:
        settings = self._service.settings
        # The picture may come with a background.
        single = int(2 * settings.max_upload_bytes * _BASE64)
        if exchange.path.startswith("/videos"):
            # The clip may come with a background.
            sent = 0 if intake.kind_of(exchange.headers) == intake.JSON else settings.max_video_bytes
            return sent + settings.max_upload_bytes + _FIELDS_BYTES
        if not exchange.path.startswith("/jobs"):
            return single + _FIELDS_BYTES
        # JSON is held in memory, several times while it is parsed: a job in JSON has the limit of a single request.
        is_json = intake.kind_of(exchange.headers) == intake.JSON
        return (min(single, settings.max_job_bytes) if is_json else settings.max_job_bytes) + _FIELDS_BYTES

    def _check_caller(self, scope: Scope, exchange: _Exchange) -> None:
        is_open = scope["method"] in ("GET", "HEAD") and (
            exchange.path in self._open or exchange.path.startswith(_OPEN_FOLDERS)
        )
        try:
            keys = self._service.callers_keys()
        except KeysUnreadableError:
            # /healthz does not depend on who may use the service.
            if is_open:
                return
            raise
        if not keys and self._service.serves_without_keys:
            self._check_host(scope, exchange)
        elif not is_open:
            self._check_key(scope, exchange)
        self._check_origin(scope, exchange)

    def _check_host(self, scope: Scope, exchange: _Exchange) -> None:
        """Without keys, only pages of this machine may use the service.

        Any page can make a browser send requests to 127.0.0.1, and can read the answers if its own name resolves to
        that address (DNS rebinding); the Host and Origin headers of the browser reveal this.
        """
        settings = self._service.settings
        if settings.allow_open or "*" in settings.allowed_hosts:
            return
        host = exchange.headers.get("host", "")
        found = _HOST.fullmatch(host)
        name = found["name"].lower() if found else ""
        if name in {each.lower() for each in settings.allowed_hosts}:
            return
        # A client that a proxy reports as remote is remote, whatever the Host header says.
        if name not in LOOPBACK_HOSTS or _is_elsewhere(scope):
            raise HostRefusedError(
                f"this service answers to {', '.join(LOOPBACK_HOSTS)}; the request is for {host[:80]!r}. "
                "Start it with API keys, or with --allowed-hosts."
            )

    def _check_origin(self, scope: Scope, exchange: _Exchange) -> None:
        origin = exchange.headers.get("origin")
        if origin is not None and (origin in self._origins or "*" in self._origins):
            return
        if _is_work(scope, exchange) and exchange.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            # E.g. an image in a page of another site: browsers send no Origin then.
            raise HostRefusedError("pages of other origins may not use this service. See --cors-origins.")
        if origin is None or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        try:
            place = urlsplit(origin).netloc
        except ValueError:
            place = ""
        if place.lower() != exchange.headers.get("host", "").lower():
            raise HostRefusedError("pages of other origins may not use this service. See --cors-origins.")

    def _check_key(self, scope: Scope, exchange: _Exchange) -> None:
        secret = exchange.headers.get("x-api-key")
        word, _, token = exchange.headers.get("authorization", "").partition(" ")
        if secret is None and word.lower() == "bearer":
            secret = token.strip()
        if not secret:
            raise KeyRefusedError("send your API key as X-Api-Key: KEY, or as Authorization: Bearer KEY.")
        key = self._service.keys.find(secret)
        if key is None:
            raise KeyRefusedError("this API key is unknown. Check it, or ask for a new one.")
        exchange.key = key
        scope["state"]["caller"] = f"key:{key.id}"


def _below(root: str, scope: Scope) -> tuple[Scope, str]:
    """The request as ASGI requires it below a root path, and its path without the root path.

    Proxies may keep or strip the root path; in both cases the routes see ``root_path`` and a ``path`` that begins with
    it, so that the addresses in their answers are right for clients.
    """
    path: str = scope["path"]
    if not root:
        return scope, path
    if path == root or path.startswith(f"{root}/"):
        path = path[len(root) :]
    return {**scope, "root_path": root, "path": root + path}, path


def _is_work(scope: Scope, exchange: _Exchange) -> bool:
    """Whether the request processes pictures: such requests are counted, and may have a body."""
    return (scope["method"], exchange.path.rstrip("/")) in _WORK


def _is_elsewhere(scope: Scope) -> bool:
    """Whether the client is on another machine."""
    try:
        return not ipaddress.ip_address((scope.get("client") or ("",))[0]).is_loopback
    except ValueError:
        return False


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, path: str, receive: Receive, send: Send, service: Service) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._service = service
        self._started = time.perf_counter()
        self._left: int | None = None
        self._most = 0
        self._deadline: float | None = None
        self._within_s = 0.0
        self._complete = False
        self.path = path
        self.headers = Headers(scope=scope)
        self.key: Key | None = None
        self.status: int | None = None
        given = self.headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        client = scope.get("client")
        state = scope.setdefault("state", {})
        state["exchange"] = self
        state["path"] = path
        state["request_id"] = self.id
        state["caller"] = f"address:{client[0] if client else 'none'}"

    def begin_body(self, most: int, *, within_s: float) -> None:
        """Allow a body of ``most`` bytes within ``within_s`` from now on.

        Raises:
            PictureTooLargeError: its Content-Length is larger.
        """
        self._left = self._most = most
        self._within_s = within_s
        self._deadline = time.monotonic() + within_s
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise self._too_large(f"{int(announced):,}" if len(announced) < 20 else "more")

    async def receive(self) -> Message:
        """The next part of the request."""
        if self._deadline is None or self._complete:
            return await self._receive()
        message = await self._arriving(self._deadline)
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            if self._left is not None:
                self._left -= len(message.get("body", b""))
                if self._left < 0:
                    raise self._too_large()
        return message

    async def _arriving(self, deadline: float) -> Message:
        settings = self._service.settings
        since = time.monotonic()
        part = asyncio.ensure_future(self._receive())
        try:
            while not part.done():
                now, idle_s = time.monotonic(), self._service.idle_s
                stopping_since = self._service.draining_since
                if stopping_since is not None and (
                    now >= since + idle_s or now >= stopping_since + _STOPPING_SHARE * settings.shutdown_timeout_s
                ):
                    raise TooBusyError("the service is being stopped. Send the request again.", retry_after_s=5)
                if now >= deadline:
                    raise TooSlowError(f"the request did not arrive within {self._within_s:g} s.")
                if now >= since + idle_s:
                    raise TooSlowError(f"the client sent nothing for {idle_s:g} s.")
                await asyncio.wait({part}, timeout=min(_LOOK_S, deadline - now, since + idle_s - now))
            return part.result()
        finally:
            part.cancel()

    def _too_large(self, came: str = "more") -> PictureTooLargeError:
        kind = VideoTooLargeError if self.path.startswith("/videos") else PictureTooLargeError
        return kind(f"a request may have up to {self._most:,} bytes; this one has {came}.")

    async def send(self, message: Message) -> None:
        """Send the answer, with the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", NO_PAGE_CSP)
            headers.setdefault("Cache-Control", "no-store")
            if self.status == 429 and self._service.rates.limit:
                for name, value in self._service.rates.look(self._scope["state"]["caller"]).headers().items():
                    headers.setdefault(name, value)
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
    """The route's pattern, because values in a path must not become labels."""
    found = scope.get("route")
    path = getattr(found, "path", None)
    return path if isinstance(path, str) and path else "unmatched"
