"""``bshm doctor``: check what is installed, which device would run, and whether a run works."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bshm import options as defaults
from bshm._version import __version__
from bshm.cli import exit_codes
from bshm.cli.parsing import Parser, add_help, told
from bshm.cli.streams import hushed, put
from bshm.errors import BshmError, EnvironmentFault

if TYPE_CHECKING:
    from bshm.weights.card import Card, Network

PACKAGES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg", "isal", "pillow-heif", "torch")
# Each build of onnxruntime is a separate distribution, but all have the module `onnxruntime`.
RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")

# Eileen Collins, NASA, public domain; see image-matting/README.md.
SAMPLE = Path(__file__).with_name("astronaut.jpg")
# Her share of the sample picture: working weights gave 0.42 to 0.48.  A broken run (a driver, a damaged network) gives
# almost nothing or almost everything.
SAMPLE_SHARE = (0.3, 0.6)


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked.
        ok: whether it works.
        detail: what was found, or what is wrong and how to repair it.
        exit_code: 0, or the code of the error.
    """

    name: str
    ok: bool
    detail: str
    exit_code: int = exit_codes.OK


def parser() -> Parser:
    """The flags of ``bshm doctor``."""
    result = Parser(
        "doctor",
        "Checks the installation: versions, devices, hashes of the model files, and a run on a sample picture.",
        usage="[--device NAME] [--model NAME] [--json]",
        examples=[
            ("bshm doctor", "does everything work, and on which device?"),
            ("bshm doctor --device cuda", "does the GPU work, and if not, what is missing?"),
            ("bshm doctor --json", "for a bug report or a health check"),
        ],
        notes="Exits with 0 if everything works, otherwise with the code of the first check that failed.",
    )
    options = result.add_argument_group("Options")
    options.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="the device to try (default: %(default)s)",
    )
    options.add_argument(
        "-m", "--model", metavar="NAME", default=defaults.DEFAULT_MODEL, help="the model to try (default: %(default)s)"
    )
    options.add_argument("--json", action="store_true", help="write JSON")
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Do the checks; returns the exit code."""
    checks: list[Check] = []
    with hushed():
        for check in examine(arguments.model, arguments.device):
            checks.append(check)
            if not arguments.json:
                put(f"{'ok  ' if check.ok else 'BAD '} {check.name:<22}  {check.detail}\n")
    code = next((check.exit_code for check in checks if not check.ok), exit_codes.OK)
    if arguments.json:
        report = {"ok": code == exit_codes.OK, "checks": [asdict(check) for check in checks]}
        put(json.dumps(report, indent=2) + "\n")
    else:
        put("everything works\n" if code == exit_codes.OK else "something does not work; see BAD above\n")
    return code


def examine(model: str, device: str) -> Iterator[Check]:
    """Run all checks, quick ones first."""
    yield Check("bshm", True, __version__)
    yield Check("python", True, f"{platform.python_version()} on {platform.platform()}")
    yield from _versions()
    yield _checked("device", lambda: _device(device))
    yield from _model_files()
    yield _checked("run", lambda: _real_run(model, device))


def _checked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except BshmError as error:
        return Check(name, False, told(error), exit_codes.code_of(error))


def _versions() -> Iterator[Check]:
    runtimes = [(name, version) for name in RUNTIMES if (version := _version(name))]
    if len(runtimes) > 1:
        # They overwrite each other's files; which one is imported depends on the order of installation.
        names = " and ".join(name for name, _ in runtimes)
        yield Check(
            "onnxruntime",
            False,
            f"{names} are both installed and overwrite each other. Uninstall all of them, then install one.",
            exit_codes.OF_ERROR[EnvironmentFault],
        )
    else:
        yield from (Check(name, True, version) for name, version in runtimes)
    for package in PACKAGES:
        version = _version(package)
        if version:
            yield Check(package, True, version)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device(device: str) -> str:
    from bshm.runtime import providers

    chosen = providers.choose(device)
    built = ", ".join(providers.available())
    if device == defaults.DEFAULT_DEVICE:
        return f"auto chooses {chosen.name}, the best device that this onnxruntime was built for ({built})"
    return f"{chosen.name} (this onnxruntime was built for {built})"


def _model_files() -> Iterator[Check]:
    from bshm.weights import catalogue, store

    try:
        cards = catalogue.cards()
    except BshmError as error:
        yield Check("models", False, told(error), exit_codes.code_of(error))
        return
    if (unread := store.cards()[1]) is not None:
        yield Check("model store", True, f"cannot be read, so only the included models are available: {unread}")
    for card in cards:
        for network in card.networks.values():
            yield _checked(network.file, partial(_model_file, card, network))


def _model_file(card: Card, network: Network) -> str:
    from bshm.weights import store

    store.read(card, network)
    return f"{network.bytes / 1e6:.1f} MB, sha256 {network.sha256[:12]}… matches the card of {card.name}"


def _real_run(model: str, device: str) -> str:
    from bshm.errors import ModelFileError
    from bshm.pipeline import Matting

    matting = Matting(model=model, device=device)
    matting.matte(SAMPLE)  # the first run is slower: it allocates memory and loads code
    matte = matting.matte(SAMPLE)
    share = float((matte.alpha > 0.5).mean())
    low, high = SAMPLE_SHARE
    if not low <= share <= high:
        raise ModelFileError(
            f"{model} ran on {matte.ran.device}, but found a person on {share:.0%} of the sample picture instead of "
            f"{low:.0%} to {high:.0%}. Try --device cpu; if that works, the driver of the device is faulty."
        )
    height, width = matte.picture.size_hw
    total = sum(matte.ran.timings_ms.values())
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in matte.ran.timings_ms.items())
    return f"{model} on {matte.ran.device}: the sample ({width}x{height}) in {total:.0f} ms ({stages}), a person found"
