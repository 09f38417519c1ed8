"""Find the pictures of an input (a file, a folder, a pattern or a URL), and count the skipped files."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bshm.errors import BshmError, NoPicturesError, UnreadablePictureError

# Suffixes to search for in a folder, in addition to files without a suffix that begin like a picture.  A file that is
# named itself is read whatever its name is.  PSD is not among them: it is usually beside a picture made from it, and
# both would have the same output.
PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo"),
        *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".btf", ".tf8"),
        *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        *(".ppm", ".pgm", ".pbm", ".pnm"),
        *(".heic", ".heics", ".heif", ".heifs", ".hif", ".avif", ".avifs"),
    }
)
# A suffix such as ".jpg" or ".7z".  "Screenshot at 10.22.31" has none.
_SUFFIX = re.compile(r"\.(?=[0-9]*[A-Za-z])[A-Za-z0-9_~-]{1,12}")
# Results of earlier runs beside the pictures.
_EARLIER_OUTPUT = re.compile(r"\.(cutout|alpha)\.(png|webp|jpg|tiff)$")


@dataclass(frozen=True)
class Found:
    """One picture, or a folder that cannot be read.

    Attributes:
        source: a path or a URL.
        below: the sub-folder of the input that it was found in.
        error: why it cannot be read.
    """

    source: str
    below: Path = Path()
    error: BshmError | None = None


@dataclass
class PassedOver:
    """The skipped files and folders.

    Attributes:
        kinds: number of files per suffix that is not a picture's; ``""`` for files without one.
        no_files: pipes, sockets and devices with the name of a picture.
        earlier: results of earlier runs.
        folders: sub-folders, without ``recursive``.
        links: links to folders, which may form a loop.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    no_files: int = 0
    earlier: int = 0
    folders: int = 0
    links: int = 0

    def __str__(self) -> str:
        """Everything in one line; empty if nothing was skipped.

        >>> str(PassedOver(Counter({".txt": 2, "": 1}), no_files=1))
        '3 files of other kinds (without suffix, .txt), 1 pipe or device'
        """
        others = sum(self.kinds.values())
        suffixes = sorted(self.kinds)
        listed = ", ".join(each or "without suffix" for each in suffixes[:5]) + (", …" if len(suffixes) > 5 else "")
        parts = [
            _counted(others, f"file of another kind ({listed})", f"files of other kinds ({listed})"),
            _counted(self.no_files, "pipe or device", "pipes or devices"),
            _counted(self.earlier, "result of an earlier run", "results of earlier runs"),
            _counted(self.folders, "sub-folder (--recursive includes it)", "sub-folders (--recursive includes them)"),
            _counted(self.links, "link to a folder", "links to folders"),
        ]
        return ", ".join(part for part in parts if part)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}" if number else ""


def is_url(source: str) -> bool:
    """Whether a source is a URL rather than a path.

    >>> is_url("https://example.org/a.jpg"), is_url("C:/a.jpg")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def is_descriptor(source: str) -> bool:
    """Whether a path is an open file of the process, not a file in a folder.

    >>> is_descriptor("/dev/stdin"), is_descriptor("/dev/fd/63"), is_descriptor("stdin.png")
    (True, True, False)
    """
    return re.fullmatch(r"/dev/(stdin|stdout|stderr|fd/\d+)|/proc/(self|\d+)/fd/\d+", source) is not None


def stem(path: Path) -> str:
    """The name of a file without its suffix.

    >>> stem(Path("a/photo.jpg")), stem(Path("Screenshot at 10.22.31"))
    ('photo', 'Screenshot at 10.22.31')
    """
    return path.stem if _SUFFIX.fullmatch(path.suffix) else path.name


def is_picture_name(path: str) -> bool:
    """Whether a file has the name of a picture.

    >>> is_picture_name("a/photo.JPG"), is_picture_name("notes.txt")
    (True, False)
    """
    return Path(path).suffix.lower() in PICTURE_SUFFIXES


def is_pattern(given: str) -> bool:
    """Whether an input is a pattern: it has ``* ? [ ]``, and no file has this name.

    >>> is_pattern("photos/*.jpg"), is_pattern("photo.jpg")
    (True, False)
    """
    return not is_url(given) and glob.has_magic(given) and not os.path.lexists(given)


def find(
    given: str, *, outside: Path | None, recursive: bool, several: bool, passed_over: PassedOver
) -> Iterator[Found]:
    """The pictures that one input names, sorted; a folder that cannot be read is an entry with an error.

    Args:
        given: a file, a folder, a pattern or a URL.
        outside: a folder that is not searched: the folder of the results.
        recursive: look into sub-folders.
        several: whether there are other inputs; then results of earlier runs are skipped.
        passed_over: counts the skipped files.

    Raises:
        NoPicturesError: a folder or a pattern without pictures.
    """
    if is_url(given):
        yield Found(given)
    # Not Path.is_dir(), which raises if a parent folder cannot be read.
    elif os.path.isdir(given):  # noqa: PTH112
        yield from _in_folder(Path(given), outside, recursive, passed_over)
    elif is_pattern(given):
        yield from _by_pattern(given, outside, passed_over)
    elif several and _EARLIER_OUTPUT.search(given) and os.path.lexists(given):  # the shell expanded *.png
        passed_over.earlier += 1
    elif several and not is_descriptor(given) and _kind(given) == "other":
        # Opening a pipe waits for a writer; as the only input it may be intended.
        reason = f"{given} is a pipe or a device, for which a batch would wait. Give it alone, or save it as a file."
        yield Found(given, error=UnreadablePictureError(reason))
    else:
        yield Found(given)


def _in_folder(folder: Path, outside: Path | None, recursive: bool, passed_over: PassedOver) -> Iterator[Found]:
    here = PassedOver()
    some = False
    locked: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=locked.append):
        below = Path(parent).relative_to(folder)
        visible = sorted(each for each in folders if not each.startswith("."))
        linked = [each for each in visible if os.path.islink(os.path.join(parent, each))]  # noqa: PTH114, PTH118
        inner = [each for each in visible if each not in linked and not _is(Path(parent, each), outside)]
        here.links += len(linked) if recursive else 0
        here.folders += 0 if recursive else len(inner)
        folders[:] = inner if recursive else []
        for found in _pictures([str(Path(parent, name)) for name in sorted(names)], here):
            some = True
            yield Found(found, below)
    for error in locked:
        some = True
        yield _locked(str(error.filename), error, folder)
    _add(here, passed_over)
    if not some:
        left = f" Skipped: {here}." if str(here) else ""
        raise NoPicturesError(f"the folder {folder} holds no pictures.{left}")


def _by_pattern(pattern: str, outside: Path | None, passed_over: PassedOver) -> Iterator[Found]:
    here = PassedOver()
    root = _fixed_part(pattern)
    matches = sorted(each for each in glob.glob(pattern, recursive=True) if _kind(each) != "folder")  # noqa: PTH207 - takes absolute ones
    some = False
    for found in _pictures(_not_in(outside, root, matches), here):
        some = True
        yield Found(found, Path(found).parent.relative_to(root))
    for folder, error in _locked_folders(pattern):
        some = True
        yield _locked(folder, error, root)
    _add(here, passed_over)
    if not some:
        left = f" Skipped: {here}." if str(here) else ""
        raise NoPicturesError(f"the pattern {pattern} matches no picture.{left}")


def _locked_folders(pattern: str) -> Iterator[tuple[str, OSError]]:
    """The folders of a pattern that cannot be read: glob would silently find nothing in them."""
    above = os.path.dirname(pattern)  # noqa: PTH120 - of a pattern
    for folder in sorted(glob.glob(f"{above}/", recursive=True)) if glob.has_magic(above) else [above or "."]:  # noqa: PTH207
        try:
            os.scandir(folder).close()
        except PermissionError as error:
            yield folder, error
        except OSError:  # it was deleted, or is not a folder
            continue


def _not_in(outside: Path | None, root: Path, paths: list[str]) -> list[str]:
    """The paths that are not in ``outside``, a folder below ``root``."""
    if outside is None or not key(outside).startswith(os.path.join(key(root), "")):  # noqa: PTH118
        return paths
    hidden = os.path.join(key(outside), "")  # noqa: PTH118
    folders = {folder: f"{key(folder)}{os.sep}".startswith(hidden) for folder in {Path(path).parent for path in paths}}
    return [path for path in paths if not folders[Path(path).parent]]


def _pictures(paths: list[str], passed_over: PassedOver) -> Iterator[str]:
    """The files that are pictures by their suffix, or without a suffix by their first bytes."""
    for path in paths:
        name = Path(path).name
        suffix = Path(path).suffix.lower()
        if name.startswith("."):
            continue
        if _EARLIER_OUTPUT.search(name):
            passed_over.earlier += 1
            continue
        bare = not _SUFFIX.fullmatch(suffix)
        if not bare and suffix not in PICTURE_SUFFIXES:
            passed_over.kinds[suffix] += 1
            continue
        kind = _kind(path)
        if kind == "other":
            passed_over.no_files += 1
        elif bare and kind == "file" and not _begins_like_a_picture(path):
            passed_over.kinds[""] += 1
        else:
            yield path


def _begins_like_a_picture(path: str) -> bool:
    from bshm.magic import HEAD_BYTES, sniff

    try:
        with Path(path).open("rb") as file:
            return sniff(file.read(HEAD_BYTES)) is not None
    except OSError:
        return True  # reading it later reports the reason


def _kind(path: str) -> str:
    """``file``, ``folder`` or ``other``; ``none`` if this cannot be found out."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return "none"
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def _is(path: Path, other: Path | None) -> bool:
    return other is not None and key(path) == key(other)


def _locked(folder: str, error: OSError, top: Path) -> Found:
    below = Path(folder).relative_to(top) if Path(folder).is_relative_to(top) else Path()
    reason = (error.strerror or str(error)).lower()
    return Found(
        folder,
        below,
        UnreadablePictureError(
            f"the folder {folder} cannot be read: {reason}. Change its permissions, or run as a user who may read it."
        ),
    )


def _add(here: PassedOver, to: PassedOver) -> None:
    to.kinds.update(here.kinds)
    to.no_files += here.no_files
    to.earlier += here.earlier
    to.folders += here.folders
    to.links += here.links


def _fixed_part(pattern: str) -> Path:
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    return fixed


def key(path: Path) -> str:
    """The same key for two paths to one file."""
    try:
        return os.path.normcase(os.path.realpath(path))
    except OSError:  # the current folder was deleted: opening a path in it will report that
        return os.path.normcase(path)
