"""Many pictures through one session: which ones, where each result goes, and what became of it.

    plan:  inputs (files, folders, patterns, URLs) -> jobs, one picture and one output each
    run:   jobs -> decode, matte, encode, write, overlapped -> records

A picture that fails becomes a record with its error; the rest go on.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Literal
from urllib.parse import unquote

from bshm.bulk.finding import Found, PassedOver, find, is_pattern, is_url, key, stem
from bshm.concurrency.overlap import ClosableLock, overlap
from bshm.edit.spec import Edit
from bshm.edit.words import PictureBackground
from bshm.errors import BshmError, OptionError, OutputExistsError, option
from bshm.options import FORMATS, BatchOptions, MatteOptions

if TYPE_CHECKING:
    from bshm.bulk.review import Review
    from bshm.matting.verdict import Verdict
    from bshm.pipeline import Matting
    from bshm.types import Picture

# What a file name must not hold on any of the systems that a folder may be carried to.
_UNFIT_FOR_A_NAME = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')

Status = Literal["written", "skipped", "failed"]


@dataclass(frozen=True)
class Job:
    """One picture and where its result goes.

    Attributes:
        source: a path or a URL; or bytes or a binary file, for callers that hold those.
        name: what messages call the source.
        output: the file to write; None for a job that cannot be done.
        error: why it cannot be done, known before anything was read.
    """

    source: str | Path | bytes | BinaryIO
    name: str
    output: Path | None
    error: BshmError | None = None


@dataclass(frozen=True)
class BatchRecord:
    """What became of one job.

    Attributes:
        job: the job.
        status: ``written``, ``skipped`` (its output was there, or another run wrote it meanwhile) or ``failed``.
        size_hw: height and width of the result; None unless written.
        empty: nobody was found, so the output is fully transparent; None unless written.
        doubtful: see ``Matte.doubtful``; None unless written, or where the weights cannot tell.
        verdict: see ``Matte.verdict``; as ``doubtful``.
        model, model_sha256, device: what ran; None unless written.
        timings_ms: milliseconds by stage, ``encode`` and ``write`` included.
        frames: pictures or pages in the file, of which the first was taken; None unless written.
        error: why it failed; None unless failed.  Anything but a ``BshmError`` is a fault in bshm itself.
    """

    job: Job
    status: Status
    size_hw: tuple[int, int] | None = None
    empty: bool | None = None
    model: str | None = None
    model_sha256: str | None = None
    device: str | None = None
    timings_ms: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    error: Exception | None = None
    frames: int | None = None
    doubtful: float | None = None
    verdict: Verdict | None = None


def plan(
    inputs: Iterable[str | Path],
    *,
    output: str | Path | None,
    edit: Edit,
    recursive: bool = False,
    overwrite_inputs: bool = False,
    passed_over: PassedOver | None = None,
) -> list[Job]:
    """Find the pictures that ``inputs`` name and decide where each result goes.

    Without ``output`` a result lies beside its picture as ``NAME.cutout.png`` (``NAME.alpha.png`` with
    ``edit.alpha``), that of a URL in the current folder.  A folder as ``output`` (one that is there, a name
    that ends with a slash, or any name where there may be several pictures) gets ``NAME.png``; pictures found by
    ``recursive`` or by ``**`` keep their sub-folders in it.  Otherwise ``output`` is the file.

    Among several pictures, those that an earlier run wrote (``*.cutout.png``, ``*.alpha.png``, everything inside the
    output folder) are passed over, as are hidden files and, in folders, what is no picture: by its suffix, or, where
    it has none, by how it begins.

    Args:
        inputs: files, folders, patterns with ``* ? [ ]``, URLs.
        output: None, a folder or a file.
        edit: its ``format`` decides the suffix of the outputs.
        recursive: look into sub-folders of folders.
        overwrite_inputs: a result may replace the very picture it is made of; never another one.
        passed_over: what is left alone is counted here.

    Returns:
        The jobs, in the order of the inputs and sorted within each.  A job whose result would replace an input or
        the result of another job carries an ``OutputExistsError``, one for a folder that cannot be looked into an
        ``UnreadablePictureError``.  Whether a file can be read is found out by ``run``.

    Raises:
        NoPicturesError: an input is a folder or a pattern without pictures.
        OptionError: ``output`` is one file for several pictures.
    """
    names = [str(each) for each in inputs]
    several = len(names) > 1 or any(_may_be_many(each) for each in names)
    folder = _output_folder(output, several)
    counted = PassedOver() if passed_over is None else passed_over
    found = [
        each
        for given in names
        for each in find(given, outside=folder, recursive=recursive, several=several, passed_over=counted)
    ]
    sources = {mark for each in found if not is_url(each.source) for mark in _marks(Path(each.source))}
    behind = edit.background.source if isinstance(edit.background, PictureBackground) else None
    if behind is not None and not is_url(behind):
        sources.update(_marks(Path(behind)))
    jobs: list[Job] = []
    taken: dict[str, str] = {}
    for each in found:
        name = _shown(each.source)
        target = Path(output) if output is not None and folder is None else _target(each, folder, edit)
        marks = set(_marks(target))
        error = each.error
        if error is None and key(target) in taken:
            error = OutputExistsError(
                f"the result would be {target}, which is the result of {taken[key(target)]} already. "
                "Give the two different names, or write them into different folders."
            )
        elif error is None and marks & sources and not (overwrite_inputs and marks & set(_marks(Path(each.source)))):
            advice = "" if overwrite_inputs else f", or add {option('overwrite_inputs')}"
            error = OutputExistsError(
                f"the result would replace the picture {target}. "
                f"Choose another name or folder with {option('output')}{advice}."
            )
        if error is None:
            taken[key(target)] = name
        jobs.append(Job(each.source, name, None if error else target, error))
    return jobs


def run(
    matting: Matting,
    jobs: Iterable[Job],
    *,
    options: MatteOptions | None = None,
    edit: Edit | None = None,
    background: Picture | None = None,
    batch: BatchOptions | None = None,
    review: Review | None = None,
) -> Generator[BatchRecord, None, None]:
    """Do the jobs through one session, several in the works at once, and tell what became of each.

    Leaving the loop or Ctrl-C cancels: nothing further is begun, and when the iterator has closed no file is being
    written any more and none will be.

    Args:
        matting: the session; its network runs for one picture at a time, decoding and encoding overlap with it.
        jobs: from ``plan`` or made by hand.
        options: how mattes are made.
        edit: what is made of them; a job's own file name picks the format where ``edit.format`` is None.
        background: the picture that ``edit.background`` names, read once for all of them; None reads it for each.
        batch: how many at once, in which order, and what to do with outputs that are there.
        review: gets a copy of each result that should be looked at; its sheet is the caller's to write.

    Yields:
        A record a job.  Every error of a job is in its record.  Where another run turns out to write the same outputs
        and ``batch.skip_existing`` is on, the jobs that are left come in another order, so that the two share them.
    """
    options = options or MatteOptions()
    edit = edit or Edit()
    batch = batch or BatchOptions()
    write_lock = ClosableLock()
    company = threading.Event()

    def work(job: Job) -> BatchRecord:
        return _do(
            job,
            matting=matting,
            options=options,
            edit=edit,
            background=background,
            batch=batch,
            review=review,
            write_lock=write_lock,
            company=company,
        )

    ordered = _apart(jobs, company) if batch.skip_existing else jobs
    outcomes = overlap(ordered, work, threads=batch.in_flight, ordered=batch.ordered)
    try:
        for outcome in outcomes:
            if outcome.value is not None:
                yield outcome.value
            else:
                yield BatchRecord(outcome.item, "failed", error=outcome.error)
    finally:
        outcomes.close()
        write_lock.close()


def _apart(jobs: Iterable[Job], company: threading.Event) -> Iterator[Job]:
    """The jobs in their order; whenever somebody else was found at the same ones, from another place on."""
    import random  # with hashlib: only here is it needed

    waiting = deque(jobs)
    while waiting:
        if company.is_set():
            company.clear()
            waiting.rotate(-random.randrange(len(waiting)))
        yield waiting.popleft()


def _do(
    job: Job,
    *,
    matting: Matting,
    options: MatteOptions,
    edit: Edit,
    background: Picture | None,
    batch: BatchOptions,
    review: Review | None,
    write_lock: ClosableLock,
    company: threading.Event,
) -> BatchRecord:
    if job.error is not None or job.output is None:
        raise job.error or OptionError(f"{job.name} has no output. Give the job one.")
    if os.path.lexists(job.output) and not batch.overwrite:  # before the work is done, not after
        if batch.skip_existing:
            return BatchRecord(job, "skipped")
        raise OutputExistsError(
            f"{job.output} is there already. "
            f"Add {option('overwrite')} to replace it or {option('skip_existing')} to keep it."
        )
    from bshm.edit.render import render
    from bshm.files import sink

    matte = matting.matte(job.source, options)
    started = time.perf_counter()
    chosen = with_format(edit, job.output)
    rendered = render(matte, chosen, background)
    frames, doubtful, verdict = matte.picture.frames, matte.doubtful, matte.verdict
    look = None if review is None else review.look(matte, job.name)
    del matte  # as large as the picture; others may be waited for
    done = time.perf_counter()
    try:
        with write_lock:
            sink.write(rendered.data, job.output, overwrite=batch.overwrite)
            if review is not None and look is not None:
                review.add(look, rendered.data, job.output.name)
    except OutputExistsError:
        if not batch.skip_existing:
            raise
        company.set()  # another run was quicker
        return BatchRecord(job, "skipped")
    written = time.perf_counter()
    return BatchRecord(
        job,
        "written",
        size_hw=(rendered.height, rendered.width),
        empty=rendered.empty,
        model=rendered.model,
        model_sha256=rendered.model_sha256,
        device=rendered.device,
        timings_ms=MappingProxyType(
            {**rendered.timings_ms, "encode": 1e3 * (done - started), "write": 1e3 * (written - done)}
        ),
        frames=frames,
        doubtful=doubtful,
        verdict=verdict,
    )


def with_format(edit: Edit, path: Path) -> Edit:
    """The edit with the format that the suffix of ``path`` names, where they name none.

    Raises:
        OptionError: the suffix names no format, contradicts the one asked for, or names one that cannot hold what
            is asked for; or the format is ``auto``, which a file name cannot leave open.
    """
    from dataclasses import replace

    from bshm.files.encode import format_of

    if edit.format is None:
        return replace(edit, format=format_of(path))
    if edit.format == "auto":
        raise OptionError(f"{option('format')} takes {', '.join(FORMATS)} or zip for a file with a name; got 'auto'.")
    if edit.format in FORMATS and path.suffix and format_of(path) != edit.format:
        raise OptionError(
            f"the output is called {path.name}, but {option('format')} says {edit.format}. Change one of the two."
        )
    return edit


def _may_be_many(given: str) -> bool:
    return not is_url(given) and (os.path.isdir(given) or is_pattern(given))  # noqa: PTH112 - see `find`


def _output_folder(output: str | Path | None, several: bool) -> Path | None:
    if output is None:
        return None
    path = Path(output)
    if os.path.isdir(path) or str(output).endswith(("/", os.sep)):  # noqa: PTH112
        return path
    if not several:
        return None
    from bshm.files.encode import names_a_format

    # `a.jpg b.jpg -o out.png` is a slip of the hand, and a folder called out.png is what nobody looks for.
    if os.path.lexists(path) or names_a_format(path):
        raise OptionError(f"there are several pictures, but {path} is one file. Give {option('output')} a folder.")
    return path


def _target(found: Found, folder: Path | None, edit: Edit) -> Path:
    suffix = edit.format or "png"
    path = Path(name_of_url(found.source)) if is_url(found.source) else Path(found.source)
    if folder is not None:
        return folder / found.below / f"{stem(path)}.{suffix}"
    kind = "alpha" if edit.alpha else "cutout"
    return path.with_name(f"{stem(path)}.{kind}.{suffix}") if path.name else path


def name_of_url(url: str) -> str:
    """A file name for what a URL holds: the last part of its path.

    >>> name_of_url("https://example.org/people/anna%20b.jpg?size=2"), name_of_url("https://example.org/..")
    ('anna b.jpg', 'picture')
    """
    path = re.sub(r"^[^:]+://[^/?#]*|[?#].*$", "", url)  # urlsplit() raises for some of what may be written here
    last = unquote(path.rstrip("/").rpartition("/")[2])
    return _UNFIT_FOR_A_NAME.sub("_", last).strip(" .") or "picture"


def _shown(source: str) -> str:
    """What messages call a source: a URL without its query, which may hold a key."""
    if not is_url(source):
        return source
    from bshm.net.guard import shown

    return shown(source)


def _marks(path: Path) -> tuple[str, ...]:
    """What two paths to one file share: its place and its number, for systems that do not tell a.png from A.PNG."""
    try:
        known = path.stat()
    except (OSError, ValueError):
        return (key(path),)
    return key(path), f"{known.st_dev}:{known.st_ino}"
