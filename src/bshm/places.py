"""Folders of this user's files, by the rules of platformdirs.

On Linux ``XDG_CONFIG_HOME``, ``XDG_CACHE_HOME`` and ``XDG_DATA_HOME``, else ``~/.config``, ``~/.cache`` and
``~/.local/share``; on macOS below ``~/Library``; on Windows below ``%LOCALAPPDATA%``; everywhere in a folder ``bshm``.
"""

from __future__ import annotations

from pathlib import Path


def config() -> Path:
    """The folder of what people set: API keys."""
    import platformdirs

    return _known(platformdirs.user_config_path("bshm", appauthor=False))


def cache() -> Path:
    """The folder of what can be made anew: results that were asked for before."""
    import platformdirs

    return _known(platformdirs.user_cache_path("bshm", appauthor=False))


def data() -> Path:
    """The folder of what stays: weights, jobs.

    Raises:
        RuntimeError: this user has no home folder, and the environment names no other.
    """
    import platformdirs

    return _known(platformdirs.user_data_path("bshm", appauthor=False))


def _known(path: Path) -> Path:
    """``path``, whose ~ would stay one, and become a folder of that name, where there is no home folder."""
    return path.expanduser() if path.parts[:1] == ("~",) else path
