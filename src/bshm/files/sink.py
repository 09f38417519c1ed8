"""Write an output file completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from bshm.errors import DiskFullError, OutputError, OutputExistsError

# Errors of os.link on file systems without hard links (FAT, exFAT, some network shares).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
# Of a copy: a film is not held in memory.
_PIECE = 1024 * 1024
# Windows has no quota error.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write(data: bytes, path: Path, *, overwrite: bool) -> Path:
    """Write ``data`` to ``path``: afterwards it is there whole, or it is as it was before.

    The bytes go into a temporary file beside the target, which then takes the target's name in one step.  Readers see
    the old file or the new one.  With ``overwrite=False`` of several writers exactly one wins.  Missing folders are
    made; permissions follow the umask; a symbolic link is kept and what it points at is replaced.

    Args:
        data: the whole file.
        path: where to.
        overwrite: replace a file that is there.

    Returns:
        ``path``.

    Raises:
        OutputExistsError: it is there already, and ``overwrite`` is off.
        DiskFullError: no room, or a quota is used up.
        OutputError: the folder may not be written to, a part of the path is a file, or ``path`` is a folder or device.
    """
    return _put(lambda temporary: _write_new(temporary, data), Path(path), overwrite=overwrite)


def duplicate(existing: Path, path: Path, *, overwrite: bool) -> Path:
    """Give ``path`` the content of ``existing``: a hard link where the file system has them, else a copy.

    Args:
        existing: a file of bshm's own, which is replaced as a whole if ever, never written into.
        path: where to; as in ``write``.
        overwrite: replace a file that is there.

    Returns:
        ``path``.

    Raises:
        FileNotFoundError: ``existing`` is not there.
        OutputExistsError, DiskFullError, OutputError: as ``write``.
    """

    def make(temporary: Path) -> None:
        try:
            os.link(existing, temporary)
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy_new(temporary, existing)

    if not existing.exists():
        raise FileNotFoundError(errno.ENOENT, "it is gone", str(existing))
    return _put(make, Path(path), overwrite=overwrite)


def _put(make: Callable[[Path], None], path: Path, *, overwrite: bool) -> Path:
    """Let ``make`` fill a temporary file beside ``path``, which then takes that name."""
    try:
        _refuse_what_is_no_file(path)
        if not overwrite and os.path.lexists(path):
            raise _exists(path)
        target = Path(os.path.realpath(path)) if overwrite else path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not named after the target: its name may already have the greatest length that the file system allows.
        temporary = target.parent / f".bshm-{os.urandom(8).hex()}.part"
        try:
            make(temporary)
            if overwrite:
                temporary.replace(target)
            else:
                _take_name(temporary, target)
        finally:
            # After a replace it is gone; after a link, or any failure, a Ctrl-C included, it goes now.
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except (OutputExistsError, OutputError):
        raise
    except OSError as error:
        raise explained(error, str(path)) from error
    except ValueError as error:  # a NUL in the path
        raise OutputError(f"{str(path)!r} is not a valid path: {error}.") from error
    return path


def publish(temporary: Path, path: Path, *, overwrite: bool) -> Path:
    """Give a file that another library wrote the name ``path``, in one step; see ``write``.

    Args:
        temporary: the whole file, on the same file system as ``path``; it is gone afterwards.
        path: its name from now on.
        overwrite: replace a file that is there.

    Raises:
        OutputExistsError, DiskFullError, OutputError: as ``write``.
    """
    try:
        _refuse_what_is_no_file(path)
        if overwrite:
            temporary.replace(os.path.realpath(path))
        else:
            _take_name(temporary, path)
    except (OutputExistsError, OutputError):
        raise
    except OSError as error:
        raise explained(error, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _new(path: Path) -> int:
    # 0o666 lets the umask decide, unlike tempfile's 0o600; O_EXCL never follows a link that somebody planted.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.open(path, flags, 0o666)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = _new(path)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)  # may raise too: network file systems tell of a full disk only now


def _copy_new(path: Path, existing: Path) -> None:
    with existing.open("rb") as source, os.fdopen(_new(path), "wb") as target:
        shutil.copyfileobj(source, target, _PIECE)


def _take_name(temporary: Path, target: Path) -> None:
    """Give ``temporary`` the name ``target`` unless somebody has it: a hard link fails where the name is taken."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError as taken:
            raise _exists(target) from taken
        # The name is ours now, on an empty file that only we may replace.
        try:
            temporary.replace(target)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def _refuse_what_is_no_file(path: Path) -> None:
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Choose a file in it, e.g. {path / 'cutout.png'}.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} exists and is not a regular file. Choose another name.")


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(f"{path} already exists. Ask for overwriting, or choose another name.")


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no room, or that a quota is used up.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device")), is_full(OSError(errno.EACCES, "Permission denied"))
    (True, False)
    """
    return isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno in _FULL)


def explained(error: OSError, name: str) -> OutputError:
    """What the system says about an output that cannot be written, with what to do about it.

    Args:
        error: what the system raised.
        name: what messages call the output.

    Returns:
        A ``DiskFullError`` where there is no room, else an ``OutputError``.
    """
    if is_full(error):
        return DiskFullError(f"no space for {name}: {error.strerror}. Free some space, or write somewhere else.")
    advice = {
        errno.EACCES: "Choose a folder that may be written to, or change its permissions.",
        errno.EPERM: "Choose a folder that may be written to, or change its permissions.",
        errno.EROFS: "The file system is read-only: choose another place.",
        errno.ENOTDIR: "A part of the path is a file, not a folder.",
        errno.EEXIST: "A part of the path is a file, not a folder.",
        errno.ENAMETOOLONG: "Choose a shorter name.",
    }.get(error.errno or 0, "Choose another place.")
    return OutputError(f"{name} cannot be written: {error.strerror or error}. {advice}")
