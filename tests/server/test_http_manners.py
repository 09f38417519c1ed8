"""What browsers, proxies and HTTP libraries rely on: CORS, HEAD, a path below which the service is shown, statuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from faked import Faked
from sent import opened, picture
from starlette.testclient import TestClient
from test_job_routes import ended

from bshm.errors import OptionError
from bshm.server.settings import Settings, load

SHOP = "https://shop.example"


def test_a_page_that_may_use_the_service_reads_why_it_is_turned_away(start: Any) -> None:
    client = start(cors_origins=(SHOP,), rate_limit=1, max_upload_bytes=2000, queue=1)
    _, secret = client.app.state.service.keys.add("shop")
    given = {"Origin": SHOP, "X-Api-Key": secret}
    sent = {"files": {"image": picture()}}
    with client.app.state.service.limiter.hold("key:other"):
        full = client.post("/matte", headers=given, **sent)
    answers = {
        401: client.post("/matte", headers={"Origin": SHOP}, **sent),
        413: client.post("/matte", headers={**given, "Content-Type": "image/png", "Content-Length": "99999999"}),
        503: full,
        404: client.get("/jobs/nothing", headers=given),
        200: client.post("/matte", headers=given, **sent),
        429: client.post("/matte", headers=given, files={"image": picture((32, 32))}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == SHOP, status
        assert answer.headers["access-control-expose-headers"] == "*", status
        assert "Origin" in answer.headers["vary"] and answer.headers["x-request-id"]
    stranger = client.post("/matte", headers={**given, "Origin": "https://other.example"}, **sent)
    assert stranger.status_code == 403 and "access-control-allow-origin" not in stranger.headers


def test_a_host_that_is_refused_is_refused_with_the_page_told_why(start: Any) -> None:
    client = start(cors_origins=(SHOP,))
    answer = client.get("/healthz", headers={"Origin": SHOP, "Host": "elsewhere.example"})
    assert answer.status_code == 403 and answer.headers["access-control-allow-origin"] == SHOP


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_preflight_passes_for_every_header_that_the_service_reads(start: Any, method: str) -> None:
    client = start(cors_origins=(SHOP,))
    client.app.state.service.keys.add("shop")
    wanted = "x-api-key, authorization, content-type, idempotency-key, x-request-id"
    answer = client.options(
        "/jobs",
        headers={
            "Origin": SHOP,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": wanted,
        },
    )
    assert answer.status_code == 200 and answer.headers["x-request-id"]
    assert {word.strip().lower() for word in answer.headers["access-control-allow-headers"].split(",")} >= set(
        wanted.split(", ")
    )


def test_all_origins_may_be_named_by_a_star(start: Any) -> None:
    client = start(cors_origins=("*",))
    answer = client.post("/matte", headers={"Origin": "https://any.example"}, files={"image": picture()})
    assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "*"


def test_head_is_answered_wherever_get_is_and_has_no_body(client: TestClient) -> None:
    place = client.post("/jobs", files=[("image", ("bén.png", picture()))]).headers["location"]
    job = ended(client, place)
    paths = ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/", "/style.css", "/v1.0/account", place]
    for path in [*paths, job["items"][0]["result"], job["results"]]:
        head, got = client.head(path), client.get(path)
        assert head.status_code == got.status_code == 200, path
        for name in ("content-type", "content-disposition"):
            assert head.headers.get(name) == got.headers.get(name), (path, name)
    assert client.head("/jobs/nothing").status_code == 404
    assert client.head("/matte").status_code == 405
    # Nobody is worked for without a place.
    assert client.head("/api/remove?url=http://example.com/a.png").status_code == 405
    assert not [path for path, found in client.get("/openapi.json").json()["paths"].items() if "head" in found]


def test_over_the_wire_head_has_the_length_and_no_byte_of_a_result(tmp_path: Path) -> None:
    import httpx2 as httpx

    with Faked(tmp_path) as service:
        with service.connected(b"HEAD /docs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as connection:
            answer = b""
            while part := connection.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n")
        length = len(httpx.get(f"{service.url}/docs", trust_env=False).content)
        assert f"content-length: {length}\r\n".encode() in answer


def test_who_asked_too_much_is_told_what_is_left_and_when_there_is_more(start: Any) -> None:
    client = start(rate_limit=2, queue_per_key=1)
    for path, name in (("/matte", "image"), ("/v1.0/removebg", "image_file")):
        assert client.post(path, files={name: picture()}).status_code == 200
    refused = [
        client.post(path, files={name: picture((40, 40))})
        for path, name in (("/matte", "image"), ("/v1.0/removebg", "image_file"), ("/jobs", "image"))
    ]
    with client.app.state.service.limiter.hold("address:testclient"):
        refused.append(client.post("/matte", files={"image": picture((41, 41))}))
    for answer in refused:
        assert answer.status_code == 429
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("2", "0")
        assert re.fullmatch(r"[0-9]{10,}", answer.headers["x-ratelimit-reset"])


@pytest.mark.parametrize("passed_on", [True, False], ids=["the proxy passes the path on", "the proxy takes it away"])
def test_below_a_path_every_address_that_it_gives_away_is_right_outside(start: Any, passed_on: bool) -> None:
    app = start(root_path="/tools/bshm").app
    client = TestClient(app, base_url="http://localhost", follow_redirects=False)
    before = "/tools/bshm" if passed_on else ""
    accepted = client.post(f"{before}/jobs", files={"image": picture()})
    place = accepted.headers["location"]
    assert place.startswith("/tools/bshm/jobs/")
    inside = place if passed_on else place.removeprefix("/tools/bshm")
    job = ended(client, inside)
    assert job["results"] == f"{place}/results" and job["items"][0]["result"] == f"{place}/results/0"
    assert client.get(inside + "/results/0").status_code == 200
    redirect = client.get(f"{before}/docs/")
    assert redirect.status_code == 307 and redirect.headers["location"] == "http://localhost/tools/bshm/docs"
    assert client.get(f"{before}/openapi.json").json()["servers"] == [{"url": "/tools/bshm"}]
    assert client.get(f"{before}/").headers["content-type"].startswith("text/html")
    assert client.get(f"{before}/style.css").status_code == 200
    # What is looked at by its path is so without that in front.
    app.state.service.keys.add("shop")
    assert [client.get(f"{before}{path}").status_code for path in ("/metrics", "/v1.0/account", "/healthz")] == [
        401,
        403,
        200,
    ]
    assert client.post(f"{before}/v1.0/removebg").json()["errors"][0]["code"] == "auth_failed"
    assert client.get("/tools/bshm/tools/bshm/metrics").status_code == 401


def test_the_root_path_without_its_last_slash_leads_to_the_page(start: Any) -> None:
    client = TestClient(start(root_path="/bshm/").app, base_url="http://localhost", follow_redirects=False)
    answer = client.get("/bshm")
    assert answer.status_code == 307 and answer.headers["location"] == "/bshm/"
    assert Settings(root_path="/bshm/").root_path == "/bshm"
    for wrong in ("bshm", "/b shm", "http://x/bshm", "//bshm"):
        with pytest.raises(OptionError, match="root-path"):
            load({"root_path": wrong})


@pytest.mark.parametrize("page", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
def test_what_there_is_not_is_404_whatever_the_method(start: Any, method: str, page: bool) -> None:
    client = start(page=page)
    for path in ("/nothing", "/v1.0/nothing", "/v1.0", "/app/nothing.js", "/jobs/x/y/z", "/" + "a" * 300):
        assert client.request(method, path).status_code == 404, path
    if method == "POST":
        assert client.post("/v1.0/nothing").json()["errors"][0]["code"] == "not_found"
        wrong = client.post("/healthz")
        assert wrong.status_code == 405 and "GET" in wrong.headers["allow"]
        if page:
            assert client.post("/style.css").headers["allow"] == "GET, HEAD"


def shadowed(client: TestClient, **fields: str) -> bytes:
    answer = client.post("/v1.0/removebg", files={"image_file": picture()}, data={"size": "auto", **fields})
    assert answer.status_code == 200, answer.text
    return opened(answer.content).tobytes()


def test_remove_bgs_shadows_are_drawn_as_dark_as_they_are_asked_for(client: TestClient) -> None:
    none, full = shadowed(client), shadowed(client, add_shadow="true")
    assert none != full
    for kind in ("auto", "drop", "3D", "car"):
        assert shadowed(client, shadow_type=kind) == full
    assert shadowed(client, shadow_type="none", add_shadow="true") == none
    assert shadowed(client, shadow_type="drop", shadow_opacity="0") == none
    half = shadowed(client, shadow_type="drop", shadow_opacity="50")
    assert sum(none) < sum(half) < sum(full)
    for name, value in (("shadow_type", "long"), ("shadow_opacity", "101"), ("shadow_opacity", "dark")):
        answer = client.post("/v1.0/removebg", files={"image_file": picture()}, data={name: value})
        assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == f"invalid_{name}"


def test_rembgs_clients_work_with_another_address_alone(start: Any) -> None:
    from bshm.net.fetch import Fetched, Validators

    asked = []

    def fetch(url: str, *_: Any) -> Fetched:
        asked.append(url)
        return Fetched(picture(), Validators())

    client = start(fetch=fetch, allow_urls=True)
    whole = client.post("/matte", files={"image": picture()}).content
    sent = client.post("/api/remove", files={"file": picture()}, data={"model": "u2net", "a": "true", "af": "240"})
    assert sent.status_code == 200 and sent.headers["content-type"] == "image/png" and sent.content == whole
    assert sent.headers["x-bshm-model"] == "bshm"
    for kind in ("image/png", "application/octet-stream"):
        assert client.post("/api/remove", content=picture(), headers={"Content-Type": kind}).content == whole
    assert client.get("/api/remove", params={"url": "http://example.com/a.png"}).content == whole
    assert asked == ["http://example.com/a.png"]
    mask = client.get("/api/remove", params={"url": "http://example.com/a.png", "om": "true"})
    assert opened(mask.content).mode == "L"
    blue = client.post("/api/remove?bgc=0,0,255,255", files={"file": picture()})
    assert opened(blue.content).convert("RGB").getpixel((0, 0)) == (0, 0, 255)
    for answer in (
        client.get("/api/remove"),
        client.post("/api/remove", data={"om": "true"}),
        client.post("/api/remove?bgc=red", files={"file": picture()}),
        client.post("/api/remove", content=b"no picture", headers={"Content-Type": "image/png"}),
    ):
        assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"


def test_a_picture_sent_as_the_body_has_the_limits_of_every_other(start: Any) -> None:
    client = start(max_upload_bytes=2000)
    raw = {"Content-Type": "image/png"}
    assert client.post("/api/remove", content=bytes(2001), headers=raw).status_code == 413
    assert client.get("/api/remove?url=http://127.0.0.1/a").status_code == 422  # fetching is off
    client.app.state.service.keys.add("shop")
    assert client.get("/api/remove?url=http://example.com/a").status_code == 401


def test_a_page_elsewhere_cannot_have_pictures_worked_on_by_showing_them(start: Any) -> None:
    client = start(allow_urls=True)
    for site in ("cross-site", "same-site"):
        answer = client.get("/api/remove?url=http://example.com/a", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
    for site in ("same-origin", "none"):
        answer = client.post("/matte", files={"image": picture()}, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 200
