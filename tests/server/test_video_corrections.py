"""The field ``corrections`` of ``POST /videos``: as `bshm video` has it, checked at once, applied by the worker."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sent import picture

pytest.importorskip("av")

from made_clips import decoded, make

from bshm.jobs import ClipOptions
from bshm.server.answers import FieldError
from bshm.server.routes.videos import VideoJobFields
from bshm.server.video_fields import MOST_CORRECTIONS, clip_options_of
from bshm.video import convert, read_corrections
from bshm.video.options import VideoOptions

FRAMES, MARKED = 12, 5
# Through the upper part of the red block, as it stands in that frame.
LINE = {"kind": "erase", "points": [[0.1, 0.3], [0.7, 0.3]], "width": 0.1}
ERASE = {"version": 1, "strokes": [{**LINE, "frame": MARKED}]}
CLICK = {"kind": "keep", "points": [[0.02, 0.02]]}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red block that goes from left to right."""
    return make(tmp_path_factory.mktemp("clips") / "anna.mp4", FRAMES)


def sent(client: Any, clip: Path, corrections: Any, **fields: str) -> Any:
    text = corrections if isinstance(corrections, str) else json.dumps(corrections)
    given = {"codec": "png", "corrections": text, **fields}
    return client.post("/videos", files={"file": ("anna.mp4", clip.read_bytes())}, data=given)


def ended(client: Any, place: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        video: dict[str, Any] = client.get(place).json()
        if video["state"] in ("done", "failed"):
            return video
        time.sleep(0.05)
    raise AssertionError(video)


def test_what_is_marked_on_a_frame_is_made_as_bshm_video_makes_it(client: Any, clip: Path, tmp_path: Path) -> None:
    video = ended(client, sent(client, clip, ERASE).headers["location"])
    assert video["state"] == "done", video
    path = tmp_path / "result.mov"
    path.write_bytes(client.get(video["result"]).content)
    (tmp_path / "c.json").write_text(json.dumps(ERASE))
    marked = VideoOptions(codec="png", corrections=read_corrections(tmp_path / "c.json"))
    wanted = convert(clip, tmp_path / "wanted.mov", options=marked)
    found = decoded(path)
    for (_, here), (_, there) in zip(found, decoded(tmp_path / "wanted.mov"), strict=True):
        assert np.array_equal(here, there)
    convert(clip, tmp_path / "plain.mov", options=VideoOptions(codec="png"))
    row, column = round(0.3 * 96), 8 + 4 * MARKED + 20
    plain = decoded(tmp_path / "plain.mov")[MARKED][1][row, column, 3]
    assert plain > 250 and found[MARKED][1][row, column, 3] == 0
    assert video["details"]["corrected"] == [list(each) for each in wanted.corrected] != []
    assert any(note.startswith("1 correction applied") for note in video["details"]["notes"])


def test_an_object_of_json_and_the_text_of_a_form_are_the_same_and_go_through_the_record() -> None:
    trimap = base64.b64encode(picture()).decode()
    given = {"version": 1, "time": 0.2, "strokes": [LINE, {**LINE, "time": 0.3}], "trimap": trimap}

    def options(corrections: Any) -> ClipOptions:
        fields = VideoJobFields.model_validate({"corrections": corrections})
        return clip_options_of(fields, behind=None, model="bshm")[0]

    made = options(given)
    assert [each.when for each in made.video.corrections] == ["0.2 s", "0.3 s"]
    assert made.video.corrections[0].corrections.trimap == picture()
    assert made == options(json.dumps(given)) == ClipOptions.from_json(json.loads(json.dumps(made.to_json())))
    assert options(None).video.corrections == ()


@pytest.mark.parametrize(
    ("corrections", "fields", "words"),
    [
        ("paint it", {}, "is not JSON"),
        ("[1]", {}, "written as a JSON object"),
        ({**ERASE, "version": 7}, {}, '"version": 1'),
        ({"version": 1, "strokes": [LINE]}, {}, 'needs a "time" in seconds or a "frame"'),
        ({"version": 1, "strokes": [{**LINE, "frame": 1, "time": 1}]}, {}, "either"),
        ({"version": 1, "strokes": [{**LINE, "frame": 1, "points": [[2, 0]]}]}, {}, "leaves the picture"),
        (ERASE, {"start": "0.1"}, "which is not read with start. Give a time"),
        ({"version": 1, "time": 0.3, "strokes": [LINE]}, {"end": "0.2"}, "not between start and end"),
        ({"version": 1, "time": 99, "strokes": [LINE]}, {}, "anna.mp4 has 12 frames and ends at 0.40 s"),
        ({"version": 1, "frame": FRAMES, "strokes": [LINE]}, {}, "anna.mp4 has 12 frames and ends at 0.40 s"),
        ({**ERASE, "picture": {"width": 100, "height": 100}}, {}, "but anna.mp4 is 128x96, of another shape"),
        ({"version": 1, "frame": 1, "trimap": "AAAA"}, {}, "the trimap"),
        (
            {"version": 1, "frame": 1, "trimap": base64.b64encode(picture((48, 16))).decode()},
            {},
            "but anna.mp4 is 128x96, of another shape",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_at_once_with_its_reason(
    client: Any, clip: Path, tmp_path: Path, corrections: Any, fields: dict[str, str], words: str
) -> None:
    answer = sent(client, clip, corrections, **fields)
    assert answer.status_code == 422, answer.text
    told = answer.json()["errors"]
    assert list(told) == ["corrections"] and words in told["corrections"]
    assert "--" not in told["corrections"] and str(tmp_path) not in answer.text
    assert list((tmp_path / "jobs").glob("pictures/scratch/*")) == []


def test_more_than_a_record_holds_is_refused() -> None:
    fields = VideoJobFields.model_validate({"corrections": " " * (MOST_CORRECTIONS + 1)})
    with pytest.raises(FieldError, match=r"1,048,576 bytes at most here; got 1,048,577"):
        clip_options_of(fields, behind=None, model="bshm")


def test_an_object_that_is_nested_without_end_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(FieldError, match=r"lists in lists"):
        clip_options_of(VideoJobFields.model_construct(corrections=deep), behind=None, model="bshm")


def test_what_only_the_network_can_tell_fails_the_job(client: Any, clip: Path) -> None:
    video = ended(client, sent(client, clip, {"version": 1, "frame": 3, "strokes": [CLICK]}).headers["location"])
    assert video["state"] == "failed" and video["error"]["code"] == "nobody_there"
    assert "anna.mp4, frame 3" in video["error"]["message"]
