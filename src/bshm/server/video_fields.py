"""What may be said beside a clip: the options of `bshm video`, in fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bshm.corrections import loaded
from bshm.edit.words import PictureBackground, parse_background
from bshm.errors import CorrectionsError, OptionError
from bshm.jobs import ClipOptions
from bshm.jobs.clip_work import field_of
from bshm.jobs.clips import COMES_ALONG, Behind, in_words
from bshm.options import DEFAULT_MODEL
from bshm.server.answers import FieldError
from bshm.video import marks
from bshm.video.codecs import CODECS, CONTAINERS, PRODUCTS, TARGETS, Product
from bshm.video.marks import FrameCorrections
from bshm.video.options import VideoOptions

FORMATS = tuple(suffix[1:] for suffix in CONTAINERS)
# They are in the record of the job, which is written anew every second while it is worked on.
MOST_CORRECTIONS = 1024 * 1024


def _one_of(names: Any) -> dict[str, Any]:
    return {"enum": list(names)}


class VideoFields(BaseModel):
    """What is made of a clip, and where it is if it is not sent; defaults are ``VideoOptions``'s."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    target: str | None = Field(
        VideoOptions.target,
        alias="for",
        description="The program that will open it; it picks container and codec.",
        json_schema_extra=_one_of(TARGETS),
    )
    format: str | None = Field(
        None,
        description="The container, else what `for` picks, else mov with alpha and mp4 without.",
        json_schema_extra=_one_of(FORMATS),
    )
    codec: str | None = Field(
        VideoOptions.codec,
        description="Else the program's, or the container's usual one.",
        json_schema_extra=_one_of(CODECS),
    )
    cutout: bool = Field(False, description="Colour with alpha; the default without a background.")
    alpha: bool = Field(False, description="The alpha, as grey.")
    foreground: bool = Field(False, description="The people's straight colour, without alpha.")
    background: str | None = Field(
        None,
        max_length=4096,
        description="Lay the people over a colour, green-screen, a gradient, blur or blur:RADIUS of the original, or "
        "the picture at a URL where URLs are allowed. Files of your own go into background_image or background_video.",
        examples=["green-screen", "#00b140", "blur"],
    )
    start: float = Field(VideoOptions.start_s, ge=0, description="Start at this second.")
    end: float | None = Field(VideoOptions.end_s, gt=0, description="End at this second.")
    audio: bool = Field(VideoOptions.audio, description="Copy sound and subtitles.")
    fewer_bits: bool = Field(
        VideoOptions.fewer_bits, description="Write a clip of 10 bits in 8 where the codec holds no more."
    )
    person: str | None = Field(
        VideoOptions.person,
        max_length=80,
        description="Follow one person and leave everybody else out: largest, at:X,Y, or at:X,Y@SECONDS, with X and Y "
        "in px or %.",
        examples=["largest", "at:50%,40%@2.5"],
    )
    corrections: dict[str, Any] | str | None = Field(
        None,
        description="What was marked on single frames where their matte was wrong, as JSON: strokes, clicks, a trimap, "
        "each with its time or its frame. It is carried to the frames around.",
        examples=[
            '{"version": 1, "strokes": [{"kind": "keep", "time": 2.5, "points": [[0.5, 0.4], [0.6, 0.4]], '
            '"width": 0.02}]}'
        ],
    )
    steady: bool = Field(VideoOptions.steady, description="Let frames remember their neighbours.")
    decontaminate: bool = Field(
        VideoOptions.decontaminate, description="Take the old background's colour out of soft edges."
    )
    model: str = Field(DEFAULT_MODEL, max_length=64, description="A name that `bshm models` lists.")
    url: str | None = Field(
        None, max_length=4096, description="Where the clip is, in place of file; off unless --allow-urls."
    )


def clip_options_of(fields: VideoFields, *, behind: Behind | None, model: str) -> tuple[ClipOptions, str | None]:
    """What the fields ask for, and the URL of a picture for the background.

    Args:
        fields: those of a request.
        behind: what came along as the background.
        model: that of the service, where the fields name none.

    Raises:
        FieldError: one is wrong, or they contradict each other.
    """
    background, url = _background(fields.background, behind)
    if url is not None:
        behind = "picture"
    if fields.format is not None and fields.format not in FORMATS:
        raise FieldError({"format": f"is one of {', '.join(FORMATS)}; got {fields.format[:40]!r}."})
    told = {"cutout": fields.cutout, "alpha": fields.alpha, "foreground": fields.foreground}
    wished: list[Product] = [product for product in PRODUCTS if told.get(product)]
    if wished and background is not None:
        wished.insert(0, "composite")
    try:
        video = VideoOptions(
            target=fields.target,
            codec=fields.codec,
            products=tuple(wished),
            background=background,
            start_s=fields.start,
            end_s=fields.end,
            person=fields.person,
            corrections=_corrections(fields.corrections),
            steady=fields.steady,
            decontaminate=fields.decontaminate,
            fewer_bits=fields.fewer_bits,
            audio=fields.audio,
        )
        options = ClipOptions(
            video,
            suffix=None if fields.format is None else f".{fields.format}",
            model=fields.model if "model" in fields.model_fields_set else model,
            background=behind,
        )
    except CorrectionsError as error:
        raise FieldError({"corrections": error.told(field_of)}) from error
    except OptionError as error:
        raise field_error(error) from error
    return options, url


def _corrections(given: dict[str, Any] | str | None) -> tuple[FrameCorrections, ...]:
    """What was marked, from an object of a JSON body or from the text of a form.

    Raises:
        CorrectionsError: it is no corrections of frames, or more than a job holds.
    """
    if given is None:
        return ()
    try:
        text = given if isinstance(given, str) else json.dumps(given)
    except RecursionError as error:
        raise CorrectionsError("corrections are no lists in lists without end. docs/video.md shows them.") from error
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MOST_CORRECTIONS:
        raise CorrectionsError(
            f"corrections of a video have {MOST_CORRECTIONS:,} bytes at most here; got {len(data):,}. Leave points of "
            "strokes out, or send a smaller trimap."
        )
    return marks.from_json(loaded(data, "corrections"))


def field_error(error: OptionError, text: str | None = None) -> FieldError:
    """An error of the room of video as that of the field that it names first.

    Args:
        error: from there.
        text: what is told of it; None takes its own words.
    """
    named: list[str] = []

    def noted(option: str) -> str:
        named.append(field_of(option))
        return named[-1]

    told = error.told(noted)
    name = named[0] if named else "body"
    return FieldError({name: (text or told).removeprefix(f"{name} ")})


def container_field(fields: VideoFields) -> str:
    """The field that picked container or codec, for what does not fit into them."""
    given = fields.model_fields_set
    return "format" if "format" in given else "codec" if "codec" in given else "for" if "target" in given else "format"


def output_of(options: ClipOptions, folder: Path) -> Path | None:
    """Where ``convert`` would write, as ``Conversion`` has it."""
    return None if options.suffix is None else folder / f"made{options.suffix}"


def _background(text: str | None, behind: Behind | None) -> tuple[str | None, str | None]:
    """A background as ``VideoOptions`` has it, or the URL of one.  Never a path of this machine."""
    if behind is not None:
        if text is not None:
            raise FieldError({"background": f"send background or background_{_WORDS[behind]}, not both."})
        return COMES_ALONG, None
    if text is None:
        return None, None
    try:
        if in_words(text):
            return text.strip(), None
        found = parse_background(text)
    except OptionError as error:
        raise FieldError({"background": str(error)}) from error
    if isinstance(found, PictureBackground) and text.lower().startswith(("http://", "https://")):
        return COMES_ALONG, text
    raise FieldError(
        {
            "background": "is a colour, green-screen, linear:COLOURS, radial:COLOURS, blur, blur:RADIUS or a URL. "
            "Send a file of your own as background_image or background_video."
        }
    )


_WORDS: dict[Behind, str] = {"picture": "image", "video": "video"}
