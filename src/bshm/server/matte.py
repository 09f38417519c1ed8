"""``POST /matte``: a picture in, its people out; the command line's options as fields."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bshm.color import looks_like_color, parse_color
from bshm.crop import NO_MARGINS, parse_margins
from bshm.options import DEFAULT_MODEL, Format, MatteOptions, OutputOptions
from bshm.server import intake
from bshm.server.answers import FieldError
from bshm.server.rendering import MEDIA_TYPES, Blur, Plain, Recipe
from bshm.server.service import Order, Outcome, Service


class MatteFields(BaseModel):
    """What may be said beside the picture; defaults are those of ``bshm.options``."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    alpha: bool = Field(OutputOptions.alpha_only, description="The alpha alone, as one grey channel.")
    background: str | None = Field(
        None,
        description="Lay the people over a colour (white, #1e90ff, 30,144,255), blur or blur:RADIUS of the original, "
        "or the picture at a URL where URLs are allowed. A picture of your own goes into background_image.",
        examples=["white", "#1e90ff", "blur"],
    )
    format: Literal["png", "webp", "jpg", "tiff", "zip"] | None = Field(
        OutputOptions.format, description="Of the result, else png. zip holds color.jpg and alpha.png."
    )
    quality: int = Field(OutputOptions.quality, ge=1, le=100, description="Of jpg and webp; 100 makes webp lossless.")
    model: str = Field(DEFAULT_MODEL, max_length=64, description="A name that `bshm models` lists.")
    decontaminate: bool = Field(
        MatteOptions.decontaminate, description="Take the old background's colour out of soft edges."
    )
    crop: bool = Field(False, description="Crop to the people.")
    crop_margin: str | None = Field(
        None,
        max_length=80,
        description="Left around the people when cropping: one, two or four lengths in px or %.",
        examples=["10%", "20px 40px"],
    )
    image_url: str | None = Field(
        None, max_length=4096, description="Where the picture is, in place of image; off unless --allow-urls."
    )


_PICTURE = {"description": "The picture: JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC."}
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


_BINARY = {"type": "string", "format": "binary"}
_BASE64 = {"type": "string", "format": "byte", "contentEncoding": "base64"}
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
            "content": {kind: {"schema": _BINARY} for kind in MEDIA_TYPES.values()},
            "headers": {
                name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in _HEADERS.items()
            },
        },
        **PROBLEMS,
    },
    openapi_extra={
        "requestBody": request_body(
            MatteFields,
            {"image": {**_BINARY, **_PICTURE}, "background_image": {**_BINARY, **_BEHIND}},
            {"image": {**_BASE64, **_PICTURE}, "background_image": {**_BASE64, **_BEHIND}},
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
        scenery = await picture(service, body, "background_image", most)
        order = order_of(body.model(MatteFields), data, scenery, service)
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


def order_of(fields: MatteFields, data: bytes | None, scenery: bytes | None, service: Service) -> Order:
    """What the fields ask for.

    Raises:
        FieldError, OptionError: they contradict each other.
    """
    if (data is None) == (fields.image_url is None):
        raise FieldError({"image": "send a picture in image, or its URL in image_url, and one of the two."})
    behind, scenery_url = background(fields.background)
    if scenery is not None and fields.background is not None:
        raise FieldError({"background": "send background or background_image, not both."})
    wants_scenery = scenery is not None or scenery_url is not None
    if fields.crop_margin is not None and not fields.crop:
        raise FieldError({"crop_margin": "has a meaning with crop=true only."})
    if wants_scenery and fields.alpha:
        raise FieldError({"alpha": "gives the alpha alone, so a background has no place in it."})
    recipe = Recipe(
        model=fields.model if "model" in fields.model_fields_set else service.settings.model,
        decontaminate=fields.decontaminate,
        alpha_only=fields.alpha,
        # Known by its hash only once it is there; white stands for it until then.
        background=Plain((255, 255, 255, 255)) if wants_scenery else behind,
        format=fields.format or "png",
        quality=fields.quality,
        crop=fields.crop,
        margins=parse_margins(fields.crop_margin) if fields.crop_margin else NO_MARGINS,
    )
    return Order(recipe, data=data, url=fields.image_url, scenery=scenery, scenery_url=scenery_url)


def background(text: str | None) -> tuple[Plain | Blur | None, str | None]:
    """A background as fields name it: a colour or a blur, or the URL of a picture.  Never a path of this machine.

    Raises:
        FieldError: it is none of these.
    """
    if text is None:
        return None, None
    text = text.strip()
    if looks_like_color(text):
        return Plain((*parse_color(text), 255)), None
    if text == "blur" or text.startswith("blur:"):
        return Blur(text), None
    if text.lower().startswith(("http://", "https://")):
        return None, text
    raise FieldError(
        {"background": "is a colour, blur, blur:RADIUS or a URL. Send a picture of your own as background_image."}
    )


def answer(outcome: Outcome) -> Response:
    """The result with what is known of it in headers."""
    rendered = outcome.rendered
    suffix = next((form for form, kind in MEDIA_TYPES.items() if kind == rendered.media_type), "bin")
    headers = {
        "X-Bshm-Model": rendered.model,
        "X-Bshm-Model-Sha256": rendered.model_sha256,
        "X-Bshm-Device": rendered.device,
        "X-Bshm-Cache": "hit" if outcome.cached else "miss",
        "X-Bshm-Empty": "true" if rendered.empty else "false",
        "X-Width": str(rendered.width),
        "X-Height": str(rendered.height),
        "Server-Timing": ", ".join(f"{stage};dur={ms:.1f}" for stage, ms in rendered.timings_ms.items()),
        "Content-Disposition": f'inline; filename="cutout.{suffix}"',
    }
    if outcome.rate is not None:
        headers.update(outcome.rate.headers())
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)


def output_format(text: str | None) -> Format | None:
    """A format that ``OutputOptions`` knows.

    Raises:
        FieldError: zip, which is for single pictures.
    """
    if text == "zip":
        raise FieldError({"format": "zip is for POST /matte; a job's results come as a zip anyway."})
    return text  # type: ignore[return-value]
