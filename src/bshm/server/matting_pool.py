"""Loaded networks and the pictures for them: many may wait, few are in memory, one is in the network."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bshm.concurrency.deadline_executor import DeadlineExecutor
from bshm.edit.render import Rendered, render
from bshm.edit.spec import Edit
from bshm.files import decode
from bshm.generating.painter import Painter
from bshm.jobs import ClipOptions, Conversion, JobOptions, Product
from bshm.jobs.protocol import ClipProducts
from bshm.jobs.work import made, opened
from bshm.net.fetch import Fetched, Validators, fetch_if_changed, fetch_video
from bshm.options import Limits, MatteOptions
from bshm.pipeline import Matting
from bshm.result import Matte
from bshm.server.metrics import Metrics
from bshm.server.settings import Settings
from bshm.types import Picture
from bshm.weights import catalogue

if TYPE_CHECKING:
    from bshm.video.conversion import Progress

T = TypeVar("T")
Fetch = Callable[[str, Limits, Validators | None], Fetched]

# The weight of the latest picture in the mean time of a picture.
_LATEST = 0.1


def fetch_url(url: str, limits: Limits, known: Validators | None) -> Fetched:
    """Fetch a URL, with the checks of ``bshm.net.fetch``."""
    return fetch_if_changed(url, limits=limits, known=known)


class _InTurn(Matting):
    """Networks that are shared: each frame waits for its turn."""

    def __init__(self, shared: Matting, run: Callable[[Callable[[], Matte]], Matte]) -> None:
        super().__init__(engine=shared.engine)
        self._run = run

    def matte_picture(self, picture: Picture, options: MatteOptions | None = None) -> Matte:
        """See ``Matting``."""
        return self._run(lambda: super(_InTurn, self).matte_picture(picture, options))


class MattingPool:
    """The networks of one service.  Its coroutines are for one event loop; the others may be called from any thread.

    Decoding and encoding run in threads beside the event loop, ``in_flight`` pictures at once, so that memory does not
    grow with the number of requests.  The network takes one picture at a time: it already uses every core.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        fetch: Fetch = fetch_url,
        broken: Callable[[], object] = lambda: None,
    ) -> None:
        """Start without an open model.

        Args:
            settings: settings of the service.
            metrics: count the stages.
            fetch: fetches a URL.
            broken: called when so many pictures hang that the process should be replaced.
        """
        self._settings = settings
        self._metrics = metrics
        self._fetch = fetch
        self._lock = threading.Lock()
        self._mattings: dict[str, Matting] = {}
        # Nobody waits longer for an answer, so a stage that takes this long is useless.
        executor = partial(DeadlineExecutor, timeout_s=settings.request_timeout_s, broken=broken)
        self._codecs = executor(settings.in_flight + 1, name="bshm-codec")
        self._network = executor(1, name="bshm-network")
        self._downloads = executor(8, name="bshm-download")
        # Painting takes much longer than everything else, and one picture is painted at a time.
        self._painting = executor(1, name="bshm-painter")
        self._painter: Painter | None = None
        self._slots = asyncio.Semaphore(settings.in_flight)
        self._mean_s = 1.0

    @property
    def mean_s(self) -> float:
        """Seconds that a picture takes in the network, averaged over recent pictures."""
        return self._mean_s

    @property
    def is_ready(self) -> bool:
        """Whether the default model is open."""
        return self._settings.model in self._mattings

    def matting(self, model: str) -> Matting:
        """The networks called ``model``, opened on first use.

        Raises:
            UnknownModelError, ModelFileError, DeviceUnavailableError, OptionError: see ``bshm.pipeline.Matting``.
        """
        with self._lock:
            if model not in self._mattings:
                settings = self._settings
                self._mattings[model] = Matting(
                    model=model,
                    device=settings.device,
                    threads=settings.threads or None,
                    gpu_memory_limit=settings.gpu_memory_limit,
                )
            return self._mattings[model]

    @property
    def painter(self) -> Painter | None:
        """The painter of backgrounds; None if the service has none, or has not opened it yet."""
        return self._painter

    def open_painter(self) -> None:
        """Open the painter of backgrounds, if a setting names one.

        Raises:
            MissingExtraError, PainterModelError, HubUnreachableError: see ``bshm.generating.painter.Painter``.
        """
        settings = self._settings
        if settings.background_model is not None:
            self._painter = Painter(settings.background_model, device=settings.device).open()

    def weights_sha256(self, model: str) -> str:
        """The hash of the weights called ``model``, without opening them.

        Raises:
            UnknownModelError, ModelFileError: see ``bshm.weights.catalogue``.
        """
        found = self._mattings.get(model)
        return found.engine.card.sha256 if found else catalogue.find(model).sha256

    @property
    def stuck(self) -> int:
        """The number of hanging threads."""
        return sum(executor.stuck for executor in (self._codecs, self._network, self._downloads, self._painting))

    async def beside(self, work: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """Run something short that blocks (hashing, a header, the disk) beside the event loop.

        Args:
            work: what to run.
            timeout_s: longest time; None is that of a request.

        Raises:
            OverrunError: it took longer.
        """
        limit_s = self._settings.request_timeout_s if timeout_s is None else timeout_s
        return await _done(self._codecs.send(work, timeout_s=limit_s))

    async def in_turn(self, work: Callable[[], T]) -> T:
        """Run something that holds a picture, but needs no network; it counts as a picture in flight.

        Raises:
            OverrunError: it took longer than a request may.
        """
        async with self._slots:
            return await self.beside(work)

    async def fetch(self, url: str, known: Validators | None) -> Fetched:
        """Fetch a URL; see ``bshm.net.fetch``."""
        return await _done(self._downloads.submit(self._fetch, url, self._settings.limits, known))

    async def fetch_video(self, url: str, path: Path) -> None:
        """Download the video at a URL into a file; see ``bshm.net.fetch``."""
        settings = self._settings
        limits = replace(
            settings.limits, max_bytes=settings.max_video_bytes, url_timeout_s=settings.video_upload_timeout_s
        )
        # The download has its own time limit, with a better message.
        await _done(
            self._downloads.send(
                partial(fetch_video, url, path, limits=limits), timeout_s=settings.video_upload_timeout_s + 5
            )
        )

    async def make(
        self, data: bytes, edit: Edit, model: str, options: MatteOptions, background: bytes | None
    ) -> Rendered:
        """Decode, matte and render one picture.

        Args:
            data: its file.
            edit: options of the result.
            model: name of the weights.
            options: options of the matte; the limits are the service's.
            background: the file of a background picture.

        Raises:
            InputError, CallerError, EnvironmentFault: see ``bshm.errors``.
        """
        limits = self._settings.limits
        async with self._slots:
            started = time.perf_counter()
            options = replace(options, limits=limits)
            picture = await self.beside(partial(opened, data, "the picture", options))
            behind = None
            if background is not None:
                behind = await self.beside(partial(decode.decode, background, name="the background", limits=limits))
            decoded = time.perf_counter()
            matte = await _done(self._network.submit(lambda: self.matting(model).matte_picture(picture, options)))
            matted = time.perf_counter()
            if edit.background_prompt is None:
                rendered = await self.beside(partial(render, matte, edit, behind))
            else:
                rendered = await _done(self._painting.submit(partial(render, matte, edit, self._painter)))
            timings = {
                "decode": (decoded - started) * 1000,
                **rendered.timings_ms,
                "encode": (time.perf_counter() - matted) * 1000,
            }
        self._mean_s += _LATEST * (sum(matte.ran.timings_ms.values()) / 1000 - self._mean_s)
        self._metrics.observe_stages(timings)
        self._metrics.pixels.inc(picture.pixels.shape[0] * picture.pixels.shape[1])
        return replace(rendered, timings_ms=timings)

    def work(self, picture: bytes, name: str, options: JobOptions) -> Product:
        """``Work`` of the embedded queue, done in the calling thread, except for the network.

        Raises:
            BshmError: it cannot be made.
        """

        def matte(decoded: Picture, how: MatteOptions) -> Matte:
            running = self._network.send(
                lambda: self.matting(options.model).matte_picture(decoded, how),
                timeout_s=self._settings.job_timeout_s,
            )
            return running.result()

        return made(picture, name, options, matte, self._painter)

    def clips(
        self,
        clip: Path,
        options: ClipOptions,
        *,
        background: Path | None,
        folder: Path,
        progress: Callable[[Progress], None],
    ) -> ClipProducts:
        """``ClipWork`` of the embedded queue, done in the calling thread, except for the network.

        Raises:
            BshmError: it cannot be made.
        """

        def run(matte: Callable[[], Matte]) -> Matte:
            return self._network.send(matte, timeout_s=self._settings.job_timeout_s).result()

        def counted(done: Progress) -> None:
            if done.frames > done.kept and not done.is_looking:  # else no frame was made just now
                self._metrics.frames.inc()
            progress(done)

        work = Conversion(lambda model: _InTurn(self.matting(model), run))
        return work(clip, options, background=background, folder=folder, progress=counted)

    def close(self) -> None:
        """Close the threads after they have finished, except those that hang."""
        for executor in (self._downloads, self._codecs, self._network, self._painting):
            executor.shutdown(cancel_futures=True, timeout_s=self._settings.shutdown_timeout_s)


async def _done(future: Future[T]) -> T:
    """The result.  A thread cannot be stopped, so a cancelled caller waits until it ends or is given up: the place of
    the work is not free while it still runs."""
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not future.cancel():
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                waiting.exception()  # read, so that asyncio does not log it; nobody needs it any more
        raise
