"""The mask networks that can be trained, by name."""

from __future__ import annotations

from typing import Literal, cast, get_args

from bshm.training.network.encoder import Variant
from bshm.training.network.live import LiveNetwork
from bshm.training.network.mask import MaskNetwork

MaskVariant = Literal[
    "lite0", "lite1", "lite2", "lite0-people", "lite2-people", "lite2-people-selfie", "live", "live-selfie"
]
VARIANTS: tuple[MaskVariant, ...] = get_args(MaskVariant)


def mask_network(variant: MaskVariant) -> MaskNetwork | LiveNetwork:
    """An untrained mask network: ``live`` for video calls, else one with that EfficientNet-Lite encoder.

    Those with ``-people`` have MoveNet's features beside it, those with ``-selfie`` what MediaPipe believes.
    """
    encoder, *eyes = variant.split("-")
    if encoder == "live":
        return LiveNetwork(selfie="selfie" in eyes)
    return MaskNetwork(cast("Variant", encoder), people="people" in eyes, selfie="selfie" in eyes)


def lacks(variant: MaskVariant, start: MaskVariant) -> set[str] | None:
    """The eyes that ``start`` would have to get to become ``variant``; None where it can't become that.

    >>> lacks("lite2-people-selfie", "lite2"), lacks("lite2", "lite0")
    ({'people', 'selfie'}, None)
    """
    (encoder, *eyes), (before, *known) = variant.split("-"), start.split("-")
    return set(eyes) - set(known) if encoder == before and set(known) <= set(eyes) else None
