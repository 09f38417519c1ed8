"""docker/: what its files say can be read, and their commands be run, where there is no Docker."""

from __future__ import annotations

import fnmatch
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import brokers
import httpx2 as httpx
import pytest
import yaml
from live_service import Process, surroundings
from PIL import Image

from bshm.jobs.broker_queue import store_of
from bshm.jobs.stores import folder_of

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "docker"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile, line by line, those that go on joined."""
    text = re.sub(r"\\\n\s*", "", (DOCKER / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def image_environment() -> dict[str, str]:
    """What the image sets."""
    return dict(word.split("=", 1) for name, words in instructions() if name == "ENV" for word in shlex.split(words))


def header_commands() -> list[list[str]]:
    """The commands in the comment at the top of the compose file."""
    comment = (DOCKER / "compose.yaml").read_text(encoding="utf-8").partition("\n\n")[0]
    return [shlex.split(line[1:]) for line in comment.splitlines() if line.startswith("#     docker ")]


def test_every_service_depends_on_services_of_its_own_profile_and_mounts_volumes_that_there_are(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            assert set(service["profiles"]) <= set(services[other]["profiles"]), name
            assert "healthcheck" in services[other]
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]


@pytest.mark.parametrize("kind", ["redis", "rabbit"])
def test_server_and_workers_have_one_broker_and_one_store_which_both_can_use(
    compose: dict[str, Any], kind: str
) -> None:
    server, worker = (compose["services"][f"{role}-{kind}"] for role in ("server", "worker"))
    assert server["environment"] == worker["environment"]
    broker = server["environment"]["BSHM_BROKER"].replace("${RABBIT_PASSWORD:-bshm}", "bshm")
    results = server["environment"]["BSHM_RESULTS"]
    assert httpx.URL(broker).host == kind
    assert store_of(broker, results) == results
    blobs = server["environment"].get("BSHM_BLOBS", "")
    if blobs.startswith("file:"):
        mounted = [volume.partition(":")[2] for volume in worker["volumes"]]
        assert folder_of(blobs).as_posix() in mounted
        assert set(worker["volumes"]) <= set(server["volumes"])


@pytest.mark.parametrize("kind", ["redis", "rabbit"])
def test_keys_and_weights_are_kept_in_volumes_where_all_who_need_them_look(compose: dict[str, Any], kind: str) -> None:
    environment = image_environment()
    server, worker = (compose["services"][f"{role}-{kind}"]["volumes"] for role in ("server", "worker"))
    places = {volume.partition(":")[2] for volume in server}
    assert Path(environment["BSHM_KEYS_FILE"]).parent.as_posix() in places
    assert f"models:{environment['BSHM_MODELS']}" in set(server) & set(worker)
    # Made in the image for its user: a volume that is mounted there begins with that owner.
    (made,) = [words for name, words in instructions() if name == "RUN" and "install -d" in words]
    folders = made.partition("install -d -o bshm -g bshm ")[2].split()
    assert places <= set(folders)


def test_the_image_declares_no_volume_and_its_check_is_for_the_service_alone(compose: dict[str, Any]) -> None:
    assert [words for name, words in instructions() if name == "VOLUME"] == []
    assert len([words for name, words in instructions() if name == "HEALTHCHECK"]) == 1
    for name, service in compose["services"].items():
        if name.startswith("worker-"):
            assert service["healthcheck"] == {"disable": True}
        if name.startswith("server-"):
            assert "healthcheck" not in service


def test_the_image_is_made_of_files_that_there_are_and_little_else_is_sent_to_be_built() -> None:
    rules = [
        line
        for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]

    def is_sent(path: str) -> bool:
        """As Docker reads the file: the last rule that a path or a folder above it matches decides."""
        sent = True
        parts = path.split("/")
        above = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
        for rule in rules:
            pattern = rule.lstrip("!")
            deep = pattern.startswith("**/")
            pattern = pattern.removeprefix("**/")
            names = parts if deep else [each for each in above if each.count("/") == pattern.count("/")]
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                sent = rule.startswith("!")
        return sent

    copied = [
        source
        for name, words in instructions()
        if name == "COPY" and "--from" not in words
        for source in words.split()[:-1]
    ]
    assert "pyproject.toml" in copied
    for source in copied:
        assert (REPOSITORY / source).exists() and is_sent(source), source
    assert is_sent("src/bshm/weights/files/bshm.json")
    for other in (".git/HEAD", ".venv/bin/python", "tests/pictures.py", "docs/jobs.md", "benchmarks/results/x.json"):
        assert not is_sent(other), other
    assert not is_sent("src/bshm/__pycache__/types.cpython-312.pyc")


@pytest.mark.real
@pytest.mark.parametrize("kind", ["redis", "rabbit"])
def test_the_commands_of_the_header_give_a_service_that_does_jobs(
    compose: dict[str, Any], kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Those that run bshm, each as its container would: the folders below /srv are folders of the test."""
    server = request.getfixturevalue(f"{kind}_server")
    redis = request.getfixturevalue("redis_server")
    brokers.empty(server.url)
    brokers.empty(redis.url)
    make_key, up = (command for command in header_commands() if kind in " ".join(command))
    assert make_key[:5] == [*up[:4], "run"] and up[4:7] == ["--profile", kind, "up"]

    def environment(name: str) -> dict[str, str]:
        given = {**image_environment(), **compose["services"][name]["environment"]}
        at_home = {key: value.replace("/srv/", f"{tmp_path}/srv/") for key, value in given.items()}
        return {**at_home, "BSHM_BROKER": server.url, "BSHM_RESULTS": redis.url}

    bshm = [sys.executable, "-m", "bshm.cli"]
    # `docker compose run`: a container of its own, with another home, which is thrown away.
    (tmp_path / "one-off").mkdir()
    name, *words = make_key[make_key.index("--no-deps") + 1 :]
    one_off = {**surroundings(tmp_path / "one-off"), **environment(name)}
    key = subprocess.run(
        [*bshm, *words], env=one_off, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    check = json.loads(next(words for name, words in instructions() if name == "HEALTHCHECK").partition("CMD ")[2])
    with ExitStack() as stack:
        command = [str(word) for word in compose["services"][f"server-{kind}"]["command"]]
        assert command[0] == "serve"
        served = Process(tmp_path, *command[1:], **environment(f"server-{kind}"))
        stack.callback(served.end, signal.SIGKILL)
        port = httpx.URL(served.url).port

        def is_healthy() -> bool:
            ask = subprocess.run(
                [sys.executable, *check[1:]],
                env={**os.environ, "BSHM_PORT": str(port)},
                check=False,
                stderr=subprocess.DEVNULL,
            )
            return ask.returncode == 0

        assert is_healthy()
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [*bshm, *compose["services"][f"worker-{kind}"]["command"]],
                env={**surroundings(tmp_path), **environment(f"worker-{kind}")},
                cwd=tmp_path,
                stderr=log,
            )
        stack.callback(worker.kill)
        client = stack.enter_context(httpx.Client(base_url=served.url, trust_env=False, timeout=60))
        assert client.get("/jobs").status_code == 401
        picture = io.BytesIO()
        Image.open(REPOSITORY / "image-matting" / "1.png").convert("RGB").resize((200, 200)).save(picture, "PNG")
        mine = {"X-Api-Key": key}
        accepted = client.post("/jobs", files={"image": picture.getvalue()}, headers=mine)
        assert accepted.status_code == 202
        deadline = time.monotonic() + 120
        while (job := client.get(accepted.headers["location"], headers=mine).json())["state"] in ("queued", "running"):
            assert time.monotonic() < deadline and worker.poll() is None, (tmp_path / "worker.log").read_text()
            time.sleep(0.1)
        assert job["state"] == "done"
        worker.terminate()
        assert worker.wait(30) == 0
        assert served.end(signal.SIGTERM) == 0
        assert not is_healthy()
        for line in (tmp_path / "worker.log").read_text().splitlines():
            json.loads(line)
