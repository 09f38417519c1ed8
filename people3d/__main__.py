"""Draw people with exact alpha: ``python -m people3d --photos FOLDER --out FOLDER``."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

# One process a core: more threads in one slow the others.  Read once, when numpy is first imported.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from people3d.body import Body  # noqa: E402
from people3d.materials import Photos  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Draw the pictures that are not there yet; returns the exit status."""
    flags = _parser().parse_args(argv)
    if flags.size < 64:
        print(f"--size needs 64 pixels at least, got {flags.size}", file=sys.stderr)
        return 2
    try:
        photos = Photos(flags.photos)
    except FileNotFoundError as nothing:
        print(nothing, file=sys.stderr)
        return 2
    if find_spec("bpy") is None:
        print(
            "drawing people needs Blender as a module (bpy), which this Python does not have.  "
            "make people3d makes an environment with it: .venv-bpy/bin/python -m people3d …",
            file=sys.stderr,
        )
        return 3
    from people3d.person import draw_person

    body = Body()
    for folder in ("foreground", "alpha", "facts"):
        (flags.out / folder).mkdir(parents=True, exist_ok=True)
    for number in range(flags.start, flags.start + flags.count):
        name = f"s{flags.seed}_{number:05d}"
        if (flags.out / "facts" / f"{name}.json").exists():
            continue
        started = time.process_time()
        drawn = draw_person(np.random.default_rng([flags.seed, number]), body, photos, flags.size - 24)
        _save(flags.out / "foreground" / f"{name}.jpg", Image.fromarray(drawn.foreground), quality=95, subsampling=0)
        _save(flags.out / "alpha" / f"{name}.png", Image.fromarray(drawn.alpha))
        facts = {**drawn.facts, "cpu_s": round(time.process_time() - started, 1)}
        _write(flags.out / "facts" / f"{name}.json", json.dumps(facts).encode())
        write_index(flags.out)
        print(name, json.dumps(facts), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m people3d", description="Draw people with exact alpha.")
    parser.add_argument("--out", type=Path, required=True, help="where to; pictures already there are left out")
    parser.add_argument("--photos", type=Path, required=True, help="folder of folders of *.jpg, for light and cloth")
    parser.add_argument("--count", type=int, default=1, help="how many (1)")
    parser.add_argument("--start", type=int, default=0, help="number of the first (0)")
    parser.add_argument("--seed", type=int, default=0, help="a picture depends on seed, number and photographs (0)")
    parser.add_argument("--size", type=int, default=900, help="longer side in pixels (900)")
    return parser


def write_index(folder: Path) -> None:
    """Gather the facts of all pictures in ``index.json``: name -> facts."""
    facts = {path.stem: json.loads(path.read_text()) for path in sorted((folder / "facts").glob("*.json"))}
    _write(folder / "index.json", json.dumps(facts, indent=0).encode())


def _save(path: Path, picture: Image.Image, **options: int) -> None:
    data = io.BytesIO()
    picture.save(data, path.suffix[1:].replace("jpg", "jpeg"), **options)
    _write(path, data.getvalue())


def _write(path: Path, data: bytes) -> None:
    """A file whole or not at all: a run may be stopped at any time and taken up again."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()


if __name__ == "__main__":
    sys.exit(main())
