"""What may be said beside a picture, once: ``POST /matte`` and ``POST /jobs`` take the same fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bshm.corrections import Corrections
from bshm.edit.spec import Blend, Edit, Fit, Flip, Mask, ShadowKind
from bshm.edit.words import PictureBackground, parse_background
from bshm.errors import CorrectionsError, OptionError, UnknownPresetError
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
    format: Literal[Format, "zip", "ora"] | None = Field(
        None, description="Of the result, else png. zip holds color.jpg and alpha.png, ora a layer a person."
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
    people: str | None = Field(
        None,
        max_length=80,
        description="Which of several people: all, largest, a number from the left, at:X,Y or box:X1,Y1,X2,Y2.",
        examples=["largest", "at:50%,120px"],
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
    preset: str | None = Field(
        None,
        max_length=64,
        description="What a shop or an office asks for, as `GET /presets` lists it; other fields go before it.",
        examples=["passport-us"],
    )
    rotate: Literal[0, 90, 180, 270] = Field(Edit.rotate, description="Degrees clockwise, before all that follows.")
    flip: Flip | None = Field(Edit.flip, description="Mirror it, after rotate.")
    size: str | None = Field(
        None,
        max_length=80,
        description="Of the result: pixels, mm or inches; what is kept is scaled to fit in.",
        examples=["600x600", "35x45mm"],
    )
    dpi: float | None = Field(
        Edit.dpi,
        ge=10,
        le=4800,
        description="The resolution that is written into the file; mm and inches count with it.",
    )
    aspect: str | None = Field(
        None, max_length=80, description="Of the result where there is no size.", examples=["4:3"]
    )
    head: str | None = Field(
        None,
        max_length=80,
        description="How high the head is from chin to crown, by the result's height.",
        examples=["75%", "70%..80%"],
    )
    head_top: str | None = Field(None, max_length=80, description="What is left above the head.", examples=["10%"])
    outline: str | None = Field(
        None,
        max_length=80,
        description="A band around the people: width in px or % of the result, and a colour.",
        examples=["2% white"],
    )
    mask: Mask | None = Field(Edit.mask, description="Leave the largest circle in the middle.")
    srgb: bool = Field(Edit.srgb, description="Convert the colours to sRGB.")
    max_kb: float | None = Field(
        Edit.max_kb, ge=1, le=1048576, description="Make the file no larger, by a lower quality of jpg or webp."
    )
    min_kb: float | None = Field(
        Edit.min_kb, ge=1, le=10240, description="Make a jpg no smaller, by a higher quality, then by an empty comment."
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
    corrections: dict[str, Any] | str | None = Field(
        None,
        description="What was marked on the picture where its matte was wrong: strokes, clicks, a trimap, as JSON.",
        examples=['{"version": 1, "strokes": [{"kind": "keep", "points": [[0.5, 0.4], [0.6, 0.4]], "width": 0.02}]}'],
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
    if fields.alpha:
        given.update(shadow=False, shadow_kind=None, shadow_opacity=None)  # an alpha alone shows none
    if fields.preset is not None:
        given = _by_preset(fields.preset, given)
    given["format"] = given["format"] or "png"  # an answer has no file name that could say
    return edit_from(given), url


def _by_preset(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's options, with the fields that are not as they are by default in place of them."""
    from bshm.edit import preset

    try:
        chosen = preset.find(name)
    except (UnknownPresetError, OptionError) as error:  # none of that name, or a damaged file of the server's own
        raise FieldError({"preset": str(error)}) from error
    own = {key: value for key, value in given.items() if value != getattr(Edit, key)}
    return {**given, **chosen.edit, **own}


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
    return MatteOptions(
        decontaminate=fields.decontaminate,
        exact=fields.exact,
        shrink_to=fields.shrink_to,
        tell_apart=fields.people is not None or fields.format == "ora",
        corrections=_corrections(fields.corrections),
    )


def _corrections(given: dict[str, Any] | str | None) -> Corrections | None:
    """What was marked, from an object of a JSON body or from the text of a form.

    Raises:
        FieldError: it is no corrections.
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
