"""Open the stores of records and bytes from their URLs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from bshm.errors import OptionError
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Blobs, Records


def open_store(
    place: str, options: QueueOptions, *, blobs: str | None = None, blobs_endpoint: str | None = None
) -> tuple[Records, Blobs]:
    """Records and bytes that workers on several machines share.

    Args:
        place: ``redis://HOST:PORT/N`` (or ``rediss://``).
        options: how long bytes without a job are kept.
        blobs: ``s3://BUCKET/PREFIX`` or ``file:///FOLDER`` for the bytes; None keeps them with the records.
        blobs_endpoint: address of the object store, see ``bshm.jobs.s3_blobs.connect``.

    Raises:
        OptionError: another kind of URL.
        OutputError: the folder or the bucket cannot be used.
        MissingExtraError, QueueUnavailableError: see ``bshm.jobs.redis_store.connect`` and ``s3_blobs.connect``.
    """
    check_place(place)
    elsewhere = _elsewhere(blobs, blobs_endpoint)
    from bshm.jobs.redis_store import RedisBlobs, RedisRecords, connect

    client = connect(place)
    if elsewhere is not None:
        return RedisRecords(client, has_bytes=False), elsewhere
    return RedisRecords(client), RedisBlobs(client, orphan_s=options.orphan_s)


def check_place(place: str) -> None:
    """Check that jobs with a broker can be stored at a URL.

    Raises:
        OptionError: it is of another kind.
    """
    if not place.startswith(("redis://", "rediss://", "unix://")):
        advice = (
            " A folder shared by all machines may store the bytes: --blobs file:///FOLDER."
            if place.startswith("file:") or "://" not in place
            else " An object store may store the bytes: --blobs s3://…."
            if place.startswith("s3:")
            else ""
        )
        raise OptionError(
            f"jobs with a broker are stored in redis://HOST:PORT/N; got {_without_password(place)}.{advice}"
        )


def _elsewhere(url: str | None, endpoint: str | None) -> Blobs | None:
    if url is not None and url.startswith("file:"):
        from bshm.jobs.folder_blobs import FolderBlobs

        if endpoint is not None:
            raise OptionError("an endpoint is only for an object store, s3://BUCKET/PREFIX; a folder has none.")
        return FolderBlobs(folder_of(url))
    if url is None:
        if endpoint is not None:
            raise OptionError("an endpoint needs a bucket, too: s3://BUCKET/PREFIX.")
        return None
    from bshm.jobs.s3_blobs import connect

    return connect(url, endpoint)


def folder_of(url: str) -> Path:
    """The folder that a ``file:`` URL names.

    Raises:
        OptionError: it does not name a folder of this machine.

    >>> folder_of("file:///srv/my%20jobs").as_posix()
    '/srv/my jobs'
    """
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.strip("/"):
        raise OptionError(f"a folder for the bytes needs the form file:///FOLDER; got {url[:200]!r}.")
    return Path(unquote(parts.path))


def _without_password(url: str) -> str:
    """
    >>> _without_password("amqp://me:secret@host/x")
    'amqp://host/x'
    """
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
