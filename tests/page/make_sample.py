"""Make the page's sample pictures with the weights in the box: python tests/page/make_sample.py

Run it again when the weights change: the cut-out on the empty page is what `bshm` makes, and nothing else.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import bshm

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/bshm/web"
SAMPLE = ROOT / "image-matting/1.png"
# Head and shoulders of the sample, shown twice as large on screens with small pixels.
CROP = (55, 0, 395, 340)
SHOWN = (680, 680)


def main() -> None:
    picture = Image.open(SAMPLE).convert("RGB")
    picture.save(STATIC / "sample.jpg", quality=92, subsampling=0)
    cutout = Image.fromarray(bshm.Matting().matte(SAMPLE).cutout(), "RGBA")
    for name, image in (("sample-before.webp", picture), ("sample-cutout.webp", cutout)):
        image.crop(CROP).resize(SHOWN, Image.Resampling.LANCZOS).save(STATIC / name, quality=88, method=6)


if __name__ == "__main__":
    main()
