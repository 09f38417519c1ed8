"""A service over the fake network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bshm.server.app import create_app
from bshm.server.settings import Settings

Start = Callable[..., TestClient]


@pytest.fixture
def start(fake: None, tmp_path: Path) -> Iterator[Start]:
    """Starts services with settings of the test's choice, and stops them."""
    with ExitStack() as stack:

        def begin(*, fetch: Any = None, **settings: Any) -> TestClient:
            given = {
                "cache_dir": tmp_path / "cache",
                "results": str(tmp_path / "jobs"),
                "keys_file": tmp_path / "keys.json",
                **settings,
            }
            more = {} if fetch is None else {"fetch": fetch}
            app = create_app(Settings(**given), **more)
            return stack.enter_context(TestClient(app, base_url="http://localhost"))

        yield begin


@pytest.fixture
def client(start: Start) -> TestClient:
    """A service as `bshm serve` starts it."""
    return start()
