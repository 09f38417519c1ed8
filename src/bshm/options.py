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
