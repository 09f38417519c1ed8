"""``bshm worker``: process the jobs that a server puts into RabbitMQ or Redis."""

from __future__ import annotations

import argparse
import json
import logging
import os
from pathlib import Path
from typing import Any

from bshm import options as defaults
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.errors import OptionError
from bshm.files import private
from bshm.jobs.options import QueueOptions


def parser() -> Parser:
    """The flags of ``bshm worker``."""
    queue = QueueOptions()
    result = Parser(
        "worker",
        "Processes the jobs that `bshm serve --broker URL` accepts, until Ctrl-C or SIGTERM.",
        usage="--broker URL [--results URL] [options]",
        examples=[
            ("bshm worker --broker redis://127.0.0.1:6379/0", "Redis for everything"),
            ("bshm worker --broker redis://redis/0 --blobs file:///srv/jobs", "pictures in a shared folder"),
            ("bshm worker --broker amqp://me:word@rabbit// --results redis://redis/0", "RabbitMQ and Redis"),
            ("bshm worker --broker redis://redis/0 --blobs s3://cut/jobs", "pictures in an object store"),
        ],
        notes=(
            "Start one worker per device, on as many machines as you like.  Several workers share the pictures of a\n"
            "job, and if a worker dies, another one takes over its picture.\n\n"
            "Broker, results, blobs, models, device, threads and the time for a picture (BSHM_JOB_TIMEOUT_S) are read\n"
            "from BSHM_... in the environment and from [server] in bshm.toml like those of `bshm serve`; a flag wins.\n"
            "Set URLs with a password as BSHM_BROKER and BSHM_RESULTS in the environment, so that the list of\n"
            "processes does not show them."
        ),
    )
    options = result.add_argument_group("Options")
    options.add_argument(
        "--broker",
        metavar="URL",
        help="amqp://USER:PASSWORD@HOST:PORT/VHOST or redis://HOST:PORT/N; the same as the server's",
    )
    options.add_argument(
        "--results",
        metavar="URL",
        help="redis://HOST:PORT/N, where jobs are stored (default: the broker if it is Redis)",
    )
    options.add_argument(
        "--blobs",
        metavar="URL",
        help="where pictures and results are stored: s3://BUCKET/PREFIX, or a shared file:///FOLDER (default: "
        "--results)",
    )
    options.add_argument(
        "--blobs-endpoint",
        metavar="URL",
        help="http(s)://HOST:PORT of an object store other than AWS",
    )
    options.add_argument(
        "-m",
        "--model",
        metavar="NAME",
        help=f"model to load at the start; others are loaded when a job needs them (default: {defaults.DEFAULT_MODEL})",
    )
    options.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        help=f"as in `bshm matte` (default: {defaults.DEFAULT_DEVICE})",
    )
    options.add_argument("--threads", metavar="N", help="threads per run of a network (default: all cores, at most 8)")
    options.add_argument(
        "--gpu-memory-limit",
        metavar="SIZE",
        help="most memory of a CUDA device for this process, such as 2G or 512M (default: no limit)",
    )
    options.add_argument(
        "--background-model",
        metavar="FOLDER|NAME",
        help="what paints background_prompt, as in `bshm serve` (default: jobs that ask for that fail)",
    )
    options.add_argument(
        "-j",
        "--in-flight",
        metavar="N",
        type=int,
        default=1,
        help="pictures processed at the same time with one loaded model (default: %(default)s)",
    )
    options.add_argument("--jobs", dest="in_flight", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    options.add_argument(
        "--attempts",
        metavar="N",
        type=int,
        default=queue.max_attempts,
        help="how many workers a picture may crash before it fails (default: %(default)s)",
    )
    options.add_argument(
        "--item-timeout",
        dest="job_timeout_s",
        metavar="SECONDS",
        help=f"a picture that takes longer fails (default: {queue.item_timeout_s:g})",
    )
    options.add_argument(
        "--lease",
        metavar="SECONDS",
        type=float,
        default=queue.lease_s,
        help="a worker that is silent for this long is considered dead (default: %(default)g)",
    )
    # A flag of version 0.1, whose messages stayed with the broker while a picture was processed.
    options.add_argument("--visibility-timeout", type=float, help=argparse.SUPPRESS)
    options.add_argument(
        "--webhook-secrets",
        metavar="FILE",
        type=Path,
        help="JSON file from references to secrets; lets the worker call webhooks (default: the server calls them)",
    )
    options.add_argument("--quiet", action="store_true", help="log only warnings and errors")
    options.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file of `bshm serve` (default: bshm.toml in this folder, if it exists)",
    )
    add_help(options)
    return result


# Flags that are settings of `bshm serve`, too, by their names there.
_SETTINGS = (
    "broker",
    "results",
    "blobs",
    "blobs_endpoint",
    "model",
    "device",
    "threads",
    "gpu_memory_limit",
    "background_model",
    "job_timeout_s",
)


def run(arguments: argparse.Namespace) -> int:
    """Process jobs; returns the exit code."""
    from bshm.cli.serve import settings_module

    given: dict[str, Any] = {name: getattr(arguments, name) for name in _SETTINGS}
    settings = settings_module("worker", "queue").load(
        {name: value for name, value in given.items() if value is not None}, config=arguments.config
    )
    if settings.broker == "embedded":
        raise OptionError(
            "a worker needs --broker URL, e.g. --broker redis://127.0.0.1:6379/0; BSHM_BROKER and bshm.toml do not "
            "set one."
        )
    options = QueueOptions(
        workers=arguments.in_flight,
        max_attempts=arguments.attempts,
        item_timeout_s=settings.job_timeout_s,
        lease_s=arguments.lease,
    )
    secrets = _secrets(arguments.webhook_secrets)
    # As in `bshm serve`: OpenCV reads it when it is loaded.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    from bshm.jobs.broker_queue import store_of
    from bshm.jobs.clip_work import Conversion
    from bshm.jobs.messages import open_messages
    from bshm.jobs.work import MattingWork
    from bshm.jobs.worker import run_worker
    from bshm.pipeline import Matting
    from bshm.server import logs

    # Check the stores before the weights are loaded, so that errors come at once.
    interrupts.in_order()
    store_of(settings.broker, settings.results)
    open_messages(settings.broker).close()

    def open_model(model: str) -> Matting:
        return Matting(
            model=model,
            device=settings.device,
            threads=settings.threads or None,
            gpu_memory_limit=settings.gpu_memory_limit,
        )

    with private.files(), logs.as_json("warning" if arguments.quiet else settings.log_level):
        log = logging.getLogger("bshm.jobs")
        if arguments.visibility_timeout is not None:
            log.warning("--visibility-timeout is ignored: brokers no longer wait while a picture is processed")
        matting = open_model(settings.model)
        painter = None
        if settings.background_model is not None:
            from bshm.generating.painter import Painter

            painter = Painter(settings.background_model, device=settings.device).open()
        log.info("worker ready: %s on %s", settings.model, matting.engine.device.name)
        work = MattingWork(matting, open_model=open_model, painter=painter)
        run_worker(
            settings.broker,
            work,
            clips=Conversion(work.matting_of),
            results=settings.results,
            blobs=settings.blobs,
            blobs_endpoint=settings.blobs_endpoint,
            options=options,
            secrets=secrets,
        )
    return exit_codes.OK


def _secrets(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--webhook-secrets needs a JSON file; {path} cannot be read: {error}.") from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise OptionError(f"--webhook-secrets needs a JSON object of strings; {path} contains something else.")
    return found
