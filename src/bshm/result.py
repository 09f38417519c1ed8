"""``Matte``: the people of a picture, and what can be made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from bshm.corrections import Corrections
from bshm.edit import composite
from bshm.edit.background import AnyBackground, background_of
from bshm.edit.crop import is_nobody
from bshm.edit.render import compose, render
from bshm.edit.spec import Edit
from bshm.edit.words import ColorBackground, PictureBackground
from bshm.errors import OptionError, ShapeError, option
from bshm.files import sink
from bshm.files.decode import open_picture
from bshm.files.source import Source
from bshm.files.suffixes import format_of_result
from bshm.matting.verdict import Verdict, judge
from bshm.types import FloatArray, Picture, PixelArray, Run


@dataclass(frozen=True)
class Matte:
    """The people of a picture.

    Attributes:
        picture: the picture it was made of.
        alpha: (H, W) float32, 0..1, straight; 1 is fully a person.
        foreground: (H, W, 3), dtype and colour space of ``picture.pixels``: straight colour of the people with the
            old background taken out of soft edges.  Where alpha is 0 its value has no meaning.
        ran: model, device and timings.
        people: (H, W) float32 each, 0..1, from left to right: what is each one's of ``alpha``, to which they add up; a
            share where hair lies over another.  None unless ``MatteOptions.tell_apart``.
        depth: indices of ``people`` from the back to the front, as far as it can be told.
        doubtful: 0..1, the share of the people's area where the mask does not say whether it is a person, the soft
            edge left out; see ``bshm.matting.refine.doubt.doubtful``.  None where the weights have no mask to tell by.
        corrections: those that were laid on it, by hand; None for none.
        notes: what is to be told of how it was made, in words.
        mask: (h, w) float32, 0..1, of any size: the mask that ``alpha`` was made of; None where the weights have none.
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
        return is_nobody(self.alpha)

    @cached_property
    def verdict(self) -> Verdict | None:
        """How far to trust the matte, and what there is to look at; None where the weights have no mask to tell by.

        >>> import bshm, skimage
        >>> verdict = bshm.matte(skimage.data.astronaut()).verdict
        >>> 0 < verdict.score < 1, [reason.code for reason in verdict.reasons if reason.code.startswith("cut")]
        (True, ['cut-left', 'cut-bottom'])
        """
        # Worked out when it is asked for: a video has no use for it.
        return None if self.mask is None else judge(self.picture.pixels, self.mask, self.alpha)

    def cutout(self) -> PixelArray:
        """The people as (H, W, 4) RGBA, dtype of the picture, straight alpha, colour 0 where alpha is 0."""
        return composite.cutout(self.foreground, self.alpha)

    def over(self, background: AnyBackground) -> PixelArray:
        """The people over something else.

        Args:
            background: a colour (``"white"``, ``"#1e90ff"``, an RGB triple 0..255), a picture (path, URL, bytes, PIL
                image, array; scaled to cover and cropped), or ``"blur"`` / ``"blur:RADIUS"`` of the original.

        Returns:
            (H, W, 3), dtype of the picture.

        Raises:
            OptionError: a colour or a radius that is none, or a colour that is not opaque.
            InputError: a picture that cannot be read.
        """
        wanted, given = background_of(background)
        if isinstance(wanted, ColorBackground) and wanted.opacity < 1:
            raise OptionError(f"{option('background')} needs to be opaque in over(); pixels() takes any.")
        return compose(self, Edit(background=wanted), given).pixels()

    def pixels(self, edit: Edit | None = None, *, background: Source | None = None) -> PixelArray:
        """What ``encode`` writes: the cut-out, the alpha, or the people over ``edit.background``; cropped, placed and
        with a shadow as the edit says.

        Args:
            edit: what to make; None is the cut-out.
            background: a picture to lay the people over that is no file, or is open already: bytes, a PIL image, an
                array, …; it takes the place of ``edit.background``.

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

    def encode(self, edit: Edit | None = None, *, background: Source | None = None) -> bytes:
        """The bytes of a picture file with what ``pixels`` gives, or of a zip.

        The profile and the resolution of the original are kept, and its EXIF unless ``edit.strip_metadata``; 16-bit
        pictures stay 16-bit where the format can.

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
        background: Source | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the result, whole or not at all; without ``edit.format`` the suffix of ``path`` picks the format.

        Args:
            path: where to.
            edit, background: as in ``pixels``.
            overwrite: replace what is there.

        Raises:
            OptionError: the suffix names no format, or the format is ``auto`` or cannot hold what is asked for.
            OutputExistsError: ``path`` is there and ``overwrite`` is off.
            OutputError: it cannot be written; nothing half-written is left.
        """
        edit, given = _with_picture(edit, background)
        if edit.format == "auto":
            raise OptionError(
                f"{option('format')}: auto is for a file without a name; leave it out, the suffix picks it."
            )
        if edit.format is None:
            edit = replace(edit, format=format_of_result(path))
        return sink.write(render(self, edit, given).data, Path(path), overwrite=overwrite)


def _with_picture(edit: Edit | None, background: Source | None) -> tuple[Edit, Picture | None]:
    edit = edit or Edit()
    if background is None:
        return edit, None
    return replace(edit, background=PictureBackground()), open_picture(background)
