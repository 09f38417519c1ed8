"""Process one picture of a job, or a clip: take it, make its result, and renew the lease meanwhile."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from bshm.concurrency.deadline_executor import DeadlineExecutor
from bshm.errors import (
    BshmError,
    DiskFullError,
    MissingExtraError,
    OutputError,
    OverrunError,
    QueueUnavailableError,
)
from bshm.files import sink
from bshm.jobs import clip_work, transitions
from bshm.jobs.clip_parts import ClipParts
from bshm.jobs.clips import ClipOptions, ClipOutput, ClipProgress
from bshm.jobs.job_store import Change, JobStore
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import ClipProducts, ClipWork, Product, Work
from bshm.jobs.records import ItemRecord, JobError, JobOptions, JobRecord, Lease, code_of
from bshm.jobs.scratch import Scratch

if TYPE_CHECKING:
    from bshm.video.conversion import Progress

log = logging.getLogger("bshm.jobs")

T = TypeVar("T")
Verdict = Literal["ended", "done", "taken"]
# Wait for a store that restarts, so that finished work need not be repeated.
_PATIENCE_S = 120.0
# How often the record is told how far a clip is.
_PROGRESS_S = 1.0
_BEGUN_AGAIN = "begun again from the first frame: an earlier worker left nothing finished that could be reached"


class ClipStopped(Exception):
    """A clip must not continue: this worker stops, or no longer holds the clip."""


class ClipWatch:
    """How far a clip is, and whether to go on; called by the thread that works on it, read by the one that renews."""

    def __init__(self, executor: DeadlineExecutor, stopping: threading.Event, claim: Claim) -> None:
        """Before the first frame."""
        self._executor = executor
        self._stopping = stopping
        self._claim = claim
        self._saved = 0
        self.latest: ClipProgress | None = None
        self.is_lost = threading.Event()
        # Set when more is finished that the next worker need not make.
        self.grew = threading.Event()
        self.is_begun_again = False

    def __call__(self, done: Progress) -> None:
        """One more frame, or one that was looked at before.

        Raises:
            ClipStopped: it is the last one here.
            OverrunError: the clip was given up.
        """
        self._executor.more_time()
        if not done.is_looking:
            self._count(done)
        if self._stopping.is_set() or self.is_lost.is_set():
            raise ClipStopped

    def _count(self, done: Progress) -> None:
        if self.latest is None:
            self._tell_of_earlier(done)
        if done.saved > self._saved:
            self._saved = done.saved
            self.grew.set()
        of = None if done.of is None else max(done.of, done.frames)
        fps = round((done.frames - done.kept) / done.seconds, 2) if done.seconds > 0 else None
        left_s = None if done.left_s is None else round(done.left_s, 1)
        self.latest = ClipProgress(done.frames, of, fps, left_s)

    def _tell_of_earlier(self, first: Progress) -> None:
        """Whether it goes on from what an earlier worker has left, if there was one."""
        job = self._claim.record
        if first.kept:
            log.info("job %s: goes on after %d finished frames", job.id, first.kept)
        elif job.attempts > 1:
            self.is_begun_again = True
            log.warning("job %s: %s", job.id, _BEGUN_AGAIN)


@dataclass(frozen=True)
class Claim:
    """A picture, or a clip, that a worker has taken.

    Attributes:
        record: the job's record just after the claim.
        index: index of the picture.
        token: token of the lease.
    """

    record: JobRecord
    index: int
    token: str

    @property
    def item(self) -> ItemRecord:
        """The record of the picture."""
        return self.record.items[self.index]


class Runner:
    """Processes pictures, for worker threads of either queue."""

    def __init__(
        self,
        store: JobStore,
        work: Work,
        *,
        worker: str,
        options: QueueOptions,
        stopping: threading.Event,
        clips: ClipWork | None = None,
        broken: Callable[[], object] = lambda: None,
    ) -> None:
        """Use an open store.

        Args:
            store: the jobs.
            work: makes the results.
            clips: makes the results of clips; without it, clips fail.
            worker: name of this worker in leases.
            options: the times of leases and pictures.
            stopping: when set, an unreachable store is not waited for, and a clip is returned.
            broken: called when so many pictures hang that the process should be replaced.
        """
        self._store = store
        self._work = work
        self._worker = worker
        self._options = options
        self._stopping = stopping
        self._clips = clips
        self._scratch = Scratch(store.blobs.scratch, orphan_s=options.orphan_s)
        self._executor = DeadlineExecutor(
            options.workers + (0 if clips is None else options.clip_workers),
            name="bshm-item",
            timeout_s=options.item_timeout_s,
            broken=broken,
        )

    def take(self, job_id: str) -> Claim | None:
        """Take the next picture of a job.

        Returns:
            The picture; None if none waits: all are taken, the job has ended, or it was deleted.

        Raises:
            QueueUnavailableError: the store cannot be reached.
        """
        token = secrets.token_hex(16)
        record = self._store.change(
            job_id,
            lambda found: transitions.claimed(
                found,
                token=token,
                worker=self._worker,
                lapses_s=self._options.lease_s,
                now=self._store.clock(),
            ),
        )
        index = None if record is None else transitions.held_by(record, token)
        return None if record is None or index is None else Claim(record, index, token)

    def do(self, claim: Claim) -> Verdict:
        """Make the result of a picture that was taken.

        Returns:
            ``ended``: the job has ended with it; ``done``: its job has other pictures; ``taken``: it was cancelled,
            another worker took it over after a pause that looked like death, or it is a clip that was returned because
            this worker stops.

        Raises:
            QueueUnavailableError: the store could not be reached; the picture waits again, or is found when its lease
                has lapsed.
        """
        job_id, token = claim.record.id, claim.token
        is_clip = claim.record.kind == "video"
        watch = ClipWatch(self._executor, self._stopping, claim) if is_clip else None
        with self._signs_of_life(job_id, token, watch):
            try:
                record = self._item(claim) if watch is None else self._clip(claim, watch)
            except ClipStopped:
                # As for an unreachable store, this does not count as an attempt.
                with contextlib.suppress(QueueUnavailableError):
                    self._store.change(job_id, lambda found: transitions.released(found, token=token))
                return "taken"
            except QueueUnavailableError:
                # Perhaps only the bytes cannot be reached, but the record can: the picture is returned, which does not
                # count as an attempt, however long this lasts.
                with contextlib.suppress(QueueUnavailableError):
                    self._store.change(job_id, lambda found: transitions.released(found, token=token))
                raise
            except BaseException:
                # A fault here, not in a picture: return it now instead of when the lease lapses.  It counts as an
                # attempt, so that it cannot repeat forever.
                self._change(job_id, lambda found: self._recovered(found, claim))
                raise
        if record is None:
            return "taken"
        return "ended" if record.has_ended else "done"

    def close(self) -> None:
        """Close the threads, except those that hang."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _item(self, claim: Claim) -> JobRecord | None:
        job_id, index, token, item = claim.record.id, claim.index, claim.token, claim.item
        try:
            product = self._made(item, JobOptions.from_json(claim.record.options))
            # A unique name per attempt, so that overlapping attempts cannot write into each other's result.
            result = f"{job_id}/out-{index}-{secrets.token_hex(8)}"
            self._keep(result, product.data, item.name)
        except QueueUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - becomes the error of the item
            return self._failed(claim, _told(error, item.name))
        changed = self._change(
            job_id,
            lambda found: transitions.item_done(
                found,
                token=token,
                index=index,
                result=result,
                media_type=product.media_type,
                size=len(product.data),
                details=product.details,
                now=self._store.clock(),
            ),
        )
        if changed is None:
            self._store.blobs.delete(result)
        return changed

    def _failed(self, claim: Claim, failure: JobError) -> JobRecord | None:
        return self._change(
            claim.record.id,
            lambda found: transitions.item_failed(
                found, token=claim.token, index=claim.index, error=failure, now=self._store.clock()
            ),
        )

    def _clip(self, claim: Claim, watch: ClipWatch) -> JobRecord | None:
        name, began = claim.item.name, time.monotonic()
        folder: Path | None = None
        outputs: list[ClipOutput] = []
        try:
            with self._scratch.folder(f"{claim.record.id} {claim.token}") as folder:
                parts = ClipParts(self._store, folder, job_id=claim.record.id, index=claim.index, token=claim.token)
                made = self._converted(claim, folder, watch, parts)
                for file in made.files:
                    # A unique name per attempt, as for pictures.
                    result = f"{claim.record.id}/out-{claim.index}-{file.product}-{secrets.token_hex(8)}"
                    size = file.path.stat().st_size
                    self._keep(result, file.path, name, parts)
                    shown = f"{Path(name).stem}.{file.product}{file.path.suffix}"
                    outputs.append(ClipOutput(file.product, shown, file.media_type, size, result, file.details))
        except (QueueUnavailableError, ClipStopped):
            raise
        except Exception as error:  # noqa: BLE001 - becomes the error of the job
            return self._failed(claim, _told(error, name, folder))
        progress = watch.latest or ClipProgress(made.frames, made.frames)
        progress = ClipProgress(made.frames, made.frames, progress.fps, 0.0)
        details = dict(made.details)
        if watch.is_begun_again:
            details["notes"] = [_BEGUN_AGAIN, *details.get("notes", ())]
        changed = self._change(
            claim.record.id,
            lambda found: transitions.clip_done(
                found,
                token=claim.token,
                index=claim.index,
                outputs=tuple(outputs),
                progress=progress,
                details=details,
                now=self._store.clock(),
            ),
        )
        if changed is None:
            for output in outputs:
                self._store.blobs.delete(output.result)
        else:
            log.info("job %s: a clip of %d frames took %.1f s", claim.record.id, made.frames, time.monotonic() - began)
        return changed

    def _converted(self, claim: Claim, folder: Path, watch: ClipWatch, parts: ClipParts) -> ClipProducts:
        if self._clips is None:
            raise MissingExtraError("clips are not made here. Start a worker that makes them.")
        options = ClipOptions.from_json(claim.record.options)
        item = claim.item
        made_at = claim.record.created_at
        clip = self._brought(str(item.input), folder / clip_work.file_name(item.name), item.name, made_at)
        background = None
        if item.background is not None:
            # By its suffix it is told whether it moves.
            path = folder / ("behind.mp4" if options.background == "video" else "behind.png")
            background = self._brought(item.background, path, "the background", made_at)
        parts.bring(item.parts, self._is_brought)
        with parts.kept_meanwhile(watch.grew):
            return self._executor.submit(
                self._clips, clip, options, background=background, folder=folder, progress=watch
            ).result()

    def _brought(self, stored: str, path: Path, name: str, made_at: float) -> Path:
        """The bytes of the store as a file at ``path``."""
        if not self._is_brought(stored, path):
            raise OutputError(f"the bytes of {name} are gone from the store of the jobs. Send it again.")
        # What is finished of a clip is that of a file of this time, wherever it is worked on.  Another user's file in a
        # shared folder cannot be changed, but its own time is the same each time.
        with contextlib.suppress(OSError):
            os.utime(path, (made_at, made_at))
        return path

    def _is_brought(self, stored: str, path: Path) -> bool:
        """Whether the store has the bytes, which are in a file at ``path`` then."""
        here = self._store.blobs.path(stored)
        try:
            if here is not None:
                sink.duplicate(here, path, overwrite=True)
                return True
            return self._patiently(lambda: self._fetched(stored, path))
        except OSError as error:
            if isinstance(error, BshmError):
                raise
            raise sink.explained(error, str(path)) from error

    def _fetched(self, stored: str, path: Path) -> bool:
        pieces = self._store.blobs.pieces(stored)
        if pieces is None:
            return False
        with path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        return True

    def _keep(self, result: str, data: bytes | Path, name: str, parts: ClipParts | None = None) -> None:
        blobs = self._store.blobs
        try:
            if isinstance(data, Path):
                try:
                    self._patiently(lambda: blobs.take(result, data))
                except OutputError:
                    if parts is None or not parts.drop():
                        raise
                    # They have left their room, which is as much as the results need.
                    self._patiently(lambda: blobs.take(result, data))
            else:
                self._patiently(lambda: blobs.put(result, data))
        except QueueUnavailableError:
            raise
        except OutputError as error:
            # The error names folders of this machine, which belong only in the log.
            log.error("the result of %s cannot be stored: %s", name, error)
            why = "there is no room for it" if isinstance(error, DiskFullError) else "the service is at fault"
            raise type(error)(f"the result of {name} cannot be stored: {why}. Send it again later.") from error

    def _recovered(self, record: JobRecord, claim: Claim) -> JobRecord | None:
        lease: Lease | None = record.items[claim.index].lease
        if lease is None or lease.token != claim.token:
            return None
        return transitions.recovered(
            record,
            index=claim.index,
            lease=lease,
            now=self._store.clock(),
            max_attempts=self._options.max_attempts,
        )

    def _made(self, item: ItemRecord, options: JobOptions) -> Product:
        data = self._patiently(lambda: self._store.blobs.get(str(item.input)))
        if data is None:
            raise OutputError(f"the bytes of {item.name} are missing from the job store. Send it again.")
        return self._executor.submit(self._work, data, item.name, options).result()

    def _change(self, job_id: str, change: Change) -> JobRecord | None:
        return self._patiently(lambda: self._store.change(job_id, change))

    def _patiently(self, ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + _PATIENCE_S
        pause = 0.1
        while True:
            try:
                return ask()
            except QueueUnavailableError:
                if self._stopping.is_set() or time.monotonic() > deadline:
                    raise
            self._stopping.wait(pause)
            pause = min(5.0, 2 * pause)

    @contextlib.contextmanager
    def _signs_of_life(self, job_id: str, token: str, watch: ClipWatch | None) -> Iterator[None]:
        over = threading.Event()
        every_s = self._options.lease_s / 3 if watch is None else min(_PROGRESS_S, self._options.lease_s / 3)

        def again(found: JobRecord) -> JobRecord | None:
            progress = None if watch is None else watch.latest
            return transitions.renewed(found, token=token, now=self._store.clock(), progress=progress)

        def renew() -> None:
            while not over.wait(every_s):
                try:
                    renewed = self._store.change(job_id, again)
                except BshmError as error:
                    log.warning("job %s: its lease could not be renewed: %s", job_id, error)
                else:
                    if renewed is None and watch is not None:
                        watch.is_lost.set()

        thread = threading.Thread(target=renew, name="bshm-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _told(error: Exception, name: str, folder: Path | None = None) -> JobError:
    """The error for the owner of the job; ``folder`` is the folder in which a clip was processed."""
    if isinstance(error, OverrunError):
        return JobError(code_of(error), f"{name} took too long: {error} Use a smaller one.")
    if isinstance(error, BshmError):
        return JobError(code_of(error), str(error) if folder is None else clip_work.told(error, folder, name))
    if isinstance(error, MemoryError):
        return JobError(code_of(error), f"{name} does not fit into memory. Use a smaller one.")
    # Other errors may name paths and settings of this machine, which belong in the log and not in answers to strangers.
    log.error("a fault in bshm while working on %s", name, exc_info=error)
    return JobError(code_of(error), f"a fault in bshm itself ({type(error).__name__}) while working on {name}.")
