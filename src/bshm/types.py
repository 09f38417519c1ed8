"""Shared types: a decoded ``Picture``, and ``Run``, which says what processed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bshm.errors import ShapeError

FloatArray = npt.NDArray[np.float32]
PixelArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class Box(NamedTuple):
    """A rectangle of whole pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright, with what must survive into the output.

    Attributes:
        pixels: (H, W, 3) uint8 or uint16, RGB in the colour space of ``icc_profile`` (sRGB when None).
        alpha: (H, W), the dtype of ``pixels``, or None: the transparency that the file already had.
        name: what messages call it: a path, a URL, ``<bytes>``, ``stdin``.
        format: the container it came in, in lower case (``jpeg``, ``png``, ``tiff``, …, ``array``).
        icc_profile: the embedded colour profile, to be embedded again; None when there was none.
        dpi: (x, y) pixels per inch; None when not stated.
        exif: what describes the photograph, upright (`bshm.files.exif.kept`), to be embedded again; None without any.
        frames: pictures in the file; only the first is used.
    """

    pixels: PixelArray
    alpha: PixelArray | None = None
    name: str = "<array>"
    format: str = "array"
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    frames: int = 1

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16):
            raise ShapeError(
                f"a picture needs (H, W, 3) uint8 or uint16; {self.name} has {pixels.shape} {pixels.dtype}."
            )
        if self.alpha is not None and (self.alpha.shape != pixels.shape[:2] or self.alpha.dtype != pixels.dtype):
            raise ShapeError(
                f"the alpha of a picture needs {pixels.shape[:2]} {pixels.dtype}; "
                f"{self.name} has {self.alpha.shape} {self.alpha.dtype}."
            )

    def __repr__(self) -> str:
        # A dataclass would print the pixels.
        height, width = self.size_hw
        return f"<Picture {self.name}: {width} x {height} px, {self.bit_depth} bit, {self.format}>"

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def bit_depth(self) -> int:
        """8 or 16."""
        return 8 * self.pixels.dtype.itemsize


@dataclass(frozen=True)
class Run:
    """What ran: never what was asked for.

    Attributes:
        model: name of the weights.
        model_sha256: hash of the card's weight files, as `bshm models` prints it.
        device: ``cpu``, ``cuda:0``, …
        timings_ms: milliseconds by stage, in the order of the flow.
    """

    model: str
    model_sha256: str
    device: str
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "timings_ms", MappingProxyType(dict(self.timings_ms)))

    def __reduce__(self) -> tuple[type[Run], tuple[str, str, str, dict[str, float]]]:
        # What cannot be changed cannot be pickled or copied either, but for this.
        return Run, (self.model, self.model_sha256, self.device, dict(self.timings_ms))
