"""Video: from a clip to a clip with alpha, or from frames to mattes.

``convert`` takes files, ``matte_frames`` takes arrays.  Reading and writing files needs PyAV: ``pip install
'bshm[video]'``.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bshm.video.conversion import convert as convert
    from bshm.video.frames import matte_frames as matte_frames
    from bshm.video.marks import FrameCorrections as FrameCorrections
    from bshm.video.marks import read_corrections as read_corrections
    from bshm.video.options import VideoOptions as VideoOptions
    from bshm.video.result import Converted as Converted

_HOMES = {
    "Converted": "bshm.video.result",
    "FrameCorrections": "bshm.video.marks",
    "VideoOptions": "bshm.video.options",
    "convert": "bshm.video.conversion",
    "matte_frames": "bshm.video.frames",
    "read_corrections": "bshm.video.marks",
}
__all__ = ["Converted", "FrameCorrections", "VideoOptions", "convert", "matte_frames", "read_corrections"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bshm.video' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
