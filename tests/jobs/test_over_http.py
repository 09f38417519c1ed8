"""The service spread over processes: `bshm serve`, `bshm worker`, and a real Redis or RabbitMQ between them."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import brokers
import httpx2 as httpx
import pytest
import tiny
from live_service import Process, surroundings
from PIL import Image
from starlette.testclient import TestClient

from bshm.server.app import create_app
from bshm.server.settings import Settings

SAMPLE = Path(__file__).parents[2] / "image-matting" / "1.png"
# Sides of the pictures, in pixels: by its size a result says which picture it was made of.
SIDES = range(300, 306)


def portrait(side: int) -> bytes:
    file = io.BytesIO()
    Image.open(SAMPLE).convert("RGB").resize((side, side)).save(file, "PNG")
    return file.getvalue()


def worker(broker: str, results: str, folder: Path) -> subprocess.Popen[bytes]:
    """`bshm worker` with the weights in the box."""
    command = [sys.executable, "-m", "bshm.cli", "worker", "--broker", broker, "--results", results]
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--device", "cpu", "--lease", "3"], stdout=log, stderr=log, cwd=folder, env=surroundings(folder)
        )


@pytest.mark.real
def test_a_job_over_http_ends_in_its_results_though_its_worker_is_killed(
    broker: brokers.RedisServer | brokers.RabbitServer, results: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        served = Process(tmp_path, "--broker", broker.url, "--results", results, "--no-page", "--cache", "off")
        stack.callback(served.end, signal.SIGKILL)
        first = worker(broker.url, results, tmp_path)
        stack.callback(first.kill)
        client = stack.enter_context(httpx.Client(base_url=served.url, trust_env=False, timeout=60))
        files = [("image", (f"{side}.png", portrait(side))) for side in SIDES]
        accepted = client.post("/jobs", files=files, data={"crop": "0", "format": "webp", "quality": "90"})
        assert accepted.status_code == 202
        place = accepted.headers["location"]

        def job(until: Any, timeout_s: float) -> dict[str, Any]:
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                found: dict[str, Any] = client.get(place).json()
                if until(found):
                    return found
                time.sleep(0.05)
            raise AssertionError(f"{found}\n{(tmp_path / 'worker.log').read_text()}")

        job(lambda found: found["progress"]["done"] >= 1, 120)
        first.kill()
        assert first.wait(10) == -signal.SIGKILL
        halfway = client.get(place).json()
        assert halfway["state"] == "running" and 1 <= halfway["progress"]["done"] < len(SIDES)
        early = client.get(halfway["items"][0]["result"])
        second = worker(broker.url, results, tmp_path)
        stack.callback(second.kill)
        done = job(lambda found: found["state"] not in ("queued", "running"), 240)
        assert done["state"] == "done" and done["progress"] == {"done": len(SIDES), "total": len(SIDES)}
        for side, item in zip(SIDES, done["items"], strict=True):
            answer = client.get(item["result"])
            assert answer.headers["content-type"] == "image/webp"
            assert Image.open(io.BytesIO(answer.content)).size == (side, side)
        # What was there before the worker died is what is there now.
        assert client.get(done["items"][0]["result"]).content == early.content
        with zipfile.ZipFile(io.BytesIO(client.get(done["results"]).content)) as archive:
            assert archive.testzip() is None and len(archive.namelist()) == len(SIDES)
        assert client.delete(place).status_code == 204 and client.get(place).status_code == 404
        second.terminate()
        assert second.wait(30) == 0
        assert served.end(signal.SIGTERM) == 0


def test_a_service_whose_job_store_is_away_is_not_ready_and_says_why(fake: None, tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(brokers.RedisServer())
        settings = Settings(broker=redis.url, keys_file=tmp_path / "keys.json", cache="off")
        client = stack.enter_context(TestClient(create_app(settings), base_url="http://localhost"))
        assert client.get("/readyz").json()["checks"]["jobs"] is True

        def becomes(status: int) -> dict[str, Any]:
            deadline = time.monotonic() + 120
            while (answer := client.get("/readyz")).status_code != status:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            found: dict[str, Any] = answer.json()
            return found

        redis.kill()
        away = becomes(503)
        assert away["checks"] == {"model": True, "keys": True, "accepting": True, "room": True, "jobs": False}
        assert away["reasons"] == ["The job store does not answer; see the log."]
        # What needs no job goes on, and the figures with it.
        assert client.post("/matte", files={"image": tiny.picture(1)}).status_code == 200
        assert client.get("/healthz").status_code == 200
        assert "bshm_jobs_depth NaN" in client.get("/metrics").text
        redis.start()
        assert becomes(200)["reasons"] == []


def test_servers_that_share_a_redis_share_their_results_and_serve_without_it(fake: None, tmp_path: Path) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(brokers.RedisServer())

        def server(name: str) -> TestClient:
            settings = Settings(cache=redis.url, jobs=False, keys_file=tmp_path / name, cache_age_s=30)
            return stack.enter_context(TestClient(create_app(settings), base_url="http://localhost"))

        one, other = server("one"), server("other")

        def ask(client: TestClient, number: int) -> tuple[str, bytes]:
            answer = client.post("/matte", files={"image": tiny.picture(number)})
            assert answer.status_code == 200
            return answer.headers["x-bshm-cache"], answer.content

        made = ask(one, 1)[1]
        assert ask(other, 1) == ("hit", made)
        assert ask(other, 2)[0] == "miss" and ask(one, 2)[0] == "hit"
        assert tiny.number_of(made) == 1
        # No result outlives its age, whichever server put it there.
        from bshm.jobs.redis_store import connect

        store = connect(redis.url)
        ages = [store.pttl(key) for key in store.keys("bshm:*")]
        store.close()
        assert len(ages) == 2 and all(0 < age <= 30_000 for age in ages)
        redis.kill()
        assert ask(one, 1) == ("miss", made)
        redis.start()
        assert ask(other, 1)[0] in ("hit", "miss") and ask(other, 1)[0] == "hit"
