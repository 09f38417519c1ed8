"""Twenty thousand small pictures through `bshm batch`: whether a picture's cost and the memory stay flat.

    python benchmarks/batch.py [pictures]

Each is a PNG of 64x48 pixels with bytes of its own, and the network is that of the tests, which takes red for people:
what is measured is everything around it, list, journal, copies, report.  By thousand: pictures a second, milliseconds
of the processor a picture (on a busy machine wall time is mostly waiting), and the memory that the process has.  Then
the same again, which finds everything done.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rounds import machine, target, write

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import fake_network

STEP = 1000


def made(folder: Path, count: int) -> None:
    """Pictures with a person in red, a thousand in each folder."""
    pixels = np.full((48, 64, 3), 60, np.uint8)
    pixels[12:36, 16:48] = (240, 20, 20)
    for number in range(count):
        pixels[0, 0] = number % 256, number // 256 % 256, number // 65536
        path = folder / f"{number // STEP:03}" / f"{number:06}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels).save(path, compress_level=1)


def memory_mb() -> float:
    """What the process has now; its peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def one_run(source: Path, folder: Path) -> dict[str, Any]:
    """A batch as the command line does it, looked at after every thousand."""
    from bshm.bulk.finding import PassedOver
    from bshm.bulk.items import ItemReader
    from bshm.bulk.journal import Journal
    from bshm.bulk.many import listed, run_here, settings_of, thumbnails
    from bshm.bulk.report import BatchReport
    from bshm.bulk.worker import Ledger
    from bshm.edit.spec import Edit
    from bshm.options import BatchOptions, MatteOptions
    from bshm.pipeline import Matting

    started = time.perf_counter()
    options, edit = MatteOptions(), Edit()
    work = listed([source], folder=folder, suffix="png", passed_over=PassedOver())
    journal = Journal(folder, settings_of("fake", "0" * 64, options, edit, None), overwrite=False)
    ledger = Ledger(folder, journal, ItemReader(options.limits), refuse=journal.is_new)
    listed_s = time.perf_counter() - started
    matting = Matting()
    steps: list[dict[str, float]] = []
    status: dict[str, int] = {}
    with BatchReport(folder, {}) as report:
        wall, processor = time.perf_counter(), time.process_time()
        batch = BatchOptions(ordered=False)
        records = run_here(matting, work, ledger, options=options, edit=edit, background=None, batch=batch)
        for number, record in enumerate(records, 1):
            report.add(record)
            status[record.status] = status.get(record.status, 0) + 1
            if number % STEP == 0:
                now, busy = time.perf_counter(), time.process_time()
                step = {
                    "pictures": number,
                    "a_second": round(STEP / (now - wall), 1),
                    "processor_ms_a_picture": round(1000 * (busy - processor) / STEP, 2),
                    "memory_mb": round(memory_mb(), 1),
                }
                steps.append(step)
                print(f"  {step}", flush=True)
                wall, processor = now, busy
        report.finish(thumbnails(work, ledger.reader))
    journal.close()
    return {"status": status, "listed_s": round(listed_s, 2), "steps": steps}


def mean(steps: list[dict[str, float]], name: str) -> float:
    return sum(step[name] for step in steps) / len(steps)


def main(count: int = 20_000) -> None:
    before = machine()
    fake_network.install(setattr)
    with tempfile.TemporaryDirectory() as name:
        source, folder = Path(name, "in"), Path(name, "out")
        made(source, count)
        runs = {"made": one_run(source, folder), "done already": one_run(source, folder)}
    steps = runs["made"]["steps"]
    part = max(1, len(steps) // 4)
    # The first thousand load what is loaded once.
    first, last = steps[1 : 1 + part] or steps, steps[-part:]
    cost = "processor_ms_a_picture"
    report = {
        "machine": before,
        "pictures": count,
        "runs": runs,
        "targets": [
            target("processor's time a picture, last quarter over first", mean(last, cost) / mean(first, cost), 1.1),
            target("memory, last over first", last[-1]["memory_mb"] / first[0]["memory_mb"], 1.1),
        ],
    }
    write("batch", report)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
