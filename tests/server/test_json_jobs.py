"""``POST /jobs`` in JSON: pictures in base64 or by their URLs."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from sent import picture
from test_job_routes import ended
from test_urls import Pictures, loopback_too, serving

from bshm.net.fetch import Fetched, Validators
from bshm.options import Limits

SMALL: dict[str, Any] = {"size": (32, 32), "person": (8, 8, 24, 24)}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def left_over(folder: Any) -> list[str]:
    """Uploads that no job took."""
    return [path.name for path in (folder / "jobs").rglob(".upload-*")]


def test_pictures_in_base64_make_the_same_job_as_the_same_files(client: Any, tmp_path: Any) -> None:
    options = {"background": "white", "format": "jpg"}
    files = [("image", ("anna.png", picture())), ("image", ("ben.png", picture(**SMALL)))]
    in_form = ended(client, client.post("/jobs", files=files, data=options).headers["location"])
    images = [
        {"name": "anna.png", "image": text(picture())},
        {"name": "ben.png", "image": f"data:image/png;base64,{text(picture(**SMALL))}"},
    ]
    accepted = client.post("/jobs", json={"images": images, **options})
    assert accepted.status_code == 202
    in_json = ended(client, accepted.headers["location"])
    assert [item["name"] for item in in_json["items"]] == [item["name"] for item in in_form["items"]]
    for one, other in zip(in_form["items"], in_json["items"], strict=True):
        assert client.get(one["result"]).content == client.get(other["result"]).content
    assert left_over(tmp_path) == []


def test_what_a_single_request_sends_in_json_is_a_job_too(client: Any) -> None:
    sent = {"image": text(picture()), "background_image": text(picture((8, 8), person=None)), "crop": True}
    single = client.post("/matte", json=sent)
    job = ended(client, client.post("/jobs", json=sent).headers["location"])
    assert client.get(job["items"][0]["result"]).content == single.content
    assert job["items"][0]["name"] == "picture"


def test_pictures_by_url_and_in_base64_keep_their_order_and_are_here_before_the_job_is_accepted(start: Any) -> None:
    class One(Pictures):
        data = picture()

    client = start(fetch=loopback_too, allow_urls=True)
    with serving(One) as (url, asked):
        images = [{"image_url": url}, {"name": "b.png", "image": text(picture(**SMALL))}] + [{"image_url": url}] * 6
        place = client.post("/jobs", json={"images": images}).headers["location"]
        assert len(asked) == 7
    job = ended(client, place)
    assert job["state"] == "done" and [item["name"] for item in job["items"]] == ["a.png", "b.png", *["a.png"] * 6]
    assert [item["details"]["width"] for item in job["items"]] == [64, 32, *[64] * 6]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "images"),
        ({"images": []}, "images"),
        ({"images": "x"}, "images"),
        ({"images": [{"image": "eA=="}], "image": "eA=="}, "images"),
        ({"images": [{"image": "eA=="}], "image_url": "https://example.com/a.png"}, "images"),
        ({"images": [{"image": "eA=="}, {"name": "a"}]}, "images.1"),
        ({"images": [{"image": "eA==", "image_url": "https://example.com/a.png"}]}, "images.0"),
        ({"images": [{"image": "eA=="}, {"image": "no base64!"}]}, "images.1.image"),
        ({"images": [{"image": "\ud800"}]}, "images.0.image"),
        ({"images": [{"image": 5}]}, "images.0.image"),
        ({"images": ["eA=="]}, "images.0"),
        ({"images": [{"image": "eA==", "file": "/etc/passwd"}]}, "images.0.file"),
        ({"images": [{"image": "eA=="}], "archive": "eA=="}, "archive"),
        ({"images": [{"image": "eA=="}], "background": "/etc/passwd"}, "background"),
        ({"images": [{"image": "eA=="}], "keep_s": 0}, "keep_s"),
        ({"images": [{"image": "eA=="}], "webhook_url": "https://example.com/hook"}, "webhook_url"),
        ({"images": [{"image": "eA=="}], "idempotency_key": "k" * 256}, "idempotency_key"),
        ({"images": [{"image": "eA=="}] * 6}, "images"),
        ({"image": "no base64!"}, "image"),
        ([], "body"),
    ],
)
def test_what_is_wrong_in_a_job_in_json_is_named(start: Any, tmp_path: Any, body: Any, field: str) -> None:
    client = start(max_job_items=5)
    kind = {"Content-Type": "application/json"}
    answer = client.post("/jobs", content=json.dumps(body), headers=kind)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert field in answer.json()["errors"], answer.text
    assert left_over(tmp_path) == []


def test_other_kinds_of_bodies_are_refused_and_those_that_are_taken_named(client: Any) -> None:
    answer = client.post("/jobs", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422
    told = answer.json()["errors"]["Content-Type"]
    assert "multipart/form-data" in told and "application/json" in told
    damaged = client.post("/jobs", content=b'{"images": [', headers={"Content-Type": "application/json"})
    assert damaged.status_code == 422 and "JSON" in damaged.json()["errors"]["body"]


def test_the_guard_of_urls_stands_before_a_job_too_and_says_which_one_it_refused(start: Any, tmp_path: Any) -> None:
    client = start(allow_urls=True)
    for url in ("http://127.0.0.1/a.png", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd"):
        answer = client.post("/jobs", json={"images": [{"image": text(picture())}, {"image_url": url}]})
        assert answer.status_code == 422 and "images.1.image_url" in answer.json()["errors"], answer.text
        alone = client.post("/jobs", json={"image_url": url})
        assert alone.status_code == 422 and alone.json()["type"] == "urn:bshm:problem:url-refused"
    off = start().post("/jobs", json={"images": [{"image_url": "https://example.com/a.png"}]})
    assert off.status_code == 422 and "images.0.image_url" in off.json()["errors"]
    assert left_over(tmp_path) == []


def test_a_url_without_a_picture_says_which_one_it_is(start: Any) -> None:
    class Nothing(Pictures):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            self.send_error(404)

    client = start(fetch=loopback_too, allow_urls=True)
    with serving(Nothing) as (url, _):
        answer = client.post("/jobs", json={"images": [{"image": text(picture())}, {"image_url": url}]})
    assert answer.status_code == 424 and "images.1.image_url" in answer.json()["detail"]


def test_no_picture_and_no_job_is_larger_than_allowed_however_it_comes(start: Any, tmp_path: Any) -> None:
    noise = bytes(range(256)) * 200  # 51,200 bytes

    def fetch(url: str, limits: Limits, known: Validators | None) -> Fetched:
        return Fetched(noise, Validators())

    client = start(fetch=fetch, allow_urls=True, max_upload_bytes=60_000, max_job_bytes=180_000)
    single = client.post("/jobs", json={"images": [{"image": text(noise + noise)}]})
    assert single.status_code == 413
    urls = [{"image_url": f"https://example.com/{number}.png"} for number in range(4)]
    together = client.post("/jobs", json={"images": urls})
    assert together.status_code == 413 and "180,000" in together.json()["detail"]
    assert client.post("/jobs", json={"images": urls[:3]}).status_code == 202
    # In memory whole: a job in JSON has as many bytes as a single request, or as a job, whichever is less.
    kind = {"Content-Type": "application/json", "Content-Length": str(2 * 60_000 * 4 // 3 + 1024 * 1024 + 1)}
    assert client.post("/jobs", content=b"", headers=kind).status_code == 413
    assert left_over(tmp_path) == []


def test_pictures_that_come_too_slowly_are_given_up_and_leave_nothing(start: Any, tmp_path: Any) -> None:
    asked: list[str] = []

    def fetch(url: str, limits: Limits, known: Validators | None) -> Fetched:
        asked.append(url)
        time.sleep(0.1)
        return Fetched(picture(), Validators())

    client = start(fetch=fetch, allow_urls=True, request_timeout_s=0.5)
    images = [{"image_url": f"https://example.com/{number}.png"} for number in range(60)]
    answer = client.post("/jobs", json={"images": images})
    assert 0 < len(asked) < 60
    assert answer.status_code == 504 and "fewer" in answer.json()["detail"]
    assert left_over(tmp_path) == [] and client.app.state.service.queue.depth() == 0


def test_an_idempotency_key_is_a_header_or_a_field(client: Any) -> None:
    def submit(data: bytes, key: str | None = None, header: str | None = None) -> Any:
        body = {"images": [{"name": "a.png", "image": text(data)}], "idempotency_key": key}
        return client.post("/jobs", json=body, headers={} if header is None else {"Idempotency-Key": header})

    first = submit(picture(), key="k").json()["id"]
    assert submit(picture(), key="k").json()["id"] == submit(picture(), header="k").json()["id"] == first
    assert submit(picture(), key="k", header="k").json()["id"] == first
    # The same pictures in a form are the same request.
    form = client.post("/jobs", files={"image": ("a.png", picture())}, data={"idempotency_key": "k"})
    assert form.json()["id"] == first
    assert submit(picture(**SMALL), key="k").status_code == 409
    differ = submit(picture(), key="k", header="other")
    assert differ.status_code == 422 and "idempotency_key" in differ.json()["errors"]


def test_a_webhook_inside_is_refused_in_json_too(start: Any) -> None:
    client = start(allow_webhooks=True, webhook_secret="word")
    body = {"images": [{"image": text(picture())}], "webhook_url": "http://127.0.0.1/hook"}
    assert client.post("/jobs", json=body).status_code == 422


def test_each_picture_counts_for_the_rate_before_any_is_fetched(start: Any) -> None:
    asked: list[str] = []

    def fetch(url: str, limits: Limits, known: Validators | None) -> Fetched:
        asked.append(url)
        return Fetched(picture(), Validators())

    client = start(fetch=fetch, allow_urls=True, rate_limit=2)
    images = [{"image_url": "https://example.com/a.png"}] * 3
    refused = client.post("/jobs", json={"images": images})
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1 and asked == []


def test_names_in_json_are_never_paths(client: Any) -> None:
    kind = {"Content-Type": "application/json"}
    for name in ("../../etc/passwd", "C:\\temp\\a.png", "..", "a\nb.png", "\u202egnp.a"):
        body = json.dumps({"images": [{"name": name, "image": text(picture())}]})
        shown = client.post("/jobs", content=body, headers=kind).json()["items"][0]["name"]
        assert "/" not in shown and "\\" not in shown and "\n" not in shown and shown not in ("", "..")
    odd = client.post("/jobs", content=r'{"images": [{"name": "\ud800", "image": "eA=="}]}', headers=kind)
    assert odd.status_code in (202, 422)


def test_the_example_in_the_description_is_a_job(start: Any) -> None:
    def fetch(url: str, limits: Limits, known: Validators | None) -> Fetched:
        return Fetched(picture(), Validators())

    client = start(fetch=fetch, allow_urls=True)
    schema = client.get("/openapi.json").json()["paths"]["/jobs"]["post"]
    described = schema["requestBody"]["content"]["application/json"]
    assert set(described["schema"]["properties"]) >= {"images", "image", "image_url", "keep_s", "idempotency_key"}
    place = client.post("/jobs", json=described["example"]).headers["location"]
    job = ended(client, place)
    assert [(item["name"], item["state"]) for item in job["items"]] == [("dot.gif", "done"), ("ben.jpg", "done")]
    assert "4XX" in schema["responses"]
