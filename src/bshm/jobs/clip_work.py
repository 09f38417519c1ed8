"""The work on clips that is done for real: a file in, one or several out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bshm.jobs.clips import ClipOptions
from bshm.jobs.protocol import ClipProduct, ClipProducts
from bshm.video.finding import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from bshm.pipeline import Matting
    from bshm.video.convert import Progress

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
        from bshm.video.convert import convert

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
        )
        files = tuple(
            ClipProduct(
                product,
                written.path,
                MEDIA_TYPES[written.path.suffix.lower()],
                MappingProxyType(
                    {
                        "codec": written.codec,
                        "timestamps_off_s": round(written.timestamps_off_s, 6),
                        "alpha": None
                        if written.alpha is None
                        else {
                            "exact": written.alpha.exact,
                            "mean_change": round(written.alpha.mean_change, 6),
                            "largest_change": round(written.alpha.largest_change, 6),
                            "frames_compared": written.alpha.frames,
                        },
                    }
                ),
            )
            for product, written in made.outputs.items()
        )
        details = {
            "width": made.size_hw[1],
            "height": made.size_hw[0],
            "frames": made.frames,
            "duration_s": round(made.duration_s, 6),
            "empty": made.empty,
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
    """The message of an error, for whoever asked for the clip: paths of this machine are not shown, and the room of
    video, which names flags, is made to name fields.

    Args:
        error: from ``bshm.video``.
        folder: where the clip is.
        name: of the clip.

    >>> told(ValueError("/tmp/x/clip.mp4 ends at 3 s. Add --fewer-bits."), Path("/tmp/x"), "anna.mp4")
    'anna.mp4 ends at 3 s. Add fewer_bits.'
    """
    text = re.sub(re.escape(f"{folder}{os.sep}") + r"clip(?:\.[a-z0-9]+)?(?![\w.])", lambda _: name, str(error))
    return in_fields(text.replace(f"{folder}{os.sep}", ""))


def in_fields(text: str) -> str:
    """A message that names flags, with the fields of the same meaning in their place.

    >>> in_fields("--end takes seconds after --start (3)")
    'end takes seconds after start (3)'
    """
    return re.sub(r"(?<![\w-])--([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), text)
