"""POST to a URL that somebody else has chosen, checked by the guard (``bshm.net.guard``).

Redirects are not followed, and nothing of the answer is kept but its status: a stranger must learn nothing of what
answers inside a network.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from typing import cast

from bshm.errors import UrlRefusedError
from bshm.net.guard import (
    AddressCheck,
    Deadline,
    Resolver,
    addresses_of,
    connect,
    is_ip,
    is_public,
    parse,
    put_head,
    shown,
)


def check(url: str) -> None:
    """Refuse a URL that could never be called, without resolving its name.

    Raises:
        UrlRefusedError: another scheme than http and https, credentials, a malformed URL, or a private address.

    Example:
        >>> check("https://example.com/told")
        >>> check("http://127.0.0.1/told")
        Traceback (most recent call last):
        ...
        bshm.errors.UrlRefusedError: http://127.0.0.1/told needs a public address.
    """
    target = parse(url)
    if is_ip(target.host) and not is_public(target.host):
        raise UrlRefusedError(f"{shown(url)} needs a public address.")


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    timeout_s: float,
    _resolve: Resolver | None = None,
    _is_allowed: AddressCheck = is_public,
) -> int:
    """Send ``body`` to ``url``.

    Args:
        url: ``http://`` or ``https://``, without credentials.
        body: what to send.
        headers: beside Host, User-Agent, Content-Length and Connection, which are set here.
        timeout_s: for everything together, the name included.
        _resolve: for tests: name and port to addresses.
        _is_allowed: for tests: which addresses may be connected to.

    Returns:
        the status of the answer, whatever it is.

    Raises:
        UrlRefusedError: another scheme, credentials, a malformed URL, or an address that is not public.
        FetchError: the server could not be reached, took too long, or gave no HTTP answer.
    """
    name = shown(url)
    deadline = Deadline(time.monotonic() + timeout_s, timeout_s, name)
    target = parse(url)
    resolve = _resolve or addresses_of
    addresses = deadline.run(lambda: resolve(target.host, target.port))
    if not addresses or not all(map(_is_allowed, addresses)):
        raise UrlRefusedError(f"{name} needs a public address.")
    with connect(target, addresses, deadline, name=name, failed="did not answer") as (connection, sock):
        put_head(connection, "POST", target)
        connection.putheader("Content-Length", str(len(body)))
        for key, value in headers.items():
            connection.putheader(key, value)
        connection.sock.settimeout(deadline.left_s())
        connection.endheaders(body)
        response = http.client.HTTPResponse(cast(socket.socket, sock), method="POST")
        with response:
            response.begin()
            return response.status
