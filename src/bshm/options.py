"""The options and their defaults, which the command line and the service take from here."""

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
    """Facts about a file format.

    Attributes:
        media_type: its media type.
        suffixes: its file name suffixes, the usual one first.
        largest_side: longest possible side in pixels.
        transparency: whether it can store alpha.
    """

    media_type: str
    suffixes: tuple[str, ...]
    largest_side: int = 2**31 - 1
    transparency: bool = True


# The formats that can be written.  Their encoders are in ``bshm.files.encode``.
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
    """Limits of an input.

    Attributes:
        max_pixels: largest picture; 400 million pixels need about 8 GB.
        max_bytes: largest file or download.
        url_timeout_s: longest time of a download.
        redirects: most redirects of a URL.
        allow_urls: whether sources may be URLs; the service turns this off by default.
    """

    max_pixels: int = 400_000_000
    max_bytes: int = 512 * 1024 * 1024
    url_timeout_s: float = 30.0
    redirects: int = 5
    allow_urls: bool = True


@dataclass(frozen=True)
class MatteOptions:
    """Options of how a matte is made.

    Attributes:
        decontaminate: remove the old background's colour from soft edges.
        exact: keep the alpha of imported models as it is.  By default, the alpha of models that leave the inside of
            people just below opaque (254 of 255 with the official ones) is stretched until the inside is opaque.
        shrink_to: largest number of pixels; a larger picture is shrunk to it before matting, and so is the result.
            None never shrinks.
        tell_apart: tell several people apart, for ``Matte.people`` and ``Edit.people``.
        corrections: what somebody marked in the picture where its matte was wrong.  ``auto`` takes those in
            ``NAME.bshm.json`` beside a picture that is given as a path, if it exists; None takes none.
        limits: limits of an input.
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
    """Options of how many pictures are processed.

    Attributes:
        in_flight: pictures processed at the same time, each held in memory completely.  Three keep the network busy,
            since one is decoded and one encoded meanwhile.
        ordered: return results in the order of the inputs; otherwise as they finish.
        split: write one file per person, numbered from the left: ``NAME.1.png``, ``NAME.2.png``, …
        overwrite: replace existing outputs.
        save_corrections: write the corrections that were used to ``NAME.bshm.json`` beside the picture.
        skip_existing: skip pictures whose output exists, to continue an interrupted batch.
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
    """Read a size in bytes; K, M and G are powers of 1024.

    Raises:
        OptionError: the text is not a size.

    >>> byte_count("2G"), byte_count("1.5 gb"), byte_count("4096")
    (2147483648, 1610612736, 4096)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)i?b?", text.strip().lower())
    size = int(float(match[1]) * 1024 ** " kmg".index(match[2] or " ")) if match else 0
    if size < 1:
        raise OptionError(f"a size needs a number with K, M or G, as in 2G or 512M; got {text!r}.")
    return size
