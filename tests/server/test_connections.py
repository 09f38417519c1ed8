"""Connections: more than there is room for, half-sent heads and bodies, answers that nobody reads."""

from __future__ import annotations

import resource
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from faked import Faked, answered, is_closed
from sent import picture

from bshm.errors import OptionError
from bshm.server.connections import most_connections

HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: loc"
HEAD_OF_A_PICTURE = (
    b"POST /matte HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: 5000\r\n\r\n--b\r\n"
)


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))


def figure(service: Faked, name: str) -> float:
    text = httpx.get(f"{service.url}/metrics", trust_env=False).text
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])


def test_more_connections_than_files_leave_the_service_alive_and_its_log_short(tmp_path: Path) -> None:
    with Faked(tmp_path, before=few_files) as service, ExitStack() as open_until_the_end:
        for number in range(160):
            connection = service.connected(HALF_A_HEAD if number % 2 else b"")
            open_until_the_end.enter_context(connection)
        for _ in range(3):
            assert httpx.get(f"{service.url}/healthz", trust_env=False, timeout=20).status_code == 200
        answer = httpx.post(f"{service.url}/matte", files={"image": picture()}, trust_env=False, timeout=60)
        assert answer.status_code == 200
        assert figure(service, "bshm_connections") <= 64 and figure(service, "process_open_fds") < 120
        assert service.log.count('"connections"') == 1 and "Traceback" not in service.log
        assert len(service.log) < 5000
        assert service.stop() == 0


def test_places_taken_by_who_reads_nothing_are_given_to_who_does(tmp_path: Path) -> None:
    head = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Faked(tmp_path, "--connections", "10") as service, ExitStack() as open_until_the_end:
        for _ in range(12):
            open_until_the_end.enter_context(service.connected(head * 4, buffer=4096))
        for _ in range(3):
            assert httpx.get(f"{service.url}/healthz", trust_env=False, timeout=30).status_code == 200
        assert figure(service, "bshm_connections") <= 10


def test_a_full_service_cuts_no_request_that_is_being_worked_on(tmp_path: Path) -> None:
    body = picture((2400, 2400))
    head = (
        "POST /api/remove HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with Faked(tmp_path, "--connections", "4") as service, ExitStack() as open_until_the_end:
        working = [open_until_the_end.enter_context(service.connected(head.encode() + body)) for _ in range(2)]
        deadline = time.monotonic() + 30
        while figure(service, "bshm_queue_depth") < 2:
            assert time.monotonic() < deadline
        for _ in range(30):
            open_until_the_end.enter_context(service.connected(HALF_A_HEAD))
        for connection in working:
            assert answered(connection).startswith(b"HTTP/1.1 200 ")


def test_half_a_head_is_given_up_and_so_is_none(tmp_path: Path) -> None:
    with Faked(tmp_path, "--idle-timeout-s", "1") as service:
        began = time.monotonic()
        with service.connected(HALF_A_HEAD) as half, service.connected() as silent:
            answer = answered(half)
            assert answer.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in answer
            assert is_closed(half) and is_closed(silent)
        assert time.monotonic() - began >= 1
        # One that goes on sending, a little at a time, has no longer.
        with service.connected(HALF_A_HEAD) as slow:
            slow.settimeout(0.2)
            answer, until = b"", time.monotonic() + 20
            while not answer and time.monotonic() < until:
                slow.sendall(b"x")
                try:
                    answer = slow.recv(4096)
                except TimeoutError:
                    continue
            assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_stops_coming_is_told_so_and_makes_room(tmp_path: Path) -> None:
    with (
        Faked(tmp_path, "--idle-timeout-s", "1", "--queue", "1") as service,
        service.connected(HEAD_OF_A_PICTURE) as connection,
    ):
        answer = answered(connection, until=b"urn:bshm:problem:too-slow")
        assert answer.startswith(b"HTTP/1.1 408 ") and b"urn:bshm:problem:too-slow" in answer
        sent: dict[str, Any] = {"files": {"image": picture()}, "trust_env": False, "timeout": 60}
        assert httpx.post(f"{service.url}/matte", **sent).status_code == 200
        assert is_closed(connection)


def test_a_body_that_nobody_wants_does_not_keep_its_connection(tmp_path: Path) -> None:
    with Faked(tmp_path, "--idle-timeout-s", "1") as service:
        head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
        with service.connected(head) as connection:
            connection.settimeout(0.2)
            until, closed = time.monotonic() + 20, False
            while not closed and time.monotonic() < until:
                try:
                    connection.sendall(b"x")
                    closed = not connection.recv(4096)
                except TimeoutError:
                    continue
                except ConnectionError:
                    closed = True
            assert closed


def test_an_answer_that_nobody_reads_is_given_up(tmp_path: Path) -> None:
    head = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Faked(tmp_path, "--idle-timeout-s", "1") as service, service.connected() as connection:
        # So many that no buffer of the system holds their answers.
        connection.sendall(head * 20)
        deadline = time.monotonic() + 30
        while figure(service, "bshm_connections") > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert figure(service, "bshm_connections") == 1  # that which asks


def test_a_slow_reader_gets_all_of_its_answer(tmp_path: Path) -> None:
    with Faked(tmp_path, "--idle-timeout-s", "2") as service:
        whole = httpx.get(f"{service.url}/docs/swagger-ui-bundle.js", trust_env=False).content
        head = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with service.connected(head, buffer=16384) as connection:
            got = b""
            while part := connection.recv(65536):
                got += part
                time.sleep(5 * len(part) / len(whole))  # in all, far longer than nothing may move
        assert got.partition(b"\r\n\r\n")[2] == whole


def test_half_sent_uploads_do_not_hold_a_stop_and_end_without_a_trace(tmp_path: Path) -> None:
    with Faked(tmp_path) as service, service.connected(HEAD_OF_A_PICTURE) as upload, service.connected(HALF_A_HEAD):
        deadline = time.monotonic() + 20
        while figure(service, "bshm_queue_depth") < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        answer = answered(upload)
        assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after" in answer
        assert service.process.wait(60) == 0
        assert time.monotonic() - began < 20  # of the 30 seconds that requests have to end
        assert "Traceback" not in service.log and '"stopped"' in service.log.splitlines()[-1]


def test_an_upload_that_drips_is_cut_off_by_a_stop_without_a_trace(tmp_path: Path) -> None:
    with Faked(tmp_path, "--shutdown-timeout-s", "4") as service, service.connected(HEAD_OF_A_PICTURE) as upload:
        service.process.send_signal(signal.SIGTERM)
        upload.settimeout(0.2)
        answer, deadline = b"", time.monotonic() + 30
        while not answer and time.monotonic() < deadline:
            upload.sendall(b"x")
            try:
                answer = upload.recv(65536)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert service.process.wait(60) == 0 and "Traceback" not in service.log


def test_every_line_of_the_log_is_json_whoever_writes_it(tmp_path: Path) -> None:
    import json

    with Faked(tmp_path) as service:
        with service.connected(b"\x16\x03\x01 this is no HTTP\r\n\r\n") as connection:
            assert is_closed(connection)
        httpx.get(f"{service.url}/healthz", headers={"Upgrade": "h2c", "Connection": "Upgrade"}, trust_env=False)
        # Of this the library that reads forms warns.
        form = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\nand what is no part of it'
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        httpx.post(f"{service.url}/matte", content=form, headers=kind, trust_env=False)
        assert service.stop() == 0
        lines = [line for line in service.log.splitlines() if not line.startswith("bshm: http")]
    assert {"ready", "stopped"} < {json.loads(line)["event"] for line in lines}


def test_a_cap_that_the_limit_of_files_has_no_room_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def limit(files: int) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))

    limit(1024)
    assert 128 < most_connections(None) < 512
    assert most_connections(200) == 200
    with pytest.raises(OptionError, match="--connections 2000"):
        most_connections(2000)
    limit(1_000_000)
    assert most_connections(None) == 4096
    limit(resource.RLIM_INFINITY)
    assert most_connections(2000) == 2000


def test_the_figures_of_the_process_are_among_the_metrics(client: Any) -> None:
    text = client.get("/metrics").text
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_max_fds"):
        assert f"\n{name} " in text
