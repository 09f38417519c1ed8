"""``bshm train``: one stage of the recipe, or all of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from bshm.training.schedule import Schedule

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
        "Trains one stage of the recipe in docs/training.md; started again with the same --out, it goes on.\n"
        "Ctrl-C or SIGTERM saves the step at hand first.  With a recipe file it runs every step of it.",
        usage="--stage STAGE --data FOLDER --out FOLDER [options]\n       bshm train RECIPE [--set NAME=VALUE…]",
        examples=[
            ("bshm train recipes/bshm.toml --set data=data", "from pictures to weights"),
            ("bshm train --stage mpn --data data --out runs/mpn", "the mask network"),
            ("bshm train --stage qun --data data --start runs/mpn/last.pt --out runs/qun", "the one behind it"),
            ("bshm train --stage mrn --data data --start runs/qun/last.pt --out runs/mrn", "and the last"),
        ],
        notes="Stages:\n" + "\n".join(f"  {name:<6} {what}" for name, what in STAGES.items()),
    )
    inputs = result.inputs
    inputs.add_argument(
        "recipe", nargs="?", type=Path, metavar="RECIPE", help="TOML file with all steps and their flags"
    )
    inputs.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="in place of a value under the recipe's [names]",
    )
    inputs.add_argument("--stage", choices=list(STAGES), help="which networks learn")
    inputs.add_argument("--data", type=Path, metavar="FOLDER", help="the sets of docs/training.md")
    inputs.add_argument("--labels", type=Path, metavar="FOLDER", help="what `bshm label` wrote")
    inputs.add_argument(
        "--start", type=Path, metavar="FILE",
        help="checkpoint of the stage before; of any for mpn, which may go without and begins with ImageNet's weights",
    )  # fmt: skip
    inputs.add_argument(
        "--mask", type=Path, metavar="FILE", help="of stage mpn: a mask network that has learned more than --start's"
    )
    inputs.add_argument("--out", type=Path, metavar="FOLDER", help="gets last.pt, log.jsonl, samples/")
    options = result.add_argument_group("Options")
    options.add_argument("--steps", type=int, default=2600, help="optimiser steps (default: %(default)s)")
    options.add_argument("--batch", type=int, help="pictures a step, of each device (default: 16 for mpn, 2 else)")
    options.add_argument(
        "--crops", type=int, default=16, help="of each picture, for mrn and joint (default: %(default)s)"
    )
    options.add_argument(
        "--rate", type=float, help="of learning, for layers that ImageNet did not teach (default: 1e-3, less to go on)"
    )
    options.add_argument(
        "--rate-encoder", type=float, help="of learning, for layers that ImageNet taught (default: 2e-4, less to go on)"
    )
    options.add_argument(
        "--encoder",
        choices=[
            "lite0",
            "lite1",
            "lite2",
            "lite0-people",
            "lite2-people",
            "lite2-people-selfie",
            "live",
            "live-selfie",
        ],
        default="lite2",
        help="of mpn; live is small enough for video calls, -people also sees with MoveNet, -selfie with MediaPipe "
        "(default: %(default)s)",
    )
    options.add_argument(
        "--movenet", type=Path, metavar="FILE", help="of mpn: movenet-multipose.json, for an encoder with -people"
    )
    options.add_argument(
        "--selfie", type=Path, metavar="FILE", help="of mpn: selfie_segmentation.tflite, for an encoder with -selfie"
    )
    options.add_argument(
        "--without", choices=["coarse", "fine", "wide", "rendered", "patches"],
        help="of mpn: leave one kind of sample out, to see what it gives",
    )  # fmt: skip
    options.add_argument(
        "--without-licence", nargs="+", default=[], metavar="WORD",
        help="leave out pictures under licences that have such a word, as pexels",
    )  # fmt: skip
    options.add_argument(
        "--minutes", type=float, metavar="N",
        help="of learning; the steps that fit are counted after the first hundred (default: all of --steps)",
    )  # fmt: skip
    options.add_argument(
        "--save-every", type=int, default=250, metavar="N", help="steps between checkpoints (default: %(default)s)"
    )
    options.add_argument(
        "--check-every", type=int, metavar="N",
        help="steps between validations; 0 is never (default: at each checkpoint)",
    )  # fmt: skip
    options.add_argument("--seed", type=int, default=1, help="picks every sample (default: %(default)s)")
    options.add_argument(
        "--workers", type=int, default=1, help="processes that make samples, of each device (default: %(default)s)"
    )
    machine = result.add_argument_group("The machine")
    machine.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1 (default: %(default)s)"
    )
    machine.add_argument(
        "--devices", type=int, default=1, metavar="N",
        help="GPUs, or processes on a processor, that share each step (default: %(default)s)",
    )  # fmt: skip
    machine.add_argument(
        "--precision", choices=["32", "bf16"], help="of the networks' arithmetic (default: bf16 on a GPU, else 32)"
    )
    add_help(machine)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    from bshm.cli.streams import say
    from bshm.errors import BshmError, MissingExtraError, OptionError

    needed = [f"--{name}" for name in ("stage", "data", "out") if getattr(arguments, name) is None]
    if arguments.recipe is not None:
        if len(needed) < 3:
            raise OptionError("a recipe has its own --stage, --data and --out. Change its names with --set NAME=VALUE.")
        from bshm.cli import train_recipe

        return train_recipe.run(arguments.recipe, arguments.set, (parser, run))
    if needed or arguments.set:
        wrong = f"needs {' and '.join(needed)}, or" if needed else "takes --set with"
        raise OptionError(f"bshm train {wrong} a recipe. `bshm train --help` shows examples.")
    stage, first = arguments.stage, arguments.stage == "mpn"
    if not first and arguments.start is None:
        raise OptionError(f"--stage {stage} needs --start, a checkpoint of the stage before it.")
    if first and arguments.mask is not None:
        raise OptionError("--stage mpn trains the mask network itself and takes no --mask.")
    for eye, flag in (("people", "movenet"), ("selfie", "selfie")):
        if getattr(arguments, flag) is not None and eye not in arguments.encoder.split("-"):
            raise OptionError(f"--{flag} is for an --encoder with -{eye}; {arguments.encoder} has no use for it.")
    if not first and arguments.without is not None:
        raise OptionError(f"--without is of stage mpn; {stage} learns from fine annotations alone.")
    if arguments.crops < 1:
        raise OptionError(f"--crops counts from 1; got {arguments.crops}.")
    for flag, value in (("--rate", arguments.rate), ("--rate-encoder", arguments.rate_encoder)):
        if value is not None and value <= 0:
            raise OptionError(f"{flag} is above zero; got {value}.")
    if arguments.workers < 0:
        raise OptionError(f"--workers is zero or more; got {arguments.workers}.")
    try:
        from bshm.training.devices import end_others, leave, open_devices
        from bshm.training.schedule import Schedule
    except ImportError as error:
        raise MissingExtraError(f"bshm train needs {error.name}: pip install 'bshm[train]'") from error
    interrupts.in_order()
    # What is learned already is nudged where the three learn together, and changed with care where one learns on.
    rates = {"joint": (2e-5, 2e-4), "mpn": (1e-4, 4e-4) if arguments.start else None}.get(stage)
    rate_encoder, rate = rates or (Schedule.rate_encoder, Schedule.rate)
    plan = Schedule(
        steps=arguments.steps,
        batch=(16 if first else 2) if arguments.batch is None else arguments.batch,
        rate_encoder=rate_encoder if arguments.rate_encoder is None else arguments.rate_encoder,
        rate=rate if arguments.rate is None else arguments.rate,
        ema=0.998 if first else 0.995,
        save_every=arguments.save_every,
        seed=arguments.seed,
        check_every=arguments.check_every,
        minutes=arguments.minutes,
    )
    fabric = open_devices(arguments.device, arguments.devices, arguments.precision)
    # What every process would find wrong is told once, before there are several.
    _check_inputs(arguments)
    if arguments.devices > 1:
        fabric.launch()
    try:
        _learn(arguments, plan, fabric)
    except BaseException as error:
        end_others(fabric)
        if isinstance(error, BshmError) and not fabric.is_global_zero:
            say(f"bshm: process {fabric.global_rank}: {error}")
            return exit_codes.code_of(error)
        raise
    finally:
        leave(fabric)
    return exit_codes.OK


def _check_inputs(arguments: argparse.Namespace) -> None:
    from bshm.training.data import DataFolder
    from bshm.training.fine_stages import Networks

    DataFolder(arguments.data, arguments.labels, tuple(arguments.without_licence))
    if arguments.start is not None:
        # The first stage goes on from a checkpoint of any.
        after = None if arguments.stage == "mpn" else arguments.stage
        Networks.load(arguments.start, after, masks=[arguments.mask] if arguments.mask else [])


def _learn(arguments: argparse.Namespace, plan: Schedule, fabric: Fabric) -> None:
    from bshm.cli.training_progress import reporter
    from bshm.training.data import DataFolder
    from bshm.training.fine_stages import train_fine
    from bshm.training.mask_stage import train_mask
    from bshm.training.sampler import Mixture

    data = DataFolder(arguments.data, arguments.labels, tuple(arguments.without_licence))
    with reporter(shown=fabric.is_global_zero) as report:
        if arguments.stage == "mpn":
            train_mask(
                data, arguments.out, plan, variant=arguments.encoder, start=arguments.start,
                movenet=arguments.movenet, selfie=arguments.selfie, mixture=Mixture.without(arguments.without),
                workers=arguments.workers, report=report, fabric=fabric,
            )  # fmt: skip
        else:
            train_fine(
                data, arguments.out, plan, stage=arguments.stage, start=arguments.start, mask=arguments.mask,
                workers=arguments.workers, crops=arguments.crops, report=report, fabric=fabric,
            )  # fmt: skip
