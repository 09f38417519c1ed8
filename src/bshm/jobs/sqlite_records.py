"""Records in one SQLite file, for one or several processes of one machine."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bshm.errors import OutputError, QueueUnavailableError, StoreFullError
from bshm.jobs.job_store import full
from bshm.jobs.records import ENDED, JobRecord, Kind, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    key        TEXT,
    state      TEXT NOT NULL,
    live       INTEGER NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    due_at     REAL,
    revision   INTEGER NOT NULL,
    record     TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS jobs_key ON jobs (owner, key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state, created_at) WHERE live;
CREATE INDEX IF NOT EXISTS jobs_owner ON jobs (owner, created_at);
CREATE INDEX IF NOT EXISTS jobs_expiry ON jobs (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
"""


class SqliteRecords:
    """Records in a SQLite file in WAL mode; safe to share between threads.

    WAL needs memory that the processes share, so the file must lie on a disk of this machine, not on a network share.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            OutputError: it can be neither opened nor created.
        """
        self._path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Each thread begins its own transactions, and waits for writers of other processes.
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # FULL: an accepted job is on the disk before the caller gets an answer, and survives a power cut.
            self._connection.execute("PRAGMA synchronous=FULL")
            # The log may grow to this many pages of 4 KiB: less than the space kept free on the disk for it.
            self._connection.execute("PRAGMA wal_autocheckpoint=100")
            self._connection.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"the jobs cannot be kept in {path}: {error}. Choose a folder on a local disk."
            ) from error

    def reserve(self, owner: str, key: str, job_id: str) -> str:
        """See ``Records``; `add` decides between simultaneous calls."""
        rows = self._read("SELECT id FROM jobs WHERE owner = ? AND key = ?", (owner, key))
        return str(rows[0][0]) if rows else job_id

    def add(self, record: JobRecord, *, capacity: int) -> JobRecord:
        """See ``Records``."""
        with self._transaction() as run:
            there = run(
                "SELECT record FROM jobs WHERE id = ? OR (owner = ? AND key = ?)",
                (record.id, record.owner, record.idempotency_key),
            ).fetchone()
            if there is not None:
                return JobRecord.from_text(there[0])
            if run("SELECT count(*) FROM jobs WHERE live").fetchone()[0] >= capacity:
                raise full(capacity)
            run(
                "INSERT INTO jobs (id, owner, key, created_at, state, live, expires_at, due_at, revision, record) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (record.id, record.owner, record.idempotency_key, record.created_at, *_columns(record)),
            )
        return record

    def get(self, job_id: str) -> JobRecord | None:
        """See ``Records``."""
        rows = self._read("SELECT record FROM jobs WHERE id = ?", (job_id,))
        return JobRecord.from_text(rows[0][0]) if rows else None

    def replace(self, old: JobRecord, new: JobRecord) -> JobRecord | None:
        """See ``Records``."""
        new = replace(new, revision=old.revision + 1)
        with self._transaction() as run:
            changed = run(
                "UPDATE jobs SET state = ?, live = ?, expires_at = ?, due_at = ?, revision = ?, record = ? "
                "WHERE id = ? AND revision = ?",
                (*_columns(new), old.id, old.revision),
            ).rowcount
        return new if changed == 1 else None

    def delete(self, record: JobRecord) -> None:
        """See ``Records``."""
        with self._transaction() as run:
            run("DELETE FROM jobs WHERE id = ?", (record.id,))

    def depth(self, owner: str | None = None) -> int:
        """See ``Records``."""
        found = self._read("SELECT count(*) FROM jobs WHERE live AND (?1 IS NULL OR owner = ?1)", (owner,))
        return int(found[0][0])

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None) -> list[JobRecord]:
        """See ``Records``."""
        later, its_id = (float("inf"), "") if before is None else before
        return self._records(
            "SELECT record FROM jobs WHERE owner = ? AND (created_at, id) < (?, ?) "
            "ORDER BY created_at DESC, id DESC LIMIT ?",
            (owner, later, its_id, limit),
        )

    def in_state(self, state: State, *, kind: Kind | None = None, limit: int | None = None) -> list[JobRecord]:
        """See ``Records``."""
        return self._records(
            "SELECT record FROM jobs WHERE live AND state = ?1 "
            "AND (?2 IS NULL OR coalesce(json_extract(record, '$.kind'), 'picture') = ?2) ORDER BY created_at LIMIT ?3",
            (state, kind, -1 if limit is None else limit),
        )

    def due(self, now: float) -> list[JobRecord]:
        """See ``Records``."""
        return self._records(
            "SELECT record FROM jobs WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT 100", (now,)
        )

    def expired(self, now: float) -> list[JobRecord]:
        """See ``Records``."""
        return self._records("SELECT record FROM jobs WHERE expires_at IS NOT NULL AND expires_at <= ?", (now,))

    def close(self) -> None:
        """See ``Records``."""
        with self._lock:
            self._connection.close()

    def _records(self, query: str, values: tuple[Any, ...]) -> list[JobRecord]:
        return [JobRecord.from_text(row[0]) for row in self._read(query, values)]

    def _read(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._lock, self._explained():
            return self._connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                # On a full disk, SQLite may have rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # Python 3.10 does not give SQLite's error code.
            if "disk is full" in str(error):
                raise StoreFullError(f"no room for the jobs in {self._path}: {error}. Free some space.") from error
            raise QueueUnavailableError(f"the jobs in {self._path} cannot be reached: {error}.") from error


def _columns(record: JobRecord) -> tuple[Any, ...]:
    """state, live, expires_at, due_at, revision, record."""
    due_at = record.delivery.next_at if record.delivery is not None else None
    return (
        record.state,
        int(record.state not in ENDED),
        record.expires_at,
        due_at,
        record.revision,
        record.to_text(),
    )
