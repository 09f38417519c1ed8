"""Islands of doubt: patches, in the mask and after matting, that are nobody.

A patch is nobody when it is nowhere more likely a person than not; when the mask is not sure of it and the network that
finds middles and joints of people finds none there; or when matting left it behind, far from everybody.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bshm.types import FloatArray

# Connected above this; and a person somewhere above that.
_TRACE, _EVEN = 0.02, 0.5
# Alpha is looked at in cells of this many pixels a side: strands with gaps narrower than that hold together.
_CELL_PX = 4
# An island is nobody where the odds of its mask times the evidence for a body in it, to this power, are below that.
# Chosen on 500 pictures that training saw, 186 strangers' photographs and 137 composites together: on the last two, 25
# islands go, of which 4 were parts of people, all of less than a fortieth of the picture.
_EVIDENCE_POWER, _NOBODY_BELOW = 3.5, 0.05
# A surer island stays in any case: of a picture's only people; and beside others, where it may be a part of one of them
# that something hides the rest of, as an arm.
_SURE_ALONE, _SURE_BESIDE = 0.9, 0.7
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


def questionable(mask: FloatArray) -> bool:
    """Whether an island of a (h, w) mask is so unsure that ``drop_bodiless`` might drop it."""
    _, _, sureness = _islands(mask)
    return bool((sureness < _SURE_ALONE).any())


def drop_bodiless(mask: FloatArray, body: FloatArray) -> FloatArray:
    """The mask without unsure islands in which no middle and no joint of a person is found: animals, food, chairs.

    Args:
        mask: (h, w) float32, 0..1.
        body: (h2, w2) float32, 0..1: how likely there is the middle or a joint of somebody; of any size.

    Returns:
        (h, w) float32, 0..1, a new array.

    >>> mask, body = np.zeros((8, 24), np.float32), np.zeros((8, 24), np.float32)
    >>> mask[2:6, 2:6] = mask[2:6, 10:14] = 0.6
    >>> body[4, 12] = 0.9
    >>> drop_bodiless(mask, body)[3, [3, 11]].round(1).tolist()
    [0.0, 0.6000000238418579]
    """
    islands, count, sureness = _islands(mask)
    height, width = mask.shape
    found = cv2.resize(body, (width, height), interpolation=cv2.INTER_LINEAR)
    evidence = np.zeros(count, np.float32)
    np.maximum.at(evidence, islands, found)
    odds = sureness / np.maximum(1 - sureness, np.float32(1e-3))
    nobody = odds * np.clip(evidence, 0, 1) ** _EVIDENCE_POWER < _NOBODY_BELOW
    nobody[0] = True  # all around the islands
    nobody &= sureness < (_SURE_ALONE if nobody.all() else _SURE_BESIDE)
    nobody[0] = False
    return np.where(nobody[islands], np.float32(0), mask)


def _islands(mask: FloatArray) -> tuple[npt.NDArray[np.int32], int, FloatArray]:
    """Island of each pixel, how many with what is around them, which is the first, and how sure the mask is of each.

    The mean of the mask, each pixel counted by its own probability: a soft edge takes little from it.
    """
    count, labels = cv2.connectedComponents((mask > _TRACE).astype(np.uint8), connectivity=8)
    total = np.bincount(labels.ravel(), weights=mask.ravel(), minlength=count)
    squares = np.bincount(labels.ravel(), weights=np.square(mask).ravel(), minlength=count)
    sureness = (squares / np.maximum(total, 1e-6)).astype(np.float32)
    sureness[0] = 1
    return labels.astype(np.int32, copy=False), count, sureness


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
