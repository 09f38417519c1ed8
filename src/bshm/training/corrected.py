"""What people corrected by hand, as training data: pictures with ``NAME.bshm.json`` beside them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from bshm import geometry, magic
from bshm.errors import CorrectionsError, DataFolderError, NobodyThereError
from bshm.files import corrections as corrections_files
from bshm.files import decode, encode, sink
from bshm.matting import correcting, engines
from bshm.options import Limits, MatteOptions
from bshm.pipeline import Matting
from bshm.types import FloatArray, Picture

# Where `bshm.training.data.DataFolder.labelled` looks for them, below the folder of labels.
IMAGES, MASKS = Path("corrected") / "images", Path("corrected") / "masks"


def label_corrected(pictures: Path, out: Path, matting: Matting, report: Callable[[str], None]) -> int:
    """Write the corrected mask of every picture that has corrections beside it, and the picture.

    Args:
        pictures: a folder; it and those below it are looked into.
        out: gets ``corrected/images/NAME.jpg`` and ``corrected/masks/NAME.png``, grey with alpha: the mask, and how far
            it is believed.  That is fully within the reach of the corrections, elsewhere by how sure the network was.
        matting: makes the mattes that were corrected.
        report: is told of corrections that are left out, and why.

    Returns:
        how many were written; those that are there are written anew, as corrections change.

    Raises:
        DataFolderError: there are none that can be used.
        InputError: a picture cannot be read.
        OutputError: nothing can be written; ``DiskFullError`` where there is no room.
    """
    written = 0
    for name, path, marks in _pairs(pictures, report):
        picture = decode.open_picture(path)
        try:
            mask, belief = _corrected(picture, marks, matting)
        except (CorrectionsError, NobodyThereError) as error:
            report(f"{marks} is left out: {error}")
            continue
        rgb = geometry.in_depth(picture.pixels, np.uint8)
        sink.write(encode.encode(rgb, "jpg", quality=95), out / IMAGES / f"{name}.jpg", overwrite=True)
        levels = [Image.fromarray((plane * 255 + 0.5).astype(np.uint8)) for plane in (mask, belief)]
        file = io.BytesIO()
        Image.merge("LA", levels).save(file, "PNG")
        sink.write(file.getvalue(), out / MASKS / f"{name}.png", overwrite=True)
        written += 1
    if not written:
        raise DataFolderError(
            f"{pictures} has no picture with corrections (NAME{corrections_files.SUFFIX}) that can be used. "
            "docs/corrections.md says how they are made."
        )
    return written


def _pairs(pictures: Path, report: Callable[[str], None]) -> Iterator[tuple[str, Path, Path]]:
    """A name for the results, the picture, and its corrections."""
    for marks in sorted(pictures.rglob(f"*{corrections_files.SUFFIX}")):
        stem = marks.name.removesuffix(corrections_files.SUFFIX)
        found = [each for each in sorted(marks.parent.iterdir()) if each.stem == stem and _is_picture(each)]
        if not found:
            report(f"{marks} is left out: there is no picture beside it.")
        for each in found:
            # Two of one stem: the look of the picture decides which of them is meant.
            name = "_".join(each.relative_to(pictures).with_suffix("").parts)
            yield name if len(found) == 1 else f"{name}.{each.suffix[1:].lower()}", each, marks


def _is_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return magic.sniff(file.read(magic.HEAD_BYTES)) is not None


def _corrected(picture: Picture, marks: Path, matting: Matting) -> tuple[FloatArray, FloatArray]:
    """The alpha with its corrections, and how far it is believed: (H, W) float32 each, 0..1."""
    corrections = corrections_files.read(marks)
    correcting.check(corrections, picture.pixels, picture.name)
    trimap = corrections_files.opened_trimap(corrections, Limits())
    before = matting.matte_picture(picture, MatteOptions(decontaminate=False, corrections=None))
    detail = partial(engines.detail, matting.engine)
    found = correcting.apply(picture.pixels, before.alpha, before.mask, corrections, detail, trimap)
    mask = before.alpha if before.mask is None else geometry.enlarge(before.mask, picture.size_hw)
    belief = np.abs(2 * mask - 1)
    belief[found.reach] = 1
    return found.alpha, belief.astype(np.float32, copy=False)
