"""`bshm serve` as people run it: a process, a port, real weights, signals."""

from __future__ import annotations

import io
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from live_service import Process
from sent import opened

SAMPLE = Path(__file__).parents[2] / "image-matting" / "1.png"

pytestmark = pytest.mark.real


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    with ExitStack() as stack:

        def begin(*words: str, **variables: str) -> Process:
            started = Process(tmp_path, *words, **variables)
            stack.callback(started.end, signal.SIGKILL)
            return started

        yield begin


def big(side: int = 1000) -> bytes:
    file = io.BytesIO()
    opened(SAMPLE.read_bytes()).convert("RGB").resize((side, side)).save(file, "PNG")
    return file.getvalue()


def test_a_client_library_for_remove_bg_works_with_another_address_alone(
    serve: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from removebg import removebg as module

    started = serve(BSHM_RATE_LIMIT="100")
    monkeypatch.setattr(module, "API_ENDPOINT", f"{started.url}/v1.0/removebg")
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    photo = tmp_path / "photo.png"
    photo.write_bytes(SAMPLE.read_bytes())
    client = module.RemoveBg("any key", "error.log")
    client.remove_background_from_img_file(str(photo), size="auto")
    cut = opened((tmp_path / "photo.png_no_bg.png").read_bytes())
    assert cut.mode == "RGBA" and cut.size == opened(SAMPLE.read_bytes()).size
    import base64

    coded = base64.b64encode(SAMPLE.read_bytes()).decode()
    white = str(tmp_path / "white.jpg")
    client.remove_background_from_base64_img(coded, new_file_name=white, bg_color="fff")
    assert opened(Path(white).read_bytes()).mode == "RGB"
    import requests

    with pytest.raises(requests.HTTPError, match="400"):
        client.remove_background_from_img_url("http://127.0.0.1/a.png")


def test_a_real_picture_gives_a_person_and_the_log_is_json(serve: Callable[..., Process]) -> None:
    import json

    started = serve()
    answer = httpx.post(f"{started.url}/matte", files={"image": SAMPLE.read_bytes()}, trust_env=False, timeout=60)
    assert answer.status_code == 200 and answer.headers["x-bshm-empty"] == "false"
    assert started.end(signal.SIGTERM) == 0
    lines = [line for line in started.log.read_text().splitlines() if not line.startswith("bshm: http")]
    events = [json.loads(line)["event"] for line in lines]
    assert events[0] == "ready" and "request" in events and events[-1] == "stopped"


def test_on_sigterm_what_is_in_flight_is_answered_first(serve: Callable[..., Process]) -> None:
    started = serve("--cache", "off")
    answers: list[Any] = []

    def ask() -> None:
        answers.append(httpx.post(f"{started.url}/matte", files={"image": big()}, trust_env=False, timeout=60))

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(600):
        if "bshm_queue_depth 1.0" in httpx.get(f"{started.url}/metrics", trust_env=False).text:
            break
        time.sleep(0.02)
    assert started.end(signal.SIGTERM) == 0
    asking.join(60)
    assert answers[0].status_code == 200 and opened(answers[0].content).size == (1000, 1000)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{started.url}/healthz", trust_env=False)


def test_a_job_outlives_kill_9(serve: Callable[..., Process]) -> None:
    started = serve()
    files = [("image", (f"{number}.png", big(600))) for number in range(3)]
    accepted = httpx.post(f"{started.url}/jobs", files=files, trust_env=False, timeout=60)
    assert accepted.status_code == 202
    started.end(signal.SIGKILL)
    again = serve()
    for _ in range(600):
        job = httpx.get(f"{again.url}{accepted.headers['location']}", trust_env=False).json()
        if job["state"] not in ("queued", "running"):
            break
        time.sleep(0.1)
    assert job["state"] == "done" and job["progress"] == {"done": 3, "total": 3}


def test_a_client_that_goes_away_is_not_worked_for(serve: Callable[..., Process]) -> None:
    started = serve("--cache", "off")
    data = big()
    impatient = httpx.Timeout(30, read=0.05)
    for number in range(4):
        files = {"image": data + bytes([number])}
        with pytest.raises(httpx.TimeoutException):
            httpx.post(f"{started.url}/matte", files=files, trust_env=False, timeout=impatient)
    for _ in range(600):
        if "bshm_queue_depth 0.0" in httpx.get(f"{started.url}/metrics", trust_env=False).text:
            break
        time.sleep(0.05)
    text = httpx.get(f"{started.url}/metrics", trust_env=False).text
    assert "bshm_queue_depth 0.0" in text and "ClientGoneError" in text
