"""The networks held open, and pictures led through them: many at the door, few in the house, one in the network."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from bshm.io.fetch import Fetched, Validators, fetch_if_changed
from bshm.jobs import JobOptions, Product
from bshm.jobs.work import made
from bshm.options import Limits, MatteOptions
from bshm.pipeline import Matting
from bshm.rendering import Recipe, Rendered, Scenery, opened, render
from bshm.result import Matte
from bshm.server.metrics import Metrics
from bshm.server.settings import Settings
from bshm.types import Picture
from bshm.weights import catalogue

T = TypeVar("T")
Fetch = Callable[[str, Limits, Validators | None], Fetched]

# Of the mean time of a picture: how much the latest one counts.
_LATEST = 0.1


def fetch_url(url: str, limits: Limits, known: Validators | None) -> Fetched:
    """What a URL gives, behind the guard of ``bshm.io.fetch``."""
    return fetch_if_changed(url, limits=limits, known=known)


class Engine:
    """The networks of one service.  Its coroutines are for one event loop; the others may be called from any thread.

    Decoding and encoding run in threads beside the event loop, ``in_flight`` pictures at once, so that memory does not
    grow with the number of requests.  The network takes one picture at a time: it already uses every core.
    """

    def __init__(self, settings: Settings, metrics: Metrics, *, fetch: Fetch = fetch_url) -> None:
        self._settings = settings
        self._metrics = metrics
        self._fetch = fetch
        self._lock = threading.Lock()
        self._mattings: dict[str, Matting] = {}
        self._codecs = ThreadPoolExecutor(settings.in_flight + 1, thread_name_prefix="bshm-codec")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="bshm-network")
        self._downloads = ThreadPoolExecutor(8, thread_name_prefix="bshm-download")
        self._slots = asyncio.Semaphore(settings.in_flight)
        self._mean_s = 1.0

    @property
    def mean_s(self) -> float:
        """Seconds that a picture takes in the network, of late."""
        return self._mean_s

    @property
    def is_ready(self) -> bool:
        """Whether the default model is open."""
        return self._settings.model in self._mattings

    def matting(self, model: str) -> Matting:
        """The networks called ``model``, opened when they are first asked for.

        Raises:
            UnknownModelError, ModelFileError, DeviceUnavailableError, OptionError: see ``bshm.pipeline.Matting``.
        """
        with self._lock:
            if model not in self._mattings:
                settings = self._settings
                self._mattings[model] = Matting(model=model, device=settings.device, threads=settings.threads or None)
            return self._mattings[model]

    def weights_sha256(self, model: str) -> str:
        """The hash of the weights called ``model``, without opening them.

        Raises:
            UnknownModelError, ModelFileError: see ``bshm.weights.catalogue``.
        """
        found = self._mattings.get(model)
        return found.predictor.card.sha256 if found else catalogue.find(model).sha256

    async def beside(self, work: Callable[[], T]) -> T:
        """Run something short that blocks (hashing, a header, the disk) beside the event loop."""
        return await _in_thread(self._codecs, work)

    async def fetch(self, url: str, known: Validators | None) -> Fetched:
        """What a URL gives; see ``bshm.io.fetch``."""
        return await _in_thread(self._downloads, partial(self._fetch, url, self._settings.limits, known))

    async def make(self, data: bytes, recipe: Recipe, scenery: bytes | None) -> Rendered:
        """Decode, matte and render one picture.

        Args:
            data: its file.
            recipe: what to make of it.
            scenery: the file of a ``Scenery`` background.

        Raises:
            InputError, CallerError, EnvironmentFault: see ``bshm.errors``.
        """
        limits = self._settings.limits
        async with self._slots:
            started = time.perf_counter()
            picture = await self.beside(partial(opened, data, "the picture", limits, recipe.max_pixels))
            behind = None
            if isinstance(recipe.background, Scenery) and scenery is not None:
                behind = await self.beside(partial(opened, scenery, "the background", limits))
            decoded = time.perf_counter()
            options = recipe.matte_options(limits)
            matte = await _in_thread(self._network, lambda: self.matting(recipe.model).matte_picture(picture, options))
            matted = time.perf_counter()
            rendered = await self.beside(partial(render, matte, recipe, behind))
            timings = {
                "decode": (decoded - started) * 1000,
                **rendered.timings_ms,
                "encode": (time.perf_counter() - matted) * 1000,
            }
        self._mean_s += _LATEST * (sum(matte.ran.timings_ms.values()) / 1000 - self._mean_s)
        self._metrics.observe_stages(timings)
        self._metrics.pixels.inc(picture.pixels.shape[0] * picture.pixels.shape[1])
        return replace(rendered, timings_ms=timings)

    def work(self, data: bytes, name: str, options: JobOptions) -> Product:
        """``Work`` of the embedded queue, done in the thread that calls, but for the network.

        Raises:
            BshmError: it cannot be made.
        """

        def matte(picture: Picture, how: MatteOptions) -> Matte:
            return self._network.submit(lambda: self.matting(options.recipe.model).matte_picture(picture, how)).result()

        return made(data, name, options, matte)

    def close(self) -> None:
        """Let go of the threads; what runs in them ends first."""
        for pool in (self._downloads, self._codecs, self._network):
            pool.shutdown(wait=True, cancel_futures=True)


async def _in_thread(pool: Executor, work: Callable[[], T]) -> T:
    """Run ``work`` in ``pool``.  A thread cannot be stopped: who is cancelled meanwhile waits for it to end, so that
    the place that the work takes is not given away while it still runs."""
    future: Future[T] = pool.submit(work)
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not future.cancel():
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                waiting.exception()  # looked at; nobody wants it any more
        raise
