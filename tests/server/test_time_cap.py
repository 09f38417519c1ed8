"""A picture that hangs: its caller is told, its place is free again, and in the end the process is replaced."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from sent import picture
from test_job_routes import ended

import bshm
from bshm.cli import exit_codes
from bshm.concurrency.deadline_executor import MOST_STUCK
from bshm.errors import EnvironmentFault
from bshm.files import decode, encode
from bshm.pipeline import Matting

# Only a picture of this width hangs.
HANGING = 97
# A request may take this long: far more than one with the fake network does.
CAP_S = 1.5


@pytest.fixture
def leave() -> Iterator[threading.Event]:
    """Set, it lets all go that hangs."""
    event = threading.Event()
    yield event
    event.set()


def hangs() -> bytes:
    return picture((HANGING, 48))


def hang_in(stage: str, monkeypatch: pytest.MonkeyPatch, leave: threading.Event) -> None:
    """Make one stage of the way hang."""
    if stage == "decode":
        real = decode.decode

        def slow(data: bytes, **given: Any) -> Any:
            made = real(data, **given)
            if made.pixels.shape[1] == HANGING:
                leave.wait(60)
            return made

        monkeypatch.setattr(decode, "decode", slow)
    elif stage == "network":
        matted = Matting.matte_picture

        def slow_network(self: Matting, given: Any, *more: Any) -> Any:
            if given.pixels.shape[1] == HANGING:
                leave.wait(60)
            return matted(self, given, *more)

        monkeypatch.setattr(Matting, "matte_picture", slow_network)
    else:
        encoded = encode.encode

        def slow_encode(pixels: Any, *given: Any, **more: Any) -> bytes:
            if pixels.shape[1] == HANGING:
                leave.wait(60)
            data: bytes = encoded(pixels, *given, **more)
            return data

        monkeypatch.setattr(encode, "encode", slow_encode)


def stuck(client: Any) -> float:
    found = re.search(r"^bshm_stuck_threads (\S+)", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("stage", ["decode", "network", "encode"])
def test_a_picture_that_hangs_is_answered_in_time_and_its_place_is_free_again(
    start: Any, monkeypatch: pytest.MonkeyPatch, leave: threading.Event, stage: str
) -> None:
    hang_in(stage, monkeypatch, leave)
    client = start(request_timeout_s=CAP_S, in_flight=1)
    assert client.post("/matte", files={"image": picture()}).status_code == 200
    began = time.monotonic()
    answer = client.post("/matte", files={"image": hangs()})
    assert answer.status_code == 504 and time.monotonic() - began < 30  # it hangs for 60
    assert answer.json()["type"] in ("urn:bshm:problem:time-ran-out", "urn:bshm:problem:overrun")
    # There is one place: without it nobody would be served any more.
    until(lambda: stuck(client) == 1)
    assert client.post("/matte", files={"image": picture((32, 32))}).status_code == 200
    assert client.get("/readyz").status_code == 200
    leave.set()
    until(lambda: stuck(client) == 0)


def test_a_drop_in_client_reads_it_in_its_own_form(
    start: Any, monkeypatch: pytest.MonkeyPatch, leave: threading.Event
) -> None:
    hang_in("network", monkeypatch, leave)
    answer = start(request_timeout_s=CAP_S).post("/v1.0/removebg", files={"image_file": hangs()})
    assert answer.status_code == 504 and answer.json()["errors"][0]["code"] == "timeout"


@pytest.mark.parametrize("stage", ["decode", "network", "encode"])
def test_a_picture_that_hangs_in_a_job_fails_and_the_others_are_done(
    start: Any, monkeypatch: pytest.MonkeyPatch, leave: threading.Event, stage: str
) -> None:
    hang_in(stage, monkeypatch, leave)
    client = start(job_timeout_s=CAP_S)
    files = [("image", (f"{number}.png", data)) for number, data in enumerate((picture(), hangs(), picture((32, 32))))]
    job = ended(client, client.post("/jobs", files=files).headers["location"])
    assert [item["state"] for item in job["items"]] == ["done", "failed", "done"]
    assert job["items"][1]["error"]["code"] == "overrun" and "1.png" in job["items"][1]["error"]["message"]
    assert client.post("/matte", files={"image": picture((40, 40))}).status_code == 200


def test_with_more_that_hang_than_a_process_should_bear_it_takes_nothing_and_asks_to_be_replaced(
    start: Any, monkeypatch: pytest.MonkeyPatch, leave: threading.Event
) -> None:
    hang_in("network", monkeypatch, leave)
    client = start(request_timeout_s=CAP_S, cache="off")
    asked = threading.Event()
    client.app.state.service.end_process = asked.set
    bodies = [picture((HANGING, 40 + number)) for number in range(MOST_STUCK + 1)]
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(lambda data: client.post("/matte", files={"image": data}).status_code, bodies))
    assert set(answers) == {504}
    # Those that waited for the network while it hung work for nobody any more: what hangs later does so by itself.
    until(lambda: asked.is_set() or client.post("/matte", files={"image": hangs()}) is None)
    assert client.get("/readyz").status_code == 503
    assert client.post("/matte", files={"image": picture()}).status_code == 503


PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv.pop(1))
import fake_network
fake_network.install(setattr)
from bshm.cli.app import main
from bshm.pipeline import Matting
Matting.matte_picture = lambda *_: time.sleep(3600)
sys.exit(main())
"""


def test_the_process_ends_with_an_exit_code_that_has_it_started_again(tmp_path: Path) -> None:
    words = ["serve", "--port", "0", "--request-timeout-s", "0.5", "--shutdown-timeout-s", "2", "--cache", "off"]
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        str(Path(__file__).parents[1]),
        *words,
        "--results",
        str(tmp_path / "jobs"),
    ]
    log = tmp_path / "log"
    environment = {"PYTHONPATH": str(Path(bshm.__file__).parents[1]), "PATH": "", "HOME": str(tmp_path)}
    with log.open("w") as stderr, subprocess.Popen(command, stderr=stderr, env=environment, cwd=tmp_path) as process:
        try:
            until(lambda: re.search(r"http://[0-9.:]+", log.read_text()) and '"ready"' in log.read_text())
            url = re.search(r"http://[0-9.:]+", log.read_text())[0]  # type: ignore[index]
            answers = []
            for number in range(20):
                try:
                    files = {"image": picture((64, 40 + number))}
                    answers.append(httpx.post(f"{url}/matte", files=files, trust_env=False, timeout=30).status_code)
                except httpx.TransportError:
                    break
            assert process.wait(30) == exit_codes.OF_ERROR[EnvironmentFault]
        finally:
            process.kill()
    assert answers[: MOST_STUCK + 1] == [504] * (MOST_STUCK + 1) and set(answers) <= {504, 503}
    text = log.read_text()
    assert '"event": "broken"' in text and "pictures are stuck" in text.splitlines()[-1]
