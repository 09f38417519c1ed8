"""From frames to mattes that are steady over time."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from bshm.errors import ShapeError
from bshm.matting import foreground
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, MatteOptions
from bshm.pipeline import Matting
from bshm.result import Matte
from bshm.types import FloatArray, Picture, PixelArray, Run
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
        alpha: (H, W) float32, 0..1.
    """

    frame: F
    alpha: FloatArray


def shown(
    frames: Iterable[F], matting: Matting, *, steady: bool = True, live: bool = False
) -> Generator[Shown[F], None, None]:
    """The alpha of each frame, in order.

    Args:
        frames: of one clip, in the order in which they are shown.
        matting: the networks.
        steady: let neighbours be listened to (``bshm.video.steady``); without it each is a picture of its own.
        live: listen to earlier frames alone, so that each comes out before the next one is asked for.
    """
    # Colours are made of the alpha that comes out at last.
    options = MatteOptions(decontaminate=False)
    found = ((frame, frame.pixels, matting.matte_picture(_picture(frame), options).alpha) for frame in frames)
    if not steady:
        for frame, _, alpha in found:
            yield Shown(frame, alpha)
        return
    for frame, alpha in steadied(found, after=0 if live else AFTER):
        yield Shown(frame, alpha)


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
) -> Generator[Matte, None, None]:
    """The people of each frame of a clip, steady in time.

    Args:
        frames: (H, W, 3) uint8 or uint16 arrays, RGB, all of one size; may be endless.
        matting: the networks held open; None opens ``model`` on ``device``.
        steady: let frames listen to their neighbours; a matte comes out when four more frames have come in.
        live: listen to earlier frames alone: a matte comes out before the next frame is asked for.
        decontaminate: take the old background's colour out of soft edges.

    Yields:
        a matte a frame, in order; memory stays flat however many there are.

    Raises:
        ShapeError: a frame of another shape, dtype or size; the message has its number.

    >>> from bshm.video import matte_frames
    >>> clip = np.zeros((3, 64, 96, 3), np.uint8)
    >>> [matte.alpha.shape for matte in matte_frames(clip, model="bshm-lite")]
    [(64, 96), (64, 96), (64, 96)]
    """
    matting = matting or Matting(model=model, device=device)
    card = matting.engine.card
    run = Run(card.name, card.sha256, matting.engine.device.name, {})
    for found in shown(_pictures(frames), matting, steady=steady, live=live):
        pixels = found.frame.pixels
        colour = foreground.estimate(pixels, found.alpha) if decontaminate else pixels
        yield Matte(found.frame, found.alpha, colour, run)


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
