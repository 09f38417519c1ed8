"""Download a large file that the user asked for by name: resumable, verified, complete or not at all.

Unlike ``fetch``, which takes URLs that anybody may have chosen, this goes to a host that the user or this package
named; so the environment's proxies are used, and there is no guard against private addresses.  What came is written to
``PATH.partial``; it takes its name when its size and its hash are right.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bshm._version import __version__
from bshm.errors import DiskFullError, FetchError, ModelFileError, OptionError, OutputError
from bshm.net.guard import shown

_CHUNK = 1 << 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# An answer that asking again will not change.
_FINAL = {400, 401, 403, 404, 405, 410, 451}

Progress = Callable[[int, int | None], None]
"""Told bytes so far, and bytes in all where that is known."""


@dataclass(frozen=True)
class ConnectionOptions:
    """How a server is reached.

    Attributes:
        proxy: URL of a proxy; None takes ``HTTPS_PROXY`` and ``NO_PROXY`` of the environment, "" none at all.
        timeout_s: for which nothing may come before the connection is given up and taken up again.
        tries: of a connection that breaks; progress starts them anew.
        pause_s: before the second try; doubled before each further one.
    """

    proxy: str | None = None
    timeout_s: float = 30.0
    tries: int = 5
    pause_s: float = 1.0


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """A redirect must not lead out of HTTPS, where anybody on the way could put another file."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_url(url: str) -> str:
    """``url``, when it is HTTPS, or HTTP to this very machine.

    Raises:
        OptionError: it is not.

    >>> check_url("https://modelscope.cn/api/v1")
    'https://modelscope.cn/api/v1'
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise OptionError(f"{url!r} is not a valid URL: {error}.") from error
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise OptionError(f"a download needs https://; got {shown(url)}. Use an https:// mirror.")
    return url


def read_json(url: str, connection: ConnectionOptions) -> Any:
    """What a JSON interface answers.

    Raises:
        OptionError: no HTTPS.
        FetchError: the server cannot be reached, or answers something else.
    """
    try:
        with _open(url, {}, connection) as response:
            return json.loads(response.read(1 << 24))
    except urllib.error.HTTPError as error:
        raise FetchError(f"{shown(url)} answered {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{shown(url)} cannot be reached: {_reason(error)}.") from error
    except ValueError as error:
        raise FetchError(
            f"{shown(url)} did not answer with JSON. A proxy or a login page may have answered instead."
        ) from error


def download(
    url: str,
    path: Path,
    connection: ConnectionOptions,
    *,
    size: int | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Bring the file at ``url`` to ``path``, going on from what an earlier call left in ``PATH.partial``.

    Args:
        url: ``https://``.
        path: where to; replaced when the new file is whole.
        connection: proxy, time and tries.
        size: in bytes, where it is known.
        sha256: lower-case hex, where it is known.
        progress: told after each piece.

    Returns:
        The SHA-256 of the file.

    Raises:
        OptionError: no HTTPS.
        FetchError: the server cannot be reached, refuses, or breaks off again and again; what came stays for next time.
        ModelFileError: all came, but it is another file; it is removed.
        DiskFullError, OutputError: it cannot be written.
    """
    check_url(url)
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _download(url, path, partial, connection, size, sha256, progress)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{partial} cannot be written: {error.strerror or error}. Choose another folder.") from error


def _download(
    url: str,
    path: Path,
    partial: Path,
    connection: ConnectionOptions,
    size: int | None,
    sha256: str | None,
    progress: Progress | None,
) -> str:
    resumed = partial.exists()
    _fetch_all(url, partial, connection, size, progress)
    found = file_sha256(partial)
    if sha256 is not None and found != sha256 and resumed:
        # The beginning may be of another version of the file: once more, from nothing.
        partial.unlink()
        _fetch_all(url, partial, connection, size, progress)
        found = file_sha256(partial)
    if sha256 is not None and found != sha256:
        length = partial.stat().st_size
        partial.unlink()
        raise ModelFileError(
            f"{shown(url)} returned another file than expected: its SHA-256 is {found} ({length:,} bytes) instead of "
            f"{sha256}. It was deleted. Try again; if that does not help, a proxy may change the file, or the server "
            "has a new one."
        )
    partial.replace(path)
    return found


def _fetch_all(
    url: str, partial: Path, connection: ConnectionOptions, size: int | None, progress: Progress | None
) -> None:
    """Fill ``partial``, in as many connections as it takes."""
    failures = 0
    while True:
        have = partial.stat().st_size if partial.exists() else 0
        if size is not None and have > size:
            partial.unlink()
            have = 0
        if size is not None and have == size and have:
            return
        try:
            _fetch_some(url, partial, have, connection, size, progress)
            return
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing beyond what is there: it is whole, or of another version
                if size is None and have:
                    return
                partial.unlink(missing_ok=True)
            elif error.code in _FINAL:
                raise FetchError(f"{shown(url)} answered {error.code} {error.reason}.") from error
            reason = f"it answered {error.code} {error.reason}"
        except _WriteError as error:
            raise error.cause from error
        except (OSError, http.client.HTTPException) as error:
            reason = _reason(error)
        now = partial.stat().st_size if partial.exists() else 0
        failures = 1 if now > have else failures + 1
        if failures >= connection.tries:
            share = f"{now:,} bytes{f' of {size:,}' if size else ''}"
            kept = f"{share} are kept in {partial}; run the same command to continue"
            raise FetchError(
                f"{shown(url)} could not be downloaded: {reason}, {connection.tries} times in a row. "
                + (f"{kept}." if now else "Check the connection and the proxy.")
            )
        time.sleep(connection.pause_s * 2 ** (failures - 1))


class _WriteError(Exception):
    """An error of the disk, told apart from those of the network, which are OSErrors as well."""

    def __init__(self, cause: OutputError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _fetch_some(
    url: str, partial: Path, have: int, connection: ConnectionOptions, size: int | None, progress: Progress | None
) -> None:
    """One connection: append what comes, and raise where it ends early."""
    with _open(url, {"Range": f"bytes={have}-"} if have else {}, connection) as response:
        if have and not (
            response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        ):
            have = 0  # it sends all of it again
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else size
        if size is not None and total is not None and total != size:
            raise FetchError(f"{shown(url)} announces {total:,} bytes, but {size:,} are expected. Try again later.")
        if total is not None and shutil.disk_usage(partial.parent).free < total - have:
            raise _WriteError(DiskFullError(f"{partial.parent} has no room for {total - have:,} bytes. Free some."))
        try:
            file = partial.open("ab" if have else "wb")
        except OSError as error:
            raise _WriteError(OutputError(f"{partial} cannot be written: {error.strerror}.")) from error
        with file:
            while True:
                chunk = response.read1(_CHUNK)
                if not chunk:
                    break
                try:
                    file.write(chunk)
                except OSError as error:
                    raise _WriteError(
                        DiskFullError(f"{partial} cannot be written: {error.strerror}. Free some space.")
                    ) from error
                have += len(chunk)
                if total is not None and have > total:
                    raise http.client.HTTPException("it sent more than it had announced")
                if progress is not None:
                    progress(have, total)
    if total is not None and have < total:
        raise http.client.HTTPException(f"it stopped after {have:,} of {total:,} bytes")


def _open(url: str, headers: dict[str, str], connection: ConnectionOptions) -> Any:
    handlers: list[Any] = [_HttpsOnly()]
    if connection.proxy is not None:
        proxies = {"http": connection.proxy, "https": connection.proxy} if connection.proxy else {}
        handlers.append(urllib.request.ProxyHandler(proxies))
    request = urllib.request.Request(
        check_url(url), headers={"User-Agent": f"bshm/{__version__}", "Accept-Encoding": "identity", **headers}
    )
    return urllib.request.build_opener(*handlers).open(request, timeout=connection.timeout_s)


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        return _reason(inner)
    if isinstance(error, TimeoutError):
        return "nothing came for too long"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
