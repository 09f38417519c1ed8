"""Run every benchmark: ``python -m benchmarks [NAME …]``; each writes ``results/NAME.json``.  See README.md."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

# Name -> what it needs beside the development extra.
BENCHMARKS: dict[str, str | None] = {
    "cold": None,
    "stages": None,
    "folder": None,
    "tiles": None,
    "codecs": None,
    "service": "fastapi",
    "refine": "pymatting",
    "foreground": "pymatting",
}


def main(names: list[str]) -> int:
    """Run the named ones, or all; returns how many failed."""
    here = Path(__file__).parent
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
        return 2
    failed = 0
    for name in names or BENCHMARKS:
        needed = BENCHMARKS[name]
        print(f"{name}:", flush=True)
        if needed and find_spec(needed) is None:
            print(f"  left out: it needs {needed} to compare with (pip install {needed})")
            continue
        failed += subprocess.run([sys.executable, here / f"{name}.py"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
