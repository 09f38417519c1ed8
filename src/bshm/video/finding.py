"""Find the clips that an input means, and the place of each result."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bshm.errors import NoPicturesError, OptionError
from bshm.video.codecs import CONTAINERS, PRODUCTS, is_sequence, title

# Suffixes of what is taken from folders and patterns, and of backgrounds that are read as a video.
VIDEO_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".wmv", ".asf", ".flv", ".f4v"),
        *(".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".mxf", ".ogv", ".ogg", ".dv", ".y4m", ".nut"),
    }
)
_EARLIER = re.compile(rf"\.({'|'.join(PRODUCTS)})\.[a-z0-9]+$")


@dataclass(frozen=True)
class ClipJob:
    """One clip and where its result goes.

    Attributes:
        source: the clip.
        output: a file as ``convert`` takes it; None puts the result beside the clip.
    """

    source: Path
    output: Path | None


def plan(inputs: Iterable[str], output: str | None, *, suffix: str, recursive: bool) -> list[ClipJob]:
    """The clips that ``inputs`` name, and where each goes.

    Args:
        inputs: files, folders, and patterns with ``* ? [ ]``; in the latter two files with a video's suffix count that
            are neither hidden nor results of earlier runs.
        output: None, a folder (one that is there, a name that ends with a slash, or any where there may be several
            clips), or a file.
        suffix: of results in a folder.
        recursive: look into sub-folders, which are kept in the output's folder.

    Raises:
        NoPicturesError: a folder or a pattern without clips.
        OptionError: ``output`` is one file for several clips, or two clips would get one name.
    """
    given = list(inputs)
    several = len(given) > 1 or any(Path(each).is_dir() or _is_pattern(each) for each in given)
    folder = _folder(output, several)
    jobs: list[ClipJob] = []
    taken: dict[Path, Path] = {}
    for each in given:
        for path, below in _found(each, recursive, folder):
            if folder is None:
                jobs.append(ClipJob(path, None if output is None else Path(output)))
                continue
            target = folder / below / f"{title(path)}{suffix}"
            if target in taken:
                raise OptionError(f"{taken[target]} and {path} would both become {target}. Rename one of them.")
            taken[target] = path
            jobs.append(ClipJob(path, target))
    return jobs


def _folder(output: str | None, several: bool) -> Path | None:
    if output is None:
        return None
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return path
    if not several:
        return None
    if path.exists() or path.suffix.lower() in CONTAINERS or is_sequence(path):
        raise OptionError(f"there are several clips, but {path} is one file. Give -o a folder.")
    return path


def _is_pattern(given: str) -> bool:
    return glob.has_magic(given) and not os.path.lexists(given)


def _found(given: str, recursive: bool, outside: Path | None) -> Iterable[tuple[Path, Path]]:
    if Path(given).is_dir():
        root = Path(given)
        paths = sorted(root.rglob("*") if recursive else root.iterdir())
        what = f"the folder {given} holds"
    elif _is_pattern(given):
        paths = sorted(map(Path, glob.glob(given, recursive=True)))  # noqa: PTH207 - takes absolute ones
        root = None
        what = f"the pattern {given} matches"
    else:
        return [(Path(given), Path())]
    clips = [path for path in paths if _is_clip(path) and not (outside and outside in path.parents)]
    if not clips:
        raise NoPicturesError(f"{what} no videos ({', '.join(sorted(VIDEO_SUFFIXES)[:6])}, …).")
    return [(path, path.parent.relative_to(root) if root else Path()) for path in clips]


def _is_clip(path: Path) -> bool:
    name = path.name
    return (
        path.suffix.lower() in VIDEO_SUFFIXES
        and not name.startswith(".")
        and not _EARLIER.search(name)
        and path.is_file()
    )
