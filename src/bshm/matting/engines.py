"""Engines: opened models, from the pixels of a picture to an alpha.

An ``Engine`` takes pixels, and what it remembers of the pictures before, and answers with an alpha.  Its kinds:

- ``Staged``: the networks of BSHM, mask prediction -> quality unification -> guided filter -> matting;
- ``Whole``: a network from elsewhere that answers with alpha itself.

Neither remembers anything: they start with ``None`` and hand ``None`` on.  One for video with a memory inside its
network answers with another state than it was given, and is used in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from bshm.runtime.providers import Device, choose
from bshm.runtime.session import OnnxSession, Session, default_threads
from bshm.types import FloatArray, PixelArray
from bshm.weights import store
from bshm.weights.card import Card, Network

if TYPE_CHECKING:
    from bshm.matting.people import Clues

T = TypeVar("T")
# What an engine remembers of the pictures before: its own business, only handed back to it.
State = Any


@dataclass(frozen=True)
class Clock:
    """Milliseconds by stage, in the order in which they ran."""

    timings: dict[str, float] = field(default_factory=dict)

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """What ``work`` gives, its time taken."""
        started = time.perf_counter()
        result = work()
        self.timings[stage] = (time.perf_counter() - started) * 1000
        return result


class Answer(NamedTuple):
    """What an engine makes of a picture.

    Attributes:
        alpha: (H, W) float32, 0..1, a new array.
        doubtful: see ``Matte.doubtful``; None where the engine has no mask to tell it by.
        state: for the next picture of the same video.
        mask: (h, w) float32, 0..1, of any size: what the alpha was made of; None where there is none.
    """

    alpha: FloatArray
    doubtful: float | None = None
    state: State = None
    mask: FloatArray | None = None


class Engine(Protocol):
    """An opened set of weights.  Safe to share between threads: what it remembers is in the state alone."""

    @property
    def card(self) -> Card:
        """What it is."""
        ...

    @property
    def device(self) -> Device:
        """Where it runs."""
        ...

    def start(self) -> State:
        """The state before the first picture."""
        ...

    def matte(self, pixels: PixelArray, state: State, clock: Clock, *, exact: bool = False) -> Answer:
        """The people of a picture.

        Args:
            pixels: (H, W, 3) uint8 or uint16, RGB.
            state: of ``start``, or of the answer to the picture before.
            clock: takes the time of each stage.
            exact: see ``MatteOptions``.
        """
        ...


def open_engine(
    card: Card,
    device: str,
    threads: int | None = None,
    *,
    gpu_memory_limit: int | None = None,
    read: Callable[[Card, Network], bytes] = store.read,
) -> Staged | Whole:
    """Read, verify and open every network of ``card``.

    Args:
        card: of the set.
        device, threads, gpu_memory_limit: see ``Matting``.
        read: gives the bytes of a network of the card, verified.

    Raises:
        ModelFileError, DeviceUnavailableError, OptionError: see ``bshm.errors``.
    """
    chosen = choose(device, gpu_memory_limit=gpu_memory_limit)
    threads = threads or default_threads()
    # Tiles share the threads out among themselves; of a graphics card one tile at a time is enough.
    tile_threads = threads if chosen.name == "cpu" else 1
    sessions = {
        role: OnnxSession(read(card, network), network, chosen, 1 if role == "matting" else threads)
        for role, network in card.networks.items()
    }
    if "mask" in sessions:
        return Staged(card, chosen, sessions, tile_threads)
    return Whole(card, chosen, sessions)


def clues(engine: Engine, pixels: PixelArray) -> Clues | None:
    """What tells the people of a picture apart, for ``bshm.matting.people``.

    Args:
        engine: any.
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        None where its weights have no such answer.
    """
    from bshm.matting.networks import people

    if not isinstance(engine, Staged) or engine.card.networks["mask"].signature is not None:
        return None
    return people.look(engine.sessions["mask"], pixels)


def detail(engine: Engine, pixels: PixelArray, sure: FloatArray) -> FloatArray:
    """From a mask that somebody has corrected to an alpha (H, W), 0..1.

    Weights from elsewhere have nothing between mask and alpha: with them the guided filter alone finds the edge.

    Args:
        engine: any.
        pixels: (H, W, 3) uint8 or uint16, RGB; a picture, or a part of one.
        sure: (h, w) float32, 0..1, of the same.
    """
    if isinstance(engine, Staged):
        return engine.detail(pixels, sure)
    from bshm.matting.refine import guided_filter

    return guided_filter.refine(pixels, sure)


# The stages are imported where they are used: networks can be opened before OpenCV is there, and meanwhile.


@dataclass(frozen=True)
class Staged:
    """The networks of BSHM, one behind the other.

    A set has a mask network at least; the guided filter always runs.  Without the quality network the filter gets the
    mask as it is, and without the matting network its alpha is the answer.

    For video the stages come apart in two: ``mask``, and ``finish`` with a mask that may have been changed in between.

    Attributes:
        card: what the networks are.
        device: where they run.
        sessions: by role, as on the card: ``mask``, and maybe ``quality`` and ``matting``.
        tile_threads: tiles of the matting network worked on at once.
    """

    card: Card
    device: Device
    sessions: Mapping[str, Session]
    tile_threads: int = 1

    def start(self) -> None:
        """Nothing is remembered."""
        return

    def matte(self, pixels: PixelArray, state: None, clock: Clock, *, exact: bool = False) -> Answer:
        """The people of a picture; see ``Engine``."""
        return self.finish(pixels, self.mask(pixels, clock), clock)

    def mask(self, pixels: PixelArray, clock: Clock | None = None) -> FloatArray:
        """The first half, mask prediction: (H, W, 3) pixels to a small (h, w) float32 mask, 0..1."""
        return (clock or Clock()).time("mask", lambda: self._mask(pixels))

    def finish(self, pixels: PixelArray, mask: FloatArray, clock: Clock | None = None) -> Answer:
        """The second half, from the mask to the alpha.

        Args:
            pixels: (H, W, 3) uint8 or uint16, RGB.
            mask: (h, w) float32, 0..1, of the whole picture, of any size: what ``mask`` gave, or made of it.
            clock: takes the time of each stage.
        """
        from bshm.matting.refine import doubt

        clock = clock or Clock()
        if "quality" in self.sessions:
            coarse = mask
            mask = clock.time("quality", lambda: self.unify(pixels, coarse))
        doubtful = doubt.doubtful(mask)
        sure = doubt.drop_doubtful(mask)
        if doubt.questionable(sure):
            sure = clock.time("islands", lambda: self._without_bodiless(pixels, sure))
        return Answer(self.detail(pixels, sure, clock), doubtful, mask=mask)

    def detail(self, pixels: PixelArray, sure: FloatArray, clock: Clock | None = None) -> FloatArray:
        """From a mask whose doubt is settled to an alpha (H, W), 0..1: what runs along edges alone.

        Args:
            pixels: (H, W, 3) uint8 or uint16, RGB; a picture, or a part of one.
            sure: (h, w) float32, 0..1, of the same.
            clock: takes the time of each stage.
        """
        from bshm.matting.refine import doubt, guided_filter

        clock = clock or Clock()
        alpha = guide = clock.time("refine", lambda: guided_filter.refine(pixels, sure))
        if "matting" in self.sessions:
            held = doubt.somebody(guide)
            alpha = clock.time("matting", lambda: doubt.drop_loose(self.matting(pixels, sure, guide), held))
        return alpha

    def _mask(self, pixels: PixelArray) -> FloatArray:
        from bshm.matting.networks import foreign, mask

        network = self.card.networks["mask"]
        # One from elsewhere is called as its card says.
        predict = mask.predict if network.signature is None else foreign.predict
        return predict(self.sessions["mask"], network, pixels)

    def _without_bodiless(self, pixels: PixelArray, mask: FloatArray) -> FloatArray:
        """The mask without unsure islands that hold no body, where the weights can tell."""
        from bshm.matting.refine import doubt

        found = clues(self, pixels)
        return mask if found is None else doubt.drop_bodiless(mask, found.body())

    def unify(self, pixels: PixelArray, coarse: FloatArray) -> FloatArray:
        """Quality unification: (H, W, 3) pixels and a (h, w) mask to a (h2, w2) float32 mask, 0..1."""
        from bshm.matting.networks import quality

        return quality.unify(self.sessions["quality"], self.card.networks["quality"], pixels, coarse)

    def matting(self, pixels: PixelArray, unified: FloatArray, guide: FloatArray) -> FloatArray:
        """Matting refinement: pixels (H, W, 3), unified mask and the guided filter's alpha to alpha (H, W), 0..1.

        ``guide`` is changed in place.
        """
        from bshm.matting.networks import matting

        return matting.refine(self.sessions["matting"], pixels, unified, guide, threads=self.tile_threads)


@dataclass(frozen=True)
class Whole:
    """One network from elsewhere that answers with alpha itself.

    Attributes:
        card: what the network is.
        device: where it runs.
        sessions: that network, by its role: ``alpha`` or ``rgba``.
    """

    card: Card
    device: Device
    sessions: Mapping[str, Session]

    def start(self) -> None:
        """Nothing is remembered."""
        return

    def matte(self, pixels: PixelArray, state: None, clock: Clock, *, exact: bool = False) -> Answer:
        """The people of a picture; see ``Engine``."""
        from bshm.matting.networks import foreign

        ((role, session),) = self.sessions.items()
        network = self.card.networks[role]
        return Answer(clock.time("matting", lambda: foreign.alpha(session, network, pixels, exact=exact)))
