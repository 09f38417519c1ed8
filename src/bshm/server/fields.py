"""What may be said beside a picture, once: ``POST /matte`` and ``POST /jobs`` take the same fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bshm.edit.spec import Blend, Edit, Fit, ShadowKind
from bshm.edit.words import PictureBackground, parse_background
from bshm.errors import OptionError
from bshm.options import DEFAULT_MODEL, Format, MatteOptions
from bshm.server.answers import FieldError


class PictureFields(BaseModel):
    """What is made of a picture, and where it is if it is not sent; defaults are ``Edit``'s and ``MatteOptions``'."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    alpha: bool = Field(Edit.alpha, description="The alpha alone, as one grey channel.")
    background: str | None = Field(
        None,
        description="Lay the people over a colour (white, #1e90ff, 30,144,255), a gradient, blur or blur:RADIUS of the "
        "original, or the picture at a URL where URLs are allowed. A picture of your own goes into background_image.",
        examples=["white", "#1e90ff", "blur", "linear:#fff,#ccd:90", "radial:white,#bbb"],
    )
    format: Literal[Format, "zip"] | None = Field(
        None, description="Of the result, else png. zip holds color.jpg and alpha.png."
    )
    quality: int = Field(Edit.quality, ge=1, le=100, description="Of jpg and webp; 100 makes webp lossless.")
    model: str = Field(DEFAULT_MODEL, max_length=64, description="A name that `bshm models` lists.")
    decontaminate: bool = Field(
        MatteOptions.decontaminate, description="Take the old background's colour out of soft edges."
    )
    exact: bool = Field(
        MatteOptions.exact, description="Keep alpha as imported weights give it: 254 of 255 inside people."
    )
    shrink_to: int | None = Field(
        MatteOptions.shrink_to,
        ge=1,
        description="Pixels: make a larger picture as small before it is matted, and its result with it.",
    )
    region: str | None = Field(
        None,
        max_length=80,
        description="Look for people here only: left, top, right and bottom in px or %.",
        examples=["10% 0 90% 400px"],
    )
    shadow: bool = Field(Edit.shadow, description="Let the people throw a soft shadow.")
    shadow_opacity: str | None = Field(
        None, max_length=80, description="How dark the shadow is, 0% to 100%.", examples=["60%"]
    )
    crop: bool = Field(Edit.crop, description="Crop to the people.")
    crop_margin: str | None = Field(
        None,
        max_length=80,
        description="Left around the people when cropping: one, two or four lengths in px or %.",
        examples=["10%", "20px 40px"],
    )
    scale: str | None = Field(
        None,
        max_length=80,
        description="Make the people larger or smaller: their share of the result, 10% to 100%.",
        examples=["80%"],
    )
    position: str | None = Field(
        None,
        max_length=80,
        description="Move the people: center, or one or two of 0% to 100% from the left and the top.",
        examples=["center", "50% 100%"],
    )
    shadow_kind: ShadowKind | None = Field(
        Edit.shadow_kind, description="drop, on a wall behind them (the default), or contact, on the floor beneath."
    )
    background_fit: Fit = Field(
        Edit.background_fit, description="A picture behind the people covers all, or all of it shows on white."
    )
    background_position: str | None = Field(
        None, max_length=80, description="Which part of it is kept, or where it stands.", examples=["50% 0%"]
    )
    background_blur: float | None = Field(
        Edit.background_blur, gt=0, le=1000, description="It goes out of focus: pixels."
    )
    grow: float | None = Field(
        Edit.grow, ge=-50, le=50, description="Move the people's edge out by so many pixels, or in; not soft hair."
    )
    fill_holes: str | None = Field(
        None, max_length=80, description="Close holes in people up to this share of their area.", examples=["1%"]
    )
    drop_islands: str | None = Field(
        None,
        max_length=80,
        description="Take away what stands apart and is smaller than this share of the largest.",
        examples=["2%"],
    )
    feather: float | None = Field(
        Edit.feather, gt=0, le=200, description="Make the people's edge soft, inwards, so many pixels wide."
    )
    harmonize: float | None = Field(
        Edit.harmonize, ge=0, le=1, description="How far the people's light goes towards the background's, 0 to 1."
    )
    blend: Blend = Field(Edit.blend, description="Mix people and background by their levels, or by linear light.")
    strip_metadata: bool = Field(
        Edit.strip_metadata,
        description="Leave out the EXIF that is kept by default: camera, date, author, place (GPS).",
    )
    image_url: str | None = Field(
        None, max_length=4096, description="Where the picture is, in place of image; off unless --allow-urls."
    )


# Fields that are options of an ``Edit``, by their one name.
EDIT_FIELDS = tuple(each.name for each in dataclass_fields(Edit))


def edit_of(fields: PictureFields, *, has_background: bool) -> tuple[Edit, str | None]:
    """What the fields ask for, and the URL of a picture for the background.

    Args:
        fields: those of a request.
        has_background: a picture for the background came along.

    Returns:
        the edit; a picture as its background is known by its hash, once it is there.

    Raises:
        FieldError: one is wrong, or they contradict each other.
    """
    if has_background and fields.background is not None:
        raise FieldError({"background": "send background or background_image, not both."})
    given = {name: getattr(fields, name) for name in EDIT_FIELDS}
    url = None
    if has_background:
        given["background"] = PictureBackground()
    elif fields.background is not None:
        given["background"], url = _background(fields.background)
    given["format"] = fields.format or "png"  # an answer has no file name that could say
    if fields.alpha:
        given.update(shadow=False, shadow_kind=None, shadow_opacity=None)  # an alpha alone shows none
    return edit_from(given), url


def edit_from(given: Mapping[str, Any], names: Mapping[str, str] | None = None) -> Edit:
    """The edit with these options.

    Args:
        given: by the names of ``Edit``.
        names: what the route calls them, where it has names of its own.

    Raises:
        FieldError: one is wrong; in place of the ``OptionError``, which does not know the route's fields.
    """
    try:
        return Edit(**given)
    except OptionError as error:
        raise field_error(error, names) from error


def field_error(error: OptionError, names: Mapping[str, str] | None = None) -> FieldError:
    """The error of an option as that of a field, see ``edit_from``."""

    def name_of(name: str) -> str:
        return (names or {}).get(name, name)

    return FieldError({name_of(error.option or "body"): error.fault(name_of)})


def matte_options_of(fields: PictureFields) -> MatteOptions:
    """How the matte is made, but for the limits of the service."""
    return MatteOptions(decontaminate=fields.decontaminate, exact=fields.exact, shrink_to=fields.shrink_to)


def model_of(fields: PictureFields, default_model: str) -> str:
    """Which weights work: those of the service where the fields name none."""
    return fields.model if "model" in fields.model_fields_set else default_model


def _background(text: str) -> tuple[Any, str | None]:
    """A background as fields name it: a colour or a blur, or the URL of a picture.  Never a path of this machine."""
    try:
        found = parse_background(text)
    except OptionError as error:
        raise FieldError({"background": str(error)}) from error
    if not isinstance(found, PictureBackground):
        return found, None
    if (found.source or "").lower().startswith(("http://", "https://")):
        return PictureBackground(), found.source
    raise FieldError(
        {
            "background": "is a colour, linear:COLOURS, radial:COLOURS, blur, blur:RADIUS or a URL. "
            "Send a picture of your own as background_image."
        }
    )
