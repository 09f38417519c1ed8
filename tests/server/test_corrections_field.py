"""The field ``corrections`` of the service: applied, told, part of what the cache goes by, refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sent import levels, opened, picture
from starlette.testclient import TestClient
from test_job_routes import ended

ERASE = {"version": 1, "strokes": [{"kind": "erase", "points": [[0.3, 0.5], [0.7, 0.5]], "width": 0.05}]}


def corrected(client: TestClient, corrections: Any) -> Any:
    return client.post("/matte", files={"image": picture()}, data={"corrections": json.dumps(corrections)})


def test_a_form_and_json_give_the_same_and_say_how_many(client: TestClient) -> None:
    in_form = corrected(client, ERASE)
    body = {"image": base64.b64encode(picture()).decode(), "corrections": ERASE}
    in_json = client.post("/matte", json=body)
    assert in_form.status_code == in_json.status_code == 200
    assert in_form.headers["x-bshm-corrections"] == in_json.headers["x-bshm-corrections"] == "1"
    assert in_form.content == in_json.content
    assert levels(opened(in_form.content), (32, 24))[3] == 0


def test_a_result_without_them_is_never_answered_for_one_with_them(client: TestClient) -> None:
    plain = client.post("/matte", files={"image": picture()})
    assert "x-bshm-corrections" not in plain.headers and levels(opened(plain.content), (32, 24))[3] == 255
    first, again = corrected(client, ERASE), corrected(client, ERASE)
    assert first.headers["x-bshm-cache"] == "miss" and again.headers["x-bshm-cache"] == "hit"
    assert again.headers["x-bshm-corrections"] == "1"


def test_a_job_takes_them_too(client: TestClient) -> None:
    data = {"corrections": json.dumps(ERASE)}
    job = ended(client, client.post("/jobs", files={"image": ("a.png", picture())}, data=data).headers["location"])
    (item,) = job["items"]
    assert item["details"]["corrections"] == 1
    assert levels(opened(client.get(item["result"]).content), (32, 24))[3] == 0


@pytest.mark.parametrize(
    ("corrections", "said"),
    [
        ("paint it", "written as a JSON object"),
        ({"version": 1, "strokes": [{"kind": "keep", "points": [[2, 0]], "width": 0.1}]}, "leaves the picture"),
        ({**ERASE, "picture": {"width": 640, "height": 300}}, "of another shape"),
        ({"version": 1, "strokes": [{"kind": "erase", "points": [[0.05, 0.05]]}]}, "nothing is kept"),
        ({"version": 1, "trimap": "AAAA"}, "the trimap"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(client: TestClient, corrections: Any, said: str) -> None:
    answer = corrected(client, corrections)
    assert answer.status_code == 422
    assert said in answer.text
