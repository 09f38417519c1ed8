"""The result of converting a clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class AlphaCheck:
    """How alpha came back from a file.

    Attributes:
        frames: how many were compared in full; a thumbnail of each of the others was.
        exact: every level came back.
        mean_change, largest_change: of alpha, 0..1.
    """

    frames: int
    exact: bool
    mean_change: float
    largest_change: float


@dataclass(frozen=True)
class Written:
    """One file, read back.

    Attributes:
        product: ``cutout``, ``composite``, ``alpha`` or ``foreground``.
        path: where it is.
        codec: of its pictures.
        frames: how many came back.
        timestamps_off_s: how far the furthest timestamp is from the source's; containers round.
        alpha: how alpha came back; None where the file has none.
    """

    product: str
    path: Path
    codec: str
    frames: int
    timestamps_off_s: float
    alpha: AlphaCheck | None

    def facts(self) -> dict[str, Any]:
        """What is told of it as JSON: codec, how far times are off, and what became of alpha."""
        return {
            "codec": self.codec,
            "timestamps_off_s": round(self.timestamps_off_s, 6),
            "alpha": None
            if self.alpha is None
            else {
                "exact": self.alpha.exact,
                "mean_change": round(self.alpha.mean_change, 6),
                "largest_change": round(self.alpha.largest_change, 6),
                "frames_compared": self.alpha.frames,
            },
        }


@dataclass(frozen=True)
class Converted:
    """What became of one clip.

    Attributes:
        source: the clip.
        size_hw: height and width of the outputs.
        frames: how many.
        duration_s: how long.
        outputs: by product.
        model, model_sha256, device: what ran.
        seconds: how long it took.
        copied: codecs of the audio and subtitles that were copied.
        notes: what a person should know: what was left out, what was assumed.
        empty: nobody was found in any frame.
        corrected: of each of ``VideoOptions.corrections`` the first and the last frame that it reaches.
        lost: where one person was followed, the frames without that person, each from the first to the last of a row.
    """

    source: Path
    size_hw: tuple[int, int]
    frames: int
    duration_s: float
    outputs: Mapping[str, Written]
    model: str
    model_sha256: str
    device: str
    seconds: float
    copied: tuple[str, ...]
    notes: tuple[str, ...]
    empty: bool
    lost: tuple[tuple[int, int], ...] = ()
    corrected: tuple[tuple[int, int], ...] = ()
