"""Errors as response bodies: problem+json (RFC 9457), and remove.bg's form under /v1.0/."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bshm import errors
from bshm.edit.crop import Box
from bshm.files import sink
from bshm.server import logs, refusals, statuses
from bshm.server.metrics import Metrics

REMOVEBG = "/v1.0/"
PROBLEM_JSON = "application/problem+json"


class FieldError(errors.OptionError):
    """Fields of a request that are wrong.

    Attributes:
        faults: field name -> what is wrong with it.
        code: remove.bg's error code; None takes the code of the first field.
    """

    def __init__(self, faults: Mapping[str, str], *, code: str | None = None) -> None:
        super().__init__("; ".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = dict(faults)
        self.code = code


class NobodyError(errors.InputError):
    """Nobody is in the picture; remove.bg returns an error then."""


# remove.bg uses only the statuses 400, 402, 403, 429 and those of server errors.
_REMOVEBG_CODES: Mapping[type[BaseException], tuple[int, str, str]] = {
    errors.UnreadablePictureError: (400, "failed_to_read_image", "There was an error reading the image"),
    errors.MissingExtraError: (400, "invalid_file_type", "Invalid file type"),
    errors.PictureTooLargeError: (400, "file_too_large", "File or resolution too large"),
    errors.UrlRefusedError: (400, "failed_image_download", "Failed to download image from given image_url"),
    errors.FetchError: (400, "failed_image_download", "Failed to download image from given image_url"),
    errors.UnknownModelError: (400, "invalid_model", "Unknown model"),
    NobodyError: (400, "unknown_foreground", "Could not identify foreground in image"),
    refusals.KeyRefusedError: (403, "auth_failed", "API key missing or invalid"),
    refusals.RateLimitError: (429, "rate_limit_exceeded", "Rate limit exceeded"),
    refusals.TooManyAtOnceError: (429, "rate_limit_exceeded", "Rate limit exceeded"),
    errors.CallerError: (400, "invalid_parameter", "Invalid parameter"),
    errors.InputError: (400, "failed_to_read_image", "The image cannot be used"),
}


def of_error(error: BaseException, *, path: str, request_id: str) -> Response:
    """The answer to an error, in the format of the route's clients."""
    headers = {}
    seconds = statuses.retry_after_s(error)
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, refusals.KeyRefusedError):
        headers["WWW-Authenticate"] = 'Bearer realm="bshm"'
    if path.startswith(REMOVEBG):
        status, body = removebg_body(error)
        return Response(json.dumps(body), status, headers, "application/json")
    answer = statuses.answer_to(error)
    return problem(
        answer.status,
        answer.title,
        statuses.detail_of(error),
        kind=statuses.problem_type(error),
        request_id=request_id,
        headers=headers,
        extra=_named(error),
    )


def _named(error: BaseException) -> dict[str, Any]:
    """The wrong fields of a request, by name."""
    if isinstance(error, FieldError):
        return {"errors": error.faults}
    if isinstance(error, errors.OptionError) and error.option is not None:
        return {"errors": {error.option: error.fault()}}
    return {}


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    kind: str = "about:blank",
    request_id: str,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """A body as RFC 9457 describes it; ``instance`` names the request as the log does."""
    body = {
        "type": kind,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:bshm:request:{request_id}",
        **(extra or {}),
    }
    return Response(json.dumps(body), status, dict(headers or {}), PROBLEM_JSON)


def removebg_body(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Status and body of an error as remove.bg writes it."""
    if isinstance(error, FieldError):
        name, fault = next(iter(error.faults.items()))
        return 400, _removebg(error.code or f"invalid_{name}", f"Invalid {name} parameter given", fault)
    if isinstance(error, errors.RegionError):
        word, title = (
            ("roi_region_empty", "ROI region is empty")
            if error.empty
            else (
                "roi_exceeds_bounds",
                "ROI exceeds image bounds",
            )
        )
        return 400, _removebg(word, title, error.fault())
    answer = statuses.answer_to(error)
    known = next((_REMOVEBG_CODES[each] for each in type(error).__mro__ if each in _REMOVEBG_CODES), None)
    if known is not None and answer.status < 500:
        status, code, title = known
        return status, _removebg(code, title, statuses.detail_of(error))
    code = {408: "timeout", 503: "too_busy", 504: "timeout"}.get(answer.status, "internal_server_error")
    return answer.status, _removebg(code, answer.title, statuses.detail_of(error))


def _removebg(code: str, title: str, detail: str) -> dict[str, Any]:
    return {"errors": [{"title": title, "code": code, "detail": detail}]}


def note(error: BaseException, metrics: Metrics, request_id: str) -> None:
    """Count an error; log errors of the service with their traceback."""
    kind = type(error).__name__
    metrics.errors.labels(kind).inc()
    if sink.is_full(error):  # wherever it was noticed
        logs.say(logging.ERROR, "error", id=request_id, kind=kind, trouble=str(error))
    elif statuses.answer_to(error).status >= 500 and not isinstance(error, refusals.Refusal):
        logs.say(logging.ERROR, "error", error=error, id=request_id, kind=kind)


def id_of(request: Request) -> str:
    """The id of a request, as the log has it."""
    found: str = request.scope.get("state", {}).get("request_id", "")
    return found


def path_of(request: Request) -> str:
    """The path of a request, without the root path."""
    found: str = request.scope.get("state", {}).get("path", request.url.path)
    return found


def box_headers(box: Box | None) -> dict[str, str]:
    """The box of the people, in remove.bg's headers."""
    top, left, height, width = box or Box(0, 0, 0, 0)
    return {
        "X-Foreground-Top": str(top),
        "X-Foreground-Left": str(left),
        "X-Foreground-Width": str(width),
        "X-Foreground-Height": str(height),
    }
