"""The work that is done for real: bytes in, a matte, bytes out."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from bshm.errors import UnknownModelError
from bshm.jobs.protocol import Product
from bshm.jobs.records import JobOptions
from bshm.options import Format

if TYPE_CHECKING:
    from bshm.pipeline import Matting

_MEDIA_TYPES: dict[Format, str] = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tiff": "image/tiff",
}


class MattingWork:
    """``Work`` with one session, which all threads share."""

    def __init__(self, matting: Matting) -> None:
        """With a session that is open."""
        self._matting = matting

    def __call__(self, picture: bytes, name: str, options: JobOptions) -> Product:
        """The matte of a picture, encoded.

        Raises:
            UnknownModelError: the job asks for other weights than those of the session.
            InputError, MemoryExhaustedError: see ``bshm.errors``.
        """
        from bshm.io.decode import decode

        held = self._matting.predictor.card.name
        if options.model != held:
            raise UnknownModelError(f"the job asks for the model {options.model!r}; the workers hold {held!r}.")
        matte = self._matting.matte_picture(decode(picture, name=name, limits=options.matte.limits), options.matte)
        height, width = matte.picture.size_hw
        return Product(
            matte.encode(options.output),
            _MEDIA_TYPES[options.output.format or "png"],
            MappingProxyType(
                {
                    "width": width,
                    "height": height,
                    "empty": matte.is_empty,
                    "model": matte.ran.model,
                    "device": matte.ran.device,
                    "timings_ms": dict(matte.ran.timings_ms),
                }
            ),
        )
