"""The work that is done for real: bytes in, a matte, bytes out."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from bshm.errors import UnknownModelError
from bshm.jobs.protocol import Product
from bshm.jobs.records import JobOptions

if TYPE_CHECKING:
    from bshm.options import MatteOptions
    from bshm.pipeline import Matting
    from bshm.result import Matte
    from bshm.types import Picture


class MattingWork:
    """``Work`` with one session, which all threads share."""

    def __init__(self, matting: Matting) -> None:
        """With a session that is open."""
        self._matting = matting

    def __call__(self, picture: bytes, name: str, options: JobOptions) -> Product:
        """The file that the job's recipe asks for.

        Raises:
            UnknownModelError: the job asks for other weights than those of the session.
            InputError, OptionError, MemoryExhaustedError: see ``bshm.errors``.
        """
        held, asked = self._matting.predictor.card.name, options.recipe.model
        if asked != held:
            raise UnknownModelError(f"the job asks for the model {asked!r}; the workers hold {held!r}.")
        return made(picture, name, options, self._matting.matte_picture)


def made(data: bytes, name: str, options: JobOptions, matte: Callable[[Picture, MatteOptions], Matte]) -> Product:
    """The product of one picture.

    Args:
        data: its file.
        name: what errors call it.
        options: of the job.
        matte: the network.

    Raises:
        InputError, OptionError, MemoryExhaustedError: see ``bshm.errors``.
    """
    from bshm.rendering import opened, render

    recipe, limits = options.recipe, options.limits
    picture = opened(data, name, limits, recipe.max_pixels)
    scenery = None if options.scenery is None else opened(options.scenery, "the background", limits)
    done = render(matte(picture, recipe.matte_options(limits)), recipe, scenery)
    details = {
        "width": done.width,
        "height": done.height,
        "empty": done.empty,
        "model": done.model,
        "device": done.device,
        "timings_ms": done.timings_ms,
    }
    return Product(done.data, done.media_type, MappingProxyType(details))
