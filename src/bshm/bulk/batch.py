"""Process many pictures with one session: find them, decide where results go, and record the outcomes.

    plan:  inputs (files, folders, patterns, URLs) -> jobs, one picture and one output each
    run:   jobs -> decode, matte, encode, write (overlapping) -> records

A picture that fails becomes a record with its error; the others continue.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar
from urllib.parse import unquote

from bshm.bulk.finding import Found, PassedOver, find, is_pattern, is_url, key, stem
from bshm.concurrency.overlap import ClosableLock, overlap
from bshm.edit.spec import Edit
from bshm.edit.words import PictureBackground
from bshm.errors import BshmError, OptionError, OutputExistsError, option
from bshm.files.suffixes import format_of_result, names_a_format
from bshm.options import FORMATS, BatchOptions, MatteOptions

if TYPE_CHECKING:
    from bshm.bulk.review import Review
    from bshm.corrections import Corrections
    from bshm.edit.background import Paints
    from bshm.edit.render import Rendered
    from bshm.matting.verdict import Verdict
    from bshm.pipeline import Matting
    from bshm.result import Matte
    from bshm.types import Picture

# Characters that file names must not have on any system to which a folder may be copied.
_UNFIT_FOR_A_NAME = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')

Item = TypeVar("Item")
Status = Literal["written", "copied", "skipped", "failed"]


@dataclass(frozen=True)
class Job:
    """One picture and where its result goes.

    Attributes:
        source: a path or a URL; or bytes or a binary file.
        name: name of the source in messages.
        output: the file to write; None for a job that cannot be done.
        error: why it cannot be done, if known before reading.
        number: its number in the list of a batch, if there is one.
    """

    source: str | Path | bytes | BinaryIO
    name: str
    output: Path | None
    error: BshmError | None = None
    number: int | None = None


@dataclass(frozen=True)
class BatchRecord:
    """The outcome of one job.

    Attributes:
        job: the job.
        status: ``written``, ``copied`` (from the output of another picture with the same bytes), ``skipped`` (its
            output exists, or another run wrote it in the meantime) or ``failed``.
        size_hw: height and width of the result; if nothing was written, this and the following are None unless known
            from an earlier run.
        empty: nobody was found, so the output is fully transparent.
        doubtful: see ``Matte.doubtful``; also None if the weights cannot tell.
        verdict: see ``Matte.verdict``; as ``doubtful``.
        model, model_sha256, device: what ran.
        timings_ms: milliseconds by stage, ``encode`` and ``write`` included.
        frames: pictures or pages in the file, of which the first was used.
        people: how many people were told apart; None if that was not requested.
        outputs: with ``BatchOptions.split``, the files of the people from left to right.
        head_by: how the head was found, if one was looked for.
        notes: problems with the result, in words.
        corrections: how many corrections by hand were applied to the matte.
        background_by: what painted the background; see ``Rendered.background_by``.
        error: why it failed; None unless failed.  Anything but a ``BshmError`` is a fault in bshm itself.
        note: why it was skipped, or which output it is a copy of.
        proof: hashes of what was read and written, in batches with a journal.
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
    people: int | None = None
    outputs: tuple[Path, ...] = ()
    head_by: str | None = None
    notes: tuple[str, ...] = ()
    corrections: int | None = None
    doubtful: float | None = None
    verdict: Verdict | None = None
    background_by: Mapping[str, Any] | None = None
    note: str | None = None
    proof: Proof | None = None


@dataclass(frozen=True)
class Proof:
    """Identifies an input and its output, so that a later run knows that nothing is left to do.

    Attributes:
        identity: identifies the input without reading it: size and time of a file, size and checksum in a zip; empty
            for a URL.
        sha256, size: of the input's bytes.
        output_sha256, output_size: of the output's bytes.
        copy_of: the output that this one is a copy of.
    """

    identity: str
    sha256: str
    size: int
    output_sha256: str
    output_size: int
    copy_of: str | None = None


def plan(
    inputs: Iterable[str | Path],
    *,
    output: str | Path | None,
    edit: Edit,
    recursive: bool = False,
    overwrite_inputs: bool = False,
    split: bool = False,
    passed_over: PassedOver | None = None,
) -> list[Job]:
    """Find the pictures that ``inputs`` name and decide where each result goes.

    Without ``output`` a result goes beside its picture as ``NAME.cutout.png`` (``NAME.alpha.png`` with
    ``edit.alpha``), and the result of a URL into the current folder.  A folder as ``output`` (an existing one, a name
    that ends with a slash, or any name if there may be several pictures) gets ``NAME.png``; pictures found by
    ``recursive`` or by ``**`` keep their sub-folders in it.  Otherwise ``output`` is the file.

    Among several pictures, results of an earlier run (``*.cutout.png``, ``*.alpha.png``, everything inside the output
    folder) are skipped, and so are hidden files and, in folders, files that are not pictures: by their suffix, or
    without a suffix by their first bytes.

    Args:
        inputs: files, folders, patterns with ``* ? [ ]``, URLs.
        output: None, a folder or a file.
        edit: its ``format`` decides the suffix of the outputs.
        recursive: look into sub-folders of folders.
        overwrite_inputs: a result may replace its own picture, but never another one.
        split: a job writes ``NAME.1.png``, ``NAME.2.png``, …, one per person; none of these may be an input, whatever
            its number.
        passed_over: counts the skipped files.

    Returns:
        The jobs, in the order of the inputs and sorted within each.  A job whose result would replace an input or
        the result of another job has an ``OutputExistsError``, a job for a folder that cannot be read an
        ``UnreadablePictureError``.  Whether a file can be read is checked by ``run``.

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
    behind = edit.background.source if isinstance(edit.background, PictureBackground) else None
    given = [Path(each.source) for each in found if not is_url(each.source)]
    given += [] if behind is None or is_url(behind) else [Path(behind)]
    sources = {mark for path in given for mark in _marks(path)}
    of_people = _by_unnumbered(given) if split else {}
    jobs: list[Job] = []
    taken: dict[str, str] = {}
    for each in found:
        name = shown(each.source)
        target = Path(output) if output is not None and folder is None else _target(each, folder, edit)
        in_the_way = of_people.get(key(target), [])
        # With split, no file has the name without a number.
        marks = {mark for path in in_the_way for mark in _marks(path)} if split else set(_marks(target))
        error = each.error
        if error is None and key(target) in taken:
            error = OutputExistsError(
                f"the result would be {target}, which is the result of {taken[key(target)]} already. "
                "Give the two different names, or write them into different folders."
            )
        elif error is None and marks & sources and not (overwrite_inputs and marks & set(_marks(Path(each.source)))):
            advice = "" if overwrite_inputs else f", or add {option('overwrite_inputs')}"
            error = OutputExistsError(
                f"the result would replace the picture {in_the_way[0] if split else target}. "
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
    background: Picture | Paints | None = None,
    batch: BatchOptions | None = None,
    review: Review | None = None,
) -> Generator[BatchRecord, None, None]:
    """Process the jobs with one session, several at the same time, and yield the outcome of each.

    Leaving the loop or Ctrl-C cancels: no other job is started, and after the iterator has closed no file is written
    any more.

    Args:
        matting: the session; its network runs for one picture at a time, decoding and encoding overlap with it.
        jobs: from ``plan`` or made by hand.
        options: how mattes are made.
        edit: options of the results; the file name of a job decides the format if ``edit.format`` is None.
        background: the picture that ``edit.background`` names, read once for all jobs; None reads it for each.  Or the
            painter of ``edit.background_prompt``.
        batch: how many at the same time, in which order, and what to do with existing outputs.
        review: gets a copy of each result with a low score; the caller writes its sheet.

    Yields:
        One record per job.  Every error of a job is in its record.  If another run writes the same outputs and
        ``batch.skip_existing`` is on, the remaining jobs are processed in another order, so that the two runs share
        them.
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

    chosen = _apart(jobs, company) if batch.skip_existing else jobs
    return records(chosen, work, lambda job: job, batch=batch, write_lock=write_lock)


def records(
    items: Iterable[Item],
    work: Callable[[Item], BatchRecord],
    job_of: Callable[[Item], Job],
    *,
    batch: BatchOptions,
    write_lock: ClosableLock,
) -> Generator[BatchRecord, None, None]:
    """The outcome of each item, several at the same time; after the iterator has closed nothing is written any more.

    Args:
        items: the items to process.
        work: processes one item; takes ``write_lock`` before it changes anything.  Its errors become records.
        job_of: returns the job for the record of an error.
        batch: how many at the same time, and in which order.
        write_lock: closed at the end.
    """
    outcomes = overlap(items, work, threads=batch.in_flight, ordered=batch.ordered)
    try:
        for outcome in outcomes:
            if outcome.value is not None:
                yield outcome.value
            else:
                yield BatchRecord(job_of(outcome.item), "failed", error=outcome.error)
    finally:
        outcomes.close()
        write_lock.close()


def _apart(jobs: Iterable[Job], company: threading.Event) -> Iterator[Job]:
    """The jobs in their order; after a conflict with another run, from another position on."""
    import random  # it imports hashlib, and only this needs it

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
    background: Picture | Paints | None,
    batch: BatchOptions,
    review: Review | None,
    write_lock: ClosableLock,
    company: threading.Event,
) -> BatchRecord:
    if job.error is not None or job.output is None:
        raise job.error or OptionError(f"{job.name} has no output. Set one for this job.")
    first = numbered(job.output, 1) if batch.split else job.output
    if os.path.lexists(first) and not batch.overwrite:  # checked before the work, not after it
        if batch.skip_existing:
            return BatchRecord(job, "skipped")
        raise OutputExistsError(
            f"{first} is there already. "
            f"Add {option('overwrite')} to replace it or {option('skip_existing')} to keep it."
        )
    from bshm.files import corrections as corrections_file
    from bshm.files import sink

    matte = matting.matte(job.source, options)
    files = [(path, make(matte, path, each, background)) for path, each in _results(matte, job.output, edit, batch)]
    look = None if review is None else review.look(matte, job.name)
    marked = _marked(matte, job) if batch.save_corrections else None
    del matte  # as large as the picture, and the next steps may wait
    done = time.perf_counter()
    try:
        with write_lock:
            # The first file is written last: if it exists, all do, and a later run may skip them.
            for path, made in reversed(files):
                sink.write(made.rendered.data, path, overwrite=batch.overwrite)
            if marked is not None:
                corrections_file.write(*marked)
            if review is not None and look is not None:
                review.add(look, files[0][1].rendered.data, files[0][0].name)
    except OutputExistsError:
        if not batch.skip_existing:
            raise
        company.set()  # another run was faster
        return BatchRecord(job, "skipped")
    record = files[0][1].record(job, write_ms=1e3 * (time.perf_counter() - done))
    if not batch.split:
        return record
    encode_ms = sum(made.timings_ms["encode"] for _, made in files)
    timings = MappingProxyType({**record.timings_ms, "encode": encode_ms})
    return replace(record, outputs=tuple(path for path, _ in files), timings_ms=timings)


def _marked(matte: Matte, job: Job) -> tuple[Corrections, Path] | None:
    """The corrections of a matte for its picture, and their file; None without corrections."""
    if matte.corrections is None:
        return None
    if not isinstance(job.source, (str, Path)) or is_url(str(job.source)):
        raise OptionError(
            f"{option('save_corrections')} writes beside the picture, but {job.name} is not a file. "
            "Save the picture first."
        )
    from bshm.files.corrections import beside
    from bshm.matting.correcting import mark_of

    return matte.corrections.of(mark_of(matte.picture.pixels)), beside(job.source)


@dataclass(frozen=True)
class Made:
    """A result that is not written yet.

    Attributes:
        rendered: the file, and the facts about it.
        frames, doubtful, verdict: as in ``BatchRecord``.
        timings_ms: milliseconds by stage so far.
    """

    rendered: Rendered
    frames: int
    doubtful: float | None
    verdict: Verdict | None
    timings_ms: Mapping[str, float]

    def record(self, job: Job, *, write_ms: float, proof: Proof | None = None) -> BatchRecord:
        """The record of ``job`` after this was written."""
        rendered = self.rendered
        return BatchRecord(
            job,
            "written",
            size_hw=(rendered.height, rendered.width),
            empty=rendered.empty,
            model=rendered.model,
            model_sha256=rendered.model_sha256,
            device=rendered.device,
            timings_ms=MappingProxyType({**self.timings_ms, "write": write_ms}),
            frames=self.frames,
            people=rendered.people,
            head_by=rendered.head_by,
            notes=rendered.notes,
            corrections=rendered.corrections,
            doubtful=self.doubtful,
            verdict=self.verdict,
            background_by=rendered.background_by,
            proof=proof,
        )


def make(matte: Matte, path: Path, edit: Edit, background: Picture | Paints | None) -> Made:
    """The result of a matte, to be written to ``path``."""
    from bshm.edit.render import render

    started = time.perf_counter()
    rendered = render(matte, with_format(edit, path), background)
    timings = {**rendered.timings_ms, "encode": 1e3 * (time.perf_counter() - started)}
    return Made(rendered, matte.picture.frames, matte.doubtful, matte.verdict, MappingProxyType(timings))


def _results(matte: Matte, path: Path, edit: Edit, batch: BatchOptions) -> list[tuple[Path, Edit]]:
    """The results of a matte and their paths: one file, or one file per person from left to right.

    A picture without people also gives one file.
    """
    from bshm.edit.words import WhichPeople

    if not batch.split:
        return [(path, edit)]
    everybody = range(1, len(matte.people or ()) + 1)
    edits = [replace(edit, people=WhichPeople("number", number=each)) for each in everybody] or [edit]
    return [(numbered(path, index), each) for index, each in enumerate(edits, 1)]


def _by_unnumbered(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """The files that have the name of one of several people, by the ``key`` of the name without the number."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        stem, dot, number = path.stem.rpartition(".")
        if dot and stem and re.fullmatch(r"[1-9][0-9]*", number):
            found.setdefault(key(path.with_name(f"{stem}{path.suffix}")), []).append(path)
    return found


def numbered(path: Path, number: int) -> Path:
    """The path for a person, counted from the left.

    >>> numbered(Path("out/a.cutout.png"), 2).name
    'a.cutout.2.png'
    """
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def with_format(edit: Edit, path: Path) -> Edit:
    """The edit, with the format of the suffix of ``path`` if it names none.

    Raises:
        OptionError: the suffix names no format, contradicts the requested one, or names one that cannot hold the
            result; or the format is ``auto``, which is not possible for a file with a name.
    """
    if edit.format is None:
        return replace(edit, format=format_of_result(path))
    if edit.format == "auto":
        raise OptionError(f"{option('format')} takes {', '.join(FORMATS)} or zip for a file with a name; got 'auto'.")
    wanted = "tiff" if edit.format == "tiff-layers" else edit.format
    if wanted in (*FORMATS, "ora") and path.suffix and format_of_result(path) != wanted:
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

    # `a.jpg b.jpg -o out.png` is a mistake, and nobody expects a folder called out.png.
    if os.path.lexists(path) or names_a_format(path):
        raise OptionError(f"there are several pictures, but {path} is one file. Give {option('output')} a folder.")
    return path


def _target(found: Found, folder: Path | None, edit: Edit) -> Path:
    suffix = suffix_for(edit)
    path = Path(name_of_url(found.source)) if is_url(found.source) else Path(found.source)
    if folder is not None:
        return folder / found.below / f"{stem(path)}.{suffix}"
    kind = "alpha" if edit.alpha else "cutout"
    return path.with_name(f"{stem(path)}.{kind}.{suffix}") if path.name else path


def suffix_for(edit: Edit) -> str:
    """The suffix of a result without a given name, without the dot.

    >>> suffix_for(Edit()), suffix_for(Edit(format="tiff-layers"))
    ('png', 'tiff')
    """
    return "tiff" if edit.format == "tiff-layers" else edit.format or "png"


def name_of_url(url: str) -> str:
    """A file name for the content of a URL: the last part of its path.

    >>> name_of_url("https://example.org/people/anna%20b.jpg?size=2"), name_of_url("https://example.org/..")
    ('anna b.jpg', 'picture')
    """
    path = re.sub(r"^[^:]+://[^/?#]*|[?#].*$", "", url)  # urlsplit() raises for some inputs that are possible here
    last = unquote(path.rstrip("/").rpartition("/")[2])
    return _UNFIT_FOR_A_NAME.sub("_", last).strip(" .") or "picture"


def shown(source: str) -> str:
    """The name of a source in messages: a URL without its query, which may contain a key."""
    if not is_url(source):
        return source
    from bshm.net.guard import shown

    return shown(source)


def _marks(path: Path) -> tuple[str, ...]:
    """Identifies the file of a path: device and number, for systems where a.png and A.PNG are the same file."""
    try:
        known = path.stat()
    except (OSError, ValueError):
        return (key(path),)
    return key(path), f"{known.st_dev}:{known.st_ino}"
