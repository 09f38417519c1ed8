"""The service behind all routes: from an order to its answer, through rate limits, cache and single flight."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request

from bshm.edit.render import Rendered
from bshm.edit.spec import Edit
from bshm.edit.words import PictureBackground
from bshm.errors import OptionError, UnreadablePictureError, UrlRefusedError
from bshm.files import decode
from bshm.jobs import ANONYMOUS
from bshm.jobs.codec import to_json
from bshm.net.fetch import Validators
from bshm.options import DEFAULT_MODEL, MatteOptions
from bshm.server import cache as caches
from bshm.server import logs
from bshm.server.keys import Key, Keys, default_file
from bshm.server.limiter import InFlightLimiter
from bshm.server.matting_pool import Fetch, MattingPool, fetch_url
from bshm.server.metrics import Metrics
from bshm.server.rates import Rate, Rates, units_of
from bshm.server.refusals import ClientGoneError, KeysUnreadableError, NotOfferedError, TimeRanOutError
from bshm.server.settings import DEFAULT_RATE_LIMIT, Settings
from bshm.server.single_flight import SingleFlight

if TYPE_CHECKING:
    from bshm.jobs import JobQueue

T = TypeVar("T")

# While the service stops, it does not wait for clients that are silent for this long.
_STOPPING_SILENCE_S = 2.0
# A problem of every request is logged once in this time.
_TELL_AGAIN_S = 60.0


@dataclass(frozen=True)
class Order:
    """The content of a request.

    Attributes:
        edit: options of the result.
        model: name of the weights.
        options: options of the matte; the limits are the service's.
        data: the picture; or None.
        url: its URL; or None.
        background: a background picture; or None.
        background_url: its URL; or None.
        background_model: name of the model that paints a background; or None.
    """

    edit: Edit
    model: str = DEFAULT_MODEL
    options: MatteOptions = field(default_factory=MatteOptions)
    data: bytes | None = None
    url: str | None = None
    background: bytes | None = None
    background_url: str | None = None
    background_model: str | None = None

    def canonical(self) -> str:
        """The same text for all orders with the same answer to the same picture; with the model, which answers name."""
        how = to_json(self.options)
        del how["limits"]
        wanted = [self.model, self.edit.to_json(), how, self.background_model]
        return json.dumps(wanted, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Served:
    """The answer to a request.

    Attributes:
        rendered: the result.
        cached: it was not made for this request.
        rate: the remaining rate limit of the caller; None without a limit.
    """

    rendered: Rendered
    cached: bool
    rate: Rate | None


@dataclass(frozen=True)
class _KnownUrl:
    """The facts about a URL in the cache."""

    validators: Validators
    sha256: str
    pixels: int


class Service:
    """The parts of a running service."""

    def __init__(self, settings: Settings, *, fetch: Fetch = fetch_url) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.keys = Keys(settings.keys_file or default_file())
        self.rates = Rates(0)
        self.limiter = InFlightLimiter()
        self._had_keys = False
        self._keys_told_at = -math.inf
        self.share = settings.queue
        self.jobs_share: int | None = None
        self.see_keys()
        self.cache = caches.open_cache(settings)
        self.pool = MattingPool(settings, self.metrics, fetch=fetch, broken=self._break)
        self.single_flight: SingleFlight[Rendered] = SingleFlight()
        self.queue: JobQueue | None = None
        self.draining_since: float | None = None
        self.is_broken = False
        self.end_process: Callable[[], object] = lambda: None
        self.metrics.watch("bshm_queue_depth", "Requests in flight.", lambda: float(len(self.limiter)))
        self.metrics.watch("bshm_flights", "Different pictures requested now.", lambda: len(self.single_flight))
        self.metrics.watch("bshm_stuck_threads", "Hanging threads that were given up.", lambda: self.pool.stuck)
        self.metrics.watch("bshm_ready", "1 when the model is open.", lambda: float(self.pool.is_ready))

    @property
    def draining(self) -> bool:
        """Whether no more requests are accepted."""
        return self.draining_since is not None

    def drain(self) -> None:
        """Accept no more requests; those in flight are answered.  May be called from any thread."""
        if self.draining_since is None:
            self.draining_since = time.monotonic()

    @property
    def idle_s(self) -> float:
        """How long a client may be silent during a request or its answer."""
        idle_s = self.settings.idle_timeout_s
        return min(idle_s, _STOPPING_SILENCE_S) if self.draining else idle_s

    def retry_after_s(self, requests: int) -> float:
        """The time in which this many requests will be served."""
        return max(1.0, min(60.0, requests * self.pool.mean_s))

    def see_keys(self) -> tuple[Key, ...]:
        """The current keys; default limits per key depend on them.

        Raises:
            OptionError: their file exists, but cannot be read.
        """
        keys = self.keys.all()
        settings = self.settings
        if self._had_keys and not keys and not settings.allow_open:
            self._tell_of_keys("there are no API keys any more, so nobody has access. Make one with `bshm keys add`.")
        if keys:
            self._had_keys, self._keys_told_at = True, -math.inf
        self.rates.limit = settings.rate_limit if settings.rate_limit is not None else 0
        if settings.rate_limit is None and (keys or settings.allow_open):
            self.rates.limit = DEFAULT_RATE_LIMIT
        self.share = settings.queue_per_key or settings.queue
        # A single key need not leave room for others.
        if settings.queue_per_key is None and (len(keys) > 1 or settings.allow_open):
            self.share = max(1, settings.queue // 2)
        self.jobs_share = settings.jobs_per_key or None
        if settings.jobs_per_key is None and len(keys) > 1:
            self.jobs_share = max(1, settings.jobs_capacity // 2)
        return keys

    def callers_keys(self) -> tuple[Key, ...]:
        """``see_keys`` for a request, without telling the caller the path of the file.

        Raises:
            KeysUnreadableError: they cannot be read.
        """
        try:
            return self.see_keys()
        except OptionError as error:
            self._tell_of_keys(str(error))
            raise KeysUnreadableError("the API keys cannot be read.") from error

    @property
    def can_read_keys(self) -> bool:
        """Whether the keys can be read."""
        try:
            self.callers_keys()
        except KeysUnreadableError:
            return False
        return True

    @property
    def serves_without_keys(self) -> bool:
        """Whether requests need no key if there are no keys.

        Other machines are served without keys only if a setting allows it.  After the last key was revoked, nobody is
        served, not even on this machine, because behind a proxy every request comes from this machine.
        """
        return self.settings.allow_open or (self.settings.is_loopback and not self._had_keys)

    def _tell_of_keys(self, trouble: str) -> None:
        """Log an error, but not for each request."""
        now = time.monotonic()
        if now - self._keys_told_at >= _TELL_AGAIN_S:
            self._keys_told_at = now
            logs.say(logging.ERROR, "keys", trouble=trouble)

    async def serve(self, request: Request, order: Order, caller: str) -> Served:
        """The result of an order, while the client waits.

        Raises:
            TimeRanOutError, ClientGoneError, RateLimitError: see ``bshm.server.refusals``.
            BshmError: the order is wrong or cannot be processed.
        """
        return await until_gone(request, self._serve(order, caller), self.settings.request_timeout_s)

    async def _serve(self, order: Order, caller: str) -> Served:
        painted_by = self.painted_by(order.edit)
        rate = self.rates.charge(caller, 1)
        order = replace(order, background_model=painted_by)
        order = await self._with_background(order)
        weights = self.pool.weights_sha256(order.model)
        wanted = order.canonical()
        data, sha256, pixels = order.data, "", 0
        hit: Rendered | None = None
        if data is None:
            data, sha256, pixels, hit = await self._from_url(order.url or "", wanted, weights)
        if data is not None:
            sha256, pixels = await self.pool.beside(partial(self._measured, data))
        rate = self._charge_size(caller, pixels, rate)
        key = caches.result_key(sha256, wanted, weights)
        if hit is None:
            hit = await self._cached(key)
        if hit is not None or data is None:
            if hit is None:  # it left the cache during the request to the URL
                raise UnreadablePictureError("the picture must be fetched again. Repeat the request.")
            self.metrics.cache.labels("hit").inc()
            return Served(hit, True, rate)
        joined = key in self.single_flight
        self.metrics.cache.labels("joined" if joined else "miss").inc()
        rendered = await self.single_flight.join(key, partial(self._make, key, data, order))
        return Served(rendered, joined, rate)

    def painted_by(self, edit: Edit) -> str | None:
        """The model that paints the background of an edit; None if it needs none.

        Raises:
            NotOfferedError: there is no such model here.
        """
        if edit.background_prompt is None:
            return None
        if self.settings.background_model is None:
            raise NotOfferedError(
                "background_prompt: this service paints none. Send background or background_image, or have the "
                "service started with --background-model."
            )
        return None if self.pool.painter is None else self.pool.painter.model

    async def _make(self, key: str, data: bytes, order: Order) -> Rendered:
        rendered = await self.pool.make(data, order.edit, order.model, order.options, order.background)
        # Stored with no time of its own: a hit reports the times of the original run.
        await self.pool.beside(lambda: self.cache.put(key, rendered.to_bytes()))
        return rendered

    def _measured(self, data: bytes) -> tuple[str, int]:
        height, width = decode.size_of(data, name="the picture", limits=self.settings.limits)
        return hashlib.sha256(data).hexdigest(), height * width

    def _charge_size(self, caller: str, pixels: int, rate: Rate | None) -> Rate | None:
        more = units_of(pixels) - 1
        return self.rates.charge(caller, more) if more and rate is not None else rate

    async def _cached(self, key: str) -> Rendered | None:
        def look() -> Rendered | None:
            stored = self.cache.get(key)
            if stored is None:
                return None
            try:
                return Rendered.from_bytes(stored)
            except (ValueError, UnicodeDecodeError):
                return None

        return await self.pool.beside(look)

    async def _with_background(self, order: Order) -> Order:
        if order.background_url is not None:
            order = replace(order, background=await self.fetched(order.background_url))
        if order.background is None:
            return order
        return replace(order, edit=replace(order.edit, background=PictureBackground.of(order.background)))

    async def _from_url(self, url: str, wanted: str, weights: str) -> tuple[bytes | None, str, int, Rendered | None]:
        """The picture at a URL; or its stored result, if the server says that it has not changed."""
        self._check_urls_allowed()
        known = await self._known(url)
        kept: Rendered | None = None
        if known is not None:
            kept = await self._cached(caches.result_key(known.sha256, wanted, weights))
        fetched = await self.pool.fetch(url, known.validators if known is not None and kept is not None else None)
        if fetched.data is None:
            if known is None or kept is None:
                raise UnreadablePictureError(
                    "the server of the URL answered 'not modified' although no version of the picture is known."
                )
            return None, known.sha256, known.pixels, kept
        data = fetched.data
        if fetched.validators != Validators():
            sha256, pixels = await self.pool.beside(partial(self._measured, data))
            entry = json.dumps({"validators": asdict(fetched.validators), "sha256": sha256, "pixels": pixels})
            await self.pool.beside(lambda: self.cache.put(caches.url_key(url), entry.encode()))
        return data, "", 0, None

    async def _known(self, url: str) -> _KnownUrl | None:
        stored = await self.pool.beside(lambda: self.cache.get(caches.url_key(url)))
        if stored is None:
            return None
        try:
            entry = json.loads(stored)
            return _KnownUrl(Validators(**entry["validators"]), entry["sha256"], entry["pixels"])
        except (ValueError, KeyError, TypeError):
            return None

    async def fetched(self, url: str) -> bytes:
        """Fetch a URL, whether its content has changed or not.

        Raises:
            UrlRefusedError, FetchError, PictureTooLargeError, UnreadablePictureError: see ``bshm.net.fetch``.
        """
        self._check_urls_allowed()
        return (await self.pool.fetch(url, None)).data or b""

    def _check_urls_allowed(self) -> None:
        if not self.settings.allow_urls:
            raise UrlRefusedError(
                "this service does not fetch URLs. Send the picture itself, or start the service with --allow-urls."
            )

    async def open(self) -> None:
        """Open the default model and the queue of jobs; a second time does nothing.

        Raises:
            BshmError: either cannot be opened.
        """
        if self.pool.is_ready:
            return
        # Without a time limit: a cold disk may be slow, and nobody waits for an answer yet.
        await self.pool.beside(partial(self.pool.matting, self.settings.model), timeout_s=math.inf)
        if self.settings.background_model is not None:
            await self.pool.beside(self.pool.open_painter, timeout_s=math.inf)
        if self.settings.jobs:
            from bshm.server.job_queue import open_queue

            opening = partial(open_queue, self.settings, self.pool, self._secret_of, self._break)
            self.queue = await self.pool.beside(opening, timeout_s=math.inf)
            self.metrics.watch("bshm_jobs_depth", "Jobs that wait or run.", self._jobs_depth)

    def _break(self) -> None:
        """Accept nothing more and ask to be replaced.  May be called from any thread."""
        if not self.is_broken:
            logs.say(logging.CRITICAL, "broken", stuck=self.pool.stuck)
        self.is_broken = True
        self.drain()
        self.end_process()

    def _secret_of(self, owner: str) -> str | None:
        """The secret of an owner's webhooks: both sides know the SHA-256 of a key; the key itself is not stored."""
        secret = self.settings.webhook_secret
        if owner == ANONYMOUS:
            return None if secret is None else secret.get_secret_value()
        return next((key.sha256 for key in self.keys.all() if key.id == owner), None)

    def _jobs_depth(self) -> float:
        if self.queue is None:
            return 0.0
        # Prometheus' value for "unknown": an unreachable store must not hide the other metrics.
        return float(self.queue.depth()) if self.queue.is_reached() else math.nan

    async def close(self) -> None:
        """Answer the requests in flight, return jobs to their queue, and close everything."""
        self.drain()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.single_flight.drain(), self.settings.shutdown_timeout_s)
        if self.queue is not None:
            queue, timeout_s = self.queue, self.settings.shutdown_timeout_s
            await self.pool.beside(lambda: queue.close(timeout_s=timeout_s), timeout_s=math.inf)
        await asyncio.get_running_loop().run_in_executor(None, self.pool.close)
        self.cache.close()


async def until_gone(
    request: Request,
    work: Awaitable[T],
    timeout_s: float,
    *,
    advice: str = "Try again later, send a smaller picture, or make it a job.",
) -> T:
    """The result of ``work``, which is cancelled when the client disconnects or the time is over.

    Args:
        request: the request of the client.
        work: the work to wait for.
        timeout_s: longest time.
        advice: what the client can do if it took longer.

    Raises:
        ClientGoneError, TimeRanOutError: it was cancelled.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait({task, gone}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientGoneError("the client disconnected before the answer was ready.")
        raise TimeRanOutError(
            f"the answer took longer than {timeout_s:g} s. {advice}",
            retry_after_s=timeout_s,
        )
    finally:
        for each in (task, gone):
            each.cancel()


async def _gone(receive: Callable[[], Awaitable[object]]) -> None:
    while True:
        message = await receive()
        if isinstance(message, dict) and message.get("type") == "http.disconnect":
            return
