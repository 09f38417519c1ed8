"""The mask networks that can be trained, by name."""

from __future__ import annotations

from typing import Literal, get_args

from bshm.training.network.live import LiveNetwork
from bshm.training.network.mask import MaskNetwork

MaskVariant = Literal["lite0", "lite1", "lite2", "lite0-people", "lite2-people", "live"]
VARIANTS: tuple[MaskVariant, ...] = get_args(MaskVariant)


def mask_network(variant: MaskVariant) -> MaskNetwork | LiveNetwork:
    """An untrained mask network: ``live`` for video calls, else one with that EfficientNet-Lite encoder.

    Those that end in ``-people`` have MoveNet's features beside it.
    """
    match variant:
        case "live":
            return LiveNetwork()
        case "lite0-people":
            return MaskNetwork("lite0", people=True)
        case "lite2-people":
            return MaskNetwork("lite2", people=True)
        case _:
            return MaskNetwork(variant)
