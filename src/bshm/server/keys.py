"""API keys: shown once, stored as hashes, revoked at once."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from bshm import places
from bshm.errors import OptionError, OutputError
from bshm.files import sink

_NAME = re.compile(r"[\w .@-]{1,64}")
_PREFIX = "bshm_"


@dataclass(frozen=True)
class Key:
    """An API key as it is stored.

    Attributes:
        id: names it in lists, logs and jobs; not secret.
        name: its owner, for people.
        sha256: hash of the key, lower-case hex.  A plain hash is enough: unlike a password, the key is 256 random bits,
            which cannot be guessed.
        created: ISO date and time, UTC.
    """

    id: str
    name: str
    sha256: str
    created: str


def default_file() -> Path:
    """The file of this user's keys."""
    return places.config() / "keys.json"


def hash_of(secret: str) -> str:
    """The stored hash of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class Keys:
    """The keys in a file; a change of the file is seen at the next request.  Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def all(self) -> tuple[Key, ...]:
        """Every key.

        Raises:
            OptionError: the file exists, but cannot be read: then nobody is served.
        """
        with self._lock:
            try:
                found = self.path.stat()
            except FileNotFoundError:
                self._stamp, self._keys = None, ()
                return ()
            except OSError as error:
                raise OptionError(f"the keys in {self.path} cannot be read: {error}.") from error
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                self._keys = _read(self.path)
                self._stamp = stamp
            return self._keys

    def find(self, secret: str) -> Key | None:
        """The entry of the key ``secret``, or None."""
        wanted = hash_of(secret)
        # All are compared, in constant time, so that timing reveals nothing about a hash.
        matches = [key for key in self.all() if hmac.compare_digest(key.sha256, wanted)]
        return matches[0] if matches else None

    def add(self, name: str) -> tuple[Key, str]:
        """Make a key.

        Returns:
            The entry, and the key itself, which is not stored.

        Raises:
            OptionError: the name is empty, too long, or has other characters.
            OutputError: the file cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise OptionError(f"the name of a key has 1 to 64 letters, digits, spaces or . @ _ -; got {name!r}.")
        secret = _PREFIX + secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(4), name, hash_of(secret), _now())
        self._write((*self.all(), key))
        return key, secret

    def revoke(self, name_or_id: str) -> list[Key]:
        """Remove the key with an id, or all keys of a name.

        Raises:
            OptionError: there is no such key.
        """
        gone = [key for key in self.all() if name_or_id in (key.id, key.name)]
        if not gone:
            raise OptionError(f"there is no key {name_or_id!r} in {self.path}. `bshm keys list` shows them.")
        self._write(tuple(key for key in self.all() if key not in gone))
        return gone

    def _write(self, keys: tuple[Key, ...]) -> None:
        text = json.dumps({"format": 1, "keys": [asdict(key) for key in keys]}, indent=2) + "\n"
        sink.write(text.encode(), self.path, overwrite=True)
        try:
            self.path.chmod(0o600)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be made private: {error}.") from error


def _read(path: Path) -> tuple[Key, ...]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Key(**each) for each in entry["keys"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(
            f"{path} is not a valid file of keys: {error}. Repair it, or make a new one with `bshm keys add`."
        ) from error


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
