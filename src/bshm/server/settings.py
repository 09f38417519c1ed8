"""The settings of the service.  The class below defines the flags, the environment variables and the file.

A flag overrides ``BSHM_…`` in the environment, which overrides ``[server]`` in bshm.toml, which overrides the default.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bshm.errors import OptionError
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, BatchOptions, Limits, byte_count

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG_FILE = Path("bshm.toml")
TABLE = "server"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
# remove.bg's own limit: 500 pictures of one megapixel a minute, a tenth of that at ten megapixels.
DEFAULT_RATE_LIMIT = 500
MIB = 1024 * 1024
# Earlier names of settings, which are still read.
RENAMED = {"jobs_workers": "jobs_in_flight"}

Words = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Every setting of the service."""

    model_config = SettingsConfigDict(
        env_prefix="BSHM_", frozen=True, extra="forbid", env_ignore_empty=True, protected_namespaces=()
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 chooses a free port and prints it")
    model: str = Field(DEFAULT_MODEL, description="model for requests that do not name one; see `bshm models`")
    device: str = Field(
        DEFAULT_DEVICE, description="auto, cpu, cuda, …; no fallback: a device that cannot run is an error"
    )
    threads: int = Field(0, ge=0, le=256, description="threads per run of a network; 0 uses all cores, at most 8")

    gpu_memory_limit: int | None = Field(
        None, ge=1, description="most memory of a CUDA device for this process, such as 2G or 512M; no limit if unset"
    )

    background_model: str | None = Field(
        None,
        description="model that paints background_prompt, opened at the start: folder of a diffusers pipeline that "
        "can inpaint, or its name on the Hugging Face hub; extra bshm[diffusion]; if unset, such requests get 501",
    )

    in_flight: int = Field(
        BatchOptions.in_flight,
        ge=1,
        le=64,
        description="pictures decoded, matted or encoded at the same time; each is held in memory completely",
    )
    queue: int = Field(
        64, ge=1, le=10_000, description="requests in flight at the same time; further ones get 503 with Retry-After"
    )
    queue_per_key: int | None = Field(
        None,
        ge=0,
        le=10_000,
        description="requests in flight for one key, or for one address without keys; further ones get 429 with "
        "Retry-After; 0 for no limit; if unset, half of --queue with several keys or --allow-open, otherwise no limit",
    )
    request_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="longest time from a request to its answer; after that the request fails"
    )
    upload_timeout_s: float = Field(60.0, gt=0, le=3600, description="longest time for a request to arrive")
    idle_timeout_s: float = Field(
        20.0,
        gt=0,
        le=3600,
        description="longest pause of a client while it sends a request or reads an answer, and longest time for the "
        "headers of a request",
    )
    connections: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="open connections; new ones replace idle ones; if unset, half of the files that the process may "
        "open, at most 4096",
    )
    shutdown_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="longest time for running requests to finish after SIGTERM"
    )

    max_upload_bytes: int = Field(32 * MIB, ge=1024, description="largest picture file, sent or fetched")
    max_pixels: int = Field(
        50_000_000, ge=1, description="largest picture in pixels; a pixel needs about 20 bytes of memory"
    )
    rate_limit: int | None = Field(
        None,
        ge=0,
        description="pictures of one megapixel per minute for each key or address; 0 for no limit; if unset, "
        f"{DEFAULT_RATE_LIMIT} with keys or --allow-open, otherwise no limit",
    )

    allow_urls: bool = Field(False, description="fetch pictures from public URLs (image_url, bg_image_url)")
    url_timeout_s: float = Field(15.0, gt=0, le=600, description="longest time for one download")
    keys_file: Path | None = Field(
        None, description="file in which `bshm keys` stores the hashes; if unset, ~/.config/bshm/keys.json"
    )
    allow_open: bool = Field(
        False, description="serve other machines without API keys, so that anybody can use the service"
    )
    allowed_hosts: Words = Field(
        (), description="Host headers that are accepted without keys, in addition to localhost; * accepts all"
    )
    cors_origins: Words = Field((), description="origins of web pages that may use the service; none by default")
    root_path: str = Field(
        "", description="path under which a proxy serves the service, such as /bshm; the proxy may strip it or keep it"
    )
    trusted_proxies: Words = Field(
        (), description="addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted"
    )

    cache: str = Field(
        "disk", description="where results are stored for equal requests: disk, off or redis://HOST:PORT/N"
    )
    cache_dir: Path | None = Field(None, description="folder of the disk cache; if unset, ~/.cache/bshm/results")
    cache_bytes: int = Field(
        1024 * MIB, ge=MIB, description="largest size of the disk cache; the oldest results are deleted first"
    )
    cache_age_s: float = Field(3600.0, gt=0, description="how long a result stays in the cache")

    jobs: bool = Field(True, description="offer /jobs")
    broker: str = Field(
        "embedded",
        description="embedded, or the address of a broker from which `bshm worker` takes jobs: amqp://… (RabbitMQ) or "
        "redis://…",
    )
    results: str | None = Field(
        None,
        description="where jobs are stored: a folder for the embedded queue, redis://… with a --broker; if unset, "
        "~/.local/share/bshm/jobs, or the broker if it is Redis",
    )
    blobs: str | None = Field(
        None,
        description="where the pictures and results of jobs with a broker are stored: s3://BUCKET/PREFIX with "
        "credentials from AWS_… in the environment, or file:///FOLDER, shared by all machines; if unset, in --results",
    )
    blobs_endpoint: str | None = Field(None, description="http(s)://HOST:PORT of an object store other than AWS")
    jobs_in_flight: int = Field(
        1, ge=1, le=64, description="pictures that the embedded queue processes at the same time"
    )
    jobs_capacity: int = Field(1000, ge=1, description="jobs that may wait or run at the same time")
    jobs_per_key: int | None = Field(
        None,
        ge=0,
        description="jobs of one key that may wait or run at the same time; further ones get 429 with Retry-After; 0 "
        "for no limit; if unset, half of --jobs-capacity with several keys, otherwise no limit",
    )
    job_timeout_s: float = Field(
        600.0, gt=0, le=86400, description="longest time for one picture of a job; after that the picture fails"
    )
    jobs_keep_s: float = Field(
        3600.0, ge=1, le=31 * 86400, description="how long results are kept after a job has ended"
    )
    allow_webhooks: bool = Field(
        False, description="call the webhook_url of a job when it has ended; only at public addresses"
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="secret that signs webhooks of jobs without an API key; others are signed with the SHA-256 of "
        "their key",
    )
    max_job_bytes: int = Field(512 * MIB, ge=1024, description="largest request to /jobs, and largest unpacked zip")
    max_job_items: int = Field(1000, ge=1, le=1000, description="pictures in one job")

    videos: bool = Field(True, description="offer /videos; needs /jobs and the extra bshm[video]")
    videos_in_flight: int = Field(
        1, ge=1, le=16, description="videos that the embedded queue processes at the same time, in addition to pictures"
    )
    max_video_bytes: int = Field(512 * MIB, ge=1024, description="largest video file, sent or fetched")
    max_video_s: float = Field(
        600.0, gt=0, le=86400, description="longest video, or part of a video from start to end, in seconds"
    )
    max_video_pixels: int = Field(4096 * 2160, ge=1, description="largest frame of a video")
    video_upload_timeout_s: float = Field(
        600.0, gt=0, le=86400, description="longest time for a video to arrive or to be fetched"
    )

    page: bool = Field(True, description="serve the web page at /")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")

    @field_validator("allowed_hosts", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(word for word in value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("gpu_memory_limit", mode="before")
    @classmethod
    def _bytes(cls, value: Any) -> Any:
        return byte_count(value) if isinstance(value, str) else value

    @field_validator("root_path")
    @classmethod
    def _path(cls, value: str) -> str:
        value = value.rstrip("/")
        if value and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", value):
            raise ValueError("it must be a path such as /bshm")
        return value

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def limits(self) -> Limits:
        """The limits of a picture."""
        return Limits(
            max_pixels=self.max_pixels,
            max_bytes=self.max_upload_bytes,
            url_timeout_s=self.url_timeout_s,
            allow_urls=self.allow_urls,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file: no .env files and no folder of secrets."""
        config = (
            init_settings.init_kwargs.pop("_config", None) if isinstance(init_settings, InitSettingsSource) else None
        )
        file = {RENAMED.get(name, name): value for name, value in _file(config).items()}
        before = {new: os.environ[f"BSHM_{old.upper()}"] for old, new in RENAMED.items() if _in_environment(old)}
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, before),
            InitSettingsSource(settings_cls, file),
        )


def load(flags: dict[str, Any] | None = None, *, config: Path | None = None) -> Settings:
    """The settings from flags, environment and file.

    Args:
        flags: by field; without those that were not given.
        config: the file; None takes bshm.toml in the current folder, if it exists.

    Raises:
        OptionError: a value that is not allowed, an unknown name, or a file that cannot be read.
    """
    try:
        return Settings(**(flags or {}), _config=config)  # type: ignore[call-arg]
    except ValidationError as error:
        raise OptionError("; ".join(_explained(dict(each)) for each in error.errors())) from error


def _in_environment(name: str) -> bool:
    return bool(os.environ.get(f"BSHM_{name.upper()}"))


def _explained(fault: dict[str, Any]) -> str:
    name = ".".join(map(str, fault["loc"])) or "settings"
    flag = f"--{name.replace('_', '-')}"
    if fault["type"] == "extra_forbidden":
        return f"there is no setting {name!r}. `bshm serve --help` lists them."
    return f"{flag} (BSHM_{name.upper()}): {fault['msg']}; got {fault['input']!r}."


def _file(path: Path | None) -> dict[str, Any]:
    if path is None and not CONFIG_FILE.is_file():
        return {}
    path = path or CONFIG_FILE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(TABLE, {})
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(
            f"the settings in {path} cannot be read: {reason}. Fix it, or name another with --config."
        ) from error
    if not isinstance(table, dict):
        raise OptionError(f"{path} needs a table [{TABLE}]; got {TABLE} = {table!r}.")
    return table
