"""The options of a queue and their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.errors import OptionError


@dataclass(frozen=True)
class QueueOptions:
    """The options of a queue.

    Attributes:
        capacity: jobs that may wait or run at the same time; more are refused with ``QueueFullError``.
        workers: pictures processed at the same time.  Three keep the network busy: one is decoded and one is encoded
            meanwhile.
        clip_workers: clips that the embedded queue processes at the same time, in addition to pictures.  The threads of
            a worker with a broker process whatever comes.
        max_attempts: how many workers a picture may crash before it fails as ``worker_lost``.
        item_timeout_s: a picture that takes longer, or a clip without a new frame for longer, fails as ``overrun``, and
            its thread is abandoned.
        lease_s: a picture waits again if its worker gives no sign of life for this long.
        sweep_s: time between searches for lost jobs.
        purge_s: time between deletions of expired jobs.
        orphan_s: bytes that belong to no job are deleted after this time.
        webhook_attempts: number of calls before a webhook is given up.
        webhook_first_wait_s: time before the second call; doubled each time.
        webhook_timeout_s: longest time for one call.
    """

    capacity: int = 1000
    workers: int = 3
    clip_workers: int = 1
    max_attempts: int = 3
    item_timeout_s: float = 600.0
    lease_s: float = 30.0
    sweep_s: float = 5.0
    purge_s: float = 60.0
    orphan_s: float = 3600.0
    webhook_attempts: int = 8
    webhook_first_wait_s: float = 5.0
    webhook_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ("capacity", "workers", "clip_workers", "max_attempts", "webhook_attempts"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} of a queue must be 1 or more; got {getattr(self, name)}.")
        for name in (
            "item_timeout_s",
            "lease_s",
            "sweep_s",
            "purge_s",
            "orphan_s",
            "webhook_first_wait_s",
            "webhook_timeout_s",
        ):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name} of a queue must be above 0 seconds; got {getattr(self, name)}.")
