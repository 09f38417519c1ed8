"""The quality report: people that training never saw, by kind of picture, against other methods.

    python benchmarks/quality.py DATA pictures FOLDER           write the held-out pictures (held_out.py says which)
    bshm label FOLDER/KIND/images -o MASKS/KIND --teacher mediapipe           (in an environment with mediapipe)
    python benchmarks/isnet.py alphas NODE FOLDER ALPHAS                      (isnet.py says what NODE is)
    python benchmarks/quality.py DATA report FOLDER --mediapipe MASKS --isnet ALPHAS [--also NAME=SET]…

The report measures every set of weights in the box; of the default one also what is left when parts are taken away;
sets that were exported elsewhere (`--also`, for what other training gives); and other people's methods.  It writes
results/quality.json, the tables in docs/quality.md, and beside the pictures report.html and
worst-twenty.jpg.  With `--trial OUT` all that goes to OUT and nothing else is touched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import contact_sheet
import cv2
import numpy as np
import numpy.typing as npt
import wide
from rounds import RESULTS

from bshm import geometry
from bshm.errors import DataFolderError
from bshm.evaluation import page, record, table
from bshm.evaluation.gallery import Gallery
from bshm.evaluation.pairs import Pair, find_pairs
from bshm.evaluation.report import EvaluationResult, MatteFunction, evaluate
from bshm.matting.engines import Engine, Staged, open_engine
from bshm.matting.networks import matting
from bshm.matting.refine import guided_filter
from bshm.matting.refine.doubt import drop_doubtful, drop_loose, somebody
from bshm.options import DEFAULT_MODEL, MatteOptions
from bshm.pipeline import Matting
from bshm.types import FloatArray, Picture, PixelArray, Run
from bshm.weights import catalogue
from bshm.weights.card import Card

DOCS = Path(__file__).parents[1] / "docs"
ISNET = "ISNet (imgly)"
WORST = 20
BY_NAME = 8
ONE_PASS_SIDE_PX = 512


# -- what is measured ----------------------------------------------------------------------------------------------


def box() -> list[Card]:
    """The sets of weights that ship, the default one first."""
    cards = catalogue.cards(catalogue.BUNDLED)
    return sorted(cards, key=lambda card: card.name != DEFAULT_MODEL)


def exported(entry: str) -> tuple[str, Card]:
    """``NAME=FOLDER``: the one set in a folder that `bshm export` wrote."""
    name, _, folder = entry.partition("=")
    cards = catalogue.cards(Path(folder)) if folder else []
    if not name or len(cards) != 1:
        raise SystemExit(f"--also takes NAME=FOLDER, the folder with the card of one set; {entry} has {len(cards)}")
    return name, cards[0]


def whole(engine: Engine) -> MatteFunction:
    """A set of weights as `bshm matte` runs it; only alpha is measured, so colours need not be worked out."""
    opened = Matting(engine=engine)
    return lambda picture: opened.matte_picture(picture, MatteOptions(decontaminate=False)).alpha


def parts(engine: Staged) -> dict[str, MatteFunction]:
    """What is left of a set of weights when parts of it are taken away."""

    def mask(picture: Picture) -> FloatArray:
        return engine.mask(picture.pixels)

    def unified(picture: Picture) -> FloatArray:
        return drop_doubtful(engine.unify(picture.pixels, mask(picture)))

    def filtered(of: Callable[[Picture], FloatArray]) -> MatteFunction:
        return lambda picture: guided_filter.refine(picture.pixels, of(picture))

    found: dict[str, MatteFunction] = {
        "mask network, bilinear": lambda picture: geometry.enlarge(mask(picture), picture.size_hw),
        "mask network, guided filter": filtered(mask),
    }
    if "quality" in engine.sessions:
        found["unified mask, bilinear"] = lambda picture: geometry.enlarge(unified(picture), picture.size_hw)
    if "matting" in engine.sessions:

        def without_unification(picture: Picture) -> FloatArray:
            raw = drop_doubtful(mask(picture))
            guide = guided_filter.refine(picture.pixels, raw)
            held = somebody(guide)
            return drop_loose(engine.matting(picture.pixels, raw, guide), held)

        def at_512(picture: Picture) -> FloatArray:
            small = geometry.shrink(picture.pixels, geometry.whole_picture_size(*picture.size_hw, ONE_PASS_SIDE_PX))
            return geometry.enlarge(one_pass(engine, small, unified(picture)), picture.size_hw)

        # Without a matting network this is what ships.
        found["unified mask, guided filter"] = filtered(unified)
        found["without unification"] = without_unification
        found["without tiles, one pass"] = lambda picture: one_pass(engine, picture.pixels, unified(picture))
        found["without tiles, at 512² px"] = at_512
    return found


def one_pass(engine: Staged, pixels: PixelArray, unified: FloatArray) -> FloatArray:
    """The matting network over the whole picture at once, mirrored until both sides are multiples of 16."""
    height, width = pixels.shape[:2]
    pad = ((0, -height % 16), (0, -width % 16))
    image = np.pad(pixels, (*pad, (0, 0)), mode="symmetric").transpose(2, 0, 1)[None].astype(np.float32)
    planes = {"mask": geometry.enlarge(unified, (height, width)), "guide": guided_filter.refine(pixels, unified)}
    feeds = {name: np.pad(plane, pad, mode="symmetric")[None, None] for name, plane in planes.items()}
    feeds["image"] = image / np.float32(np.iinfo(pixels.dtype).max)
    alpha = engine.sessions["matting"].run(feeds)["alpha"][0, 0, :height, :width]
    stretched: FloatArray = ((alpha - matting._STRETCH) / (1 - 2 * matting._STRETCH)).clip(0, 1).astype(np.float32)
    return stretched


class FromFiles:
    """A method that runs elsewhere, by the alphas that it wrote as FOLDER/KIND/NAME.png.

    A picture finds its own by its pixels, as a picture does not know its kind.
    """

    def __init__(self, folder: Path, pairs: list[Pair]) -> None:
        self.paths: dict[str, Path] = {}
        self.folder = folder
        for pair in pairs:
            path = folder / pair.kind / f"{pair.picture.stem}.png"
            image = cv2.imread(str(pair.picture)) if path.is_file() else None
            if image is not None:
                self.paths[_digest(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))] = path
        if not self.paths:
            raise SystemExit(f"{folder} has no alpha of any of these pictures; see the head of this file")

    def __call__(self, picture: Picture) -> FloatArray:
        path = self.paths.get(_digest(picture.pixels))
        if path is None:
            raise DataFolderError(f"{self.folder} has no alpha of {picture.name}.")
        return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.float32) / np.float32(255)


def closed_form(picture: Picture, mask: FloatArray) -> FloatArray:
    """Closed-form matting on the trimap that the mask gives: Levin, Lischinski and Weiss, 2008, by pymatting."""
    from pymatting import estimate_alpha_cf

    radius = max(3, round(max(mask.shape) / 60))
    kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
    sure, maybe = cv2.erode((mask > 0.9).astype(np.uint8), kernel), cv2.dilate((mask > 0.1).astype(np.uint8), kernel)
    # Its equations need some of both to begin from.
    if not sure.any() or maybe.all():
        return mask
    trimap = np.where(sure > 0, 1.0, np.where(maybe > 0, 0.5, 0.0))
    return np.asarray(estimate_alpha_cf(picture.pixels / 255.0, trimap), np.float32).clip(0, 1)


def _digest(pixels: npt.NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


# -- the tables of docs/quality.md ---------------------------------------------------------------------------------


def of(result: EvaluationResult, models: list[str], pictures: set[str] | None = None) -> EvaluationResult:
    """The part of a result that is about these models, and these pictures."""
    rows = tuple(row for row in result.rows if row.model in models and (pictures is None or row.name in pictures))
    return replace(result, models=tuple(models), rows=rows, failures=())


def strangers(result: EvaluationResult, *, yes: bool = True) -> EvaluationResult:
    """The part of a result that is about the pictures of wide.py; with ``yes`` off, about all others."""
    rows = tuple(row for row in result.rows if row.kind.startswith(wide.PREFIXES) == yes)
    return replace(result, rows=rows)


def tables(result: EvaluationResult, ran: Mapping[str, Run], note: str) -> dict[str, str]:
    """The generated parts of docs/quality.md, by the name of their place."""
    further = [name for name in ran if name not in catalogue_names()]
    everything = of(result, [model for model in result.models if model != ISNET and model not in further])
    every = strangers(everything, yes=False)
    matrices = [
        table.matrix(every, column, band=band)
        for column, band in ((table.COLUMNS[0], False), (table.COLUMNS[3], False), (table.COLUMNS[0], True))
    ]
    weights = ", ".join(f"{name} {run.model_sha256[:12]}" for name, run in ran.items())
    found = {
        "all": f"{_block(table.table(every, by_kind=False))}\n\n{note} Weights: {weights}.",
        "kinds": "\n\n".join(map(_block, matrices)),
        "strangers": _strangers(strangers(everything), [name for name in ran if name in catalogue_names()]),
        "isnet": "Not measured with these weights.",
        "speed": _speed(ran),
    }
    if further:
        found["annotations"] = _block(table.matrix(of(result, further), table.COLUMNS[0]))
    theirs = {row.name for row in result.rows if row.model == ISNET}
    if theirs:
        others = [name for name in result.models if name.startswith("MediaPipe")]
        beside = of(result, [*(name for name in ran if name in catalogue_names()), *others, ISNET], theirs)
        worlds = [part for part in (strangers(beside, yes=False), strangers(beside)) if part.rows]
        parts_of = [table.table(part, by_kind=False) for part in worlds]
        parts_of += [table.matrix(part, table.COLUMNS[0]) for part in worlds]
        found["isnet"] = "\n\n".join(map(_block, parts_of))
    return found


def _strangers(result: EvaluationResult, ships: list[str]) -> str:
    """What ships, and others, by kind; what is left without parts in one figure; and which pictures carry the error."""
    if not result.rows:
        return "Not measured with these weights."
    shown = [model for model in result.models if model in ships or model.startswith("MediaPipe")]
    parts_of = [table.table(of(result, shown)), table.matrix(result, table.COLUMNS[0])]
    parts_of += [table.by_picture(of(result, shown), kind=kind, most=BY_NAME) for kind in result.kinds]
    return "\n\n".join(map(_block, parts_of))


def catalogue_names() -> list[str]:
    """What ships, by name."""
    return [card.name for card in box()]


def _speed(ran: Mapping[str, Run]) -> str:
    """What isnet.py found, if it ran on these weights."""
    path = RESULTS / "isnet.json"
    found = json.loads(path.read_text()) if path.is_file() else {"weights": {}}
    if any(ran[name].model_sha256 != sha256 for name, sha256 in found["weights"].items() if name in ran) or not found[
        "weights"
    ].keys() >= (ran.keys() & set(catalogue_names())):
        return "Not measured with these weights."
    lines = [("1080p, warm, path to PNG", "median ms", "of ISNet's time", "quartiles")]
    for name, one in found["over ISNet, 1080p"].items():
        low, high = one["quartiles"]
        lines.append(
            (name, f"{one['median_ms']:.0f}", f"1/{1 / one['ratio']:.1f}", f"1/{1 / high:.1f} to 1/{1 / low:.1f}")
        )
    widths = [max(len(line[at]) for line in lines) for at in range(4)]
    text = "\n".join(
        "  ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(cells)).rstrip()
        for cells in (list(zip(line, widths, strict=True)) for line in lines)
    )
    machine, growth = found["machine"], found["4K over 1080p"]["ratio"]
    return (
        f"{_block(text)}\n\nFrom 1080p to 4K the cost of {DEFAULT_MODEL} grows by {growth:.2f}. "
        f"{found['rounds']} rounds in turn on {machine['cores']} cores, where {machine['load_before']:.0f} to "
        f"{found['load_after']:.0f} processes wanted to run."
    )


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


def put(path: Path, found: Mapping[str, str]) -> None:
    """Put the tables between their marks: ``<!-- quality:NAME -->`` and ``<!-- /quality:NAME -->``."""
    text = path.read_text(encoding="utf-8")
    for name, body in found.items():
        begin, end = f"<!-- quality:{name} -->", f"<!-- /quality:{name} -->"
        head, mark, rest = text.partition(begin)
        _, other, tail = rest.partition(end)
        if not mark or not other:
            raise SystemExit(f"{path} has no place for {name}: it needs {begin} and {end}")
        text = f"{head}{begin}\n{body}\n{end}{tail}"
    path.write_text(text, encoding="utf-8")


# -- running it ----------------------------------------------------------------------------------------------------


def chosen(folder: Path, limit: int | None) -> list[Pair]:
    """The first ``limit`` pairs of each kind; all of them without."""
    kinds = defaultdict(list)
    for pair in find_pairs(folder):
        kinds[pair.kind].append(pair)
    return [pair for pairs in kinds.values() for pair in pairs[:limit]]


def report(arguments: argparse.Namespace) -> None:
    """Measure and write."""
    folder, out = arguments.folder, arguments.trial
    if arguments.mediapipe and find_spec("pymatting") is None:
        raise SystemExit("--mediapipe is measured with closed-form matting as well: pip install pymatting")
    pairs = chosen(folder, arguments.limit)
    sets = {card.name: card for card in box()} | dict(map(exported, arguments.also))
    opened = {name: open_engine(card, "cpu") for name, card in sets.items()}
    ran = {name: Run(one.card.name, one.card.sha256, one.device.name) for name, one in opened.items()}
    mattes: dict[str, MatteFunction] = {name: whole(one) for name, one in opened.items()}
    mattes |= parts(opened[DEFAULT_MODEL])
    if arguments.mediapipe:
        mediapipe = FromFiles(arguments.mediapipe, pairs)
        if len(mediapipe.paths) < len(pairs):
            raise SystemExit(f"{arguments.mediapipe} lacks {len(pairs) - len(mediapipe.paths)} of {len(pairs)} masks")
        mattes["MediaPipe selfie"] = mediapipe
        mattes["MediaPipe + closed form"] = lambda picture: closed_form(picture, mediapipe(picture))
    if arguments.isnet:
        mattes[ISNET] = FromFiles(arguments.isnet, pairs)
    gallery = Gallery(DEFAULT_MODEL)

    def progress(done: int, count: int, name: str) -> None:
        print(f"\r{done}/{count} {name:30}", end="", file=sys.stderr, flush=True)

    load_before = os.getloadavg()[0]
    result = evaluate(pairs, mattes, watch=gallery.add, progress=progress)
    print(file=sys.stderr)
    # That its files are of some pictures only is no failure; its table says of how many.
    result = replace(result, failures=tuple(failure for failure in result.failures if failure.model != ISNET))
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    note = (
        f"Measured {date}; {len(pairs)} pictures; {len(os.sched_getaffinity(0))} cores, where {load_before:.0f} to "
        f"{os.getloadavg()[0]:.0f} processes wanted to run. "
        "The times of MediaPipe and ISNet are those of reading a file."
    )
    title = folder.resolve().name
    beside = out or folder
    beside.mkdir(parents=True, exist_ok=True)
    cards = gallery.worst_first()
    (beside / "report.html").write_bytes(page.page(result, cards, folder=title, date=date, ran=ran))
    contact_sheet.write(
        contact_sheet.contact_sheet(cards[:WORST], DEFAULT_MODEL, tile_px=400), beside / "worst-twenty.jpg"
    )
    json_path, page_path = (
        (RESULTS / "quality.json", DOCS / "quality.md") if out is None else (out / "quality.json", out / "quality.md")
    )
    if out is not None:
        page_path.write_text((DOCS / "quality.md").read_text(encoding="utf-8"), encoding="utf-8")
    json_path.write_bytes(record.to_json(record.record(result, folder=title, date=date, ran=ran)))
    put(page_path, tables(result, ran, note))
    print(table.table(result))
    print(f"written: {json_path}, {page_path}, {beside / 'report.html'}, {beside / 'worst-twenty.jpg'}")


def main() -> None:
    """Write the pictures, or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the sets of docs/training.md")
    parser.add_argument("what", choices=["pictures", "report"])
    parser.add_argument("folder", type=Path, help="of the held-out pictures")
    parser.add_argument("--mediapipe", type=Path, metavar="MASKS", help="MediaPipe's masks of all of them")
    parser.add_argument("--isnet", type=Path, metavar="ALPHAS", help="ISNet's alphas of some or all of them")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=SET",
        help="a further exported set, for the table of annotations",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N pictures of each kind")
    parser.add_argument("--trial", type=Path, metavar="OUT", help="write everything there and nothing else")
    arguments = parser.parse_args()
    if arguments.what == "pictures":
        from held_out import write_pictures

        write_pictures(arguments.data, arguments.folder)
    else:
        report(arguments)


if __name__ == "__main__":
    main()
