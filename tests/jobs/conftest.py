"""Servers that are started once for all tests of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import brokers
import pytest

Server = TypeVar("Server", brokers.RedisServer, brokers.RabbitServer)


def _running(kind: type[Server]) -> Iterator[Server]:
    """Without one these tests fail: what was not tried must not look as if it worked."""
    try:
        server = kind()
    except brokers.NotInstalledError as error:
        pytest.fail(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[brokers.RedisServer]:
    """A Redis on loopback."""
    yield from _running(brokers.RedisServer)


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[brokers.RabbitServer]:
    """A RabbitMQ on loopback."""
    yield from _running(brokers.RabbitServer)


@pytest.fixture(params=["redis", "rabbit"])
def broker(request: pytest.FixtureRequest) -> brokers.RedisServer | brokers.RabbitServer:
    """Each of the two, running and empty."""
    server: brokers.RedisServer | brokers.RabbitServer = request.getfixturevalue(f"{request.param}_server")
    brokers.empty(server.url)
    return server


@pytest.fixture
def results(broker: brokers.RedisServer | brokers.RabbitServer, tmp_path: Path) -> str:
    """Redis keeps everything; RabbitMQ goes with a shared folder."""
    return broker.url if isinstance(broker, brokers.RedisServer) else f"file://{tmp_path}/store"
