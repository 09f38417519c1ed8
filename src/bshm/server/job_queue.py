"""Open the queue of jobs that the settings describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bshm import places
from bshm.errors import OptionError
from bshm.jobs import BrokerQueue, EmbeddedQueue, JobQueue
from bshm.jobs.options import QueueOptions
from bshm.server.matting_pool import MattingPool
from bshm.server.settings import Settings


def open_queue(
    settings: Settings, pool: MattingPool, secret_of: Callable[[str], str | None], broken: Callable[[], object]
) -> JobQueue:
    """The queue that the settings describe.

    Args:
        settings: ``broker``, ``results``, ``blobs`` and the other ``jobs_…``.
        pool: processes jobs of the embedded queue.
        secret_of: maps an owner to the secret that signs webhooks.
        broken: called when so many pictures hang that the process should be replaced.

    Raises:
        OptionError: settings contradict each other.
        OutputError, QueueUnavailableError, MissingExtraError: the queue cannot be opened.
    """
    options = QueueOptions(
        capacity=settings.jobs_capacity,
        workers=settings.jobs_in_flight,
        clip_workers=settings.videos_in_flight,
        item_timeout_s=settings.job_timeout_s,
    )
    if settings.broker == "embedded":
        if "://" in (settings.results or ""):
            raise OptionError("--results is a folder for the embedded queue; a URL needs a --broker.")
        if settings.blobs is not None or settings.blobs_endpoint is not None:
            raise OptionError("the embedded queue keeps pictures in its own folder; --blobs needs a --broker.")
        folder = Path(settings.results) if settings.results else places.data() / "jobs"
        return EmbeddedQueue(folder, pool.work, clips=pool.clips, options=options, secrets=secret_of, broken=broken)
    return BrokerQueue(
        settings.broker,
        settings.results,
        blobs=settings.blobs,
        blobs_endpoint=settings.blobs_endpoint,
        options=options,
        secrets=secret_of,
    )
