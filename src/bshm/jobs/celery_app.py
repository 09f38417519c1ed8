"""The Celery application that servers and workers share: its broker, and how messages are handled.

A message holds the id of a job and nothing else; see ``bshm.jobs.protocol`` for why it may be lost or doubled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bshm.errors import MissingExtraError, OptionError
from bshm.jobs.options import QueueOptions

if TYPE_CHECKING:
    from celery import Celery

TASK = "bshm.jobs.run"
QUEUE = "bshm.jobs"
SCHEMES = ("amqp", "amqps", "redis", "rediss")


def make_app(broker: str, options: QueueOptions) -> Celery:
    """The application for a broker.  Nothing is connected to yet.

    Args:
        broker: ``amqp://USER:PASSWORD@HOST:PORT/VHOST`` or ``redis://HOST:PORT/N``.
        options: the visibility timeout of Redis.

    Raises:
        OptionError: another kind of URL.
        MissingExtraError: celery is not installed.
    """
    scheme = broker.partition("://")[0]
    if scheme not in SCHEMES:
        raise OptionError("a broker is amqp://USER:PASSWORD@HOST:PORT/VHOST (RabbitMQ) or redis://HOST:PORT/N (Redis).")
    try:
        from celery import Celery
        from kombu import Exchange, Queue
    except ImportError as error:
        raise MissingExtraError("a broker needs an optional part: pip install 'bshm[queue]'.") from error
    is_redis = scheme.startswith("redis")
    app = Celery("bshm", broker=broker, set_as_current=False, loader="celery.loaders.app:AppLoader")
    app.conf.update(
        # Acknowledged when the job's record says that it has ended: a worker that dies gives its message back.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure_or_timeout=True,
        # One message a worker at a time: what waits must wait where every worker can take it.
        worker_prefetch_multiplier=1,
        # Records tell what became of a job; Celery's own results would be a second truth.
        task_ignore_result=True,
        result_backend=None,
        task_store_errors_even_if_ignored=False,
        # Pickle would let whoever can write to the broker run code in the workers.
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=QUEUE,
        task_queues=[Queue(QUEUE, Exchange(QUEUE, type="direct", durable=True), routing_key=QUEUE, durable=True)],
        task_default_delivery_mode="persistent",
        task_create_missing_queues=False,
        broker_transport_options=(
            # Names of keys of our own: several applications may share one Redis.
            {"visibility_timeout": options.visibility_timeout_s, "socket_connect_timeout": 5, "socket_timeout": 30}
            if is_redis
            else {"confirm_publish": True}
        ),
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=4,
        # A restarted broker gives unfinished messages out again; the work that is under way goes on, and the record
        # turns the second message away.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_track_started=False,
        timezone="UTC",
    )
    return app
