"""Every option and its default, once.  The command line and the service read them from here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bshm.corrections import Corrections
from bshm.errors import OptionError, option

DEFAULT_MODEL = "bshm"
DEFAULT_DEVICE = "auto"

Format = Literal["png", "webp", "jpg", "tiff"]


@dataclass(frozen=True)
class FormatFacts:
    """What holds for the files of a format.

    Attributes:
        media_type: what they are called on the web.
        suffixes: of their names, the usual one first.
        largest_side: in pixels.
        transparency: whether they have alpha.
    """

    media_type: str
    suffixes: tuple[str, ...]
    largest_side: int = 2**31 - 1
    transparency: bool = True


# What can be written.  The encoder of each is in ``bshm.files.encode``.
FORMATS: Mapping[Format, FormatFacts] = MappingProxyType(
    {
        "png": FormatFacts("image/png", (".png",)),
        "webp": FormatFacts("image/webp", (".webp",), largest_side=16383),
        "jpg": FormatFacts("image/jpeg", (".jpg", ".jpeg"), largest_side=65535, transparency=False),
        "tiff": FormatFacts("image/tiff", (".tif", ".tiff")),
    }
)


@dataclass(frozen=True)
class Limits:
    """What an input may cost.

    Attributes:
        max_pixels: largest picture; 400 million pixels need about 8 GB.
        max_bytes: largest file or download.
        url_timeout_s: for a whole download.
        redirects: of a URL.
        allow_urls: whether a source may be fetched at all; a server turns this off.
    """

    max_pixels: int = 400_000_000
    max_bytes: int = 512 * 1024 * 1024
    url_timeout_s: float = 30.0
    redirects: int = 5
    allow_urls: bool = True


@dataclass(frozen=True)
class MatteOptions:
    """How a matte is made.

    Attributes:
        decontaminate: take the old background's colour out of soft edges.
        exact: keep alpha as weights from elsewhere give it.  By default that of weights whose people's insides stay
            just below opaque (254 of 255 with the official ones) is stretched until the insides are opaque.
        shrink_to: pixels; a larger picture is made as small before it is matted, and the result is as small.  None
            never shrinks one.
        tell_apart: tell several people apart, as ``Edit.people`` needs it: ``Matte.people``.
        corrections: what somebody marked on the picture because its matte was wrong there.  ``auto`` takes those in
            ``NAME.bshm.json`` beside a picture that is given as a path, where there are any; None takes none.
        limits: what an input may cost.
    """

    decontaminate: bool = True
    exact: bool = False
    shrink_to: int | None = None
    tell_apart: bool = False
    corrections: Corrections | Literal["auto"] | None = "auto"
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.shrink_to is not None and not (type(self.shrink_to) is int and self.shrink_to >= 1):
            raise OptionError(f"{option('shrink_to')} takes 1 pixel or more; got {self.shrink_to!r:.40}.")
        if self.corrections not in (None, "auto") and not isinstance(self.corrections, Corrections):
            raise OptionError(
                f"{option('corrections')} takes Corrections, 'auto' or None; got {self.corrections!r:.40}."
            )


@dataclass(frozen=True)
class BatchOptions:
    """How many pictures are worked through.

    Attributes:
        in_flight: pictures in the works at once, each held in memory whole.  Three keep
            the network busy: one is decoded and one encoded meanwhile.
        ordered: results in the order of the inputs; otherwise as they finish.
        split: one file a person, numbered from the left: ``NAME.1.png``, ``NAME.2.png``, …
        overwrite: replace outputs that are there.
        save_corrections: write the corrections that were used to ``NAME.bshm.json`` beside the picture.
        skip_existing: leave a picture alone whose output is there, so that a batch can be taken up again.
    """

    in_flight: int = 3
    ordered: bool = True
    split: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    save_corrections: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.in_flight <= 64:
            raise OptionError(f"{option('in_flight')} takes 1 to 64; got {self.in_flight}.")


def byte_count(text: str) -> int:
    """A size as people write it, in bytes; K, M and G are powers of 1024.

    Raises:
        OptionError: it is none.

    >>> byte_count("2G"), byte_count("1.5 gb"), byte_count("4096")
    (2147483648, 1610612736, 4096)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)i?b?", text.strip().lower())
    size = int(float(match[1]) * 1024 ** " kmg".index(match[2] or " ")) if match else 0
    if size < 1:
        raise OptionError(f"a size needs a number with K, M or G, as in 2G or 512M; got {text!r}.")
    return size
