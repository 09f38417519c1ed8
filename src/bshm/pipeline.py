"""The tour: one picture through the whole flow, in plain calls.

source -> decode -> mask prediction -> quality unification -> matting -> foreground colour -> matte

Weights with the mask network alone take an edge-aware filter in place of the second and third stage; weights from
elsewhere that answer with alpha (the official ones among them) take the place of all three.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from types import TracebackType
from typing import Literal, TypeVar, overload

import numpy as np

from bshm import geometry
from bshm.concurrency.overlap import overlap
from bshm.edit import composite
from bshm.errors import BshmError, MattingClosedError, MemoryExhaustedError, OptionError, option
from bshm.files import decode
from bshm.files.source import Source
from bshm.matting import foreground
from bshm.matting.engines import Predictor
from bshm.matting.refine import guided_filter
from bshm.matting.refine.doubt import drop_doubtful, drop_loose, somebody
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, BatchOptions, MatteOptions
from bshm.result import Matte
from bshm.types import FloatArray, Picture, PixelArray, Run
from bshm.weights import catalogue

T = TypeVar("T")


class _Clock:
    """Milliseconds by stage, in the order in which they ran."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = work()
        self.timings[stage] = (time.perf_counter() - started) * 1000
        return result


class Matting:
    """The networks held open.  Safe to share between threads.

    >>> import bshm, skimage
    >>> with bshm.Matting() as matting:
    ...     matting.matte(skimage.data.astronaut()).alpha.shape
    (512, 512)
    """

    def __init__(
        self,
        *,
        model: str = DEFAULT_MODEL,
        device: str = DEFAULT_DEVICE,
        threads: int | None = None,
        gpu_memory_limit: int | None = None,
        predictor: Predictor | None = None,
    ) -> None:
        """Open the weights called ``model`` on ``device``.

        Args:
            model: a name that `bshm models` lists.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, …: used or refused, never replaced.
            threads: of one run; None takes all cores, at most 8.
            gpu_memory_limit: bytes of a CUDA device that the networks' tensors may take; None lets them grow.
            predictor: opened networks to use in place of all the above.

        Raises:
            UnknownModelError, ModelFileError, DeviceUnavailableError, OptionError: see ``bshm.errors``.
        """
        self._predictor: Predictor | None = predictor or Predictor.open(
            catalogue.find(model), device, threads, gpu_memory_limit=gpu_memory_limit
        )

    @property
    def predictor(self) -> Predictor:
        """The opened networks.

        Raises:
            MattingClosedError: they were closed.
        """
        if self._predictor is None:
            raise MattingClosedError("this Matting is closed. Open another one.")
        return self._predictor

    def close(self) -> None:
        """Let go of the networks and of their memory; a second time does nothing."""
        self._predictor = None

    def __enter__(self) -> Matting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def matte(self, source: Source, options: MatteOptions | None = None) -> Matte:
        """The people of one picture.

        Args:
            source: a path, URL, bytes, binary file object, PIL image, or (H, W), (H, W, 3) or (H, W, 4) array.
            options: how; see ``MatteOptions``.

        Returns:
            the matte; ``is_empty`` when nobody is in the picture.

        Raises:
            InputError, MemoryExhaustedError: see ``bshm.errors``.
        """
        options = options or MatteOptions()
        clock = _Clock()
        picture = clock.time("decode", lambda: decode.open_picture(source, options.limits))
        return self._matte(picture, options, clock)

    @overload
    def map(
        self,
        sources: Iterable[Source],
        *,
        options: MatteOptions | None = None,
        in_flight: int = BatchOptions.in_flight,
        errors: Literal["raise"] = "raise",
    ) -> Generator[Matte, None, None]: ...

    @overload
    def map(
        self,
        sources: Iterable[Source],
        *,
        options: MatteOptions | None = None,
        in_flight: int = BatchOptions.in_flight,
        errors: Literal["return"],
    ) -> Generator[Matte | BshmError, None, None]: ...

    def map(
        self,
        sources: Iterable[Source],
        *,
        options: MatteOptions | None = None,
        in_flight: int = BatchOptions.in_flight,
        errors: Literal["raise", "return"] = "raise",
    ) -> Generator[Matte | BshmError, None, None]:
        """The people of many pictures, in the order of the sources.

        Sources are drawn as there is room: at most ``in_flight`` are in the works, and as many again are done and wait
        for a slower one before them, so an endless iterable is fine and memory stays flat.

        Args:
            sources: as ``matte`` takes them.
            options: how, for all of them.
            in_flight: pictures in the works at once; decoding one overlaps with the networks of another.
            errors: ``raise`` the first error, which ends the iteration; or ``return`` a ``BshmError`` in the place of
                its matte and go on.  Faults that are no ``BshmError`` are raised either way.

        Raises:
            OptionError: ``in_flight`` below 1, or another word for ``errors``; raised here, before the first picture.

        >>> with_weights = Matting()
        >>> both = with_weights.map([np.zeros((64, 64, 3), np.uint8), b"not a picture"], errors="return")
        >>> [type(each).__name__ for each in both]
        ['Matte', 'UnreadablePictureError']
        """
        if in_flight < 1:
            raise OptionError(f"{option('in_flight')} takes 1 or more; got {in_flight}.")
        if errors not in ("raise", "return"):
            raise OptionError(f'map() takes errors="raise" or errors="return"; got {errors!r}.')
        return self._map(sources, options, in_flight, errors == "return")

    def _map(
        self, sources: Iterable[Source], options: MatteOptions | None, in_flight: int, return_errors: bool
    ) -> Generator[Matte | BshmError, None, None]:
        with closing(overlap(sources, lambda source: self.matte(source, options), threads=in_flight)) as outcomes:
            for outcome in outcomes:
                if return_errors and isinstance(outcome.error, BshmError):
                    yield outcome.error
                else:
                    yield outcome.unwrap()
                del outcome  # not kept alive while the next one is waited for

    def matte_picture(self, picture: Picture, options: MatteOptions | None = None) -> Matte:
        """As ``matte``, of a picture that is decoded already."""
        return self._matte(picture, options or MatteOptions(), _Clock())

    def _matte(self, picture: Picture, options: MatteOptions, clock: _Clock) -> Matte:
        try:
            picture = geometry.shrunk(picture, options.shrink_to)
            pixels = _opaque(picture)
            if self.predictor.whole:
                alpha = clock.time("matting", lambda: self.predictor.alpha(pixels, exact=options.exact))
            else:
                mask = coarse = clock.time("mask", lambda: self.predictor.mask(pixels))
                if self.predictor.has("quality"):
                    mask = clock.time("quality", lambda: self.predictor.unify(pixels, coarse))
                mask = drop_doubtful(mask)
                alpha = guide = clock.time("refine", lambda: guided_filter.refine(pixels, mask))
                if self.predictor.has("matting"):
                    held = somebody(guide)
                    alpha = clock.time("matting", lambda: drop_loose(self.predictor.matting(pixels, mask, guide), held))
            alpha = _within_existing(alpha, picture)
            colour = pixels
            if options.decontaminate:
                colour = clock.time("foreground", lambda: foreground.estimate(pixels, alpha))
        except MemoryError as error:
            if isinstance(error, MemoryExhaustedError):
                raise
            height, width = picture.size_hw
            raise MemoryExhaustedError(
                f"{picture.name} ({width}x{height}) does not fit into memory: it needs about "
                f"{width * height * 20 / 1e9:.1f} GB. Shrink it or use a machine with more."
            ) from error
        card = self.predictor.card
        run = Run(card.name, card.sha256, self.predictor.device.name, clock.timings)
        return Matte(picture, alpha, colour, run)


def _opaque(picture: Picture) -> PixelArray:
    """The picture without the transparency it came with: what lies under it is arbitrary, so it becomes mid-grey."""
    if picture.alpha is None:
        return picture.pixels
    grey = np.full_like(picture.pixels, np.iinfo(picture.pixels.dtype).max // 2)
    return composite.over(picture.pixels, _existing(picture.alpha), grey)


def _within_existing(alpha: FloatArray, picture: Picture) -> FloatArray:
    """Where the file was transparent it stays so: the product of both alphas."""
    if picture.alpha is None:
        return alpha
    alpha *= _existing(picture.alpha)
    return alpha


def _existing(alpha: PixelArray) -> FloatArray:
    return alpha.astype(np.float32) * np.float32(1 / np.iinfo(alpha.dtype).max)


def matte(
    source: Source,
    *,
    model: str = DEFAULT_MODEL,
    device: str = DEFAULT_DEVICE,
    options: MatteOptions | None = None,
) -> Matte:
    """The people of one picture; for many, hold a ``Matting`` open.

    >>> import bshm, skimage
    >>> found = bshm.matte(skimage.data.astronaut())
    >>> found.alpha.dtype, found.is_empty
    (dtype('float32'), False)
    """
    return Matting(model=model, device=device).matte(source, options)
