"""docs/service.md says what the service does."""

from __future__ import annotations

import sys
from pathlib import Path

from bshm.server import statuses
from bshm.server.metrics import Metrics

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "service.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_fresh() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        import make_service
    finally:
        sys.path.remove(str(DOCS))
    assert make_service.page(PAGE) == PAGE, "run python docs/make_service.py"


def test_the_figures_and_the_problem_that_it_names_are_there() -> None:
    shown = Metrics().text().decode()
    for name in ("bshm_requests", "bshm_request_seconds", "bshm_stage_seconds", "bshm_cache_lookups", "bshm_errors"):
        assert name in PAGE and name in shown
    titles = {answer.title for answer in statuses.OF_ERROR.values()}
    assert "The picture cannot be read" in titles and "The picture cannot be read" in PAGE


def test_it_names_every_status_that_a_request_can_get() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| 4") or line.startswith("| 5")]
    named = {int(word) for row in rows for word in row.split("|")[1].replace(",", " ").split()}
    possible = {answer.status for answer in statuses.OF_ERROR.values()}
    # 404 needs no explanation, 499 nobody reads, 500 is a fault.
    assert possible - {404, 499, 500} <= named
