"""Report the end of a job: a signed POST, repeated until it is accepted.

    POST /your/path
    Content-Type: application/json
    X-Bshm-Delivery: the id of the job; the same in every attempt
    X-Bshm-Timestamp: seconds since 1970
    X-Bshm-Signature: v1=HEX     HMAC-SHA256 over "TIMESTAMP.BODY" with the shared secret

    {"event": "job.done", "delivery": …, "job": {"id": …, "state": "done", "items": [{"name": …, "state": …}, …], …}}

An answer of 200 to 299 accepts it, 410 refuses it; after any other answer it is sent again after 5 s, 10 s, 20 s, … .
A delivery may arrive more than once, so receivers ignore ids that they have seen.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from bshm.concurrency.overlap import overlap
from bshm.errors import BshmError
from bshm.jobs import transitions
from bshm.jobs.codec import Json, to_json
from bshm.jobs.job_store import JobStore
from bshm.jobs.options import QueueOptions
from bshm.jobs.records import JobRecord
from bshm.net import post

log = logging.getLogger("bshm.jobs")

# Maps ``Webhook.secret_ref`` to secrets.
Secrets = Mapping[str, str] | Callable[[str], "str | None"]
"""Maps the reference in a request to the secret; None if it is unknown."""

_GONE = 410
_AT_ONCE = 4
_WORST_WAIT_S = 3600.0


class Post(Protocol):
    """``bshm.net.post.post``, or its replacement in a test."""

    def __call__(self, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float) -> int:
        """The status of the answer."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``X-Bshm-Signature``.

    Source:
        HMAC: RFC 2104; the timestamp is signed with the body so that an old message cannot be sent again as a new one.

    >>> signature("secret", "1700000000", b"{}")
    'v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163'
    """
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_genuine(
    secret: str, headers: Mapping[str, str], body: bytes, *, tolerance_s: float = 300.0, now: float | None = None
) -> bool:
    """Whether a received call is authentic and recent: for receivers written in Python.

    Args:
        secret: the shared secret.
        headers: headers of the call; a mapping with names as written above, or one that ignores case.
        body: exactly the received bytes.
        tolerance_s: largest difference of the clocks.
        now: seconds since 1970; for tests.

    >>> stamp = "1700000000"
    >>> headers = {"X-Bshm-Timestamp": stamp, "X-Bshm-Signature": signature("secret", stamp, b"{}")}
    >>> is_genuine("secret", headers, b"{}", now=1700000010.0), is_genuine("secret", headers, b"{ }", now=1700000010.0)
    (True, False)
    """
    timestamp = headers.get("X-Bshm-Timestamp", "")
    given = headers.get("X-Bshm-Signature", "")
    if not timestamp.isascii() or not timestamp.isdigit() or not given.isascii():
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance_s:
        return False
    return hmac.compare_digest(given, signature(secret, timestamp, body))


def body_of(record: JobRecord) -> bytes:
    """The message for a job that has ended: the facts that its owner may see."""
    items: list[Json] = [
        {
            "name": item.name,
            "state": item.state,
            "error": to_json(item.error),
            "media_type": item.media_type,
            "size": item.size,
            "details": to_json(item.details),
        }
        for item in record.items
    ]
    if record.kind == "video":
        items[0]["outputs"] = [
            {"product": each.product, "name": each.name, "media_type": each.media_type, "size": each.size}
            for each in record.items[0].outputs
        ]
    job = {
        "id": record.id,
        "state": record.state,
        "error": to_json(record.error),
        "created_at": record.created_at,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "expires_at": record.expires_at,
        "items": items,
    }
    told = {"event": f"job.{record.state}", "delivery": record.delivery and record.delivery.id, "job": job}
    return json.dumps(told, separators=(",", ":")).encode()


class WebhookSender:
    """Calls the webhooks that are due."""

    def __init__(
        self,
        store: JobStore,
        secrets: Secrets | None,
        *,
        options: QueueOptions,
        send: Post | None = None,
    ) -> None:
        """Use an open store.

        Args:
            store: the jobs.
            secrets: maps references to secrets; webhooks whose secret is unknown here are left to other processes.
            options: number and times of calls.
            send: for tests: replaces ``bshm.net.post.post``.
        """
        self._store = store
        self._secrets: Callable[[str], str | None] = secrets if callable(secrets) else dict(secrets or {}).get
        self._options = options
        self._send: Post = send or post.post

    def deliver_due(self) -> int:
        """Call the webhooks that are due, several at the same time.

        Returns:
            How many were accepted.
        """
        due = [
            each
            for each in self._store.records.due(self._store.clock())
            if each.webhook is not None and self._secrets(each.webhook.secret_ref) is not None
        ]
        return sum(bool(outcome.unwrap()) for outcome in overlap(due, self._deliver, threads=_AT_ONCE, ordered=False))

    def _deliver(self, record: JobRecord) -> bool:
        now = self._store.clock()
        # The next call is due after the end of this one: no other process calls in the meantime, but one does if this
        # process dies.
        busy_until = now + 2 * self._options.webhook_timeout_s
        begun = self._store.change(
            record.id, lambda found: transitions.delivery_begun(found, now=now, busy_until=busy_until)
        )
        if begun is None or begun.delivery is None or begun.webhook is None:
            return False
        delivery = begun.delivery.id
        error = self._call(begun)
        now = self._store.clock()
        if error is None:
            self._store.change(record.id, lambda found: transitions.delivered(found, delivery=delivery, now=now))
            return True
        attempts = begun.delivery.attempts
        wait_s = min(_WORST_WAIT_S, self._options.webhook_first_wait_s * 2 ** (attempts - 1))
        given_up = attempts >= self._options.webhook_attempts or error.endswith(f" {_GONE}.")
        log.warning("webhook of job %s, attempt %d: %s%s", record.id, attempts, error, " Given up." if given_up else "")
        self._store.change(
            record.id,
            lambda found: transitions.undelivered(
                found, delivery=delivery, error=error, next_at=None if given_up else now + wait_s
            ),
        )
        return False

    def _call(self, record: JobRecord) -> str | None:
        """The error of the call; None if it was accepted."""
        webhook, delivery = record.webhook, record.delivery
        secret = self._secrets(webhook.secret_ref) if webhook is not None else None
        if webhook is None or delivery is None or secret is None:
            return "there is no secret to sign it with."
        body = body_of(record)
        timestamp = str(int(self._store.clock()))
        headers = {
            "Content-Type": "application/json",
            "X-Bshm-Delivery": delivery.id,
            "X-Bshm-Timestamp": timestamp,
            "X-Bshm-Signature": signature(secret, timestamp, body),
        }
        try:
            status = self._send(webhook.url, body, headers=headers, timeout_s=self._options.webhook_timeout_s)
        except BshmError as error:
            return str(error)
        return None if 200 <= status < 300 else f"the receiver answered {status}."
