"""Coarse masks without hands: a teacher network looks at unlabelled pictures and writes what it believes.

The first teacher is MediaPipe's selfie segmentation; later rounds use bshm's own weights.  Such masks are right in
most places and wrong in patches, which is what the paper means by coarse.  A later round writes the mean of its own
and the earlier mask: where the two disagree it is near one half, and training leaves such pixels nearly out.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from bshm.errors import DataFolderError, MissingExtraError
from bshm.io import sink
from bshm.pipeline import Matting
from bshm.training.data import PORTRAITS, Bytes, read_image, read_mask
from bshm.types import FloatArray, Picture

Teacher = Callable[[Bytes], FloatArray]

# Frames of a clip look alike; the one long clip of people walking by gives more.
_FRAMES = 8
_LONG_CLIP_FRAMES = 80
_LONG_CLIP_FROM = 1500


def teacher(name: str) -> Teacher:
    """The network called ``name``: ``mediapipe``, or a model that `bshm models` lists.

    Returns:
        from (H, W, 3) uint8 RGB to (H, W) float32, 0..1; the mean over the picture and its mirror image.

    Raises:
        MissingExtraError: MediaPipe is asked for and not installed.
        UnknownModelError: no model has that name.
    """
    look = _mediapipe() if name == "mediapipe" else _own(name)

    def both(image: Bytes) -> FloatArray:
        mirrored = look(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
        return ((look(image) + mirrored) / 2).astype(np.float32)

    return both


def _mediapipe() -> Teacher:
    try:
        mediapipe = importlib.import_module("mediapipe")
        network = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    except (ImportError, AttributeError) as error:
        raise MissingExtraError(
            "the teacher `mediapipe` needs mediapipe 0.10.14, the last release that carries its network: "
            "pip install mediapipe==0.10.14 'numpy<2', in an environment of its own."
        ) from error

    def look(image: Bytes) -> FloatArray:
        mask: FloatArray = network.process(image).segmentation_mask
        return mask

    return look


def _own(name: str) -> Teacher:
    matting = Matting(model=name)
    return lambda image: matting.matte_picture(Picture(image)).alpha


def label(data: Path, out: Path, look: Teacher, report: Callable[[str], None], *, earlier: Path | None = None) -> int:
    """Write a mask for every unlabelled picture under ``data``, and frames with masks for every video.

    Args:
        data: the folder of docs/training.md, or any folder of pictures.
        out: gets the same sub-folders, a PNG a picture; videos become ``video/images`` and ``video/masks``.
        look: the teacher.
        earlier: what an earlier round wrote; the mean of both masks is written.  The street pictures, whose masks
            were drawn by hand over superpixels, then get one too.

    Returns:
        how many masks were written; those that are there already stay.

    Raises:
        DataFolderError: no pictures, or one that cannot be read, or has no earlier mask.
        OutputError: a mask cannot be written; ``DiskFullError`` where there is no room.
    """
    written = 0
    for source, image, image_out, mask_out in _pictures(data, out, by_hand=earlier is not None):
        if mask_out.exists():
            continue
        if image_out is not None:
            bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            sink.write(bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]), image_out, overwrite=True)
        mask = look(image)
        if earlier is not None:
            before = _earlier(data, earlier, mask_out.relative_to(out), mask.shape)
            mask = ((mask + before) / 2).astype(np.float32, copy=False)
        # Whole or not at all: a mask that is there is not made again.
        encoded = cv2.imencode(".png", (mask * 255 + 0.5).astype(np.uint8))[1]
        sink.write(bytes(encoded), mask_out, overwrite=True)
        written += 1
        if written % 100 == 0:
            report(f"{written} masks, last {source}")
    if not out.is_dir():
        raise DataFolderError(
            f"{data} has no pictures to label. docs/training.md shows the folders that are looked into."
        )
    return written


def _earlier(data: Path, earlier: Path, relative: Path, size_hw: tuple[int, ...]) -> FloatArray:
    """The mask of an earlier round, or the one drawn by hand: (H, W) float32, 0..1."""
    drawn = relative.parent == Path("ccp/images")
    mask = read_mask(data / "ccp" / "masks" / relative.name if drawn else earlier / relative, None)
    if mask.shape != size_hw:
        raise DataFolderError(
            f"the earlier mask {relative} is {mask.shape[1]}x{mask.shape[0]}, its picture {size_hw[1]}x{size_hw[0]}."
        )
    return (mask.astype(np.float32) / np.float32(255)).astype(np.float32, copy=False)


def _pictures(data: Path, out: Path, *, by_hand: bool) -> Iterator[tuple[str, Bytes, Path | None, Path]]:
    """Name, picture, where to keep the picture itself (frames only), where its mask goes."""
    folders = [data / "portraits" / name for name in PORTRAITS] + [data / "ccp" / "unlabelled"]
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
