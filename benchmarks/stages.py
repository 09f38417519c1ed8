"""Where the time of one warm picture goes, and how it grows from 1080p to 4K.

    python benchmarks/stages.py [rounds]

One open session, a 1080p and a 4K JPEG of one scene, in turn; from the path to the bytes of the PNG.  The networks are
the stages mask, quality and matting, the cutting of tiles included.  Beside it `refine` alone, whose target is in
milliseconds and so is held against its fastest run: the others waited for whatever else the machine did.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hair import network_mask, scene
from rounds import SIZES, in_turn, machine, photograph, ratio, target, write

from bshm.edit.spec import Edit
from bshm.matting.refine import guided_filter
from bshm.pipeline import Matting

NETWORKS = ("mask", "quality", "matting")


def main(rounds: int = 7) -> None:
    before = machine()
    matting = Matting()
    stages: dict[str, list[dict[str, float]]] = {name: [] for name in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        photos = {name: photograph(Path(folder, f"{name}.jpg"), size) for name, size in SIZES.items()}

        def run(name: str) -> None:
            matte = matting.matte(photos[name])
            started = time.perf_counter()
            matte.encode(Edit(format="png"))
            stages[name].append({**matte.ran.timings_ms, "encode": 1000 * (time.perf_counter() - started)})

        times = in_turn({name: lambda name=name: run(name) for name in SIZES}, rounds)
    medians: dict[str, dict[str, float]] = {}
    shares = []
    for name, each in stages.items():
        medians[name] = {stage: round(statistics.median(one[stage] for one in each[1:]), 1) for stage in each[0]}
        print(f"  {name}: {medians[name]}")
    for one in stages["1080p"][1:]:
        networks = sum(ms for stage, ms in one.items() if stage in NETWORKS)
        shares.append((sum(one.values()) - networks) / networks)
    growth = ratio(times["4K"], times["1080p"])
    item = scene(SIZES["1080p"])
    mask = network_mask(item.alpha, (192, 352))
    refine = in_turn({"refine": lambda: guided_filter.refine(item.pixels, mask)}, 3 * rounds)["refine"]
    report: dict[str, Any] = {
        "machine": before,
        "rounds": rounds,
        "model": matting.engine.card.name,
        "networks": sorted(matting.engine.card.networks),
        "stages_ms": medians,
        "4K over 1080p": growth,
        "refine_1080p_ms": {
            "fastest": round(1000 * min(refine), 1),
            "quartiles": [round(1000 * part, 1) for part in statistics.quantiles(refine, n=4)],
        },
        "targets": [
            target("1080p, everything but the networks over the networks", statistics.median(shares), 0.7),
            target("4K over 1080p, path to PNG", growth["ratio"], 2.5),
            target("refine at 1080p, ms, the fastest run", 1000 * min(refine), 25),
        ],
    }
    write("stages", report)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
