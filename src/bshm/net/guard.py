"""The URL guard: a chosen URL must not reach into a private network.

The name is resolved once, every address it has must be public, and the connection goes to one of those very addresses,
so that a second answer of the name server cannot lead elsewhere.  Certificates are checked against the name.  Proxy
settings of the environment are not used: a proxy would resolve the name again.  Everything together has one deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bshm._version import __version__
from bshm.errors import FetchError, UrlRefusedError

# Read from a socket at once.
CHUNK_BYTES = 1 << 16
_PORTS = {"http": 80, "https": 443}

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Tunnels that carry an IPv4 address inside (Teredo is in the first, 6to4 the second), through which nobody serves
# pictures, and addresses for documentation.
_NOT_SERVED_FROM = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20")))
_ISATAP = (0x00005EFE, 0x02005EFE)
# Special by IANA's registry, yet global to some of the Python versions that bshm runs on.
_SPECIAL = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))

Resolver = Callable[[str, int], list[str]]
AddressCheck = Callable[[str], bool]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, whatever IPv4 address it wraps.

    Source:
        IANA special-purpose address registries, through `ipaddress`; RFC 6052 (64:ff9b::/96), RFC 4291 (mapped
        addresses), RFC 5214 (ISATAP).

    Example:
        >>> [is_public(a) for a in ("93.184.216.34", "10.0.0.1", "64:ff9b::10.0.0.1", "::ffff:127.0.0.1")]
        [True, False, False, False]
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in _GLOBAL_UNICAST or any(ip in network for network in _NOT_SERVED_FROM):
            return False
        if (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
            return False
    elif any(ip in network for network in _SPECIAL):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def shown(url: str) -> str:
    """``url`` as messages may show it: without credentials and without the query, which may be a signature.

    Example:
        >>> shown("https://me:secret@example.com/a.png?token=1")
        'https://example.com/a.png?...'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return repr(url[:40])
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}{'?...' if parts.query else ''}"


@dataclass(frozen=True)
class Target:
    """What a URL leads to: scheme, host (an address without brackets), port, and what is asked for there."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Deadline:
    """When everything that belongs to one URL has to be over.

    Attributes:
        at: in seconds of ``time.monotonic()``.
        timeout_s: how long it was given, for messages.
        name: the URL as messages may show it.
    """

    at: float
    timeout_s: float
    name: str

    def left_s(self) -> float:
        """Seconds that are left.

        Raises:
            FetchError: none are.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> FetchError:
        """The error for when it is over."""
        return FetchError(
            f"{self.name} did not arrive within {self.timeout_s:g} s. "
            "Try again, raise the time limit, or download it yourself."
        )

    def run(self, resolve: Callable[[], list[str]]) -> list[str]:
        """Resolve a name within the time: getaddrinfo takes no timeout, so it gets a thread that may be left behind."""
        found: list[list[str]] = []
        failed: list[OSError | UnicodeError] = []

        def work() -> None:
            try:
                found.append(resolve())
            except (OSError, UnicodeError) as error:
                failed.append(error)

        thread = threading.Thread(target=work, name="bshm-resolve", daemon=True)
        thread.start()
        thread.join(self.left_s())
        if failed:
            raise FetchError(f"{self.name}: its host has no address ({failed[0]}). Check the spelling.") from failed[0]
        if not found:
            raise self.passed()
        return found[0]


def parse(url: str) -> Target:
    """What ``url`` leads to.

    Raises:
        UrlRefusedError: another scheme than http and https, credentials, or a malformed URL.
    """
    name = shown(url)
    # urlsplit drops tabs and line ends silently, and browsers read a backslash as a slash: two readings of one URL are
    # how guards are passed.
    if any(ord(c) <= 32 or ord(c) == 127 or c == "\\" for c in url):
        raise UrlRefusedError(f"a URL needs its spaces, control characters and backslashes %-encoded; got {name!r}.")
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii") if not is_ip(parts.hostname) else parts.hostname
    except ValueError as error:  # UnicodeError is one
        raise UrlRefusedError(f"{name} is not a valid URL: {error}.") from error
    if parts.scheme not in _PORTS:
        raise UrlRefusedError(f"a URL needs http or https; got {name}.")
    if "@" in parts.netloc:
        raise UrlRefusedError(f"a URL with credentials is refused; got one for {name}. Download the picture yourself.")
    if not host or port == 0:
        raise UrlRefusedError(f"a URL needs a host and a port above 0; got {name}.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # Only ASCII may be sent; what is %-encoded already stays so.
    path = "".join(c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode("utf-8", "replace")) for c in path)
    return Target(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path)


def is_ip(host: str | None) -> bool:
    """Whether ``host`` is an IP address, and no name."""
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return True


def addresses_of(host: str, port: int) -> list[str]:
    """The IP addresses of a name, as the system resolves it."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@contextlib.contextmanager
def connect(
    target: Target, addresses: list[str], deadline: Deadline, *, name: str, failed: str, advice: str = ""
) -> Iterator[tuple[http.client.HTTPConnection, TimedSocket]]:
    """A connection to one of ``addresses``, and how its answer is read in time; whatever breaks is a ``FetchError``.

    Args:
        target, addresses, deadline: where to, and how long it may take in all.
        name: what messages call the URL.
        failed: what the message says of an error that has no message of its own.
        advice: what it says then.
    """
    connection = http.client.HTTPConnection(target.host, target.port)
    try:
        # http.client connects only where it has no socket; it keeps the name for the Host header.
        connection.sock = sock = _connected(target, addresses, deadline)
        yield connection, TimedSocket(sock, deadline)
    except TimeoutError as error:
        raise deadline.passed() from error
    except ssl.SSLCertVerificationError as error:
        raise FetchError(
            f"{name}: the certificate of its server is not valid for {target.host}: {error.verify_message}."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{name} {failed}: {error or type(error).__name__}.{advice}") from error
    finally:
        connection.close()


def put_head(connection: http.client.HTTPConnection, method: str, target: Target) -> None:
    """The request line and the headers that every request has."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    connection.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host if target.port == _PORTS[target.scheme] else f"{host}:{target.port}")
    connection.putheader("User-Agent", f"bshm/{__version__}")
    connection.putheader("Connection", "close")


def _connected(target: Target, addresses: list[str], deadline: Deadline) -> socket.socket:
    """A socket to the first address that answers; each gets a share of the time, so that a dead one is passed over."""
    failure: OSError | None = None
    for tried, address in enumerate(addresses):
        try:
            sock = socket.create_connection(
                (address, target.port), timeout=deadline.left_s() / (len(addresses) - tried)
            )
        except OSError as error:
            failure = error
            continue
        if target.scheme == "http":
            return sock
        try:
            # The certificate must be for the name, though the connection is to the address; the whole handshake is
            # under one timeout in ssl.
            sock.settimeout(deadline.left_s())
            return ssl.create_default_context().wrap_socket(sock, server_hostname=target.host)
        except BaseException:
            sock.close()
            raise
    deadline.left_s()
    raise failure or OSError("no address")


class TimedSocket:
    """What http.client reads from: every single read gets the time that is left of the whole, not a new timeout."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As ``socket.makefile``."""
        return io.BufferedReader(_TimedReader(self._sock, self._deadline), CHUNK_BYTES)


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._sock.settimeout(self._deadline.left_s())
        return self._sock.recv_into(buffer)
