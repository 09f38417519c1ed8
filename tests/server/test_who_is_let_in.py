"""Keys that go while the service runs, names that only look like this machine's, files that others may not read."""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from faked import Faked
from sent import picture
from starlette.testclient import TestClient

from bshm.cli import main
from bshm.errors import OutputError
from bshm.files import private
from bshm.jobs import EmbeddedQueue, JobItem, JobRequest, Product
from bshm.jobs.folder_blobs import FolderBlobs
from bshm.server.keys import Keys

PROTECTED = ("/metrics", "/jobs/x", "/v1.0/account", "/no/such/page")


def keys_of(client: TestClient) -> Keys:
    return client.app.state.service.keys  # type: ignore[attr-defined,no-any-return]


def gone(how: str, keys: Keys) -> None:
    """Take all keys away."""
    if how == "revoked":
        for key in keys.all():
            keys.revoke(key.id)
    elif how == "deleted":
        keys.path.unlink()
    else:
        keys.path.write_text('{"format": 1, "keys": []}', encoding="utf-8")


@pytest.mark.parametrize("how", ["revoked", "deleted", "emptied"])
@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_where_the_last_key_has_gone_nobody_is_let_in(start: Any, how: str, host: str) -> None:
    client = start(host=host)
    _, secret = keys_of(client).add("shop")
    assert client.get("/metrics", headers={"X-Api-Key": secret}).status_code == 200
    gone(how, keys_of(client))
    for headers in ({}, {"Host": "localhost"}, {"Host": "127.0.0.1"}, {"X-Api-Key": secret}, {"X-Api-Key": ""}):
        assert [client.get(path, headers=headers).status_code for path in PROTECTED] == [401, 401, 403, 401]
        assert client.post("/matte", files={"image": picture()}, headers=headers).status_code == 401
        assert client.post("/jobs", files={"image": picture()}, headers=headers).status_code == 401
    assert client.get("/healthz").status_code == 200
    _, another = keys_of(client).add("shop")
    assert client.get("/metrics", headers={"X-Api-Key": another}).status_code == 200


def test_other_machines_are_never_served_without_keys_unless_that_was_asked_for(start: Any) -> None:
    assert start(host="0.0.0.0").get("/metrics", headers={"Host": "localhost"}).status_code == 401
    open_to_all = start(host="0.0.0.0", allow_open=True)
    assert open_to_all.get("/metrics", headers={"Host": "any.example"}).status_code == 200


def test_a_running_service_is_closed_by_revoking_its_last_key(tmp_path: Path) -> None:
    file = tmp_path / "bshm" / "keys.json"
    _, secret = Keys(file).add("shop")
    with Faked(tmp_path, "--host", "0.0.0.0") as service:

        def asked(**headers: str) -> int:
            return httpx.get(f"{service.url}/metrics", headers=headers, trust_env=False).status_code

        assert [asked(), asked(**{"X-Api-Key": secret})] == [401, 200]
        assert main(["keys", "revoke", "shop", "--keys-file", str(file)]) == 0
        assert [asked(), asked(Host="localhost"), asked(**{"X-Api-Key": secret})] == [401, 401, 401]
        file.unlink()
        assert [asked(), asked(Host="localhost"), asked(**{"X-Api-Key": secret})] == [401, 401, 401]
        assert service.log.count("no API keys any more") == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000@evil.example",
        "localhost:8000@evil.example",
        "localhost@evil.example",
        "localhost:80:80",
        "localhost:http",
        "localhost/",
        "localhost#",
        " localhost",
        "[::1",
        "[::1]evil.example",
        "::1",
        ":8000",
        "",
    ],
)
def test_what_only_looks_like_a_name_of_this_machine_is_none(client: TestClient, host: str) -> None:
    assert client.get("/metrics", headers={"Host": host}).status_code == 403


def test_a_name_of_this_machine_is_of_no_use_to_who_comes_through_a_proxy(start: Any) -> None:
    app = start().app
    elsewhere = TestClient(app, base_url="http://localhost", client=("203.0.113.9", 1))
    here = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1))
    assert (elsewhere.get("/metrics").status_code, here.get("/metrics").status_code) == (403, 200)


def test_names_that_are_allowed_are_so_in_any_case(start: Any) -> None:
    client = start(allowed_hosts=("Cut.Example.org",))
    assert client.get("/metrics", headers={"Host": "cut.EXAMPLE.org:8443"}).status_code == 200


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    logger = logging.getLogger("bshm.server")
    before, logger.propagate = logger.propagate, True
    with caplog.at_level(logging.INFO, "bshm.server"):
        yield caplog
    logger.propagate = before


def test_keys_that_cannot_be_read_close_the_service_without_telling_where_they_are(
    client: TestClient, told: pytest.LogCaptureFixture
) -> None:
    keys = keys_of(client)
    _, secret = keys.add("shop")
    good = keys.path.read_bytes()
    for broken in (b"{", b"", b"[]", b"\xff\xfe", b'{"keys": [{"id": 1}]}'):
        keys.path.write_bytes(broken)
        for headers in ({}, {"X-Api-Key": secret}):
            for path in ("/metrics", "/jobs/x", "/no/such/page"):
                answer = client.get(path, headers=headers)
                assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
                assert "keys.json" not in answer.text and str(keys.path.parent) not in answer.text
            assert client.post("/matte", files={"image": picture()}, headers=headers).status_code == 503
        # It lives, but is of no use: what restarts it must not, what sends pictures to it must not, either.
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503 and ready.json()["checks"]["keys"] is False
    errors = [record for record in told.records if record.levelno == logging.ERROR]
    assert len(errors) == 1 and str(keys.path) in str(errors[0].fields)  # type: ignore[attr-defined]
    keys.path.write_bytes(good)
    assert client.get("/metrics", headers={"X-Api-Key": secret}).status_code == 200
    assert client.get("/readyz").status_code == 200


def readable_by_others(folder: Path) -> list[str]:
    """What another user reaches of a folder: that which it may enter, and what is in it."""
    if not stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return []
    found = [str(folder)]
    for path in folder.iterdir():
        if path.is_dir():
            found += readable_by_others(path)
        elif stat.S_IMODE(path.stat().st_mode) & 0o077:
            found.append(str(path))
    return found


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("is_there", [False, True])
def test_jobs_in_a_folder_are_read_by_nobody_else(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "shared"
    if is_there:
        for each in (folder, folder / "uploads"):
            each.mkdir(mode=0o755)
    blobs = FolderBlobs(folder)
    blobs.put("a" * 32 + "/in-0", b"picture")
    assert readable_by_others(folder) == []
    embedded = tmp_path / "embedded"
    if is_there:
        (embedded / "pictures").mkdir(parents=True, mode=0o755)
    queue = EmbeddedQueue(embedded, lambda *_: Product(b"cut", "image/png"))
    queue.submit(JobRequest((JobItem("anna.jpg", b"picture"),)))
    assert readable_by_others(embedded) == []
    queue.close()


@pytest.mark.usefixtures("usual_umask")
def test_a_folder_that_holds_other_things_stays_as_it_is_and_jobs_in_it_are_closed(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    (folder / "letter.txt").write_text("for all")
    with private.files():  # as `bshm serve` has it
        queue = EmbeddedQueue(folder, lambda *_: Product(b"cut", "image/png"))
        queue.submit(JobRequest((JobItem("anna.jpg", b"picture"),)))
        queue.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert readable_by_others(folder) == [str(folder), str(folder / "letter.txt")]


def test_a_group_that_was_given_a_part_keeps_it(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    folder.chmod(0o2775)
    private.folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o2770
    everybody = tmp_path / "tmp"
    everybody.mkdir()
    everybody.chmod(0o1777)
    private.folder(everybody)
    assert stat.S_IMODE(everybody.stat().st_mode) == 0o1777


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file"):
        private.folder(tmp_path / "file" / "jobs")


@pytest.mark.usefixtures("usual_umask")
def test_nothing_that_a_running_service_writes_is_for_others(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir(mode=0o755)
    with Faked(tmp_path, "--results", str(folder)) as service:
        sent = httpx.post(f"{service.url}/jobs", files={"image": picture()}, trust_env=False)
        place = f"{service.url}{sent.headers['location']}"
        while httpx.get(place, trust_env=False).json()["state"] in ("queued", "running"):
            time.sleep(0.05)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) >= 2 and not [path for path in files if path.stat().st_mode & 0o077]
        assert not [path for path in (folder, *folder.rglob("*")) if path.is_dir() and path.stat().st_mode & 0o077]


def test_the_page_needs_no_key_and_what_is_not_its_own_does(client: TestClient) -> None:
    keys_of(client).add("shop")
    for path in ("/", "/index.html", "/style.css", "/app/main.js", "/docs", "/openapi.json", "/readyz"):
        assert client.get(path).status_code == 200, path
    for path in ("/metrics", "/jobs/x", "/api/remove?url=x", "/settings.py", "/app", "/appendix"):
        assert client.get(path).status_code == 401, path
    assert json.loads(client.get("/v1.0/account").text)["errors"][0]["code"] == "auth_failed"
