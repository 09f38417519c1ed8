"""The work on clips that is done for real: a file in, one or several out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bshm.errors import BshmError
from bshm.jobs import clip_parts
from bshm.jobs.clips import ClipOptions
from bshm.jobs.protocol import ClipProduct, ClipProducts
from bshm.video.finding import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from bshm.pipeline import Matting
    from bshm.video.conversion import Progress

MEDIA_TYPES = {
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".apng": "image/apng",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


class Conversion:
    """``ClipWork`` with networks that somebody holds open."""

    def __init__(self, matting_of: Callable[[str], Matting]) -> None:
        """With ``matting_of``, which gives the networks of a model by its name, opened if need be."""
        self._matting_of = matting_of

    def __call__(
        self,
        clip: Path,
        options: ClipOptions,
        *,
        background: Path | None,
        folder: Path,
        progress: Callable[[Progress], None],
    ) -> ClipProducts:
        """See ``ClipWork``.

        Raises:
            MissingExtraError: PyAV is not installed on this machine.
            UnknownModelError, ModelFileError: the job asks for weights that are not on this machine, or damaged.
            InputError, OptionError, EnvironmentFault: see ``bshm.video.convert``.
        """
        from bshm.video import measuring
        from bshm.video.conversion import convert

        # What the server saw may not be what this FFmpeg sees, and it looks at what comes from strangers, too.
        measuring.measure(clip)
        if background is not None and options.background == "video":
            measuring.measure(background)
        video = options.video if background is None else replace(options.video, background=str(background))
        made = convert(
            clip,
            None if options.suffix is None else folder / f"made{options.suffix}",
            options=video,
            matting=self._matting_of(options.model),
            progress=progress,
            parts_folder=folder / clip_parts.FOLDER,
        )
        files = tuple(
            ClipProduct(
                product,
                written.path,
                MEDIA_TYPES[written.path.suffix.lower()],
                MappingProxyType(written.facts()),
            )
            for product, written in made.outputs.items()
        )
        details = {
            "width": made.size_hw[1],
            "height": made.size_hw[0],
            "frames": made.frames,
            "duration_s": round(made.duration_s, 6),
            "empty": made.empty,
            "corrected": [list(each) for each in made.corrected],
            "model": made.model,
            "model_sha256": made.model_sha256,
            "device": made.device,
            "seconds": round(made.seconds, 3),
            "copied": list(made.copied),
            "notes": list(made.notes),
        }
        return ClipProducts(files, made.frames, MappingProxyType(details))


def file_name(name: str) -> str:
    """What the file of a clip is called where it is worked on.

    >>> file_name("../Étude 3.MOV"), file_name("notes")
    ('clip.mov', 'clip')
    """
    suffix = Path(name).suffix.lower()
    return f"clip{suffix}" if suffix in VIDEO_SUFFIXES else "clip"


def told(error: Exception, folder: Path, name: str) -> str:
    """The message of an error, for whoever asked for the clip: with fields, and without paths of this machine.

    Args:
        error: from ``bshm.video``.
        folder: where the clip is.
        name: of the clip.

    >>> told(ValueError("/tmp/x/clip.mp4 ends at 3 s."), Path("/tmp/x"), "anna.mp4")
    'anna.mp4 ends at 3 s.'
    """
    text = error.told(field_of) if isinstance(error, BshmError) else str(error)
    text = re.sub(re.escape(f"{folder}{os.sep}") + r"clip(?:\.[a-z0-9]+)?(?![\w.])", lambda _: name, text)
    return text.replace(f"{folder}{os.sep}", "")


# Fields that are called as the flag is.
_FIELDS = {"target": "for", "start_s": "start", "end_s": "end"}


def field_of(option: str) -> str:
    """The field of ``POST /videos`` for an option of ``VideoOptions``.

    >>> field_of("start_s"), field_of("codec")
    ('start', 'codec')
    """
    return _FIELDS.get(option, option)
