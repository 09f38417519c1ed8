"""A disk without room: told as such, and what was accepted before still ends."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sent import picture
from test_job_routes import ended

from bshm.jobs import runner
from bshm.server import archives

WAYS = [("/matte", "image"), ("/jobs", "image"), ("/v1.0/removebg", "image_file")]


def large(side: int) -> bytes:
    """A picture of people alone whose file, and whose result, take about two bytes a pixel."""
    pixels = np.random.default_rng(side).integers(0, 64, (side, side, 3), dtype=np.uint8)
    pixels[..., 0] = 240 - pixels[..., 0] // 4
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def no_room(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv/secret/place")


def check_full(answer: Any) -> None:
    assert answer.status_code == 507, answer.text
    assert "/srv" not in answer.text and "bshm itself" not in answer.text
    if answer.headers["content-type"] == "application/problem+json":
        assert answer.json()["type"] == "urn:bshm:problem:disk-full"
    else:
        assert answer.json()["errors"][0]["title"] == "The service has no room left"


@pytest.mark.parametrize(("path", "name"), WAYS)
def test_an_upload_for_which_there_is_no_room_is_told_so(
    client: Any, path: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", no_room)
    check_full(client.post(path, files={name: large(800)}))
    assert client.post(path, files={name: picture()}).status_code in (200, 202)


def test_a_zip_is_not_called_damaged_where_there_is_no_room_for_its_pictures(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("anna.png", picture())
    sent = {"files": {"archive": packed.getvalue()}}
    with monkeypatch.context() as patched:
        patched.setattr(archives, "copy", no_room)
        check_full(client.post("/jobs", **sent))
        check_full(client.post("/jobs", files={"image": picture()}))
    assert client.post("/jobs", **sent).status_code == 202


def test_with_too_many_files_open_the_service_is_busy_and_not_at_fault(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", none_left)
    answer = client.post("/matte", files={"image": large(800)})
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1


def test_a_database_that_cannot_grow_takes_no_job_and_goes_on_when_it_can(client: Any) -> None:
    records = client.app.state.service.queue._store.records
    pages = records._read("PRAGMA page_count", ())[0][0]
    records._read(f"PRAGMA max_page_count = {pages}", ())
    check_full(client.post("/jobs", files=[("image", (f"{number}.png", picture())) for number in range(60)]))
    records._read("PRAGMA max_page_count = 1000000", ())
    place = client.post("/jobs", files={"image": picture()}).headers["location"]
    assert ended(client, place)["state"] == "done"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, *, but: int) -> Path:
    """A file that leaves ``but`` bytes free."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:  # others write at the same time
        file.write(bytes(max(0, free - but)))
    return filler


@pytest.mark.parametrize(("path", "name"), WAYS)
def test_uploads_go_on_when_the_disk_of_temporary_files_has_room_again(
    start: Callable[..., Any], small_disk: Path, path: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    filler = fill(small_disk, but=200_000)
    check_full(client.post(path, files={name: large(800)}))
    assert os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize >= 190_000  # nothing is left of it
    filler.unlink()
    assert client.post(path, files={name: large(800)}).status_code in (200, 202)


def test_what_was_accepted_ends_though_the_disk_of_the_jobs_is_full(
    start: Callable[..., Any], small_disk: Path
) -> None:
    client = start(results=str(small_disk / "jobs"))
    data, places = large(450), []
    for number in range(12):
        sent = client.post("/jobs", files=[("image", (f"{number}.png", data))], data={"format": "tiff"})
        if sent.status_code == 202:
            places.append(sent.headers["location"])
        else:
            check_full(sent)
    check_full(client.post("/jobs", files=[("image", (f"{number}.png", data)) for number in range(8)]))
    assert places
    jobs = [ended(client, place) for place in places]
    assert {job["state"] for job in jobs} <= {"done", "failed"} and any(job["state"] == "done" for job in jobs)
    for item in (item for job in jobs for item in job["items"] if item["state"] == "failed"):
        assert item["error"]["code"] == "disk_full" and str(small_disk) not in item["error"]["message"]
    # What is deleted makes room.
    assert [client.delete(place).status_code for place in places] == [204] * len(places)
    place = client.post("/jobs", files={"image": data}).headers["location"]
    assert ended(client, place)["state"] == "done"


def test_a_job_whose_disk_others_have_filled_waits_for_room_and_ends(
    start: Callable[..., Any], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_PATIENCE_S", 60.0)
    client = start(results=str(small_disk / "jobs"), job_timeout_s=60)
    filler = fill(small_disk, but=1_300_000)
    place = client.post("/jobs", files=[("image", (f"{n}.png", picture())) for n in range(20)]).headers["location"]
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    check_full(client.post("/jobs", files={"image": picture()}))
    assert client.get(place).status_code == 200
    filler.unlink()
    job = ended(client, place)
    assert job["progress"] == {"done": 20, "total": 20}
    assert {item["error"]["code"] for item in job["items"] if item["state"] == "failed"} <= {"disk_full"}
