"""Networks that make coarse masks, and the consensus of several of them.

They make different mistakes, so their consensus is a better teacher than each of them: on a hundred pictures that none
was trained on, the median of three was wrong in 1.5 % of the pixels, each single one in 2.4 to 3.2 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bshm.errors import DataFolderError, MissingExtraError, OptionError, option
from bshm.pipeline import Matting
from bshm.training.data import Bytes
from bshm.types import FloatArray, Picture

Teacher = Callable[[Bytes], FloatArray]
# Teachers that are not models of bshm, and the files that they need.
FOREIGN = {
    "mediapipe": "selfie_segmentation.tflite, in the wheel of mediapipe 0.10.14",
    "deeplab": "DeepLabV3 MobileNetV2 of google-coral/test_data, cut before its last operator, ArgMax",
}
_DEEPLAB_PX, _DEEPLAB_PERSON = 513, 15


def teacher(name: str) -> Teacher:
    """Open the network called ``name``: a model in `bshm models`, ``mediapipe=FILE`` or ``deeplab=FILE``.

    Returns:
        a function from (H, W, 3) uint8 RGB to (H, W) float32, 0..1; the mean over the picture and its mirror image.

    Raises:
        OptionError: the teacher is unknown, or its file is not given.
        DataFolderError: the file does not exist.
        MissingExtraError: the package that opens the file is not installed.
        CheckpointError: the file holds another network.
        UnknownModelError: no model has that name.
    """
    kind, _, file = name.partition("=")
    if kind not in FOREIGN and file:
        raise OptionError(f"{option('teacher')} takes a model, mediapipe=FILE or deeplab=FILE; got {name!r}.")
    if kind in FOREIGN and not file:
        raise OptionError(f"{option('teacher')} {kind} needs its file: {kind}=FILE ({FOREIGN[kind]}).")
    if file and not Path(file).is_file():
        raise DataFolderError(f"there is no file {file} for the teacher {kind}. It needs {FOREIGN[kind]}.")
    look = {"mediapipe": _mediapipe, "deeplab": _deeplab}[kind](Path(file)) if file else _own(name)

    def both(image: Bytes) -> FloatArray:
        mirrored = look(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
        return ((look(image) + mirrored) / 2).astype(np.float32)

    return both


def consensus(masks: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Combine the masks of several teachers.

    It takes the mean of their median and of the first two, which are the best.

    Args:
        masks: of one picture, (H, W) float32, 0..1 each.

    Returns:
        mask: (H, W) float32, 0..1, that mean sharpened.
        belief: (H, W) float32, 0..1, the distance of the mean from one half: how reliable the mask is.

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
        # The power removes faint values far from people; the consensus was measured with it.
        return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) ** 3, np.float32)

    return look
