"""The parts of a job of a clip: the options, the progress and the results.

All of these survive a round trip through JSON, like the records that hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from bshm.edit.words import PictureBackground, parse_background
from bshm.errors import OptionError
from bshm.jobs.codec import Json, from_json, to_json
from bshm.options import DEFAULT_MODEL
from bshm.video.codecs import CONTAINERS, GREEN_SCREEN
from bshm.video.finding import VIDEO_SUFFIXES
from bshm.video.options import VideoOptions

# The kinds of a background file.
Behind = Literal["picture", "video"]
# Replaces the path of such a file, which differs between workers.
COMES_ALONG = "comes along"


@dataclass(frozen=True)
class ClipOptions:
    """The options of a clip's results.

    Attributes:
        video: what to write, and how; its ``background`` is text, or ``COMES_ALONG``.
        suffix: suffix of the container, such as ``.webm``; None lets ``video`` choose it.
        model: name of the weights, which the worker opens.
        background: kind of the file that ``video.background`` stands for; None if that is text.
    """

    video: VideoOptions = field(default_factory=VideoOptions)
    suffix: str | None = None
    model: str = DEFAULT_MODEL
    background: Behind | None = None

    def __post_init__(self) -> None:
        if self.suffix is not None and self.suffix not in CONTAINERS:
            raise OptionError(f"a container is one of {', '.join(CONTAINERS)}; got {self.suffix!r}.")
        if self.background not in (None, "picture", "video"):
            raise OptionError(f"a background is a picture or a video; got {self.background!r}.")
        if (self.video.background == COMES_ALONG) != (self.background is not None):
            raise OptionError("a background file needs its kind, and COMES_ALONG as video.background. Give both.")
        # Never read from a path or a URL that a stranger may have chosen.
        if self.background is None and self.video.background is not None and not in_words(self.video.background):
            raise OptionError("without a file, the background of a clip is a colour, green-screen, a gradient or blur.")

    def to_json(self) -> dict[str, Json]:
        """As a mapping that ``json.dumps`` takes.

        >>> given = ClipOptions(VideoOptions(products=("alpha",)), ".mov")
        >>> ClipOptions.from_json(given.to_json()) == given
        True
        """
        value: dict[str, Json] = to_json(self)
        return value

    @staticmethod
    def from_json(value: Mapping[str, Json]) -> ClipOptions:
        """The options from their mapping.

        Raises:
            OptionError: a name is unknown, or a value is not allowed.
        """
        return from_json(ClipOptions, value)


@dataclass(frozen=True)
class ClipProgress:
    """The progress of a clip.

    Attributes:
        frames: number of finished frames.
        of: number of all frames, if the file says so; otherwise None.
        fps: frames per second.
        left_s: seconds until the last frame; None if unknown.
    """

    frames: int
    of: int | None = None
    fps: float | None = None
    left_s: float | None = None


@dataclass(frozen=True)
class ClipOutput:
    """One result of a clip.

    Attributes:
        product: ``cutout``, ``composite``, ``alpha`` or ``foreground``.
        name: a file name: the clip's name with the product and the suffix.
        media_type: e.g. ``video/webm``.
        size: in bytes.
        result: the name of the bytes in the store.
        details: facts about it: ``codec``, ``timestamps_off_s``, ``alpha``.
    """

    product: str
    name: str
    media_type: str
    size: int
    result: str
    details: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


def in_words(background: str) -> bool:
    """Whether a background is given by text alone: no path and no URL.

    >>> in_words("blur:20"), in_words("green-screen"), in_words("/etc/passwd"), in_words("https://a.example/b.png")
    (True, True, False, False)

    Raises:
        OptionError: the text is wrong, see ``parse_background``.
    """
    text = background.strip()
    named = GREEN_SCREEN if text == "green-screen" else text
    is_path = isinstance(parse_background(named), PictureBackground)
    return not is_path and not text.lower().endswith(tuple(VIDEO_SUFFIXES))
