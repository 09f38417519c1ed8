"""Nothing is sent anywhere: onnxruntime, which reports to its maker by default, is kept from it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# Its first report was sent 7 to 8 seconds after the first session was opened.
HELD_S = 10
MATTE_AND_HOLD = f"""
import subprocess, sys, time
import bshm
matting = bshm.Matting(device="cpu")
matting.matte("image-matting/1.png")
subprocess.run([sys.executable, "-c", "import onnxruntime"], check=True)
time.sleep({HELD_S})
"""


def fresh_home(home: Path, proxy: str = "http://127.0.0.1:9") -> dict[str, str]:
    """An environment in which nothing keeps onnxruntime from reporting: it is silent by itself where it sees a CI."""
    home.mkdir()
    of_ci = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "JENKINS_URL", "BUILD_ID", "BUILD_BUILDID", "GITLAB_CI", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*of_ci, "ORT_"))}
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy)
    return {**kept, **proxies, "HOME": str(home), "USERPROFILE": str(home)}


@pytest.mark.real
def test_a_run_writes_nothing_into_the_home_and_calls_nobody(tmp_path: Path) -> None:
    callers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed at the end of the test
                    return
                with connection:
                    callers.append(connection.recv(200))

        threading.Thread(target=answer, daemon=True).start()
        # Every way out leads to the listener.
        environment = fresh_home(tmp_path / "home", f"http://127.0.0.1:{listener.getsockname()[1]}")
        subprocess.run([sys.executable, "-c", MATTE_AND_HOLD], env=environment, cwd=REPOSITORY, check=True)
    assert callers == []
    assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.real
def test_a_command_writes_nothing_into_the_home(tmp_path: Path) -> None:
    words = ["matte", str(REPOSITORY / "image-matting" / "1.png"), "-o", str(tmp_path / "o.png"), "--quiet"]
    subprocess.run([sys.executable, "-m", "bshm", *words], env=fresh_home(tmp_path / "home"), check=True)
    assert (tmp_path / "o.png").stat().st_size > 0
    assert list((tmp_path / "home").rglob("*")) == []
