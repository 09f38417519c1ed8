"""The matting stage: what the layout of tiles costs, how it differs from one pass, and whether moving it shows.

    python benchmarks/tiles.py [rounds]

Layouts: bshm's rows of tiles as wide as the edge needs; square tiles on a grid (256 px, rim 16, fade 32), as before.
Cost is the pixels that go through the network, over the picture's, and time in turn.  Difference is to one pass over
the whole picture, in levels of 8 bits over pixels with alpha between 0.02 and 0.98; "moved" is the difference to the
same layout with its origin moved.  Threads: tiles side by side with one thread each, or one after the other with all
threads in each.  With weights that have no matting network nothing is measured.
"""

from __future__ import annotations

import statistics
import sys
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from hair import scene
from rounds import SIZES, in_turn, machine, ratio, target, write

from bshm import geometry
from bshm.matting.engines import Staged
from bshm.matting.networks import matting
from bshm.matting.refine import guided_filter
from bshm.pipeline import Matting
from bshm.runtime.providers import choose
from bshm.runtime.session import OnnxSession, Session, default_threads
from bshm.weights import catalogue, store

Floats = npt.NDArray[np.float32]


def by_tiles(session: Session, pixels: npt.NDArray[np.uint8], unified: Floats, guide: Floats, **options: int) -> Floats:
    """``matting.refine`` on a copy of the guide, which it changes."""
    return matting.refine(session, pixels, unified, guide.copy(), **options)


def one_pass(session: Session, pixels: npt.NDArray[np.uint8], unified: Floats, guide: Floats) -> Floats:
    """Alpha of the picture, its last rows and columns repeated until both sides are multiples of 16."""
    height, width = pixels.shape[:2]
    mask = geometry.enlarge(unified, (height, width))
    pad = ((0, -height % 16), (0, -width % 16))
    image = np.pad(pixels, (*pad, (0, 0)), mode="symmetric").transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    planes = {name: np.pad(plane, pad, mode="symmetric") for name, plane in (("mask", mask), ("guide", guide))}
    feeds = {"image": np.ascontiguousarray(image)[None], **{name: plane[None, None] for name, plane in planes.items()}}
    alpha = session.run(feeds)["alpha"][0, 0][:height, :width]
    return np.clip((alpha - matting._STRETCH) / (1 - 2 * matting._STRETCH), 0, 1)


def squares(unsure: npt.NDArray[np.bool_], size_hw: tuple[int, int]) -> int:
    """Pixels of square tiles of 256 px, rim 16, fade 32, whose inner part holds an unsure cell."""
    (height, width), (cells_h, cells_w) = size_hw, unsure.shape
    count = 0
    for top in range(-32, height, 192):
        rows = unsure[max(0, top) * cells_h // height : -(-min(top + 224, height) * cells_h // height)].any(axis=0)
        for left in range(-32, width, 192):
            count += bool(rows[max(0, left) * cells_w // width : -(-min(left + 224, width) * cells_w // width)].any())
    return count * 256 * 256


def main(rounds: int = 5) -> None:
    before = machine()
    opened = Matting().engine
    if not isinstance(opened, Staged) or "matting" not in opened.card.networks:
        print("  the default model has no matting network: nothing to measure")
        return
    network = opened.card.networks["matting"]
    data = store.read(catalogue.find(opened.card.name), network)
    alone, shared = (OnnxSession(data, network, choose("cpu"), threads) for threads in (1, default_threads()))
    report: dict[str, Any] = {"machine": before, "rounds": rounds, "sizes": {}}
    for name, size_hw in SIZES.items():
        pixels = scene(size_hw).pixels
        unified = opened.unify(pixels, opened.mask(pixels))
        guide = guided_filter.refine(pixels, unified)
        unsure = matting.unsure_cells(unified)
        ours = sum(tile.width * matting.TILE_PX for tile in matting.tiles(unsure, size_hw))
        entry: dict[str, Any] = {
            "unsure_share": round(float(unsure.mean()), 3),
            "network_share_rows": round(ours / pixels[..., 0].size, 3),
            "network_share_squares": round(squares(unsure, size_hw) / pixels[..., 0].size, 3),
        }
        times = in_turn(
            {
                "tiles side by side": partial(by_tiles, alone, pixels, unified, guide, threads=default_threads()),
                "threads in each tile": partial(by_tiles, shared, pixels, unified, guide, threads=1),
                "one thread": partial(by_tiles, alone, pixels, unified, guide, threads=1),
            },
            rounds,
        )
        entry["time"] = {way: ratio(taken, times["one thread"]) for way, taken in times.items()}
        found = by_tiles(alone, pixels, unified, guide)
        soft = (found > 0.02) & (found < 0.98)
        others = {f"moved by {px} px": by_tiles(alone, pixels, unified, guide, origin_px=px) for px in (8, 16, 40, 64)}
        if name == "1080p":  # one pass at 4K takes 3 GB
            others["one pass"] = one_pass(alone, pixels, unified, guide)
        entry["difference_levels"] = {
            kind: {
                "mean": round(255 * float(np.abs(other - found)[soft].mean()), 2),
                "99 %": round(255 * float(np.quantile(np.abs(other - found)[soft], 0.99)), 1),
            }
            for kind, other in others.items()
        }
        report["sizes"][name] = entry
        print(f"  {name}: {entry}")
    first = report["sizes"]["1080p"]
    moved = [each["mean"] for kind, each in first["difference_levels"].items() if kind.startswith("moved")]
    report["targets"] = [
        target(
            "pixels through the network, rows over squares",
            first["network_share_rows"] / first["network_share_squares"],
            0.7,
        ),
        target("mean difference in levels after a move of the tiles", statistics.mean(moved), 1.0),
    ]
    write("tiles", report)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
