"""The cold command: `bshm matte photo.jpg` beside the imports that it cannot do without.

    python benchmarks/cold.py [rounds]

A new process each time, in turn: an empty Python, `import numpy, onnxruntime`, `bshm --help` and `bshm matte` of a
1080p JPEG with the default model.  Wall time and processor time, as ratios to the imports in the same round.  Byte
code is written in the round that warms up, as an installation does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rounds import SIZES, machine, photograph, ratio, target, write

IMPORTS = "import numpy, onnxruntime"


def seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor time of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{command} failed with {status}")
    process.returncode = 0
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def main(rounds: int = 9) -> None:
    before = machine()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        photo = photograph(Path(folder, "photo.jpg"), SIZES["1080p"])
        matte = [sys.executable, "-m", "bshm.cli", "matte", str(photo), "--overwrite", "--quiet"]
        commands = {
            IMPORTS: [sys.executable, "-c", IMPORTS],
            "python -c pass": [sys.executable, "-c", "pass"],
            "bshm --help": [sys.executable, "-c", "import bshm.cli, sys; sys.stdout = open('/dev/null', 'w'); "
                            "sys.exit(bshm.cli.main(['--help']))"],
            "bshm matte photo.jpg": matte,
            "bshm matte photo.jpg --alpha": [*matte, "--alpha"],
        }  # fmt: skip
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                found = seconds(command, environment)
                if number:
                    taken[name].append(found)
    report = {}
    for name, times in taken.items():
        report[name] = {
            kind: ratio([one[at] for one in times], [one[at] for one in taken[IMPORTS]])
            for at, kind in enumerate(("wall", "processor"))
        }
        print(f"  {name:32} wall {report[name]['wall']['ratio']}, processor {report[name]['processor']['ratio']}")
    found = statistics.median(
        one[0] / base[0] for one, base in zip(taken["bshm matte photo.jpg"], taken[IMPORTS], strict=True)
    )
    targets = [target("cold `bshm matte photo.jpg` over the imports", found, 2.5)]
    write("cold", {"machine": before, "rounds": rounds, "commands": report, "targets": targets})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
