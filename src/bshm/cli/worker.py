"""``bshm worker``: do the jobs that a server puts into RabbitMQ or Redis."""

from __future__ import annotations

import argparse
import json
import logging
import os
from pathlib import Path

from bshm import options as defaults
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.errors import OptionError
from bshm.jobs.options import QueueOptions


def parser() -> Parser:
    """The flags of ``bshm worker``."""
    queue = QueueOptions()
    result = Parser(
        "worker",
        "Does the jobs that `bshm serve --broker URL` accepts, with one session, until Ctrl-C or SIGTERM.",
        usage="--broker URL [--results URL] [options]",
        examples=[
            ("bshm worker --broker redis://127.0.0.1:6379/0", "Redis for everything"),
            ("bshm worker --broker amqp://me:word@rabbit// --results file:///srv/jobs", "RabbitMQ and a shared folder"),
            ("bshm worker --broker amqp://me:word@rabbit// --results redis://redis/0", "RabbitMQ and Redis"),
            ("bshm worker --broker redis://redis/0 --blobs s3://cut/jobs", "the bytes in an object store"),
        ],
        notes=(
            "Start as many as there are devices, on as many machines as you like; a job whose worker dies is done by\n"
            "another.  A URL with a password is better given as BSHM_BROKER and BSHM_RESULTS in the environment,\n"
            "where the list of processes does not show it."
        ),
    )
    options = result.add_argument_group("Options")
    options.add_argument(
        "--broker",
        metavar="URL",
        default=os.environ.get("BSHM_BROKER"),
        help="amqp://USER:PASSWORD@HOST:PORT/VHOST or redis://HOST:PORT/N; the same as the server's",
    )
    options.add_argument(
        "--results",
        metavar="URL",
        default=os.environ.get("BSHM_RESULTS"),
        help="redis://HOST:PORT/N, or file:///FOLDER that all share (default: the broker if it is Redis)",
    )
    options.add_argument(
        "--blobs",
        metavar="URL",
        default=os.environ.get("BSHM_BLOBS"),
        help="s3://BUCKET/PREFIX for pictures and results (default: with the jobs in --results)",
    )
    options.add_argument(
        "--blobs-endpoint",
        metavar="URL",
        default=os.environ.get("BSHM_BLOBS_ENDPOINT"),
        help="http(s)://HOST:PORT of an object store that is not AWS's",
    )
    options.add_argument(
        "-m",
        "--model",
        metavar="NAME",
        default=defaults.DEFAULT_MODEL,
        help="a name that `bshm models` lists (default: %(default)s)",
    )
    options.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="as in `bshm matte` (default: %(default)s)",
    )
    options.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=int,
        default=1,
        help="jobs at once through the one session (default: %(default)s)",
    )
    options.add_argument(
        "--attempts",
        metavar="N",
        type=int,
        default=queue.max_attempts,
        help="how often a picture may take its worker with it before it fails (default: %(default)s)",
    )
    options.add_argument(
        "--item-timeout",
        metavar="SECONDS",
        type=float,
        default=queue.item_timeout_s,
        help="a picture that takes longer fails (default: %(default)g)",
    )
    options.add_argument(
        "--lease",
        metavar="SECONDS",
        type=float,
        default=queue.lease_s,
        help="a worker silent for so long is taken for dead (default: %(default)g)",
    )
    options.add_argument(
        "--visibility-timeout",
        metavar="SECONDS",
        type=float,
        default=queue.visibility_timeout_s,
        help="of Redis as the broker; any value above --lease is right (default: %(default)g)",
    )
    options.add_argument(
        "--webhook-secrets",
        metavar="FILE",
        type=Path,
        help="JSON, reference to secret: call webhooks from here too (default: the server calls them)",
    )
    options.add_argument("--quiet", action="store_true", help="only warnings and errors")
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Work; returns the exit code."""
    if not arguments.broker:
        raise OptionError("a worker needs --broker URL, e.g. --broker redis://127.0.0.1:6379/0.")
    options = QueueOptions(
        workers=arguments.jobs,
        max_attempts=arguments.attempts,
        item_timeout_s=arguments.item_timeout,
        lease_s=arguments.lease,
        visibility_timeout_s=arguments.visibility_timeout,
    )
    secrets = _secrets(arguments.webhook_secrets)
    logging.basicConfig(
        level=logging.WARNING if arguments.quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    from bshm.jobs.celery_app import make_app
    from bshm.jobs.celery_queue import store_of
    from bshm.jobs.celery_worker import run_worker
    from bshm.jobs.work import MattingWork
    from bshm.pipeline import Matting

    # What can be said at once is said before the weights are loaded.
    interrupts.in_order()
    store_of(arguments.broker, arguments.results)
    make_app(arguments.broker, options)
    matting = Matting(model=arguments.model, device=arguments.device)
    logging.getLogger("bshm.jobs").info("worker ready: %s on %s", arguments.model, matting.predictor.device.name)
    code = run_worker(
        arguments.broker,
        MattingWork(matting),
        results=arguments.results,
        blobs=arguments.blobs,
        blobs_endpoint=arguments.blobs_endpoint,
        options=options,
        secrets=secrets,
    )
    return code or exit_codes.OK


def _secrets(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--webhook-secrets needs a JSON file; {path} cannot be read: {error}.") from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise OptionError(f"--webhook-secrets needs a JSON object of strings; {path} holds something else.")
    return found
