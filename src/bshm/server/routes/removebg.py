"""``/v1.0``: the API of remove.bg, so that its clients only need another address.

Differences: nothing is charged (``X-Credits-Charged: 0``), only people are cut out, shadows are drawn for people, and
``webp`` is a format.  ``X-Foreground-*`` is the box of the people before cropping and placing.
"""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bshm.color import looks_like_color, parse_rgba
from bshm.edit.words import Background, ColorBackground, PictureBackground, parse_margins
from bshm.errors import FetchError, OptionError, UrlRefusedError
from bshm.options import MatteOptions
from bshm.server import intake
from bshm.server.answers import FieldError, NobodyError, box_headers
from bshm.server.fields import edit_from
from bshm.server.pictures import picture
from bshm.server.schema import request_body
from bshm.server.service import Order, Served, Service
from bshm.server.statuses import detail_of

_QUARTER, _MEDIUM, _HD, _PNG, _FULL, _LARGEST = 250_000, 1_500_000, 4_000_000, 10_000_000, 25_000_000, 50_000_000
SIZES: dict[str, int] = {
    "preview": _QUARTER,
    "small": _QUARTER,
    "regular": _QUARTER,
    "medium": _MEDIUM,
    "hd": _HD,
    "full": _FULL,
    "4k": _FULL,
    "auto": _FULL,
    "50MP": _LARGEST,
}
_TYPES = ("auto", "person", "product", "car", "animal", "graphic", "graphics", "transportation", "other")
_SHADOWS = ("none", "auto", "drop", "3d", "car")
_BARE_HEX = re.compile(r"[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8}")
_EVERYWHERE = "0% 0% 100% 100%"
# Names of the options of an ``Edit`` that differ here.
_NAMES = {"region": "roi", "background": "bg_color", "alpha": "channels", "shadow": "add_shadow"}
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
# The balance of every account, high enough for clients that check it first.
_PLENTY = 1_000_000


class RemoveBgFields(BaseModel):
    """The parameters of remove.bg, read as leniently as there."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    image_url: str | None = Field(None, max_length=4096, description="Source image URL.")
    size: str = Field("preview", description=f"Maximum output resolution: {', '.join(SIZES)}.", examples=["auto"])
    type: str = Field("auto", description="Foreground type: auto or person, since only people are cut out.")
    type_level: str = Field("1", description="none omits the header X-Type.")
    format: str = Field("auto", description="auto, png, jpg, webp or zip.", examples=["png"])
    roi: str = Field(_EVERYWHERE, description="Region of interest: x1 y1 x2 y2, px or %.")
    crop: str | bool = Field("false", description="Crop off empty regions.")
    crop_margin: str = Field("0", description="Margin around the cropped subject: 1, 2 or 4 lengths, px or %.")
    scale: str = Field("original", description="Subject relative to the image, 10% to 100%.")
    position: str | None = Field(None, description="original, center, or one or two of 0% to 100%.")
    channels: str = Field("rgba", description="rgba or alpha.")
    add_shadow: str | bool = Field("false", description="Add a soft shadow of the people.")
    shadow_type: str | None = Field(
        None, description="none, auto, drop, 3D or car; all but none give the same soft shadow. Overrides add_shadow."
    )
    shadow_opacity: str = Field("100", description="Darkness of the shadow, 0 to 100.")
    semitransparency: str | bool = Field("true", description="Accepted and ignored; it is about car windows.")
    bg_color: str | None = Field(None, description="Hex (3, 4, 6 or 8 digits) or a colour name.", examples=["81d4fa"])
    bg_image_url: str | None = Field(None, max_length=4096, description="Background image URL.")


router = APIRouter(prefix="/v1.0", tags=["remove.bg"])

_ERROR = {
    "description": "An error in the form of remove.bg.",
    "content": {
        "application/json": {
            "example": {"errors": [{"title": "Invalid size parameter given", "code": "invalid_size"}]},
            "schema": {"type": "object"},
        }
    },
}
_ERRORS: dict[int | str, dict[str, Any]] = {"4XX": _ERROR, "503": _ERROR, "504": _ERROR}
_BINARY = {"type": "string", "format": "binary"}
_BASE64 = {"image_file_b64": {"type": "string", "format": "byte", "description": "Source image as base64."}}
_BODY = request_body(RemoveBgFields, {"image_file": _BINARY, "bg_image_file": _BINARY, **_BASE64}, dict(_BASE64))
for _content in _BODY["content"].values():
    _content["schema"]["additionalProperties"] = True


@router.post(
    "/removebg",
    summary="Like remove.bg's API: cut out one picture",
    response_class=Response,
    responses={
        200: {
            "description": "The result; JSON if the request has Accept: application/json.",
            "content": {
                **{kind: {"schema": _BINARY} for kind in ("image/png", "image/jpeg", "image/webp", "application/zip")},
                "application/json": {"schema": {"type": "object"}},
            },
        },
        **_ERRORS,
    },
    openapi_extra={"requestBody": _BODY},
)
async def removebg(request: Request) -> Response:
    """Send `image_file`, `image_file_b64` or `image_url`.

    curl -H 'X-Api-Key: KEY' -F image_file=@photo.jpg -F size=auto http://127.0.0.1:8000/v1.0/removebg -o cut.png
    """
    service: Service = request.app.state.service
    most = service.settings.max_upload_bytes
    async with intake.body(request, most_part=most) as body:
        sources = [
            await picture(service, body, "image_file", most),
            await picture(service, body, "image_file_b64", most),
        ]
        background = await picture(service, body, "bg_image_file", most)
        fields = body.model(RemoveBgFields)
    given = [each for each in sources if each is not None]
    order = order_of(fields, given, background, service)
    try:
        served = await service.serve(request, order, request.scope["state"]["caller"])
    except (UrlRefusedError, FetchError) as error:
        if order.background_url is not None and order.url is None:
            raise FieldError({"bg_image_url": detail_of(error)}, code="failed_bg_download") from error
        raise
    if served.rendered.empty:
        raise NobodyError("nobody was found in the picture.")
    wants_json = "application/json" in request.headers.get("accept", "")
    return _answer(served, fields, as_json=wants_json)


def order_of(fields: RemoveBgFields, given: list[bytes], background: bytes | None, service: Service) -> Order:
    """Make the order that the parameters describe.

    Raises:
        FieldError: a parameter is wrong, or parameters contradict each other.
    """
    if len(given) + (fields.image_url is not None) > 1:
        raise FieldError(
            {"image_file": "please provide either image_url, image_file or image_file_b64."}, code="multiple_sources"
        )
    if not given and fields.image_url is None:
        raise FieldError(
            {"image_file": "please provide the source image in image_url, image_file or image_file_b64."},
            code="missing_source",
        )
    backgrounds = [fields.bg_color, fields.bg_image_url, background]
    if sum(each is not None for each in backgrounds) > 1:
        raise FieldError(
            {"bg_color": "please provide either bg_color, bg_image_url or bg_image_file."}, code="multiple_bg_sources"
        )
    if fields.size not in SIZES:
        raise FieldError({"size": f"takes {', '.join(SIZES)}; got {fields.size[:40]!r}."})
    if fields.format not in ("auto", "png", "jpg", "webp", "zip"):
        raise FieldError({"format": f"takes auto, png, jpg, webp or zip; got {fields.format[:40]!r}."})
    if fields.channels not in ("rgba", "alpha"):
        raise FieldError({"channels": f"takes rgba or alpha; got {fields.channels[:40]!r}."})
    if fields.type not in _TYPES:
        raise FieldError({"type": f"takes auto or person; got {fields.type[:40]!r}."})
    if fields.type not in ("auto", "person"):
        raise NobodyError(f"this service cuts out people only; got type {fields.type!r}.")
    if fields.type_level not in ("none", "1", "2", "latest"):
        raise FieldError({"type_level": f"takes none, 1, 2 or latest; got {fields.type_level[:40]!r}."})
    alpha = fields.channels == "alpha"
    _boolean("semitransparency", fields.semitransparency)
    behind: Background | None = None if alpha or fields.bg_color is None else _color(fields.bg_color)
    has_picture = not alpha and (background is not None or fields.bg_image_url is not None)
    if has_picture:
        behind = PictureBackground()
    elif fields.format == "jpg" and behind is None and not alpha:
        behind = ColorBackground((255, 255, 255))  # JPEG has no transparency; white, as at remove.bg
    crop, shadow = _boolean("crop", fields.crop), _shadow(fields)
    opacity = _percent("shadow_opacity", fields.shadow_opacity)
    if not crop:
        _checked_margins(fields.crop_margin)
    if alpha:  # an alpha alone shows no shadow
        shadow = False
    edit = edit_from(
        {
            "format": fields.format,
            "alpha": alpha,
            "background": behind,
            "region": None if fields.roi.strip() == _EVERYWHERE else fields.roi,
            "shadow": shadow,
            "shadow_opacity": opacity if shadow else None,
            "crop": crop,
            "crop_margin": fields.crop_margin if crop else None,
            "scale": fields.scale,
            "position": fields.position,
            "strip_metadata": True,  # remove.bg has no parameter for it
        },
        _NAMES,
    )
    return Order(
        edit,
        service.settings.model,
        MatteOptions(shrink_to=min(SIZES[fields.size], _PNG if fields.format in ("png", "auto") else _LARGEST)),
        data=given[0] if given else None,
        url=fields.image_url,
        background=background if has_picture else None,
        background_url=fields.bg_image_url if has_picture else None,
    )


@router.get(
    "/account",
    summary="Like remove.bg's API: the balance of the account",
    responses={200: {"description": "The balance."}, **_ERRORS},
)
async def account(request: Request) -> dict[str, Any]:
    """Nothing is charged, so the balance is always high. Only the rate limit applies."""
    service: Service = request.app.state.service
    rate = service.rates.look(request.scope["state"]["caller"])
    return {
        "data": {
            "attributes": {
                "credits": {"total": _PLENTY, "subscription": _PLENTY, "payg": 0, "enterprise": 0},
                "api": {"free_calls": rate.remaining if rate.limit else _PLENTY, "sizes": "all"},
            }
        }
    }


def _answer(served: Served, fields: RemoveBgFields, *, as_json: bool) -> Response:
    rendered = served.rendered
    headers = {
        "X-Width": str(rendered.width),
        "X-Height": str(rendered.height),
        "X-Credits-Charged": "0",
        **box_headers(rendered.box),
        "X-Bshm-Model": rendered.model,
        "X-Bshm-Cache": "hit" if served.cached else "miss",
    }
    if fields.type_level != "none":
        headers["X-Type"] = "person"
    if served.rate is not None:
        headers.update(served.rate.headers())
    if not as_json:
        return Response(rendered.data, media_type=rendered.media_type, headers=headers)
    data: dict[str, Any] = {"result_b64": base64.b64encode(rendered.data).decode("ascii")}
    if rendered.box is not None:
        data |= {f"foreground_{side}": value for side, value in rendered.box._asdict().items()}
    return Response(json.dumps({"data": data}), media_type="application/json", headers=headers)


def _boolean(name: str, value: str | bool) -> bool:
    word = str(value).strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise FieldError({name: f"takes true or false; got {word[:40]!r}."})
    return word in _TRUE


def _shadow(fields: RemoveBgFields) -> bool:
    wanted = _boolean("add_shadow", fields.add_shadow)
    if fields.shadow_type is None:
        return wanted
    word = fields.shadow_type.strip().lower()
    if word not in _SHADOWS:
        raise FieldError({"shadow_type": f"takes {', '.join(_SHADOWS)}; got {word[:40]!r}."})
    return word != "none"


def _percent(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise FieldError({name: f"takes 0 to 100; got {text[:40]!r}."})
    return value / 100


def _checked_margins(text: str) -> None:
    """Check margins even if crop is off, as remove.bg does."""
    try:
        parse_margins(text)
    except OptionError as error:
        raise FieldError({"crop_margin": str(error)}) from error


def _color(text: str) -> ColorBackground:
    """Read a colour as remove.bg does: hex also without # and with opacity."""
    text = text.strip()
    if _BARE_HEX.fullmatch(text):
        text = f"#{text}"
    if not looks_like_color(text):
        raise FieldError({"bg_color": f"takes a hex code such as 81d4fa or a colour name; got {text[:40]!r}."})
    try:
        return ColorBackground(*parse_rgba(text))
    except OptionError as error:
        raise FieldError({"bg_color": str(error)}) from error
