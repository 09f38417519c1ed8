"""Folders in which clips are worked on: gone with the work, or, where that was killed, some time later."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bshm.errors import DiskFullError, OutputError
from bshm.files import private, sink

_PREFIX = "bshm-clip-"
# In such a folder: whose it is.
_OF = "of"


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

    @property
    def is_ours(self) -> bool:
        """Whether nobody else has folders here: no other queue."""
        return self._place is not None

    @contextmanager
    def folder(self, of: str | None = None) -> Iterator[Path]:
        """A new one; deleted with all that is in it when the context ends.

        Args:
            of: whose it is, for ``sweep``.

        Raises:
            DiskFullError, OutputError: it cannot be made.
        """
        if self._place is not None:
            private.folder(self._place)
        self.sweep()
        try:
            made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._place))
            if of is not None:
                (made / _OF).write_text(of, encoding="ascii")
        except OSError as error:
            kind = DiskFullError if sink.is_full(error) else OutputError
            raise kind(f"a clip cannot be worked on: {error.strerror or error}.") from error
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def sweep(self, is_over: Callable[[str], bool] = lambda of: False, *, idle_s: float = 0.0) -> None:
        """Delete what processes that were killed have left.

        Args:
            is_over: whether nobody works any more for whom ``folder`` was told of; such a folder need not be as old as
                others.
            idle_s: nothing was written into it for so long: who works there without right soon sees that.
        """
        now = time.time()
        for folder in Path(self._place or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            try:
                latest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
                told = folder / _OF
                of = told.read_text(encoding="ascii") if told.is_file() else None
            except (OSError, UnicodeDecodeError):  # gone meanwhile, or another user's
                continue
            if now - latest > self._orphan_s or (of and now - latest > idle_s and is_over(of)):
                shutil.rmtree(folder, ignore_errors=True)
