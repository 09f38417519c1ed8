"""From frames to mattes that are steady over time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from bshm.errors import CorrectionsError, OptionError, ShapeError, option
from bshm.matting import engines, foreground, people
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, MatteOptions
from bshm.pipeline import Matting
from bshm.result import Matte
from bshm.types import FloatArray, Picture, PixelArray, Run
from bshm.video.carrying import USUAL_RATE, Carrier
from bshm.video.marks import FrameCorrections
from bshm.video.person import Follower, Memory, parse_person
from bshm.video.steady import AFTER, steadied


class HasPixels(Protocol):
    """A frame, whatever else it holds."""

    @property
    def pixels(self) -> PixelArray:
        """(H, W, 3) uint8 or uint16, RGB."""
        ...


F = TypeVar("F", bound=HasPixels)


@dataclass(frozen=True)
class Shown(Generic[F]):
    """A frame with its alpha.

    Attributes:
        frame: as it was given.
        alpha: (H, W) float32, 0..1; of the one person who is followed, where one is.
        there: whether that person was found in it.
        memory: of who follows that person, after this frame.
    """

    frame: F
    alpha: FloatArray
    there: bool = True
    memory: Memory | None = None


def shown(
    frames: Iterable[F],
    matting: Matting,
    *,
    steady: bool = True,
    live: bool = False,
    follower: Follower | None = None,
    carrier: Carrier | None = None,
    first: int = 0,
) -> Generator[Shown[F], None, None]:
    """The alpha of each frame, in order.

    Args:
        frames: of one clip, in the order in which they are shown.
        matting: the networks.
        steady: let neighbours be listened to (``bshm.video.steady``); without it each is a picture of its own.
        live: listen to earlier frames alone, so that each comes out before the next one is asked for.
        follower: of one person, whose alpha alone is shown; None shows everybody.
        carrier: of what was marked by hand, which knows of each frame that comes what it needs; None lays nothing.
        first: the number by which that one knows the first frame.

    Raises:
        OptionError: one person is to be followed by weights that do not tell people apart.
    """
    found = _found(frames, matting, follower, carrier, first)
    if not steady:
        yield from found
        return
    for each, alpha in steadied(((each, each.frame.pixels, each.alpha) for each in found), after=0 if live else AFTER):
        yield Shown(each.frame, alpha, each.there, each.memory)


def _found(
    frames: Iterable[F], matting: Matting, follower: Follower | None, carrier: Carrier | None, first: int
) -> Generator[Shown[F], None, None]:
    # Colours are made of the alpha that comes out at last.
    options = MatteOptions(decontaminate=False)
    for number, frame in enumerate(frames, first):
        matte = matting.matte_picture(_picture(frame), options)
        alpha = matte.alpha
        if follower is None:
            yield Shown(frame, alpha if carrier is None else carrier.lay(number, frame.pixels, alpha, matte.mask))
            continue
        clues = engines.clues(matting.engine, frame.pixels)
        if clues is None:
            raise OptionError(
                f"{option('person')} needs weights that tell people apart; {matting.engine.card.name} has no such "
                f"answer. Choose another {option('model')}: {DEFAULT_MODEL} has."
            )
        apart = people.share(frame.pixels, alpha, people.find(clues))
        plane = follower.follow(frame.pixels, alpha, apart)
        there = plane is not None
        plane = plane if plane is not None else np.zeros_like(alpha)
        # Who is followed is known by what the networks say alone, so that marks change no frame beyond their reach;
        # and the mask is that of everybody.
        plane = plane if carrier is None else carrier.lay(number, frame.pixels, plane, None)
        yield Shown(frame, plane, there, follower.memory)


def _picture(frame: HasPixels) -> Picture:
    return frame if isinstance(frame, Picture) else Picture(frame.pixels)


def matte_frames(
    frames: Iterable[PixelArray],
    *,
    matting: Matting | None = None,
    model: str = DEFAULT_MODEL,
    device: str = DEFAULT_DEVICE,
    steady: bool = True,
    live: bool = False,
    decontaminate: bool = True,
    person: str | None = None,
    corrections: Sequence[FrameCorrections] = (),
) -> Generator[Matte, None, None]:
    """The people of each frame of a clip, steady in time.

    Args:
        frames: (H, W, 3) uint8 or uint16 arrays, RGB, all of one size; may be endless.
        matting: the networks held open; None opens ``model`` on ``device``.
        steady: let frames listen to their neighbours; a matte comes out when four more frames have come in.
        live: listen to earlier frames alone: a matte comes out before the next frame is asked for.
        decontaminate: take the old background's colour out of soft edges.
        person: ``largest`` (of the first frame with anybody) or ``at:X,Y`` (in the first frame): that one is followed
            and all others are left out; a matte is empty where that one is not found.  None takes everybody.
        corrections: what was marked on single frames, by their numbers; carried along the motion to at most 60 frames
            after them and, unless ``live``, before them, for which so many are held until the marked one comes.

    Yields:
        a matte a frame, in order; memory stays flat however many there are.

    Raises:
        OptionError: ``person`` is neither, has a time (frames alone have no clock), or the weights do not tell people
            apart.
        NobodyThereError: nobody is at that place, or a click of corrections is where there is nothing.
        CorrectionsError: corrections have a time and no number, are of a frame that never came, or were made on another
            picture.
        ShapeError: a frame of another shape, dtype or size; the message has its number.

    >>> from bshm.video import matte_frames
    >>> clip = np.zeros((3, 64, 96, 3), np.uint8)
    >>> [matte.alpha.shape for matte in matte_frames(clip, model="bshm-lite")]
    [(64, 96), (64, 96), (64, 96)]
    """
    which = None if person is None else parse_person(person)
    if which is not None and which.time_s is not None:
        raise OptionError(f"{option('person')}: frames have no clock. Drop @{which.time_s:g}: the first frame counts.")
    for each in corrections:
        if each.time_s is not None:
            raise CorrectionsError(f"corrections at {each.when}: frames have no clock. Give the number of the frame.")
    matting = matting or Matting(model=model, device=device)
    follower = None if which is None else Follower(which)
    card = matting.engine.card
    run = Run(card.name, card.sha256, matting.engine.device.name, {})
    pictures, carrier = _pictures(frames), None
    if corrections:
        carrier = Carrier(corrections, matting, name="the clip", backward=not live)
        pictures = _held_back(pictures, carrier)
    for found in shown(pictures, matting, steady=steady, live=live, follower=follower, carrier=carrier):
        pixels = found.frame.pixels
        colour = foreground.estimate(pixels, found.alpha) if decontaminate else pixels
        yield Matte(found.frame, found.alpha, colour, run)


def _held_back(frames: Iterable[F], carrier: Carrier) -> Generator[F, None, None]:
    """The same frames, each when ``carrier`` has seen all that it needs to know of it."""
    held: deque[F] = deque()
    for number, frame in enumerate(frames):
        carrier.push(number, number / USUAL_RATE, 1 / USUAL_RATE, frame.pixels)
        held.append(frame)
        while held and carrier.is_settled(number - len(held) + 1):
            yield held.popleft()
    carrier.end()
    yield from held


def _pictures(frames: Iterable[PixelArray]) -> Generator[Picture, None, None]:
    size: tuple[int, ...] | None = None
    for number, pixels in enumerate(frames):
        array: Any = np.asarray(pixels)
        if size is None:
            size = array.shape
        if array.shape != size or array.ndim != 3 or array.shape[2] != 3 or array.dtype not in (np.uint8, np.uint16):
            raise ShapeError(
                f"matte_frames() needs frames (H, W, 3) uint8 or uint16, all of one size; frame {number} is "
                f"{array.shape} {array.dtype}" + (f" after {size}." if array.shape != size else ".")
            )
        yield Picture(array, name=f"frame {number}")
