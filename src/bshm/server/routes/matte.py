"""``POST /matte``: cut the people out of one picture, with the options of the command line as fields."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from bshm.edit.render import MEDIA_TYPES
from bshm.magic import KNOWN
from bshm.server import intake
from bshm.server.answers import FieldError
from bshm.server.fields import PictureFields, edit_of, matte_options_of, model_of
from bshm.server.pictures import answer, picture
from bshm.server.schema import BASE64, BINARY, PROBLEMS, request_body
from bshm.server.service import Order, Service

_PICTURE = {"description": f"The picture: {KNOWN}."}
_BEHIND = {"description": "A picture to put behind the people."}


_HEADERS = {
    "X-Bshm-Model": "Name of the model that ran.",
    "X-Bshm-Model-Sha256": "Hash of its weights, as printed by `bshm models`.",
    "X-Bshm-Device": "Device that it ran on.",
    "X-Bshm-Cache": "hit if the result was made for an equal request before or at the same time; miss if it was "
    "made for this one.",
    "X-Bshm-Empty": "true if nobody was found.",
    "X-Bshm-Head-By": "How the head was found, if the framing depends on it.",
    "X-Bshm-Background-By": "JSON with model, device, prompt, seed and steps of a painted background.",
    "X-Bshm-Corrections": "Number of corrections that were applied.",
    "X-Bshm-Notes": "Requirements that the result does not meet.",
    "X-Bshm-Verdict": "JSON with score (0 to 1), expected_error and reasons with boxes; null if the model cannot "
    "estimate it.",
    "X-Width": "Width of the result in pixels.",
    "X-Height": "Height of the result in pixels.",
    "Server-Timing": "Milliseconds spent in each stage.",
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
            taken = "is not a known upload. Use image or background_image."
            raise FieldError(dict.fromkeys(sorted(strange), taken))
        order = order_of(body.model(PictureFields), data, background, service)
    del body
    served = await service.serve(request, order, request.scope["state"]["caller"])
    return answer(served)


def order_of(fields: PictureFields, data: bytes | None, background: bytes | None, service: Service) -> Order:
    """Make the order that the fields describe.

    Raises:
        FieldError, OptionError: fields contradict each other.
    """
    if (data is None) == (fields.image_url is None):
        raise FieldError({"image": "send either a picture in image or its URL in image_url."})
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
