"""Model files that match their card, and the folder of imported models.

A model exists as soon as its card does: the files are written first, with their hash in the name, and the card gets its
name in one step at the end.  If an import is interrupted, the store is unchanged.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bshm import places
from bshm.errors import (
    DiskFullError,
    EnvironmentFault,
    ModelFileError,
    OptionError,
    OutputError,
    OutputExistsError,
    option,
)
from bshm.weights.card import Card, Network

# Where the user's sets lie, in place of the system's folder for an application's data.
VARIABLE = "BSHM_MODELS"
# Small letters: two names that differ in case alone are one file on some systems.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def root() -> Path:
    """The folder of the user's sets; it need not be there.

    ``BSHM_MODELS``, else ``models`` in the folder of ``bshm.places.data``.

    Raises:
        EnvironmentFault: this user has no home folder, and the environment names no other.
    """
    chosen = os.environ.get(VARIABLE)
    try:
        return Path(chosen).expanduser() if chosen else places.data() / "models"
    except RuntimeError as error:
        raise EnvironmentFault(
            f"there is no home folder for the model store ({error}). Set {VARIABLE} to a folder for it."
        ) from error


def cards() -> tuple[list[Path], str | None]:
    """The files of the cards in the store, by name, and why it cannot be read, where it cannot.

    A store that cannot be read (the home folder of somebody else) is no fault in a run that needs nothing of it:
    whoever lists the models, or asks for one that is not in the box, is told.
    """
    try:
        folder = root()
        found = [folder / name for name in os.listdir(folder) if name.endswith(".json")]  # noqa: PTH208 - glob hides why
    except (FileNotFoundError, NotADirectoryError):
        return [], None
    except OSError as error:
        return [], (
            f"the model store {folder} cannot be read: {error.strerror or error}. Set {VARIABLE} to one that can, or "
            "HOME to your own home folder."
        )
    except EnvironmentFault as error:
        return [], str(error)
    return sorted(found, key=lambda path: path.stem), None


def present(path: Path) -> bool:
    """Whether a file of the store is there.

    Raises:
        OutputError: the store cannot be looked into.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _explained(error, path.parent) from error
    return True


def check_name(name: str) -> str:
    """``name``, when a set may be called that.

    Raises:
        OptionError: it may not.

    >>> check_name("bshm-official")
    'bshm-official'
    """
    if not _NAME.fullmatch(name):
        raise OptionError(f"the name of a model takes small letters, digits, dots, - and _ (at most 64); got {name!r}.")
    return name


def read(card: Card, network: Network) -> bytes:
    """The bytes of one network, compared with the hash on its card.

    Raises:
        ModelFileError: the file is missing, cannot be read, or is not the one that the card describes.
    """
    path = card.folder / network.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"the model {card.name} needs {path}, which cannot be read ({error}). {_mend(card)}"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != network.sha256:
        raise ModelFileError(
            f"{path} is not the file that the card of {card.name} describes: its SHA-256 begins {found[:12]}, "
            f"the card says {network.sha256[:12]} ({network.bytes} bytes, here {len(data)}). {_mend(card)}"
        )
    return data


def _mend(card: Card) -> str:
    with contextlib.suppress(EnvironmentFault):
        if card.folder == root():
            return f"Import it again: `bshm models import FILE --name {card.name} --overwrite`."
    return "Install bshm again."


def check_free(name: str, *, overwrite: bool, taken: tuple[str, ...] = ()) -> None:
    """Refuse a name early, before hours of work on what could not be kept.

    Args:
        name: name of the model.
        overwrite: whether a set of that name in the store may be replaced.
        taken: names of the sets in the box, which nothing may hide.

    Raises:
        OptionError: no set may be called that.
        OutputExistsError: a set is called that, and ``overwrite`` is off.
    """
    check_name(name)
    if name in taken:
        raise OptionError(f"{name} is an included model. Choose another {option('name')}.")
    if present(root() / f"{name}.json") and not overwrite:
        raise OutputExistsError(
            f"the model {name} already exists in {root()}. Add {option('overwrite')}, or choose another "
            f"{option('name')}."
        )


def install(card: Card, files: Mapping[str, bytes], *, overwrite: bool) -> Card:
    """Put a set into the store: temporary files, read back and verified, renamed, the card last.

    Args:
        card: its networks' ``file``, ``sha256`` and ``bytes`` are filled in here.
        files: the ONNX bytes, by role.
        overwrite: replace a set of the same name; its files go when the new card is in place.

    Returns:
        The card as it stands in the store.

    Raises:
        OptionError, OutputExistsError: of the name.
        OutputError, DiskFullError: the store cannot be written; it is as it was.
    """
    check_free(card.name, overwrite=overwrite)
    folder = root()
    path = folder / f"{card.name}.json"
    networks = {}
    for role, network in card.networks.items():
        sha256 = hashlib.sha256(files[role]).hexdigest()
        name = f"{card.name}.{role}.{sha256[:12]}.onnx"
        networks[role] = replace(network, file=name, sha256=sha256, bytes=len(files[role]))
    card = replace(card, networks=networks, folder=folder)
    # Files of a set that is being replaced stay until the new card is there.
    before = _files_of(path)
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for role, network in networks.items():
            target = folder / network.file
            if not target.exists():
                written.append(target)
            _write(target, files[role], network.sha256)
        _write(path, card.to_json().encode(), None)
    except BaseException as error:
        for target in written:
            with contextlib.suppress(OSError):
                target.unlink()
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise _explained(error, folder) from error
        raise
    for name in before - {network.file for network in networks.values()}:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    return card


def remove(name: str) -> list[Path]:
    """Take a set out of the store; the card goes first.

    Returns:
        What was removed.

    Raises:
        OptionError: there is no set of that name in the store.
        OutputError: a file cannot be removed.
    """
    path = root() / f"{name}.json"
    if not _NAME.fullmatch(name) or not present(path):
        raise OptionError(f"there is no model {name} in {root()}. `bshm models` lists the models.")
    gone = [path, *(root() / file for file in sorted(_files_of(path)))]
    try:
        for each in gone:
            each.unlink(missing_ok=True)
    except OSError as error:
        raise _explained(error, root()) from error
    return gone


def _files_of(path: Path) -> set[str]:
    """The ONNX files of the set whose card is at ``path``: those of its name, whatever the card says."""
    name = re.escape(path.stem)
    pattern = re.compile(rf"{name}\.(mask|quality|matting|alpha|rgba)\.[0-9a-f]{{12}}\.onnx")
    return {each.name for each in path.parent.glob("*.onnx") if pattern.fullmatch(each.name)}


def _write(target: Path, data: bytes, sha256: str | None) -> None:
    temporary = target.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if sha256 is not None and hashlib.sha256(temporary.read_bytes()).hexdigest() != sha256:
            raise ModelFileError(f"{target.parent} returned other bytes than were written. Check the disk.")
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _explained(error: OSError, folder: Path) -> OutputError:
    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return DiskFullError(f"no room in {folder}: {error.strerror}. Free some, or set {VARIABLE} to another folder.")
    return OutputError(
        f"the model store {folder} cannot be used: {error.strerror or error}. Set {VARIABLE} to a folder that can."
    )
