"""A folder of 40 pictures: how much the stages overlap, and whether memory stays flat.

    python benchmarks/folder.py [pictures]

Eight JPEGs of several aspects, 1080p and smaller, taken in turn until there are enough, through one session, each time
in a new process: 10, 20 and 40 pictures with three jobs, 40 with one job.  Peak memory is the process's own
(ru_maxrss).  The sum of the stages' times is what one picture after the other takes; on one free core nothing can be
won, as every stage is work and none is waiting.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rounds import machine, photograph, target, write

SHAPES = [(1080, 1920), (1920, 1080), (1200, 1200), (1440, 1080), (1080, 1440), (900, 1600), (1280, 853), (720, 1280)]


def one_run(folder: Path, count: int, jobs: int) -> dict[str, Any]:
    """In this process: what a batch took, and the peak of memory."""
    from bshm.bulk.batch import plan, run
    from bshm.edit.spec import Edit
    from bshm.options import BatchOptions
    from bshm.pipeline import Matting

    matting = Matting()
    pictures = sorted(folder.glob("*.jpg"))[:count]
    with tempfile.TemporaryDirectory() as out:
        todo = plan(pictures, output=out + "/", edit=Edit())
        started = time.perf_counter()
        records = list(run(matting, todo, batch=BatchOptions(in_flight=jobs)))
        wall = time.perf_counter() - started
    assert all(record.status == "written" for record in records), [record.error for record in records]
    stages: dict[str, float] = {}
    for record in records:
        for stage, ms in record.timings_ms.items():
            stages[stage] = stages.get(stage, 0) + ms / 1000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "pictures": count,
        "jobs": jobs,
        "wall_s": round(wall, 2),
        "sum_of_stages_s": round(sum(stages.values()), 2),
        "stages_s": {stage: round(seconds, 2) for stage, seconds in stages.items()},
        "peak_mb": round(peak / (1024 if sys.platform != "darwin" else 1024**2)),
    }


def in_a_process(folder: Path, count: int, jobs: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(folder), str(count), str(jobs)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"  {count} pictures, {jobs} jobs: {found['wall_s']} s, {found['peak_mb']} MB", flush=True)
    return found


def main(count: int = 40) -> None:
    before = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [photograph(folder / f"{n:03}.jpg", shape, seed=n) for n, shape in enumerate(SHAPES)]
        for n in range(len(made), count):
            shutil.copy(made[n % len(made)], folder / f"{n:03}.jpg")
        growing = [in_a_process(folder, part, 3) for part in (count // 4, count // 2, count)]
        # In turn, twice: a slow spell of the machine must not meet one of them alone.
        alone, together = [], [growing[-1]]
        alone.append(in_a_process(folder, count, 1))
        together.append(in_a_process(folder, count, 3))
        alone.append(in_a_process(folder, count, 1))
    peaks = [run["peak_mb"] for run in growing]
    wall = {"1 job": min(run["wall_s"] for run in alone), "3 jobs": min(run["wall_s"] for run in together)}
    report = {
        "machine": before,
        "memory": [{"pictures": run["pictures"], "peak_mb": run["peak_mb"]} for run in growing],
        "runs": [*growing, *alone, together[-1]],
        "targets": [
            target(f"peak memory, {count} pictures over {count // 4}", peaks[-1] / peaks[0], 1.1),
            target(f"peak memory, {count} pictures over {count // 2}", peaks[-1] / peaks[1], 1.05),
            target("three jobs over one, wall time", wall["3 jobs"] / wall["1 job"], 1.0),
            target("three jobs over the sum of one job's stages", wall["3 jobs"] / alone[0]["sum_of_stages_s"], 1.0),
        ],
    }
    write("folder", report)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one_run(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(*map(int, sys.argv[1:]))
