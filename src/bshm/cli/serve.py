"""``bshm serve``: run the HTTP service."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.errors import MissingExtraError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

EXAMPLES = [
    ("bshm serve", "http://127.0.0.1:8000/"),
    ("bshm serve --port 9000 --cache off", "another port, no cache"),
    ("bshm keys add shop && bshm serve --host 0.0.0.0", "for other machines, with an API key"),
    ("bshm serve --broker redis://127.0.0.1/0 --results redis://127.0.0.1/1", "jobs for `bshm worker`"),
    ("curl -F image=@photo.jpg http://127.0.0.1:8000/matte -o cut.png", "a request"),
]

NOTES = """\
Each setting is also a variable BSHM_NAME in the environment, and a line under [server] in bshm.toml:
a flag overrides the variable, which overrides the file.  See docs/service.md for more.

On SIGTERM and Ctrl-C, requests in flight are answered and jobs stay in their queue."""

# Group -> the settings in it, in the order of the class; settings without a group go into the last one.
GROUPS: dict[str, tuple[str, ...]] = {
    "Server": ("host", "port", "model", "device", "threads", "gpu_memory_limit", "background_model", "page"),
    "Limits": (
        "in_flight",
        "queue",
        "queue_per_key",
        "request_timeout_s",
        "upload_timeout_s",
        "idle_timeout_s",
        "connections",
        "shutdown_timeout_s",
        "max_upload_bytes",
        "max_pixels",
        "rate_limit",
    ),
    "Access": ("keys_file", "allow_open", "allowed_hosts", "cors_origins", "root_path", "trusted_proxies"),
    "URLs": ("allow_urls", "url_timeout_s"),
    "Cache": ("cache", "cache_dir", "cache_bytes", "cache_age_s"),
    "Jobs": (
        "jobs",
        "broker",
        "results",
        "blobs",
        "blobs_endpoint",
        "jobs_in_flight",
        "jobs_capacity",
        "jobs_per_key",
        "job_timeout_s",
        "jobs_keep_s",
        "allow_webhooks",
        "webhook_secret",
        "max_job_bytes",
        "max_job_items",
    ),
    "Videos": (
        "videos",
        "videos_in_flight",
        "max_video_bytes",
        "max_video_s",
        "max_video_pixels",
        "video_upload_timeout_s",
    ),
    "Other": (),
}


def parser() -> Parser:
    """The flags of ``bshm serve``, made from ``bshm.server.settings.Settings``."""
    settings = settings_module()
    result = Parser(
        "serve",
        "Serves pictures over HTTP: POST /matte, remove.bg's API, jobs, a web page.",
        usage="[--host ADDRESS] [--port N] [options]",
        examples=EXAMPLES,
        notes=NOTES,
    )
    fields: dict[str, FieldInfo] = dict(settings.Settings.model_fields)
    for title, names in GROUPS.items():
        group = result.add_argument_group(title)
        for name in names or [each for each in fields if not any(each in some for some in GROUPS.values())]:
            _add(group, name, fields[name])
    for old, new in settings.RENAMED.items():
        group.add_argument(f"--{old.replace('_', '-')}", dest=new, default=None, help=argparse.SUPPRESS)
    group.add_argument(
        "--config", type=Path, metavar="FILE", help="settings file (default: bshm.toml in this folder, if it exists)"
    )
    add_help(group)
    return result


def _add(group: argparse._ArgumentGroup, name: str, field: FieldInfo) -> None:
    flag = f"--{name.replace('_', '-')}"
    text = str(field.description).replace("%", "%%")
    if field.annotation is bool:
        # Only the flag that changes the default; the file and the environment take both values.
        if field.default:
            group.add_argument(
                f"--no-{flag[2:]}", dest=name, action="store_false", default=None, help=f"do not {text.split(';')[0]}"
            )
        else:
            group.add_argument(flag, dest=name, action="store_true", default=None, help=text)
        return
    default = "" if field.default in (None, (), "") else f" (default: {field.default})"
    metavar = {int: "N", int | None: "N", float: "SECONDS"}.get(field.annotation, name.rpartition("_")[2].upper())  # type: ignore[arg-type]
    group.add_argument(flag, dest=name, default=None, metavar=metavar, help=f"{text}{default}")


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; returns the exit code."""
    flags: dict[str, Any] = {name: value for name, value in vars(arguments).items() if value is not None}
    config = flags.pop("config", None)
    settings = settings_module().load(flags, config=config)
    # OpenCV prints warnings on damaged files to stderr, between the lines of JSON; it reads this when it is loaded.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    from bshm.server.run import run as serve

    interrupts.in_order()
    serve(settings)
    return exit_codes.OK


def settings_module(verb: str = "serve", extra: str = "server") -> Any:
    """``bshm.server.settings``, which needs packages of an extra.

    Args:
        verb: the verb that needs it.
        extra: the extra with its packages.

    Raises:
        MissingExtraError: they are not installed.
    """
    try:
        from bshm.server import settings
    except ImportError as error:
        if error.name is None or error.name.startswith("bshm"):
            raise
        raise MissingExtraError(
            f"`bshm {verb}` needs the package {error.name}. Install it: pip install 'bshm[{extra}]'"
        ) from error
    return settings
