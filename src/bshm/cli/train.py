"""``bshm train``: one stage of the recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

from bshm.cli import exit_codes
from bshm.cli.parsing import Parser, add_help

STAGES = {
    "mpn": "mask prediction, on coarse and fine annotations",
    "qun": "quality unification, behind the mask network",
    "mrn": "matting refinement, behind both",
    "joint": "the three together",
}


def parser() -> Parser:
    """The flags of ``bshm train``."""
    result = Parser(
        "train",
        "Trains one stage of the recipe in docs/training.md; started again with the same --out, it goes on.",
        usage="--stage STAGE --data FOLDER --out FOLDER [options]",
        examples=[
            ("bshm train --stage mpn --data data --labels labels --out runs/mpn", "the mask network"),
            ("bshm train --stage qun --data data --start runs/mpn/last.pt --out runs/qun", "the one behind it"),
        ],
        notes="Stages:\n" + "\n".join(f"  {name:<6} {what}" for name, what in STAGES.items()),
    )
    inputs = result.inputs
    inputs.add_argument("--stage", required=True, choices=list(STAGES), help="which networks learn")
    inputs.add_argument("--data", required=True, type=Path, metavar="FOLDER", help="the sets of docs/training.md")
    inputs.add_argument("--labels", type=Path, metavar="FOLDER", help="what `bshm label` wrote")
    inputs.add_argument(
        "--start", type=Path, metavar="FILE", help="checkpoint of the stage before; all stages but mpn need it"
    )
    inputs.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="gets last.pt and log.jsonl")
    options = result.add_argument_group("Options")
    options.add_argument("--steps", type=int, default=2600, help="optimiser steps (default: %(default)s)")
    options.add_argument("--batch", type=int, help="pictures a step (default: 16 for mpn, 3 for the others)")
    options.add_argument(
        "--encoder",
        choices=["lite0", "lite1", "lite2", "live"],
        default="lite2",
        help="of mpn; live is small enough for video calls (default: %(default)s)",
    )
    options.add_argument(
        "--save-every", type=int, default=250, metavar="N", help="steps between checkpoints (default: %(default)s)"
    )
    options.add_argument("--seed", type=int, default=1, help="picks every sample (default: %(default)s)")
    options.add_argument("--workers", type=int, default=1, help="processes that make samples (default: %(default)s)")
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    from bshm.cli.app import say
    from bshm.errors import OptionError
    from bshm.training.data import DataFolder
    from bshm.training.fine_stages import train_fine
    from bshm.training.mask_stage import train_mask
    from bshm.training.schedule import Schedule

    data = DataFolder(arguments.data, arguments.labels)
    stage, first = arguments.stage, arguments.stage == "mpn"
    if not first and arguments.start is None:
        raise OptionError(f"--stage {stage} needs --start, a checkpoint of the stage before it.")
    plan = Schedule(
        steps=arguments.steps,
        batch=arguments.batch or (16 if first else 3),
        ema=0.998 if first else 0.995,
        save_every=arguments.save_every,
        seed=arguments.seed,
        # What is learned already is only nudged when the three learn together.
        **({"rate": 2e-4, "rate_encoder": 2e-5} if stage == "joint" else {}),
    )
    if first:
        train_mask(data, arguments.out, plan, variant=arguments.encoder, workers=arguments.workers, report=say)
    else:
        train_fine(data, arguments.out, plan, stage=stage, start=arguments.start, workers=arguments.workers, report=say)
    return exit_codes.OK
