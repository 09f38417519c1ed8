"""Run every benchmark: ``python -m benchmarks [NAME …]``; each writes ``results/NAME.json``.  See README.md."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

# Name -> the package that it needs beside the development extra.
BENCHMARKS: dict[str, str | None] = {
    "cold": None,
    "stages": None,
    "folder": None,
    "batch": "pyarrow",
    "live": None,
    "tiles": None,
    "codecs": None,
    "service": "fastapi",
    "refine": "pymatting",
    "foreground": "pymatting",
}

# Those that need more than a package: name -> what, and the command.
BY_HAND: dict[str, str] = {
    "quality": "the training data and other methods' masks: python benchmarks/quality.py DATA report FOLDER …",
    "people": "the training data: python benchmarks/people.py DATA",
    "judge": "the set `wide` of the training data: python benchmarks/judge.py DATA [NAME=SET …]",
    "video": "the training data: python benchmarks/video.py DATA [FRAMES] [MODEL] [SELFIE]",
    "verdict": "the set `wide` of the training data: python benchmarks/verdict.py DATA [MODEL …]",
    "isnet": "Node and a package of its own: python benchmarks/isnet.py speed NODE",
    "official": "TensorFlow in an environment of its own (make .venv-tf/.ready): python benchmarks/official.py",
    "jobs_chaos": "Redis and RabbitMQ (tests/install_servers.sh): python -m benchmarks.jobs_chaos",
}


def main(names: list[str]) -> int:
    """Run the named ones, or all; returns how many failed."""
    here = Path(__file__).parent
    everything = [*BENCHMARKS, *BY_HAND]
    unknown = [name for name in names if name not in everything]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(everything)}")
        return 2
    failed = 0
    for name in names or everything:
        print(f"{name}:", flush=True)
        if name in BY_HAND:
            print(f"  left out: it needs {BY_HAND[name]}")
            continue
        needed = BENCHMARKS[name]
        if needed and find_spec(needed) is None:
            print(f"  left out: it needs {needed} to compare with (pip install {needed})")
            continue
        failed += subprocess.run([sys.executable, here / f"{name}.py"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
