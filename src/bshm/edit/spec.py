"""What is made of a matte, as data."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.edit.words import parse_margins, parse_position, parse_scale
from bshm.errors import OptionError
from bshm.options import FORMATS, Format


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
