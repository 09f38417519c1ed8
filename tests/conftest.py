"""Fixtures of several folders of tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fake_network
import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

TESTS = Path(__file__).parent
# What starts programs, servers or a browser, or trains: `make test-fast` leaves these out, and all that is `real`.
SLOW = (
    "cli/test_interrupts.py",
    "cli/test_streams.py",
    "jobs/test_compose.py",
    "jobs/test_job_brokers.py",
    "jobs/test_job_clips.py",
    "jobs/test_job_kill.py",
    "jobs/test_job_object_store.py",
    "jobs/test_job_stores.py",
    "jobs/test_over_http.py",
    "official/",
    "page/",
    "server/test_connections.py",
    "server/test_full_disk.py",
    "server/test_hostile_pictures.py",
    "server/test_live_service.py",
    "server/test_schema.py",
    "server/test_serve_address.py",
    "server/test_time_cap.py",
    "server/test_urls.py",
    "server/test_videos_route.py",
    "server/test_who_is_let_in.py",
    "test_install.py",
    "test_people3d.py",
    "training/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow."""
    for item in items:
        if not item.path.is_relative_to(TESTS):
            continue
        if item.path.relative_to(TESTS).as_posix().startswith(SLOW) or item.get_closest_marker("real"):
            item.add_marker(pytest.mark.slow)


# A busy machine is no reason to fail.
settings.register_profile("bshm", deadline=None)
settings.load_profile("bshm")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights: red is a person."""
    fake_network.install(monkeypatch.setattr)


@pytest.fixture
def photo(tmp_path: Path) -> Callable[..., Path]:
    """Writes a picture with a red square in the middle, or without anybody, below the test's folder."""

    def write(name: str, *, empty: bool = False) -> Path:
        pixels = np.full((48, 64, 3), 60, np.uint8)
        if not empty:
            pixels[12:36, 16:48] = (240, 20, 20)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write
