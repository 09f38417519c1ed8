"""One caller does not take the whole service: so many requests of one key at once, and so many a minute."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sent import picture
from starlette.testclient import TestClient

from bshm.pipeline import Matting

Held = Callable[..., "Future[Any]"]


def keyed(client: TestClient, *names: str) -> list[dict[str, str]]:
    """The headers of a new key each."""
    keys = client.app.state.service.keys  # type: ignore[attr-defined]
    return [{"X-Api-Key": keys.add(name)[1]} for name in names]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """Sends requests that stay in flight until ``held.leave`` is set."""
    leave = threading.Event()
    real = Matting.matte_picture

    def slow(self: Matting, *given: Any) -> Any:
        leave.wait(20)
        return real(self, *given)

    monkeypatch.setattr(Matting, "matte_picture", slow)
    with ThreadPoolExecutor(8) as pool:

        def send(client: TestClient, headers: dict[str, str], path: str = "/matte", name: str = "image") -> Any:
            service = client.app.state.service  # type: ignore[attr-defined]
            before = len(service.limiter)
            answer = pool.submit(client.post, path, files={name: picture()}, headers=headers)
            while len(service.limiter) == before and not answer.done():
                time.sleep(0.01)
            return answer

        send.leave = leave  # type: ignore[attr-defined]
        yield send
        leave.set()


def test_a_key_that_has_as_many_in_flight_as_it_may_is_told_to_wait_and_others_are_served(
    start: Any, held: Any
) -> None:
    client = start(queue_per_key=2, queue=5)
    shop, other = keyed(client, "shop", "other")
    inside = [held(client, shop), held(client, shop, "/v1.0/removebg", "image_file")]
    refused = client.post("/matte", files={"image": picture()}, headers=shop)
    assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert problem["type"] == "urn:bshm:problem:too-many-at-once" and problem["title"] == "Too many requests at once"
    assert problem["instance"].endswith(refused.headers["x-request-id"]) and " 2 " in problem["detail"]
    assert client.post("/jobs", files={"image": picture()}, headers=shop).status_code == 429
    # Asking costs no room.
    assert client.get("/v1.0/account", headers=shop).status_code == 200
    inside.append(held(client, other))
    assert client.get("/readyz").status_code == 200
    held.leave.set()
    assert [each.result(20).status_code for each in inside] == [200] * 3
    assert client.post("/matte", files={"image": picture()}, headers=shop).status_code == 200
    assert client.app.state.service.limiter.of("key:none") == len(client.app.state.service.limiter) == 0


def test_remove_bgs_clients_are_told_in_remove_bgs_words(start: Any, held: Any) -> None:
    client = start(queue_per_key=1)
    (shop,) = keyed(client, "shop")
    inside = held(client, shop)
    refused = client.post("/v1.0/removebg", files={"image_file": picture()}, headers=shop)
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    (error,) = refused.json()["errors"]
    assert error["code"] == "rate_limit_exceeded" and error["title"] and "1 requests" in error["detail"]
    held.leave.set()
    assert inside.result(20).status_code == 200


def test_a_request_that_is_still_being_sent_counts(start: Any) -> None:
    client = start(queue_per_key=1)
    (shop,) = keyed(client, "shop")
    begun, go_on = threading.Event(), asyncio.Event()
    scope = {
        "type": "http", "method": "POST", "path": "/matte", "query_string": b"", "client": ("testclient", 1),
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"),
                    (b"x-api-key", shop["X-Api-Key"].encode())],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        if not begun.is_set():
            begun.set()
            return {"type": "http.request", "body": b"{", "more_body": True}
        await go_on.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        """Nobody reads it: the client has gone."""

    sending = client.portal.start_task_soon(client.app, scope, receive, send)
    assert begun.wait(20)
    assert client.post("/matte", files={"image": picture()}, headers=shop).status_code == 429
    client.portal.call(go_on.set)
    sending.result(20)
    assert client.post("/matte", files={"image": picture()}, headers=shop).status_code == 200


def test_without_keys_a_machine_of_its_own_has_no_share_unless_one_is_set(start: Any, held: Any) -> None:
    client = start(queue=2)
    inside = [held(client, {}), held(client, {})]
    assert client.post("/matte", files={"image": picture()}).status_code == 503
    held.leave.set()
    assert [each.result(20).status_code for each in inside] == [200, 200]
    shared = start(queue=3, queue_per_key=1)
    with shared.app.state.service.limiter.hold("address:testclient"):
        assert shared.post("/matte", files={"image": picture()}).status_code == 429


@pytest.mark.parametrize(
    ("settings", "keys", "share"),
    [
        ({}, 0, 64),
        ({}, 1, 64),
        ({}, 2, 32),
        ({"allow_open": True}, 0, 32),
        ({"queue": 1}, 2, 1),
        ({"queue_per_key": 0}, 2, 64),
        ({"queue_per_key": 5}, 0, 5),
        ({"queue_per_key": 5}, 1, 5),
    ],
)
def test_where_nothing_is_said_half_of_the_room_is_left_to_others_if_there_are_any(
    start: Any, settings: dict[str, Any], keys: int, share: int
) -> None:
    client = start(**settings)
    keyed(client, *map(str, range(keys)))
    client.get("/healthz")
    assert client.app.state.service.share == share


def test_a_key_made_while_the_service_runs_has_a_rate_from_then_on(start: Any) -> None:
    client = start()
    assert "x-ratelimit-limit" not in client.post("/matte", files={"image": picture()}).headers
    shop, other = keyed(client, "shop", "other")
    first = client.post("/matte", files={"image": picture()}, headers=shop)
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("500", "499")
    # Each has a minute of its own.
    again = client.post("/matte", files={"image": picture()}, headers=other)
    assert again.headers["x-ratelimit-remaining"] == "499"


def test_a_key_with_as_many_jobs_as_it_may_have_waits_for_one_to_end_and_others_do_not(start: Any, held: Any) -> None:
    client = start(jobs_per_key=2)
    shop, other = keyed(client, "shop", "other")

    def submit(headers: dict[str, str], side: int, key: str = "") -> Any:
        more = {"Idempotency-Key": key} if key else {}
        return client.post("/jobs", files={"image": picture((side, side))}, headers={**headers, **more})

    first = submit(shop, 40, "k")
    assert [first.status_code, submit(shop, 41).status_code] == [202, 202]
    refused = submit(shop, 42)
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    assert refused.json()["type"] == "urn:bshm:problem:queue-share" and "2 of your jobs" in refused.json()["detail"]
    # The job that there is already is given whatever waits.
    assert submit(shop, 40, "k").json()["id"] == first.json()["id"]
    assert submit(other, 43).status_code == 202
    held.leave.set()
    for _ in range(400):
        if client.get(first.headers["location"], headers=shop).json()["state"] == "done":
            break
        time.sleep(0.05)
    assert submit(shop, 42).status_code == 202


def test_without_keys_jobs_have_no_owner_to_count_by(start: Any, held: Any) -> None:
    client = start(jobs_per_key=1)
    assert [client.post("/jobs", files={"image": picture()}).status_code for _ in range(3)] == [202] * 3
    held.leave.set()


@pytest.mark.parametrize(
    ("settings", "keys", "share"),
    [({}, 1, None), ({}, 2, 500), ({"jobs_per_key": 0}, 2, None), ({"jobs_per_key": 7}, 1, 7)],
)
def test_half_of_the_queue_of_jobs_is_left_to_others_if_there_are_any(
    start: Any, settings: dict[str, Any], keys: int, share: int | None
) -> None:
    client = start(**settings)
    keyed(client, *map(str, range(keys)))
    client.get("/healthz")
    assert client.app.state.service.jobs_share == share
