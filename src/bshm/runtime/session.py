"""The only module that uses onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from bshm.errors import MemoryExhaustedError, ModelFileError, option
from bshm.runtime.providers import Device, unavailable
from bshm.weights.card import Network, Preprocessing, Signature

# The key of the ONNX metadata under which the exporter writes the preprocessing.
METADATA_KEY = "bshm.preprocessing"
# onnxruntime's names of the types that an input from elsewhere may have.
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True)
class Port:
    """An input or output of an ONNX file.

    Attributes:
        name: of it.
        type: of its numbers, as numpy calls it; onnxruntime's name where numpy has none.
        shape: None for a size that is open; empty where not even the number of axes is stated.
    """

    name: str
    type: str
    shape: tuple[int | None, ...]


def ports(data: bytes, name: str) -> tuple[list[Port], list[Port]]:
    """The inputs and outputs of an ONNX file from anywhere.

    Args:
        data: the file.
        name: what messages call it.

    Raises:
        ModelFileError: onnxruntime cannot read or run it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelFileError(
            f"{name} cannot be run by onnxruntime {onnxruntime.__version__}: {str(error).splitlines()[0]} "
            "A newer onnxruntime may know it, or convert it again at opset 11 to 18."
        ) from error

    def listed(entries: list[Any]) -> list[Port]:
        return [
            Port(
                each.name,
                np.dtype(_DTYPES[each.type]).name if each.type in _DTYPES else each.type,
                tuple(side if isinstance(side, int) and side > 0 else None for side in each.shape or ()),
            )
            for each in entries
        ]

    return listed(session.get_inputs()), listed(session.get_outputs())


class Session(Protocol):
    """A network that can be run; tests put a fake one here."""

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name."""
        ...


def default_threads() -> int:
    """All cores that this process may use, at most 8: more win nothing on networks of this size."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(8, allowed or 1)


def _spinning(version: str) -> dict[str, str]:
    """How the threads of a run wait for each other, which they do at every layer.

    One that looks for work for 50 µs before it sleeps is there for the next layer: on two free cores a run takes 0.85
    of its time, and the processor's time stays as it was.  Threads that look longer take up to 1.6 times the
    processor's, and an onnxruntime before 1.26 cannot be told how long.

    >>> _spinning("1.25.1")
    {'session.intra_op.allow_spinning': '0'}
    >>> _spinning("1.32.0")
    {'session.intra_op.allow_spinning': '1', 'session.intra_op.spin_duration_us': '50'}
    """
    if tuple(int(each) for each in version.split(".")[:2]) < (1, 26):
        return {"session.intra_op.allow_spinning": "0"}
    return {"session.intra_op.allow_spinning": "1", "session.intra_op.spin_duration_us": "50"}


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
        options.add_session_config_entry("session.use_env_allocators", "1")  # see ``bshm.runtime``
        options.intra_op_num_threads = threads or default_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        for key, value in _spinning(onnxruntime.__version__).items():
            options.add_session_config_entry(key, value)
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
        self._file = network.file
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._constants: dict[str, npt.NDArray[Any]] = {}
        self._foreign = network.signature is not None
        if network.signature is not None:
            self._fit(network.signature)
        self._compare(network)

    def _fit(self, signature: Signature) -> None:
        """Compare the names on the card of a network from elsewhere with its own, and prepare what it always gets."""
        types = {each.name: each.type for each in self._session.get_inputs()}
        wanted = {signature.image, *signature.constants}
        if wanted != set(types) or signature.answer not in self._outputs:
            raise ModelFileError(
                f"{self._file} has the inputs {', '.join(types)} and the outputs {', '.join(self._outputs)}; its card "
                f"names {', '.join(sorted(wanted))} and {signature.answer}. Correct the card, or import the file again."
            )
        self._outputs = [signature.answer]
        try:
            self._constants = {
                name: np.asarray(value, _DTYPES[types[name]]) for name, value in signature.constants.items()
            }
        except (KeyError, ValueError, TypeError) as error:
            raise ModelFileError(
                f"{self._file}: a constant of its card is not what its input takes: {error}."
            ) from error

    def _compare(self, network: Network) -> None:
        stated = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if stated is None and self._foreign:
            return  # not made by bshm: its preprocessing lives on the card alone
        if stated is None or Preprocessing.from_metadata(stated) != network.preprocessing:
            raise ModelFileError(
                f"{network.file} states {stated or 'no preprocessing'}, its card {network.preprocessing}. "
                "The two do not belong together."
            )

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what ``run`` gives."""
        return tuple(self._outputs)

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name.

        Raises:
            MemoryExhaustedError: the machine or the device has no room for this input.
            ModelFileError: a network from elsewhere does not take what its card says.
        """
        try:
            values = self._session.run(self._outputs, {**feeds, **self._constants})
        except Exception as error:
            text = str(error).lower()
            if "alloc" in text or "out of memory" in text:
                shapes = {name: value.shape for name, value in feeds.items()}
                raise MemoryExhaustedError(
                    f"the network ran out of memory on {shapes}. Use a smaller picture or {option('device')} cpu."
                ) from error
            if self._foreign:
                shapes = {name: (value.shape, str(value.dtype)) for name, value in feeds.items()}
                raise ModelFileError(
                    f"{self._file} does not run on {shapes}: {str(error).splitlines()[0]} "
                    "Are size, layout and dtype on its card right?"
                ) from error
            raise
        return dict(zip(self._outputs, values, strict=True))
