"""``POST /matte``: a picture in, its people out; the command line's options as fields."""

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
_BEHIND = {"description": "A picture to lay the people over."}


_HEADERS = {
    "X-Bshm-Model": "Name of the weights that ran.",
    "X-Bshm-Model-Sha256": "Their hash, as `bshm models` prints it.",
    "X-Bshm-Device": "Where they ran.",
    "X-Bshm-Cache": "hit: made for an earlier or a simultaneous equal request; miss: made for this one.",
    "X-Bshm-Empty": "true where nobody was found.",
    "X-Bshm-Head-By": "By what the head was found, where the frame goes by it.",
    "X-Bshm-Corrections": "How many corrections were applied.",
    "X-Bshm-Notes": "What is not as it should be in the result.",
    "X-Bshm-Verdict": "JSON: score, 0 to 1, expected_error and reasons with where; null where the weights cannot tell.",
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
    served = await service.serve(request, order, request.scope["state"]["caller"])
    return answer(served)


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
