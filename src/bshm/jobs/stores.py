"""Open the store of records and bytes that a URL names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from bshm.errors import OptionError
from bshm.files import private
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Blobs, Records

# What a folder of records and bytes holds.
_OURS = ("records", "live", "owned", "due", "keys", "pictures")


def open_store(
    place: str | Path, options: QueueOptions, *, blobs: str | None = None, blobs_endpoint: str | None = None
) -> tuple[Records, Blobs]:
    """Records and bytes that workers on several machines share.

    Args:
        place: ``redis://HOST:PORT/N`` (or ``rediss://``), ``file:///FOLDER``, or a folder.
        options: how long bytes are kept that belong to no job.
        blobs: ``s3://BUCKET/PREFIX`` for the bytes; None keeps them with the records.
        blobs_endpoint: where that is, see ``bshm.jobs.s3_blobs.connect``.

    Raises:
        OptionError: another kind of URL.
        OutputError: the folder or the bucket cannot be used.
        MissingExtraError, QueueUnavailableError: see ``bshm.jobs.redis_store.connect`` and ``s3_blobs.connect``.
    """
    text = str(place)
    elsewhere = _elsewhere(blobs, blobs_endpoint)
    if text.startswith(("redis://", "rediss://", "unix://")):
        from bshm.jobs.redis_store import RedisBlobs, RedisRecords, connect

        client = connect(text)
        if elsewhere is not None:
            return RedisRecords(client, has_bytes=False), elsewhere
        return RedisRecords(client), RedisBlobs(client, orphan_s=options.orphan_s)
    from bshm.jobs.folder_blobs import FolderBlobs
    from bshm.jobs.folder_records import FolderRecords

    folder = private.folder(folder_of(text), ours=_OURS)
    return FolderRecords(folder), elsewhere or FolderBlobs(folder / "pictures")


def _elsewhere(url: str | None, endpoint: str | None) -> Blobs | None:
    if url is None:
        if endpoint is not None:
            raise OptionError("an endpoint needs its bucket: give s3://BUCKET/PREFIX for the bytes, too.")
        return None
    from bshm.jobs.s3_blobs import connect

    return connect(url, endpoint)


def folder_of(text: str) -> Path:
    """The folder that a ``file:`` URL or a path names.

    Raises:
        OptionError: another kind of URL, or none that names a folder of this machine.

    >>> folder_of("file:///srv/my%20jobs").as_posix(), folder_of("jobs").as_posix()
    ('/srv/my jobs', 'jobs')
    """
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme == "s3":
        raise OptionError("an object store keeps bytes, not records: give s3://… as --blobs, beside --results.")
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.strip("/"):
        raise OptionError(f"results are kept in redis://HOST:PORT/N or file:///FOLDER; got {_without_password(text)}.")
    return Path(unquote(parts.path))


def _without_password(url: str) -> str:
    """
    >>> _without_password("amqp://me:secret@host/x")
    'amqp://host/x'
    """
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
