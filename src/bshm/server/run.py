"""The service as a process: what `bshm serve` runs with its settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable

import uvicorn

from bshm.concurrency.deadline_executor import MOST_STUCK
from bshm.errors import BshmError, OptionError, OutputError, OverrunError
from bshm.files import private
from bshm.server import logs
from bshm.server.app import check_place, create_app
from bshm.server.connections import Connection, ConnectionLimiter, most_connections
from bshm.server.service import Service
from bshm.server.settings import Settings

# Far more than may be open at the same time: they wait in the system until there is a place.
_BACKLOG = 2048


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are answered first.

    Raises:
        OptionError: the address cannot be used, or other machines would be served without keys.
        OverrunError: so many pictures hang that the process must be replaced; its service manager starts it again.
        BshmError: the model, the cache or the queue cannot be opened.
    """
    with private.files(), logs.as_json(settings.log_level):
        app = create_app(settings)
        service: Service = app.state.service
        check_place(settings, has_keys=bool(service.see_keys()))
        _see_temporary()
        listening = _listen(settings)
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout_s)),
            lifespan="on",
        )
        # Uvicorn sends itself the signal again at the end; stopping as requested is not a failure.
        signal.signal(signal.SIGTERM, lambda *_: None)
        with listening:
            asyncio.run(_serve(service, _Server(config, service), listening))


def _see_temporary() -> None:
    """Check the folder for uploads before the first upload: Python would silently use another folder.

    Raises:
        OutputError: no folder is writable.
    """
    try:
        found = tempfile.gettempdir()
    except OSError as error:
        raise OutputError(
            f"there is no folder for temporary files: {error}. Set TMPDIR to a writable folder."
        ) from error
    wanted = os.environ.get("TMPDIR")
    if wanted and os.path.realpath(wanted) != os.path.realpath(found):
        logs.say(logging.WARNING, "temporary files", trouble=f"TMPDIR={wanted} cannot be written to", place=found)


class _Server(uvicorn.Server):
    """Accepts connections through a ``ConnectionLimiter``, and prints the address when it answers there.

    Before that, a model, a device or a store may still fail.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._connections = ConnectionLimiter(most=1, idle_s=lambda: service.idle_s)
        self._tasks: list[asyncio.Task[None]] = []

    def set_limit(self) -> None:
        """Set the number of connections, after all files that the service needs are open.

        Raises:
            OptionError: the setting needs more than is possible.
        """
        limiter = self._connections
        limiter.most = most_connections(self._service.settings.connections)
        self._service.metrics.watch("bshm_connections", "Open connections.", lambda: float(len(limiter.open)))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the address."""
        await super().startup([])  # without sockets on which asyncio would listen
        if not self.started:
            return
        self._tasks.append(asyncio.create_task(self._connections.watch()))
        for listening in sockets or []:
            listening.listen(_BACKLOG)
            listening.setblocking(False)
            self._tasks.append(asyncio.create_task(self._connections.accept(listening, self._connection)))
        _tell_addresses(sockets or [])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, then answer the requests in flight."""
        self._service.drain()
        watching, *welcoming = self._tasks
        await _cancelled(welcoming)
        await super().shutdown(sockets)
        await _cancelled([watching])

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _tell_addresses(sockets: Iterable[socket.socket]) -> None:
    for listening in sockets:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"bshm: http://{shown}:{port}/  (documentation at /docs, Ctrl-C stops)\n")
        sys.stderr.flush()


async def _serve(service: Service, server: _Server, listening: socket.socket) -> None:
    try:
        # Before uvicorn starts: errors within it appear only in its log, with a traceback.
        await service.open()
        server.set_limit()
    except BshmError:
        await service.close()
        raise
    service.end_process = lambda: setattr(server, "should_exit", True)
    await server.serve(sockets=[listening])
    if service.is_broken:
        raise OverrunError(f"more than {MOST_STUCK} pictures are stuck in this process. Restart it.")


def _listen(settings: Settings) -> socket.socket:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, settings.port))
    except OSError as error:
        listening.close()
        raise OptionError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}. "
            "Choose another --port, or stop the program that uses it."
        ) from error
    return listening
