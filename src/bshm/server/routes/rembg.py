"""``/api/remove``: the interface of rembg's server, so that its clients only need another address.

Differences: the names of rembg's networks select this service's default model, and ``X-Bshm-Model`` says which one ran;
the parameters of rembg's own matting (``a``, ``af``, ``ab``, ``ae``, ``ppm``, ``extras``) are accepted and ignored;
errors are problem details.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from bshm.color import parse_rgba
from bshm.edit.spec import Edit
from bshm.edit.words import ColorBackground
from bshm.errors import OptionError, PictureTooLargeError, UnknownModelError
from bshm.server import intake
from bshm.server.answers import FieldError
from bshm.server.pictures import answer
from bshm.server.refusals import ClientGoneError
from bshm.server.schema import BINARY, PROBLEMS
from bshm.server.service import Order, Service

_RAW = ("image/", "application/octet-stream")


class RembgFields(BaseModel):
    """The parameters of rembg that have an effect here."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str = Field(
        "", max_length=64, description="Name of a model from `GET /models`, or any name that rembg knows."
    )
    om: bool = Field(False, description="Return only the mask, as a picture with one grey channel.")
    bgc: str | None = Field(
        None, max_length=80, description="Background colour: R,G,B,A.", examples=["255,255,255,255"]
    )


router = APIRouter(prefix="/api", tags=["rembg"])

_PARAMETERS = [
    {"name": name, "in": "query", "required": False, "schema": schema, "description": schema.get("description", "")}
    for name, schema in RembgFields.model_json_schema()["properties"].items()
]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The cut-out.", "content": {"image/png": {"schema": BINARY}}},
    **PROBLEMS,
}


@router.get(
    "/remove",
    summary="Like rembg's server: cut out the picture at a URL",
    response_class=Response,
    responses=_ANSWERS,
    openapi_extra={
        "parameters": [
            {"name": "url", "in": "query", "required": True, "schema": {"type": "string", "maxLength": 4096}},
            *_PARAMETERS,
        ]
    },
)
async def from_url(request: Request) -> Response:
    """Needs a service that was started with --allow-urls.

    curl 'http://127.0.0.1:8000/api/remove?url=https://pictures.example.org/a.jpg' -o cut.png
    """
    service: Service = request.app.state.service
    url = request.query_params.get("url", "")
    if not 1 <= len(url) <= 4096:
        raise FieldError({"url": "takes the address of the picture, at most 4096 characters."})
    return await _served(request, _order(request, {}, service, url=url))


@router.post(
    "/remove",
    summary="Like rembg's server: cut out the picture that is sent",
    response_class=Response,
    responses=_ANSWERS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": BINARY, **RembgFields.model_json_schema()["properties"]},
                    }
                },
                "image/*": {"schema": BINARY},
                "application/octet-stream": {"schema": BINARY},
            },
        },
        "parameters": _PARAMETERS,
    },
)
async def from_body(request: Request) -> Response:
    """Send `file` (multipart/form-data), or the picture itself as the body.

    curl -F file=@photo.jpg http://127.0.0.1:8000/api/remove -o cut.png
    curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/api/remove -o cut.png
    """
    service: Service = request.app.state.service
    most = service.settings.max_upload_bytes
    if intake.kind_of(request.headers).startswith(_RAW):
        return await _served(request, _order(request, {}, service, data=await _raw(request, most)))
    async with intake.body(request, most_part=most) as body:
        data = await body.file("file", most=most)
        if data is None:
            raise FieldError({"file": "send the picture in file, or as the body."})
        order = _order(request, body.fields, service, data=data)
    return await _served(request, order)


async def _raw(request: Request, most: int) -> bytes:
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise PictureTooLargeError(f"a picture may have up to {most:,} bytes; this one has more.")
            parts.append(part)
    except ClientDisconnect as error:
        raise ClientGoneError("the client disconnected before its request was complete.") from error
    return b"".join(parts)


async def _served(request: Request, order: Order) -> Response:
    service: Service = request.app.state.service
    return answer(await service.serve(request, order, request.scope["state"]["caller"]))


def _order(
    request: Request, form: dict[str, Any], service: Service, *, data: bytes | None = None, url: str | None = None
) -> Order:
    """Make the order from the fields in the query or in the form."""
    fields = intake.Body({**request.query_params, **form}, []).model(RembgFields)
    behind = None if fields.om or not fields.bgc else _color(fields.bgc)
    return Order(
        Edit(format="png", alpha=fields.om, background=behind), _model(fields.model, service), data=data, url=url
    )


def _model(name: str, service: Service) -> str:
    try:
        if name:
            service.pool.weights_sha256(name)
            return name
    except UnknownModelError:
        pass
    return service.settings.model


def _color(text: str) -> ColorBackground:
    if text.count(",") not in (2, 3):  # like rembg, it takes no names and no hex codes
        raise FieldError({"bgc": f"takes R,G,B,A, each 0 to 255; got {text[:40]!r}."})
    try:
        return ColorBackground(*parse_rgba(text))
    except OptionError as error:
        raise FieldError({"bgc": f"takes R,G,B,A, each 0 to 255; got {text[:40]!r}."}) from error
