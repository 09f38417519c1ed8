"""``POST /finish``: from a cut-out to a finished and measured picture; no network runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, create_model

from bshm.edit import preset as presets
from bshm.edit.check import CheckReport, check
from bshm.edit.render import MEDIA_TYPES, Rendered, compose, people_alone, render, suffix_of
from bshm.edit.spec import Edit
from bshm.edit.words import BlurBackground
from bshm.errors import UnknownPresetError
from bshm.files import decode
from bshm.options import Limits
from bshm.result import Matte
from bshm.server import intake
from bshm.server.answers import FieldError
from bshm.server.fields import EDIT_FIELDS, PictureFields, edit_of
from bshm.server.pictures import picture
from bshm.server.schema import BASE64, BINARY, PROBLEMS, request_body
from bshm.server.service import Service, until_gone

_CUTOUT = {"description": "A cut-out: a picture with transparency, such as the answer of /matte, retouched or not."}
_BEHIND = {"description": "A picture to put behind the people."}
_HEADERS = {
    "X-Bshm-Empty": "true if nobody is in the cut-out.",
    "X-Bshm-Head-By": "How the head was found, if the framing depends on it.",
    "X-Bshm-Notes": "Problems with the result.",
    "X-Bshm-Check": "JSON: the report of `bshm check --json` on the result; only with a preset.",
    "X-Width": "Width of the result in pixels.",
    "X-Height": "Height of the result in pixels.",
}

# The fields of /matte for results; fields for the matte itself have no meaning here.
_NOT_HERE = {"people"}  # people cannot be told apart in a cut-out
_TAKEN = {name: PictureFields.model_fields[name] for name in (*EDIT_FIELDS, "preset") if name not in _NOT_HERE}
_fields: dict[str, Any] = {name: (each.annotation, each) for name, each in _TAKEN.items()}
FinishFields: type[BaseModel] = create_model(
    "FinishFields", __config__=ConfigDict(extra="forbid", protected_namespaces=()), **_fields
)

router = APIRouter(tags=["pictures"])


@dataclass(frozen=True)
class _Finished:
    """A finished file, and its report against the rules."""

    rendered: Rendered
    report: CheckReport | None


@router.post(
    "/finish",
    summary="Make a finished picture from a cut-out, and measure it",
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
            FinishFields,
            {"image": {**BINARY, **_CUTOUT}, "background_image": {**BINARY, **_BEHIND}},
            {"image": {**BASE64, **_CUTOUT}, "background_image": {**BASE64, **_BEHIND}},
        )
    },
)
async def finish(request: Request) -> Response:
    """Send a cut-out as `image`, and the fields of `/matte` for results.

    With `preset`, the result is measured against its rules. It counts as one picture of a megapixel, whatever its size.

    curl -F image=@cut.png -F preset=amazon-main -D - http://127.0.0.1:8000/finish -o shop.jpg
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
        fields = PictureFields(**body.model(FinishFields).model_dump(exclude_unset=True))
    if data is None:
        raise FieldError({"image": "send a cut-out in image."})
    edit, url = edit_of(fields, has_background=background is not None)
    if url is not None:
        raise FieldError({"background": "URLs are not fetched here. Send the picture in background_image."})
    if edit.format == "ora" or (edit.format == "zip" and fields.preset is not None):
        raise FieldError({"format": f"{edit.format} is not a finished picture. Choose png, jpg, webp or tiff."})
    if isinstance(edit.background, BlurBackground):
        raise FieldError({"background": "blur needs the original, which a cut-out no longer has. Use /matte."})
    rate = service.rates.charge(request.scope["state"]["caller"], 1)
    work = partial(_finished, data, background, edit, fields.preset, service.settings.limits)
    made = await until_gone(request, service.pool.in_turn(work), service.settings.request_timeout_s)
    return _answer(made, {} if rate is None else rate.headers())


def _finished(data: bytes, background: bytes | None, edit: Edit, preset: str | None, limits: Limits) -> _Finished:
    cutout = decode.decode(data, name="the cut-out", limits=limits)
    if cutout.alpha is None:
        raise FieldError({"image": "has no transparency. Send a cut-out, or the photograph to /matte."})
    matte = Matte.of_cutout(cutout)
    behind = None if background is None else decode.decode(background, name="the background", limits=limits)
    rendered = render(matte, edit, behind)
    if preset is None:
        return _Finished(rendered, None)
    try:
        rules = presets.find(preset)
    except UnknownPresetError as error:
        raise FieldError({"preset": str(error)}) from error
    people = compose(matte, people_alone(edit)).alpha
    result = decode.decode(rendered.data, name="the result", limits=limits)
    return _Finished(rendered, check(rendered.data, result, people, rules))


def _answer(made: _Finished, more: dict[str, str]) -> Response:
    rendered = made.rendered
    headers = {
        "X-Bshm-Empty": "true" if rendered.empty else "false",
        "X-Width": str(rendered.width),
        "X-Height": str(rendered.height),
        "Content-Disposition": f'inline; filename="finished{suffix_of(rendered.media_type)}"',
        **more,
    }
    if rendered.head_by is not None:
        headers["X-Bshm-Head-By"] = rendered.head_by
    if rendered.notes:
        headers["X-Bshm-Notes"] = "; ".join(rendered.notes)
    if made.report is not None:
        headers["X-Bshm-Check"] = json.dumps(made.report.as_json(), separators=(",", ":"))
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)
