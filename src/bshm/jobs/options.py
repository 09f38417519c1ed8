"""The options of a queue and their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.errors import OptionError


@dataclass(frozen=True)
class QueueOptions:
    """How a queue behaves.

    Attributes:
        capacity: jobs that may wait or run at once; more are refused with ``QueueFullError``.
        workers: pictures done at once.  Three keep the network busy: one is decoded and one encoded meanwhile.
        clip_workers: clips done at once beside them, by the embedded queue; of a worker behind a broker each thread
            does what comes.
        max_attempts: how often a picture may take its worker with it before it fails as ``worker_lost``.
        item_timeout_s: a picture that takes longer, or a clip of which no frame comes for longer, fails as ``overrun``,
            and its thread is left to itself.
        lease_s: a picture that was taken here waits again when there has been no sign of life for so long.
        sweep_s: how often lost jobs are looked for.
        purge_s: how often expired jobs are deleted.
        orphan_s: bytes that belong to no job are deleted after so long.
        webhook_attempts: calls before a webhook is given up.
        webhook_first_wait_s: before the second call; doubled each time.
        webhook_timeout_s: of one call.
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
