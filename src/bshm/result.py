"""``Matte``: the people of a picture, and the results that can be made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from bshm.corrections import Corrections
from bshm.edit import composite
from bshm.edit.background import AnyBackground, Paints, background_of
from bshm.edit.crop import is_nobody
from bshm.edit.render import compose, render
from bshm.edit.spec import Edit
from bshm.edit.words import ColorBackground, PictureBackground
from bshm.errors import OptionError, ShapeError, option
from bshm.files import sink
from bshm.files.decode import open_picture
from bshm.files.source import Source
from bshm.files.suffixes import format_of_result
from bshm.matting import foreground as colours
from bshm.matting.verdict import Verdict, judge
from bshm.types import FloatArray, Picture, PixelArray, Run


@dataclass(frozen=True)
class Matte:
    """The people of a picture.

    Attributes:
        picture: the original picture.
        alpha: (H, W) float32, 0..1, straight; 1 is fully a person.
        foreground: (H, W, 3), dtype and colour space of ``picture.pixels``: straight colour of the people, without the
            old background in soft edges.  Undefined where alpha is 0.
        ran: model, device and timings.
        people: (H, W) float32 each, 0..1, from left to right: each person's part of ``alpha``, which is their sum;
        where hair covers somebody else, both have a share.  None without ``MatteOptions.tell_apart``.
        depth: indices of ``people`` from the back to the front, as far as known.
        doubtful: 0..1, the share of the people's area where the mask is unsure, without soft edges; see
            ``bshm.matting.refine.doubt.doubtful``.  None if the model has no mask.
        corrections: those that were applied, drawn by hand; None for none.
        notes: remarks on how it was made, in words.
        mask: (h, w) float32, 0..1, of any size: the mask from which ``alpha`` was made; None if the model has none.
        decontaminated: whether the old background was removed from ``foreground``, or its colour is the picture's.
    """

    picture: Picture
    alpha: FloatArray
    foreground: PixelArray
    ran: Run
    people: tuple[FloatArray, ...] | None = None
    depth: tuple[int, ...] = ()
    doubtful: float | None = None
    mask: FloatArray | None = None
    corrections: Corrections | None = None
    notes: tuple[str, ...] = ()
    decontaminated: bool = True

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

    @classmethod
    def of_cutout(cls, cutout: Picture) -> Matte:
        """The matte that a cut-out holds, so that more can be made of it; no network runs.

        Args:
            cutout: a picture with transparency, straight, as ``encode`` writes it; it may have been touched up since.

        Raises:
            ShapeError: it has no transparency.

        >>> from bshm.files.decode import open_picture
        >>> rgba = np.zeros((4, 4, 4), np.uint8)
        >>> rgba[1:, :, :] = (200, 10, 10, 255)
        >>> back = Matte.of_cutout(open_picture(rgba))
        >>> float(back.alpha[0, 0]), back.foreground[0, 0].tolist()
        (0.0, [200, 10, 10])
        """
        if cutout.alpha is None:
            raise ShapeError(f"a cut-out needs transparency; {cutout.name} has none. Make one with matte().")
        alpha = cutout.alpha.astype(np.float32) / np.float32(np.iinfo(cutout.alpha.dtype).max)
        # A cut-out is black where nothing is, and that would darken edges that are scaled.
        colour = composite.spread(cutout.pixels, cutout.alpha)
        return cls(replace(cutout, pixels=colour, alpha=None), alpha, colour, Run("", "", ""))

    def __repr__(self) -> str:
        # A dataclass would print the pixels.
        height, width = self.picture.size_hw
        nobody = ", nobody" if self.is_empty else ""
        return f"<Matte of {self.picture.name}: {width} x {height} px{nobody}; {self.ran.model} on {self.ran.device}>"

    @property
    def is_empty(self) -> bool:
        """Whether nobody was found."""
        return is_nobody(self.alpha)

    @cached_property
    def verdict(self) -> Verdict | None:
        """How reliable the matte is, and what to look at; None if the model has no mask.

        >>> import bshm, skimage
        >>> verdict = bshm.matte(skimage.data.astronaut()).verdict
        >>> 0 < verdict.score < 1, [reason.code for reason in verdict.reasons if reason.code.startswith("cut")]
        (True, ['cut-left', 'cut-bottom'])
        """
        # Computed only when needed: video does not use it.
        return None if self.mask is None else judge(self.picture.pixels, self.mask, self.alpha)

    def colour_of(self, some: FloatArray, colour: PixelArray) -> PixelArray:
        """The colour of some of the people, with that of the others taken out of the edges that they share.

        Args:
            some: (H, W) float32, 0..1, one of ``people`` or a sum of them.
            colour: (H, W, 3) uint8 or uint16, that of all of them, as ``foreground``.

        Returns:
            (H, W, 3), dtype of ``colour``; itself where colours are left as they are (``decontaminated``).
        """
        if not self.decontaminated:
            return colour
        return colours.estimate_among(colour, some, self.alpha)

    def cutout(self) -> PixelArray:
        """The people as (H, W, 4) RGBA, dtype of the picture, straight alpha, colour 0 where alpha is 0."""
        return composite.cutout(self.foreground, self.alpha)

    def over(self, background: AnyBackground) -> PixelArray:
        """Put the people on another background.

        Args:
            background: a colour (``"white"``, ``"#1e90ff"``, an RGB triple 0..255), a picture (path, URL, bytes, PIL
                image, array; scaled to cover and cropped), or ``"blur"`` / ``"blur:RADIUS"`` of the original.

        Returns:
            (H, W, 3), dtype of the picture.

        Raises:
            OptionError: the colour or the radius is not valid, or the colour is not opaque.
            InputError: the picture cannot be read.
        """
        wanted, given = background_of(background)
        if isinstance(wanted, ColorBackground) and wanted.opacity < 1:
            raise OptionError(f"{option('background')} must be opaque in over(). Use pixels() for other colours.")
        return compose(self, Edit(background=wanted), given).pixels()

    def pixels(self, edit: Edit | None = None, *, background: Source | Paints | None = None) -> PixelArray:
        """The pixels that ``encode`` writes: the cut-out, the alpha, or the people on ``edit.background``, with all
        other options of the edit.

        Args:
            edit: what to make; None is the cut-out.
            background: a background picture that is not a file or is already open: bytes, a PIL image, an array, …;
                replaces ``edit.background``.  Or the ``Painter`` for ``edit.background_prompt``.

        Returns:
            (H, W, 4), (H, W) with ``edit.alpha`` or (H, W, 3) over an opaque background, dtype of the picture.

        Raises:
            OptionError, RegionError, InputError, MemoryExhaustedError: see ``bshm.edit.render.render``.

        >>> import bshm, skimage
        >>> found = bshm.matte(skimage.data.astronaut())
        >>> people = found.pixels(bshm.Edit(crop=True, crop_margin="20px", shadow=True))
        >>> people.shape[0] < 512 + 40, people.shape[2]
        (True, 4)
        """
        edit, given = _with_picture(edit, background)
        return compose(self, edit, given).pixels()

    def encode(self, edit: Edit | None = None, *, background: Source | Paints | None = None) -> bytes:
        """The bytes of a picture file with the result of ``pixels``, or of a zip.

        The profile and the resolution of the original are kept, and its EXIF unless ``edit.strip_metadata``; 16-bit
        pictures stay 16-bit if the format allows it.

        Args:
            edit, background: as in ``pixels``.

        Raises:
            OptionError, RegionError, InputError, MemoryExhaustedError: see ``bshm.edit.render.render``.
        """
        edit, given = _with_picture(edit, background)
        return render(self, edit, given).data

    def save(
        self,
        path: str | Path,
        edit: Edit | None = None,
        *,
        background: Source | Paints | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the result, completely or not at all; without ``edit.format``, the suffix of ``path`` decides the
        format.

        Args:
            path: the file to write.
            edit, background: as in ``pixels``.
            overwrite: replace an existing file.

        Raises:
            OptionError: the suffix is unknown, the format is ``auto``, or it cannot hold the result.
            OutputExistsError: ``path`` exists and ``overwrite`` is off.
            OutputError: the file cannot be written; no partial file is left.
        """
        edit, given = _with_picture(edit, background)
        if edit.format == "auto":
            raise OptionError(
                f"{option('format')}: auto is for results without a file name. Leave it out; the suffix decides."
            )
        if edit.format is None:
            edit = replace(edit, format=format_of_result(path))
        return sink.write(render(self, edit, given).data, Path(path), overwrite=overwrite)


def _with_picture(edit: Edit | None, background: Source | Paints | None) -> tuple[Edit, Picture | Paints | None]:
    edit = edit or Edit()
    if background is None or isinstance(background, Paints):
        return edit, background
    return replace(edit, background=PictureBackground()), open_picture(background)
