"""``GET /models``."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bshm.weights import catalogue, store


def test_it_lists_what_the_field_model_takes_and_the_default(client: TestClient) -> None:
    answer = client.get("/models").json()
    assert answer["default"] == "bshm"
    named = {each["name"]: each["purpose"] for each in answer["models"]}
    assert named == {card.name: card.purpose for card in catalogue.cards(catalogue.BUNDLED)}


def test_a_damaged_card_hides_no_other(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "root", lambda: tmp_path)
    (tmp_path / "mine.json").write_text("{", encoding="utf-8")
    names = [each["name"] for each in client.get("/models").json()["models"]]
    assert names == ["bshm", "bshm-lite", "bshm-live"]
    assert any(getattr(record, "fields", {}).get("name") == "mine" for record in caplog.records)
