"""Real Redis and RabbitMQ servers on loopback, for tests and for benchmarks/jobs_chaos.py."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

# Of RabbitMQ; its own is half an hour.
CONSUMER_TIMEOUT_S = 3.0
INSTALL = "run tests/install_servers.sh as root, or install the Debian packages redis-server and rabbitmq-server"


class NotInstalledError(Exception):
    """The server is not on this machine."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"no server on port {port} after {timeout_s:g} s:\n{log.read_text(errors='replace')[-3000:]}")


class RedisServer:
    """A Redis that writes every change down before it answers, so that a killed one comes back whole."""

    def __init__(self) -> None:
        self._program = shutil.which("redis-server")
        if self._program is None:
            raise NotInstalledError(f"there is no redis-server: {INSTALL}.")
        self._folder = Path(tempfile.mkdtemp(prefix="bshm-redis-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to listen."""
        log = self._folder / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [
                    str(self._program), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder),
                    "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
                ],
                stdout=out,
                stderr=out,
            )  # fmt: skip
        wait_for_port(self.port, self._process, log, 20)

    def kill(self) -> None:
        """As a power switch does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class RabbitServer:
    """A RabbitMQ with a node name, ports and folders of its own."""

    def __init__(self) -> None:
        self._program = shutil.which(
            "rabbitmq-server", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/rabbitmq/bin"
        )
        if self._program is None:
            raise NotInstalledError(f"there is no rabbitmq-server: {INSTALL}.")
        self._folder = Path(tempfile.mkdtemp(prefix="bshm-rabbit-"))
        self._folder.chmod(0o755)
        self.port = free_port()
        self._distribution_port = free_port()
        self._epmd_port = free_port()
        self._node = f"bshm{self.port}@localhost"
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._process: subprocess.Popen[bytes] | None = None
        self._user: str | None = None
        if os.getuid() == 0:  # it refuses to be root
            self._user = "rabbitmq"
            user = pwd.getpwnam(self._user)
            os.chown(self._folder, user.pw_uid, user.pw_gid)

    def start(self) -> None:
        """Begin to listen; about 10 s on an idle machine."""
        log = self._folder / "out"
        environment = {
            **os.environ,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_NODENAME": self._node,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
            "HOME": str(self._folder),
        }
        # Whoever keeps a message for longer loses its connection; looked for once a minute unless told otherwise.
        milliseconds = round(CONSUMER_TIMEOUT_S * 1000)
        settings = self._folder / "advanced.config"
        settings.write_text(f"[{{rabbit, [{{consumer_timeout, {milliseconds}}}, {{channel_tick_interval, 500}}]}}].")
        environment["RABBITMQ_ADVANCED_CONFIG_FILE"] = str(settings)
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(self._program)], env=environment, stdout=out, stderr=out, user=self._user, group=self._user
            )
        wait_for_port(self.port, self._process, log, 120)

    def kill(self) -> None:
        """End the node at once: its scripts, the Erlang machine and its helpers."""
        if self._process is None:
            return
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + 20
        while self._processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._process = None

    def _processes(self) -> list[int]:
        """Whatever has our node's name in its environment: some of them leave the process group that they began in."""
        mark = f"RABBITMQ_NODENAME={self._node}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def __enter__(self) -> RabbitServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def empty(url: str) -> None:
    """No message, job or result of an earlier test is left."""
    from bshm.jobs.messages import QUEUE, open_messages

    if url.startswith("redis"):
        from bshm.jobs.redis_store import connect

        client = connect(url)
        client.flushall()
        client.close()
        return
    messages = open_messages(url)
    messages.waiting()  # which makes the queue
    messages.close()
    with amqp_channel(url) as channel:
        channel.queue_purge(QUEUE)


@contextlib.contextmanager
def amqp_channel(url: str) -> Iterator[Any]:
    """A channel of a client that knows nothing of bshm."""
    from kombu import Connection

    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        yield connection.channel()
