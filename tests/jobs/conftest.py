"""Servers that are started once for all tests of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import brokers
import object_store
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


@pytest.fixture(scope="session")
def s3_server() -> Iterator[object_store.S3Server]:
    """An object store on loopback; see ``s3``."""
    with object_store.S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: object_store.S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[object_store.S3Server]:
    """The object store, empty, with credentials in the environment; it listens again when the test is over."""
    for name, value in object_store.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    s3_server.empty()
    yield s3_server
    s3_server.stop()
    s3_server.start()


@pytest.fixture(params=["redis", "rabbit"])
def broker(request: pytest.FixtureRequest) -> brokers.RedisServer | brokers.RabbitServer:
    """Each of the two, running and empty."""
    server: brokers.RedisServer | brokers.RabbitServer = request.getfixturevalue(f"{request.param}_server")
    brokers.empty(server.url)
    return server


@pytest.fixture
def results(broker: brokers.RedisServer | brokers.RabbitServer, redis_server: brokers.RedisServer) -> str:
    """Redis keeps the jobs, whoever carries the messages."""
    if broker is not redis_server:
        brokers.empty(redis_server.url)
    return redis_server.url
