"""docker/compose.yaml: it cannot be run everywhere, but what it says can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bshm.jobs.messages import open_messages
from bshm.jobs.broker_queue import store_of
from bshm.jobs.options import QueueOptions
from bshm.jobs.stores import folder_of

DOCKER = Path(__file__).parents[2] / "docker"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_every_service_depends_on_services_of_its_own_profile_and_mounts_volumes_that_there_are(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            assert services[other]["profiles"] == service["profiles"], name
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
    assert make_app(broker, QueueOptions()).connection().hostname == kind
    assert store_of(broker, results) == results
    if results.startswith("file:"):
        mounted = [volume.partition(":")[2] for volume in worker["volumes"]]
        assert folder_of(results).as_posix() in mounted
        assert set(worker["volumes"]) <= set(server["volumes"])


def test_the_verbs_and_flags_are_those_of_bshm(compose: dict[str, Any]) -> None:
    from bshm.cli import worker

    assert compose["services"]["worker-redis"]["command"] == ["worker"]
    worker.parser().parse_args(compose["services"]["worker-redis"]["command"][1:])
    assert compose["services"]["server-redis"]["command"][0] == "serve"


def test_the_image_is_made_of_files_that_there_are() -> None:
    for line in (DOCKER / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (DOCKER.parent / source).exists(), source
