"""Every option and its default, once.  The command line and the service read them from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bshm.errors import OptionError
from bshm.placing import parse_margins, parse_position, parse_scale

DEFAULT_MODEL = "bshm"
DEFAULT_DEVICE = "auto"

Format = Literal["png", "webp", "jpg", "tiff"]
FORMATS: tuple[Format, ...] = ("png", "webp", "jpg", "tiff")


@dataclass(frozen=True)
class Limits:
    """What an input may cost.

    Attributes:
        pixels: largest picture; 400 million pixels need about 8 GB.
        bytes: largest file or download.
        timeout_s: for a whole download.
        redirects: of a URL.
        allow_urls: whether a source may be fetched at all; a server turns this off.
    """

    pixels: int = 400_000_000
    bytes: int = 512 * 1024 * 1024
    timeout_s: float = 30.0
    redirects: int = 5
    allow_urls: bool = True


@dataclass(frozen=True)
class MatteOptions:
    """How a matte is made.

    Attributes:
        decontaminate: take the old background's colour out of soft edges.
        exact: keep alpha as weights from elsewhere give it.  By default that of weights whose people's insides stay
            just below opaque (254 of 255 with the official ones) is stretched until the insides are opaque.
        limits: what an input may cost.
    """

    decontaminate: bool = True
    exact: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True)
class OutputOptions:
    """How a matte is written.

    Attributes:
        format: None takes it from the file name, PNG where that says nothing.
        alpha_only: write alpha as one grey channel instead of the cut-out.
        background: lay the people over this, as ``Matte.over`` takes it; None keeps them transparent.
        quality: of JPEG and lossy WebP, 1..100; 100 makes WebP lossless.
        shadow: let the people throw a soft shadow.
        crop: crop to the people; where there are none the whole picture stands for them, here and below.
        crop_margin: left around the people when cropping: one, two (top and bottom, left and right) or four (top,
            right, bottom, left) lengths, as in ``"10%"`` of the people or ``"20px 40px"``; None leaves none.
        scale: the people's share of the result, ``"10%"`` to ``"100%"``; None keeps their size.
        position: where the people are: ``"center"``, or one or two of ``"0%"`` to ``"100%"`` from the left and the top;
            None leaves them where they are, or in the middle with ``scale``.
        strip_metadata: leave EXIF out: what, when and where it was taken with, and by whom.
        overwrite: replace an output that is there.
    """

    format: Format | None = None
    alpha_only: bool = False
    background: str | bytes | None = None
    quality: int = 95
    shadow: bool = False
    crop: bool = False
    crop_margin: str | None = None
    scale: str | None = None
    position: str | None = None
    strip_metadata: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise OptionError(f"--format takes {', '.join(FORMATS)}; got {self.format!r}.")
        if not 1 <= self.quality <= 100:
            raise OptionError(f"--quality takes 1 to 100; got {self.quality}.")
        if self.alpha_only and self.background is not None:
            raise OptionError("--alpha writes the alpha alone, so --background has no place in it. Drop one of them.")
        if self.format == "jpg" and self.background is None and not self.alpha_only:
            raise OptionError("JPEG has no transparency. Add --background COLOUR, or choose png, webp or tiff.")
        if self.alpha_only and self.shadow:
            raise OptionError("--alpha writes the alpha alone, so --shadow has no place in it. Drop one of them.")
        if self.crop_margin is not None and not self.crop:
            raise OptionError("--crop-margin has a meaning with --crop only. Add --crop, or drop the margin.")
        for words, parse in (
            (self.crop_margin, parse_margins),
            (self.scale, parse_scale),
            (self.position, parse_position),
        ):
            if words is not None:
                parse(words)  # told before a picture is read


@dataclass(frozen=True)
class BatchOptions:
    """How many pictures are worked through.

    Attributes:
        jobs: pictures in the works at once, each held in memory whole.  Three keep
            the network busy: one is decoded and one encoded meanwhile.
        ordered: results in the order of the inputs; otherwise as they finish.
        skip_existing: leave a picture alone whose output is there, so that a batch can be taken up again.
    """

    jobs: int = 3
    ordered: bool = True
    skip_existing: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.jobs <= 64:
            raise OptionError(f"--jobs takes 1 to 64; got {self.jobs}.")
