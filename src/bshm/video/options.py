"""How a clip is made into another, as data."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.errors import CorrectionsError, OptionError, option
from bshm.video.codecs import CODECS, PRODUCTS, TARGETS, Product
from bshm.video.marks import FrameCorrections


@dataclass(frozen=True)
class VideoOptions:
    """What is written, and how.

    Attributes:
        target: the program that shall open it, one of ``TARGETS``; it picks container and codec.
        codec: one of ``CODECS``; None takes the target's, or the container's usual one.
        products: what is written: ``cutout`` (colour and alpha), ``composite`` (over the background), ``alpha`` (as
            grey), ``foreground`` (the people's straight colour, without alpha).  Empty: the composite where there is a
            background, else the cut-out.
        background: a colour, ``green-screen``, ``blur[:RADIUS]``, a picture, or a video, which begins anew at its end.
        fps: how many numbered pictures are shown a second: ``25``, ``29.97``, ``30000/1001``.  None for files.
        start_s, end_s: the part of the clip, in seconds; None goes to the end.
        person: ``largest`` (of the first frame with anybody), ``at:X,Y`` (in the first frame) or ``at:X,Y@SECONDS``:
            that one is followed and all others are left out.  None takes everybody.
        corrections: what was marked on single frames; carried to their neighbours along the motion, see
            ``bshm.video.carrying``.
        steady: let frames remember their neighbours.
        decontaminate: take the old background's colour out of soft edges.
        fewer_bits: write a clip of 10 bits in 8 where the codec holds no more; without it that is refused.
        audio: copy sound and subtitles.
        overwrite: replace an output that is there.
        keep_parts: keep the finished segments when all is done, so that a run with other corrections makes only those
            anew that they reach.
    """

    target: str | None = None
    codec: str | None = None
    products: tuple[Product, ...] = ()
    background: str | None = None
    fps: str | None = None
    start_s: float = 0.0
    end_s: float | None = None
    person: str | None = None
    corrections: tuple[FrameCorrections, ...] = ()
    steady: bool = True
    decontaminate: bool = True
    fewer_bits: bool = False
    audio: bool = True
    overwrite: bool = False
    keep_parts: bool = False

    def __post_init__(self) -> None:
        if self.target is not None and self.target not in TARGETS:
            raise OptionError(f"--for takes {', '.join(TARGETS)}; got {self.target!r}.")
        if self.codec is not None and self.codec not in CODECS:
            raise OptionError(f"--codec takes {', '.join(CODECS)}; got {self.codec!r}.")
        for product in self.products:
            if product not in PRODUCTS:
                raise OptionError(f"a product is one of {', '.join(PRODUCTS)}; got {product!r}.")
        if "composite" in self.products and self.background is None:
            raise OptionError("a composite needs a --background: a colour, blur, a picture or a video.")
        if not self.start_s >= 0:
            raise OptionError(f"--start takes seconds from 0 on; got {self.start_s:g}.")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise OptionError(f"--end takes seconds after --start ({self.start_s:g}); got {self.end_s:g}.")
        if self.person is not None:
            from bshm.video.person import parse_person

            time_s = parse_person(self.person).time_s
            if time_s is not None and not self.start_s <= time_s < (self.end_s or float("inf")):
                raise OptionError(f"{option('person')}: {time_s:g} s is not in the part from --start to --end.")
        for each in self.corrections:
            if not isinstance(each, FrameCorrections):
                raise OptionError(f"{option('corrections')} takes FrameCorrections; got {each!r:.40}.")
            if each.frame is not None and self.start_s:
                raise CorrectionsError(
                    f"the corrections at {each.when}: frames are counted from the clip's beginning, which is not "
                    "looked at with --start. Give a time in seconds."
                )
            if each.time_s is not None and not self.start_s <= each.time_s < (self.end_s or float("inf")):
                raise CorrectionsError(f"the corrections at {each.when} lie outside the part from --start to --end.")
