"""What `bshm worker` runs: a Celery worker around one session."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

from bshm.errors import QueueUnavailableError
from bshm.jobs.celery_app import TASK, make_app
from bshm.jobs.celery_queue import store_of
from bshm.jobs.dispatcher import Dispatcher
from bshm.jobs.keeper import Keeper
from bshm.jobs.ledger import Ledger
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Work
from bshm.jobs.records import is_id
from bshm.jobs.runner import Runner
from bshm.jobs.stores import open_store
from bshm.jobs.webhooks import Herald, Secrets
from bshm.lanes import MOST_STUCK, OverrunError

log = logging.getLogger("bshm.jobs")

_AWAKE_S = 0.25


def run_worker(
    broker: str,
    work: Work,
    *,
    results: str | Path | None = None,
    blobs: str | None = None,
    blobs_endpoint: str | None = None,
    options: QueueOptions | None = None,
    secrets: Secrets | None = None,
) -> int:
    """Do jobs until SIGTERM or Ctrl-C; the item in the works is finished then, and what is left of its job goes back.

    ``options.workers`` jobs are done at once, in threads of this process, through the one session of ``work``.  There
    are no child processes: one that dies (out of memory, say) is restarted by whatever started it, and its jobs are
    taken over by the others meanwhile.

    Args:
        broker: see ``CeleryQueue``.
        work: makes the results.
        results, blobs, blobs_endpoint: see ``CeleryQueue``.
        options: how the queue behaves.
        secrets: see ``CeleryQueue``.

    Returns:
        the exit code of Celery's worker.

    Raises:
        OptionError, MissingExtraError, OutputError, QueueUnavailableError: see ``CeleryQueue``.
        OverrunError: so many pictures hang that the process has to be replaced.
    """
    options = options or QueueOptions()
    app = make_app(broker, options)
    from celery import signals
    from celery.exceptions import Reject

    records, kept = open_store(store_of(broker, results), options, blobs=blobs, blobs_endpoint=blobs_endpoint)
    ledger = Ledger(records, kept, capacity=options.capacity)
    dispatcher = Dispatcher(app, ledger, patience_s=options.lease_s)
    stopping = threading.Event()
    name = f"{socket.gethostname()}:{os.getpid()}"
    broken = threading.Event()

    def give_up() -> None:
        """Stop as on SIGTERM: what hangs in this process goes only with it."""
        broken.set()
        stopping.set()
        os.kill(os.getpid(), signal.SIGTERM)

    runner = Runner(ledger, work, worker=name, options=options, stopping=stopping, broken=give_up)
    keeper = Keeper(
        ledger,
        options=options,
        herald=Herald(ledger, secrets, options=options),
        requeued=dispatcher.send,
        also=dispatcher.send_lost,
    )

    @app.task(name=TASK, bind=True, acks_late=True, reject_on_worker_lost=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def run(task: Any, job_id: Any = None, *others: Any, **more: Any) -> None:
        if not isinstance(job_id, str) or not is_id(job_id) or others or more:
            log.error("a message of another kind was thrown away: %.200r", task.request.args)
            return
        try:
            verdict = runner.run(job_id)
        except QueueUnavailableError as error:
            log.warning("job %s waits: %s", job_id, error)
            raise Reject(str(error), requeue=True) from error
        if verdict == "ended":
            log.info("job %s ended", job_id)
        if verdict == "released":
            raise Reject("this worker stops", requeue=True)

    def stop(**_: Any) -> None:
        stopping.set()

    def keep_logging(**_: Any) -> None:
        """With a receiver Celery leaves logging as it is: how it is done is the caller's business."""

    def keep_awake(sender: Any = None, **_: Any) -> None:
        """A loop that sleeps until the broker says something would notice SIGTERM some ten seconds late."""
        sender.timer.call_repeatedly(_AWAKE_S, lambda: None)

    signals.setup_logging.connect(keep_logging, weak=False)
    signals.worker_ready.connect(keep_awake, weak=False)
    signals.worker_shutting_down.connect(stop, weak=False)
    keeper.start()
    worker = app.Worker(
        pool="threads",
        concurrency=options.workers,
        hostname=f"bshm-{os.getpid()}@{socket.gethostname()}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        task_events=False,
        loglevel=None,
        quiet=True,
    )
    try:
        worker.start()
    finally:
        signals.worker_shutting_down.disconnect(stop)
        signals.setup_logging.disconnect(keep_logging)
        signals.worker_ready.disconnect(keep_awake)
        keeper.stop(10.0)
        runner.close()
        records.close()
    if broken.is_set():
        raise OverrunError(f"more than {MOST_STUCK} pictures hang in this worker. Start it anew; its jobs wait.")
    return int(worker.exitcode or 0)
