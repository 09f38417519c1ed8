"""`bshm serve` as a process, for tests of what only a process shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx

import bshm


class Process:
    """One `bshm serve`."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self.log = folder / "log"
        environment = {**surroundings(folder), **variables}
        command = [sys.executable, "-m", "bshm.cli", "serve", "--port", "0", *words]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log)
        self.url = self._url()

    def _url(self) -> str:
        for _ in range(600):
            found = re.search(r"http://[0-9.:]+", self.log.read_text())
            if found and self._answers(found[0]):
                return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"it did not start: {self.log.read_text()}")

    def _answers(self, url: str) -> bool:
        try:
            return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, how: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a process whose files are all below ``folder``."""
    homes = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder))
    return {**os.environ, **homes, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(bshm.__file__).parents[1])}
