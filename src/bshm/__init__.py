"""Human matting: a picture of people in, the people with a true alpha channel out.

>>> import bshm
>>> matte = bshm.matte("image-matting/1.png")
>>> matte.alpha.shape, matte.cutout().shape
((512, 512), (512, 512, 4))
"""

from __future__ import annotations

import importlib
import os

from bshm import errors as errors
from bshm._version import __version__ as __version__
from bshm.errors import *  # noqa: F403 - the whole tree, light as it is

# Not from `typing`: it takes long to load, and at the start of a command Ctrl-C would show a trace meanwhile.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bshm.corrections import Corrections as Corrections
    from bshm.corrections import Stroke as Stroke
    from bshm.edit.spec import Edit as Edit
    from bshm.generating.painter import Painter as Painter
    from bshm.options import Limits as Limits
    from bshm.options import MatteOptions as MatteOptions
    from bshm.pipeline import Matting as Matting
    from bshm.pipeline import matte as matte
    from bshm.result import Matte as Matte
    from bshm.types import Picture as Picture
    from bshm.types import Run as Run

# Nothing is sent anywhere.  onnxruntime reports to its maker unless it finds this when it is loaded, by whomever: here,
# by a library, or in a process that is started from here and inherits it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Importing bshm loads nothing heavy: each name is fetched from its module when it is first used.
_HOMES = {
    "Corrections": "bshm.corrections",
    "Edit": "bshm.edit.spec",
    "Limits": "bshm.options",
    "Matte": "bshm.result",
    "MatteOptions": "bshm.options",
    "Matting": "bshm.pipeline",
    "Painter": "bshm.generating.painter",
    "Picture": "bshm.types",
    "Run": "bshm.types",
    "Stroke": "bshm.corrections",
    "matte": "bshm.pipeline",
}
__all__ = [
    "Corrections",
    "Edit",
    "Limits",
    "Matte",
    "MatteOptions",
    "Matting",
    "Painter",
    "Picture",
    "Run",
    "Stroke",
    "__version__",
    "matte",
]
__all__ += errors.__all__


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bshm' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
