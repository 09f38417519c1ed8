"""Automatic coarse masks: teacher networks label pictures.

Such masks are right in most places and wrong in patches, which is what the paper calls coarse.  Several teachers give
their consensus, with a reliability for each pixel.  A later round can include the masks of an earlier one; where they
disagree, training nearly ignores the pixels.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bshm.errors import DataFolderError
from bshm.files import sink
from bshm.training import outlines
from bshm.training.data import PORTRAITS, Bytes, read_image, read_mask
from bshm.training.teachers import Teacher, consensus
from bshm.types import FloatArray

# Frames of a clip look alike; the one long clip of people walking by gives more.
_FRAMES = 8
_LONG_CLIP_FRAMES = 80
_LONG_CLIP_FROM = 1500
_WIDE = Path("wide/people")


def label(
    data: Path,
    out: Path,
    teachers: Sequence[Teacher],
    report: Callable[[str], None],
    *,
    earlier: Path | None = None,
    drawn: Path | None = None,
) -> int:
    """Write a mask for every unlabelled picture under ``data``, and frames with masks for every video.

    Args:
        data: the folder of docs/training.md, or any folder of pictures.
        out: output folder with the same sub-folders and a PNG per picture; videos become ``video/images`` and
            ``video/masks``.  With several teachers, the PNG is grey with alpha: the mask and its reliability.
        teachers: best first; several are combined by ``consensus``.
        earlier: output of an earlier round; it is averaged with the mask of one teacher, or counts as one more of
            several.  Street pictures, whose masks were drawn by hand over superpixels, are then labelled, too.
        drawn: corrections of the masks of ``wide`` (``bshm.training.outlines``); the set's own masks, corrected, are
            written for these pictures, and no teacher is asked.

    Returns:
        number of written masks; existing ones are kept.

    Raises:
        DataFolderError: there are no pictures, or one cannot be read or has no earlier mask; or ``drawn`` cannot be
            read.
        OutputError: a mask cannot be written; ``DiskFullError`` if the disk is full.
    """
    written = 0
    by_hand = {} if drawn is None else outlines.read(drawn)
    for source, image, image_out, mask_out in _pictures(data, out, by_hand=earlier is not None):
        if mask_out.exists():
            continue
        if image_out is not None:
            bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            sink.write(bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]), image_out, overwrite=True)
        relative = mask_out.relative_to(out)
        planes: Sequence[FloatArray]
        if relative.parent == _WIDE and relative.stem in by_hand:
            planes = _drawn(data, by_hand[relative.stem], relative, image.shape[:2])
        else:
            masks = [look(image) for look in teachers]
            if earlier is not None:
                masks.append(_earlier(data, earlier, relative, image.shape[:2]))
            # One teacher's mean says by itself how reliable it is.
            planes = consensus(masks) if len(teachers) > 1 else (np.mean(masks, axis=0, dtype=np.float32),)
        # Whole or not at all: a mask that is there is not made again.
        sink.write(_encoded(planes), mask_out, overwrite=True)
        written += 1
        if written % 100 == 0:
            report(f"{written} masks, last {source}")
    if not out.is_dir():
        raise DataFolderError(
            f"{data} has no pictures to label. docs/training.md shows the folders that are looked into."
        )
    return written


def _encoded(planes: Sequence[FloatArray]) -> bytes:
    """A PNG of a mask, grey, and where it is given its belief, alpha."""
    levels = [Image.fromarray((plane * 255 + 0.5).astype(np.uint8)) for plane in planes]
    file = io.BytesIO()
    (Image.merge("LA", levels) if len(levels) > 1 else levels[0]).save(file, "PNG")
    return file.getvalue()


def _drawn(
    data: Path, corrections: outlines.RegionEdits, relative: Path, size_hw: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """The mask of the set with what was drawn over it, and its belief: (H, W) float32 each, 0..1."""
    mask = _mask(data / "wide" / "masks" / f"{relative.stem}.webp", size_hw)
    return corrections.applied(mask, np.abs(2 * mask - 1))


def _earlier(data: Path, earlier: Path, relative: Path, size_hw: tuple[int, ...]) -> FloatArray:
    """The mask of an earlier round, or the one drawn by hand: (H, W) float32, 0..1."""
    drawn = relative.parent == Path("ccp/images")
    return _mask(data / "ccp" / "masks" / relative.name if drawn else earlier / relative, size_hw)


def _mask(path: Path, size_hw: tuple[int, ...]) -> FloatArray:
    """The mask at ``path``, which must have the size of its picture: (H, W) float32, 0..1."""
    mask = read_mask(path, None)
    if mask.shape != size_hw:
        raise DataFolderError(
            f"the mask {path} is {mask.shape[1]}x{mask.shape[0]}, its picture {size_hw[1]}x{size_hw[0]}."
        )
    return (mask.astype(np.float32) / np.float32(255)).astype(np.float32, copy=False)


def _pictures(data: Path, out: Path, *, by_hand: bool) -> Iterator[tuple[str, Bytes, Path | None, Path]]:
    """Name, picture, where to keep the picture itself (frames only), where its mask goes."""
    folders = [data / "portraits" / name for name in PORTRAITS]
    folders += [data / "ccp" / "unlabelled", data / "wide" / "people"]
    if by_hand:
        folders.append(data / "ccp" / "images")
    known = [folder for folder in folders if folder.is_dir()]
    for folder in known or [data]:
        for path in sorted(p for p in folder.glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")):
            relative = path.relative_to(data)
            yield str(relative), read_image(path, None), None, (out / relative).with_suffix(".png")
    for path in sorted((data / "video").glob("*")):
        for index, image in _frames(path):
            name = f"{path.name.split('.')[0]}_{index:05d}"
            yield name, image, out / "video" / "images" / f"{name}.jpg", out / "video" / "masks" / f"{name}.png"


def _frames(path: Path) -> Iterator[tuple[int, Bytes]]:
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    picks = _LONG_CLIP_FRAMES if count > _LONG_CLIP_FROM else _FRAMES
    for index in np.linspace(0, max(0, count - 1), picks).astype(int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        found, frame = capture.read()
        if found:
            yield int(index), cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    capture.release()
