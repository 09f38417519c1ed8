"""Many pictures through one session: which ones, where each result goes, and what became of it.

    plan:  inputs (files, folders, patterns, URLs) -> jobs, one picture and one output each
    run:   jobs -> decode, matte, encode, write, overlapped -> records

A picture that fails becomes a record with its error; the rest go on.
"""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Literal
from urllib.parse import unquote

from bshm.errors import BshmError, NoPicturesError, OptionError, OutputExistsError
from bshm.options import BatchOptions, Format, MatteOptions, OutputOptions
from bshm.overlap import Turnstile, overlap

if TYPE_CHECKING:
    from bshm.pipeline import Matting

# What a folder is searched for.  A file named by itself is read whatever it is called.
PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif"}
)
# What earlier runs left beside the pictures.
_EARLIER_OUTPUT = re.compile(r"\.(cutout|alpha)\.(png|webp|jpg|tiff)$")
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
class Record:
    """What became of one job.

    Attributes:
        job: the job.
        status: ``written``, ``skipped`` (its output was there) or ``failed``.
        size_hw: height and width of the result; None unless written.
        empty: nobody was found, so the output is fully transparent; None unless written.
        model, model_sha256, device: what ran; None unless written.
        timings_ms: milliseconds by stage, ``encode`` and ``write`` included.
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


def is_url(source: str) -> bool:
    """Whether a source is a URL rather than a path.

    >>> is_url("https://example.org/a.jpg"), is_url("C:/a.jpg")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def plan(
    inputs: Iterable[str | Path],
    *,
    output: str | Path | None,
    options: OutputOptions,
    recursive: bool = False,
) -> list[Job]:
    """Find the pictures that ``inputs`` name and decide where each result goes.

    Without ``output`` a result lies beside its picture as ``NAME.cutout.png`` (``NAME.alpha.png`` with
    ``options.alpha_only``), that of a URL in the current folder.  A folder as ``output`` (one that is there, a name
    that ends with a slash, or any name where there may be several pictures) gets ``NAME.png``; pictures found by
    ``recursive`` or by ``**`` keep their sub-folders in it.  Otherwise ``output`` is the file.

    Among several pictures, those that an earlier run wrote (``*.cutout.png``, ``*.alpha.png``, everything inside the
    output folder) are passed over, as are hidden files and, in folders, files whose suffix is no picture's.

    Args:
        inputs: files, folders, patterns with ``* ? [ ]``, URLs.
        output: None, a folder or a file.
        options: its ``format`` decides the suffix of the outputs.
        recursive: look into sub-folders of folders.

    Returns:
        The jobs, in the order of the inputs and sorted within each.  A job whose result would replace an input or
        the result of another job carries an ``OutputExistsError``.  Whether a file can be read is found out by
        ``run``.

    Raises:
        NoPicturesError: an input is a folder or a pattern without pictures.
        OptionError: ``output`` is one file for several pictures.
    """
    names = [str(each) for each in inputs]
    several = len(names) > 1 or any(_may_be_many(each) for each in names)
    folder = _output_folder(output, several)
    found = [each for given in names for each in _find(given, folder, recursive=recursive, several=several)]
    sources = {_key(Path(source)) for source, _ in found if not is_url(source)}
    jobs: list[Job] = []
    taken: dict[str, str] = {}
    for source, below in found:
        if output is not None and folder is None:
            jobs.append(Job(source, _shown(source), Path(output)))
            continue
        target = _target(source, below, folder, options)
        key = _key(target)
        error = None
        if key in taken:
            error = OutputExistsError(
                f"the result would be {target}, which is the result of {taken[key]} already. "
                "Give the two different names, or write them into different folders."
            )
        elif key in sources:
            error = OutputExistsError(f"the result would replace the picture {target}. Choose another folder with -o.")
        else:
            taken[key] = _shown(source)
        jobs.append(Job(source, _shown(source), None if error else target, error))
    return jobs


def run(
    matting: Matting,
    jobs: Iterable[Job],
    *,
    options: MatteOptions | None = None,
    output: OutputOptions | None = None,
    batch: BatchOptions | None = None,
) -> Generator[Record, None, None]:
    """Do the jobs through one session, several in the works at once, and tell what became of each.

    Leaving the loop or Ctrl-C cancels: nothing further is begun, and when the iterator has closed no file is being
    written any more and none will be.

    Args:
        matting: the session; its network runs for one picture at a time, decoding and encoding overlap with it.
        jobs: from ``plan`` or made by hand.
        options: how mattes are made.
        output: how they are written; a job's own file name picks the format where ``output.format`` is None.
        batch: how many at once, in which order, and what to do with outputs that are there.

    Yields:
        A record a job.  Every error of a job is in its record.
    """
    options = options or MatteOptions()
    output = output or OutputOptions()
    batch = batch or BatchOptions()
    turnstile = Turnstile()

    def work(job: Job) -> Record:
        return _do(
            job,
            matting=matting,
            options=options,
            output=output,
            skip_existing=batch.skip_existing,
            turnstile=turnstile,
        )

    outcomes = overlap(jobs, work, threads=batch.jobs, ordered=batch.ordered)
    try:
        for outcome in outcomes:
            if outcome.value is not None:
                yield outcome.value
            else:
                yield Record(outcome.item, "failed", error=outcome.error)
    finally:
        outcomes.close()
        turnstile.close()


def _do(
    job: Job,
    *,
    matting: Matting,
    options: MatteOptions,
    output: OutputOptions,
    skip_existing: bool,
    turnstile: Turnstile,
) -> Record:
    if job.error is not None or job.output is None:
        raise job.error or OptionError(f"{job.name} has no output. Give the job one.")
    if os.path.lexists(job.output) and not output.overwrite:  # before the work is done, not after
        if skip_existing:
            return Record(job, "skipped")
        raise OutputExistsError(
            f"{job.output} is there already. Add --overwrite to replace it or --skip-existing to keep it."
        )
    from bshm.io import sink
    from bshm.result import encoded

    matte = matting.matte(job.source, options)
    started = time.perf_counter()
    chosen = with_format(output, job.output)
    pixels = matte.pixels(chosen)
    height, width = pixels.shape[:2]
    data = encoded(pixels, matte.picture, chosen)
    del pixels  # as large as the picture; others may be waited for
    done = time.perf_counter()
    with turnstile:
        sink.write(data, job.output, overwrite=output.overwrite)
    written = time.perf_counter()
    return Record(
        job,
        "written",
        size_hw=(height, width),
        empty=matte.is_empty,
        model=matte.ran.model,
        model_sha256=matte.ran.model_sha256,
        device=matte.ran.device,
        timings_ms=MappingProxyType(
            {**matte.ran.timings_ms, "encode": 1e3 * (done - started), "write": 1e3 * (written - done)}
        ),
    )


def with_format(options: OutputOptions, path: Path) -> OutputOptions:
    """The options with the format that the suffix of ``path`` names, where they name none.

    Raises:
        OptionError: the suffix names no format, contradicts the one asked for, or names one that cannot hold what
            is asked for.
    """
    from dataclasses import replace

    from bshm.io.encode import format_of

    if options.format is None:
        return replace(options, format=format_of(path))
    if path.suffix and format_of(path) != options.format:
        raise OptionError(
            f"the output is called {path.name}, but --format says {options.format}. Change one of the two."
        )
    return options


def _may_be_many(given: str) -> bool:
    path = Path(given)
    return not is_url(given) and (path.is_dir() or (glob.has_magic(given) and not path.exists()))


def _output_folder(output: str | Path | None, several: bool) -> Path | None:
    if output is None:
        return None
    path = Path(output)
    if path.is_dir() or str(output).endswith(("/", os.sep)):
        return path
    if not several:
        return None
    from bshm.io.encode import names_a_format

    # `a.jpg b.jpg -o out.png` is a slip of the hand, and a folder called out.png is what nobody looks for.
    if path.exists() or names_a_format(path):
        raise OptionError(f"there are several pictures, but {path} is one file. Give -o a folder.")
    return path


def _find(given: str, output_folder: Path | None, *, recursive: bool, several: bool) -> list[tuple[str, Path]]:
    """The pictures that one input names, each with the sub-folder it was found in."""
    path = Path(given)
    if is_url(given):
        return [(given, Path())]
    if path.is_dir():
        files = _files_in(path, recursive=recursive)
        if output_folder is not None and _key(output_folder) != _key(path):
            files = [each for each in files if _key(output_folder) not in map(_key, each.parents)]
        found = [(str(each), each.parent.relative_to(path)) for each in files if not _EARLIER_OUTPUT.search(each.name)]
        if not found:
            hint = "" if recursive else " Its sub-folders were not looked into; --recursive does."
            raise NoPicturesError(f"the folder {given} holds no pictures.{hint}")
        return found
    if glob.has_magic(given) and not path.exists():
        root = _fixed_part(given)
        matches = sorted(Path(each) for each in glob.glob(given, recursive=True))  # noqa: PTH207 - takes absolute ones
        found = [
            (str(each), each.parent.relative_to(root))
            for each in matches
            if each.is_file() and each.suffix.lower() in PICTURE_SUFFIXES and not _EARLIER_OUTPUT.search(each.name)
        ]
        if not found:
            raise NoPicturesError(f"the pattern {given} matches no picture.")
        return found
    if several and _EARLIER_OUTPUT.search(path.name) and path.exists():  # the shell expanded *.png
        return []
    return [(given, Path())]


def _files_in(folder: Path, *, recursive: bool) -> list[Path]:
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".")) if recursive else []
        files += [
            Path(parent, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES
        ]
    return files


def _fixed_part(pattern: str) -> Path:
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    return fixed


def _target(source: str, below: Path, folder: Path | None, options: OutputOptions) -> Path:
    suffix: Format = options.format or "png"
    path = Path(name_of_url(source)) if is_url(source) else Path(source)
    if folder is not None:
        return folder / below / f"{path.stem}.{suffix}"
    kind = "alpha" if options.alpha_only else "cutout"
    return path.with_name(f"{path.stem}.{kind}.{suffix}")


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
    from bshm.io import fetch

    return fetch.shown(source)


def _key(path: Path) -> str:
    """The same for two paths to one file."""
    try:
        return os.path.normcase(os.path.realpath(path))
    except OSError:  # the current folder is gone: no path in it leads anywhere, and opening it says so
        return os.path.normcase(path)
