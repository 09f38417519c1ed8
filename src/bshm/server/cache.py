"""Results kept by what they are made of: the bytes of the picture, what is wanted of it, and the weights."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any, Protocol

from bshm._version import __version__
from bshm.errors import MissingExtraError, OptionError, OutputError
from bshm.server.settings import Settings

# Larger results are not kept: one 50-megapixel PNG would push out hundreds of ordinary ones.
_LARGEST_SHARE = 0.05


class Cache(Protocol):
    """Bytes by key, each for a while.  Methods block; they may be called from any thread.

    A cache that fails is a cache that misses: no request fails for it.
    """

    def get(self, key: str) -> bytes | None:
        """What was kept, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Keep ``value``, unless it is too large."""

    def close(self) -> None:
        """Let go of files and connections."""


class NoCache:
    """Keeps nothing."""

    def get(self, key: str) -> bytes | None:
        """Nothing."""
        return None

    def put(self, key: str, value: bytes) -> None:
        """Forgets it."""

    def close(self) -> None:
        """Does nothing."""


class DiskCache:
    """Files in a folder that only this user may read."""

    def __init__(self, folder: Path, *, max_bytes: int, age_s: float) -> None:
        import diskcache

        class _PlainDisk(diskcache.Disk):  # type: ignore[misc]
            """Bytes as they are: whoever could write into the folder could have a pickle run code."""

            def fetch(self, mode: int, filename: str, value: Any, read: bool) -> Any:
                if mode == diskcache.core.MODE_PICKLE:
                    raise ValueError("a pickle in the cache")
                return super().fetch(mode, filename, value, read)

        self._max_bytes = max_bytes
        self._age_s = age_s
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            self._cache = diskcache.Cache(
                str(folder),
                disk=_PlainDisk,
                size_limit=max_bytes,
                eviction_policy="least-recently-stored",
                statistics=0,
                timeout=2,
            )
        except (OSError, diskcache.Timeout, sqlite_error()) as error:
            raise OutputError(f"the cache cannot be kept in {folder}: {error}. Choose another --cache-dir.") from error
        self._errors = (OSError, ValueError, diskcache.Timeout, sqlite_error())
        self._local = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """What was kept, or None."""
        try:
            value = self._cache.get(key)
        except self._errors:
            return None
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """Keep ``value``, unless it is too large."""
        if len(value) > self._max_bytes * _LARGEST_SHARE:
            return
        try:
            with self._local:  # SQLite has one writer: waiting here is cheaper than trying again there
                self._cache.set(key, value, expire=self._age_s)
        except self._errors:
            return

    def close(self) -> None:
        """Let go of files."""
        self._cache.close()


class RedisCache:
    """In a Redis that several services share; its own ``maxmemory`` caps the size."""

    def __init__(self, url: str, *, max_bytes: int, age_s: float) -> None:
        try:
            import redis
        except ImportError as error:
            raise MissingExtraError(
                f"--cache {url.rsplit('@', maxsplit=1)[-1]} needs the package redis: pip install 'bshm[queue]'."
            ) from error
        self._errors = (redis.RedisError, OSError)
        self._client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._age_ms = max(1, int(age_s * 1000))
        self._largest = int(max_bytes * _LARGEST_SHARE)

    def get(self, key: str) -> bytes | None:
        """What was kept, or None."""
        try:
            value = self._client.get(f"bshm:{key}")
        except self._errors:
            return None
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """Keep ``value``, unless it is too large."""
        if len(value) > self._largest:
            return
        try:
            self._client.set(f"bshm:{key}", value, px=self._age_ms)
        except self._errors:
            return

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


def sqlite_error() -> type[Exception]:
    """What SQLite raises; imported late, as diskcache does."""
    import sqlite3

    return sqlite3.Error


def default_folder() -> Path:
    """Where the disk cache of this user is."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "bshm" / "results"


def open_cache(settings: Settings) -> Cache:
    """The cache that the settings name.

    Raises:
        OptionError: they name none that there is.
        OutputError: the folder cannot be used.
        MissingExtraError: the package for it is not installed.
    """
    kind = settings.cache
    if kind == "off":
        return NoCache()
    if kind == "disk":
        folder = settings.cache_dir or default_folder()
        return DiskCache(folder, max_bytes=settings.cache_bytes, age_s=settings.cache_age_s)
    if kind.startswith(("redis://", "rediss://", "unix://")):
        return RedisCache(kind, max_bytes=settings.cache_bytes, age_s=settings.cache_age_s)
    raise OptionError(f"--cache takes disk, off or redis://HOST:PORT/N; got {kind!r}.")


def result_key(picture_sha256: str, wanted: str, weights_sha256: str) -> str:
    """The key of a result; another version of bshm may give other bytes."""
    return digest("result", __version__, picture_sha256, wanted, weights_sha256)


def url_key(url: str) -> str:
    """The key of what is known of a URL's content."""
    return digest("url", url)


def digest(*parts: str) -> str:
    """One hash of several texts; their lengths are part of it, so that no two lists of texts share it."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()
