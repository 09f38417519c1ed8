"""Bytes in an object store that speaks S3: AWS, MinIO, Ceph, R2, …

    PREFIX/ID/WORD    one object per name

Only bytes are stored here: records change often while a job runs, by compare-and-set, for which Redis is better.  An
object exists completely or not at all, so the bytes of a record are complete.  Objects have no time to live, so
``sweep`` looks for those that a crash left behind.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.errors import OptionError, OutputError, QueueUnavailableError
from bshm.jobs.records import is_id
from bshm.net import object_store
from bshm.net.object_store import told

if TYPE_CHECKING:
    from obstore.store import S3Store

log = logging.getLogger("bshm.jobs")

_PLACE = re.compile(rf"s3://(?P<bucket>{object_store.BUCKET})(?:/(?P<prefix>[A-Za-z0-9._/-]*))?")
# Size of a read and of a part of an upload, so that large bytes are never in memory completely.
_PIECE = 8 * 1024 * 1024
# How often names are listed in the time that orphaned bytes are kept: finding orphans needs lists, which cost money.
_SWEEPS = 4
_PAGE = 1000


class S3Blobs:
    """Bytes in a bucket; safe to share between threads, processes and machines."""

    def __init__(self, store: S3Store) -> None:
        """Use a store of ``connect``."""
        self._store = store
        self._next_sweep = float("-inf")

    @property
    def folder(self) -> Path | None:
        """See ``Blobs``."""
        return None

    @property
    def scratch(self) -> Path | None:
        """See ``Blobs``."""
        return None

    def put(self, name: str, data: bytes) -> None:
        """See ``Blobs``."""
        with explained():
            # In one request: the parts of an upload that a crash interrupted would stay, invisible but paid for.
            self._store.put(name, data, use_multipart=False)

    def take(self, name: str, path: Path) -> None:
        """See ``Blobs``: larger bytes are uploaded in several parts, which are not in memory together."""
        size = path.stat().st_size
        with explained():
            self._store.put(name, path, use_multipart=size > _PIECE, chunk_size=_PIECE, max_concurrency=2)

    def get(self, name: str) -> bytes | None:
        """See ``Blobs``."""
        with explained():
            try:
                return self._store.get(name).bytes().to_bytes()
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def pieces(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """See ``Blobs``: each piece is a separate request, so that no reader is too slow for the store."""
        with explained():
            try:
                size = self._store.head(name)["size"]
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
        return self._pieces(name, start, size if stop is None else min(stop, size))

    def _pieces(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            end = min(start + _PIECE, stop)
            with explained():
                piece = self._store.get_range(name, start=start, end=end).to_bytes()
            yield piece
            start = end

    def path(self, name: str) -> Path | None:
        """See ``Blobs``."""
        return None

    def delete(self, name: str) -> None:
        """See ``Blobs``."""
        with explained():
            self._store.delete([name])

    def delete_all(self, job_id: str) -> None:
        """See ``Blobs``."""
        with explained():
            for page in self._store.list(f"{job_id}/", chunk_size=_PAGE):
                self._store.delete([each["path"] for each in page])

    def sweep(self, spoken_of: Callable[[str], set[str] | None], *, older_than_s: float) -> int:
        """See ``Blobs``; most calls do nothing.

        Ages compare the store's clock with this machine's.  Stores refuse clients whose clock is off by a quarter of an
        hour, so an hour is long enough.
        """
        now = time.monotonic()
        if now < self._next_sweep:
            return 0
        self._next_sweep = now + older_than_s / _SWEEPS
        before = datetime.now(timezone.utc) - timedelta(seconds=older_than_s)
        old: dict[str, list[str]] = {}
        with explained():
            for page in self._store.list(chunk_size=_PAGE):
                for each in page:
                    job_id, _, word = each["path"].partition("/")
                    if is_id(job_id) and word and each["last_modified"] < before:
                        old.setdefault(job_id, []).append(each["path"])
        gone = 0
        for job_id, paths in old.items():
            # Read after the names were listed, because a record refers to bytes that exist already.
            names = spoken_of(job_id)
            lost = paths if names is None else [path for path in paths if path not in names]
            if lost:
                with explained():
                    self._store.delete(lost)
                gone += 1 if names is None else len(lost)
        return gone


def connect(url: str, endpoint: str | None) -> S3Blobs:
    """The bytes below ``url``; credentials and region come from the environment, as for the AWS tools.

    If the store does not answer now, jobs wait for it later; if it refuses, this fails at once, because the
    configuration is wrong.

    Args:
        url: ``s3://BUCKET/PREFIX``; the prefix may be missing.
        endpoint: ``https://HOST:PORT`` of a store other than AWS; None is AWS.

    Raises:
        OptionError: one of them is not such a URL.
        MissingExtraError: obstore is not installed.
        OutputError: the bucket does not exist, or may not be used.
    """
    place = _PLACE.fullmatch(url)
    if place is None:
        raise OptionError(f"an object store needs the form s3://BUCKET or s3://BUCKET/PREFIX; got {url[:200]!r}.")
    store = object_store.bucket(
        place["bucket"], prefix=(place["prefix"] or "").strip("/") or None, endpoint=endpoint, purpose="jobs"
    )
    from obstore.exceptions import BaseError

    try:
        next(iter(store.list(chunk_size=1)), None)
    except (BaseError, FileNotFoundError) as error:
        if re.search(r"status code: 40[0-9]", str(error)):
            raise OutputError(
                f"jobs cannot be kept in {url}: the store answers {told(error)}. Create the bucket, and allow these "
                "credentials to list it and to get, put and delete its objects."
            ) from error
        log.warning("the object store of the jobs does not answer yet: %s", told(error))
    return S3Blobs(store)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn errors of the store into errors of bshm.

    This includes refusals: people renew expired credentials, and no job may be lost until then.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise QueueUnavailableError(f"the object store of the jobs cannot be used: {told(error)}.") from error
