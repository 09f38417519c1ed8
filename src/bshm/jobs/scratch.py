"""Folders in which clips are worked on: gone with the work, or, where that was killed, some time later."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bshm.errors import DiskFullError, OutputError
from bshm.files import private, sink

_PREFIX = "bshm-clip-"


class Scratch:
    """Makes such folders in one place."""

    def __init__(self, place: Path | None, *, orphan_s: float) -> None:
        """In a place that is made with the first folder.

        Args:
            place: on the file system of the bytes of jobs; None takes that of temporary files (``TMPDIR``).
            orphan_s: a folder in which nothing was written for so long was left by a process that was killed.
        """
        self._place = place
        self._orphan_s = orphan_s

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new one; deleted with all that is in it when the context ends.

        Raises:
            DiskFullError, OutputError: it cannot be made.
        """
        if self._place is not None:
            private.folder(self._place)
        self._sweep()
        try:
            made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._place))
        except OSError as error:
            kind = DiskFullError if sink.is_full(error) else OutputError
            raise kind(f"a clip cannot be worked on: {error.strerror or error}.") from error
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _sweep(self) -> None:
        before = time.time() - self._orphan_s
        for folder in Path(self._place or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            try:
                latest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            except OSError:  # gone meanwhile, or another user's
                continue
            if latest < before:
                shutil.rmtree(folder, ignore_errors=True)
