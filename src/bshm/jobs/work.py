"""The real work of jobs: bytes in, a matte, bytes out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from bshm.jobs.protocol import Product
from bshm.jobs.records import JobOptions

if TYPE_CHECKING:
    from bshm.edit.background import Paints
    from bshm.options import MatteOptions
    from bshm.pipeline import Matting
    from bshm.result import Matte
    from bshm.types import Picture


class MattingWork:
    """``Work`` with networks held open, which all threads share.

    A job names its model.  The initial model stays open; others are opened when a job first asks for them.
    """

    def __init__(
        self,
        matting: Matting,
        *,
        others: int = 2,
        open_model: Callable[[str], Matting] | None = None,
        painter: Paints | None = None,
    ) -> None:
        """Use networks that are open.

        Args:
            matting: the initial model, which stays open.
            others: how many other models are kept open; the least recently used is closed first.
            open_model: opens a model by its name; None takes the device of ``matting``.
            painter: paints backgrounds; without one, jobs that ask for that fail.
        """
        self._matting = matting
        self._most = others
        self._painter = painter
        self._open_model = open_model or _on_device_of(matting)
        self._others: OrderedDict[str, Matting] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, picture: bytes, name: str, options: JobOptions) -> Product:
        """The file that the job's edit describes.

        Raises:
            UnknownModelError, ModelFileError: the job's weights are missing on this machine, or damaged.
            InputError, OptionError, MemoryExhaustedError: see ``bshm.errors``.
        """
        return made(picture, name, options, self.matting_of(options.model).matte_picture, self._painter)

    def matting_of(self, model: str) -> Matting:
        """The networks called ``model``, opened if needed.

        Raises:
            UnknownModelError, ModelFileError: they are missing on this machine, or damaged.
        """
        if model == self._matting.engine.card.name:
            return self._matting
        # Threads that need a model that is being opened wait for it instead of opening it, too.
        with self._lock:
            found = self._others.pop(model, None) or self._open_model(model)
            self._others[model] = found
            while len(self._others) > self._most:
                self._others.popitem(last=False)
            return found


def _on_device_of(matting: Matting) -> Callable[[str], Matting]:
    def open_model(model: str) -> Matting:
        from bshm.pipeline import Matting

        return Matting(model=model, device=matting.engine.device.name)

    return open_model


def opened(data: bytes, name: str, options: MatteOptions) -> Picture:
    """Decode the picture to be matted.

    Args:
        data: the file.
        name: its name in errors.
        options: its limits and its largest size.

    Raises:
        InputError: see ``bshm.files.decode``.
    """
    from bshm import geometry
    from bshm.files import decode

    return geometry.shrunk(decode.decode(data, name=name, limits=options.limits), options.shrink_to)


def made(
    data: bytes,
    name: str,
    options: JobOptions,
    matte: Callable[[Picture, MatteOptions], Matte],
    painter: Paints | None = None,
) -> Product:
    """The product of one picture.

    Args:
        data: its file.
        name: its name in errors.
        options: options of the job.
        matte: the network.
        painter: paints the background, if the job asks for that.

    Raises:
        InputError, OptionError, MemoryExhaustedError: see ``bshm.errors``.
    """
    from bshm.edit.render import render
    from bshm.files import decode

    picture = opened(data, name, options.matte)
    behind: Picture | Paints | None = painter
    if options.background is not None:
        behind = decode.decode(options.background, name="the background", limits=options.matte.limits)
    done = render(matte(picture, options.matte), options.edit, behind)
    details = {
        "width": done.width,
        "height": done.height,
        "empty": done.empty,
        "verdict": done.verdict,
        "model": done.model,
        "model_sha256": done.model_sha256,
        "device": done.device,
        "timings_ms": done.timings_ms,
        "head_by": done.head_by,
        "notes": list(done.notes),
        "corrections": done.corrections,
        "background_by": done.background_by,
    }
    return Product(done.data, done.media_type, MappingProxyType(details))
