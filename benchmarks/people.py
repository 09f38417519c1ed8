"""Several people told apart, on composites of two to five people of whom each one's own alpha is known.

``python benchmarks/people.py DATA [--out benchmarks/results/people.json] [--sheet SHEET.png]``

People whom training never saw (studio busts with single hairs, drawn people, walkers of the street set) are laid over
scenes in rows, the later in front: what one covers of those behind is taken off their alpha.  Layouts: *busts*,
*standing*, *rows* (small people behind, large ones in front) and *far* (small people apart).  ``hidden`` is how much of
the most covered person lies behind others.  The product's own alpha is shared out, so its errors count as well; the
people found are matched with those who are there so that the sum of their overlaps is largest.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from bshm.training.data import DataFolder
from bshm.training.scenes import Cutout, background_view, cutout_of, is_sure_person, placement, warp

SEED = 2026
SIZE_HW = (768, 1024)
COUNTS = (2, 3, 4, 5)
LAYOUTS = ("busts", "standing", "rows", "far")
# Of somebody hidden further than this too little is left to be looked for.
MOST_HIDDEN = 0.75

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Random = np.random.Generator


@dataclass(frozen=True)
class Group:
    """A composite.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        planes: (N, H, W) float32: what is seen of each person, from the back to the front; they add up to alpha.
        layout: one of ``LAYOUTS``.
        hidden: share of the most covered person that lies behind others, 0..1.
    """

    image: Bytes
    planes: Floats
    layout: str
    hidden: float


@dataclass(frozen=True)
class Pools:
    """People from the chest up, whole people, scenes."""

    busts: list[Cutout]
    whole: list[Cutout]
    backgrounds: list[Bytes]

    @classmethod
    def load(cls, root: Path, split: Literal["train", "validation"] = "validation", most: int | None = None) -> Pools:
        """Decode them; ``most`` of each set."""
        data = DataFolder(root)

        def first(items: Iterator[Any]) -> list[Any]:
            return list(itertools.islice(items, most))

        busts = [cutout_of(item, flush=True) for item in first(data.keyed("london", split, 900))]
        whole = []
        for item, flush in first(data.rendered(split, 900)):
            (busts if flush else whole).append(cutout_of(item, flush=flush))
        street = [item for item in first(data.ccp(split, 900)) if is_sure_person(item) and item.mask[-2:].max() < 128]
        whole += [cutout_of(item, flush=False) for item in street]
        backgrounds = [image for name, image in first(data.backgrounds(split, 1200)) if name.startswith("backgrounds/")]
        return cls(busts, whole, backgrounds)


def group(pools: Pools, layout: str, count: int, rng: Random) -> Group:
    """People of one layout over a scene; drawn again until everybody is to be seen."""
    while True:
        made = _drawn(pools, layout, count, rng)
        if made is not None:
            return made


def _drawn(pools: Pools, layout: str, count: int, rng: Random) -> Group | None:
    height, width = SIZE_HW
    close = rng.uniform(0.35, 1.15)  # 1: shoulder by shoulder
    people: list[tuple[Cutout, float, float, float]] = []  # who, x, ground, height of the person
    if layout == "busts":
        tall = height * rng.uniform(0.5, 0.8) * min(1.0, 2.8 / count)
        step = tall * 0.75 * close
        for index in range(count):
            x = width / 2 + (index - (count - 1) / 2) * step
            people.append((_picked(pools.busts, rng), x, height + 4, tall * rng.uniform(0.85, 1.1)))
    elif layout == "standing":
        tall, ground = height * rng.uniform(0.6, 0.9), height * rng.uniform(0.93, 1.0)
        step = min(tall * 0.36 * close, width * 0.85 / count)
        for index in range(count):
            x = width / 2 + (index - (count - 1) / 2) * step + rng.normal(0, 0.03) * tall
            size = rng.uniform(0.9, 1.05)
            people.append((_picked(pools.whole, rng), x, ground * (0.97 + 0.03 * rng.random()), tall * size))
    elif layout == "rows":
        back = count // 2
        tall = height * rng.uniform(0.4, 0.6)
        for index in range(back):
            x = width * (index + 0.5 + rng.normal(0, 0.1)) / back
            people.append((_picked(pools.whole, rng), x, height * rng.uniform(0.8, 0.95), tall))
        for index in range(count - back):
            x = width * (index + 0.5 + rng.normal(0, 0.12)) / (count - back)
            people.append((_picked(pools.busts, rng), x, height + 4, tall * rng.uniform(0.9, 1.3)))
    else:
        tall, ground = height * rng.uniform(0.25, 0.4), height * rng.uniform(0.6, 0.95)
        for index in range(count):
            x = width * (index + 0.5 + rng.normal(0, 0.08)) / count
            people.append((_picked(pools.whole, rng), x, ground, tall * rng.uniform(0.9, 1.1)))
    if layout in ("busts", "standing"):
        people = [people[index] for index in rng.permutation(len(people))]
    return _laid(pools, people, layout, rng)


def _picked(pool: Sequence[Cutout], rng: Random) -> Cutout:
    return pool[int(rng.integers(len(pool)))]


def _laid(pools: Pools, people: Sequence[tuple[Cutout, float, float, float]], layout: str, rng: Random) -> Group | None:
    background = pools.backgrounds[int(rng.integers(len(pools.backgrounds)))]
    image = background_view(background, SIZE_HW, rng).astype(np.float32)
    planes: list[Floats] = []
    full: list[float] = []
    for person, x, ground, tall in people:
        rows, columns = np.nonzero(person.alpha > 127)
        top, bottom, middle = rows.min(), rows.max() + 1, (columns.min() + columns.max()) / 2
        matrix = placement(
            (float(middle), float(bottom)), (x, ground), scale=tall / (bottom - top), degrees=float(rng.normal(0, 2)),
            mirrored=bool(rng.random() < 0.5),
        )  # fmt: skip
        alpha = warp(person.alpha, matrix, SIZE_HW, cv2.BORDER_CONSTANT).astype(np.float32) / 255
        colour = warp(person.foreground, matrix, SIZE_HW, cv2.BORDER_REPLICATE).astype(np.float32)
        colour = np.clip((colour - 128) * rng.uniform(0.9, 1.1) + 128 * rng.uniform(0.85, 1.1), 0, 255)
        image += alpha[..., None] * (colour - image)
        planes = [plane * (1 - alpha) for plane in planes] + [alpha]
        full.append(float(alpha.sum()))
    seen = [float(plane.sum()) / max(total, 1.0) for plane, total in zip(planes, full, strict=True)]
    if min(seen) < 1 - MOST_HIDDEN or min(full) < 0.004 * image[..., 0].size:
        return None
    noisy = image + rng.normal(0, 1.5, image.shape)
    return Group(np.clip(noisy + 0.5, 0, 255).astype(np.uint8), np.stack(planes), layout, 1 - min(seen))


def groups(pools: Pools, each: int, seed: int = SEED) -> Iterator[tuple[str, Group]]:
    """``each`` pictures of every layout and count."""
    for layout, count in itertools.product(LAYOUTS, COUNTS):
        rng = np.random.default_rng((seed, LAYOUTS.index(layout), count))
        for index in range(each):
            yield f"{layout}-{count}-{index}", group(pools, layout, count, rng)


def components(alpha: Floats) -> list[Floats]:
    """The baseline: each blob of alpha is somebody, but for specks; the rest goes to the nearest."""
    count, blobs, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = [index for index in range(1, count) if areas[index - 1] > 0.05 * areas.max()]
    if not kept:
        return []
    away = np.stack([cv2.distanceTransform((blobs != index).astype(np.uint8), cv2.DIST_L2, 5) for index in kept])
    owner = away.argmin(0)
    return [alpha * (owner == index) for index in range(len(kept))]


def judged(truth: Floats, found: Sequence[Floats]) -> dict[str, float]:
    """How well people were told apart.

    Returns:
        ``right``: 1 where as many were found as there are; ``iou`` and ``mad``: means over those who are there, of the
        person found that is matched with each; nobody matched counts as nothing found.
    """
    overlaps = np.array([[_overlap(one, other) for other in found] for one in truth]).reshape(len(truth), len(found))
    size = max(len(truth), len(found))
    padded = np.zeros((size, size))
    padded[: len(truth), : len(found)] = overlaps
    matched = max(itertools.permutations(range(size)), key=lambda order: sum(padded[range(size), order]))
    nothing = np.zeros_like(truth[0])
    pairs = [(one, found[other] if other < len(found) else nothing) for one, other in zip(truth, matched, strict=False)]
    return {
        "right": float(len(truth) == len(found)),
        "iou": float(np.mean([_overlap(one, other) for one, other in pairs])),
        "mad": float(np.mean([np.abs(one - other).mean() for one, other in pairs])),
    }


def depth_pairs(truth: Floats, found: Sequence[Floats], depth: Sequence[int]) -> list[bool]:
    """Of each two who touch and were both found: whether the one in front was told to be in front."""
    overlaps = np.array([[_overlap(one, other) for other in found] for one in truth]).reshape(len(truth), len(found))
    order = [int(overlaps[:, index].argmax()) for index in depth if overlaps[:, index].max() > 0.5]
    near = [cv2.dilate((plane > 0.5).astype(np.uint8), np.ones((7, 7), np.uint8)) for plane in truth]
    return [
        behind < before
        for behind, before in itertools.combinations(order, 2)
        if behind != before and np.count_nonzero(near[behind] & near[before]) > 100
    ]


def _overlap(one: Floats, other: Floats) -> float:
    return float(np.minimum(one, other).sum()) / max(float(np.maximum(one, other).sum()), 1e-6)


def _hidden(share: float) -> str:
    return "apart" if share < 0.01 else "up to a fifth" if share < 0.2 else "up to half" if share < 0.5 else "more"


def measure(root: Path, each: int, sheet: Path | None = None) -> dict[str, Any]:
    """Everything that the results file holds."""
    from bshm import MatteOptions, Matting

    matting = Matting()
    rows: list[dict[str, Any]] = []
    shown: list[Bytes] = []
    in_order: list[bool] = []
    for name, made in groups(Pools.load(root), each):
        matte = matting.matte(made.image, MatteOptions(decontaminate=False, tell_apart=True))
        in_order += depth_pairs(made.planes, matte.people or (), matte.depth)
        where = {"layout": made.layout, "count": str(len(made.planes)), "hidden": _hidden(made.hidden)}
        for way, found in (("bshm", list(matte.people or ())), ("components", components(matte.alpha))):
            rows.append({"way": way, **where, **judged(made.planes, found[:8])})
        print(name, rows[-2], flush=True)
        if sheet is not None:
            shown.append(_picture(made.image, list(matte.people or ())))
    if sheet is not None:
        shown += [np.zeros_like(shown[0])] * (-len(shown) % 8)
        lines = [np.hstack(shown[at : at + 8]) for at in range(0, len(shown), 8)]
        cv2.imwrite(str(sheet), np.vstack(lines)[..., ::-1])
    tables = {
        way: {
            "all": _mean([row for row in rows if row["way"] == way]),
            **{
                kind: {
                    value: _mean([row for row in rows if row["way"] == way and row[kind] == value])
                    for value in dict.fromkeys(row[kind] for row in rows)
                }
                for kind in ("count", "hidden", "layout")
            },
        }
        for way in ("bshm", "components")
    }
    return {"pictures": len(rows) // 2, "size_hw": SIZE_HW, "depth": _share(in_order), **tables}


def _share(right: Sequence[bool]) -> dict[str, float]:
    return {"pairs": len(right), "right": round(float(np.mean(right)), 4)}


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    figures = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in ("right", "iou", "mad")}
    return {"pictures": len(rows), **figures}


def _picture(image: Bytes, planes: Sequence[Floats]) -> Bytes:
    colours = np.array([[255, 40, 40], [40, 220, 40], [40, 90, 255], [255, 220, 0], [255, 0, 255], [0, 230, 230]])
    shown = image * 0.5
    for index, plane in enumerate(planes):
        shown = shown + plane[..., None] * colours[index % 6] * 0.4
    return cv2.resize(np.clip(shown, 0, 255).astype(np.uint8), (256, 192), interpolation=cv2.INTER_AREA).astype(
        np.uint8
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path)
    parser.add_argument("--each", type=int, default=4, help="pictures of each layout and count")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/people.json"))
    parser.add_argument("--sheet", type=Path, help="a picture with all of them, each person in a colour")
    arguments = parser.parse_args()
    found = measure(arguments.data, arguments.each, arguments.sheet)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
