"""Islands of doubt: patches, in the mask and after matting, that are nowhere more likely a person than not."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bshm.types import FloatArray

# Connected above this; and a person somewhere above that.
_TRACE, _EVEN = 0.02, 0.5
# Alpha is looked at in cells of this many pixels a side: strands with gaps narrower than that hold together.
_CELL_PX = 4
# A mask that says neither: between these.
_NO, _YES = 0.2, 0.8
# A mask is unsure along every edge.  Half the width of the widest such band, as a share of the mask's side: half of
# that counts hair as doubt here and there; on most photographs both give the same within a hundredth.
_EDGE_SHARE = 1 / 64


def doubtful(mask: FloatArray) -> float:
    """How much of the people the mask leaves open: patches that may be a person or not.

    What is counted is the area where the mask lies between 0.2 and 0.8, without the bands of it that are no wider than
    a soft edge (a thirty-second of the mask's side), over all of the area where it is above 0.2.

    Args:
        mask: (h, w) float32, 0..1, the probability of a person.

    Returns:
        0..1; 0 for sure people with soft edges, and where nobody is; 1 for nothing but doubt.

    >>> mask = np.zeros((64, 64), np.float32)
    >>> mask[8:24, 8:24] = 1
    >>> doubtful(mask)
    0.0
    >>> mask[40:56, 8:24] = 0.5
    >>> doubtful(mask)
    0.5
    """
    people = int(np.count_nonzero(mask > _NO))
    return int(np.count_nonzero(open_patches(mask))) / people if people else 0.0


def open_patches(mask: FloatArray) -> npt.NDArray[np.bool_]:
    """(h, w) bool: the patches that ``doubtful`` counts in a (h, w) mask."""
    open_ = ((mask > _NO) & (mask < _YES)).astype(np.uint8)
    width = 2 * round((mask.shape[0] * mask.shape[1]) ** 0.5 * _EDGE_SHARE) + 1
    return cv2.morphologyEx(open_, cv2.MORPH_OPEN, np.ones((width, width), np.uint8)) > 0


def drop_doubtful(mask: FloatArray) -> FloatArray:
    """The mask without its islands that nowhere reach one half.

    A soft edge belongs to something sure; a faint patch on its own is a poster, a statue or a coat on a hook, and would
    be left as a ghost beside the cut-out.  Islands that are sure somewhere stay as they are, down to their faintest
    hair, and so does every hole.

    Args:
        mask: (h, w) float32, 0..1.

    Returns:
        (h, w) float32, 0..1, a new array.

    >>> mask = np.zeros((4, 9), np.float32)
    >>> mask[1:3, 1:3], mask[1, 2] = 0.4, 0.9  # faint, but it holds on to something sure
    >>> mask[1:3, 6:8] = 0.4
    >>> drop_doubtful(mask)[1].tolist() == [0.0, *mask[1, 1:3].tolist(), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    True
    """
    return np.where(_with_any((mask > _TRACE).astype(np.uint8), mask > _EVEN), mask, np.float32(0))


def drop_loose(alpha: FloatArray, held: npt.NDArray[np.bool_]) -> FloatArray:
    """Alpha without what hangs on to nobody: twigs, scratches and patches of background that matting takes for hair.

    Args:
        alpha: (H, W) float32, 0..1; changed in place.
        held: (H, W) bool, where there was somebody before matting.

    Returns:
        ``alpha``, 0 in every island none of which was held.

    >>> alpha = np.zeros((8, 40), np.float32)
    >>> alpha[2, :20], alpha[2, 30:33] = 0.3, 0.3  # a strand, and a scratch far from it
    >>> held = np.zeros((8, 40), bool)
    >>> held[2, :2] = True
    >>> (drop_loose(alpha, held)[2, [0, 19, 31]] > 0).tolist()
    [True, True, False]
    """
    traced = _cells(alpha > _TRACE)
    loose = (traced != 0) & ~_with_any(traced, _cells(held) != 0)
    if loose.any():
        pixels = loose.repeat(_CELL_PX, axis=0).repeat(_CELL_PX, axis=1)[: alpha.shape[0], : alpha.shape[1]]
        alpha[pixels] = 0
    return alpha


def _with_any(traced: npt.NDArray[np.uint8], points: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where the islands of ``traced`` are that have one of ``points``; all around them counts as one more."""
    _, islands = cv2.connectedComponents(traced, connectivity=8)
    found = np.zeros(int(islands.max()) + 1, bool)
    found[islands[points]] = True
    return np.asarray(found[islands], bool)


def somebody(alpha: FloatArray) -> npt.NDArray[np.bool_]:
    """(H, W) bool: where a person is likelier than not."""
    return alpha > _EVEN


def _cells(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Which cells have a pixel of ``plane``: (ceil(H / _CELL_PX), ceil(W / _CELL_PX)) uint8, 0 for none."""
    height, width = (-(-side // _CELL_PX) for side in plane.shape)
    whole = np.zeros((height * _CELL_PX, width * _CELL_PX), np.uint8)
    whole[: plane.shape[0], : plane.shape[1]] = plane
    whole *= 255  # the mean of a cell with one pixel must not be rounded to nothing
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
