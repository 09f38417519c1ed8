"""``bshm train``: run one stage of the recipe, or all of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help, told
from bshm.training.stages import STAGES, stage_named

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from bshm.training.schedule import Schedule


def parser() -> Parser:
    """The flags of ``bshm train``."""
    result = Parser(
        "train",
        "Trains one stage of the recipe in docs/training.md.  Start it again with the same --out and it continues.\n"
        "Ctrl-C or SIGTERM saves the current step first.  With a recipe file it runs every step of the file.",
        usage="--stage STAGE --data FOLDER --out FOLDER [options]\n       bshm train RECIPE [--set NAME=VALUE…]",
        examples=[
            ("bshm train recipes/bshm.toml --set data=data", "all steps"),
            ("bshm train --stage mask --data data --out runs/mask", "the mask network"),
            ("bshm train --stage quality --data data --start runs/mask/last.pt --out runs/quality", "the next one"),
            ("bshm train --stage matting --data data --start runs/quality/last.pt --out runs/matting", "the last one"),
        ],
        notes="Stages:\n" + "\n".join(f"  {name:<7}  {what}" for name, what in STAGES.items()),
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
        help="replaces a value under the recipe's [names]",
    )
    inputs.add_argument("--stage", type=stage_named, choices=list(STAGES), help="which networks to train")
    inputs.add_argument("--data", type=Path, metavar="FOLDER", help="the data sets listed in docs/training.md")
    inputs.add_argument("--labels", type=Path, metavar="FOLDER", help="the output of `bshm label`")
    inputs.add_argument(
        "--start", type=Path, metavar="FILE",
        help="checkpoint of the stage before; stage mask takes one of any stage, or starts from ImageNet's weights",
    )  # fmt: skip
    inputs.add_argument(
        "--mask", type=Path, metavar="FILE",
        help="checkpoint of a mask network to use in place of the one in --start; not for stage mask",
    )  # fmt: skip
    inputs.add_argument("--out", type=Path, metavar="FOLDER", help="folder for last.pt, log.jsonl and samples/")
    options = result.add_argument_group("Options")
    options.add_argument("--steps", type=int, default=2600, help="optimiser steps (default: %(default)s)")
    options.add_argument(
        "--batch", type=int, help="pictures per step on each device (default: 16 for stage mask, 2 for the others)"
    )
    options.add_argument(
        "--crops", type=int, default=16, help="crops per picture, for stages matting and joint (default: %(default)s)"
    )
    options.add_argument(
        "--rate", type=float,
        help="learning rate of layers without ImageNet weights (default: 1e-3, less when continuing)",
    )  # fmt: skip
    options.add_argument(
        "--rate-encoder", type=float,
        help="learning rate of layers with ImageNet weights (default: 2e-4, less when continuing)",
    )  # fmt: skip
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
        help="for stage mask; live is small enough for video calls, -people adds MoveNet, -selfie adds MediaPipe "
        "(default: %(default)s)",
    )
    options.add_argument(
        "--movenet", type=Path, metavar="FILE", help="movenet-multipose.json, for an --encoder with -people"
    )
    options.add_argument(
        "--selfie", type=Path, metavar="FILE", help="selfie_segmentation.tflite, for an --encoder with -selfie"
    )
    options.add_argument(
        "--without", choices=["coarse", "fine", "wide", "rendered", "patches"],
        help="leave out one kind of sample, to measure what it adds; for stage mask",
    )  # fmt: skip
    options.add_argument(
        "--without-licence", nargs="+", default=[], metavar="WORD",
        help="leave out pictures whose licence contains this word, such as pexels",
    )  # fmt: skip
    options.add_argument(
        "--minutes", type=float, metavar="N",
        help="train this long; the number of steps is set after the first hundred (default: all of --steps)",
    )  # fmt: skip
    options.add_argument(
        "--save-every", type=int, default=250, metavar="N", help="steps between checkpoints (default: %(default)s)"
    )
    options.add_argument(
        "--check-every", type=int, metavar="N",
        help="steps between validations; 0 for none (default: at each checkpoint)",
    )  # fmt: skip
    options.add_argument("--seed", type=int, default=1, help="chooses every sample (default: %(default)s)")
    options.add_argument(
        "--workers", type=int, default=1, help="processes per device that make samples (default: %(default)s)"
    )
    machine = result.add_argument_group("The machine")
    machine.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:1 (default: %(default)s)"
    )
    machine.add_argument(
        "--devices", type=int, default=1, metavar="N",
        help="number of GPUs, or of CPU processes, that share each step (default: %(default)s)",
    )  # fmt: skip
    machine.add_argument(
        "--precision", choices=["32", "bf16"], help="floating-point format (default: bf16 on a GPU, 32 on a CPU)"
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
            raise OptionError(
                "a recipe sets --stage, --data and --out itself. Change its values with --set NAME=VALUE."
            )
        from bshm.cli import train_recipe

        return train_recipe.run(arguments.recipe, arguments.set, (parser, run))
    if needed or arguments.set:
        wrong = f"needs {' and '.join(needed)}, or" if needed else "takes --set only with"
        raise OptionError(f"bshm train {wrong} a recipe. `bshm train --help` shows examples.")
    stage, first = arguments.stage, arguments.stage == "mask"
    if not first and arguments.start is None:
        raise OptionError(f"--stage {stage} needs --start, a checkpoint of the stage before it.")
    if first and arguments.mask is not None:
        raise OptionError("--stage mask trains the mask network itself, so it takes no --mask. Use --start.")
    for eye, flag in (("people", "movenet"), ("selfie", "selfie")):
        if getattr(arguments, flag) is not None and eye not in arguments.encoder.split("-"):
            raise OptionError(f"--{flag} needs an --encoder with -{eye}; got --encoder {arguments.encoder}.")
    if not first and arguments.without is not None:
        raise OptionError(f"--without works with stage mask only; stage {stage} learns from fine annotations alone.")
    if arguments.crops < 1:
        raise OptionError(f"--crops must be at least 1; got {arguments.crops}.")
    for flag, value in (("--rate", arguments.rate), ("--rate-encoder", arguments.rate_encoder)):
        if value is not None and value <= 0:
            raise OptionError(f"{flag} must be above 0; got {value}.")
    if arguments.workers < 0:
        raise OptionError(f"--workers must be 0 or more; got {arguments.workers}.")
    try:
        from bshm.training.devices import end_others, leave, open_devices
        from bshm.training.schedule import Schedule
    except ImportError as error:
        raise MissingExtraError(f"bshm train needs {error.name}: pip install 'bshm[train]'") from error
    interrupts.in_order()
    # Trained layers get small steps: the smallest in joint training, larger ones where the mask network continues.
    rates = {"joint": (2e-5, 2e-4), "mask": (1e-4, 4e-4) if arguments.start else None}.get(stage)
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
    # Errors that every process would find are reported once, before the others are started.
    _check_inputs(arguments)
    if arguments.devices > 1:
        fabric.launch()
    try:
        _learn(arguments, plan, fabric)
    except BaseException as error:
        end_others(fabric)
        if isinstance(error, BshmError) and not fabric.is_global_zero:
            say(f"bshm: process {fabric.global_rank}: {told(error)}")
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
        # The mask stage continues from a checkpoint of any stage.
        after = None if arguments.stage == "mask" else arguments.stage
        Networks.load(arguments.start, after, masks=[arguments.mask] if arguments.mask else [])


def _learn(arguments: argparse.Namespace, plan: Schedule, fabric: Fabric) -> None:
    from bshm.cli.training_progress import reporter
    from bshm.training.data import DataFolder
    from bshm.training.fine_stages import train_fine
    from bshm.training.mask_stage import train_mask
    from bshm.training.sampler import Mixture

    data = DataFolder(arguments.data, arguments.labels, tuple(arguments.without_licence))
    with reporter(shown=fabric.is_global_zero) as report:
        if arguments.stage == "mask":
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
