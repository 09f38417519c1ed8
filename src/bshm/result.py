"""``Matte``: the people of a picture, and what can be made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bshm.edit import composite
from bshm.edit.arrange import arranged, encoded
from bshm.edit.background import Background, backdrop, is_blur
from bshm.edit.spec import OutputOptions
from bshm.edit.words import NO_MARGINS, parse_margins, parse_position, parse_scale
from bshm.errors import ShapeError
from bshm.files import encode, sink
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
        people: one (H, W) float32 plane, 0..1, for each person, the share of ``alpha`` that is theirs; None where they
            were not told apart.
        doubtful: 0..1, the share of the people's area where the mask does not say whether it is a person, the soft
            edge left out; see ``bshm.matting.refine.doubt.doubtful``.  None where the weights have no mask to tell by.
    """

    picture: Picture
    alpha: FloatArray
    foreground: PixelArray
    ran: Run
    people: tuple[FloatArray, ...] | None = None
    doubtful: float | None = None

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

        for plane in self.people or ():
            if plane.shape != self.alpha.shape or plane.dtype != np.float32:
                raise ShapeError(
                    f"a matte needs people {self.alpha.shape} float32, one plane each; got {plane.shape} {plane.dtype}."
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
