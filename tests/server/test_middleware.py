"""What every request passes: host, origin, key, size, room; and what every answer carries."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest
from sent import picture
from starlette.testclient import TestClient

from bshm.errors import OptionError
from bshm.pipeline import Matting
from bshm.server.app import check_place
from bshm.server.settings import Settings


def test_without_keys_only_names_of_this_machine_are_served(client: TestClient) -> None:
    assert client.get("/healthz").status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 403
    for host in ("127.0.0.1:8000", "[::1]:8000", "localhost"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_pages_of_other_origins_cannot_use_it(client: TestClient) -> None:
    sent: dict[str, Any] = {"files": {"image": picture()}}
    assert client.post("/matte", headers={"Origin": "http://evil.example"}, **sent).status_code == 403
    assert client.post("/matte", headers={"Origin": "null"}, **sent).status_code == 403
    assert client.post("/matte", headers={"Origin": "http://localhost"}, **sent).status_code == 200


def test_cors_is_off_unless_origins_are_named(start: Any) -> None:
    plain = start().get("/healthz", headers={"Origin": "http://localhost"})
    assert "access-control-allow-origin" not in plain.headers
    named = start(cors_origins=("https://shop.example",))
    answer = named.post("/matte", headers={"Origin": "https://shop.example"}, files={"image": picture()})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert named.post("/matte", headers={"Origin": "https://other.example"}).status_code == 403


def test_with_a_key_every_request_needs_one(client: TestClient) -> None:
    _, secret = client.app.state.service.keys.add("shop")  # type: ignore[attr-defined]
    sent: dict[str, Any] = {"files": {"image": picture()}}
    refused = client.post("/matte", **sent)
    assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Bearer")
    assert client.post("/matte", headers={"X-Api-Key": "wrong"}, **sent).status_code == 401
    assert client.post("/matte", headers={"X-Api-Key": secret}, **sent).status_code == 200
    assert client.post("/matte", headers={"Authorization": f"Bearer {secret}"}, **sent).status_code == 200
    assert client.get("/metrics").status_code == 401
    assert client.get("/jobs/x").status_code == 401
    assert client.get("/models").status_code == 401
    for open_route in ("/healthz", "/readyz", "/openapi.json", "/docs", "/"):
        assert client.get(open_route, headers={"Host": "any.example"}).status_code == 200


def test_a_revoked_key_is_refused_at_the_next_request(client: TestClient) -> None:
    keys = client.app.state.service.keys  # type: ignore[attr-defined]
    keys.add("other")
    _, secret = keys.add("shop")
    assert client.get("/metrics", headers={"X-Api-Key": secret}).status_code == 200
    keys.revoke("shop")
    assert client.get("/metrics", headers={"X-Api-Key": secret}).status_code == 401


def test_a_body_that_is_too_large_is_refused_while_it_comes(start: Any) -> None:
    client = start(max_upload_bytes=20_000)
    most = int(2 * 20_000 * 4 / 3) + 1024 * 1024
    sent = 0

    def endless() -> Any:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        while sent < 50 * 1024 * 1024:
            sent += 65536
            yield bytes(65536)

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post("/matte", content=endless(), headers=kind).status_code == 413
    announced = client.post("/matte", content=b"", headers={**kind, "Content-Length": str(most + 1)})
    assert announced.status_code == 413
    assert client.post("/matte", files={"image": b"\x89PNG" + bytes(30_000)}).status_code == 413
    assert client.post("/matte", json={"image": "A" * 60_000}).status_code == 413


def test_too_many_pixels_are_refused_by_the_header(start: Any) -> None:
    client = start(max_pixels=1000)
    answer = client.post("/matte", files={"image": picture()})
    assert answer.status_code == 413 and "1,000 pixels" in answer.json()["detail"]


def test_a_full_service_says_when_to_come_again(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = start(queue=1)
    entered, leave = threading.Event(), threading.Event()
    real = Matting.matte_picture

    def slow(self: Matting, *given: Any) -> Any:
        entered.set()
        leave.wait(20)
        return real(self, *given)

    monkeypatch.setattr(Matting, "matte_picture", slow)
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(client.post("/matte", files={"image": picture()})))
    first.start()
    assert entered.wait(20)
    try:
        refused = client.post("/matte", files={"image": picture((32, 32))})
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        assert client.get("/readyz").status_code == 503 and client.get("/healthz").status_code == 200
    finally:
        leave.set()
        first.join(20)
    assert answers[0].status_code == 200 and client.get("/readyz").status_code == 200


def test_what_takes_too_long_is_given_up(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = start(request_timeout_s=0.2)
    leave = threading.Event()
    real = Matting.matte_picture

    def slow(self: Matting, *given: Any) -> Any:
        leave.wait(20)
        return real(self, *given)

    monkeypatch.setattr(Matting, "matte_picture", slow)
    try:
        answer = client.post("/matte", files={"image": picture()})
    finally:
        leave.set()
    assert answer.status_code == 504 and answer.json()["type"] == "urn:bshm:problem:time-ran-out"


def test_every_answer_has_an_id_and_the_security_headers(client: TestClient) -> None:
    for answer in (client.get("/healthz"), client.get("/nothing"), client.post("/matte"), client.get("/docs")):
        assert answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    odd = client.get("/healthz", headers={"X-Request-Id": 'x" onload="'}).headers["x-request-id"]
    assert odd.isalnum()


def test_errors_are_problem_details_without_traces_or_paths(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret /srv/place")

    monkeypatch.setattr(Matting, "matte_picture", broken)
    logging.getLogger("bshm.server").propagate = True
    with caplog.at_level(logging.ERROR, "bshm.server"):
        answer = client.post("/matte", files={"image": picture()})
    assert answer.status_code == 500 and answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert answer.json()["instance"] == f"urn:bshm:request:{answer.headers['x-request-id']}"
    (record,) = [each for each in caplog.records if each.getMessage() == "error"]
    assert record.fields["id"] == answer.headers["x-request-id"]  # type: ignore[attr-defined]


def test_the_log_has_no_key_no_query_and_no_file_name(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    from bshm.server.logs import JsonLines

    _, secret = client.app.state.service.keys.add("shop")  # type: ignore[attr-defined]
    logging.getLogger("bshm.server").propagate = True
    with caplog.at_level(logging.DEBUG, "bshm.server"):
        client.post(
            "/matte?token=topsecret",
            headers={"X-Api-Key": secret},
            files={"image": ("anna-at-home.png", picture())},
        )
    lines = [JsonLines().format(record) for record in caplog.records]
    (request,) = [json.loads(line) for line in lines if '"request"' in line]
    assert request["route"] == "/matte" and request["status"] == 200 and request["caller"].startswith("key:")
    whole = "\n".join(lines)
    assert secret not in whole and "topsecret" not in whole and "anna" not in whole


def test_every_line_of_the_log_is_json_whatever_library_says_it() -> None:
    program = """
import logging, threading, warnings
from bshm.server import logs
forever = logs.as_json("info")
forever.__enter__()
logging.getLogger("amqp").warning("broken %s", "pipe")
logging.getLogger("asyncio").error("never retrieved", exc_info=ValueError("x"))
logging.getLogger("httpx").info("chatter")
logging.getLogger("bshm.jobs").info("ended")
warnings.warn("old habit")
thread = threading.Thread(target=lambda: 1 / 0, name="helper")
thread.start()
thread.join()
class Late:
    def __del__(self):
        raise OSError("too late")
Late()
threading.Thread(target=exit).start()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    told = [(line["level"], line["event"].partition("\n")[0], line.get("logger")) for line in lines]
    assert told[:3] == [
        ("warning", "broken pipe", "amqp"),
        ("error", "never retrieved", "asyncio"),
        ("info", "ended", None),
    ]
    assert told[3][0] == "warning" and told[3][1].endswith("UserWarning: old habit") and told[3][2] == "py.warnings"
    assert [(line["event"], line["trace"].splitlines()[-1]) for line in lines[4:]] == [
        ("uncaught", "ZeroDivisionError: division by zero"),
        ("uncaught", "OSError: too late"),
    ]
    assert lines[4]["thread"] == "helper"
    assert done.stdout == ""


def test_the_world_is_not_served_by_accident() -> None:
    with pytest.raises(OptionError, match="bshm keys add"):
        check_place(Settings(host="0.0.0.0"), has_keys=False)
    for settings, has_keys in (
        (Settings(host="0.0.0.0"), True),
        (Settings(host="0.0.0.0", allow_open=True), False),
        (Settings(host="127.0.0.1"), False),
        (Settings(host="::1"), False),
        (Settings(host="localhost"), False),
    ):
        check_place(settings, has_keys=has_keys)


def test_metrics_count_requests_stages_cache_and_errors(client: TestClient) -> None:
    client.post("/matte", files={"image": picture()})
    client.post("/matte", files={"image": picture()})
    client.post("/matte", files={"image": b"no picture"})
    client.get("/no/such/path")
    text = client.get("/metrics").text
    assert 'bshm_requests_total{method="POST",route="/matte",status="200"} 2.0' in text
    assert 'bshm_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'bshm_cache_lookups_total{result="hit"} 1.0' in text
    assert 'bshm_cache_lookups_total{result="miss"} 1.0' in text
    assert 'bshm_errors_total{kind="UnreadablePictureError"} 1.0' in text
    assert 'bshm_stage_seconds_count{stage="mask"} 1.0' in text
    assert "bshm_queue_depth 0.0" in text and "/no/such/path" not in text


def test_the_page_and_the_documentation_ask_nobody_else(client: TestClient) -> None:
    docs = client.get("/docs")
    assert docs.status_code == 200 and "http" not in docs.text.replace("http-equiv", "")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert client.get(f"/docs/{name}").status_code == 200
    assert client.get("/docs/../settings.py").status_code == 404
    assert client.get("/docs/favicon.png").status_code == 404
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
