"""Weight files that are what their card says."""

from __future__ import annotations

import hashlib

from bshm.errors import ModelFileError
from bshm.weights.card import Card, Network


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
            f"the model {card.name} needs {path}, which cannot be read ({error}). Install bshm again."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != network.sha256:
        raise ModelFileError(
            f"{path} is not the file that the card of {card.name} describes: its SHA-256 begins {found[:12]}, "
            f"the card says {network.sha256[:12]} ({network.bytes} bytes, here {len(data)}). Install bshm again."
        )
    return data
