"""``Painter``: a diffusion model that paints what lies behind people, by words.

    the people on their canvas -> the model's own size -> inpainting around them -> the canvas' size

Only the background is made small and large again: the people are laid over it by ``bshm.edit.render``, from the
picture, as they are.

Source:
    Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022.  Any pipeline of
    diffusers that ``AutoPipelineForInpainting`` opens will do.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import inspect
import math
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from bshm import geometry
from bshm.edit.background import Painting
from bshm.errors import (
    DeviceUnavailableError,
    DiskFullError,
    HubUnreachableError,
    MemoryExhaustedError,
    MissingExtraError,
    OptionError,
    PainterModelError,
    PaintingWithheldError,
    option,
)
from bshm.options import DEFAULT_DEVICE
from bshm.types import PixelArray

# As the hub names what it holds: OWNER/NAME.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_PACKAGES = ("torch", "diffusers", "transformers")
# Where a model does not say how large the pictures are that it has learned from.
_USUAL_SIDE_PX, _USUAL_STEPS = 512, 50
# No side is smaller, whatever the shape of the canvas: a latent has an eighth of it.
_LEAST_SIDE_PX = 64
# Of each file of a model, both ends of so many bytes say which it is: weights have gigabytes.
_END_BYTES = 1 << 16
# What the libraries raise for a folder that is no model, or a damaged one.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError)


class Painter:
    """A model that paints backgrounds, opened when it is first needed.  Threads may share it, and take turns.

    >>> Painter("no/such/folder/at all")
    Traceback (most recent call last):
    ...
    bshm.errors.PainterModelError: no folder is called no/such/folder/at all, ...
    """

    def __init__(self, model: str | os.PathLike[str], *, device: str = DEFAULT_DEVICE) -> None:
        """Nothing is loaded or fetched yet.

        Args:
            model: the folder of a diffusers pipeline that can inpaint; or, where there is no such folder, its name on
                the Hugging Face hub, ``OWNER/NAME``, which is fetched by the hub's own library and kept where that
                keeps it.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, …: used or refused, never replaced.

        Raises:
            MissingExtraError: what paints is not installed.
            PainterModelError: ``model`` is neither a folder nor a name.
        """
        missing = next((each for each in _PACKAGES if importlib.util.find_spec(each) is None), None)
        if missing is not None:
            raise MissingExtraError(
                f"{option('background_prompt')} needs the package {missing}. "
                'Install what paints: pip install "bshm[diffusion]"'
            )
        self._given = os.fspath(model)
        self._device = device
        self._lock = threading.Lock()
        self._pipeline: Any = None
        self._name = ""
        if not Path(self._given).is_dir() and not _HUB_NAME.fullmatch(self._given):
            raise PainterModelError(
                f"no folder is called {self._given}, and a name on the hub is written OWNER/NAME. "
                f"Give {option('background_model')} the folder of a diffusers pipeline that can inpaint."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        # For another process: it opens the model by itself.
        return _again, (self._given, self._device)

    @property
    def model(self) -> str:
        """Its name and what tells it from others of that name: ``NAME@0123456789ab``.  Opens it."""
        self.open()
        return self._name

    def open(self) -> Painter:
        """Load the model, and fetch it first where it is not on this machine; a second time does nothing.

        Returns:
            itself.

        Raises:
            PainterModelError: it is no pipeline that can inpaint, or damaged, or the hub has none of that name.
            HubUnreachableError: it is not on this machine, and the hub cannot be asked.
            DeviceUnavailableError, DiskFullError, MemoryExhaustedError: see ``bshm.errors``.
        """
        with self._lock:
            if self._pipeline is None:
                self._load()
        return self

    def paint(
        self, pixels: PixelArray, kept: npt.NDArray[np.bool_], prompt: str, *, seed: int, steps: int | None
    ) -> Painting:
        """See ``bshm.edit.background.Paints``.

        Raises:
            PainterModelError: the model gives no picture; or what ``open`` raises.
            PaintingWithheldError: its own filter keeps the picture back.
            MemoryExhaustedError: its device has not enough memory.
        """
        self.open()
        with self._lock:
            return self._painted(pixels, kept, prompt, seed, steps)

    def _painted(
        self, pixels: PixelArray, kept: npt.NDArray[np.bool_], prompt: str, seed: int, steps: int | None
    ) -> Painting:
        import torch

        pipeline = self._pipeline
        height, width = working_size(kept.shape[0], kept.shape[1], self._side_px(), self._cell_px())
        small = geometry.shrink(pixels, (height, width))
        free = geometry.resize(kept.astype(np.float32), (height, width)) < 0.5
        taken = inspect.signature(pipeline.__call__).parameters
        usual = taken["num_inference_steps"].default if "num_inference_steps" in taken else _USUAL_STEPS
        wanted: dict[str, Any] = {
            "prompt": prompt,
            "image": Image.fromarray(small),
            "mask_image": Image.fromarray(np.where(free, 255, 0).astype(np.uint8)),
            "height": height,
            "width": width,
            "num_inference_steps": steps or usual,
            # Of the processor: the same noise on every device.
            "generator": torch.Generator("cpu").manual_seed(seed),
            "output_type": "np",
        }
        if "strength" in taken:
            wanted["strength"] = 1.0  # nothing of the old background
        try:
            with _quiet(), torch.inference_mode():
                answer = pipeline(**wanted)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error):
                raise MemoryExhaustedError(
                    f"painting {width}x{height} pixels does not fit into the memory of {self._pipeline.device}. "
                    f"Choose a smaller {option('background_model')}."
                ) from error
            raise PainterModelError(f"the model {self._name} cannot paint: {_reason(error)}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise PainterModelError(f"the model {self._name} cannot paint: {_reason(error)}") from error
        if any(getattr(answer, "nsfw_content_detected", None) or ()):
            raise PaintingWithheldError(
                f"the filter of {self._name} kept back what it painted. Write another {option('background_prompt')}, "
                f"or choose another {option('background_seed')}."
            )
        found = np.asarray(answer.images[0], np.float32)
        if found.shape != (height, width, 3) or not np.isfinite(found).all():
            raise PainterModelError(f"the model {self._name} gave no picture. Use another one.")
        levels = np.floor(np.clip(found, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
        whole = geometry.enlarge(levels, kept.shape)
        return Painting(whole, self._name, wanted["num_inference_steps"], str(pipeline.device))

    def _side_px(self) -> int:
        """The side of the square pictures that the model has learned from."""
        pipeline = self._pipeline
        for part in ("unet", "transformer"):
            side = getattr(getattr(getattr(pipeline, part, None), "config", None), "sample_size", None)
            if isinstance(side, int):
                return side * int(getattr(pipeline, "vae_scale_factor", 8))
        side = getattr(pipeline, "default_sample_size", None)
        return side * int(getattr(pipeline, "vae_scale_factor", 8)) if isinstance(side, int) else _USUAL_SIDE_PX

    def _cell_px(self) -> int:
        """What both sides have to be multiples of."""
        scale = int(getattr(self._pipeline, "vae_scale_factor", 8))
        # A transformer puts two latents by two into a word.
        return math.lcm(8, scale * (2 if getattr(self._pipeline, "transformer", None) is not None else 1))

    def _load(self) -> None:
        diffusers, torch = _libraries()
        device = _device(self._device, torch)
        folder = Path(self._given)
        name = folder.resolve().name
        if not folder.is_dir():
            folder, name = _fetched(diffusers, self._given), self._given
        half = device.type == "cuda"
        try:
            with _quiet():
                pipeline = diffusers.AutoPipelineForInpainting.from_pretrained(
                    str(folder), local_files_only=True, torch_dtype=torch.float16 if half else torch.float32
                )
                pipeline.set_progress_bar_config(disable=True)
                pipeline.to(device)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise MemoryExhaustedError(f"{name} does not fit into the memory of {device}. Use another one.") from error
        except _DAMAGED as error:
            raise PainterModelError(
                f"{name} cannot be opened as a diffusers pipeline that can inpaint: {_reason(error)} "
                f"Give {option('background_model')} another one."
            ) from error
        self._name = f"{name}@{fingerprint(folder)}"
        self._pipeline = pipeline


def working_size(height: int, width: int, side_px: int, cell_px: int) -> tuple[int, int]:
    """Height and width of about ``side_px`` squared with the aspect of a canvas, in multiples of ``cell_px``.

    >>> working_size(3000, 4000, 512, 8)
    (440, 592)
    """
    scale = side_px / math.sqrt(height * width)
    least = max(cell_px, min(_LEAST_SIDE_PX, side_px))
    high, wide = (max(least, round(side * scale / cell_px) * cell_px) for side in (height, width))
    # A strip of a picture: neither side longer than four of the model's.
    return min(high, 4 * side_px), min(wide, 4 * side_px)


def fingerprint(folder: Path) -> str:
    """Twelve letters that tell a model from another: of its files' names and sizes and of both ends of each."""
    whole = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        size = path.stat().st_size
        whole.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            whole.update(file.read(_END_BYTES))
            file.seek(max(0, size - _END_BYTES))
            whole.update(file.read(_END_BYTES))
    return whole.hexdigest()[:12]


def _again(model: str, device: str) -> Painter:
    return Painter(model, device=device)


def _libraries() -> tuple[Any, Any]:
    """diffusers and torch; whatever they would send about their use, they do not."""
    # Both are read when the hub's library is loaded.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import diffusers
            import torch
            import transformers
            from huggingface_hub import constants
    except ImportError as error:
        raise MissingExtraError(
            f"{option('background_prompt')} needs the package {error.name}. "
            'Install what paints: pip install "bshm[diffusion]"'
        ) from error
    constants.HF_HUB_DISABLE_TELEMETRY = True  # where the program had loaded it before
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
    return diffusers, torch


def _device(wanted: str, torch: Any) -> Any:
    there = bool(torch.cuda.is_available())
    if wanted == "auto":
        return torch.device("cuda" if there else "cpu")
    kind, _, number = wanted.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise OptionError(f"{option('device')} takes auto, cpu or cuda where a background is painted; got {wanted!r}.")
    if kind == "cuda" and (not there or int(number or 0) >= torch.cuda.device_count()):
        raise DeviceUnavailableError(
            f"the device {wanted} cannot paint here: torch {torch.__version__} finds no such. Use cpu or auto."
        )
    return torch.device(wanted)


def _fetched(diffusers: Any, name: str) -> Path:
    """The folder of a model of the hub, fetched where it is not on this machine."""
    from huggingface_hub import constants, errors

    try:
        with _quiet():
            return Path(diffusers.DiffusionPipeline.download(name))
    except Exception as error:  # of four libraries; sorted by what caused it
        causes = list(_causes(error))
        if any(isinstance(each, OSError) and each.errno == errno.ENOSPC for each in causes):
            raise DiskFullError(f"there is no room for {name}, which was being fetched from the hub.") from error
        unknown = (
            errors.RepositoryNotFoundError,
            errors.RevisionNotFoundError,
            errors.RemoteEntryNotFoundError,
            errors.HFValidationError,
        )
        if any(isinstance(each, unknown) for each in causes):
            raise PainterModelError(
                f"the hub gives no diffusers pipeline called {name}: there is none, or it is not for everybody. "
                "Look the name up, or log in with `hf auth login`."
            ) from error
        why = "HF_HUB_OFFLINE is set." if constants.is_offline_mode() else _reason(causes[-1])
        raise HubUnreachableError(
            f"no folder is called {name}, and the hub cannot be asked for it: {why} "
            f"Give {option('background_model')} the folder of a model that is on this machine."
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    """The first line of what a library says, as a sentence."""
    line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return f"{line[:200].rstrip('. ')}."


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the libraries have to say to those who program with them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
