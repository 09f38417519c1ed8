"""Makes the README picture from the sample: before, on a checkerboard, over a colour, over its own blur."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import bshm
from bshm.files import encode, sink

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Write docs/pictures/before-after.png."""
    matte = bshm.matte(ROOT / "image-matting" / "1.png")
    height, width = matte.picture.size_hw
    rows, columns = np.indices((height, width)) // 16 % 2
    squares = np.where((rows + columns) % 2, 205, 245).astype(np.uint8)
    checkerboard = np.repeat(squares[..., None], 3, axis=2)
    parts = [matte.picture.pixels, matte.over(checkerboard), matte.over("#2f6fb3"), matte.over("blur")]
    pixels = np.concatenate(parts, axis=1)
    sink.write(
        encode.encode(pixels, "png", quality=95), ROOT / "docs" / "pictures" / "before-after.png", overwrite=True
    )


if __name__ == "__main__":
    main()
