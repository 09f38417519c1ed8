"""Limit connections: how many are open, which idle ones are closed, and for how long they may last.

Uvicorn ends a connection that is idle between two requests, and nothing else: a client that sends half a head, or does
not read its answer, keeps its connection, and with it one of the files that the process may open, for as long as it
likes.  Where no file is left, asyncio tells so with a trace for each try, thousands of them a second.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import math
import os
import socket
import sys
import time
from collections.abc import Callable

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from bshm.errors import OptionError
from bshm.server import logs

if sys.platform != "win32":
    import fcntl
    import resource
    import termios

# More cost memory, and this service has use for a few hundred.
_MOST = 4096
# Kept for pictures, results, the cache and the databases, besides what is open when the service begins to listen.
_FILES_KEPT = 32
# How often connections are looked at.
_LOOK_S = 0.5
# After a connection could not be taken because files or memory have run out.
_PAUSE_S = 0.1
_TELL_AGAIN_S = 60.0
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# Where all places are taken, those give up theirs that have waited so long, or sent nothing of a body.
_SETTLED_S = 1.0
_SILENT_S = 2.0


class Connection(H11Protocol):
    """One connection: uvicorn's, which knows what it waits for and since when.

    Uvicorn's other protocol, on httptools, need not be installed; with one of the two everywhere, the same holds
    everywhere.
    """

    limiter: ConnectionLimiter

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is there, and has sent nothing yet."""
        self.since = self.heard_at = self._moved_at = time.monotonic()
        self._unsent = 0
        super().connection_made(transport)
        self.limiter.open[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.limiter.open.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """It has sent something."""
        self.heard_at = time.monotonic()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """From here on it waits for another request."""
        self.since = time.monotonic()
        super().on_response_complete()

    @property
    def waits(self) -> bool:
        """Whether it waits for the head of a request."""
        return self.cycle is None or self.cycle.response_complete

    def rank(self, now: float) -> int | None:
        """How soon it gives up its place where all are taken, 0 first; None where its request is being worked on.

        One that has just come is about to send its request, and one that takes its answer is of use to somebody:
        before them go those on which nothing moves.
        """
        if self.transport.get_write_buffer_size() > 0:
            return 1 if now - self._moved_at >= _SETTLED_S else 4
        if self.transport.is_closing():
            return None  # gone already
        if self.waits:
            return 0 if now - self.since >= _SETTLED_S else 3
        is_silent = self.cycle.more_body and not self.flow.read_paused and now - self.heard_at >= _SILENT_S
        return 2 if is_silent else None

    def look(self, idle_s: float) -> None:
        """End it where nothing has moved for ``idle_s``; bodies are timed by the middleware, which answers them."""
        now = time.monotonic()
        unsent = self._still_unsent()
        if unsent:
            if unsent != self._unsent:
                self._unsent, self._moved_at = unsent, now
            elif now - self._moved_at >= idle_s:
                self.transport.abort()
            return
        self._unsent, self._moved_at = 0, now
        if self.waits and not self.transport.is_closing() and now - self.since >= idle_s:
            self._give_up(idle_s)

    def _still_unsent(self) -> int:
        """Bytes that the client has not taken, those in the system's buffer included; 0 where all are in the latter."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting or sys.platform == "win32":
            return waiting
        try:
            answer = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return waiting
        return waiting + int.from_bytes(answer, sys.byteorder)

    def _give_up(self, idle_s: float) -> None:
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:  # a part of a head came
            detail = f"the head of the request did not arrive within {idle_s:g} s."
            told = {"type": "about:blank", "title": "The request did not arrive in time", "status": 408}
            body = json.dumps({**told, "detail": detail}).encode()
            headers = [
                ("Content-Type", "application/problem+json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ]
            for event in (
                h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class ConnectionLimiter:
    """Where connections come in, one after the other, for as long as there are places."""

    def __init__(self, *, most: int, idle_s: Callable[[], float]) -> None:
        """Closed yet.

        Args:
            most: connections at once.
            idle_s: how long one may be idle, as it is asked for each time.
        """
        self.most = most
        self.open: dict[Connection, None] = {}  # in the order in which they came
        self._idle_s = idle_s
        self._told_at = -math.inf

    async def accept(self, listening: socket.socket, connection: Callable[[], Connection]) -> None:
        """Take connections, until cancelled.

        Args:
            listening: a socket that does not block and listens.
            connection: makes the protocol of each.
        """
        loop = asyncio.get_running_loop()

        def made() -> Connection:
            new = connection()
            new.limiter = self
            return new

        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._tell(str(error.strerror))
                    self._let_one_go()
                await asyncio.sleep(_PAUSE_S)
                continue
            try:
                await self._room()
                await loop.connect_accepted_socket(made, accepted)
            except OSError:  # it went away again
                accepted.close()
            except asyncio.CancelledError:
                accepted.close()
                raise

    async def watch(self) -> None:
        """End connections on which nothing moves, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            idle_s = self._idle_s()
            for connection in list(self.open):
                connection.look(idle_s)

    async def _room(self) -> None:
        while len(self.open) >= self.most:
            self._tell("all places are taken")
            # One that is let go of has gone after the next turn of the loop.
            await asyncio.sleep(0 if self._let_one_go() else _PAUSE_S)

    def _let_one_go(self) -> bool:
        """Whether there was one: never one whose request is being worked on."""
        now = time.monotonic()
        ranked = ((rank, each.since, each) for each in self.open if (rank := each.rank(now)) is not None)
        *_, leaving = min(ranked, key=lambda found: found[:2], default=(None,))
        if leaving is not None:
            leaving.transport.abort()
        return leaving is not None

    def _tell(self, trouble: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELL_AGAIN_S:
            self._told_at = now
            logs.say(logging.WARNING, "connections", trouble=trouble, open=len(self.open), most=self.most)


def most_connections(wanted: int | None) -> int:
    """How many connections there may be: of the files that the process may still open, half are for other things.

    Args:
        wanted: as the settings say; None takes what the limit of files leaves.

    Raises:
        OptionError: that many cannot be.
    """
    left = _files_left()
    if wanted is None:
        return int(max(1, min(_MOST, left // 2)))
    if wanted > left - _FILES_KEPT:
        raise OptionError(
            f"--connections {wanted} needs more files than this process may open: {max(1, left - _FILES_KEPT)} "
            "connections are possible. Ask for fewer, or raise the limit (ulimit -n)."
        )
    return wanted


def _files_left() -> float:
    if sys.platform == "win32":
        return 2 * _MOST
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return 2 * _MOST
    try:
        taken = len(os.listdir("/dev/fd"))  # noqa: PTH208 - names alone
    except OSError:
        taken = _FILES_KEPT
    return float(max(2, limit - taken))
