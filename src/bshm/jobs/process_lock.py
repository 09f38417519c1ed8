"""Tell whether a process is alive, by a lock that the system releases when it dies, even by SIGKILL."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from bshm.errors import OutputError
from bshm.files import private
from bshm.files.locking import try_lock


class ProcessLock:
    """A locked file with a unique name in a folder that the processes of one machine share."""

    def __init__(self, folder: Path) -> None:
        """Create the file and lock it.

        Raises:
            OutputError: it cannot be created.
        """
        self._folder = folder
        self.name = f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            private.folder(folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(folder / self.name, flags, 0o600)
            with contextlib.suppress(OSError):  # without locks no process ever counts as dead
                try_lock(self._descriptor)
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"{folder} cannot be used for jobs: {error.strerror or error}.") from error

    def is_dead(self, name: str) -> bool:
        """Whether the process that locked ``name`` is gone."""
        if name == self.name:
            return False
        try:
            descriptor = os.open(self._folder / name, os.O_RDWR)
        except FileNotFoundError:
            return True  # it released its lock and ended
        except OSError:
            return False
        try:
            try:
                if not try_lock(descriptor):
                    return False
            except OSError:
                return False
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
            return True
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Release the lock and delete the file."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
            (self._folder / self.name).unlink()
