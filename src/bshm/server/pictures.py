"""Read a picture from a request and answer with the result, for the routes of single pictures."""

from __future__ import annotations

import json
from functools import partial

from starlette.responses import Response

from bshm.edit.render import suffix_of
from bshm.server import intake
from bshm.server.answers import FieldError
from bshm.server.service import Served, Service


async def picture(service: Service, body: intake.Body, name: str, most: int) -> bytes | None:
    """The picture that a request has under ``name``, as a file or as base64; None if it has none.

    Raises:
        FieldError, PictureTooLargeError: see ``bshm.server.intake``.
    """
    sent = await body.file(name, most=most)
    coded = await service.pool.beside(partial(body.base64, name, most=most))
    if sent is not None and coded is not None:
        raise FieldError({name: "was sent both as a file and as text. Send only one of them."})
    return coded if sent is None else sent


def answer(served: Served) -> Response:
    """The result, with facts about it in headers."""
    rendered = served.rendered
    headers = {
        "X-Bshm-Model": rendered.model,
        "X-Bshm-Model-Sha256": rendered.model_sha256,
        "X-Bshm-Device": rendered.device,
        "X-Bshm-Cache": "hit" if served.cached else "miss",
        "X-Bshm-Empty": "true" if rendered.empty else "false",
        "X-Bshm-Verdict": json.dumps(rendered.verdict, separators=(",", ":")),
        "X-Width": str(rendered.width),
        "X-Height": str(rendered.height),
        "Server-Timing": ", ".join(f"{stage};dur={ms:.1f}" for stage, ms in rendered.timings_ms.items()),
        "Content-Disposition": f'inline; filename="cutout{suffix_of(rendered.media_type)}"',
    }
    if rendered.head_by is not None:
        headers["X-Bshm-Head-By"] = rendered.head_by
    if rendered.corrections:
        headers["X-Bshm-Corrections"] = str(rendered.corrections)
    if rendered.background_by is not None:
        headers["X-Bshm-Background-By"] = json.dumps(rendered.background_by, separators=(",", ":"))
    if rendered.notes:
        headers["X-Bshm-Notes"] = "; ".join(rendered.notes)
    if served.rate is not None:
        headers.update(served.rate.headers())
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)
