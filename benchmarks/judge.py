"""Sets of weights side by side on strangers' photographs alone: which of them should ship?

    python benchmarks/judge.py DATA                          the default set in the box
    python benchmarks/judge.py DATA bshm NAME=SET…           with sets that `bshm export` wrote
    python benchmarks/judge.py DATA … --masks NAME=FOLDER    with another method's masks, FOLDER/KIND/NAME.png

The pictures are those of wide.py.  They are a part of the quality report too, which takes far longer.  Prints the
figures by kind, and MAD picture by picture, worst first: one lost picture shows as that.  The first set decides which
these are.  `--json FILE` keeps all of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import wide
from quality import box, exported, whole

from bshm.errors import DataFolderError
from bshm.evaluation import record, table
from bshm.evaluation.pairs import Pair, Sample
from bshm.evaluation.report import MatteFunction, evaluate
from bshm.matting.engines import open_engine
from bshm.options import DEFAULT_MODEL
from bshm.types import FloatArray, Picture, Run
from bshm.weights.card import Card

WORST = 10


def samples(data_root: Path, *, seen: bool = False) -> dict[str, Sample]:
    """The pictures by name, read and corrected: two or three hundred of a fifth of a megapixel."""
    found = {}
    for judged in wide.pictures(data_root, seen=seen):
        # Nothing is read from these paths any more.
        pair = Pair(f"{judged.kind}/{judged.name}", judged.kind, Path(judged.name), Path(judged.name))
        reference = judged.alpha.astype(np.float32) / np.float32(255)
        found[pair.name] = Sample(
            pair, Picture(judged.image, name=pair.name), reference, counted=np.asarray(judged.counted > 127)
        )
    if not found:
        raise SystemExit(f"{data_root / 'wide'} has no held-out picture")
    return found


def named(entry: str) -> tuple[str, Card]:
    """A set in the box by its name, or ``NAME=FOLDER``."""
    if "=" in entry:
        return exported(entry)
    cards = {card.name: card for card in box()}
    if entry not in cards:
        raise SystemExit(f"the box has {', '.join(cards)}, not {entry}. A set elsewhere is NAME=FOLDER")
    return entry, cards[entry]


def from_files(entry: str) -> tuple[str, MatteFunction]:
    """``NAME=FOLDER``: masks that another method wrote, as FOLDER/KIND/NAME.png."""
    name, _, folder = entry.partition("=")
    if not name or not folder or not Path(folder).is_dir():
        raise SystemExit(f"--masks takes NAME=FOLDER, a folder with KIND/NAME.png; got {entry}")

    def read(picture: Picture) -> FloatArray:
        path = Path(folder) / f"{picture.name}.png"
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise DataFolderError(f"{path} is not there, or no picture.")
        return np.asarray(mask, np.float32) / np.float32(255)

    return name, read


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the sets of docs/training.md")
    parser.add_argument("sets", nargs="*", default=[DEFAULT_MODEL], metavar="SET", help="in the box, or NAME=FOLDER")
    parser.add_argument("--masks", action="append", default=[], metavar="NAME=FOLDER", help="of another method")
    parser.add_argument("--seen", action="store_true", help="pictures that ancestors of the weights learned from, too")
    parser.add_argument("--worst", type=int, default=WORST, metavar="N", help="so many pictures of each kind by name")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of a network's run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all figures")
    arguments = parser.parse_args()
    sets = dict(map(named, arguments.sets))
    engines = {name: open_engine(card, "cpu", arguments.threads) for name, card in sets.items()}
    mattes: dict[str, MatteFunction] = {name: whole(one) for name, one in engines.items()}
    mattes |= dict(map(from_files, arguments.masks))
    found = samples(arguments.data, seen=arguments.seen)

    def progress(done: int, count: int, name: str) -> None:
        print(f"\r{done}/{count} {name[-40:]:40}", end="", file=sys.stderr, flush=True)

    result = evaluate(
        [sample.pair for sample in found.values()],
        mattes,
        read=lambda pair, **_: found[pair.name],
        progress=progress if os.isatty(2) else None,
    )
    print(table.table(result), end="\n\n")
    for kind in result.kinds:
        print(table.by_picture(result, kind=kind, most=arguments.worst), end="\n\n")
    if arguments.json:
        ran = {name: Run(one.card.name, one.card.sha256, one.device.name) for name, one in engines.items()}
        date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        arguments.json.write_bytes(record.to_json(record.record(result, folder="wide", date=date, ran=ran)))


if __name__ == "__main__":
    main()
