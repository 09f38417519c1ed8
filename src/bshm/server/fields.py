"""The fields of a request about pictures, defined once for ``POST /matte`` and ``POST /jobs``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bshm.corrections import Corrections
from bshm.edit.spec import LAYERED, Blend, Edit, Fit, Flip, Mask, ShadowKind
from bshm.edit.words import PictureBackground, parse_background
from bshm.errors import CorrectionsError, OptionError, UnknownPresetError
from bshm.options import DEFAULT_MODEL, Format, MatteOptions
from bshm.server.answers import FieldError


class PictureFields(BaseModel):
    """The options of a result, and the URL of a picture that is not sent; defaults are those of ``Edit`` and
    ``MatteOptions``."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    alpha: bool = Field(Edit.alpha, description="Return only the alpha, as a picture with one grey channel.")
    background: str | None = Field(
        None,
        description="Put the people on a colour (white, #1e90ff, 30,144,255), a gradient, their own blurred background "
        "(blur or blur:RADIUS), or the picture at a URL if the service allows URLs. To send a picture, use "
        "background_image.",
        examples=["white", "#1e90ff", "blur", "linear:#fff,#ccd:90", "radial:white,#bbb"],
    )
    format: Literal[Format, "zip", "ora", "tiff-layers"] | None = Field(
        None,
        description="File format of the result; png if not given. A zip contains color.jpg and alpha.png, an ora "
        "file has one layer per person, and a tiff-layers file one page per person.",
    )
    quality: int = Field(
        Edit.quality, ge=1, le=100, description="Quality of jpg and webp files; at 100, webp is lossless."
    )
    model: str = Field(DEFAULT_MODEL, max_length=64, description="Name of the model; `GET /models` lists them.")
    decontaminate: bool = Field(
        MatteOptions.decontaminate, description="Remove the old background's colour from soft edges."
    )
    exact: bool = Field(
        MatteOptions.exact,
        description="Leave the alpha of imported models unchanged, even if it is 254 of 255 inside people.",
    )
    shrink_to: int | None = Field(
        MatteOptions.shrink_to,
        ge=1,
        description="Shrink larger pictures to this number of pixels before matting; the result has that size, too.",
    )
    region: str | None = Field(
        None,
        max_length=80,
        description="Look for people only in this region: left, top, right and bottom, in px or %.",
        examples=["10% 0 90% 400px"],
    )
    people: str | None = Field(
        None,
        max_length=80,
        description="Which people to keep: all, largest, a number counted from the left, at:X,Y or box:X1,Y1,X2,Y2.",
        examples=["largest", "at:50%,120px"],
    )
    shadow: bool = Field(Edit.shadow, description="Add a soft shadow of the people.")
    shadow_opacity: str | None = Field(
        None, max_length=80, description="Darkness of the shadow, 0% to 100%.", examples=["60%"]
    )
    crop: bool = Field(Edit.crop, description="Crop the result to the people.")
    crop_margin: str | None = Field(
        None,
        max_length=80,
        description="Margin around the people when cropping: one, two or four lengths in px or %.",
        examples=["10%", "20px 40px"],
    )
    scale: str | None = Field(
        None,
        max_length=80,
        description="Scale the people to this share of the result, 10% to 100%.",
        examples=["80%"],
    )
    position: str | None = Field(
        None,
        max_length=80,
        description="Where to place the people: center, or one or two values of 0% to 100% from the left and the top.",
        examples=["center", "50% 100%"],
    )
    preset: str | None = Field(
        None,
        max_length=64,
        description="Name of a preset with the rules of a shop or an office; `GET /presets` lists them. Other fields "
        "override the preset.",
        examples=["passport-us"],
    )
    rotate: Literal[0, 90, 180, 270] = Field(
        Edit.rotate, description="Rotate the picture clockwise, in degrees, before anything else."
    )
    flip: Flip | None = Field(Edit.flip, description="Mirror the picture, after rotate.")
    size: str | None = Field(
        None,
        max_length=80,
        description="Size of the result in pixels, mm or inches; the picture is scaled to fit.",
        examples=["600x600", "35x45mm"],
    )
    dpi: float | None = Field(
        Edit.dpi,
        ge=10,
        le=4800,
        description="Resolution of the file; mm and inches are converted to pixels with it.",
    )
    aspect: str | None = Field(
        None, max_length=80, description="Aspect ratio of the result, if size is not given.", examples=["4:3"]
    )
    head: str | None = Field(
        None,
        max_length=80,
        description="Height of the head from chin to crown, as a share of the result's height.",
        examples=["75%", "70%..80%"],
    )
    head_top: str | None = Field(
        None, max_length=80, description="Space above the head, as a share of the result's height.", examples=["10%"]
    )
    outline: str | None = Field(
        None,
        max_length=80,
        description="Draw an outline around the people: its width in px or % of the result, and a colour.",
        examples=["2% white"],
    )
    mask: Mask | None = Field(Edit.mask, description="Cut the result to the largest circle in its middle.")
    srgb: bool = Field(Edit.srgb, description="Convert the colours to sRGB.")
    max_kb: float | None = Field(
        Edit.max_kb,
        ge=1,
        le=1048576,
        description="Largest size of the file in kB; the quality of a jpg or webp is lowered to reach it.",
    )
    min_kb: float | None = Field(
        Edit.min_kb,
        ge=1,
        le=10240,
        description="Smallest size of a jpg file in kB, reached by a higher quality and then by an empty comment.",
    )
    shadow_kind: ShadowKind | None = Field(
        Edit.shadow_kind,
        description="Kind of shadow: drop (the default) falls on a wall behind the people, contact on the floor.",
    )
    background_fit: Fit = Field(
        Edit.background_fit,
        description="Whether a background picture covers the result, or is fully visible with white around it.",
    )
    background_position: str | None = Field(
        None,
        max_length=80,
        description="Which part of a background picture is kept, or where it is placed.",
        examples=["50% 0%"],
    )
    background_blur: float | None = Field(
        Edit.background_blur, gt=0, le=1000, description="Blur a background picture by this radius, in pixels."
    )
    grow: float | None = Field(
        Edit.grow,
        ge=-50,
        le=50,
        description="Move the edge of the people outwards by this many pixels, or inwards if negative; soft hair "
        "stays.",
    )
    fill_holes: str | None = Field(
        None,
        max_length=80,
        description="Fill holes in people that are smaller than this share of their area.",
        examples=["1%"],
    )
    drop_islands: str | None = Field(
        None,
        max_length=80,
        description="Remove separate pieces that are smaller than this share of the largest piece.",
        examples=["2%"],
    )
    feather: float | None = Field(
        Edit.feather, gt=0, le=200, description="Soften the edge of the people inwards, over this many pixels."
    )
    harmonize: float | None = Field(
        Edit.harmonize,
        ge=0,
        le=1,
        description="Adjust the light on the people to that of the background: 0 not at all, 1 fully.",
    )
    blend: Blend = Field(
        Edit.blend, description="Blend people and background in gamma-encoded values or in linear light."
    )
    background_prompt: str | None = Field(
        None,
        min_length=1,
        max_length=2000,
        description="Text from which a model paints the background; 501 if the service has no such model.",
        examples=["a bright loft with plants"],
    )
    background_seed: int | None = Field(
        Edit.background_seed,
        ge=0,
        le=4294967295,
        description="Each seed paints another background; 0 if not given.",
    )
    background_steps: int | None = Field(
        Edit.background_steps,
        ge=1,
        le=500,
        description="Number of steps for painting the background; the model's own number if not given.",
    )
    straighten: str | None = Field(
        None,
        max_length=80,
        description="Rotate clockwise by -45 to 45 degrees, after flip; auto levels the eyes of the largest face.",
        examples=["-2.5", "auto"],
    )
    sharpen: float | None = Field(Edit.sharpen, ge=0, le=1, description="Sharpen the people: 0 not at all, 1 fully.")
    strip_metadata: bool = Field(
        Edit.strip_metadata,
        description="Remove the EXIF data that is kept by default: camera, date, author, place (GPS).",
    )
    corrections: dict[str, Any] | str | None = Field(
        None,
        description="Corrections of the matte by hand, as JSON: strokes, clicks, a trimap.",
        examples=['{"version": 1, "strokes": [{"kind": "keep", "points": [[0.5, 0.4], [0.6, 0.4]], "width": 0.02}]}'],
    )
    image_url: str | None = Field(
        None,
        max_length=4096,
        description="URL of the picture, instead of image; needs a service started with --allow-urls.",
    )


# Names of the fields that are options of an ``Edit``.
EDIT_FIELDS = tuple(each.name for each in dataclass_fields(Edit))


def edit_of(fields: PictureFields, *, has_background: bool) -> tuple[Edit, str | None]:
    """Make the edit that the fields describe, and return it with the URL of a background picture.

    Args:
        fields: the fields of a request.
        has_background: whether the request contains a background picture.

    Returns:
        the edit, and the URL or None; the hash of a background picture is set later, when its bytes are known.

    Raises:
        FieldError: a field is wrong, or fields contradict each other.
    """
    if has_background and fields.background is not None:
        raise FieldError({"background": "send background or background_image, not both."})
    given = {name: getattr(fields, name) for name in EDIT_FIELDS}
    url = None
    if has_background:
        given["background"] = PictureBackground()
    elif fields.background is not None:
        given["background"], url = _background(fields.background)
    if fields.alpha:
        given.update(shadow=False, shadow_kind=None, shadow_opacity=None)  # an alpha has no shadow
    if fields.preset is not None:
        given = _by_preset(fields.preset, given)
    given["format"] = given["format"] or "png"  # an answer has no file name from which to take the format
    return edit_from(given), url


def _by_preset(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a preset, overridden by the fields that differ from their defaults."""
    from bshm.edit import preset

    try:
        chosen = preset.find(name)
    except (UnknownPresetError, OptionError) as error:  # an unknown name, or a damaged file on the server
        raise FieldError({"preset": str(error)}) from error
    own = {key: value for key, value in given.items() if value != getattr(Edit, key)}
    return {**given, **chosen.edit, **own}


def edit_from(given: Mapping[str, Any], names: Mapping[str, str] | None = None) -> Edit:
    """Make an edit with these options.

    Args:
        given: options by their names in ``Edit``.
        names: the route's names for options that it calls differently.

    Raises:
        FieldError: an option is wrong; replaces the ``OptionError``, which does not know the route's names.
    """
    try:
        return Edit(**given)
    except OptionError as error:
        raise field_error(error, names) from error


def field_error(error: OptionError, names: Mapping[str, str] | None = None) -> FieldError:
    """Turn the error of an option into that of a field, see ``edit_from``."""

    def name_of(name: str) -> str:
        return (names or {}).get(name, name)

    return FieldError({name_of(error.option or "body"): error.fault(name_of)})


def matte_options_of(fields: PictureFields) -> MatteOptions:
    """The options of the matte, without the limits of the service."""
    return MatteOptions(
        decontaminate=fields.decontaminate,
        exact=fields.exact,
        shrink_to=fields.shrink_to,
        tell_apart=fields.people is not None or fields.format in LAYERED,
        corrections=_corrections(fields.corrections),
    )


def _corrections(given: dict[str, Any] | str | None) -> Corrections | None:
    """The corrections, from an object of a JSON body or from the text of a form.

    Raises:
        FieldError: the corrections are not valid.
    """
    if given is None:
        return None
    try:
        if isinstance(given, str):
            return Corrections.from_bytes(given.encode("utf-8", "surrogatepass"), "corrections")
        return Corrections.from_json(given)
    except CorrectionsError as error:
        raise FieldError({"corrections": str(error)}) from error


def model_of(fields: PictureFields, default_model: str) -> str:
    """The model to use: the service's default if the fields name none."""
    return fields.model if "model" in fields.model_fields_set else default_model


def _background(text: str) -> tuple[Any, str | None]:
    """Read a background: a colour, a gradient, a blur or the URL of a picture, but never a path on this machine."""
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
            "background": "takes a colour, linear:COLOURS, radial:COLOURS, blur, blur:RADIUS or a URL. "
            "To send a picture, use background_image."
        }
    )
