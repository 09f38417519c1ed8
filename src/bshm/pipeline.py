"""The tour: a picture through the whole pipeline, in plain calls.

source -> decode -> engine -> corrections, if somebody made any -> foreground colour -> matte

The engine is the opened model, ``matting/engines.py``.  For the included models it has these stages:

mask prediction -> quality unification -> guided filter -> matting

The guided filter always runs; models without a quality or matting network leave out that stage.  Imported models that
return alpha, such as the official one, replace all four stages.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Literal, overload

import numpy as np

from bshm import geometry
from bshm.concurrency.overlap import overlap
from bshm.corrections import Corrections
from bshm.edit import composite
from bshm.errors import BshmError, CorrectionsError, MattingClosedError, MemoryExhaustedError, OptionError, option
from bshm.files import corrections as corrections_files
from bshm.files import decode
from bshm.files.source import Source
from bshm.matting import correcting, engines, foreground, people
from bshm.matting.engines import Answer, Clock, Engine, State
from bshm.matting.people import PeopleApart
from bshm.matting.refine import doubt
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, BatchOptions, MatteOptions
from bshm.result import Matte
from bshm.types import FloatArray, Picture, PixelArray, Run
from bshm.weights import catalogue


class Matting:
    """Opened networks.  Safe to share between threads.

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
        engine: Engine | None = None,
    ) -> None:
        """Open the model called ``model`` on ``device``.

        Args:
            model: a name from `bshm models`.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, …; if the device does not work, that is an error.
            threads: threads per run; None uses all cores, at most 8.
            gpu_memory_limit: most bytes on a CUDA device for the networks' tensors; None is no limit.
            engine: an opened engine to use instead of all the above.

        Raises:
            UnknownModelError, ModelFileError, DeviceUnavailableError, OptionError: see ``bshm.errors``.
        """
        self._engine: Engine | None = engine or engines.open_engine(
            catalogue.find(model), device, threads, gpu_memory_limit=gpu_memory_limit
        )

    @property
    def engine(self) -> Engine:
        """The opened networks.

        Raises:
            MattingClosedError: this Matting is closed.
        """
        if self._engine is None:
            raise MattingClosedError("this Matting is closed. Open a new one.")
        return self._engine

    def close(self) -> None:
        """Free the networks and their memory; closing again does nothing."""
        self._engine = None

    def __enter__(self) -> Matting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def matte(self, source: Source, options: MatteOptions | None = None) -> Matte:
        """Matte the people of one picture.

        Args:
            source: a path, URL, bytes, binary file object, PIL image, or (H, W), (H, W, 3) or (H, W, 4) array.
            options: see ``MatteOptions``.

        Returns:
            the matte; its ``is_empty`` is true if nobody is in the picture.

        Raises:
            InputError, MemoryExhaustedError: see ``bshm.errors``.
        """
        options = options or MatteOptions()
        clock = Clock()
        picture = clock.time("decode", lambda: decode.open_picture(source, options.limits))
        if options.corrections != "auto" or (saved := corrections_files.saved(source)) is None:
            return self._matte(picture, options, self.engine.start(), clock)[0]
        try:
            correcting.check(saved, picture.pixels, picture.name)
        except CorrectionsError as error:
            # They were looked for unasked: another picture of that name is no reason to fail, but not to be silent.
            note = f"{corrections_files.beside(picture.name).name} was not applied: {error}"
            plain = self._matte(picture, replace(options, corrections=None), self.engine.start(), clock)[0]
            return replace(plain, notes=(note,))
        return self._matte(picture, replace(options, corrections=saved), self.engine.start(), clock)[0]

    def corrected(self, matte: Matte, corrections: Corrections, options: MatteOptions | None = None) -> Matte:
        """A matte with corrections laid on it, on top of those that it has.

        Args:
            matte: of this session or of another.
            corrections: strokes, clicks, a trimap.
            options: how; only ``decontaminate``, ``tell_apart`` and ``limits`` count.

        Raises:
            CorrectionsError: they are of another picture.
            NobodyThereError: a click where there is nothing to keep or to erase.
            InputError: the trimap cannot be read.
        """
        options, clock = options or MatteOptions(), Clock()
        picture = matte.picture
        pixels = _opaque(picture)
        answer = Answer(matte.alpha, matte.doubtful, mask=matte.mask)
        answer = clock.time("corrections", lambda: self._marked(picture, pixels, answer, corrections, options))
        if picture.alpha is not None:
            answer = answer._replace(alpha=np.minimum(answer.alpha, _existing(picture.alpha)))
        earlier = matte.corrections
        if earlier is not None:
            corrections = corrections_files.together(earlier, corrections, options.limits)
        tell_apart = options.tell_apart or matte.people is not None
        made = self._made(picture, pixels, answer, replace(options, tell_apart=tell_apart), clock)
        return replace(made, corrections=corrections, notes=matte.notes)

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
        """Matte the people of many pictures, in the order of the sources.

        At most ``in_flight`` pictures are processed at the same time, and as many results may wait for a slower one
        before them.  So memory stays constant, and the sources may be endless.

        Args:
            sources: sources as for ``matte``.
            options: options for all of them.
            in_flight: pictures processed at the same time; decoding one overlaps with the networks of another.
            errors: ``raise`` the first error, which ends the iteration; or ``return`` a ``BshmError`` in place of its
                matte and continue.  Other exceptions are always raised.

        Raises:
            OptionError: ``in_flight`` is below 1, or ``errors`` has another value; raised before the first picture.

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
        return self.step(picture, self.engine.start(), options)[0]

    def step(self, picture: Picture, state: State, options: MatteOptions | None = None) -> tuple[Matte, State]:
        """As ``matte_picture``, of the next frame of a video.

        Args:
            picture: the frame.
            state: for the first frame what ``engine.start()`` gives, then what the frame before gave back.
            options: how.

        Returns:
            the matte, and the state for the next frame; None for weights that remember nothing.
        """
        return self._matte(picture, options or MatteOptions(), state, Clock())

    def _matte(self, picture: Picture, options: MatteOptions, state: State, clock: Clock) -> tuple[Matte, State]:
        try:
            picture = geometry.shrunk(picture, options.shrink_to)
            pixels = _opaque(picture)
            answer = self.engine.matte(pixels, state, clock, exact=options.exact)
            after, given = answer.state, options.corrections if options.corrections != "auto" else None
            if given:
                found = answer
                answer = clock.time("corrections", lambda: self._marked(picture, pixels, found, given, options))
            answer = answer._replace(alpha=_within_existing(answer.alpha, picture))
            made = self._made(picture, pixels, answer, options, clock)
        except MemoryError as error:
            if isinstance(error, MemoryExhaustedError):
                raise
            height, width = picture.size_hw
            raise MemoryExhaustedError(
                f"{picture.name} ({width}x{height}) does not fit into memory: it needs about "
                f"{width * height * 20 / 1e9:.1f} GB. Shrink it or use a machine with more."
            ) from error
        return replace(made, corrections=given) if given else made, after

    def _marked(
        self, picture: Picture, pixels: PixelArray, answer: Answer, corrections: Corrections, options: MatteOptions
    ) -> Answer:
        """The answer with what somebody marked."""
        correcting.check(corrections, picture.pixels, picture.name)
        trimap = corrections_files.opened_trimap(corrections, options.limits)
        found = correcting.apply(
            pixels, answer.alpha, answer.mask, corrections, partial(engines.detail, self.engine), trimap
        )
        doubtful = answer.doubtful if found.mask is None else doubt.doubtful(found.mask)
        return answer._replace(alpha=found.alpha, mask=found.mask, doubtful=doubtful)

    def _made(self, picture: Picture, pixels: PixelArray, answer: Answer, options: MatteOptions, clock: Clock) -> Matte:
        """What is behind the engine: people and colour."""
        alpha, colour = answer.alpha, pixels
        apart = clock.time("people", lambda: self._apart(pixels, alpha)) if options.tell_apart else None
        if options.decontaminate:
            colour = clock.time("foreground", lambda: foreground.estimate(pixels, alpha))
        card = self.engine.card
        run = Run(card.name, card.sha256, self.engine.device.name, clock.timings)
        planes, depth = (None, ()) if apart is None else (apart.planes, apart.depth)
        return Matte(
            picture,
            alpha,
            colour,
            run,
            planes,
            depth,
            doubtful=answer.doubtful,
            mask=answer.mask,
            decontaminated=options.decontaminate,
        )

    def _apart(self, pixels: PixelArray, alpha: FloatArray) -> PeopleApart:
        clues = engines.clues(self.engine, pixels)
        if clues is None:
            raise OptionError(
                f"{option('people')} needs a model that tells people apart; {self.engine.card.name} does not. "
                f"Choose another {option('model')}, such as {DEFAULT_MODEL}."
            )
        return people.share(pixels, alpha, people.find(clues))


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
    corrections: Corrections | None = None,
) -> Matte:
    """The people of one picture; for many, hold a ``Matting`` open.

    ``corrections`` is ``MatteOptions.corrections``, for which nothing else need be said.

    >>> import bshm, skimage
    >>> found = bshm.matte(skimage.data.astronaut())
    >>> found.alpha.dtype, found.is_empty
    (dtype('float32'), False)
    """
    if corrections is not None:
        options = replace(options or MatteOptions(), corrections=corrections)
    return Matting(model=model, device=device).matte(source, options)
