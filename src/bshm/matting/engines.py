"""The networks of one set of weights, opened and chained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bshm.runtime.providers import Device, choose
from bshm.runtime.session import OnnxSession, Session, default_threads
from bshm.types import FloatArray, PixelArray
from bshm.weights import store
from bshm.weights.card import Card


@dataclass(frozen=True)
class Predictor:
    """Opened networks.  Safe to share between threads.

    Attributes:
        card: what they are.
        device: where they run.
        sessions: by role, as on the card.
        tile_threads: tiles of the matting network worked on at once.
    """

    card: Card
    device: Device
    sessions: Mapping[str, Session]
    tile_threads: int = 1

    @classmethod
    def open(
        cls, card: Card, device: str, threads: int | None = None, *, gpu_memory_limit: int | None = None
    ) -> Predictor:
        """Read, verify and open every network of ``card``.

        Raises:
            ModelFileError, DeviceUnavailableError, OptionError: see ``bshm.errors``.
        """
        chosen = choose(device, gpu_memory_limit=gpu_memory_limit)
        threads = threads or default_threads()
        # Tiles share the threads out among themselves; of a graphics card one tile at a time is enough.
        tile_threads = threads if chosen.name == "cpu" else 1
        sessions = {
            role: OnnxSession(store.read(card, network), network, chosen, 1 if role == "matting" else threads)
            for role, network in card.networks.items()
        }
        return cls(card, chosen, sessions, tile_threads)

    # The stages are imported where they are used: networks can be opened before OpenCV is there, and meanwhile.

    def mask(self, pixels: PixelArray) -> FloatArray:
        """Mask prediction: (H, W, 3) pixels to a small (h, w) float32 mask, 0..1."""
        from bshm.matting.networks import foreign, mask

        if self.card.networks["mask"].signature is not None:
            return foreign.predict(self.sessions["mask"], self.card.networks["mask"], pixels)
        return mask.predict(self.sessions["mask"], self.card.networks["mask"].preprocessing, pixels)

    @property
    def whole(self) -> str | None:
        """The role of the one network that answers with alpha itself, ``alpha`` or ``rgba``; None for the stages."""
        return next((role for role in ("alpha", "rgba") if role in self.sessions), None)

    def alpha(self, pixels: PixelArray, *, exact: bool = False) -> FloatArray:
        """Alpha of a network that answers with it: (H, W, 3) pixels to (H, W) float32, 0..1; see ``foreign.plane``."""
        from bshm.matting.networks import foreign

        role = self.whole or "alpha"
        return foreign.alpha(self.sessions[role], self.card.networks[role], pixels, exact=exact)

    def has(self, role: str) -> bool:
        """Whether the set has the network of a stage: ``mask``, ``quality`` or ``matting``."""
        return role in self.sessions

    def unify(self, pixels: PixelArray, coarse: FloatArray) -> FloatArray:
        """Quality unification: (H, W, 3) pixels and a (h, w) mask to a (h2, w2) float32 mask, 0..1."""
        from bshm.matting.networks import quality

        return quality.unify(self.sessions["quality"], self.card.networks["quality"].preprocessing, pixels, coarse)

    def matting(self, pixels: PixelArray, unified: FloatArray, guide: FloatArray) -> FloatArray:
        """Matting refinement: pixels (H, W, 3), unified mask and the guided filter's alpha to alpha (H, W), 0..1."""
        from bshm.matting.networks import matting

        return matting.refine(self.sessions["matting"], pixels, unified, guide, threads=self.tile_threads)
