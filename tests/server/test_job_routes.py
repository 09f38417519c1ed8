"""``/jobs`` over the embedded queue."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from typing import Any

import pytest
from sent import opened, picture

from bshm.errors import PictureTooLargeError, UnreadablePictureError
from bshm.pipeline import Matting
from bshm.server import archives
from bshm.server.fields import PictureFields
from bshm.server.routes.jobs import JobFields
from bshm.server.settings import Settings


def ended(client: Any, place: str, **given: Any) -> dict[str, Any]:
    """The job once it has ended."""
    for _ in range(600):
        job: dict[str, Any] = client.get(place, **given).json()
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job did not end: {job}")


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_several_pictures_are_accepted_and_their_results_fetched(client: Any) -> None:
    files = [("image", ("anna.png", picture())), ("image", ("ben.png", picture((32, 32), person=(8, 8, 24, 24))))]
    accepted = client.post("/jobs", files=files, data={"background": "white", "format": "jpg"})
    assert accepted.status_code == 202
    place = accepted.headers["location"]
    job = ended(client, place)
    assert job["state"] == "done" and job["progress"] == {"done": 2, "total": 2}
    assert [item["name"] for item in job["items"]] == ["anna.png", "ben.png"]
    second = client.get(job["items"][1]["result"])
    assert second.headers["content-type"] == "image/jpeg" and opened(second.content).size == (32, 32)
    whole = client.get(job["results"])
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert archive.testzip() is None and archive.namelist() == ["0-anna.jpg", "1-ben.jpg"]
        assert archive.read("1-ben.jpg") == second.content


def test_a_zip_of_results_names_the_pictures_that_failed(client: Any) -> None:
    files = [("image", ("anna.png", picture())), ("image", ("bén.png", b"bad")), ("image", ("cleo.png", picture()))]
    job = ended(client, client.post("/jobs", files=files).headers["location"])
    with zipfile.ZipFile(io.BytesIO(client.get(job["results"]).content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["0-anna.png", "2-cleo.png", "errors.json"]
        (told,) = json.loads(archive.read("errors.json"))
    assert told == {"index": 1, "name": "bén.png", "error": job["items"][1]["error"]}
    assert told["error"]["code"] == "unreadable_picture" and told["error"]["message"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"format": "zip"},
        {"format": "webp", "quality": "100", "decontaminate": "0"},
        {"alpha": "1", "exact": "1"},
        {"crop": "1", "crop_margin": "3px 10%"},
        {"scale": "50%", "position": "center", "shadow": "1"},
        {"background": "30,144,255", "format": "tiff"},
        {"background": "blur:3"},
        {"strip_metadata": "1"},
    ],
)
def test_a_job_makes_the_same_file_as_a_single_request_with_the_same_fields(client: Any, data: dict[str, str]) -> None:
    sent = picture(exif={315: "Anna"})
    single = client.post("/matte", files={"image": sent}, data=data)
    job = ended(client, client.post("/jobs", files={"image": ("a.b.png", sent)}, data=data).headers["location"])
    result = client.get(f"/jobs/{job['id']}/results/0")
    assert result.content == single.content
    assert result.headers["content-type"] == single.headers["content-type"]
    suffix = single.headers["content-disposition"].rpartition("cutout")[2]
    assert result.headers["content-disposition"] == f'attachment; filename="a.b{suffix}'
    details = job["items"][0]["details"]
    assert [str(details[side]) for side in ("width", "height")] == [
        single.headers[f"x-{s}"] for s in ("width", "height")
    ]


def test_a_job_lies_over_a_picture_as_a_single_request_does(client: Any) -> None:
    files = {"image": picture(), "background_image": picture((8, 8), person=None)}
    single = client.post("/matte", files=files)
    place = client.post("/jobs", files=files).headers["location"]
    ended(client, place)
    assert client.get(f"{place}/results/0").content == single.content


def test_there_is_no_field_of_a_single_request_that_a_job_does_not_take() -> None:
    assert set(JobFields.model_fields) - set(PictureFields.model_fields) == {
        "keep_s",
        "webhook_url",
        "idempotency_key",
    }
    assert issubclass(JobFields, PictureFields)


def test_a_zip_is_a_job_with_its_pictures(client: Any) -> None:
    archive = zipped({"a/anna.png": picture(), "__MACOSX/a/._anna.png": b"x", "b/.DS_Store": b"x", "ben.png": b"bad"})
    job = ended(client, client.post("/jobs", files={"archive": archive}).headers["location"])
    assert [(item["name"], item["state"]) for item in job["items"]] == [("anna.png", "done"), ("ben.png", "failed")]
    assert job["items"][1]["error"]["code"] == "unreadable_picture"


def test_an_idempotency_key_gives_the_same_job_again(client: Any) -> None:
    def submit(key: str, data: bytes) -> Any:
        return client.post("/jobs", files={"image": ("a.png", data)}, headers={"Idempotency-Key": key})

    first, again = submit("k", picture()), submit("k", picture())
    assert first.json()["id"] == again.json()["id"] != submit("other", picture()).json()["id"]
    assert submit("k", picture((32, 32))).status_code == 409


def test_a_deleted_job_is_gone(client: Any) -> None:
    place = client.post("/jobs", files={"image": picture()}).headers["location"]
    ended(client, place)
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == client.delete(place).status_code == 404
    assert client.get(f"{place}/results/0").status_code == client.get(f"{place}/results").status_code == 404


def test_a_job_is_its_owners_alone(client: Any) -> None:
    keys = client.app.state.service.keys
    mine, other = ({"X-Api-Key": keys.add(name)[1]} for name in ("mine", "other"))
    place = client.post("/jobs", files={"image": picture()}, headers=mine).headers["location"]
    ended(client, place, headers=mine)
    for path in (place, f"{place}/results/0", f"{place}/results"):
        assert client.get(path, headers=mine).status_code == 200
        assert client.get(path, headers=other).status_code == 404
    assert client.delete(place, headers=other).status_code == 404


def test_an_owner_lists_its_own_jobs_newest_first_part_by_part(client: Any) -> None:
    keys = client.app.state.service.keys
    mine, other = ({"X-Api-Key": keys.add(name)[1]} for name in ("mine", "other"))
    places = [client.post("/jobs", files={"image": picture()}, headers=mine).headers["location"] for _ in range(3)]
    done = ended(client, places[0], headers=mine)
    whole = client.get("/jobs", headers=mine).json()
    assert [f"/jobs/{each['id']}" for each in whole["jobs"]] == places[::-1] and whole["next"] is None
    assert whole["jobs"][2] == {name: value for name, value in done.items() if name != "items"}
    seen, following = [], "/jobs?limit=2"
    while following:
        part = client.get(following, headers=mine).json()
        seen += [f"/jobs/{each['id']}" for each in part["jobs"]]
        following = part["next"]
    assert seen == places[::-1]
    assert client.get("/jobs", headers=other).json() == {"jobs": [], "next": None}
    for wrong in ("limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=nan~" + "x" * 32, "cursor=1~../../etc"):
        answer = client.get(f"/jobs?{wrong}", headers=mine)
        assert answer.status_code == 422 and list(answer.json()["errors"]) == [wrong.partition("=")[0]]


def test_without_keys_nobody_lists_the_jobs_of_others(client: Any) -> None:
    client.post("/jobs", files={"image": picture()})
    refused = client.get("/jobs")
    assert refused.status_code == 401 and "bshm keys add" in refused.json()["detail"]


def test_a_job_for_a_model_that_there_is_not_is_refused_at_once(client: Any) -> None:
    refused = client.post("/jobs", data={"model": "nonsense"}, files={"image": picture()})
    assert refused.status_code == 422 and refused.json()["type"] == "urn:bshm:problem:unknown-model"
    assert "nonsense" in refused.json()["detail"]


def test_a_job_deleted_while_it_runs_leaves_no_folder(
    start: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begun = threading.Event(), threading.Event()
    plain = Matting.matte_picture

    def slow(*given: Any) -> Any:
        begun.set()
        assert held.wait(30)
        return plain(*given)

    monkeypatch.setattr(Matting, "matte_picture", slow)
    client = start()
    place = client.post("/jobs", files={"image": picture()}).headers["location"]
    assert begun.wait(30)
    assert client.delete(place).status_code == 204
    held.set()
    ended(client, client.post("/jobs", files={"image": picture()}).headers["location"])  # by the one thread for jobs
    assert not (tmp_path / "jobs" / "pictures" / place.rpartition("/")[2]).exists()


@pytest.mark.parametrize("index", ["1", "-1", "x", "99999999", "%2e%2e", "0x0"])
def test_there_are_no_other_results(client: Any, index: str) -> None:
    place = client.post("/jobs", files={"image": picture()}).headers["location"]
    ended(client, place)
    assert client.get(f"{place}/results/{index}").status_code == 404


def test_results_are_asked_for_too_early(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from bshm.pipeline import Matting

    leave = threading.Event()
    real = Matting.matte_picture

    def slow(self: Matting, *given: Any) -> Any:
        leave.wait(20)
        return real(self, *given)

    monkeypatch.setattr(Matting, "matte_picture", slow)
    client = start()
    place = client.post("/jobs", files={"image": picture()}).headers["location"]
    try:
        assert client.get(f"{place}/results/0").status_code == client.get(f"{place}/results").status_code == 409
        assert client.get(place).headers["retry-after"] == "1"
    finally:
        leave.set()
    ended(client, place)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"webhook_url": "https://example.com/hook"}, "webhook_url"),
        ({"background": "/etc/passwd"}, "background"),
        ({"keep_s": "0"}, "keep_s"),
        ({"crop_margin": "5px"}, "crop_margin"),
        ({"image_url": "https://example.com/a.png"}, "image"),
    ],
)
def test_wrong_fields_of_a_job_are_named(client: Any, data: dict[str, str], field: str) -> None:
    answer = client.post("/jobs", files={"image": picture()}, data=data)
    assert answer.status_code == 422 and field in answer.json()["errors"]


def test_a_job_needs_pictures_and_one_kind_of_them(client: Any) -> None:
    assert client.post("/jobs", data={"alpha": "1"}).status_code == 422
    both = [("image", picture()), ("archive", zipped({"a.png": picture()}))]
    assert client.post("/jobs", files=both).status_code == 422


def test_a_webhook_inside_is_refused(start: Any) -> None:
    client = start(allow_webhooks=True, webhook_secret="word")
    for url in ("http://127.0.0.1/hook", "http://169.254.169.254/", "file:///etc/passwd"):
        answer = client.post("/jobs", files={"image": picture()}, data={"webhook_url": url})
        assert answer.status_code == 422, answer.text


def test_bombs_and_other_bad_zips_are_refused(start: Any, tmp_path: Any) -> None:
    client = start(max_upload_bytes=100_000, max_job_bytes=300_000, max_job_items=5)
    bomb = zipped({"a.png": bytes(20_000_000)})
    assert len(bomb) < 100_000
    many = zipped({f"{number}.png": b"x" for number in range(6)})
    together = zipped({f"{number}.png": bytes(90_000) for number in range(4)})
    for data, status in (
        (bomb, 413),
        (many, 413),
        (together, 413),
        (b"no zip", 422),
        (zipped({}), 422),
        (zipped({"a.png": picture()})[:-30], 422),
    ):
        assert client.post("/jobs", files={"archive": data}).status_code == status
    spooled = [path for path in (tmp_path / "jobs").rglob("*") if path.is_file() and "upload" in path.name]
    assert spooled == []


def test_a_zip_that_lies_about_its_sizes_is_counted_as_it_comes() -> None:
    data = bytearray(zipped({"a.png": bytes(1_000_000)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = (10).to_bytes(4, "little")
    seen: list[int] = []
    with pytest.raises((PictureTooLargeError, UnreadablePictureError)):
        archives.unpack(
            io.BytesIO(bytes(data)),
            lambda name, file: seen.append(len(file.read())),
            most_items=5,
            most_item=5,
            most_bytes=5,
        )
    assert seen == []


def test_file_names_are_never_paths(client: Any) -> None:
    names = ["../../etc/passwd", "C:\\temp\\a.png", "\u202egnp.a", "..", "a\nb.png"]
    for name in names:
        place = client.post("/jobs", files={"image": (name, picture())}).headers["location"]
        job = ended(client, place)
        shown = job["items"][0]["name"]
        assert "/" not in shown and "\\" not in shown and shown not in ("", "..")
        with zipfile.ZipFile(io.BytesIO(client.get(f"{place}/results").content)) as archive:
            assert all("/" not in each and ".." not in each for each in archive.namelist())


def test_jobs_can_be_switched_off(start: Any) -> None:
    assert start(jobs=False).post("/jobs", files={"image": picture()}).status_code in (404, 405)


def test_jobs_survive_a_restart(start: Any) -> None:
    place = start().post("/jobs", files={"image": picture()}).headers["location"]
    assert ended(start(), place)["state"] == "done"


def test_a_job_counts_each_picture_for_the_rate(start: Any) -> None:
    client = start(rate_limit=2)
    files = [("image", picture()), ("image", picture()), ("image", picture())]
    assert client.post("/jobs", files=files).status_code == 429
    assert Settings(rate_limit=0).rate_limit == 0
