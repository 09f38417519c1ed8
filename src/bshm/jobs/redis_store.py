"""Records and bytes in Redis.

    {bshm}:job:ID          hash: text, revision, owner
    {bshm}:blob:ID/WORD    bytes
    {bshm}:key:HASH        the id that belongs to an idempotency key
    {bshm}:owner:HASH      sorted set of the jobs of an owner, by time of creation
    {bshm}:state:STATE     sorted set of the jobs queued or running, by time of creation
    {bshm}:due, :expiry    sorted sets: when a webhook is due, when a job expires

Every change is one Lua script, which Redis runs atomically: it compares, and changes the record and the sorted sets
together or not at all.  The braces keep all keys in one slot of a cluster.  Bytes are stored with a time to live; the
script that stores a record referring to them removes it.  So leftovers of a crash expire.

Redis must be configured to keep its data: ``appendonly yes``; to survive a power cut, also ``appendfsync always``.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bshm.errors import MissingExtraError, OutputError, QueueUnavailableError
from bshm.jobs.job_store import full
from bshm.jobs.records import JobRecord, Kind, State
from bshm.jobs.transitions import blobs_of

if TYPE_CHECKING:
    from redis import Redis

_PREFIX = "{bshm}:"
# One owner creates no more jobs than this at the same time: times have microseconds.
_AT_ONCE = 50
# Size of pieces, so that large bytes are never in memory completely.
_PIECE = 4 * 1024 * 1024
_MOST_BYTES = 512 * 1024 * 1024
_SHARED = """
local function index(id, state, created, due, expires)
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
    if state == 'queued' then redis.call('ZADD', KEYS[2], created, id) end
    if state == 'running' then redis.call('ZADD', KEYS[3], created, id) end
    if due == '' then redis.call('ZREM', KEYS[4], id) else redis.call('ZADD', KEYS[4], due, id) end
    if expires == '' then redis.call('ZREM', KEYS[5], id) else redis.call('ZADD', KEYS[5], expires, id) end
end
"""
# KEYS: job, queued, running, due, expiry, key (or job again), jobs of the owner, blobs…
# ARGV: id, text, revision, state, created, due, expires, capacity, has a key, prefix of jobs, owner
_ADD = (
    _SHARED
    + """
local there = redis.call('HGET', KEYS[1], 'text')
if there then return {'there', there} end
if ARGV[9] == '1' then
    local holder = redis.call('GET', KEYS[6])
    if holder and holder ~= ARGV[1] then
        there = redis.call('HGET', ARGV[10] .. holder, 'text')
        if there then return {'there', there} end
    end
end
if redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[8]) then return {'full', ''} end
for i = 8, #KEYS do
    if redis.call('PERSIST', KEYS[i]) == 0 and redis.call('EXISTS', KEYS[i]) == 0 then return {'lost', ''} end
end
redis.call('HSET', KEYS[1], 'text', ARGV[2], 'revision', ARGV[3], 'owner', ARGV[11])
redis.call('ZADD', KEYS[7], ARGV[5], ARGV[1])
if ARGV[9] == '1' then redis.call('SET', KEYS[6], ARGV[1]) end
index(ARGV[1], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return {'added', ''}
"""
)
# KEYS: job, queued, running, due, expiry, blobs…
# ARGV: id, text, revision, state, created, due, expires, old revision
_REPLACE = (
    _SHARED
    + """
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[8] then return 0 end
for i = 6, #KEYS do redis.call('PERSIST', KEYS[i]) end
redis.call('HSET', KEYS[1], 'text', ARGV[2], 'revision', ARGV[3])
index(ARGV[1], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 1
"""
)
# KEYS: job, queued, running, due, expiry, key (or job again), jobs of the owner    ARGV: id, has a key
_DELETE = """
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[7], ARGV[1])
for i = 2, 5 do redis.call('ZREM', KEYS[i], ARGV[1]) end
if ARGV[2] == '1' and redis.call('GET', KEYS[6]) == ARGV[1] then redis.call('DEL', KEYS[6]) end
"""
# KEYS: queued, running    ARGV: prefix of jobs, owner
_OF_OWNER = """
local found = 0
for i = 1, 2 do
    for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
        if redis.call('HGET', ARGV[1] .. id, 'owner') == ARGV[2] then found = found + 1 end
    end
end
return found
"""


def connect(url: str) -> Redis:
    """A client that waits about a second for a restart of the server before it fails.

    Raises:
        MissingExtraError: redis is not installed.
        QueueUnavailableError: the URL is not valid.
    """
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.exceptions import ConnectionError, TimeoutError
        from redis.retry import Retry
    except ImportError as error:
        raise MissingExtraError("jobs in Redis need an optional part: pip install 'bshm[queue]'.") from error
    try:
        client: Redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=5,
            socket_timeout=30,
            health_check_interval=30,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 5),
            retry_on_error=[ConnectionError, TimeoutError],
        )
    except ValueError as error:
        raise QueueUnavailableError(f"the URL of Redis is not valid: {error}. Use redis://HOST:6379/0.") from error
    return client


class RedisRecords:
    """Records in Redis; safe to share between threads."""

    def __init__(self, client: Redis, *, has_bytes: bool = True) -> None:
        """Use a client of ``connect``.

        Args:
            client: the connection.
            has_bytes: whether ``RedisBlobs`` stores the bytes that records refer to; otherwise they are elsewhere.
        """
        self._client = client
        self._has_bytes = has_bytes
        self._add = client.register_script(_ADD)
        self._replace = client.register_script(_REPLACE)
        self._delete = client.register_script(_DELETE)
        self._of_owner = client.register_script(_OF_OWNER)

    def reserve(self, owner: str, key: str, job_id: str) -> str:
        """See ``Records``; `add` decides between simultaneous calls."""
        with explained():
            there = self._client.get(_key(owner, key))
        return there.decode() if isinstance(there, bytes) else job_id

    def add(self, record: JobRecord, *, capacity: int) -> JobRecord:
        """See ``Records``."""
        has_key = record.idempotency_key is not None
        key = _key(record.owner, record.idempotency_key or "") if has_key else _job(record.id)
        with explained():
            answer, text = self._add(
                keys=[_job(record.id), *_INDEX, key, _owned(record.owner), *self._bytes(blobs_of(record))],
                args=[*_values(record), capacity, int(has_key), _job(""), record.owner],
            )
        if answer == b"there":
            return JobRecord.from_text(text)
        if answer == b"full":
            raise full(capacity)
        if answer == b"lost":
            raise QueueUnavailableError("Redis has deleted pictures of a job. Check that it has enough memory.")
        return record

    def get(self, job_id: str) -> JobRecord | None:
        """See ``Records``."""
        with explained():
            text: Any = self._client.hget(_job(job_id), "text")
        return None if text is None else JobRecord.from_text(text)

    def replace(self, old: JobRecord, new: JobRecord) -> JobRecord | None:
        """See ``Records``."""
        new = replace(new, revision=old.revision + 1)
        kept = self._bytes(blobs_of(new) - blobs_of(old))
        with explained():
            changed = self._replace(keys=[_job(old.id), *_INDEX, *kept], args=[*_values(new), old.revision])
        return new if changed == 1 else None

    def delete(self, record: JobRecord) -> None:
        """See ``Records``."""
        has_key = record.idempotency_key is not None
        key = _key(record.owner, record.idempotency_key or "") if has_key else _job(record.id)
        with explained():
            self._delete(keys=[_job(record.id), *_INDEX, key, _owned(record.owner)], args=[record.id, int(has_key)])

    def depth(self, owner: str | None = None) -> int:
        """See ``Records``."""
        with explained():
            if owner is not None:
                return int(self._of_owner(keys=[_state("queued"), _state("running")], args=[_job(""), owner]))
            return int(self._client.zcard(_state("queued"))) + int(self._client.zcard(_state("running")))

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None) -> list[JobRecord]:
        """See ``Records``."""
        with explained():
            # Includes jobs created at the same time as the last one; Redis orders those by id, too.
            latest = "+inf" if before is None else repr(before[0])
            found: Any = self._client.zrange(
                _owned(owner), latest, "-inf", desc=True, byscore=True, withscores=True, offset=0, num=limit + _AT_ONCE
            )
        ids = [name for name, created in found if before is None or (created, name.decode()) < before]
        return self._all(ids[:limit])

    def in_state(self, state: State, *, kind: Kind | None = None, limit: int | None = None) -> list[JobRecord]:
        """See ``Records``."""
        with explained():
            # The record has the kind of a job.
            last = -1 if limit is None or kind is not None else limit - 1
            ids: Any = self._client.zrange(_state(state), 0, last)
        return [each for each in self._all(ids) if each.state == state and kind in (None, each.kind)][:limit]

    def due(self, now: float) -> list[JobRecord]:
        """See ``Records``."""
        return self._up_to("due", now)

    def expired(self, now: float) -> list[JobRecord]:
        """See ``Records``."""
        return self._up_to("expiry", now)

    def close(self) -> None:
        """See ``Records``."""
        self._client.close()

    def _bytes(self, names: set[str]) -> list[str]:
        """The keys of bytes whose time to live a script removes."""
        return [_blob(name) for name in sorted(names)] if self._has_bytes else []

    def _up_to(self, name: str, now: float) -> list[JobRecord]:
        with explained():
            ids: Any = self._client.zrange(_PREFIX + name, "-inf", now, byscore=True, offset=0, num=1000)
        return self._all(ids)

    def _all(self, ids: list[bytes]) -> list[JobRecord]:
        with explained():
            pipeline = self._client.pipeline(transaction=False)
            for each in ids:
                pipeline.hget(_job(each.decode()), "text")
            texts = pipeline.execute() if ids else []
        return [JobRecord.from_text(text) for text in texts if text is not None]


class RedisBlobs:
    """Bytes in Redis, up to 512 MB each, all of them in its memory; safe to share between threads."""

    def __init__(self, client: Redis, *, orphan_s: float) -> None:
        """Use a client of ``connect``.

        Args:
            client: the connection.
            orphan_s: how long bytes without a record are kept.
        """
        self._client = client
        self._orphan_s = orphan_s

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
        _check_size(name, len(data))
        with explained():
            self._client.set(_blob(name), data, px=int(self._orphan_s * 1000))

    def take(self, name: str, path: Path) -> None:
        """See ``Blobs``."""
        _check_size(name, path.stat().st_size)
        with path.open("rb") as file, explained():
            place = 0
            self._client.set(_blob(name), b"", px=int(self._orphan_s * 1000))
            # Each piece has a position, so that sending it again after a lost answer changes nothing.
            while piece := file.read(_PIECE):
                self._client.setrange(_blob(name), place, piece)
                place += len(piece)

    def get(self, name: str) -> bytes | None:
        """See ``Blobs``."""
        with explained():
            data: Any = self._client.get(_blob(name))
        return data if isinstance(data, bytes) else None

    def pieces(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """See ``Blobs``."""
        with explained():
            size: Any = self._client.strlen(_blob(name))
            if not size and not self._client.exists(_blob(name)):
                return None
        return self._pieces(name, start, size if stop is None else min(stop, size))

    def _pieces(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            with explained():
                piece: Any = self._client.getrange(_blob(name), start, min(start + _PIECE, stop) - 1)
            if not piece:
                raise QueueUnavailableError(f"Redis has dropped {name} while it was read.")
            yield piece
            start += len(piece)

    def path(self, name: str) -> Path | None:
        """See ``Blobs``."""
        return None

    def delete(self, name: str) -> None:
        """See ``Blobs``."""
        with explained():
            self._client.unlink(_blob(name))

    def delete_all(self, job_id: str) -> None:
        """See ``Blobs``: deletes the bytes that the record refers to; the rest has a time to live."""
        with explained():
            text: Any = self._client.hget(_job(job_id), "text")
            if text is not None:
                names = blobs_of(JobRecord.from_text(text))
                if names:
                    self._client.unlink(*map(_blob, names))

    def sweep(self, spoken_of: Callable[[str], set[str] | None], *, older_than_s: float) -> int:
        """See ``Blobs``: Redis does it by itself."""
        return 0


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn errors of Redis into errors of bshm."""
    import redis

    try:
        yield
    except redis.exceptions.OutOfMemoryError as error:
        raise OutputError("Redis has no memory left for another picture. Raise maxmemory or use a folder.") from error
    except redis.exceptions.RedisError as error:
        raise QueueUnavailableError(f"the jobs in Redis cannot be reached: {error}.") from error


def _check_size(name: str, size: int) -> None:
    if size > _MOST_BYTES:
        raise OutputError(
            f"Redis keeps 512 MB a picture or a clip; {name} has {size:,} bytes. Keep the bytes elsewhere: --blobs."
        )


def _job(job_id: str) -> str:
    return f"{_PREFIX}job:{job_id}"


def _blob(name: str) -> str:
    return f"{_PREFIX}blob:{name}"


def _state(state: str) -> str:
    return f"{_PREFIX}state:{state}"


def _owned(owner: str) -> str:
    return f"{_PREFIX}owner:{hashlib.sha256(owner.encode()).hexdigest()}"


def _key(owner: str, key: str) -> str:
    return f"{_PREFIX}key:{_hash(owner, key)}"


_INDEX = (_state("queued"), _state("running"), f"{_PREFIX}due", f"{_PREFIX}expiry")


def _values(record: JobRecord) -> list[Any]:
    """id, text, revision, state, created, due, expires; missing numbers are empty."""
    due_at = record.delivery.next_at if record.delivery is not None else None
    return [
        record.id,
        record.to_text(),
        record.revision,
        record.state,
        repr(record.created_at),
        "" if due_at is None else repr(due_at),
        "" if record.expires_at is None else repr(record.expires_at),
    ]


def _hash(owner: str, key: str) -> str:
    return hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()
