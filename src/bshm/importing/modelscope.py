"""The official BSHM weights on ModelScope: what to download, and which hash it must have.

The first download is trusted: its hash is written to ``pins.json`` in the model store, and every later one must have
the same, whatever the server says then.  A hash that the user gives counts before both.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from bshm.errors import FetchError, ModelFileError, OptionError, option
from bshm.files import sink
from bshm.net.download import ConnectionOptions, Progress, check_url, download, file_sha256, read_json
from bshm.weights import store

ENDPOINT = "https://modelscope.cn"
# Another endpoint (a mirror inside a company): ours, and the one of the modelscope SDK.
VARIABLES = ("BSHM_MODELSCOPE", "MODELSCOPE_DOMAIN")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Remote:
    """A model on ModelScope.

    Attributes:
        name: name of the model.
        repository: its name there.
        file: of it, the file that is needed.
        revision: of the repository.
        about: bytes, roughly, for who must decide whether to start.
    """

    name: str
    repository: str
    file: str
    revision: str = "master"
    about: str = "100 to 200 MB"


REMOTES = {"bshm-official": Remote("bshm-official", "iic/cv_unet_image-matting", "tf_graph.pb")}


@dataclass(frozen=True)
class PullOptions:
    """How weights are fetched.

    Attributes:
        mirror: another endpoint with ModelScope's interface; None takes the environment's, else modelscope.cn.
        sdk: use the ``modelscope`` package: None where it is installed.
        sha256: the hash that the file must have; None takes the one that was pinned at the first download.
        connection: proxy, time and tries.
    """

    mirror: str | None = None
    sdk: bool | None = None
    sha256: str | None = None
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)

    def __post_init__(self) -> None:
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise OptionError(f"{option('sha256')} takes 64 hexadecimal digits in small letters; got {self.sha256!r}.")

    @property
    def endpoint(self) -> str:
        """Where it is fetched from."""
        chosen = self.mirror or next((os.environ[name] for name in VARIABLES if os.environ.get(name)), ENDPOINT)
        return check_url(chosen if "://" in chosen else f"https://{chosen}").rstrip("/")


@dataclass(frozen=True)
class Pulled:
    """What came.

    Attributes:
        path: of the file, in the store's folder ``downloads``.
        sha256: of it.
        licence: as ModelScope states it.
        source: for the card.
    """

    path: Path
    sha256: str
    licence: str
    source: str


def remote(name: str) -> Remote:
    """The model of that name.

    Raises:
        OptionError: there is none.
    """
    if name not in REMOTES:
        raise OptionError(f"there is nothing to pull called {name!r}; there is {', '.join(REMOTES)}.")
    return REMOTES[name]


def offline_advice(wanted: Remote, endpoint: str = ENDPOINT) -> str:
    """What to do on a machine without network: what to copy from where to where."""
    return (
        f"On a machine with network open {endpoint}/models/{wanted.repository}/files and download {wanted.file} "
        f"({wanted.about}); copy it here and run `bshm models import {wanted.file} --name {wanted.name}`. Where "
        "TensorFlow cannot be installed here, import it there and copy the folder that `bshm models --where` names."
    )


def pull(wanted: Remote, options: PullOptions, tell: Tell, progress: Progress | None = None) -> Pulled:
    """Fetch the file, and hold it against the hash that is known.

    Raises:
        FetchError: it did not come; the message says how to go on without network.
        ModelFileError: another file came.
        OptionError: an option's value.
        OutputError: it cannot be written.
    """
    endpoint = options.endpoint
    path = store.root() / "downloads" / wanted.name / wanted.file
    pinned = _pins().get(wanted.name)
    expected = options.sha256 or pinned
    if expected and store.present(path) and file_sha256(path) == expected:
        tell(f"{path} is there already and has the hash that is known")
        return Pulled(path, expected, "", f"{endpoint}/models/{wanted.repository}")
    use_sdk = importlib.util.find_spec("modelscope") is not None if options.sdk is None else options.sdk
    try:
        if use_sdk:
            fetched = _by_sdk(wanted, endpoint, path, expected, tell)
        else:
            fetched = _by_https(wanted, endpoint, path, expected, options.connection, tell, progress)
    except FetchError as error:
        raise FetchError(f"{error} {offline_advice(wanted, endpoint)}") from error
    if fetched.sha256 != pinned:  # another one only comes this far where --sha256 asked for it
        pins = {**_pins(), wanted.name: fetched.sha256}
        sink.write((json.dumps(pins, indent=2) + "\n").encode(), _pin_path(), overwrite=True)
        tell(f"sha256 {fetched.sha256}: written to {_pin_path()}, and required from now on")
    return fetched


def _by_https(
    wanted: Remote,
    endpoint: str,
    path: Path,
    expected: str | None,
    connection: ConnectionOptions,
    tell: Tell,
    progress: Progress | None,
) -> Pulled:
    base = f"{endpoint}/api/v1/models/{wanted.repository}"
    listing = read_json(f"{base}/repo/files?Revision={quote(wanted.revision)}&Recursive=true", connection)
    size, stated = _entry(listing, wanted, endpoint)
    licence = _licence(read_json(base, connection))
    about = wanted.about if size is None else f"{size / 1e6:.1f} MB"
    tell(f"fetching {wanted.file} ({about}) of {wanted.repository} from {endpoint}; licence: {licence}")
    if expected and stated and expected != stated:
        raise ModelFileError(
            f"{endpoint} has a {wanted.file} with the SHA-256 {stated} now; {expected} is pinned. Nothing was "
            f"fetched. If it was replaced on purpose, use {option('sha256')} {stated}."
        )
    url = f"{base}/repo?Revision={quote(wanted.revision)}&FilePath={quote(wanted.file)}"
    found = download(url, path, connection, size=size, sha256=expected or stated, progress=progress)
    return Pulled(path, found, licence, f"{endpoint}/models/{wanted.repository}")


def _entry(listing: object, wanted: Remote, endpoint: str) -> tuple[int | None, str | None]:
    """Size and hash of the file, as the list of files has them."""
    data = listing.get("Data") if isinstance(listing, dict) else None
    files = data.get("Files") if isinstance(data, dict) else None
    for entry in files if isinstance(files, list) else ():
        if isinstance(entry, dict) and entry.get("Path") == wanted.file:
            size, sha256 = entry.get("Size"), str(entry.get("Sha256") or "").lower()
            return (
                size if isinstance(size, int) and size > 0 else None,
                sha256 if _SHA256.fullmatch(sha256) else None,
            )
    raise FetchError(f"{endpoint} lists no {wanted.file} in {wanted.repository}.")


def _licence(model: object) -> str:
    data = model.get("Data") if isinstance(model, dict) else None
    licence = data.get("License") if isinstance(data, dict) else None
    return str(licence) if licence else "not stated; see the model's page"


def _by_sdk(wanted: Remote, endpoint: str, path: Path, expected: str | None, tell: Tell) -> Pulled:
    try:
        from modelscope.hub.file_download import model_file_download  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise OptionError(
            f"the modelscope package is asked for and not here ({error}). pip install modelscope."
        ) from error
    tell(f"fetching {wanted.file} ({wanted.about}) of {wanted.repository} with the modelscope package")
    try:
        came = Path(model_file_download(wanted.repository, wanted.file, revision=wanted.revision))
        data = came.read_bytes()
    except Exception as error:
        raise FetchError(f"the modelscope package could not fetch it: {error}.") from error
    sink.write(data, path, overwrite=True)
    found = file_sha256(path)
    if expected and found != expected:
        path.unlink()
        raise ModelFileError(
            f"the modelscope package gave {came} with the SHA-256 {found}; {expected} is needed. "
            "Remove it and try again."
        )
    return Pulled(path, found, "see the model's page", f"{endpoint}/models/{wanted.repository}")


def _pin_path() -> Path:
    return store.root() / "downloads" / "pins.json"


def _pins() -> dict[str, str]:
    try:
        pins = json.loads(_pin_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelFileError(
            f"{_pin_path()} cannot be read ({error}). Remove it to trust the next download."
        ) from error
    return {str(name): str(value) for name, value in pins.items()} if isinstance(pins, dict) else {}
