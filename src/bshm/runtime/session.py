"""The one door to onnxruntime."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from bshm.errors import MemoryExhaustedError, ModelFileError
from bshm.runtime.providers import Device, unavailable
from bshm.weights.card import Network, Preprocessing

# The key of the ONNX metadata under which the exporter writes the preprocessing.
METADATA_KEY = "bshm.preprocessing"


class Session(Protocol):
    """A network that can be run; tests put a fake one here."""

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name."""
        ...


class OnnxSession:
    """A network in onnxruntime.  ``run`` may be called from several threads at once."""

    def __init__(self, data: bytes, network: Network, device: Device, threads: int | None = None) -> None:
        """Open the network.

        Args:
            data: the ONNX file.
            network: its entry on the card, compared with what the file says of itself.
            device: where to run; nothing else is tried.
            threads: of one run; None takes all cores, at most 8.

        Raises:
            ModelFileError: onnxruntime cannot read it, or its preprocessing is not the card's.
            DeviceUnavailableError: the device does not start.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(8, os.cpu_count() or 1)
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Spinning threads take 1.6 times the processor under load and win nothing here.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Pictures differ in shape: planned memory would be kept for each shape seen.
        options.enable_mem_pattern = False
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=[(device.provider, device.options)])
        except Exception as error:
            if device.name != "cpu":
                raise unavailable(device, str(error).splitlines()[0]) from error
            raise ModelFileError(
                f"{network.file} cannot be opened by onnxruntime {onnxruntime.__version__}: {error}"
            ) from error
        if self._session.get_providers()[0] != device.provider:
            # onnxruntime goes on with the CPU when a provider's libraries are missing; we do not.
            raise unavailable(device, f"onnxruntime fell back to {self._session.get_providers()[0]}")
        self._compare(network)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def _compare(self, network: Network) -> None:
        stated = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if stated is None or Preprocessing.from_json(json.loads(stated)) != network.preprocessing:
            raise ModelFileError(
                f"{network.file} states {stated or 'no preprocessing'}, its card {network.preprocessing}. "
                "The two do not belong together."
            )

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name.

        Raises:
            MemoryExhaustedError: the machine or the device has no room for this input.
        """
        try:
            values = self._session.run(self._outputs, dict(feeds))
        except Exception as error:
            text = str(error).lower()
            if "alloc" in text or "out of memory" in text:
                shapes = {name: value.shape for name, value in feeds.items()}
                raise MemoryExhaustedError(
                    f"the network ran out of memory on {shapes}. Use a smaller picture or --device cpu."
                ) from error
            raise
        return dict(zip(self._outputs, values, strict=True))
