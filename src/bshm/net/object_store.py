"""Object stores that speak S3: AWS, MinIO, Ceph, R2, …  Credentials and region come from the environment, as the AWS
tools have them."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from bshm.errors import (
    FetchError,
    MissingExtraError,
    OptionError,
    PictureTooLargeError,
    SourceNotFoundError,
)
from bshm.options import Limits

if TYPE_CHECKING:
    from obstore.store import S3Store

SCHEME = "s3://"
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_OBJECT = re.compile(rf"s3://(?P<bucket>{BUCKET})/(?P<key>[^\x00-\x1f\x7f]+)")
# obstore ends the process's thread with a panic where it is given what is no URL.
_ENDPOINT = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._/-]*)?")


def bucket(name: str, *, prefix: str | None, endpoint: str | None, purpose: str) -> S3Store:
    """A bucket, not asked anything yet.

    Args:
        name: of the bucket.
        prefix: what the names of all objects begin with.
        endpoint: ``https://HOST:PORT`` of a store that is not AWS's; None is AWS.
        purpose: what messages call the use of it.

    Raises:
        OptionError: the endpoint is no such URL.
        MissingExtraError: obstore is not installed.
    """
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        raise OptionError(f"the endpoint of an object store is http(s)://HOST:PORT; got {endpoint[:200]!r}.")
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} in an object store need an optional part: pip install 'bshm[s3]'."
        ) from error
    return S3Store(
        name,
        prefix=prefix,
        endpoint=endpoint,
        client_options={
            # Whoever writes http:// means it; without a word of ours, obstore speaks TLS only.
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
            "connect_timeout": "5s",
            "timeout": "60s",
        },
        # A restart of a second or so is waited out here, what takes longer is told.
        retry_config={
            "max_retries": 5,
            "retry_timeout": timedelta(seconds=10),
            "backoff": {
                "init_backoff": timedelta(milliseconds=50),
                "max_backoff": timedelta(milliseconds=500),
                "base": 2,
            },
        },
    )


def fetch(url: str, limits: Limits) -> bytes:
    """The bytes of one object.

    The endpoint of a store that is not AWS's is ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL``.

    Args:
        url: ``s3://BUCKET/KEY``.
        limits: its ``max_bytes``.

    Raises:
        OptionError: the URL is none of these.
        SourceNotFoundError: no such bucket or object.
        PictureTooLargeError: more bytes than allowed.
        FetchError: the store did not give it.
        MissingExtraError: obstore is not installed.
    """
    place = _OBJECT.fullmatch(url)
    if place is None:
        raise OptionError(f"a picture in an object store is s3://BUCKET/KEY; got {url[:200]!r}.")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
    store = _known(place["bucket"], endpoint)
    from obstore.exceptions import BaseError

    try:
        found = store.get(place["key"])
        size = found.meta["size"]
        if size > limits.max_bytes:
            raise PictureTooLargeError(
                f"a picture may have up to {limits.max_bytes:,} bytes; {url} has {size:,}. "
                "Use a smaller one, or raise the limit."
            )
        return found.bytes().to_bytes()
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"no object at {url}: the store answers {told(error)}. Check its name.") from error
    except BaseError as error:
        raise FetchError(f"{url} could not be fetched: {told(error)}.") from error


@lru_cache(maxsize=16)
def _known(name: str, endpoint: str | None) -> S3Store:
    """One store a bucket: its connections are kept."""
    return bucket(name, prefix=None, endpoint=endpoint, purpose="pictures")


def told(error: Exception) -> str:
    """The store's own word for it, or the first line of what obstore says: further ones are for its authors.

    >>> told(Exception("Error in 3ms - 404 Not Found: <?xml?>\\n<Error><Code>NoSuchBucket</Code></Error>"))
    'NoSuchBucket'
    """
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    return code[1] if code else str(error).partition("\n")[0].strip(" .")
