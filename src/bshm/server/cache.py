"""A cache of results, by the bytes of the picture, the options and the weights."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bshm import places
from bshm._version import __version__
from bshm.errors import MissingExtraError, OptionError, OutputError
from bshm.server.settings import Settings

# Larger results are not kept: one 50-megapixel PNG would push out hundreds of ordinary ones.
_LARGEST_SHARE = 0.05

# The value is the last column, and the index covers queries of sizes, so that these read no values.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, stored_at REAL NOT NULL, size INTEGER NOT NULL, value BLOB);
CREATE INDEX IF NOT EXISTS entries_stored ON entries (stored_at, size);
"""
_DELETE_OLDEST = """
DELETE FROM entries WHERE rowid IN (
    SELECT rowid FROM (SELECT rowid, sum(size) OVER (ORDER BY stored_at DESC, rowid DESC) AS newer FROM entries)
    WHERE newer > ?
)
"""


class Cache(Protocol):
    """Bytes by key, for a limited time.  Methods block; they may be called from any thread.

    An error of the cache is a miss: no request fails because of it.
    """

    def get(self, key: str) -> bytes | None:
        """The stored value, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Store ``value``, unless it is too large."""

    def close(self) -> None:
        """Close files and connections."""


class NoCache:
    """Stores nothing."""

    def get(self, key: str) -> bytes | None:
        """Always None."""
        return None

    def put(self, key: str, value: bytes) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class DiskCache:
    """One SQLite file in a folder that only this user may read; several processes may share it.

    Written here because no maintained library fits: they limit the number of entries and not their bytes, or store
    pickles, which run the code of anybody who can write into the folder.
    """

    def __init__(self, folder: Path, *, max_bytes: int, age_s: float, clock: Callable[[], float] = time.time) -> None:
        """Open or create the file.

        Args:
            folder: folder of the file.
            max_bytes: largest size of all values together; the oldest are deleted first.
            age_s: how long a value is kept.
            clock: seconds since 1970; for tests.

        Raises:
            OutputError: the folder cannot be used.
        """
        self._max_bytes = max_bytes
        self._age_s = age_s
        self._clock = clock
        self._lock = threading.Lock()
        path = folder / "results.sqlite3"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            # Transactions are started explicitly; waits for a busy disk are short.
            self._connection = sqlite3.connect(path, timeout=2, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may lose the latest values, which can be made again, but does not damage the file.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            # The log stays small compared with the file: in pages of 4 KiB, at most the usual 1000.
            self._connection.execute(f"PRAGMA wal_autocheckpoint={max(1, min(1000, max_bytes // 16 // 4096))}")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(
                f"the cache cannot be kept in {path}: {error}. Remove that file, or choose another --cache-dir."
            ) from error

    def get(self, key: str) -> bytes | None:
        """The stored value, or None."""
        since = self._clock() - self._age_s
        try:
            with self._lock:
                found = self._connection.execute(
                    "SELECT value FROM entries WHERE key = ? AND stored_at > ?", (key, since)
                ).fetchone()
        except sqlite3.Error:
            return None
        return found[0] if found is not None and isinstance(found[0], bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """Store ``value``, unless it is too large."""
        if len(value) > self._max_bytes * _LARGEST_SHARE:
            return
        with self._lock:
            run = self._connection.execute
            try:
                run("BEGIN IMMEDIATE")
                run("DELETE FROM entries WHERE stored_at <= ?", (self._clock() - self._age_s,))
                run("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", (key, self._clock(), len(value), value))
                if run("SELECT total(size) FROM entries").fetchone()[0] > self._max_bytes:
                    run(_DELETE_OLDEST, (self._max_bytes,))
                run("COMMIT")
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have ended the transaction itself
                    run("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


class RedisCache:
    """A cache in a Redis that several services share; its ``maxmemory`` limits the size."""

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
        """The stored value, or None."""
        try:
            value = self._client.get(f"bshm:{key}")
        except self._errors:
            return None
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """Store ``value``, unless it is too large."""
        if len(value) > self._largest:
            return
        try:
            self._client.set(f"bshm:{key}", value, px=self._age_ms)
        except self._errors:
            return

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def default_folder() -> Path:
    """The folder of this user's disk cache."""
    return places.cache() / "results"


def open_cache(settings: Settings) -> Cache:
    """The cache that the settings name.

    Raises:
        OptionError: they name an unknown cache.
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
    """The key of a result; it includes the version of bshm, which may change the bytes."""
    return digest("result", __version__, picture_sha256, wanted, weights_sha256)


def url_key(url: str) -> str:
    """The key of the facts about a URL's content."""
    return digest("url", url)


def digest(*parts: str) -> str:
    """One hash of several texts; their lengths are part of it, so that different lists have different hashes."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()
