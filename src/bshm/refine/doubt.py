"""Islands of doubt: patches that the mask takes for a person nowhere with more than even odds."""

from __future__ import annotations

import cv2
import numpy as np

from bshm.types import FloatArray

# Connected above this; and a person somewhere above that.
_TRACE, _EVEN = 0.02, 0.5


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
    _, islands = cv2.connectedComponents((mask > _TRACE).astype(np.uint8), connectivity=8)
    sure = np.zeros(int(islands.max()) + 1, bool)
    sure[islands[mask > _EVEN]] = True
    return np.where(sure[islands], mask, np.float32(0))
