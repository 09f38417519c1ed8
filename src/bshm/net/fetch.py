"""Fetch a picture from a URL that somebody else may have chosen, checked by the guard (``bshm.net.guard``).

Each redirect passes the guard, too.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urljoin

from bshm.errors import (
    FetchError,
    PictureTooLargeError,
    UnreadablePictureError,
    UnreadableVideoError,
    UrlRefusedError,
    VideoTooLargeError,
)
from bshm.magic import HEAD_BYTES, KNOWN, beginning, refusal, sniff
from bshm.net.guard import (
    CHUNK_BYTES,
    AddressCheck,
    Deadline,
    Resolver,
    Target,
    addresses_of,
    connect,
    is_public,
    parse,
    put_head,
    shown,
)
from bshm.options import Limits

_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Validators:
    """By what a server tells whether its picture is still the same: what it said with it, word for word."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Fetched:
    """What a URL gave.

    Attributes:
        data: the picture; None where it has not changed since the validators that were sent.
        validators: those of the picture, for the next time.
    """

    data: bytes | None
    validators: Validators


def fetch(
    url: str, *, limits: Limits, _resolve: Resolver | None = None, _is_allowed: AddressCheck = is_public
) -> bytes:
    """The bytes behind ``url``, a picture by their first bytes; see ``fetch_if_changed``."""
    fetched = fetch_if_changed(url, limits=limits, _resolve=_resolve, _is_allowed=_is_allowed)
    return fetched.data or b""  # nothing was sent that it could have stayed the same as


def fetch_if_changed(
    url: str,
    *,
    limits: Limits,
    known: Validators | None = None,
    _resolve: Resolver | None = None,
    _is_allowed: AddressCheck = is_public,
) -> Fetched:
    """The bytes behind ``url``, a picture by their first bytes, unless they are those that ``known`` came with.

    Args:
        url: ``http://`` or ``https://``, without credentials.
        limits: ``bytes``, ``timeout_s`` for everything together (names, redirects and slow bodies included), and
            ``redirects``.
        known: validators of an earlier answer; None asks for the picture in any case.
        _resolve: for tests: name and port to addresses.
        _is_allowed: for tests: which addresses may be connected to.

    Raises:
        UrlRefusedError: another scheme, credentials, a malformed URL, or an address that is not public.
        FetchError: the server could not be reached, took too long, answered with an error, or stopped half-way; or too
            many redirects.
        PictureTooLargeError: more bytes than ``limits.max_bytes``.
        UnreadablePictureError: what came is not a picture.
    """
    return _followed(url, limits, known or Validators(), "image/*", _body, _resolve, _is_allowed)


def fetch_video(
    url: str,
    path: Path,
    *,
    limits: Limits,
    _resolve: Resolver | None = None,
    _is_allowed: AddressCheck = is_public,
) -> None:
    """Put the bytes behind ``url`` into a file; they are not in memory whole.  Whether they are a video, nobody looks.

    Args:
        url: as for ``fetch_if_changed``.
        path: of the file.
        limits: as for ``fetch_if_changed``.
        _resolve, _is_allowed: for tests.

    Raises:
        UrlRefusedError, FetchError: as ``fetch_if_changed``.
        VideoTooLargeError: more bytes than ``limits.max_bytes``.
        UnreadableVideoError: nothing came, or a page.
        OSError: they cannot be written.
    """

    def read(response: http.client.HTTPResponse, name: str, limits: Limits, deadline: Deadline) -> bytes:
        _into(path, response, name, limits, deadline)
        return b""

    _followed(url, limits, Validators(), "video/*, */*;q=0.1", read, _resolve, _is_allowed)


_Reading = Callable[[http.client.HTTPResponse, str, Limits, Deadline], bytes]


def _followed(
    url: str,
    limits: Limits,
    known: Validators,
    accept: str,
    read: _Reading,
    _resolve: Resolver | None,
    _is_allowed: AddressCheck,
) -> Fetched:
    deadline = Deadline(time.monotonic() + limits.url_timeout_s, limits.url_timeout_s, shown(url))
    resolve = _resolve or addresses_of
    for _ in range(limits.redirects + 1):
        target = parse(url)
        addresses = deadline.run(lambda target=target: resolve(target.host, target.port))  # type: ignore[misc]
        refused = [address for address in addresses if not _is_allowed(address)]
        if refused or not addresses:
            raise UrlRefusedError(
                f"{shown(url)} needs a public address, but {target.host} has {', '.join(refused) or 'none'}. "
                "Download the picture yourself and use the file."
            )
        answer = _ask(target, addresses, url, limits, deadline, known, accept, read)
        if isinstance(answer, Fetched):
            return answer
        url = urljoin(url, answer.location)
    raise FetchError(
        f"{deadline.name} was redirected more than {limits.redirects} times, last to {shown(url)}. Give the final URL."
    )


@dataclass(frozen=True)
class _Redirect:
    location: str


def _ask(
    target: Target,
    addresses: list[str],
    url: str,
    limits: Limits,
    deadline: Deadline,
    known: Validators,
    accept: str,
    read: _Reading,
) -> Fetched | _Redirect:
    name, advice = shown(url), " Try again, or download it yourself."
    with connect(target, addresses, deadline, name=name, failed="did not come", advice=advice) as (
        connection,
        sock,
    ):
        put_head(connection, "GET", target)
        connection.putheader("Accept", accept)
        connection.putheader("Accept-Encoding", "identity")
        if known.etag is not None:
            connection.putheader("If-None-Match", known.etag)
        if known.last_modified is not None:
            connection.putheader("If-Modified-Since", known.last_modified)
        connection.endheaders()
        response = http.client.HTTPResponse(cast(socket.socket, sock), method="GET")
        with response:
            response.begin()
            if response.status in _REDIRECTS and (location := response.headers.get("Location")):
                return _Redirect(location)
            if response.status == http.client.NOT_MODIFIED and known != Validators():
                return Fetched(None, known)
            validators = Validators(_text(response.headers.get("ETag")), _text(response.headers.get("Last-Modified")))
            return Fetched(read(response, name, limits, deadline), validators)


def _text(header: str | None) -> str | None:
    """A header that can be sent back as it came; a long or odd one is not worth it."""
    return header if header is not None and len(header) <= 256 and header.isascii() and header.isprintable() else None


def _check_answer(response: http.client.HTTPResponse, name: str) -> None:
    if response.status != http.client.OK:
        raise FetchError(f"{name} answered {response.status} {response.reason} instead of 200.")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise FetchError(f"{name} was sent compressed as {encoding!r}, which was not requested. Download it yourself.")


def _into(path: Path, response: http.client.HTTPResponse, name: str, limits: Limits, deadline: Deadline) -> None:
    _check_answer(response, name)
    kind = response.headers.get("Content-Type", "no Content-Type")
    if kind.lower().startswith("text/"):
        raise UnreadableVideoError(
            f"{name} needs to be a video; it is {kind[:80]}. Give the URL of the video itself, not of a page that "
            "shows it."
        )
    announced = response.length
    if announced is not None and announced > limits.max_bytes:
        raise _too_long(name, limits, f"{announced:,}")
    come = 0
    with path.open("wb") as file:
        while chunk := response.read(CHUNK_BYTES):
            come += len(chunk)
            if come > limits.max_bytes:
                raise _too_long(name, limits, "more")
            file.write(chunk)
    if not come:
        raise UnreadableVideoError(f"{name} gave nothing. Check the URL.")
    if announced is not None and come < announced:
        deadline.left_s()
        raise FetchError(f"{name} stopped after {come:,} of {announced:,} bytes. Try again.")


def _too_long(name: str, limits: Limits, got: str) -> VideoTooLargeError:
    return VideoTooLargeError(
        f"a video may have {limits.max_bytes:,} bytes here; {name} has {got}. Send a smaller one."
    )


def _body(response: http.client.HTTPResponse, name: str, limits: Limits, deadline: Deadline) -> bytes:
    _check_answer(response, name)
    announced = response.length
    if announced is not None and announced > limits.max_bytes:
        raise _too_many_bytes(name, limits, f"{announced:,}")
    data = bytearray()
    # The first read is small: a page, an archive or a film is turned away before it is downloaded.
    while chunk := response.read(CHUNK_BYTES if data else HEAD_BYTES):
        if not data and sniff(chunk) is None:
            why = refusal(chunk)
            if why is not None:
                raise UnreadablePictureError(f"{name} is {why}")
            break
        data += chunk
        if len(data) > limits.max_bytes:
            raise _too_many_bytes(name, limits, "more")
    if not data:
        kind = response.headers.get("Content-Type", "no Content-Type")
        raise UnreadablePictureError(
            f"{name} must be a {KNOWN} picture; it begins with {beginning(chunk)} ({kind}). "
            "Use the URL of the picture itself, not of a page that shows it."
        )
    if announced is not None and len(data) < announced:
        deadline.left_s()
        raise FetchError(f"{name} stopped after {len(data):,} of {announced:,} bytes. Try again.")
    return bytes(data)


def _too_many_bytes(name: str, limits: Limits, got: str) -> PictureTooLargeError:
    return PictureTooLargeError(
        f"a picture may have up to {limits.max_bytes:,} bytes; {name} has {got}. Use a smaller one, or raise the limit."
    )
