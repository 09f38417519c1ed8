"""``Matte``: the people of a picture, and what can be made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bshm import composite
from bshm.backdrop import Background, backdrop, is_blur
from bshm.crop import Box, arrange, foreground_box
from bshm.errors import ShapeError
from bshm.io import encode, sink
from bshm.options import OutputOptions
from bshm.placing import NO_MARGINS, Margins, parse_margins, parse_position, parse_scale
from bshm.shadow import drop, under
from bshm.types import FloatArray, Picture, PixelArray, Run

# Below this share of the picture nobody is there: a face of 16x16 px in a 12-megapixel photograph is 0.002 %.
EMPTY_SHARE = 2e-5


@dataclass(frozen=True)
class Matte:
    """The people of a picture.

    Attributes:
        picture: the picture it was made of.
        alpha: (H, W) float32, 0..1, straight; 1 is fully a person.
        foreground: (H, W, 3), dtype and colour space of ``picture.pixels``: straight colour of the people with the
            old background taken out of soft edges.  Where alpha is 0 its value has no meaning.
        ran: model, device and timings.
    """

    picture: Picture
    alpha: FloatArray
    foreground: PixelArray
    ran: Run

    def __post_init__(self) -> None:
        if self.alpha.shape != self.picture.size_hw or self.alpha.dtype != np.float32:
            raise ShapeError(
                f"a matte needs alpha {self.picture.size_hw} float32; got {self.alpha.shape} {self.alpha.dtype}."
            )
        if self.foreground.shape != self.picture.pixels.shape or self.foreground.dtype != self.picture.pixels.dtype:
            raise ShapeError(
                f"a matte needs foreground {self.picture.pixels.shape} {self.picture.pixels.dtype}; "
                f"got {self.foreground.shape} {self.foreground.dtype}."
            )

    def __repr__(self) -> str:
        # A dataclass would print the pixels.
        height, width = self.picture.size_hw
        nobody = ", nobody" if self.is_empty else ""
        return f"<Matte of {self.picture.name}: {width} x {height} px{nobody}; {self.ran.model} on {self.ran.device}>"

    @property
    def is_empty(self) -> bool:
        """Whether nobody was found."""
        return float(np.count_nonzero(self.alpha > 0.5)) < max(1.0, EMPTY_SHARE * self.alpha.size)

    def cutout(self) -> PixelArray:
        """The people as (H, W, 4) RGBA, dtype of the picture, straight alpha, colour 0 where alpha is 0."""
        return composite.cutout(self.foreground, self.alpha)

    def over(self, background: Background) -> PixelArray:
        """The people over something else.

        Args:
            background: a colour (``"white"``, ``"#1e90ff"``, an RGB triple 0..255), a picture (path, URL, bytes, PIL
                image, array; scaled to cover and cropped), or ``"blur"`` / ``"blur:RADIUS"`` of the original.

        Returns:
            (H, W, 3), dtype of the picture.
        """
        return composite.over(self.foreground, self.alpha, backdrop(background, self.picture, self.alpha))

    def pixels(self, options: OutputOptions) -> PixelArray:
        """What ``encode`` writes: the cut-out, the alpha, or the people over ``options.background``; cropped, placed
        and with a shadow as the options say.

        Returns:
            (H, W, 4), (H, W) with ``alpha_only`` or (H, W, 3) with a background, dtype of the picture.

        >>> import bshm, skimage
        >>> found = bshm.matte(skimage.data.astronaut())
        >>> people = found.pixels(bshm.OutputOptions(crop=True, crop_margin="20px", shadow=True))
        >>> people.shape[0] < 512 + 40, people.shape[2]
        (True, 4)
        """
        background = options.background
        # Made of the original, it is cropped with it; all else fills what the people end up on.
        behind = backdrop(background, self.picture, self.alpha) if is_blur(background) else None
        colour, alpha, behind = arranged(
            self.foreground,
            self.alpha,
            behind,
            shadow=options.shadow,
            crop=options.crop,
            margins=NO_MARGINS if options.crop_margin is None else parse_margins(options.crop_margin),
            scale=None if options.scale is None else parse_scale(options.scale),
            position=None if options.position is None else parse_position(options.position),
        )
        if options.alpha_only:
            return composite.levels(alpha, self.picture.pixels.dtype)
        if background is None:
            return composite.cutout(colour, alpha)
        if behind is None:
            behind = backdrop(background, replace(self.picture, pixels=colour, alpha=None), alpha)
        return composite.over(colour, alpha, behind)

    def encode(self, options: OutputOptions) -> bytes:
        """The bytes of a picture file with what ``pixels`` gives.

        The profile and the resolution of the original are kept, and its EXIF unless ``options.strip_metadata``; 16-bit
        pictures stay 16-bit where the format can.
        """
        return encoded(self.pixels(options), self.picture, options)

    def save(self, path: str | Path, options: OutputOptions | None = None) -> Path:
        """Write the cut-out, whole or not at all; without ``options.format`` the suffix of ``path`` picks the format.

        Raises:
            OptionError: the suffix names no format, or the format cannot hold what is asked for.
            OutputExistsError: ``path`` is there and ``options.overwrite`` is off.
            OutputError: it cannot be written; nothing half-written is left.
        """
        options = options or OutputOptions()
        if options.format is None:
            options = replace(options, format=encode.format_of(path))
        return sink.write(self.encode(options), Path(path), overwrite=options.overwrite)


def arranged(
    colour: PixelArray,
    alpha: FloatArray,
    behind: PixelArray | None,
    *,
    shadow: float,
    crop: bool,
    margins: Margins,
    scale: float | None,
    position: tuple[float, float] | None,
) -> tuple[PixelArray, FloatArray, PixelArray | None]:
    """The people with their shadow, cropped and placed.

    Where there is nobody the whole picture is what is cropped to, scaled and placed.

    Args:
        colour: (H, W, 3), straight.
        alpha: (H, W) float32, 0..1.
        behind: (H, W, 3): cropped with the people, but neither scaled nor moved; or None.
        shadow: how dark a shadow the people throw, 0 (none) to 1; it does not widen a crop.
        crop, margins, scale, position: as in ``bshm.crop.arrange``.

    Returns:
        The three, of one size; those given where nothing is asked for.
    """
    moves = crop or scale is not None or position is not None
    box = (foreground_box(alpha) if moves else None) or Box(0, 0, *alpha.shape)
    if shadow:
        colour, alpha = under(colour, alpha, (0, 0, 0), drop(alpha) * np.float32(shadow))
    if not moves:
        return colour, alpha, behind
    layers = [colour, alpha]
    moved: list[Any] = arrange(layers, box, crop=crop, margins=margins, scale=scale, position=position)
    if behind is not None and crop:
        (cropped,) = arrange([behind], box, crop=True, margins=margins, mirrored=True)
        behind = cropped  # type: ignore[assignment]
    # The weights of a resize may add up to a hair more than 1.
    return moved[0], np.minimum(moved[1], np.float32(1)), behind


def encoded(pixels: PixelArray, picture: Picture, options: OutputOptions) -> bytes:
    """The bytes of a file with pixels made of ``picture``, whose profile, resolution and EXIF are kept."""
    return encode.encode(
        pixels,
        options.format or "png",
        quality=options.quality,
        icc_profile=picture.icc_profile if pixels.ndim == 3 else None,  # one of colours, not of a grey alpha
        dpi=picture.dpi,
        exif=None if options.strip_metadata else picture.exif,
    )
