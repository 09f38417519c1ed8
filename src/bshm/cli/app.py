"""The verbs: find one, run it, print its errors and return its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from bshm._version import __version__
from bshm.cli import exit_codes, interrupts, streams
from bshm.cli.parsing import example_lines, told
from bshm.cli.streams import put, say
from bshm.errors import BshmError, OptionError

# Verb -> (module, what it does).  The module is imported when the verb is used: it has `parser()` and `run(arguments)`.
VERBS: dict[str, tuple[str, str]] = {
    "matte": ("bshm.cli.matte", "cut the people out of pictures"),
    "batch": (
        "bshm.cli.batch",
        "cut the people out of thousands of pictures; resumes, reports, uses one machine or many",
    ),
    "check": ("bshm.cli.check", "measure a finished picture against the rules of a shop or an office"),
    "sheet": ("bshm.cli.sheet", "lay out ID photographs on paper, to print and cut"),
    "presets": ("bshm.cli.presets", "list the picture rules of shops and offices"),
    "video": ("bshm.cli.video", "cut the people out of clips"),
    "live": ("bshm.cli.live", "replace the background of a camera, live"),
    "models": ("bshm.cli.models", "list the models: size, hash, licence, what they were trained on"),
    "models import": ("bshm.cli.models_import", "import the official BSHM weights, or an ONNX file"),
    "models pull": ("bshm.cli.models_pull", "fetch the official BSHM weights from ModelScope and import them"),
    "models remove": ("bshm.cli.models_remove", "remove imported weights"),
    "serve": ("bshm.cli.serve", "serve pictures over HTTP: POST /matte, remove.bg's API, jobs, a web page"),
    "worker": ("bshm.cli.worker", "work on the jobs that a server puts into RabbitMQ or Redis"),
    "keys": ("bshm.cli.keys", "make, list and revoke the API keys of the service"),
    "doctor": ("bshm.cli.doctor", "check the installation with a real run"),
    "eval": ("bshm.cli.eval", "measure models on pictures whose alpha is known"),
    "label": ("bshm.cli.label", "write coarse masks for pictures that have none"),
    "train": ("bshm.cli.train", "train one stage, or run a whole recipe"),
    "reopen": ("bshm.cli.reopen", "make a checkpoint from a set of weights, to continue training"),
    "export": ("bshm.cli.export", "make a set of weights from checkpoints"),
}

EXAMPLES = [
    ("bshm matte photo.jpg", "writes photo.cutout.png"),
    ("bshm matte photos/ -o cut/", "every picture of a folder"),
    ("bshm matte photo.jpg -o white.jpg --background white", "over a colour"),
    ("bshm doctor", "checks that bshm works here, and on which device"),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after ``bshm``; None takes ``sys.argv[1:]``.

    Returns:
        The exit code, see ``bshm.cli.exit_codes``.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(words)
        streams.flush()
    except BrokenPipeError:
        return exit_codes.BROKEN_PIPE
    except KeyboardInterrupt:
        interrupts.end()  # no file is being written any more, and `put` leaves nothing in Python's buffers
    except BshmError as error:
        say(f"bshm: {told(error)}")
        return exit_codes.code_of(error)
    except MemoryError:
        say("bshm: this does not fit into memory. Use a smaller picture or --in-flight, or a machine with more.")
        return exit_codes.code_of(MemoryError())
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback and its own exit code, not Python's 1
        for line in _trace(error):
            say(line)
        say("bshm: this is a fault in bshm itself, not in what you did. Please report it with the lines above.")
        return exit_codes.BUG
    return code


def _dispatch(words: list[str]) -> int:
    if not words:
        sys.stderr.write(help_page())
        return exit_codes.USAGE
    verb, *rest = words
    if verb in ("-h", "--help", "help") and not rest:
        put(help_page())
        return exit_codes.OK
    if verb == "help":
        verb, rest = rest[0], [*rest[1:], "--help"]
    if rest and f"{verb} {rest[0]}" in VERBS:
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    if verb in ("-V", "--version", "version"):
        put(f"bshm {__version__}\n")
        return exit_codes.OK
    if verb not in VERBS:
        raise OptionError(_unknown(verb))
    module = import_module(VERBS[verb][0])
    parser = module.parser()
    try:
        arguments = parser.parse(rest)
    except SystemExit:  # argparse leaves this way after --help
        return exit_codes.OK
    return int(module.run(arguments))


def help_page() -> str:
    """What ``bshm --help`` shows."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {summary}" for verb, (_, summary) in VERBS.items())
    return (
        "Usage: bshm VERB …\n\n"
        "Cuts people out of pictures, hair included, on this machine.\n\n"
        f"{example_lines(EXAMPLES)}\n\n"
        f"Verbs:\n{verbs}\n\n"
        "Others:\n  bshm VERB --help  show the help of a verb\n  bshm version      show the version\n\n"
        f"Exit codes:\n{exit_codes.table()}\n"
    )


def _unknown(word: str) -> str:
    from difflib import get_close_matches

    if word.startswith("-"):
        return f"no option {word} is allowed before the verb. `bshm --help` shows the verbs."
    if os.path.exists(word) or "." in word:  # noqa: PTH110 - a word, not yet a path
        return f"{word} is not a verb. To cut the people out of a picture: bshm matte {word}"
    close = get_close_matches(word, VERBS, n=1)
    return f"unknown verb {word}. " + (f"Did you mean {close[0]}?" if close else f"The verbs are {', '.join(VERBS)}.")


def _trace(error: Exception) -> list[str]:
    import traceback

    return "".join(traceback.format_exception(error)).splitlines()
