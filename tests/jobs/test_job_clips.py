"""Videos spread over processes: a server, `bshm worker`, a real Redis or RabbitMQ, and the places of their bytes."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import brokers
import fake_network
import numpy as np
import object_store
import pytest
from live_service import surroundings
from starlette.testclient import TestClient

pytest.importorskip("av")

from made_clips import decoded, make, number_of

from bshm.concurrency.deadline_executor import DeadlineExecutor
from bshm.errors import DiskFullError, OptionError, OutputError
from bshm.jobs import ClipOptions, EmbeddedQueue, JobItem, JobOptions, JobRequest, Product, wait
from bshm.jobs import redis_store as redis_place
from bshm.jobs.clips import COMES_ALONG
from bshm.jobs.folder_blobs import FolderBlobs
from bshm.jobs.job_store import JobStore
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Blobs
from bshm.jobs.reaper import Reaper
from bshm.jobs.records import ItemRecord, JobRecord
from bshm.jobs.runner import Claim, ClipStopped, ClipWatch
from bshm.jobs.scratch import Scratch
from bshm.jobs.stores import open_store
from bshm.jobs.webhooks import WebhookSender
from bshm.server.app import create_app
from bshm.server.settings import Settings
from bshm.video import outputs, parts
from bshm.video.conversion import Progress
from bshm.video.options import VideoOptions

FRAMES = 12
# Longer than the RabbitMQ of these tests lets anybody keep a message.
PAUSE_S = 2 * brokers.CONSUMER_TIMEOUT_S / FRAMES
SLOW = (
    "\nplain = fake_network.RedIsAPerson.run\ndef slowly(self, feeds):\n    import time\n"
    f"    time.sleep({PAUSE_S})\n    return plain(self, feeds)\nfake_network.RedIsAPerson.run = slowly\n"
)

# A segment of so many frames, and a line for each frame that is made.
SEGMENT = 4
SEGMENTED = (
    f"\nfrom bshm.video import outputs, parts\nparts.SEGMENT_FRAMES = {SEGMENT}\nwrite = outputs.Segmented.write\n"
    "def writing(self, worked):\n    write(self, worked)\n"
    "    with open('made', 'a') as file:\n        file.write(f'{worked.index}\\n')\n"
    "outputs.Segmented.write = writing\n"
)

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Start]:
    """Starts workers over the fake network, and ends them."""
    with ExitStack() as stack:

        def start(
            broker: str, results: str, *words: str, slow: bool = False, code: str = ""
        ) -> subprocess.Popen[bytes]:
            given = ("--broker", broker, "--results", results, "--lease", "2", *words)
            with (tmp_path / "worker.log").open("ab") as log:
                process = subprocess.Popen(
                    fake_network.command("worker", *given, code=code + (SLOW if slow else "")),
                    stdout=log,
                    stderr=log,
                    cwd=tmp_path,
                    env=surroundings(tmp_path),
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def serve(fake: None, tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts the service with settings of the test's choice."""
    with ExitStack() as stack:

        def start(**settings: Any) -> TestClient:
            app = create_app(Settings(keys_file=tmp_path / "keys.json", cache="off", **settings))
            return stack.enter_context(TestClient(app, base_url="http://localhost"))

        yield start


def until(client: TestClient, place: str, wanted: Callable[[dict[str, Any]], bool], log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        video: dict[str, Any] = client.get(place).json()
        if wanted(video):
            return video
        time.sleep(0.05)
    raise AssertionError(f"{video}\n{log.read_text()[-3000:]}")


def check_result(client: TestClient, video: dict[str, Any], folder: Path) -> None:
    """Every frame once, in its order."""
    assert video["state"] == "done", video
    path = folder / "result.mov"
    path.write_bytes(client.get(video["result"]).content)
    assert [number_of(frame[..., 3]) for _, frame in decoded(path)] == list(range(FRAMES))


def test_a_clip_is_made_once_though_its_worker_is_killed_and_no_broker_waits_for_it(
    broker: Any, results: str, serve: Any, workers: Start, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    clip = make(tmp_path / "anna.mp4", FRAMES)
    client = serve(broker=broker.url, results=results)
    first = workers(broker.url, results, slow=True)
    place = client.post("/videos", files={"file": clip.read_bytes()}, data={"steady": "0"}).headers["location"]
    halfway = until(client, place, lambda video: video["progress"]["frames_done"] > 1, log)
    assert halfway["progress"]["frames_total"] == FRAMES and halfway["state"] == "running"
    first.kill()
    assert first.wait(10) == -signal.SIGKILL
    # The second one works for longer than a message may be kept.
    workers(broker.url, results, slow=True)
    video = until(client, place, lambda video: video["state"] in ("done", "failed"), log)
    check_result(client, video, tmp_path)
    # Its only segment was not finished when the first one was killed.
    assert any(note.startswith("begun again from the first frame") for note in video["details"]["notes"])
    assert client.delete(place).status_code == 204
    store = redis_place.connect(results)
    assert store.keys("*blob*") == [] and store.keys("*job:*") == []
    store.close()


@pytest.mark.parametrize("kind", ["redis", "folder", "s3"])
def test_a_clip_whose_worker_is_killed_goes_on_from_its_finished_segments(
    kind: str,
    redis_server: brokers.RedisServer,
    s3: object_store.S3Server,
    serve: Any,
    workers: Start,
    tmp_path: Path,
) -> None:
    brokers.empty(redis_server.url)
    url, log, kept = redis_server.url, tmp_path / "worker.log", tmp_path / "kept"
    places: dict[str, dict[str, str]] = {
        "redis": {},
        "folder": {"blobs": kept.as_uri()},
        "s3": {"blobs": s3.url, "blobs_endpoint": s3.endpoint},
    }
    words = [word for name, value in places[kind].items() for word in (f"--{name.replace('_', '-')}", value)]
    clip = {"file": ("anna.mp4", make(tmp_path / "anna.mp4", FRAMES).read_bytes())}
    behind = {"background_video": ("b.mp4", make(tmp_path / "behind.mp4", 5).read_bytes())}
    fields = {"cutout": "1", "format": "mov", "codec": "png"}
    client = serve(broker=url, results=url, **places[kind])
    records = redis_place.RedisRecords(redis_place.connect(url), has_bytes=kind == "redis")

    first = workers(url, url, *words, slow=True, code=SEGMENTED)
    place = client.post("/videos", files={**clip, **behind}, data=fields).headers["location"]
    deadline = time.monotonic() + 120
    while not (record := records.get(place.rpartition("/")[2])).items[0].parts:  # type: ignore[union-attr]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)
    first.kill()
    assert first.wait(10) == -signal.SIGKILL
    before = [int(line) for line in (tmp_path / "made").read_text().split()]
    assert SEGMENT <= len(before) < FRAMES and record is not None
    left = list((kept / "scratch").glob("*/parts/*.cutout"))
    assert bool(left) == (kind == "folder")

    workers(url, url, *words, code=SEGMENTED)
    video = until(client, place, lambda video: video["state"] in ("done", "failed"), log)
    assert video["state"] == "done" and video["progress"]["frames_done"] == FRAMES, video
    after = [int(line) for line in (tmp_path / "made").read_text().split()][len(before) :]
    found = FRAMES - len(after)
    assert found >= SEGMENT and found % SEGMENT == 0 and after == list(range(found, FRAMES))
    assert f"went on from an earlier run, which had finished {found} frames" in video["details"]["notes"]
    assert "begun again" not in str(video["details"]["notes"])
    assert f"goes on after {found} finished frames" in log.read_text()

    undisturbed = client.post("/videos", files={**clip, **behind}, data=fields).headers["location"]
    other = until(client, undisturbed, lambda video: video["state"] in ("done", "failed"), log)
    for product in ("composite", "cutout"):
        same_frames(client, video["results"][product]["url"], other["results"][product]["url"], tmp_path)

    names: dict[str, Callable[[], list[Any]]] = {
        "redis": lambda: redis_place.connect(url).keys("*blob*"),
        "folder": lambda: [path for path in kept.glob("*/*") if path.parent.name not in ("scratch", "uploads")],
        "s3": s3.names,
    }
    # The record says that it has ended before the last bytes are deleted.
    assert soon(lambda: len(names[kind]()) == 4), names[kind]()
    for each in (place, undisturbed):
        assert client.delete(each).status_code == 204
    assert names[kind]() == []
    if kind == "folder":
        options = QueueOptions(lease_s=0.01)
        store = JobStore(records, FolderBlobs(kept), capacity=1)
        time.sleep(0.05)
        Reaper(store, options=options, sender=WebhookSender(store, None, options=options)).sweep()
        assert list((kept / "scratch").iterdir()) == []
    records.close()


def soon(wanted: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if wanted():
            return True
        time.sleep(0.05)
    return False


def same_frames(client: TestClient, one: str, other: str, folder: Path) -> None:
    paths = []
    for number, url in enumerate((one, other)):
        paths.append(folder / f"{number}.mov")
        paths[-1].write_bytes(client.get(url).content)
    first, second = map(decoded, paths)
    assert len(first) == FRAMES
    for (here_s, here), (there_s, there) in zip(first, second, strict=True):
        assert here_s == there_s and np.array_equal(here, there)


class NoRoom:
    """A folder in which there is no room for names with a word in them, as long as it says so."""

    def __init__(self, patch: pytest.MonkeyPatch, word: str, *, as_long_as: Callable[[Path], bool]) -> None:
        self.refused: list[str] = []
        plain = FolderBlobs.take

        def take(blobs: FolderBlobs, name: str, path: Path) -> None:
            if word in name and as_long_as(tmp := blobs._folder):
                self.refused.append(name)
                raise DiskFullError(f"no room for {name} in {tmp}.")
            plain(blobs, name, path)

        patch.setattr(FolderBlobs, "take", take)


@pytest.fixture
def one_clip(fake: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., JobRecord]]:
    """Has a clip made by an embedded queue, in segments, which are joined once something has happened."""
    from bshm.jobs import Conversion
    from bshm.pipeline import Matting

    monkeypatch.setattr(parts, "SEGMENT_FRAMES", SEGMENT)
    queue = EmbeddedQueue(
        tmp_path / "jobs",
        lambda picture, name, options: Product(picture, "image/png"),
        clips=Conversion(lambda model: Matting(model=model)),
    )

    def make_it(happened: Callable[[], bool]) -> JobRecord:
        finish = outputs.Segmented.finish

        def finishing(self: outputs.Segmented, *, overwrite: bool) -> outputs.Finished:
            assert soon(happened)
            return finish(self, overwrite=overwrite)

        monkeypatch.setattr(outputs.Segmented, "finish", finishing)
        item = JobItem("anna.mp4", path=make(tmp_path / "anna.mp4", FRAMES))
        job = queue.submit(JobRequest((item,), options=ClipOptions(VideoOptions(codec="png"))))
        return wait(queue, job.id, "anonymous", timeout_s=120)

    yield make_it
    queue.close()


def stored(folder: Path) -> list[str]:
    return [path.name.split("-")[0] for path in (folder / "jobs" / "pictures").glob("*/*") if path.is_file()]


def test_a_clip_is_made_though_nothing_of_it_can_be_kept_on_the_way(
    one_clip: Callable[..., JobRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    room = NoRoom(monkeypatch, "/part-", as_long_as=lambda folder: True)
    record = one_clip(lambda: "cannot be kept" in caplog.text)
    assert record.state == "done" and record.items[0].details["frames"] == FRAMES, record
    assert room.refused
    assert soon(lambda: stored(tmp_path) == ["out"])


def test_what_is_kept_on_the_way_leaves_its_room_to_the_result(
    one_clip: Callable[..., JobRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = NoRoom(monkeypatch, "/out-", as_long_as=lambda folder: any(folder.glob("*/part-*")))
    record = one_clip(lambda: any((tmp_path / "jobs" / "pictures").glob("*/part-*-journal.json")))
    assert record.state == "done" and record.items[0].parts == (), record
    assert len(room.refused) == 1
    assert soon(lambda: stored(tmp_path) == ["out"])


def test_a_clip_that_is_looked_at_before_its_first_frame_is_alive_and_can_be_stopped() -> None:
    more: list[bool] = []

    class Executor(DeadlineExecutor):
        def more_time(self) -> None:
            more.append(True)

    stopping = threading.Event()
    record = JobRecord("i", "anna", "running", (ItemRecord("a.mp4"),), {}, 1.0, "", kind="video")
    watch = ClipWatch(Executor(1, name="test", timeout_s=9.0), stopping, Claim(record, 0, "token"))
    watch(Progress(0, 300, 1.0, is_looking=True))
    assert more == [True] and watch.latest is None
    watch(Progress(1, 300, 1.0))
    assert len(more) == 2 and watch.latest is not None and watch.latest.frames == 1
    stopping.set()
    with pytest.raises(ClipStopped):
        watch(Progress(0, 300, 1.0, is_looking=True))


def test_a_worker_that_is_told_to_stop_gives_its_clip_back(
    redis_server: brokers.RedisServer, serve: Any, workers: Start, tmp_path: Path
) -> None:
    brokers.empty(redis_server.url)
    log, url = tmp_path / "worker.log", redis_server.url
    clip = make(tmp_path / "anna.mp4", FRAMES).read_bytes()
    client = serve(broker=url, results=url)
    first = workers(url, url, slow=True)
    place = client.post("/videos", files={"file": clip}, data={"steady": "0"}).headers["location"]
    until(client, place, lambda video: video["progress"]["frames_done"] > 1, log)
    first.terminate()
    assert first.wait(60) == 0
    given_back = client.get(place).json()
    assert given_back["state"] == "queued" and given_back["progress"] == {"frames_done": 0, "frames_total": None}
    second = workers(url, url)
    check_result(client, until(client, place, lambda video: video["state"] in ("done", "failed"), log), tmp_path)
    second.terminate()
    assert second.wait(60) == 0


def test_bytes_in_an_object_store_go_in_and_out_in_pieces(
    redis_server: brokers.RedisServer, s3: object_store.S3Server, serve: Any, workers: Start, tmp_path: Path
) -> None:
    brokers.empty(redis_server.url)
    url, log = redis_server.url, tmp_path / "worker.log"
    client = serve(broker=url, results=url, blobs=s3.url, blobs_endpoint=s3.endpoint)
    workers(url, url, "--blobs", s3.url, "--blobs-endpoint", s3.endpoint)
    sent = {"file": make(tmp_path / "anna.mp4", FRAMES).read_bytes()}
    behind = {"background_video": ("b.mp4", make(tmp_path / "behind.mp4", 4).read_bytes())}
    place = client.post("/videos", files={**sent, **behind}, data={"cutout": "1"}).headers["location"]
    assert len(s3.names()) == 2  # the clip and what is behind
    video = until(client, place, lambda video: video["state"] in ("done", "failed"), log)
    assert video["state"] == "done" and list(video["results"]) == ["composite", "cutout"], video
    assert len(s3.names()) == 2  # the results
    whole = client.get(video["results"]["cutout"]["url"])
    part = client.get(video["results"]["cutout"]["url"], headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206 and part.content == whole.content[1000:2000]
    assert client.delete(place).status_code == 204 and s3.names() == []
    s3.stop()
    answer = client.post("/videos", files=sent)
    assert answer.status_code == 503


@pytest.mark.parametrize("kind", ["folder", "redis", "s3"])
def test_a_large_file_is_never_whole_in_memory(
    kind: str,
    redis_server: brokers.RedisServer,
    s3: object_store.S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brokers.empty(redis_server.url)
    places: dict[str, Callable[[], Blobs]] = {
        "folder": lambda: FolderBlobs(tmp_path / "kept"),
        "redis": lambda: open_store(redis_server.url, QueueOptions())[1],
        "s3": lambda: open_store(redis_server.url, QueueOptions(), blobs=s3.url, blobs_endpoint=s3.endpoint)[1],
    }
    blobs = places[kind]()
    data = random.Random(1).randbytes(20 * 1024 * 1024)
    path = tmp_path / "large"
    path.write_bytes(data)

    def whole(self: Path) -> bytes:
        raise AssertionError(f"{self} was read whole")

    monkeypatch.setattr(Path, "read_bytes", whole)
    # As of another file system, where nothing can be linked.
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError(18, "cross-device")))
    blobs.take("a/b", path)
    pieces = list(blobs.pieces("a/b") or ())
    assert len(pieces) > 1 and max(map(len, pieces)) < len(data) / 2
    # Not by pytest's own comparison, which would look for what differs, byte by byte.
    assert hashlib.sha256(b"".join(pieces)).digest() == hashlib.sha256(data).digest()
    middle = b"".join(blobs.pieces("a/b", 9_000_000, 19_000_001) or ())
    assert hashlib.sha256(middle).digest() == hashlib.sha256(data[9_000_000:19_000_001]).digest()
    assert blobs.pieces("a/none") is None
    blobs.delete("a/b")
    assert blobs.pieces("a/b") is None


def test_redis_says_that_it_keeps_no_more_than_512_megabytes_of_a_clip(
    redis_server: brokers.RedisServer, tmp_path: Path
) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(513 * 1024 * 1024)
    with pytest.raises(OutputError, match="--blobs"):
        redis_place.RedisBlobs(redis_place.connect(redis_server.url), orphan_s=60).take("a/b", path)


def test_a_queue_without_what_makes_clips_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"clip")
    queue = EmbeddedQueue(tmp_path / "jobs", lambda picture, name, options: Product(picture, "image/png"))
    try:
        with pytest.raises(OptionError, match="makes no clips"):
            queue.submit(JobRequest((JobItem("clip.mp4", path=path),), options=ClipOptions()))
    finally:
        queue.close()


def test_a_background_of_a_clip_is_in_words_or_comes_along(tmp_path: Path) -> None:
    for background in ("/etc/passwd", "https://example.org/a.png", "waves.mp4"):
        with pytest.raises(OptionError, match="a colour, green-screen, a gradient or blur"):
            ClipOptions(VideoOptions(background=background))
    with pytest.raises(OptionError, match="Give both"):
        ClipOptions(VideoOptions(background=COMES_ALONG))
    with pytest.raises(OptionError, match="Give both"):
        JobRequest((JobItem("a", path=tmp_path / "a", background=tmp_path / "b"),), options=ClipOptions())
    with pytest.raises(OptionError, match="one clip"):
        JobRequest((JobItem("a", b"bytes"),), options=ClipOptions())


def test_a_record_of_pictures_says_nothing_of_clips() -> None:
    record = JobRecord("i", "anna", "queued", (ItemRecord("a.png"),), JobOptions().to_json(), 1.0, "")
    text = record.to_text()
    assert not any(word in text for word in ('"kind":"picture"', "outputs", "progress"))
    assert JobRecord.from_text(text).kind == "picture"


def test_a_folder_goes_sooner_when_nobody_works_there_any_more(tmp_path: Path) -> None:
    for name, of in (("over", "job-1 token"), ("worked", "job-2 token"), ("upload", None)):
        folder = tmp_path / f"bshm-clip-{name}"
        (folder / "parts").mkdir(parents=True)
        if of is not None:
            (folder / "of").write_text(of)
    scratch = Scratch(tmp_path, orphan_s=3600)
    scratch.sweep(lambda of: of == "job-1 token", idle_s=600)
    assert len(list(tmp_path.iterdir())) == 3  # who worked there may not have seen yet that it is over
    scratch.sweep(lambda of: of == "job-1 token", idle_s=-1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bshm-clip-upload", "bshm-clip-worked"]


def test_a_folder_that_a_killed_worker_left_goes_after_some_time(tmp_path: Path) -> None:
    import os

    left, fresh = tmp_path / "bshm-clip-left", tmp_path / "bshm-clip-fresh"
    for folder in (left, fresh):
        folder.mkdir()
        (folder / "clip.mp4").write_bytes(b"clip")
    long_ago = time.time() - 7200
    for path in (left / "clip.mp4", left, fresh):
        os.utime(path, (long_ago, long_ago))
    with Scratch(tmp_path, orphan_s=3600).folder() as folder:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["bshm-clip-fresh", folder.name])
    assert not folder.exists()
