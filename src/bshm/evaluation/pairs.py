"""Find pictures and their true alphas in a folder.

Two layouts, alone or in sub-folders, and a sub-folder is a kind of picture (``portrait``, ``group``, …):

    FOLDER/images/NAME.jpg    FOLDER/alphas/NAME.png          (FOLDER/trimaps/NAME.png, FOLDER/counted/NAME.png)
    FOLDER/NAME.jpg           FOLDER/NAME.alpha.png           (FOLDER/NAME.trimap.png, FOLDER/NAME.counted.png)

Kinds may stand above or below ``images``: ``FOLDER/group/images/1.jpg`` and ``FOLDER/images/group/1.jpg`` are both of
the kind ``group``, the latter with ``FOLDER/alphas/group/1.png``.  ``IMAGE_FOLDERS``, ``ALPHA_FOLDERS`` and
``TRIMAP_FOLDERS`` list the names that are understood; where a folder has several of them, the first in the list counts.
Beside each other, ``NAME_alpha.png`` and ``NAME_trimap.png`` are understood too.

``counted`` is white where the alpha can be believed; the rest is left out of every error.  A mask that was drawn by
hand has places, such as a crowd far away, of which nobody can say what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from bshm.errors import DataFolderError, OptionError, SourceNotFoundError, option
from bshm.evaluation.metrics import BAND_PX, Region, unknown_band, unknown_of
from bshm.types import FloatArray, Picture, PixelArray

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif")

# The first of each is ours; the others are those of P3M-10k, PPM-100, AIM-500 and Composition-1k.
IMAGE_FOLDERS = ("images", "image", "original_image", "blurred_image", "original", "merged")
ALPHA_FOLDERS = ("alphas", "alpha", "masks", "mask", "mattes", "matte")
TRIMAP_FOLDERS = ("trimaps", "trimap")
COUNTED_FOLDERS = ("counted",)

# A grey JPEG that was saved in colour differs by this between its channels, from rounding; a photograph by far more.
GREY_SPREAD = 8 / 255

NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Pair:
    """A picture and its true alpha, not yet read.

    Attributes:
        name: path below the folder, without suffix, ``/`` between parts; unique.
        kind: the sub-folder it came from, ``""`` without one.
        picture: the picture's file.
        alpha: the alpha's file.
        trimap: the trimap's file; None without one.
        counted: the file that says which pixels count; None without one: all do.
    """

    name: str
    kind: str
    picture: Path
    alpha: Path
    trimap: Path | None = None
    counted: Path | None = None


@dataclass(frozen=True)
class Sample:
    """A pair that was read.

    Attributes:
        pair: where it came from.
        picture: the picture.
        reference: (H, W) float32, 0..1: the true alpha, the size of the picture.
        trimap: (H, W) uint8, 0 background, 255 foreground, else unknown; None without one.
        counted: (H, W) bool, the pixels that count; None when all do.
    """

    pair: Pair
    picture: Picture
    reference: FloatArray
    trimap: PixelArray | None = None
    counted: Region | None = None

    def band(self, *, band_px: int = BAND_PX) -> Region:
        """(H, W) bool, the unknown band: of the trimap where there is one, else ``unknown_band(reference)``.

        What does not count is not in it.
        """
        if self.trimap is not None:
            band = unknown_of(self.trimap.astype(np.uint8))
        else:
            band = unknown_band(self.reference, band_px=band_px)
        return band if self.counted is None else band & self.counted

    def shrunk(self, longest_px: int) -> Sample:
        """The same with its longer side at most ``longest_px``, by area averages: what a smaller camera would see."""
        height, width = self.picture.size_hw
        scale = longest_px / max(height, width)
        if scale >= 1:
            return self
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(self.picture.pixels, size, interpolation=cv2.INTER_AREA)
        reference = cv2.resize(self.reference, size, interpolation=cv2.INTER_AREA)
        trimap = self.trimap
        if trimap is not None:
            # Averages of unlike neighbours are neither 0 nor 255, and so unknown, as they should be.
            trimap = np.asarray(cv2.resize(trimap, size, interpolation=cv2.INTER_AREA), np.uint8)
        counted = self.counted
        if counted is not None:
            # A pixel that is partly of what does not count does not count.
            counted = np.asarray(cv2.resize(counted.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999)
        picture = replace(self.picture, pixels=cast(PixelArray, pixels), alpha=None, dpi=None)
        return Sample(self.pair, picture, np.clip(np.asarray(reference, np.float32), 0, 1), trimap, counted)


def find_pairs(folder: str | Path, *, limit: int | None = None) -> list[Pair]:
    """All pairs of a folder, by name; nothing is read yet.

    Args:
        folder: in one of the layouts of this module.
        limit: so many pairs at most, taken from each kind in turn; None takes all.

    Raises:
        SourceNotFoundError: there is no such folder.
        DataFolderError: no pairs, a picture without alpha, an alpha without picture, two files that fit one name, or a
            folder that may not be read.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("one.jpg", "one.alpha.png", "two.jpg", "two_alpha.png"):
    ...     (folder / name).touch()
    >>> [(pair.name, pair.alpha.name) for pair in find_pairs(folder)]
    [('one', 'one.alpha.png'), ('two', 'two_alpha.png')]
    """
    root = Path(folder)
    try:
        if not root.is_dir():
            raise SourceNotFoundError(
                f"bshm eval needs a folder of pictures with their alphas; {root} is not a folder."
            )
        pairs = sorted(_pairs_below(root, root), key=lambda pair: pair.name)
    except PermissionError as error:
        raise DataFolderError(f"{error.filename or root} cannot be read: permission denied.") from error
    if not pairs:
        raise DataFolderError(
            f"{root} has no pairs of picture and alpha. Expected images/NAME.jpg with alphas/NAME.png "
            "(or alpha, masks, mask), or NAME.jpg with NAME.alpha.png beside it."
        )
    return pairs if limit is None else _first(pairs, limit)


def read_sample(pair: Pair, *, longest_px: int | None = None) -> Sample:
    """The pair's picture and alpha, read and checked.

    Args:
        pair: from ``find_pairs``.
        longest_px: shrink both so that the longer side is at most this; None keeps the size.

    Raises:
        DataFolderError: picture and alpha differ in size, the alpha is a colour picture, or no pixel counts.
        InputError: one of the files cannot be read.
    """
    # Here, not above: the decoders need not be loaded to look for pairs.
    from bshm.files.decode import open_picture

    picture = open_picture(pair.picture)
    reference = alpha_of(open_picture(pair.alpha))
    if reference.shape != picture.size_hw:
        raise DataFolderError(
            f"picture and alpha need one size; {pair.picture} has {_size(picture.size_hw)}, "
            f"{pair.alpha} {_size(reference.shape)}. Leave the pair out, or make the alpha again."
        )
    trimap: PixelArray | None = None
    if pair.trimap is not None:
        trimap = np.round(alpha_of(open_picture(pair.trimap)) * 255).astype(np.uint8)
        if trimap.shape != picture.size_hw:
            raise DataFolderError(
                f"picture and trimap need one size; {pair.picture} has {_size(picture.size_hw)}, "
                f"{pair.trimap} {_size(trimap.shape)}. Leave the trimap out, or make it again."
            )
    counted: Region | None = None
    if pair.counted is not None:
        counted = alpha_of(open_picture(pair.counted)) > 0.5
        if counted.shape != picture.size_hw or not counted.any():
            raise DataFolderError(
                f"{pair.counted} should say which pixels of {pair.picture} ({_size(picture.size_hw)}) count; it is "
                f"{_size(counted.shape)}, and white in {np.count_nonzero(counted)} pixels. Leave the pair out, or make "
                "it again."
            )
    sample = Sample(pair, picture, reference, trimap, counted)
    return sample if longest_px is None else sample.shrunk(longest_px)


def alpha_of(picture: Picture) -> FloatArray:
    """The alpha that a file holds: its transparency where it has any, else its grey levels.

    Args:
        picture: 8 or 16 bit; a grey picture, or a cut-out.

    Returns:
        (H, W) float32, 0..1.

    Raises:
        DataFolderError: a colour picture without transparency.

    >>> grey = np.full((1, 2, 3), 51, np.uint8)
    >>> alpha_of(Picture(grey)).tolist()
    [[0.20000000298023224, 0.20000000298023224]]
    """
    top = np.float32(np.iinfo(picture.pixels.dtype).max)
    if picture.alpha is not None and int(picture.alpha.min()) < top:
        return picture.alpha.astype(np.float32) / top
    spread = picture.pixels.max(axis=2) - picture.pixels.min(axis=2)
    if int(spread.max()) > GREY_SPREAD * top:
        raise DataFolderError(
            f"{picture.name} should be an alpha, but is a colour picture without transparency. "
            "An alpha is a grey picture, white where the person is, or a cut-out."
        )
    # Green: the channel that JPEG keeps best, and the same as the others in a grey picture.
    return picture.pixels[:, :, 1].astype(np.float32) / top


def _pairs_below(folder: Path, root: Path) -> Iterator[Pair]:
    images = _first_folder(folder, IMAGE_FOLDERS)
    alphas = _first_folder(folder, ALPHA_FOLDERS)
    if images is not None and alphas is not None:
        hints = [_first_folder(folder, names) for names in (TRIMAP_FOLDERS, COUNTED_FOLDERS)]
        yield from _pairs_across(images, alphas, hints, folder, root)
        return
    if images is not None:
        raise DataFolderError(f"{folder} has {images.name}/ but no alphas: {', '.join(ALPHA_FOLDERS)} are looked for.")
    if alphas is not None:
        raise DataFolderError(
            f"{folder} has {alphas.name}/ but no pictures: {', '.join(IMAGE_FOLDERS)} are looked for."
        )
    yield from _pairs_beside(folder, root)
    for below in sorted(folder.iterdir()):
        if below.is_dir() and not below.name.startswith("."):
            yield from _pairs_below(below, root)


def _pairs_across(images: Path, alphas: Path, hints: list[Path | None], folder: Path, root: Path) -> Iterator[Pair]:
    """``images/`` against ``alphas/``, by the path below them without suffix; ``hints`` are trimaps and what counts."""
    pictures = _by_stem(images)
    answers = _by_stem(alphas)
    trimaps, counted = ({} if hint is None else _by_stem(hint) for hint in hints)
    _complain(folder, pictures.keys() - answers.keys(), f"in {images.name}/ without alpha in {alphas.name}/")
    _complain(folder, answers.keys() - pictures.keys(), f"in {alphas.name}/ without picture in {images.name}/")
    for stem, picture in pictures.items():
        above = folder.relative_to(root)
        kind = (above / stem).parent.as_posix()
        yield Pair(
            name=(above / stem).as_posix(),
            kind="" if kind == "." else kind,
            picture=picture,
            alpha=answers[stem],
            trimap=trimaps.get(stem),
            counted=counted.get(stem),
        )


def _pairs_beside(folder: Path, root: Path) -> Iterator[Pair]:
    """``NAME.jpg`` with ``NAME.alpha.png``; a folder without any alpha has no pairs and no faults."""
    found: dict[str, dict[str, Path]] = {"picture": {}, "alpha": {}, "trimap": {}, "counted": {}}
    for path in _pictures_in(folder.iterdir()):
        role, stem = "picture", path.stem
        for ending in ("alpha", "trimap", "counted"):
            if stem.endswith((f".{ending}", f"_{ending}")):
                role, stem = ending, stem[: -len(ending) - 1]
        if stem in found[role]:
            raise DataFolderError(f"{folder} has two files for one {role}: {found[role][stem].name} and {path.name}.")
        found[role][stem] = path
    pictures, alphas = found["picture"], found["alpha"]
    if not alphas:
        return
    _complain(folder, pictures.keys() - alphas.keys(), "without alpha (NAME.alpha.png) beside it")
    _complain(folder, alphas.keys() - pictures.keys(), "with an alpha but without picture beside it")
    above = folder.relative_to(root)
    kind = "" if folder == root else above.as_posix()
    for stem, picture in pictures.items():
        hints = found["trimap"].get(stem), found["counted"].get(stem)
        yield Pair((above / stem).as_posix(), kind, picture, alphas[stem], *hints)


def _by_stem(folder: Path) -> dict[str, Path]:
    """The pictures below a folder, by their path without suffix."""
    found: dict[str, Path] = {}
    for path in _pictures_in(folder.rglob("*")):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise DataFolderError(f"{folder} has two files of one name: {found[stem].name} and {path.name}.")
        found[stem] = path
    return found


def _pictures_in(paths: Iterable[Path]) -> list[Path]:
    # Names with a leading dot are the system's own, such as macOS's "._photo.jpg", which is no picture.
    fitting = (p for p in paths if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith("."))
    return sorted(path for path in fitting if path.is_file())


def _first_folder(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _complain(folder: Path, stems: Iterable[str], what: str) -> None:
    missing = sorted(stems)
    if not missing:
        return
    named = ", ".join(missing[:NAMED_AT_MOST])
    more = f" and {len(missing) - NAMED_AT_MOST} more" if len(missing) > NAMED_AT_MOST else ""
    raise DataFolderError(
        f"{folder} has {len(missing)} file(s) {what}: {named}{more}. Add what is missing, or remove them."
    )


def _first(pairs: list[Pair], limit: int) -> list[Pair]:
    """The first ``limit`` pairs, taken from each kind in turn, so that a short run has seen every kind."""
    if limit < 1:
        raise OptionError(f"{option('limit')} takes 1 or more; got {limit}.")
    by_kind: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_kind.setdefault(pair.kind, []).append(pair)
    turns = [(turn, pair) for group in by_kind.values() for turn, pair in enumerate(group)]
    chosen = sorted(turns, key=lambda item: (item[0], item[1].name))[:limit]
    return sorted((pair for _, pair in chosen), key=lambda pair: pair.name)


def _size(size_hw: tuple[int, ...]) -> str:
    return f"{size_hw[1]} x {size_hw[0]}"
