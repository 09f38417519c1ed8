"""Every option and its default, once.  The command line and the service read them from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bshm.errors import OptionError

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
        overwrite: replace an output that is there.
    """

    format: Format | None = None
    alpha_only: bool = False
    background: str | bytes | None = None
    quality: int = 95
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
