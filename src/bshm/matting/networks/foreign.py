"""Imported networks: run as their card says, for the roles ``mask``, ``alpha`` and ``rgba``.

The three stages of this package know their own networks.  This module is for all others: the official BSHM graph, its
conversions, and portrait matting networks that somebody wants to compare with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.errors import ModelFileError, option
from bshm.runtime.session import Session
from bshm.types import FloatArray, PixelArray
from bshm.weights.card import Look, Network, Preprocessing, Signature

# Beyond it the longer side is squeezed, as in geometry: a strip of panorama must not fill the memory.
_LONGEST_FACTOR = 4


def input_size(height: int, width: int, preprocessing: Preprocessing, look: Look) -> tuple[int, int]:
    """Height and width that a network sees a picture at.

    Args:
        height: of the picture, at least 1.
        width: of the picture, at least 1.
        preprocessing: its fixed size, where it has one, and the multiple of its sides.
        look: the size that the set chose, where it has none.

    >>> input_size(1080, 1920, Preprocessing(multiple_px=32), Look(shortest_px=512))
    (512, 896)
    >>> input_size(1080, 1920, Preprocessing(size_hw=(320, 320)), Look()), input_size(9, 7, Preprocessing(), Look())
    ((320, 320), (9, 7))
    """
    if preprocessing.size_hw is not None:
        return preprocessing.size_hw
    goal, scale = 0, 1.0
    if look.side_px:
        goal = look.side_px
        scale = goal / float(height * width) ** 0.5
    elif look.shortest_px:
        goal = look.shortest_px
        scale = goal / min(height, width)
    multiple = preprocessing.multiple_px

    def side(length: int) -> int:
        wanted = max(multiple, round(length * scale / multiple) * multiple)
        return min(wanted, max(1, _LONGEST_FACTOR * goal // multiple) * multiple) if goal else wanted

    return side(height), side(width)


def network_input(pixels: PixelArray, preprocessing: Preprocessing, look: Look) -> npt.NDArray[Any]:
    """The whole picture as the network takes it.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        preprocessing: of its card.
        look: likewise.

    Returns:
        (1, 3, h, w), (1, h, w, 3) or (h, w, 3) by ``layout``, of ``dtype``, a new array.
    """
    size = input_size(pixels.shape[0], pixels.shape[1], preprocessing, look)
    seen = pixels if size == pixels.shape[:2] else geometry.shrink(pixels, size)
    if preprocessing.order == "BGR":
        seen = seen[..., ::-1]
    image = seen.astype(np.float32)
    image *= np.float32(preprocessing.white / np.iinfo(seen.dtype).max)
    if any(preprocessing.mean):
        image -= np.asarray(preprocessing.mean, np.float32)[:: _step(preprocessing)]
    if preprocessing.std != (1.0, 1.0, 1.0):
        image /= np.asarray(preprocessing.std, np.float32)[:: _step(preprocessing)]
    if preprocessing.dtype == "uint8":
        image = np.rint(image)
    if preprocessing.layout == "NCHW":
        image = image.transpose(2, 0, 1)
    return np.ascontiguousarray(image if preprocessing.layout == "HWC" else image[None], preprocessing.dtype)


def _step(preprocessing: Preprocessing) -> int:
    return -1 if preprocessing.order == "BGR" else 1


def predict(session: Session, network: Network, pixels: PixelArray, *, exact: bool = False) -> FloatArray:
    """The answer of a network from elsewhere, at the size at which it gives it.

    Args:
        session: the network, opened.
        network: its entry on the card, with a signature.
        pixels: (H, W, 3) uint8 or uint16, RGB.
        exact: leave values as the network gives them where its greatest is not ``white``.

    Returns:
        (h, w) float32, 0..1, of the whole picture.

    Raises:
        ModelFileError: the network does not answer what its card says.
    """
    signature = _signature(network)
    size = input_size(pixels.shape[0], pixels.shape[1], network.preprocessing, network.look)
    image = network_input(pixels, network.preprocessing, network.look)
    answer = session.run({signature.image: image})[signature.answer]
    return plane(answer, network, size, exact=exact)


def alpha(session: Session, network: Network, pixels: PixelArray, *, exact: bool = False) -> FloatArray:
    """``predict``, brought to the picture's size: alpha (H, W) float32, 0..1."""
    found = predict(session, network, pixels, exact=exact)
    return geometry.enlarge(found, (pixels.shape[0], pixels.shape[1]))


def plane(answer: npt.NDArray[Any], network: Network, size_hw: tuple[int, int], *, exact: bool = False) -> FloatArray:
    """Alpha out of what a network answers.

    The rule for a network whose people's insides stay below ``white`` (the official one cuts values off and gives 254
    where 255 is meant): alpha is ``value / opaque``, at most 1, so that 254 and 255 are both fully opaque and no level
    moves by more than one.  ``exact`` takes ``value / white``.

    Args:
        answer: (h, w), (1, h, w), (h, w, c), (c, h, w) or one of those with a batch axis of 1.
        network: its entry on the card.
        size_hw: of its input, which tells the axes of an answer with three of them apart.
        exact: do not stretch.

    Returns:
        (h, w) float32, 0..1, a new array.

    Raises:
        ModelFileError: the answer has other axes, no such channel, or values that are no numbers.
    """
    signature = _signature(network)
    stack = _channels_first(answer, network, size_hw)
    if not -len(stack) <= signature.channel < len(stack):
        raise ModelFileError(
            f"{network.file} answers {len(stack)} channels, its card asks for number {signature.channel}. "
            "Correct channel on the card."
        )
    if signature.activation == "softmax":
        stack = np.exp(stack - stack.max(axis=0, keepdims=True))
        stack /= stack.sum(axis=0, keepdims=True)
    found: FloatArray = stack[signature.channel].astype(np.float32)
    if signature.activation == "sigmoid":
        found = np.asarray(1 / (1 + np.exp(-np.clip(found, -60, 60))), np.float32)
    elif signature.activation == "minmax":
        low, high = float(found.min()), float(found.max())
        found = np.asarray((found - low) / max(high - low, 1e-6), np.float32)
    scale = signature.white if exact or signature.opaque is None else signature.opaque
    found *= np.float32(1 / scale)
    if not np.isfinite(found.sum(dtype=np.float64)):
        raise ModelFileError(
            f"{network.file} returns values that are not numbers (NaN). Try {option('device')} cpu, or a file of "
            "another precision."
        )
    # Multiplying by 1 / 255 can end a hair below 1 where the value was 255.
    found[found > 1 - 1e-6] = 1
    return np.clip(found, 0.0, 1.0, out=found)


def _channels_first(answer: npt.NDArray[Any], network: Network, size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    array = answer[0] if answer.ndim == 4 and answer.shape[0] == 1 else answer
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3:
        # By the sizes where they tell, else by the layout of the input.
        first, last = array.shape[1:] == size_hw, array.shape[:2] == size_hw
        if (last and not first) or (first == last and network.preprocessing.layout != "NCHW"):
            array = array.transpose(2, 0, 1)
    if array.ndim == 3 and array.size:
        height, width = array.shape[1:]
        # It may be coarser than the input, but of its shape: rounding moves a side by one.
        same = abs(height - size_hw[0] * width / size_hw[1]) <= 1 and 32 * height >= size_hw[0]
        if not same:
            raise ModelFileError(
                f"{network.file} answers {answer.shape} to an input of {size_hw[0]}x{size_hw[1]}: that is no alpha of "
                "the whole picture. Name another output on its card."
            )
    else:
        raise ModelFileError(
            f"{network.file} answers {answer.shape}; one plane of alpha is needed: height and width, with or without "
            "channels, and a batch axis of 1 at most. Name another output on its card."
        )
    return np.asarray(array, np.float32)


def _signature(network: Network) -> Signature:
    if network.signature is None:
        raise ModelFileError(f"the card says nothing about how {network.file} is called. Give it a signature.")
    return network.signature
