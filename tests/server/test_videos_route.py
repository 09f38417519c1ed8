"""``/videos`` over the embedded queue: small clips in which red is a person."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_network
import httpx2 as httpx
import pytest
from faked import Faked
from sent import picture

pytest.importorskip("av")

from made_clips import decoded, make, number_of, pixels

from bshm.errors import DiskFullError, FetchError, VideoTooLargeError
from bshm.jobs import JobRecord, runner
from bshm.jobs.folder_blobs import FolderBlobs
from bshm.net import fetch as fetching
from bshm.options import Limits
from bshm.server import matting_pool
from bshm.server.keys import Keys
from bshm.server.routes.videos import VideoJobFields
from bshm.server.service import Service
from bshm.video.codecs import TARGETS
from bshm.video.options import VideoOptions

FRAMES = 12
# Each frame takes so long: there is time to do something in the midst of a clip.
SLOW = "\nplain = fake_network.RedIsAPerson.run\ndef slowly(self, feeds):\n    import time\n    time.sleep(0.25)\n"
SLOW += "    return plain(self, feeds)\nfake_network.RedIsAPerson.run = slowly\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twelve frames with sound."""
    return make(tmp_path_factory.mktemp("clips") / "anna.mp4", FRAMES, audio=True).read_bytes()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The network lets one frame through, and waits before each further one until this is set."""
    opened, plain, seen = threading.Event(), fake_network.RedIsAPerson.run, iter(range(10**6))

    def run(self: Any, feeds: Any) -> Any:
        if next(seen) > 6:
            opened.wait(60)
        return plain(self, feeds)

    monkeypatch.setattr(fake_network.RedIsAPerson, "run", run)
    yield opened
    opened.set()


def sent(
    client: Any, clip: bytes, *, name: str = "anna.mp4", headers: Any = None, files: Any = None, **fields: str
) -> Any:
    given = {"for": fields.pop("target")} if "target" in fields else {}
    uploads = {"file": (name, clip), **(files or {})}
    return client.post("/videos", files=uploads, data={**fields, **given}, headers=headers or {})


def until(client: Any, place: str, wanted: Callable[[dict[str, Any]], bool], **given: Any) -> dict[str, Any]:
    """The video, once it is as wanted."""
    for _ in range(1200):
        video: dict[str, Any] = client.get(place, **given).json()
        if wanted(video):
            return video
        time.sleep(0.05)
    raise AssertionError(video)


def ended(client: Any, place: str, **given: Any) -> dict[str, Any]:
    return until(client, place, lambda video: video["state"] in ("done", "failed", "cancelled"), **given)


def numbers(data: bytes, folder: Path, *, decoder: str | None = None) -> list[int]:
    """Which frames a result has, in their order."""
    path = folder / "result"
    path.write_bytes(data)
    return [number_of(frame[..., 3]) for _, frame in decoded(path, decoder=decoder)]


def test_a_clip_is_accepted_and_its_result_has_every_frame_with_its_alpha(
    client: Any, clip: bytes, tmp_path: Path
) -> None:
    accepted = sent(client, clip, target="web")
    assert accepted.status_code == 202
    place = accepted.headers["location"]
    assert place == f"/videos/{accepted.json()['id']}" and accepted.json()["name"] == "anna.mp4"
    assert accepted.json()["progress"] == {"frames_done": 0, "frames_total": None}
    video = ended(client, place)
    assert (video["state"], video["status"]) == ("done", "done")
    progress = video["progress"]
    assert (progress["frames_done"], progress["frames_total"], progress["eta_s"]) == (FRAMES, FRAMES, 0.0)
    assert progress["fps"] > 0
    details = video["details"]
    assert (details["width"], details["height"], details["frames"], details["model"]) == (128, 96, FRAMES, "bshm")
    assert details["notes"] == ["cutout: left out audio (aac): webm cannot hold it"]
    assert list(video["results"]) == ["cutout"] and video["results"]["cutout"]["name"] == "anna.cutout.webm"
    answer = client.get(video["result"])
    assert answer.headers["content-type"] == "video/webm"
    assert answer.headers["content-disposition"] == 'attachment; filename="anna.cutout.webm"'
    assert len(answer.content) == video["results"]["cutout"]["size"]
    assert numbers(answer.content, tmp_path, decoder="libvpx-vp9") == list(range(FRAMES))
    assert client.get(f"{place}/results/alpha").status_code == 404
    # It is no job of pictures, and is found among its own alone.
    other = client.get(place.replace("videos", "jobs"))
    assert other.status_code == 404 and place in other.json()["detail"]
    assert client.get(place.replace("videos", "jobs") + "/results/0").status_code == 409
    assert client.delete(place.replace("videos", "jobs")).status_code == 404
    assert client.delete(place).status_code == 204 and client.get(place).status_code == 404


def test_several_files_are_made_in_one_go_and_each_has_its_address(client: Any, clip: bytes, tmp_path: Path) -> None:
    fields = {"cutout": "1", "alpha": "true", "foreground": "on", "background": "blur", "format": "mov", "codec": "png"}
    video = ended(client, sent(client, clip, **fields, start="0.1", end="0.3", audio="0").headers["location"])
    assert video["state"] == "done" and video["details"]["copied"] == []
    assert list(video["results"]) == ["composite", "cutout", "alpha", "foreground"]
    for product, result in video["results"].items():
        answer = client.get(result["url"])
        assert answer.headers["content-type"] == "video/quicktime" and result["name"] == f"anna.{product}.mov"
        assert len(answer.content) == result["size"]
    assert client.get(video["result"]).content == client.get(video["results"]["composite"]["url"]).content
    # Frames 3 to 8 lie between 0.1 and 0.3 seconds, at 29.97 a second.
    assert numbers(client.get(video["results"]["cutout"]["url"]).content, tmp_path) == [3, 4, 5, 6, 7, 8]
    assert client.get("/metrics").text.split("\nbshm_video_frames_total ")[1].startswith("6.0")


def test_a_result_is_sent_in_the_parts_that_are_asked_for(client: Any, clip: bytes) -> None:
    video = ended(client, sent(client, clip).headers["location"])
    place = video["result"]
    whole = client.get(place)
    size, tag, data = len(whole.content), whole.headers["etag"], whole.content
    assert whole.headers["accept-ranges"] == "bytes" and tag.startswith('"')

    def part(wanted: str, **headers: str) -> Any:
        return client.get(place, headers={"Range": wanted, **headers})

    for wanted, start, stop in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-50", size - 50, size),
        (f"bytes=10-{size * 9}", 10, size),
        (f"bytes=-{size * 9}", 0, size),
    ):
        answer = part(wanted)
        assert answer.status_code == 206 and answer.content == data[start:stop], wanted
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["content-length"] == str(stop - start) and answer.headers["etag"] == tag
    # What is no single range of bytes is as if it were not there.
    for wanted in ("bytes=0-1,5-6", "pages=1-2", "bytes=9-3", "bytes=-", "nonsense"):
        answer = part(wanted)
        assert answer.status_code == 200 and answer.content == data, wanted
    for wanted in (f"bytes={size}-", "bytes=-0"):
        answer = part(wanted)
        assert answer.status_code == 416 and answer.headers["content-range"] == f"bytes */{size}", wanted
        assert answer.headers["content-type"] == "application/problem+json"
    assert part("bytes=0-9", **{"If-Range": tag}).status_code == 206
    assert part("bytes=0-9", **{"If-Range": whole.headers["last-modified"]}).status_code == 206
    assert part("bytes=0-9", **{"If-Range": '"another"'}).content == data
    head = client.head(place, headers={"Range": "bytes=0-9"})
    assert head.status_code == 200 and head.content == b""
    for name in ("content-length", "etag", "accept-ranges", "content-type", "content-disposition"):
        assert head.headers[name] == whole.headers[name]
    # The tag is of these bytes: the same clip made once more is another file.
    again = ended(client, sent(client, clip).headers["location"])
    assert client.head(again["result"]).headers["etag"] != tag


@pytest.mark.parametrize(
    ("fields", "named", "words"),
    [
        ({"target": "nope"}, "for", "premiere"),
        ({"codec": "nope"}, "codec", "prores"),
        ({"format": "exe"}, "format", "webm"),
        ({"format": "mp4", "cutout": "1"}, "format", "cannot hold alpha"),
        ({"target": "web", "codec": "prores"}, "codec", ".mov"),
        ({"codec": "hevc-alpha"}, "codec", "libx265"),
        ({"start": "-1"}, "start", "0"),
        ({"start": "nan"}, "start", "finite"),
        ({"start": "3", "end": "2"}, "end", "after start (3)"),
        ({"start": "9"}, "start", "ends at 0.40 s"),
        ({"background": "/etc/passwd"}, "background", "background_image"),
        ({"background": "other.mp4"}, "background", "background_video"),
        ({"background": "blur:x"}, "background", "blur:20"),
        ({"model": "nope"}, None, "nope"),
        ({"steady": "maybe"}, "steady", "boolean"),
        ({"stedy": "1"}, "stedy", "steady"),
        ({"webhook_url": "https://example.org"}, "webhook_url", "switched off"),
    ],
)
def test_what_is_wrong_or_impossible_is_refused_by_the_name_of_its_field(
    client: Any, clip: bytes, fields: dict[str, str], named: str | None, words: str
) -> None:
    answer = sent(client, clip, **fields)
    assert answer.status_code == 422
    told = answer.json()["detail"] if named is None else answer.json()["errors"][named]
    assert words in told and "--" not in told and str(Path.home()) not in told


def test_a_clip_of_ten_bits_is_refused_until_fewer_are_allowed(client: Any, tmp_path: Path) -> None:
    deep = make(
        tmp_path / "deep.mkv", 6, codec="libx265", pixel_format="yuv420p10le", options={"x265-params": "log-level=none"}
    )
    answer = sent(client, deep.read_bytes(), name="deep.mkv", target="web")
    assert answer.status_code == 422 and "deep.mkv has 10 bits" in answer.json()["errors"]["fewer_bits"]
    allowed = sent(client, deep.read_bytes(), name="deep.mkv", target="web", fewer_bits="1")
    assert ended(client, allowed.headers["location"])["state"] == "done"


def test_what_is_no_video_of_its_own_is_refused(client: Any, clip: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.ts").write_bytes(make(tmp_path / "made.ts", 4, codec="mpeg2video").read_bytes())
    # A play list makes FFmpeg open whatever it names.
    playlist = (
        f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.1,\n{tmp_path}/other.ts\n#EXT-X-ENDLIST\n"
    )
    concat = f"ffconcat version 1.0\nfile '{tmp_path}/other.ts'\n"
    for name, data in (
        ("list.m3u8", playlist.encode()),
        ("list.ts", playlist.encode()),
        ("list.txt", concat.encode()),
        ("photo.png", picture()),
        ("text.mp4", b"nothing of the kind"),
        ("half.mp4", clip[: len(clip) // 2]),
    ):
        answer = sent(client, data, name=name)
        if name == "half.mp4" and answer.status_code == 202:  # what it holds is seen when it is gone through
            video = ended(client, answer.headers["location"])
            assert video["state"] == "failed" and video["error"]["code"] == "unreadable_video"
            assert str(tmp_path) not in video["error"]["message"]
            continue
        assert answer.status_code == 422, (name, answer.text)
        assert answer.json()["title"] == "The video cannot be read" and name in answer.json()["detail"]
        assert str(tmp_path) not in answer.text
    assert client.post("/videos", data={"for": "web"}).json()["errors"]["file"].startswith("send the clip")
    assert sent(client, clip, files={"image": picture()}).json()["errors"]["image"].startswith("no upload")


def test_limits_say_what_came_and_what_is_allowed(start: Any, clip: bytes, tmp_path: Path) -> None:
    client = start(max_video_bytes=len(clip), max_video_s=0.5, max_video_pixels=96 * 128, max_upload_bytes=2_000_000)
    assert sent(client, clip).status_code == 202
    long = sent(client, make(tmp_path / "long.mp4", 24).read_bytes(), target="web")
    assert long.status_code == 413 and "0.5 seconds" in long.json()["detail"] and "0.8" in long.json()["detail"]
    assert sent(client, (tmp_path / "long.mp4").read_bytes(), target="web", end="0.4").status_code == 202
    wide = make(tmp_path / "wide.mp4", [pixels(0, (98, 130))] * 3).read_bytes()
    answer = sent(client, wide)
    assert answer.status_code == 413 and "12,288" in answer.json()["detail"] and "12,740" in answer.json()["detail"]
    heavy = sent(client, clip + bytes(1000))
    assert heavy.status_code == 413 and heavy.json()["title"] == "The video is too large"
    assert f"{len(clip):,}" in heavy.json()["detail"] and f"{len(clip) + 1000:,}" in heavy.json()["detail"]
    # Of what is far too large nothing is read.
    far = sent(client, bytes(len(clip) + 5_000_000))
    assert far.status_code == 413 and "a request may have" in far.json()["detail"]


def test_a_clip_without_a_length_in_its_head_is_measured_all_the_same(start: Any, tmp_path: Path) -> None:
    import io

    import av

    # As browsers record: Matroska that is written as a stream says no length and no number of frames.
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += data
            return len(data)

    pipe, source = Pipe(), make(tmp_path / "source.mp4", 20)
    with av.open(pipe, "w", format="matroska") as target, av.open(str(source)) as read:
        stream = target.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    client = start(max_video_s=0.5)
    answer = sent(client, bytes(pipe.data), name="recorded.webm")
    assert answer.status_code == 413 and "0.7" in answer.json()["detail"]
    video = ended(client, sent(client, bytes(pipe.data), name="recorded.webm", end="0.4").headers["location"])
    assert video["state"] == "done" and video["details"]["frames"] == 12


def test_files_come_along_as_the_background(client: Any, clip: bytes, tmp_path: Path) -> None:
    import numpy as np

    blue = make(tmp_path / "blue.mp4", [np.full((96, 128, 3), (0, 0, 255), np.uint8)] * 4).read_bytes()
    still = picture((128, 96), person=None)
    for files, corner in (
        ({"background_video": ("waves.mp4", blue)}, (0, 0, 255)),
        ({"background_image": ("office.png", still)}, (60, 60, 60)),
    ):
        video = ended(client, sent(client, clip, files=files).headers["location"])
        assert list(video["results"]) == ["composite"], video
        (tmp_path / "made.mp4").write_bytes(client.get(video["result"]).content)
        frames = decoded(tmp_path / "made.mp4")
        assert len(frames) == FRAMES
        assert np.abs(frames[0][1][4, 4, :3].astype(int) - corner).max() < 12
    both = sent(client, clip, files={"background_video": ("a.mp4", blue)}, background="blur")
    assert "not both" in both.json()["errors"]["background"]
    bad = sent(client, clip, files={"background_video": ("a.mp4", b"no video")})
    assert bad.status_code == 422 and "background_video" in bad.json()["errors"]
    assert sent(client, clip, files={"background_image": ("a.png", b"no picture")}).status_code == 422


def test_progress_counts_frames_and_what_is_deleted_stops_after_the_next(
    client: Any, clip: bytes, tmp_path: Path, gate: threading.Event
) -> None:
    place = sent(client, clip, steady="0").headers["location"]
    video = until(client, place, lambda video: video["progress"]["frames_done"] > 0)
    assert video["state"] == "running" and 0 < video["progress"]["frames_done"] < FRAMES
    assert video["progress"]["frames_total"] == FRAMES and video["progress"]["eta_s"] >= 0
    assert video["result"] is None and client.get(f"{place}/result").status_code == 409
    # A picture does not stand behind a clip.
    folder = tmp_path / "jobs" / "pictures"
    assert len(list((folder / "scratch").iterdir())) == 1
    assert client.delete(place).status_code == 204 and client.get(place).status_code == 404
    time.sleep(1.5)  # the record is looked at once a second
    gate.set()
    for _ in range(200):
        if not list((folder / "scratch").iterdir()):
            break
        time.sleep(0.05)
    assert [path.name for path in folder.rglob("*")] in (["scratch", "uploads"], ["uploads", "scratch"])


def test_a_repeated_idempotency_key_gives_the_same_video(client: Any, clip: bytes) -> None:
    def again(**fields: str) -> Any:
        return sent(client, clip, headers={"Idempotency-Key": "order-17"}, **fields)

    first = again(target="web")
    assert again(target="web").json()["id"] == first.json()["id"]
    assert again(target="obs").status_code == 409
    other = {"background_image": ("a.png", picture())}
    assert sent(client, clip, headers={"Idempotency-Key": "order-17"}, files=other, target="web").status_code == 409


def test_a_video_is_its_owners_alone(start: Any, clip: bytes, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    anna, ben = ({"X-Api-Key": keys.add(name)[1]} for name in ("anna", "ben"))
    client = start(jobs_per_key=1)
    assert client.post("/videos").status_code == 401
    place = sent(client, clip, headers=anna).headers["location"]
    video = ended(client, place, headers=anna)
    for path in (place, video["result"], video["results"]["cutout"]["url"]):
        assert client.get(path, headers=anna).status_code == 200
        assert client.get(path, headers=ben).status_code == 404
        assert client.get(path).status_code == 401
    assert client.delete(place, headers=ben).status_code == 404
    job = client.post("/jobs", files={"image": picture()}, headers=anna).headers["location"]
    until(client, job, lambda found: found["state"] == "done", headers=anna)
    assert [each["id"] for each in client.get("/videos", headers=anna).json()["videos"]] == [video["id"]]
    assert [f"/jobs/{each['id']}" for each in client.get("/jobs", headers=anna).json()["jobs"]] == [job]
    assert client.get("/videos", headers=ben).json() == {"videos": [], "next": None}


def test_a_key_has_no_more_videos_at_once_than_jobs(start: Any, clip: bytes, tmp_path: Path, gate: Any) -> None:
    anna = {"X-Api-Key": Keys(tmp_path / "keys.json").add("anna")[1]}
    client = start(jobs_per_key=1)
    assert sent(client, clip, headers=anna).status_code == 202
    answer = sent(client, clip, headers=anna)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0


def test_a_video_is_fetched_from_its_address(
    start: Any, clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functools import partial

    served = threading.Event()
    url = _serve(clip, served)
    refused = start().post("/videos", data={"url": url})
    assert refused.status_code == 422 and "fetching is switched off" in refused.json()["detail"]
    monkeypatch.setattr(matting_pool, "fetch_video", partial(fetching.fetch_video, _is_allowed=lambda address: True))
    client = start(allow_urls=True, results=str(tmp_path / "other"))
    answer = client.post("/videos", json={"url": f"{url}/bén.mp4", "for": "web"})
    assert answer.status_code == 202 and answer.json()["name"] == "bén.mp4"
    assert ended(client, answer.headers["location"])["state"] == "done"
    assert client.post("/videos", data={"url": f"{url}/page"}).status_code == 422
    assert client.post("/videos", data={"url": f"{url}/none"}).status_code == 424
    for error in (VideoTooLargeError, FetchError):
        with pytest.raises(error):
            fetching.fetch_video(
                f"{url}/large" if error is VideoTooLargeError else f"{url}/short",
                tmp_path / "got",
                limits=Limits(max_bytes=10_000_000 if error is FetchError else 1000),
                _is_allowed=lambda address: True,
            )


def _serve(clip: bytes, served: threading.Event) -> str:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if self.path == "/none" else 200)
            self.send_header("Content-Type", "text/html" if self.path == "/page" else "video/mp4")
            if self.path == "/short":
                self.send_header("Content-Length", str(len(clip) + 10))
            self.end_headers()
            self.wfile.write(clip)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_what_a_service_offers_is_listed(start: Any, clip: bytes, tmp_path: Path) -> None:
    offered = start(max_video_s=60).get("/capabilities").json()
    assert offered["jobs"] is True and offered["videos"]["offered"] is True
    assert offered["videos"]["max_seconds"] == 60 and offered["videos"]["for"] == list(TARGETS)
    assert {"prores", "vp9", "h264"} <= set(offered["videos"]["codecs"])
    client = start(videos=False, results=str(tmp_path / "other"))
    assert client.get("/capabilities").json()["videos"] == {"offered": False, "why": "videos are switched off here."}
    assert sent(client, clip).status_code == 501


def test_without_pyav_the_answer_says_what_to_install(tmp_path: Path, clip: bytes) -> None:
    with Faked(tmp_path, code="sys.modules['av'] = None") as served:
        answer = httpx.post(f"{served.url}/videos", files={"file": ("a.mp4", clip)}, trust_env=False)
        assert answer.status_code == 501 and "pip install 'bshm[video]'" in answer.json()["detail"]
        offered = httpx.get(f"{served.url}/capabilities", trust_env=False).json()["videos"]
        assert offered["offered"] is False and "bshm[video]" in offered["why"]
        assert httpx.post(f"{served.url}/matte", files={"image": picture()}, trust_env=False).status_code == 200


def test_a_clip_is_made_though_the_service_is_killed_in_the_midst_of_it(tmp_path: Path, clip: bytes) -> None:
    words = ("--results", str(tmp_path / "jobs"), "--cache", "off")
    segments = "\nfrom bshm.video import parts\nparts.SEGMENT_FRAMES = 4\n"

    def kept(_: object) -> bool:
        with contextlib.closing(sqlite3.connect(tmp_path / "jobs" / "jobs.sqlite3")) as database:
            record = JobRecord.from_text(database.execute("SELECT record FROM jobs").fetchone()[0])
        return bool(record.items[0].parts)

    with Faked(tmp_path, *words, code=segments + SLOW) as served:
        with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
            place = sent(client, clip, steady="0").headers["location"]
            until(client, place, kept)
        served.process.kill()
        assert served.process.wait(60) == -signal.SIGKILL
    with Faked(tmp_path, *words, code=segments) as served:
        with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
            video = ended(client, place)
            assert video["state"] == "done" and video["details"]["frames"] == FRAMES
            assert any(note.startswith("went on from an earlier run") for note in video["details"]["notes"])
            assert len(client.get(video["result"]).content) == video["results"]["cutout"]["size"]
        assert served.stop() == 0


def test_a_service_that_is_stopped_gives_its_clip_back_at_once(tmp_path: Path) -> None:
    # All of the clip would take longer than anybody waits here, and the service would wait for it.
    words = ("--results", str(tmp_path / "jobs"), "--cache", "off", "--shutdown-timeout-s", "600")
    long = make(tmp_path / "long.mp4", [pixels(number % 10) for number in range(300)]).read_bytes()
    with Faked(tmp_path, *words, code=SLOW) as served:
        with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
            place = sent(client, long, steady="0").headers["location"]
            until(client, place, lambda video: video["progress"]["frames_done"] > 1)
        assert served.stop() == 0
        # Each line of the log is JSON, and none names the file.
        lines = [line for line in served.log.splitlines() if not line.startswith("bshm: ")]
        assert all(json.loads(line) for line in lines) and "anna" not in served.log
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs" / "jobs.sqlite3")) as database:
        record = JobRecord.from_text(database.execute("SELECT record FROM jobs").fetchone()[0])
    assert (record.state, record.items[0].attempts, record.items[0].progress) == ("queued", 0, None)
    assert list((tmp_path / "jobs" / "pictures" / "scratch").iterdir()) == []


def test_a_clip_that_hangs_is_given_up(start: Any, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    client = start(job_timeout_s=2.0)
    plain, release = fake_network.RedIsAPerson.run, threading.Event()

    def hang(self: Any, feeds: Any) -> Any:
        release.wait(60)
        return plain(self, feeds)

    monkeypatch.setattr(fake_network.RedIsAPerson, "run", hang)
    video = ended(client, sent(client, clip, steady="0").headers["location"])
    assert video["state"] == "failed" and video["error"]["code"] == "overrun"
    release.set()


def test_an_upload_and_a_result_for_which_there_is_no_room_are_told_so(
    client: Any, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise DiskFullError("no room in /srv/secret/place")

    with monkeypatch.context() as patched:
        patched.setattr(FolderBlobs, "take", full)
        answer = sent(client, clip)
        assert answer.status_code == 507 and "/srv" not in answer.text
        assert answer.json()["type"] == "urn:bshm:problem:disk-full"

    take = FolderBlobs.take

    def full_for_results(self: Any, name: str, path: Path) -> None:
        if "/out-" in name:
            full()
        take(self, name, path)

    monkeypatch.setattr(FolderBlobs, "take", full_for_results)
    monkeypatch.setattr(runner, "_PATIENCE_S", 1.0)
    video = ended(client, sent(client, clip).headers["location"])
    assert video["state"] == "failed" and video["error"]["code"] == "disk_full" and "/srv" not in str(video)


def test_the_webhook_of_a_video_tells_of_its_files(client: Any, clip: bytes) -> None:
    from bshm.jobs.webhooks import body_of

    service: Service = client.app.state.service
    video = ended(client, sent(client, clip, target="web").headers["location"])
    assert service.queue is not None
    told = json.loads(body_of(service.queue.get(video["id"], "anonymous")))
    assert told["event"] == "job.done" and told["job"]["items"][0]["outputs"] == [
        {
            "product": "cutout",
            "name": "anna.cutout.webm",
            "media_type": "video/webm",
            "size": video["results"]["cutout"]["size"],
        }
    ]


def test_the_fields_are_the_options_of_bshm_video_with_their_defaults() -> None:
    from bshm.cli.video import parser

    flags = {
        flag.removeprefix("--").replace("-", "_"): action.default
        for action in parser()._actions
        for flag in action.option_strings
        if flag.startswith("--")
    }
    fields = {each.alias or name: each.default for name, each in VideoJobFields.model_fields.items()}
    shared = set(flags) & set(fields)
    assert shared == {
        *("for", "codec", "cutout", "alpha", "foreground", "background", "start", "end", "person", "fewer_bits"),
        *("model", "corrections"),
    }
    assert {name: fields[name] for name in shared} == {name: flags[name] for name in shared}
    # What the command has as a flag to leave it out, or as the suffix of its output.
    assert fields["audio"] is VideoOptions.audio and fields["steady"] is VideoOptions.steady
    assert fields["decontaminate"] is VideoOptions.decontaminate and fields["format"] is None
    assert set(fields) - shared == {
        *("audio", "steady", "decontaminate", "format", "url", "keep_s", "webhook_url", "idempotency_key"),
    }


def test_a_rate_counts_videos(start: Any, clip: bytes) -> None:
    client = start(rate_limit=2)
    assert [sent(client, clip, start="9").status_code for _ in range(3)] == [422, 422, 429]
