"""Jobs: work that continues after the request that started it.

    JobRequest -> queue.submit() -> JobRecord -> queue.get() … -> queue.result() -> JobResult

Two queues have the interface ``JobQueue``:

    EmbeddedQueue   SQLite, a folder and worker threads in this process; needs nothing else
    BrokerQueue     RabbitMQ or Redis between this process and `bshm worker` on any number of machines

Both keep accepted jobs when a process is killed, and deliver every result once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bshm.jobs.broker_queue import BrokerQueue
    from bshm.jobs.clip_work import Conversion
    from bshm.jobs.clips import ClipOptions, ClipOutput, ClipProgress
    from bshm.jobs.embedded import EmbeddedQueue
    from bshm.jobs.protocol import ClipResult, ClipWork, JobQueue, Product, Work
    from bshm.jobs.records import (
        ANONYMOUS,
        DEFAULT_KEEP_S,
        ENDED,
        MAX_ITEMS,
        STATES,
        ItemRecord,
        JobError,
        JobItem,
        JobOptions,
        JobRecord,
        JobRequest,
        JobResult,
        Kind,
        State,
        Webhook,
        code_of,
    )
    from bshm.jobs.waiting import wait
    from bshm.jobs.work import MattingWork

__all__ = [
    "ANONYMOUS",
    "DEFAULT_KEEP_S",
    "ENDED",
    "MAX_ITEMS",
    "STATES",
    "BrokerQueue",
    "ClipOptions",
    "ClipOutput",
    "ClipProgress",
    "ClipResult",
    "ClipWork",
    "Conversion",
    "EmbeddedQueue",
    "ItemRecord",
    "JobError",
    "JobItem",
    "JobOptions",
    "JobQueue",
    "JobRecord",
    "JobRequest",
    "JobResult",
    "Kind",
    "MattingWork",
    "Product",
    "State",
    "Webhook",
    "Work",
    "code_of",
    "wait",
]

# Imported on first use: a help page need not wait for OpenCV, sqlite3, kombu and redis.
_ELSEWHERE = {
    "BrokerQueue": "broker_queue",
    "ClipOptions": "clips",
    "ClipOutput": "clips",
    "ClipProgress": "clips",
    "ClipResult": "protocol",
    "ClipWork": "protocol",
    "Conversion": "clip_work",
    "EmbeddedQueue": "embedded",
    "JobQueue": "protocol",
    "Product": "protocol",
    "Work": "protocol",
    "MattingWork": "work",
    "wait": "waiting",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"bshm.jobs.{_ELSEWHERE.get(name, 'records')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
