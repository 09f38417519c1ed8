"""Networks that write coarse masks, and what several of them agree on.

Each is wrong in other places, so their consensus is a better teacher than any member: on a hundred pictures that none
had learned from, 1.5 % of the pixels of the median of three were wrong, and 2.4 to 3.2 % of each member's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bshm.errors import DataFolderError, MissingExtraError, OptionError
from bshm.pipeline import Matting
from bshm.training.data import Bytes
from bshm.types import FloatArray, Picture

Teacher = Callable[[Bytes], FloatArray]
# What a teacher is that is no model of bshm, and the file that it is opened from.
FOREIGN = {
    "mediapipe": "selfie_segmentation.tflite, in the wheel of mediapipe 0.10.14",
    "deeplab": "DeepLabV3 MobileNetV2 of google-coral/test_data, cut before its last operator, ArgMax",
}
_DEEPLAB_PX, _DEEPLAB_PERSON = 513, 15


def teacher(name: str) -> Teacher:
    """The network called ``name``: a model that `bshm models` lists, or ``mediapipe=FILE`` or ``deeplab=FILE``.

    Returns:
        from (H, W, 3) uint8 RGB to (H, W) float32, 0..1; the mean over the picture and its mirror image.

    Raises:
        OptionError: a teacher of another kind, or without its file.
        DataFolderError: the file is not there.
        MissingExtraError: what opens it is not installed.
        CheckpointError: it holds another network.
        UnknownModelError: no model has that name.
    """
    kind, _, file = name.partition("=")
    if kind not in FOREIGN and file:
        raise OptionError(f"--teacher takes a model, mediapipe=FILE or deeplab=FILE; got {name!r}.")
    if kind in FOREIGN and not file:
        raise OptionError(f"--teacher {kind} needs its file: {kind}=FILE ({FOREIGN[kind]}).")
    if file and not Path(file).is_file():
        raise DataFolderError(f"the teacher's file {file} is not there. It is {FOREIGN[kind]}.")
    look = {"mediapipe": _mediapipe, "deeplab": _deeplab}[kind](Path(file)) if file else _own(name)

    def both(image: Bytes) -> FloatArray:
        mirrored = look(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
        return ((look(image) + mirrored) / 2).astype(np.float32)

    return both


def consensus(masks: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """What several teachers agree on.

    The mean of their median and of the first two, which are the best: whom one of three contradicts is still heard.

    Args:
        masks: of one picture, (H, W) float32, 0..1 each.

    Returns:
        mask: (H, W) float32, 0..1, that mean sharpened.
        belief: (H, W) float32, 0..1, how far the mean is from one half: how far the mask is to be believed.

    >>> yes, doubt = np.ones((1, 1), np.float32), np.full((1, 1), 0.4, np.float32)
    >>> [float(plane[0, 0]) for plane in consensus([yes, yes, doubt])], float(consensus([yes, doubt])[1][0, 0].round(2))
    ([1.0, 1.0], 0.4)
    """
    stack = np.stack(masks)
    mean = np.concatenate([np.median(stack, axis=0)[None], stack[:2]]).mean(0)
    sharp = mean**2 / (mean**2 + (1 - mean) ** 2)
    return sharp.astype(np.float32), np.abs(2 * mean - 1).astype(np.float32)


def _own(name: str) -> Teacher:
    matting = Matting(model=name)
    return lambda image: matting.matte_picture(Picture(image)).alpha


def _mediapipe(path: Path) -> Teacher:
    import torch

    from bshm.training.network.selfie import SelfieNetwork

    network = SelfieNetwork().eval()
    network.load_mediapipe(path)

    def look(image: Bytes) -> FloatArray:
        height, width = image.shape[:2]
        small = cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA)
        with torch.no_grad():
            mask = network(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255)[0, 0].numpy()
        return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    return look


def _deeplab(path: Path) -> Teacher:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtraError("the teacher deeplab needs ai-edge-litert: pip install ai-edge-litert") from error
    interpreter: Any = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    seen, found = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = found["quantization"]

    def look(image: Bytes) -> FloatArray:
        height, width = image.shape[:2]
        ratio = _DEEPLAB_PX / max(height, width)
        small = cv2.resize(image, (round(width * ratio), round(height * ratio)), interpolation=cv2.INTER_AREA)
        canvas = np.full((1, _DEEPLAB_PX, _DEEPLAB_PX, 3), 127, np.uint8)
        canvas[0, : small.shape[0], : small.shape[1]] = small
        interpreter.set_tensor(seen["index"], canvas)
        interpreter.invoke()
        logits = interpreter.get_tensor(found["index"])[0, : small.shape[0], : small.shape[1]].astype(np.float32)
        logits = (logits - zero) * scale if scale else logits
        odds = np.exp(logits - logits.max(axis=2, keepdims=True))
        mask = odds[..., _DEEPLAB_PERSON] / odds.sum(axis=2)
        # Its masks are soft far from people, too; as the consensus was measured.
        return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) ** 3, np.float32)

    return look
