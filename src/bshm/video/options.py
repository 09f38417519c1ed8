"""The options of converting a clip."""

from __future__ import annotations

from dataclasses import dataclass

from bshm.errors import CorrectionsError, OptionError, option
from bshm.video.codecs import CODECS, PRODUCTS, TARGETS, Product
from bshm.video.marks import FrameCorrections


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
        fps: frames per second of numbered pictures: ``25``, ``29.97``, ``30000/1001``.  None for files.
        start_s, end_s: part of the clip in seconds; None is its end.
        person: ``largest`` (in the first frame with people), ``at:X,Y`` (in the first frame) or ``at:X,Y@SECONDS``:
            this person is followed, everybody else is left out.  None keeps everybody.
        corrections: what was marked by hand on single frames; it is carried to their neighbours along the motion, see
            ``bshm.video.carrying``.
        steady: use neighbouring frames.
        decontaminate: remove the old background's colour from soft edges.
        fewer_bits: allow writing a 10-bit clip with 8 bits if the codec holds no more; otherwise that is an error.
        audio: copy audio and subtitles.
        overwrite: replace an existing output.
        keep_parts: keep the finished segments after the run, so that a run with other corrections makes only those
            again that they reach.
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
        if self.person is not None:
            from bshm.video.person import parse_person

            time_s = parse_person(self.person).time_s
            if time_s is not None and not self.start_s <= time_s < (self.end_s or float("inf")):
                raise OptionError(
                    f"{option('person')}: {time_s:g} s is not between {option('start_s')} and {option('end_s')}."
                )
        for each in self.corrections:
            if not isinstance(each, FrameCorrections):
                raise OptionError(f"{option('corrections')} takes FrameCorrections; got {each!r:.40}.")
            if each.frame is not None and self.start_s:
                raise CorrectionsError(
                    f"the corrections at {each.when}: frames are counted from the clip's beginning, which is not "
                    f"read with {option('start_s')}. Give a time in seconds."
                )
            if each.time_s is not None and not self.start_s <= each.time_s < (self.end_s or float("inf")):
                raise CorrectionsError(
                    f"the corrections at {each.when} are not between {option('start_s')} and {option('end_s')}."
                )
