"""Sources of a picture: a path, a URL, bytes, a file object, a PIL image or an array."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from bshm.errors import (
    OptionError,
    PictureTooLargeError,
    ShapeError,
    SourceNotFoundError,
    UnreadablePictureError,
    UrlRefusedError,
)
from bshm.options import Limits

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | npt.NDArray[Any]
Data = bytes | npt.NDArray[Any] | Image.Image

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CHUNK = 1 << 20


def read(source: Source, limits: Limits) -> tuple[Data, str]:
    """Bring what ``source`` names into memory; bytes are not looked into yet.

    Args:
        source: a path; an ``http://`` or ``https://`` URL (a str, never a Path); encoded bytes; a binary file object,
            read from where it stands to its end; a PIL image; an (H, W) or (H, W, 3|4) array.
        limits: bytes, and what a download may cost.

    Returns:
        What was read (arrays and PIL images as they came), and the name that messages give it: the path, the URL
        without its query, ``<bytes>``, ``stdin``, ``<image>`` or ``<array>``.

    Raises:
        OptionError: ``source`` is none of these.
        SourceNotFoundError: no such file.
        UnreadablePictureError: a folder, or a file that may not be read.
        PictureTooLargeError: more bytes than ``limits.max_bytes``.
        UrlRefusedError, FetchError: see `bshm.net.fetch`.

    Example:
        >>> read(b"GIF89a", Limits())
        (b'GIF89a', '<bytes>')
    """
    if isinstance(source, np.ndarray):
        return source, "<array>"
    if isinstance(source, Image.Image):
        return source, str(getattr(source, "filename", "") or "<image>")
    if isinstance(source, (bytes, bytearray, memoryview)):
        if memoryview(source).nbytes > limits.max_bytes:
            raise _too_many_bytes("<bytes>", limits)
        return bytes(source), "<bytes>"
    if isinstance(source, str) and _SCHEME.match(source):
        return _read_url(source, limits)
    if isinstance(source, (str, os.PathLike)):
        return _read_path(source, limits)
    if hasattr(source, "read"):
        return _read_file_object(source, limits)
    raise OptionError(
        "a picture needs a path, a URL, bytes, a binary file object, a PIL image or a numpy array; "
        f"got {type(source).__name__}."
    )


def _read_url(url: str, limits: Limits) -> tuple[bytes, str]:
    # Imported here: http.client and ssl are a third of the start of a command that reads one file.
    from bshm.net.fetch import fetch
    from bshm.net.guard import shown

    name = shown(url)
    if not limits.allow_urls:
        raise UrlRefusedError(f"URLs are not allowed; got {name}. Send the bytes instead.")
    return fetch(url, limits=limits), name


def _read_path(source: str | os.PathLike[str], limits: Limits) -> tuple[bytes, str]:
    name = os.fspath(source)
    if isinstance(name, bytes) or not name or "\0" in name:
        raise OptionError(f"a path must not contain NUL characters; got {name!r}.")
    try:
        with Path(name).open("rb") as file:
            return _read_all(file, name, limits), name
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"no file at {name}. Check the spelling and the working folder.") from error
    except NotADirectoryError as error:
        raise SourceNotFoundError(f"no file at {name}: a part of the path is a file, not a folder.") from error
    except IsADirectoryError as error:
        raise _is_a_folder(name) from error
    except PermissionError as error:
        # What Windows says to opening a folder.  Not Path.is_dir(): in a folder that is locked it raises.
        if os.path.isdir(name):  # noqa: PTH112
            raise _is_a_folder(name) from error
        raise UnreadablePictureError(
            f"{name} cannot be read: permission denied. Change its permissions, or run as a user who may read it."
        ) from error
    except OSError as error:
        raise UnreadablePictureError(f"{name} cannot be read: {error.strerror or error}.") from error


def _read_file_object(source: BinaryIO, limits: Limits) -> tuple[bytes, str]:
    label = getattr(source, "name", None)
    name = ("stdin" if label == "<stdin>" else label) if isinstance(label, str) and label else "<file>"
    try:
        return _read_all(source, name, limits), name
    except OSError as error:
        raise UnreadablePictureError(f"{name} cannot be read: {error.strerror or error}.") from error


def _read_all(file: BinaryIO, name: str, limits: Limits) -> bytes:
    """Everything, but never more than one chunk above the limit: the size that a file claims may be wrong (a pipe)."""
    parts: list[bytes] = []
    total = 0
    while part := file.read(_CHUNK if parts else min(_CHUNK, limits.max_bytes + 1)):
        if not isinstance(cast(object, part), bytes):  # a text file gives str
            raise OptionError(
                f"a file object must be binary; {name} returned {type(part).__name__}. Open it with 'rb'."
            )
        total += len(part)
        if total > limits.max_bytes:
            raise _too_many_bytes(name, limits)
        parts.append(part)
    return b"".join(parts)


def _too_many_bytes(name: str, limits: Limits) -> PictureTooLargeError:
    return PictureTooLargeError(
        f"a picture may have up to {limits.max_bytes:,} bytes; {name} has more. Use a smaller file, or raise the limit."
    )


def _is_a_folder(name: str) -> UnreadablePictureError:
    return UnreadablePictureError(f"{name} is a folder, not a picture. Choose one file in it.")


def check_array(array: npt.NDArray[Any], name: str) -> None:
    """See that an array can be a picture.

    Raises:
        ShapeError: it is not (H, W) or (H, W, 3|4) of uint8, uint16 or float, or has no pixel.
    """
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    kind_fits = array.dtype.newbyteorder("=") in (np.uint8, np.uint16) or np.issubdtype(array.dtype, np.floating)
    if not fits or not kind_fits or array.size == 0:
        raise ShapeError(
            "a picture needs (H, W), (H, W, 3) or (H, W, 4), RGB order, uint8, uint16 or float 0..1, a pixel or more; "
            f"{name} has {array.shape} {array.dtype}."
        )
