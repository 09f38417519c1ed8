"""Reading pictures back in tests."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image


def opened(path: str | Path) -> Image.Image:
    """The picture at ``path``, decoded, with the file closed."""
    picture = Image.open(io.BytesIO(Path(path).read_bytes()))
    picture.load()
    return picture
