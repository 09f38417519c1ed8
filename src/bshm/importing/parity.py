"""Check that a converted network computes the same as the original, on real pictures at several sizes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

# Of 255.  Both frameworks sum in single precision in another order, and a cast that cuts off turns a difference in the
# last bit into a whole level; more than one level is another computation.
TOLERANCE_LEVELS = 1.0
# Height and width: training's, the sample's own, odd ones, a strip, and full HD.
SIZES_HW = ((512, 512), (768, 640), (333, 517), (97, 1201), (1080, 1920))


@dataclass(frozen=True)
class Compared:
    """One picture at one size.

    Attributes:
        name: of the picture.
        size_hw: height and width.
        alpha_max, alpha_mean: difference of alpha in levels of 255.
        colour_max, colour_mean: of colour, where the network answers it; None else.
        original_ms, onnx_ms: time of one run.
    """

    name: str
    size_hw: tuple[int, int]
    alpha_max: float
    alpha_mean: float
    colour_max: float | None
    colour_mean: float | None
    original_ms: float
    onnx_ms: float


@dataclass(frozen=True)
class Report:
    """What an import found.

    Attributes:
        rows: one for each picture and size.
        tolerance: in levels.
        versions: of the programs, by name.
    """

    rows: tuple[Compared, ...]
    tolerance: float
    versions: dict[str, str]

    @property
    def worst(self) -> float:
        """The largest difference of all, in levels."""
        return max((max(row.alpha_max, row.colour_max or 0.0) for row in self.rows), default=0.0)

    @property
    def passed(self) -> bool:
        """Whether no level differs by more than the tolerance."""
        return bool(self.rows) and self.worst <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "worst": self.worst, "passed": self.passed}

    def table(self) -> str:
        """For people."""
        lines = [f"{'picture':<24} {'alpha max / mean':>17} {'colour max / mean':>18} {'TensorFlow':>11} {'ONNX':>9}"]
        for row in self.rows:
            height, width = row.size_hw
            colour = "-" if row.colour_max is None else f"{row.colour_max:.0f} / {row.colour_mean:.4f}"
            lines.append(
                f"{f'{row.name} {width}x{height}':<24} {f'{row.alpha_max:.0f} / {row.alpha_mean:.4f}':>17} "
                f"{colour:>18} {row.original_ms:>8.0f} ms {row.onnx_ms:>6.0f} ms"
            )
        ratio = median(row.onnx_ms for row in self.rows) / max(median(row.original_ms for row in self.rows), 1e-9)
        verdict = "PASS" if self.passed else "FAIL"
        lines.append(
            f"{verdict}: at most {self.worst:g} level{'s' if self.worst != 1 else ''} of 255 apart "
            f"(allowed {self.tolerance:g}); ONNX takes {ratio:.2f} of TensorFlow's time"
        )
        return "\n".join(lines) + "\n"


def compare(
    name: str,
    original: npt.NDArray[Any],
    onnx: npt.NDArray[Any],
    *,
    times_ms: tuple[float, float],
    size_hw: tuple[int, int],
) -> Compared:
    """Differences of two answers to one picture.

    Args:
        name: of the picture.
        original: (H, W, 4) RGBA or (H, W) or (H, W, 1) alpha, 0..255.
        onnx: (H, W, 4) or (H, W, 1), 0..255; where one of the two has no colour, alpha alone is compared.
        times_ms: of the original and of ONNX.
        size_hw: of the picture.
    """
    before, after = (each.astype(np.float64).reshape(*size_hw, -1) for each in (original, onnx))
    alpha = np.abs(before[..., -1] - after[..., -1])
    colour_max = colour_mean = None
    if before.shape[-1] == after.shape[-1] == 4:
        colour = np.abs(before[..., :3] - after[..., :3])
        colour_max, colour_mean = float(colour.max()), float(colour.mean())
    return Compared(name, size_hw, float(alpha.max()), float(alpha.mean()), colour_max, colour_mean, *times_ms)
