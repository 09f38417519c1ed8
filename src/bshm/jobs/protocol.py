"""The protocols of a job queue and of its three parts.

    JobQueue   the interface for servers: submit, show, download, cancel
    Work       makes the result of one picture
    ClipWork   makes the results of one clip
    Records    stores the records; changes one only if nobody else has changed it meanwhile
    Blobs      stores the bytes of pictures and results

The records decide what happens.  A worker takes a picture by changing the record of its job, and delivers the result by
changing it again; a message in a broker is only a hint that there is something to take.  So a lost, repeated or late
message only changes how long a job waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bshm.jobs.clips import ClipOptions
from bshm.jobs.codec import Json
from bshm.jobs.records import JobOptions, JobRecord, JobRequest, JobResult, Kind, State

if TYPE_CHECKING:
    from bshm.video.conversion import Progress


@runtime_checkable
class JobQueue(Protocol):
    """A queue of jobs.  All methods can be called from any thread and block, so do not call them in an event loop.

    All except ``submit``, ``depth`` and ``close`` take the owner: for somebody else's job they answer exactly as for a
    job that does not exist.
    """

    @property
    def capacity(self) -> int:
        """Number of jobs that may wait or run at the same time; ``submit`` refuses more."""

    @property
    def spool(self) -> Path | None:
        """A folder on the file system of the queue for uploads before ``submit``, which are then renamed and not
        copied. None if the store has no files."""

    @property
    def scratch(self) -> Path | None:
        """A folder there for work with several files; see ``bshm.jobs.scratch``."""

    def submit(self, request: JobRequest, *, share: int | None = None) -> JobRecord:
        """Accept a job.  After this returns, the job will end with results or errors, even if processes die.

        A repeated idempotency key returns the job of the first request in its current state, even when the queue is
        full.

        Args:
            request: what to do.
            share: how many jobs of this owner may wait or run at the same time, to leave room for other owners; None is
                no limit.  Simultaneous calls may exceed it by one each.

        Raises:
            QueueFullError: the queue is full; try again after ``retry_after_s``.
            QueueShareError: this owner has too many jobs.
            IdempotencyError: the key belongs to another request.
            UrlRefusedError: the webhook's URL may not be called.
            QueueUnavailableError: the store cannot be reached, or the queue is closed.
            OutputError, DiskFullError: the pictures cannot be stored.
        """

    def get(self, job_id: str, owner: str) -> JobRecord:
        """The current state of a job.

        Raises:
            JobNotFoundError: the job does not exist, belongs to another owner, or has expired.
        """

    def result(self, job_id: str, index: int, owner: str) -> JobResult:
        """The result of item ``index``; available as soon as that item is done.

        Raises:
            JobNotFoundError: as ``get``; or the job has no such item.
            JobUnfinishedError: that item is not done yet, or it failed or was cancelled.
        """

    def output(self, job_id: str, product: str | None, owner: str) -> ClipResult:
        """A result of a clip.

        Args:
            job_id, owner: the job and its owner.
            product: ``cutout``, ``composite``, ``alpha`` or ``foreground``; None takes the first that exists.

        Raises:
            JobNotFoundError: as ``get``; or it is not a job of a clip, or has no such result.
            JobUnfinishedError: the clip is not done yet, or it failed or was cancelled.
            QueueUnavailableError: the store cannot be reached, now or while the pieces are read.
        """

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None = None) -> list[JobRecord]:
        """The jobs of an owner, newest first, including ended ones until they expire.

        Args:
            owner: the owner.
            limit: largest number of jobs.
            before: ``created_at`` and ``id`` of the last job seen: start after it in this order; None starts at the
                beginning.

        Raises:
            QueueUnavailableError: the store cannot be reached.
        """

    def cancel(self, job_id: str, owner: str) -> JobRecord:
        """Cancel a job that has not ended: no more items are started, waiting ones are deleted, finished results stay.

        Pictures that are running are not interrupted, but their results are dropped; a clip stops after its next frame.
        A job that has ended stays as it is.

        Raises:
            JobNotFoundError: as ``get``.
        """

    def delete(self, job_id: str, owner: str) -> None:
        """Cancel the job if needed, and delete it with all its bytes now instead of when it expires.

        Raises:
            JobNotFoundError: as ``get``.
        """

    def purge(self) -> int:
        """Delete all expired jobs with their results.  The queue also does this about once a minute.

        Returns:
            How many jobs were deleted.
        """

    def depth(self) -> int:
        """Number of jobs that wait or run."""

    def is_reached(self) -> bool:
        """Whether the job store answered at the last check, a few seconds ago.  Does not block."""

    def close(self, *, timeout_s: float = 30.0) -> None:
        """Accept no more jobs and stop working: items in progress may finish within ``timeout_s``; other items go back
        to the queue and continue when it is opened again.  Closing again does nothing."""


@dataclass(frozen=True)
class Product:
    """The outcome of one picture.

    Attributes:
        data: the bytes of the result.
        media_type: e.g. ``image/png``.
        details: goes into ``ItemRecord.details``.
    """

    data: bytes
    media_type: str
    details: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


class Work(Protocol):
    """Makes the result of one picture; called by worker threads, several at a time."""

    def __call__(self, picture: bytes, name: str, options: JobOptions) -> Product:
        """The result.

        Raises:
            BshmError: becomes the error of the item.  Any other exception does too, as ``internal``.
        """


@dataclass(frozen=True)
class ClipProduct:
    """A file that was made from a clip.

    Attributes:
        product: ``cutout``, ``composite``, ``alpha`` or ``foreground``.
        path: the file, in the given folder.
        media_type: e.g. ``video/webm``.
        details: see ``ClipOutput``.
    """

    product: str
    path: Path
    media_type: str
    details: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class ClipProducts:
    """The results of a clip.

    Attributes:
        files: one or several files.
        frames: number of frames.
        details: of all of them, for ``ItemRecord.details``: ``width``, ``height``, ``frames``, ``duration_s``,
            ``empty``, ``corrected``, ``model``, ``model_sha256``, ``device``, ``seconds``, ``copied``, ``notes``.
    """

    files: tuple[ClipProduct, ...]
    frames: int
    details: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


class ClipWork(Protocol):
    """Makes the results of one clip; called by worker threads, several at a time."""

    def __call__(
        self,
        clip: Path,
        options: ClipOptions,
        *,
        background: Path | None,
        folder: Path,
        progress: Callable[[Progress], None],
    ) -> ClipProducts:
        """The results.

        Args:
            clip: the file, in ``folder``.
            options: options of the job.
            background: the file that stands for ``COMES_ALONG`` in them, in ``folder``; or None.
            folder: for results and for what is needed on the way; deleted afterwards.  What is finished is kept below
                it, in ``bshm.jobs.clip_parts.FOLDER``, where that of an earlier worker lies at the beginning.
            progress: to be called after each frame.  What it raises ends the work.

        Raises:
            BshmError: becomes the error of the job.  Any other exception does too, as ``internal``.
        """


@dataclass(frozen=True)
class ClipResult:
    """A result of a clip, wherever its bytes are stored.

    Attributes:
        name: a file name.
        media_type: e.g. ``video/webm``.
        size: in bytes.
        tag: identifies these bytes: another file has another tag.
        made_at: seconds since 1970.
        pieces: the bytes from one position to another, piece by piece.
    """

    name: str
    media_type: str
    size: int
    tag: str
    made_at: float
    pieces: Callable[[int, int], Iterator[bytes]]


class Records(Protocol):
    """Stores records.  Methods raise ``QueueUnavailableError`` if the store cannot be reached."""

    def reserve(self, owner: str, key: str, job_id: str) -> str:
        """The job id of an owner's idempotency key: the id of an earlier call, or ``job_id``."""

    def add(self, record: JobRecord, *, capacity: int) -> JobRecord:
        """Add a record of revision 0, unless one exists with its id or with its owner and idempotency key.

        Returns:
            ``record``, or the existing one.

        Raises:
            QueueFullError: ``capacity`` jobs have not ended.
        """

    def get(self, job_id: str) -> JobRecord | None:
        """The current record."""

    def replace(self, old: JobRecord, new: JobRecord) -> JobRecord | None:
        """Replace ``old`` by ``new`` if the store still has the revision of ``old``.

        Returns:
            ``new`` with the next revision; None if another process was faster.
        """

    def delete(self, record: JobRecord) -> None:
        """Delete a record and its idempotency key."""

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None) -> list[JobRecord]:
        """See ``JobQueue.of``; may include expired ones."""

    def depth(self, owner: str | None = None) -> int:
        """Number of jobs that have not ended, of one owner or of all."""

    def in_state(self, state: State, *, kind: Kind | None = None, limit: int | None = None) -> list[JobRecord]:
        """The jobs that are ``queued`` or ``running``, oldest first; of one kind, or of all."""

    def due(self, now: float) -> list[JobRecord]:
        """Ended jobs whose webhook is due."""

    def expired(self, now: float) -> list[JobRecord]:
        """Expired jobs."""

    def close(self) -> None:
        """Close files and connections."""


class Blobs(Protocol):
    """Stores bytes by name.  Only ``bshm.jobs`` makes names: ``ID/WORD``."""

    @property
    def folder(self) -> Path | None:
        """Folder for files before they are accepted; None without files."""

    @property
    def scratch(self) -> Path | None:
        """Folder for new files that ``take`` stores later, on the file system of the bytes; it may not exist yet.  None
        without files."""

    def put(self, name: str, data: bytes) -> None:
        """Store ``data``, completely or not at all."""

    def take(self, name: str, path: Path) -> None:
        """Store the bytes of a file, which stays in place; it is never held in memory completely."""

    def get(self, name: str) -> bytes | None:
        """The bytes; None if they do not exist."""

    def pieces(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """The bytes from ``start`` up to ``stop``, or to the end, piece by piece; None if there are none."""

    def path(self, name: str) -> Path | None:
        """The file with the bytes; None without files."""

    def delete(self, name: str) -> None:
        """Delete the bytes, if they exist."""

    def delete_all(self, job_id: str) -> None:
        """Delete all bytes of a job."""

    def sweep(self, spoken_of: Callable[[str], set[str] | None], *, older_than_s: float) -> int:
        """Delete bytes that no record needs, left by crashes before a job was accepted or after its record changed.

        Args:
            spoken_of: returns the names that the record of a job refers to; None if there is no such job.
            older_than_s: younger bytes may belong to a change in progress.

        Returns:
            How many were deleted; all bytes of a job that does not exist count as one.
        """
