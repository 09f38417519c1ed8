"""The service as a process: what `bshm serve` does once its settings are known."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import uvicorn

from bshm.errors import BshmError, OptionError
from bshm.lanes import MOST_STUCK, OverrunError
from bshm.server import logs
from bshm.server.app import check_place, create_app
from bshm.server.service import Service
from bshm.server.settings import Settings


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are in the house are answered first.

    Raises:
        OptionError: the address cannot be had, or other machines would be served without keys.
        OverrunError: so many pictures hang that the process has to be replaced; whatever started it starts it again.
        BshmError: the model, the cache or the queue cannot be opened.
    """
    logs.set_up(settings.log_level)
    app = create_app(settings)
    check_place(settings, has_keys=not app.state.service.is_open)
    listening = _listen(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout_s)),
        # Far more than may work at once: those beyond are told so by the gate, in the form their clients read.
        backlog=2048,
        lifespan="on",
    )
    # Uvicorn sends itself the signal once more when all is done; ending as asked is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with listening:
        asyncio.run(_serve(app.state.service, _Server(config), listening))


class _Server(uvicorn.Server):
    """Tells the address once it is answered there: before that a model, a device or a store may still be refused."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say where."""
        await super().startup(sockets)
        for listening in (sockets or []) if self.started else []:
            host, port = listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            sys.stderr.write(f"bshm: http://{shown}:{port}/  (documentation at /docs, Ctrl-C stops)\n")
            sys.stderr.flush()


async def _serve(service: Service, server: uvicorn.Server, listening: socket.socket) -> None:
    try:
        # Before uvicorn begins: what fails within it is told by its log alone, with a trace.
        await service.open()
    except BshmError:
        await service.close()
        raise
    service.end_process = lambda: setattr(server, "should_exit", True)
    await server.serve(sockets=[listening])
    if service.is_broken:
        raise OverrunError(f"more than {MOST_STUCK} pictures hang in this process. Start it anew.")


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
            f"nothing can listen on {settings.host} port {settings.port}: {error.strerror or error}. "
            "Choose another --port, or stop what has it."
        ) from error
    return listening
