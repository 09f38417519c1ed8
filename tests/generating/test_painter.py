"""Backgrounds that a model paints: what the people keep, what the result says, and what goes wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import bshm
from bshm import errors
from bshm.cli import main
from bshm.edit.background import Painting, painted
from bshm.edit.render import render
from bshm.generating.painter import Painter, working_size
from bshm.types import Picture, Run

WORDS: dict[str, Any] = {"background_prompt": "a beach at dusk", "background_steps": 1}


@pytest.fixture(scope="module")
def painter(model: Path) -> Painter:
    return Painter(model).open()


def matte(dtype: Any = np.uint8, size_hw: tuple[int, int] = (90, 150)) -> bshm.Matte:
    """Somebody in noise, whose edge is soft."""
    height, width = size_hw
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, top, (height, width, 3), dtype, endpoint=True)
    across = np.abs(np.arange(width, dtype=np.float32) - width / 2)
    alpha = np.repeat(np.clip((width / 4 - across) / 6, 0, 1, dtype=np.float32)[None], height, axis=0)
    return bshm.Matte(Picture(pixels), alpha, pixels, Run("fake", "0" * 64, "cpu"))


class Stub:
    """Paints what it is told to, and remembers what it saw."""

    def __init__(self, inside: tuple[int, int, int], outside: tuple[int, int, int]) -> None:
        self.inside, self.outside = inside, outside
        self.kept = np.zeros(0, bool)
        self.pixels: Any = None

    def paint(self, pixels: Any, kept: Any, prompt: str, *, seed: int, steps: int | None) -> Painting:
        self.pixels, self.kept = pixels, kept
        result = np.where(kept[..., None], np.array(self.inside, np.uint8), np.array(self.outside, np.uint8))
        return Painting(np.asarray(result, np.uint8), "stub", steps or 1, "cpu")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_people_are_the_pictures_own_pixels_and_all_else_is_painted(painter: Painter, dtype: Any) -> None:
    found = matte(dtype)
    pixels = found.pixels(bshm.Edit(**WORDS), background=painter)
    assert pixels.shape == found.picture.pixels.shape and pixels.dtype == dtype
    person, nobody = found.alpha == 1, found.alpha == 0
    assert person.any() and np.array_equal(pixels[person], found.picture.pixels[person])
    assert (pixels[nobody] != found.picture.pixels[nobody]).mean() > 0.9


def test_the_same_seed_paints_the_same_and_another_one_or_other_words_something_else(painter: Painter) -> None:
    def made(**more: Any) -> Any:
        return matte().pixels(bshm.Edit(**{**WORDS, **more}), background=painter)

    first = made(background_seed=7)
    assert np.array_equal(first, made(background_seed=7))
    assert not np.array_equal(first, made(background_seed=8))
    assert not np.array_equal(first, made(background_seed=7, background_prompt="a forest"))
    assert not np.array_equal(first, made(background_seed=7, background_steps=3))


def test_what_the_model_shows_of_people_does_not_come_through_their_soft_edge() -> None:
    found = matte()
    behind, _ = painted(Stub((255, 0, 0), (0, 0, 255)), found.foreground, found.alpha, "x", seed=0, steps=None)
    soft = (found.alpha > 0) & (found.alpha < 1)
    assert soft.any() and (behind[soft] == (0, 0, 255)).all()
    assert (behind == (0, 0, 255)).all()


def test_the_model_sees_the_people_where_they_will_be_and_no_shadow() -> None:
    stub = Stub((0, 0, 0), (9, 9, 9))
    edit = bshm.Edit(**WORDS, size="60x80", shadow=True, shadow_kind="contact", crop=True)
    bare = bshm.Edit(size="60x80", crop=True)
    matte().pixels(edit, background=stub)
    alpha = matte().pixels(bare)[..., 3]
    assert stub.pixels.shape == (80, 60, 3)
    assert np.array_equal(stub.kept, alpha >= 230)


def test_a_shadow_and_the_light_are_laid_over_what_is_painted() -> None:
    stub = Stub((0, 0, 0), (200, 200, 200))
    plain = matte().pixels(bshm.Edit(**WORDS), background=stub)
    shadowed = matte().pixels(bshm.Edit(**WORDS, shadow=True), background=stub)
    lit = matte().pixels(bshm.Edit(**WORDS, harmonize=1), background=stub)
    nobody, person = matte().alpha == 0, matte().alpha == 1
    assert shadowed[nobody].min() < 200 and (plain[nobody] == 200).all() and (lit[nobody] == 200).all()
    assert np.array_equal(plain[person], shadowed[person]) and not np.array_equal(plain[person], lit[person])


def test_a_picture_without_people_is_painted_all_over(painter: Painter) -> None:
    found = matte()
    empty = bshm.Matte(found.picture, np.zeros_like(found.alpha), found.foreground, found.ran)
    assert empty.pixels(bshm.Edit(**WORDS), background=painter).shape == (90, 150, 3)


def test_the_result_says_what_painted_it(painter: Painter) -> None:
    edit = bshm.Edit(**WORDS, background_seed=3, format="jpg")
    told = render(matte(), edit, painter).background_by
    assert told == {"model": painter.model, "device": "cpu", "prompt": "a beach at dusk", "seed": 3, "steps": 1}
    assert painter.model.startswith("tiny@") and len(painter.model) == len("tiny@") + 12
    usual = render(matte(), bshm.Edit(background_prompt="x"), Stub((0, 0, 0), (1, 1, 1)))
    assert usual.background_by is not None and usual.background_by["steps"] == 1
    assert render(matte(), bshm.Edit()).background_by is None


@pytest.mark.parametrize(
    ("canvas", "side", "cell", "size"),
    [
        ((3000, 4000), 512, 8, (440, 592)),
        ((100, 100), 512, 8, (512, 512)),
        ((10, 4000), 512, 8, (64, 2048)),
        ((1000, 1000), 1024, 16, (1024, 1024)),
    ],
)
def test_a_model_paints_at_its_own_size_whatever_the_canvas(
    canvas: tuple[int, int], side: int, cell: int, size: tuple[int, int]
) -> None:
    assert working_size(*canvas, side, cell) == size


def test_a_painter_goes_to_another_process_and_opens_its_model_there(painter: Painter) -> None:
    other = pickle.loads(pickle.dumps(painter))
    edit = bshm.Edit(**WORDS)
    assert np.array_equal(matte().pixels(edit, background=other), matte().pixels(edit, background=painter))


def test_nothing_is_told_of_what_is_painted(painter: Painter) -> None:
    from huggingface_hub import constants

    assert painter.model and constants.HF_HUB_DISABLE_TELEMETRY is True
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_a_prompt_without_a_model_says_how_to_give_one() -> None:
    with pytest.raises(errors.OptionError, match=r"bshm.Painter\(MODEL\)"):
        matte().pixels(bshm.Edit(**WORDS))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"background": "white"}, "contradict"),
        ({"alpha": True}, "cannot be combined with background_prompt"),
        ({"format": "ora"}, "cannot be combined with background_prompt"),
        ({"background_prompt": " "}, "1 to 2000 letters"),
        ({"background_seed": -1}, "0 to 4294967295"),
        ({"background_steps": 0}, "1 to 500"),
        ({"background_prompt": None, "background_seed": 0}, "works only with background_prompt"),
    ],
)
def test_an_edit_refuses_what_makes_no_sense_with_a_prompt(more: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.OptionError, match=said):
        bshm.Edit(**{**WORDS, **more})


def test_an_edit_with_a_prompt_is_an_opaque_one_and_comes_back_from_json() -> None:
    edit = bshm.Edit(**WORDS, format="jpg", harmonize=0.5, background_seed=4)
    assert bshm.Edit.from_json(json.loads(json.dumps(edit.to_json()))) == edit


def test_a_folder_that_is_no_model_is_told_apart_from_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.PainterModelError, match="no folder is called"):
        Painter(tmp_path / "missing")
    with pytest.raises(errors.PainterModelError, match="cannot be opened as a diffusers pipeline"):
        Painter(tmp_path).open()


def test_a_damaged_model_is_named(model: Path, tmp_path: Path) -> None:
    import shutil

    broken = shutil.copytree(model, tmp_path / "broken")
    (weights,) = (broken / "unet").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(errors.PainterModelError, match="broken cannot be opened"):
        Painter(broken).open()


def test_a_hub_that_may_not_be_asked_is_told_apart_from_a_model_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(errors.HubUnreachableError, match="HF_HUB_OFFLINE is set"):
        Painter("nobody/nothing").open()


def test_a_name_that_the_hub_does_not_know_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import hf_api

    class Unknown(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("user-agent", "")))
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - as the class it is of wants it

        def log_message(self, *_: object) -> None:
            pass

    asked: list[tuple[str, str]] = []
    server = HTTPServer(("127.0.0.1", 0), Unknown)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(hf_api.api, "endpoint", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(errors.PainterModelError, match="the hub gives no diffusers pipeline called nobody/nothing"):
            Painter("nobody/nothing").open()
    finally:
        server.shutdown()
        server.server_close()
    assert asked and all("/nobody/nothing" in path for path, _ in asked)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "diffusers" else real(name))
    with pytest.raises(errors.MissingExtraError, match=r'pip install "bshm\[diffusion\]"'):
        Painter("some/model")


def test_a_device_that_is_not_there_is_refused(model: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a device")
    with pytest.raises(errors.DeviceUnavailableError, match="cuda:3"):
        Painter(model, device="cuda:3").open()
    with pytest.raises(errors.OptionError, match="auto, cpu or cuda"):
        Painter(model, device="rocm").open()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: SimpleNamespace(images=np.zeros((1, 8, 8, 3)), nsfw_content_detected=[True]), "PaintingWithheldError"),
        (lambda: SimpleNamespace(images=np.full((1, 64, 64, 3), np.nan)), "PainterModelError"),
        (lambda: (_ for _ in ()).throw(RuntimeError("DefaultCPUAllocator: can't allocate memory")), "MemoryExhausted"),
        (lambda: (_ for _ in ()).throw(RuntimeError("sizes do not match")), "PainterModelError"),
    ],
)
def test_what_a_model_does_not_give_is_no_black_picture(
    model: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Any], kind: str
) -> None:
    import diffusers

    chosen = Painter(model).open()
    monkeypatch.setattr(diffusers.StableDiffusionInpaintPipeline, "__call__", lambda self, **_: answer())
    with pytest.raises(bshm.BshmError) as caught:
        matte(size_hw=(64, 64)).pixels(bshm.Edit(background_prompt="x"), background=chosen)
    assert kind in type(caught.value).__name__


@pytest.mark.usefixtures("fake")
def test_the_command_line_paints_and_tells_by_what(
    model: Path, photo: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["matte", str(photo("a.png")), "-o", str(tmp_path / "b.png"), "--background-prompt", "a beach"]
    words += ["--background-model", str(model), "--background-steps", "1", "--background-seed", "5"]
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)["background_by"]
    assert told["prompt"] == "a beach" and told["seed"] == 5 and told["steps"] == 1
    assert f"the background was painted by {told['model']} in 1 steps, with the seed 5" in err
    made = np.asarray(Image.open(tmp_path / "b.png").convert("RGB"))
    assert (made[16:32, 20:44] == (240, 20, 20)).all() and not (made[:8] == 60).all()


@pytest.mark.usefixtures("fake")
def test_the_model_may_stand_in_the_environment(
    model: Path, photo: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BSHM_BACKGROUND_MODEL", str(model))
    words = ["matte", str(photo("a.png")), "-o", str(tmp_path / "b.jpg"), "--background-prompt", "x"]
    assert main([*words, "--background-steps", "1"]) == 0


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ([], 2, "--background-model"),
        (["--background-model", "/no/such/folder"], 30, "no folder is called /no/such/folder"),
        (["--background-model", "nobody/nothing"], 31, "Give --background-model the folder"),
    ],
)
def test_each_fault_has_an_exit_code_of_its_own(
    flags: list[str],
    code: int,
    said: str,
    photo: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["matte", str(photo("a.png")), "--background-prompt", "x", *flags]) == code
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
def test_a_batch_makes_painted_pictures_once_and_others_when_the_seed_changes(
    model: Path, photo: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo("in/a.png")
    words = ["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--json", "--background-prompt", "x"]
    words += ["--background-model", str(model), "--background-steps", "1"]

    def line(*more: str) -> Any:
        assert main([*words, *more]) == 0
        return json.loads(capsys.readouterr().out)

    assert line()["status"] == "written"
    again = line()
    assert again["status"] == "skipped" and again["background_by"]["seed"] == 0
    other = line("--background-seed", "1", "--overwrite")
    assert other["status"] == "written" and other["background_by"]["seed"] == 1


@pytest.fixture
def service(fake: None, model: Path, tmp_path: Path) -> Iterator[Any]:
    from starlette.testclient import TestClient

    from bshm.server.app import create_app
    from bshm.server.settings import Settings

    settings = Settings(
        cache_dir=tmp_path / "cache",
        results=str(tmp_path / "jobs"),
        keys_file=tmp_path / "keys.json",
        background_model=str(model),
    )
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        yield client


def test_the_service_paints_and_keeps_what_it_has_painted(service: Any, photo: Callable[..., Path]) -> None:
    sent = {"files": {"image": photo("a.png").read_bytes()}, "data": {"background_prompt": "x", "background_steps": 1}}
    first, second = service.post("/matte", **sent), service.post("/matte", **sent)
    assert first.status_code == 200
    told = json.loads(first.headers["x-bshm-background-by"])
    assert told["prompt"] == "x" and told["steps"] == 1 and told["model"].startswith("tiny@")
    assert second.headers["x-bshm-cache"] == "hit" and second.content == first.content
    assert json.loads(second.headers["x-bshm-background-by"]) == told
    assert Image.open(BytesIO(first.content)).mode == "RGB"


def test_a_job_carries_its_prompt_and_its_record_says_what_painted(service: Any, photo: Callable[..., Path]) -> None:
    data = {"background_prompt": "x", "background_steps": "1", "background_seed": "9"}
    accepted = service.post("/jobs", files={"image": photo("a.png").read_bytes()}, data=data)
    assert accepted.status_code == 202
    for _ in range(600):
        job = service.get(accepted.headers["location"]).json()
        if job["state"] in ("done", "failed"):
            break
        time.sleep(0.1)
    assert job["state"] == "done"
    assert job["items"][0]["details"]["background_by"]["seed"] == 9


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("route", ["/matte", "/jobs"])
def test_a_service_without_a_model_says_that_it_does_not_paint(
    route: str, photo: Callable[..., Path], tmp_path: Path
) -> None:
    from starlette.testclient import TestClient

    from bshm.server.app import create_app
    from bshm.server.settings import Settings

    settings = Settings(cache_dir=tmp_path / "cache", results=str(tmp_path / "jobs"), keys_file=tmp_path / "keys.json")
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        files = {"image": photo("a.png").read_bytes()}
        answer = client.post(route, files=files, data={"background_prompt": "x"})
    assert answer.status_code == 501
    assert answer.json()["type"] == "urn:bshm:problem:not-offered" and "--background-model" in answer.json()["detail"]
