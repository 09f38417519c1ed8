"""What may be said beside a picture, once: ``POST /matte`` and ``POST /jobs`` take the same fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from bshm.color import looks_like_color, parse_color
from bshm.edit.render import Blur, Plain, Recipe
from bshm.edit.spec import OutputOptions
from bshm.edit.words import NO_MARGINS, parse_margins, parse_position, parse_scale
from bshm.errors import OptionError
from bshm.options import DEFAULT_MODEL, MatteOptions
from bshm.server.answers import FieldError

T = TypeVar("T")


class PictureFields(BaseModel):
    """What is made of a picture, and where it is if it is not sent; defaults are those of ``bshm.options``."""

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
    exact: bool = Field(
        MatteOptions.exact, description="Keep alpha as imported weights give it: 254 of 255 inside people."
    )
    shadow: bool = Field(OutputOptions.shadow, description="Let the people throw a soft shadow.")
    crop: bool = Field(OutputOptions.crop, description="Crop to the people.")
    crop_margin: str | None = Field(
        OutputOptions.crop_margin,
        max_length=80,
        description="Left around the people when cropping: one, two or four lengths in px or %.",
        examples=["10%", "20px 40px"],
    )
    scale: str | None = Field(
        OutputOptions.scale,
        max_length=80,
        description="Make the people larger or smaller: their share of the result, 10% to 100%.",
        examples=["80%"],
    )
    position: str | None = Field(
        OutputOptions.position,
        max_length=80,
        description="Move the people: center, or one or two of 0% to 100% from the left and the top.",
        examples=["center", "50% 100%"],
    )
    strip_metadata: bool = Field(
        OutputOptions.strip_metadata,
        description="Leave out the EXIF that is kept by default: camera, date, author, place (GPS).",
    )
    image_url: str | None = Field(
        None, max_length=4096, description="Where the picture is, in place of image; off unless --allow-urls."
    )


def recipe_of(fields: PictureFields, *, has_scenery: bool, default_model: str) -> tuple[Recipe, str | None]:
    """What the fields ask for, and the URL of a picture for the background.

    Args:
        fields: those of a request.
        has_scenery: a picture for the background came along.
        default_model: which weights work where the fields name none.

    Returns:
        the recipe, in which white stands for a picture as the background: it is known by its hash, once it is there.

    Raises:
        FieldError, OptionError: they contradict each other.
    """
    behind, scenery_url = background(fields.background)
    if has_scenery and fields.background is not None:
        raise FieldError({"background": "send background or background_image, not both."})
    wants_scenery = has_scenery or scenery_url is not None
    if fields.crop_margin is not None and not fields.crop:
        raise FieldError({"crop_margin": "has a meaning with crop=true only."})
    if wants_scenery and fields.alpha:
        raise FieldError({"alpha": "gives the alpha alone, so a background has no place in it."})
    recipe = Recipe(
        model=fields.model if "model" in fields.model_fields_set else default_model,
        decontaminate=fields.decontaminate,
        exact=fields.exact,
        alpha_only=fields.alpha,
        background=Plain((255, 255, 255, 255)) if wants_scenery else behind,
        format=fields.format or "png",
        quality=fields.quality,
        shadow=fields.shadow,
        crop=fields.crop,
        margins=read("crop_margin", parse_margins, fields.crop_margin) if fields.crop_margin else NO_MARGINS,
        scale=None if fields.scale is None else read("scale", parse_scale, fields.scale),
        position=None if fields.position is None else read("position", parse_position, fields.position),
        strip_metadata=fields.strip_metadata,
    )
    return recipe, scenery_url


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


def read(name: str, parse: Callable[[str], T], text: str) -> T:
    """What ``parse`` makes of the text of a field.

    Raises:
        FieldError: it is none; in place of the ``OptionError``, which does not know the field.
    """
    try:
        return parse(text)
    except OptionError as error:
        raise FieldError({name: str(error)}) from error
