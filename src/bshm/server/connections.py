"""Limit connections: their number, which idle ones are closed, and how long they may be idle.

Uvicorn only ends connections that are idle between two requests: a client that sends half a head, or does not read its
answer, can keep its connection, and with it a file descriptor, forever.  When no descriptor is left, asyncio logs a
traceback for each attempt, thousands per second.
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

# More cost memory, and this service needs a few hundred.
_MOST = 4096
# Files reserved for pictures, results, the cache and the databases, in addition to those open at the start.
_FILES_KEPT = 32
# How often connections are checked.
_LOOK_S = 0.5
# Pause after a connection could not be accepted because files or memory ran out.
_PAUSE_S = 0.1
_TELL_AGAIN_S = 60.0
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# If all places are taken, connections give up theirs that have waited this long, or have sent nothing of a body.
_SETTLED_S = 1.0
_SILENT_S = 2.0


class Connection(H11Protocol):
    """A connection of uvicorn that knows what it waits for and since when.

    Uvicorn's other protocol needs httptools, which may not be installed; with this one, all installations behave the
    same.
    """

    limiter: ConnectionLimiter

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection is open, and has sent nothing yet."""
        self.since = self.heard_at = self._moved_at = time.monotonic()
        self._unsent = 0
        super().connection_made(transport)
        self.limiter.open[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self.limiter.open.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        self.heard_at = time.monotonic()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """The connection now waits for another request."""
        self.since = time.monotonic()
        super().on_response_complete()

    @property
    def waits(self) -> bool:
        """Whether it waits for the head of a request."""
        return self.cycle is None or self.cycle.response_complete

    def rank(self, now: float) -> int | None:
        """How soon it gives up its place if all are taken, 0 first; None while its request is processed.

        A new connection is about to send its request, and one that reads its answer is in use: connections without
        traffic are closed before them.
        """
        if self.transport.get_write_buffer_size() > 0:
            return 1 if now - self._moved_at >= _SETTLED_S else 4
        if self.transport.is_closing():
            return None  # closed already
        if self.waits:
            return 0 if now - self.since >= _SETTLED_S else 3
        is_silent = self.cycle.more_body and not self.flow.read_paused and now - self.heard_at >= _SILENT_S
        return 2 if is_silent else None

    def look(self, idle_s: float) -> None:
        """End it after ``idle_s`` without traffic; the middleware times bodies, and answers if they are late."""
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
        """Bytes that the client has not received, with the system's buffer; 0 if all of them are in that buffer."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting or sys.platform == "win32":
            return waiting
        try:
            answer = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return waiting
        return waiting + int.from_bytes(answer, sys.byteorder)

    def _give_up(self, idle_s: float) -> None:
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:  # a part of a head has arrived
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
    """Accepts connections one after another while there are places."""

    def __init__(self, *, most: int, idle_s: Callable[[], float]) -> None:
        """Start without connections.

        Args:
            most: open connections at the same time.
            idle_s: returns how long a connection may be idle; called each time.
        """
        self.most = most
        self.open: dict[Connection, None] = {}  # in the order of arrival
        self._idle_s = idle_s
        self._told_at = -math.inf

    async def accept(self, listening: socket.socket, connection: Callable[[], Connection]) -> None:
        """Accept connections until cancelled.

        Args:
            listening: a non-blocking listening socket.
            connection: makes the protocol of each connection.
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
            except OSError:  # the client disconnected
                accepted.close()
            except asyncio.CancelledError:
                accepted.close()
                raise

    async def watch(self) -> None:
        """End connections without traffic, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            idle_s = self._idle_s()
            for connection in list(self.open):
                connection.look(idle_s)

    async def _room(self) -> None:
        while len(self.open) >= self.most:
            self._tell("all places are taken")
            # A closed connection is gone after the next turn of the loop.
            await asyncio.sleep(0 if self._let_one_go() else _PAUSE_S)

    def _let_one_go(self) -> bool:
        """Close the first connection in rank, never one whose request is processed; returns whether there was one."""
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
    """The largest number of connections: half of the files that the process may still open are for other things.

    Args:
        wanted: the setting; None uses the limit of files.

    Raises:
        OptionError: so many are not possible.
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
