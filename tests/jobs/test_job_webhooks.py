"""Webhooks: signed, repeated until accepted, and through the guard."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bshm.errors import FetchError, UrlRefusedError
from bshm.jobs import EmbeddedQueue, JobItem, JobOptions, JobRequest, Product, Webhook, wait
from bshm.jobs.options import QueueOptions
from bshm.jobs.webhooks import is_genuine, signature
from bshm.net import post

SECRETS = {"key-1": "s3cret"}
OPTIONS = QueueOptions(workers=1, sweep_s=0.05, webhook_first_wait_s=0.1, webhook_timeout_s=1.0, webhook_attempts=4)


def shout(picture: bytes, name: str, options: JobOptions) -> Product:
    return Product(picture.upper(), "image/png")


class Receiver:
    """In place of the network: answers as told, and keeps what came."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, bytes, dict[str, str]]] = []
        self.enough = threading.Event()

    def __call__(self, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float) -> int:
        self.calls.append((url, body, dict(headers)))
        answer = self.answers.pop(0)
        if not self.answers:
            self.enough.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def ended_with(folder: Path, receiver: Receiver, secret_ref: str = "key-1") -> EmbeddedQueue:
    """A queue with one job that has ended, told to ``receiver``."""
    queue = EmbeddedQueue(folder, shout, options=OPTIONS, secrets=SECRETS, send=receiver)
    hook = Webhook("https://example.com/told", secret_ref)
    job = queue.submit(JobRequest((JobItem("a.png", b"x"),), owner="anna", webhook=hook))
    wait(queue, job.id, "anna", timeout_s=10)
    return queue


def test_the_end_of_a_job_is_told_once_signed_and_without_what_is_nobodys_business(tmp_path: Path) -> None:
    receiver = Receiver(200)
    queue = ended_with(tmp_path, receiver)
    assert receiver.enough.wait(10)
    queue.close()
    [(url, body, headers)] = receiver.calls
    told = json.loads(body)
    assert url == "https://example.com/told"
    assert told["event"] == "job.done"
    assert told["job"]["items"][0]["state"] == "done"
    assert headers["X-Bshm-Delivery"] == told["delivery"] == told["job"]["id"]
    assert is_genuine("s3cret", headers, body)
    assert not {"result", "input", "lease", "owner", "secret_ref"} & (set(told["job"]) | set(told["job"]["items"][0]))
    assert b"s3cret" not in body


def test_it_is_told_again_until_it_is_accepted_with_the_same_delivery_id(tmp_path: Path) -> None:
    receiver = Receiver(500, FetchError("no answer"), 204)
    queue = ended_with(tmp_path, receiver)
    assert receiver.enough.wait(10)
    record = queue.get(receiver.calls[0][2]["X-Bshm-Delivery"], "anna")
    queue.close()
    assert len({headers["X-Bshm-Delivery"] for _, _, headers in receiver.calls}) == 1
    assert record.delivery is not None
    assert record.delivery.attempts == 3


@pytest.mark.parametrize(("answers", "error"), [((500,) * 4, "500"), ((410,), "410")])
def test_it_is_given_up_after_the_last_attempt_or_when_the_receiver_says_so(
    tmp_path: Path, answers: tuple[int, ...], error: str
) -> None:
    receiver = Receiver(*answers)
    queue = ended_with(tmp_path, receiver)
    assert receiver.enough.wait(10)
    queue.close()
    again = EmbeddedQueue(tmp_path, shout, options=OPTIONS, secrets=SECRETS, send=receiver)
    record = again.get(receiver.calls[0][2]["X-Bshm-Delivery"], "anna")
    again.close()
    assert len(receiver.calls) == len(answers)
    assert record.delivery is not None
    assert record.delivery.next_at is None
    assert error in str(record.delivery.last_error)


def test_what_was_not_told_before_a_restart_is_told_after_it(tmp_path: Path) -> None:
    silent = Receiver()
    queue = ended_with(tmp_path, silent, secret_ref="known later")
    queue.close()
    assert silent.calls == []
    receiver = Receiver(200)
    again = EmbeddedQueue(tmp_path, shout, options=OPTIONS, secrets={"known later": "x"}, send=receiver)
    assert receiver.enough.wait(10)
    again.close()
    assert is_genuine("x", receiver.calls[0][2], receiver.calls[0][1])


def test_a_changed_body_an_old_timestamp_or_another_secret_is_not_genuine() -> None:
    headers = {"X-Bshm-Timestamp": "1700000000", "X-Bshm-Signature": signature("s", "1700000000", b"{}")}
    assert is_genuine("s", headers, b"{}", now=1700000299.0)
    assert not is_genuine("s", headers, b"{}", now=1700000301.0)
    assert not is_genuine("t", headers, b"{}", now=1700000000.0)
    assert not is_genuine("s", headers, b"[]", now=1700000000.0)
    assert not is_genuine("s", {**headers, "X-Bshm-Timestamp": "1700000001"}, b"{}", now=1700000000.0)
    assert not is_genuine("s", {}, b"{}")
    assert not is_genuine("s", {**headers, "X-Bshm-Signature": "v1=\xfc"}, b"{}", now=1700000000.0)


class Handler(BaseHTTPRequestHandler):
    """Keeps the last call; ``/slow`` says nothing, ``/away`` sends elsewhere."""

    last: tuple[str, bytes, dict[str, str]]
    release = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).last = (self.path, body, dict(self.headers))
        if self.path == "/slow":
            self.release.wait(5)
            return
        self.send_response(302 if self.path == "/away" else 201)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    Handler.release.clear()
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    Handler.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def send(url: str, **more: object) -> int:
    """A POST with the guard told that 127.0.0.1 is public."""
    return post.post(
        url,
        b"{}",
        headers={"X-Bshm-Delivery": "1"},
        timeout_s=0.5,
        _is_allowed=lambda address: address == "127.0.0.1",
        **more,  # type: ignore[arg-type]
    )


def test_a_post_arrives_whole_and_its_status_comes_back(address: str) -> None:
    assert send(f"http://{address}/told?x=1") == 201
    path, body, headers = Handler.last
    assert (path, body, headers["X-Bshm-Delivery"], headers["Host"]) == ("/told?x=1", b"{}", "1", address)


def test_a_redirect_is_not_followed(address: str) -> None:
    assert send(f"http://{address}/away") == 302


def test_a_receiver_that_says_nothing_is_left_after_the_timeout(address: str) -> None:
    with pytest.raises(FetchError, match=r"within 0\.5 s"):
        send(f"http://{address}/slow")


def test_a_name_that_leads_to_a_private_address_is_refused_even_beside_a_public_one(address: str) -> None:
    for found in (["10.0.0.1"], ["93.184.216.34", "169.254.169.254"], []):
        with pytest.raises(UrlRefusedError, match="public"):
            post.post("http://example.com/", b"", headers={}, timeout_s=1, _resolve=lambda *_, found=found: found)


def test_the_connection_goes_to_the_address_that_was_checked(address: str) -> None:
    port = int(address.partition(":")[2])
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    assert send(f"http://example.com:{port}/told", _resolve=resolve) == 201
    assert asked == ["example.com"]
    assert Handler.last[2]["Host"] == f"example.com:{port}"
