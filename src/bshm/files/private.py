"""Keep files private: other users of this machine cannot read them."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from bshm.errors import DiskFullError, OutputError
from bshm.files.sink import is_full

log = logging.getLogger("bshm.private")

_GROUP_WRITES = stat.S_IWGRP
_OTHERS = stat.S_IRWXO
_GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def files() -> Iterator[None]:
    """Let what this process makes be its user's alone, for as long as the context lasts.

    Where the umask lets a group write, that group was given a part in it on purpose, and keeps it.
    """
    before = os.umask(_GROUP_AND_OTHERS)
    os.umask(before | (_GROUP_AND_OTHERS if before & _GROUP_WRITES else _OTHERS))
    try:
        yield
    finally:
        os.umask(before)


def folder(path: Path, *, ours: Collection[str] | None = None) -> Path:
    """A folder that only this user may enter, or this user and a group that may write there.

    One that is there is closed to others as well, but for those that hold more than ``ours``, or that everybody may
    write to (as ``/tmp``): closing them would take from others what is theirs.

    Args:
        path: of the folder; made if need be, with those above it.
        ours: names of what may be in it; None where it is ours whatever it holds.

    Returns:
        ``path``.

    Raises:
        DiskFullError: there is no room for it.
        OutputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = stat.S_IMODE(path.stat().st_mode)
        taken = _GROUP_AND_OTHERS if not mode & _GROUP_WRITES else _OTHERS
        if os.name != "posix" or not mode & taken:
            return path
        if mode & stat.S_ISVTX or (ours is not None and {each.name for each in path.iterdir()} - set(ours)):
            return path
    except OSError as error:
        kind = DiskFullError if is_full(error) else OutputError
        raise kind(f"the folder {path} cannot be used: {error.strerror or error}. Choose another place.") from error
    try:
        path.chmod(mode & ~taken)
    except OSError as error:
        log.warning("others may read %s, and it cannot be closed to them: %s", path, error.strerror)
    return path
