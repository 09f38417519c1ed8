"""``POST /matte``: a picture in, its people out; the command line's options as fields."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from bshm.edit.render import MEDIA_TYPES, suffix_of
from bshm.magic import KNOWN
from bshm.server import intake
from bshm.server.answers import FieldError
from bshm.server.fields import PictureFields, edit_of, matte_options_of, model_of
from bshm.server.service import Order, Outcome, Service

_PICTURE = {"description": f"The picture: {KNOWN}."}
_BEHIND = {"description": "A picture to lay the people over."}


def request_body(fields: type[BaseModel], multipart: dict[str, Any], json: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's description of a body that is multipart or JSON.

    Args:
        fields: those that both have.
        multipart, json: further properties of each.
    """
    schema = fields.model_json_schema()
    properties = schema["properties"]
    common = {"type": "object", "additionalProperties": False}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": {**common, "properties": {**multipart, **properties}}},
            "application/json": {"schema": {**common, "properties": {**json, **properties}}},
        },
    }


BINARY = {"type": "string", "format": "binary"}
BASE64 = {"type": "string", "format": "byte", "contentEncoding": "base64"}
PROBLEM = {
    "description": "RFC 9457 problem details.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "instance": {"type": "string"},
                    "errors": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "example": {
                "type": "urn:bshm:problem:unreadable-picture",
                "title": "The picture cannot be read",
                "status": 422,
                "detail": "the picture is empty: 0 bytes. Copy or download it again.",
                "instance": "urn:bshm:request:5f2c9d0e7a1b4c33",
            },
        }
    },
}
PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": PROBLEM, "503": PROBLEM, "504": PROBLEM}

_HEADERS = {
    "X-Bshm-Model": "Name of the weights that ran.",
    "X-Bshm-Model-Sha256": "Their hash, as `bshm models` prints it.",
    "X-Bshm-Device": "Where they ran.",
    "X-Bshm-Cache": "hit: made for an earlier or a simultaneous equal request; miss: made for this one.",
    "X-Bshm-Empty": "true where nobody was found.",
    "X-Width": "Of the result, in pixels.",
    "X-Height": "Of the result, in pixels.",
    "Server-Timing": "Milliseconds by stage.",
}

router = APIRouter(tags=["pictures"])


@router.post(
    "/matte",
    summary="Cut the people out of one picture",
    response_class=Response,
    responses={
        200: {
            "description": "The result.",
            "content": {kind: {"schema": BINARY} for kind in MEDIA_TYPES.values()},
            "headers": {
                name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in _HEADERS.items()
            },
        },
        **PROBLEMS,
    },
    openapi_extra={
        "requestBody": request_body(
            PictureFields,
            {"image": {**BINARY, **_PICTURE}, "background_image": {**BINARY, **_BEHIND}},
            {"image": {**BASE64, **_PICTURE}, "background_image": {**BASE64, **_BEHIND}},
        )
    },
)
async def matte(request: Request) -> Response:
    """Send `image` as a file (multipart/form-data) or as base64 (application/json).

    curl -F image=@photo.jpg http://127.0.0.1:8000/matte -o cut.png
    curl -F image=@photo.jpg -F background=white -F format=jpg http://127.0.0.1:8000/matte -o white.jpg
    """
    service: Service = request.app.state.service
    most = service.settings.max_upload_bytes
    async with intake.body(request, most_part=most) as body:
        data = await picture(service, body, "image", most)
        background = await picture(service, body, "background_image", most)
        strange = {name for name, _ in body.files} - {"image", "background_image"}
        if strange:
            taken = "no upload of that name is taken; image and background_image are."
            raise FieldError(dict.fromkeys(sorted(strange), taken))
        order = order_of(body.model(PictureFields), data, background, service)
    del body
    outcome = await service.serve(request, order, request.scope["state"]["caller"])
    return answer(outcome)


async def picture(service: Service, body: intake.Body, name: str, most: int) -> bytes | None:
    """The picture that a request has under ``name``, as a file or as base64; None where it has none.

    Raises:
        FieldError, PictureTooLargeError: see ``bshm.server.intake``.
    """
    sent = await body.file(name, most=most)
    coded = await service.engine.beside(partial(body.base64, name, most=most))
    if sent is not None and coded is not None:
        raise FieldError({name: "came as a file and as text. Send one of the two."})
    return coded if sent is None else sent


def order_of(fields: PictureFields, data: bytes | None, background: bytes | None, service: Service) -> Order:
    """What the fields ask for.

    Raises:
        FieldError, OptionError: they contradict each other.
    """
    if (data is None) == (fields.image_url is None):
        raise FieldError({"image": "send a picture in image, or its URL in image_url: one of the two."})
    edit, background_url = edit_of(fields, has_background=background is not None)
    return Order(
        edit,
        model_of(fields, service.settings.model),
        matte_options_of(fields),
        data=data,
        url=fields.image_url,
        background=background,
        background_url=background_url,
    )


def answer(outcome: Outcome) -> Response:
    """The result with what is known of it in headers."""
    rendered = outcome.rendered
    headers = {
        "X-Bshm-Model": rendered.model,
        "X-Bshm-Model-Sha256": rendered.model_sha256,
        "X-Bshm-Device": rendered.device,
        "X-Bshm-Cache": "hit" if outcome.cached else "miss",
        "X-Bshm-Empty": "true" if rendered.empty else "false",
        "X-Width": str(rendered.width),
        "X-Height": str(rendered.height),
        "Server-Timing": ", ".join(f"{stage};dur={ms:.1f}" for stage, ms in rendered.timings_ms.items()),
        "Content-Disposition": f'inline; filename="cutout{suffix_of(rendered.media_type)}"',
    }
    if outcome.rate is not None:
        headers.update(outcome.rate.headers())
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)
