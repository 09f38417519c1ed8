"""The address that `bshm serve` prints: told when it is answered there, and not before."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest
from live_service import surroundings

HERE = Path(__file__).parent
CODE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import fake_network; fake_network.install(setattr)\n"
    "import time; from bshm.matting import engines; real = engines.open_engine\n"
    "engines.open_engine = lambda *given, **named: (time.sleep(0.5), real(*given, **named))[1]\n"
    "from bshm.cli import main; sys.exit(main(['serve', '--port', '0', *sys.argv[1:]]))"
)


def serve(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, str(HERE.parent), *words]
    return subprocess.Popen(command, cwd=folder, env=surroundings(folder), stderr=subprocess.PIPE, text=True)


def test_at_the_address_that_is_told_somebody_answers(tmp_path: Path) -> None:
    with serve(tmp_path) as process:
        assert process.stderr is not None
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://[0-9.:]+", line)))
        try:
            assert httpx.get(f"{address}/readyz", trust_env=False).status_code == 200
        finally:
            process.terminate()
            process.stderr.read()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--model", "nobody"], 13),
        (["--device", "gpu"], 2),
        (["--blobs", "s3://bucket"], 2),
    ],
)
def test_what_cannot_start_tells_no_address(tmp_path: Path, words: list[str], code: int) -> None:
    with serve(tmp_path, *words) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "http://" not in told and "Traceback" not in told and told.strip()
