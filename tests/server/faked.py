"""`bshm serve` as a process over the fake network: starts at once, and shows what only a process shows."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from live_service import surroundings

TESTS = Path(__file__).parents[1]
CODE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import fake_network; fake_network.install(setattr)\n"
    "{}\nfrom bshm.cli import main; sys.exit(main(['serve', *sys.argv[1:]]))"
)


class Faked:
    """One `bshm serve`; ends with its context."""

    def __init__(
        self,
        folder: Path,
        *words: str,
        before: Callable[[], object] | None = None,
        code: str = "",
        **variables: str,
    ) -> None:
        """Start it and wait for its address.

        Args:
            folder: where its log and all of its files are.
            words: flags.
            before: called in the process before it is one: sets limits.
            code: runs in the process before the service starts.
            variables: of the environment.
        """
        self._log = folder / "log"
        command = [sys.executable, "-c", CODE.format(code), str(TESTS), "--port", "0", *words]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**surroundings(folder), **variables},
                stderr=log,
                preexec_fn=before,  # noqa: PLW1509 - nothing else runs in these tests yet
            )
        self.url = self._address()
        parts = urlsplit(self.url)
        self.place = (str(parts.hostname), int(parts.port or 0))

    def _address(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r"http://([0-9.:]+)", self.log)
            if found:
                return f"http://{found[1].replace('0.0.0.0', '127.0.0.1')}"
            time.sleep(0.05)
        raise AssertionError(f"it did not start: {self.log}")

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def connected(self, sent: bytes = b"", *, buffer: int | None = None) -> socket.socket:
        """A connection to it, on which ``sent`` has been sent; without reading, this side takes ``buffer`` bytes."""
        connection = socket.socket()
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(30)
        connection.connect(self.place)
        connection.sendall(sent)
        return connection

    def __enter__(self) -> Faked:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(60)


def answered(connection: socket.socket, *, until: bytes = b"\r\n\r\n") -> bytes:
    """What comes, up to and with ``until``; all where the other side ends the connection before."""
    connection.settimeout(30)
    got = b""
    while until not in got and (part := connection.recv(65536)):
        got += part
    return got


def is_closed(connection: socket.socket, *, within_s: float = 30) -> bool:
    """Whether the other side ends the connection; what it sends before is read and forgotten."""
    connection.settimeout(within_s)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True
