"""Servers that are started once for all tests of jobs."""

from __future__ import annotations

from collections.abc import Iterator

import brokers
import pytest


@pytest.fixture(scope="session")
def redis_server() -> Iterator[brokers.RedisServer]:
    """A Redis on loopback.  Without one these tests fail: what was not tried must not look as if it worked."""
    try:
        server = brokers.RedisServer()
    except brokers.NotInstalledError as error:
        pytest.fail(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[brokers.RabbitServer]:
    """A RabbitMQ on loopback."""
    try:
        server = brokers.RabbitServer()
    except brokers.NotInstalledError as error:
        pytest.fail(str(error))
    with server:
        yield server
