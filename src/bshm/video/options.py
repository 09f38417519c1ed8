"""The options of converting a clip."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.errors import OptionError, option
from bshm.video.codecs import CODECS, PRODUCTS, TARGETS, Product


@dataclass(frozen=True)
class VideoOptions:
    """What to write, and how.

    Attributes:
        target: the program that will open the result, one of ``TARGETS``; it decides container and codec.
        codec: one of ``CODECS``; None takes that of the target, or the usual one of the container.
        products: what to write: ``cutout`` (colour and alpha), ``composite`` (over the background), ``alpha`` (as
            grey), ``foreground`` (the people's straight colour, without alpha).  If empty, the composite if there is a
            background, otherwise the cut-out.
        background: a colour, ``green-screen``, ``blur[:RADIUS]``, a picture, or a video, which is repeated if needed.
        start_s, end_s: part of the clip in seconds; None is its end.
        steady: use neighbouring frames.
        decontaminate: remove the old background's colour from soft edges.
        fewer_bits: allow writing a 10-bit clip with 8 bits if the codec holds no more; otherwise that is an error.
        audio: copy audio and subtitles.
        overwrite: replace an existing output.
    """

    target: str | None = None
    codec: str | None = None
    products: tuple[Product, ...] = ()
    background: str | None = None
    start_s: float = 0.0
    end_s: float | None = None
    steady: bool = True
    decontaminate: bool = True
    fewer_bits: bool = False
    audio: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.target is not None and self.target not in TARGETS:
            raise OptionError(f"{option('target')} takes {', '.join(TARGETS)}; got {self.target!r}.")
        if self.codec is not None and self.codec not in CODECS:
            raise OptionError(f"{option('codec')} takes {', '.join(CODECS)}; got {self.codec!r}.")
        for product in self.products:
            if product not in PRODUCTS:
                raise OptionError(f"{option('products')} takes {', '.join(PRODUCTS)}; got {product!r}.")
        if "composite" in self.products and self.background is None:
            raise OptionError(f"a composite needs {option('background')}: a colour, blur, a picture or a video.")
        if not self.start_s >= 0:
            raise OptionError(f"{option('start_s')} takes 0 seconds or more; got {self.start_s:g}.")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise OptionError(
                f"{option('end_s')} takes seconds after {option('start_s')} ({self.start_s:g}); got {self.end_s:g}."
            )
