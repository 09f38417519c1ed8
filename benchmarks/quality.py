"""The quality report: people that training never saw, by kind of picture, against other methods.

    python benchmarks/quality.py DATA pictures FOLDER      write the held-out pictures and their alpha, by kind
    bshm label FOLDER/KIND/images -o MASKS/KIND --teacher mediapipe        (in an environment with mediapipe)
    python benchmarks/quality.py DATA report FOLDER --mediapipe MASKS      measure; writes results/quality.json

Kinds: *portrait* and *group* are held-out people over held-out scenes with exact alpha; *small* the same, far away;
*street* real pictures with masks drawn over superpixels (the reference itself is off by a pixel or two along edges);
*nobody* scenes without people.  The seed fixes every composite.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from bshm.evaluation import command, table
from bshm.evaluation.report import MatteFunction
from bshm.geometry import enlarge
from bshm.model.predictor import Predictor
from bshm.options import DEFAULT_MODEL
from bshm.refine import guided_filter
from bshm.types import FloatArray, Picture
from bshm.weights import catalogue

RESULTS = Path(__file__).parent / "results"
LONGEST_PX = 1024


def write_pictures(data_root: Path, folder: Path) -> None:
    """The held-out pictures, as ``bshm eval`` reads them."""
    from bshm.training.data import DataFolder
    from bshm.training.scenes import composite_scene, cutout_of, photograph

    data = DataFolder(data_root)
    backgrounds = [image for _, image in data.backgrounds("validation", None)]
    london = [cutout_of(item, flush=True, white_shirt=True) for item in data.keyed("london", "validation", None)]
    street = list(data.ccp("validation", None))
    walkers = [cutout_of(item, flush=bool(item.mask[-2:].max() > 127)) for item in street]
    rng = np.random.default_rng(2026)

    def composites(kind: str, count: int, people: int, size_hw: tuple[int, int]) -> None:
        for index in range(count):
            pool = london if people == 1 else london + walkers
            chosen = [pool[int(rng.integers(len(pool)))] for _ in range(people)]
            background = backgrounds[int(rng.integers(len(backgrounds)))]
            scene = composite_scene(chosen, background, backgrounds, size_hw, rng, occlude=False)
            scene = photograph(scene, rng) if kind != "portrait" else scene
            _write(folder, kind, f"{index:03d}", scene.image, scene.alpha)

    composites("portrait", 30, 1, (LONGEST_PX, 832))
    composites("group", 20, 3, (768, LONGEST_PX))
    for item in street:
        _write(folder, "street", item.name.split("/")[-1], item.image, item.mask)
    for index, image in enumerate(backgrounds[:20]):
        _write(folder, "nobody", f"{index:03d}", image, np.zeros(image.shape[:2], np.uint8))


def _write(folder: Path, kind: str, name: str, image: np.ndarray, alpha: np.ndarray) -> None:
    for part, array in (("images", cv2.cvtColor(image, cv2.COLOR_RGB2BGR)), ("alphas", alpha)):
        path = folder / kind / part / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), array)


def baselines(folder: Path, masks: Path | None) -> dict[str, MatteFunction]:
    """What else is measured on the same pictures."""
    predictor = Predictor.open(catalogue.find(DEFAULT_MODEL), "cpu")
    found: dict[str, MatteFunction] = {
        "mask network, bilinear": lambda picture: enlarge(predictor.mask(picture.pixels), picture.size_hw),
        "mask network, guided filter": lambda picture: guided_filter.refine(
            picture.pixels, predictor.mask(picture.pixels)
        ),
    }
    if predictor.has("quality"):
        found["unified mask, bilinear"] = lambda picture: enlarge(
            predictor.unify(picture.pixels, predictor.mask(picture.pixels)), picture.size_hw
        )
    if masks is not None:
        by_content = _masks_by_content(folder, masks)
        found["MediaPipe selfie"] = lambda picture: by_content[picture.pixels.tobytes()]
        found["MediaPipe + closed form"] = lambda picture: _closed_form(picture, by_content[picture.pixels.tobytes()])
    return found


def _masks_by_content(folder: Path, masks: Path) -> dict[bytes, FloatArray]:
    """MediaPipe wants an older numpy, so its masks come from files; a picture finds its own by its pixels."""
    found = {}
    for path in sorted(folder.glob("*/images/*.png")):
        mask = cv2.imread(str(masks / path.parts[-3] / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        image = cv2.imread(str(path))
        if mask is None or image is None:
            raise SystemExit(f"no mask of {path}; see the head of this file")
        found[cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()] = mask.astype(np.float32) / 255
    return found


def _closed_form(picture: Picture, mask: FloatArray) -> FloatArray:
    """Closed-form matting on the trimap that the mask gives: Levin, Lischinski and Weiss, 2008, by pymatting."""
    from pymatting import estimate_alpha_cf

    radius = max(3, round(max(mask.shape) / 60))
    kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
    sure, maybe = cv2.erode((mask > 0.9).astype(np.uint8), kernel), cv2.dilate((mask > 0.1).astype(np.uint8), kernel)
    if not sure.any():
        return mask
    trimap = np.where(sure > 0, 1.0, np.where(maybe > 0, 0.5, 0.0))
    return np.asarray(estimate_alpha_cf(picture.pixels / 255.0, trimap), np.float32).clip(0, 1)


def main() -> None:
    """Write the pictures, or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("what", choices=["pictures", "report"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mediapipe", type=Path)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    if arguments.what == "pictures":
        write_pictures(arguments.data, arguments.folder)
        return
    result = command.run(
        arguments.folder,
        models=[DEFAULT_MODEL],
        baselines=baselines(arguments.folder, arguments.mediapipe),
        limit=arguments.limit,
        json_path=RESULTS / "quality.json",
        html_path=arguments.folder / "report.html",
    )
    print(table.table(result))


if __name__ == "__main__":
    main()
