"""The service: beside a process a request, latency by connections, memory over a thousand requests, overload.

    python -m benchmarks.service [--out benchmarks/results/service.json] [--quick] [--only PART ...]

Everything runs on this machine and talks over 127.0.0.1 alone; every loop is bounded in count and time.  Method: the
two sides of a ratio take turns, each for several rounds, and the median of the rounds' ratios counts; latencies are
those that a client sees, connection kept open, cache off unless it says otherwise.  Beside each part stand the load
averages before and after it: on a machine that does other work, believe ratios and seconds of the processor.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "image-matting" / "1.png"
BOUNDARY = "benchmark"


def photo(width: int, height: int, form: str = "JPEG", seed: int = 0) -> bytes:
    """The sample at another size, with a corner that makes each seed another picture."""
    with Image.open(SAMPLE) as sample:
        image = sample.convert("RGB").resize((width, height))
    image.putpixel((seed % width, 0), (seed * 37 % 256, seed * 91 % 256, seed % 256))
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def multipart(data: bytes, **fields: str) -> bytes:
    """A body with one picture."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'.encode())
    return b"".join([*parts, data, f"\r\n--{BOUNDARY}--\r\n".encode()])


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, path: str = "/matte") -> tuple[int, float, bytes]:
        """Status, seconds and answer."""
        started = time.perf_counter()
        for attempt in (0, 1):
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
            try:
                headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
                self._connection.request("POST", path, body, headers)
                answer = self._connection.getresponse()
                data = answer.read()
                if answer.getheader("Connection") == "close":
                    self._close()
                return answer.status, time.perf_counter() - started, data
            except (http.client.HTTPException, ConnectionError):
                self._close()
                if attempt:
                    raise
        raise AssertionError

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@contextmanager
def service(*words: str) -> Iterator[tuple[int, int]]:
    """`bshm serve`: its port and process id."""
    with tempfile.TemporaryDirectory() as folder:
        homes = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), folder)
        log = Path(folder) / "log"
        with log.open("w") as stderr:
            command = [sys.executable, "-m", "bshm.cli", "serve", "--port", "0", *words]
            process = subprocess.Popen(command, env={**os.environ, **homes}, stderr=stderr)
        try:
            port = _port(log, process)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(60)


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(6000):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=5)
                connection.request("GET", "/readyz")
                ready = connection.getresponse().status == 200
                connection.close()
                if ready:
                    return int(found[1])
            except OSError:
                pass
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise SystemExit(log.read_text())


@contextmanager
def process_a_request() -> Iterator[int]:
    """The baseline: a small server that starts `bshm matte` for each request, which opens the model each time."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            data = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
            command = [sys.executable, "-m", "bshm.cli", "matte", "-", "-o", "-", "--quiet"]
            done = subprocess.run(command, input=data, capture_output=True, check=True)
            self.send_response(200)
            self.send_header("Content-Length", str(len(done.stdout)))
            self.end_headers()
            self.wfile.write(done.stdout)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def load(port: int, bodies: list[bytes], connections: int) -> tuple[float, list[tuple[int, float]]]:
    """Seconds for all, and status and seconds of each, over so many connections."""
    local = threading.local()

    def one(body: bytes) -> tuple[int, float]:
        if not hasattr(local, "client"):
            local.client = Client(port)
        status, seconds, _ = local.client.post(body)
        return status, seconds

    started = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        found = list(pool.map(one, bodies))
    return time.perf_counter() - started, found


def startup(rounds: int) -> dict[str, Any]:
    """From the start of the process to the first 200 of /readyz, in turns with importing what it cannot do without."""
    imports = [sys.executable, "-c", "import cv2, fastapi, numpy, onnxruntime, uvicorn"]
    ready, processor, bare = [], [], []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(imports, check=True)
        bare.append(time.perf_counter() - started)
        started = time.perf_counter()
        with service() as (_, pid):
            ready.append(time.perf_counter() - started)
            # User and system time, fields 14 and 15 of proc(5); the name before them may hold blanks.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            processor.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return {
        "ready_s": _rounded(ready),
        "processor_s": _rounded(processor),
        "imports_alone_s": _rounded(bare),
        "ratio_to_imports": round(statistics.median(a / b for a, b in zip(ready, bare, strict=True)), 2),
    }


def against_processes(rounds: int, requests: int, connections: int = 4) -> dict[str, Any]:
    """Requests a second of both, and their ratio."""
    bodies = [multipart(photo(640, 480, seed=number)) for number in range(requests)]
    warm, cold = [], []
    with service("--cache", "off", "--no-jobs") as (port, _), process_a_request() as other:
        load(port, bodies[:2], 1)
        load(other, bodies[:1], 1)
        for _ in range(rounds):
            warm.append(requests / load(port, bodies, connections)[0])
            few = bodies[: max(4, requests // 4)]
            cold.append(len(few) / load(other, few, connections)[0])
    ratios = [a / b for a, b in zip(warm, cold, strict=True)]
    return {
        "picture": "640x480 JPEG",
        "connections": connections,
        "service_per_s": _rounded(warm),
        "process_a_request_per_s": _rounded(cold),
        "ratio": round(statistics.median(ratios), 1),
        "ratios": _rounded(ratios),
    }


def latencies(requests: int) -> list[dict[str, Any]]:
    """p50 and p99 as clients see them, by the number of connections."""
    found = []
    with service("--cache", "off", "--no-jobs", "--queue", "128", "--request-timeout-s", "300") as (port, _):
        load(port, [multipart(photo(640, 480, seed=9999))] * 3, 1)
        for connections in (1, 4, 16, 64):
            count = max(requests, 2 * connections)
            bodies = [multipart(photo(640, 480, seed=number)) for number in range(count)]
            seconds, answers = load(port, bodies, connections)
            times = sorted(each for _, each in answers)
            found.append(
                {
                    "connections": connections,
                    "requests": count,
                    "failed": sum(status != 200 for status, _ in answers),
                    "per_s": round(count / seconds, 1),
                    "p50_ms": round(1000 * times[len(times) // 2], 1),
                    "p99_ms": round(1000 * times[min(len(times) - 1, int(len(times) * 0.99))], 1),
                }
            )
    return found


def steadiness(requests: int) -> dict[str, Any]:
    """Memory, files and threads of the service over mixed requests."""
    kinds = [(320, 240), (640, 480), (480, 640), (800, 600), (1024, 256), (512, 512), (300, 300)]
    options: list[dict[str, str]] = [
        {},
        {"format": "webp"},
        {"background": "white", "format": "jpg"},
        {"alpha": "1"},
        {"crop": "1"},
        {"background": "blur"},
        {"format": "zip"},
    ]
    samples: list[dict[str, float]] = []
    statuses: dict[int, int] = {}
    with service("--cache-bytes", str(8 << 20), "--no-jobs") as (port, pid):
        for start in range(0, requests, 50):
            bodies = []
            for number in range(start, min(start + 50, requests)):
                body = multipart(photo(*kinds[number % 7], seed=number), **options[number * 3 % 7])
                bodies.append(multipart(b"no picture") if number % 25 == 24 else body)
            for status, _ in load(port, bodies, 4)[1]:
                statuses[status] = statuses.get(status, 0) + 1
            samples.append({"after": start + len(bodies), **_resources(pid)})
        time.sleep(1)
        end = _resources(pid)
    first = next(each for each in samples if each["after"] >= 100)
    return {
        "requests": requests,
        "statuses": statuses,
        "memory_mb_after_100": first["memory_mb"],
        "memory_mb_at_the_end": end["memory_mb"],
        "growth": round(end["memory_mb"] / first["memory_mb"] - 1, 3),
        "files_after_100": first["files"],
        "files_at_the_end": end["files"],
        "threads_after_100": first["threads"],
        "threads_at_the_end": end["threads"],
        "samples": samples,
    }


def overload(seconds: float) -> dict[str, Any]:
    """Ten times as many clients as fit: who is served, who is sent away and how quickly, and what is left of it."""
    body = multipart(photo(640, 480))
    with service("--cache", "off", "--no-jobs", "--queue", "4") as (port, pid):
        load(port, [body] * 2, 1)
        before = _resources(pid)
        end = time.monotonic() + seconds
        served: list[float] = []
        refused: list[float] = []
        other: list[int] = []

        def client(number: int) -> None:
            mine = Client(port)
            for turn in range(2000):
                if time.monotonic() > end:
                    return
                status, taken, _ = mine.post(multipart(photo(640, 480, seed=number * 2000 + turn)))
                (served if status == 200 else refused if status == 503 else []).append(taken)
                if status not in (200, 503):
                    other.append(status)
                if status == 503:
                    time.sleep(0.2)  # far sooner than Retry-After asks: these clients are rude

        with ThreadPoolExecutor(40) as pool:
            list(pool.map(client, range(40)))
        time.sleep(1)
        after = _resources(pid)
        status, taken, _ = Client(port).post(body)
    return {
        "seconds": seconds,
        "clients": 40,
        "queue": 4,
        "served": len(served),
        "refused_with_503": len(refused),
        "other_statuses": sorted(set(other)),
        "served_p99_ms": round(1000 * _p99(served), 1),
        "refused_p50_ms": round(1000 * statistics.median(refused), 1) if refused else None,
        "refused_p99_ms": round(1000 * _p99(refused), 1),
        "memory_mb_before": before["memory_mb"],
        "memory_mb_after": after["memory_mb"],
        "files_before": before["files"],
        "files_after": after["files"],
        "afterwards": {"status": status, "ms": round(1000 * taken, 1)},
    }


def _p99(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))] if times else 0.0


def _resources(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    memory = int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]
    threads = int(re.search(r"Threads:\s+(\d+)", status)[1])  # type: ignore[index]
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return {"memory_mb": round(memory / 1024, 1), "files": files, "threads": threads}


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 2) for value in values]


def main() -> None:
    """Measure all of it and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "service.json")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything: does it run?")
    parser.add_argument("--only", nargs="+", metavar="PART", help="these parts; the others stay as the file has them")
    arguments = parser.parse_args()
    part = 0.1 if arguments.quick else 1.0
    parts: dict[str, Callable[[], Any]] = {
        "startup": lambda: startup(max(2, int(7 * part))),
        "against_a_process_a_request": lambda: against_processes(max(1, int(3 * part)), max(8, int(16 * part))),
        "latency": lambda: latencies(max(8, int(40 * part))),
        "steadiness": lambda: steadiness(max(200, int(1000 * part))),
        "overload": lambda: overload(max(5.0, 60 * part)),
    }
    if unknown := set(arguments.only or ()) - set(parts):
        parser.error(f"--only takes {', '.join(parts)}; got {', '.join(sorted(unknown))}.")
    report: dict[str, Any] = {}
    if arguments.only and arguments.out.is_file():
        report = json.loads(arguments.out.read_text(encoding="utf-8"))
    report |= {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
    }
    loads = report.setdefault("load_average", {})
    for name in arguments.only or parts:
        before = os.getloadavg()[0]
        report[name] = parts[name]()
        loads[name] = _rounded([before, os.getloadavg()[0]])
        print(
            name,
            json.dumps(
                {k: v for k, v in report[name].items() if k != "samples"}
                if isinstance(report[name], dict)
                else report[name]
            ),
        )
        arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
