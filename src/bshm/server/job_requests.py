"""Shared by the routes of jobs: the owner of a job, its webhook, and its state as JSON."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from pydantic import BaseModel, Field

from bshm.errors import JobNotFoundError
from bshm.jobs import ANONYMOUS, JobError, JobQueue, JobRecord, Kind, Webhook
from bshm.jobs.records import is_id
from bshm.server.answers import FieldError
from bshm.server.refusals import KeyRefusedError
from bshm.server.service import Service
from bshm.server.settings import Settings

IDEMPOTENCY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A repeated request with the same key returns the same job instead of a new one.",
}


class JobTerms(BaseModel):
    """The fields of every job, of pictures or of a clip."""

    keep_s: float | None = Field(
        None, ge=1, le=31 * 86400, description="Seconds for which results are kept after the job has ended."
    )
    webhook_url: str | None = Field(
        None,
        max_length=2048,
        description="URL that receives a signed POST when the job has ended; needs --allow-webhooks.",
    )
    idempotency_key: str | None = Field(
        None, min_length=1, max_length=255, description="The same as the Idempotency-Key header."
    )


def parts(request: Request) -> tuple[Service, JobQueue]:
    """The service and its queue.

    Raises:
        JobNotFoundError: the service has no queue.
    """
    service: Service = request.app.state.service
    if service.queue is None:
        raise JobNotFoundError("this service has jobs switched off.")
    return service, service.queue


def owner_of(request: Request) -> str:
    """The id of the API key; without keys jobs have no owner, and only their ids protect them."""
    kind, _, name = str(request.scope["state"]["caller"]).partition(":")
    return name if kind == "key" else ANONYMOUS


def of_kind(record: JobRecord, kind: Kind) -> JobRecord:
    """``record``, if it is of that kind.

    Raises:
        JobNotFoundError: it is of another kind, and has another address.
    """
    if record.kind != kind:
        place = "/videos" if record.kind == "video" else "/jobs"
        raise JobNotFoundError(f"there is no such job here. It is at {place}/{record.id}.")
    return record


def idempotency_key(request: Request, terms: JobTerms) -> str | None:
    """The key of a request, from its header or its field.

    Raises:
        FieldError: the two differ.
    """
    header = request.headers.get("idempotency-key")
    if header is not None and terms.idempotency_key not in (None, header):
        raise FieldError({"idempotency_key": "differs from the Idempotency-Key header. Send only one of them."})
    return header if terms.idempotency_key is None else terms.idempotency_key


def webhook(url: str | None, caller: str, settings: Settings) -> Webhook | None:
    """The webhook to call when the job has ended.

    Raises:
        FieldError: webhooks are off, or there is no secret to sign them.
    """
    if url is None:
        return None
    if not settings.allow_webhooks:
        raise FieldError(
            {"webhook_url": "webhooks are switched off on this service. Ask for the state of the job instead."}
        )
    if caller.startswith("address:") and settings.webhook_secret is None:
        raise FieldError({"webhook_url": "needs an API key, or a service with --webhook-secret, to sign the message."})
    return Webhook(url, secret_ref=caller.partition(":")[2] if caller.startswith("key:") else ANONYMOUS)


async def listed(request: Request, kind: Kind, limit: int, cursor: str | None) -> tuple[list[JobRecord], str | None]:
    """A part of the caller's jobs of a kind, and the query of the next part.

    Raises:
        KeyRefusedError: jobs without an owner cannot be listed.
        FieldError: the cursor is not valid.
    """
    service, queue = parts(request)
    owner = owner_of(request)
    if owner == ANONYMOUS:
        raise KeyRefusedError(
            "a list of jobs needs an API key, because jobs have no owner without keys. Make one with "
            "`bshm keys add NAME`."
        )
    before = None if cursor is None else _place_of(cursor)
    records = await service.pool.beside(lambda: queue.of(owner, limit=limit, before=before))
    following = None
    if len(records) == limit:
        last = records[-1]
        following = urlencode({"limit": limit, "cursor": f"{last.created_at!r}~{last.id}"})
    return [record for record in records if record.kind == kind], following


def _place_of(cursor: str) -> tuple[float, str]:
    created, _, job_id = cursor.partition("~")
    try:
        place = float(created)
    except ValueError:
        place = math.nan
    if not math.isfinite(place) or not is_id(job_id):
        raise FieldError({"cursor": "is not valid. Use `next` of the previous page."})
    return place, job_id


def problem(error: JobError) -> dict[str, str]:
    """An error as JSON."""
    return {"code": error.code, "message": error.message}


def times(record: JobRecord) -> dict[str, str | None]:
    """The times of a job."""
    return {
        "created_at": _time(record.created_at),
        "started_at": _time(record.started_at),
        "ended_at": _time(record.ended_at),
        "expires_at": _time(record.expires_at),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def as_json(value: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(json.dumps(value), status, headers, "application/json")
