"""One picture through the whole flow, and many through one session, with fake networks whose answers are known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_network import CARD, RedIsAPerson
from PIL import Image

from bshm.edit.spec import Edit
from bshm.errors import BshmError, MemoryExhaustedError, OptionError, SourceNotFoundError, UnreadablePictureError
from bshm.matting.engines import Answer, Clock, Staged, Whole
from bshm.options import Limits, MatteOptions
from bshm.pipeline import Matting
from bshm.runtime.providers import Device, choose
from bshm.types import Picture, PixelArray
from bshm.weights.card import Network, Preprocessing, Signature


def person(height: int = 96, width: int = 128, *, dtype: type = np.uint8) -> np.ndarray:
    """A red square on grey."""
    pixels = np.full((height, width, 3), 60, np.uint8)
    pixels[height // 4 : -height // 4, width // 4 : -width // 4] = (240, 20, 20)
    return pixels if dtype is np.uint8 else pixels.astype(np.uint16) * 257


def with_sessions(**sessions: Any) -> Matting:
    networks = {role: replace(CARD.networks["mask"], file=f"{role}.onnx") for role in sessions}
    return Matting(engine=Staged(replace(CARD, networks=networks), choose("cpu"), sessions, tile_threads=2))


class Unify:
    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {"mask_unified": feeds["mask"]}


class Matte:
    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {"alpha": feeds["mask"]}


@pytest.fixture
def matting() -> Matting:
    return with_sessions(mask=RedIsAPerson())


@pytest.fixture
def three_stages() -> Matting:
    return with_sessions(mask=RedIsAPerson(), quality=Unify(), matting=Matte())


# --- one picture


@pytest.mark.parametrize("stages", ["matting", "three_stages"])
def test_the_person_is_found(stages: str, request: pytest.FixtureRequest) -> None:
    matte = request.getfixturevalue(stages).matte(person())
    assert matte.alpha[48, 64] == 1 and matte.alpha[2, 2] == 0
    assert not matte.is_empty


def test_timings_are_named_in_the_order_of_the_flow(matting: Matting, three_stages: Matting) -> None:
    assert list(matting.matte(person()).ran.timings_ms) == ["decode", "mask", "refine", "foreground"]
    assert list(three_stages.matte(person()).ran.timings_ms) == [
        "decode",
        "mask",
        "quality",
        "refine",
        "matting",
        "foreground",
    ]
    decoded = matting.matte_picture(Picture(person()), MatteOptions(decontaminate=False))
    assert list(decoded.ran.timings_ms) == ["mask", "refine"]


def test_the_stages_come_apart_with_a_mask_changed_in_between() -> None:
    engine = with_sessions(mask=RedIsAPerson(), quality=Unify(), matting=Matte()).engine
    assert isinstance(engine, Staged)
    pixels, clock = person(), Clock()
    mask = engine.mask(pixels, clock)
    together = engine.matte(pixels, None, Clock())
    assert np.array_equal(engine.finish(pixels, mask, clock).alpha, together.alpha)
    assert list(clock.timings) == ["mask", "quality", "refine", "matting"]
    assert engine.finish(pixels, np.zeros_like(mask)).alpha.max() == 0


def test_a_matte_says_how_much_of_it_is_doubtful(matting: Matting) -> None:
    class Unsure:
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            return {"mask": np.full_like(feeds["image"][:, :1], 0.6)}

    assert matting.matte(person()).doubtful == 0
    unsure = with_sessions(mask=Unsure()).matte(person())
    assert unsure.doubtful == 1
    sure, low = matting.matte(person()).verdict, unsure.verdict
    assert sure is not None and low is not None and low.score < 0.1 < 0.9 < sure.score


@pytest.mark.parametrize("somebody", [True, False])
def test_an_unsure_patch_is_looked_at_for_a_body(somebody: bool) -> None:
    class Unsure(RedIsAPerson):
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            answer = super().run(feeds)
            answer["mask"] = answer["mask"] * np.float32(0.7)
            answer["middle"] = answer["middle"] + np.float32(somebody)
            return answer

    matte = with_sessions(mask=Unsure()).matte(person())
    assert matte.is_empty is not somebody
    assert list(matte.ran.timings_ms) == ["decode", "mask", "islands", "refine", "foreground"]


def test_weights_that_answer_with_alpha_have_no_mask_to_tell_doubt_by() -> None:
    class Alpha:
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            return {"out": feeds["in"][:, :1]}

    network = Network("alpha.onnx", "", 0, 0, Preprocessing(), -1, Signature("in", "out"))
    engine = Whole(replace(CARD, networks={"alpha": network}), choose("cpu"), {"alpha": Alpha()})
    matte = Matting(engine=engine).matte(person())
    assert matte.doubtful is None and matte.verdict is None
    assert list(matte.ran.timings_ms) == ["decode", "matting", "foreground"]
    assert np.allclose(matte.alpha, person()[..., 0] / 255, atol=1e-6)  # float32


class Remembers:
    """An engine whose alpha is the share of frames so far that were bright: it has a memory."""

    card, device = CARD, Device("cpu", "CPUExecutionProvider", {})

    def start(self) -> tuple[int, int]:
        return 0, 0

    def matte(self, pixels: PixelArray, state: tuple[int, int], clock: Clock, *, exact: bool = False) -> Answer:
        state = state[0] + int(pixels.mean() > 128), state[1] + 1
        return Answer(np.full(pixels.shape[:2], state[0] / state[1], np.float32), state=state)


def test_an_engine_with_a_memory_is_given_its_state_back_frame_by_frame() -> None:
    matting = Matting(engine=Remembers())
    state, found = matting.engine.start(), []
    for level in (255, 0, 0, 255):
        matte, state = matting.step(Picture(np.full((8, 8, 3), level, np.uint8)), state)
        found.append(float(matte.alpha[0, 0]))
    assert found == pytest.approx([1, 1 / 2, 1 / 3, 1 / 2])
    # One picture alone begins anew.
    assert matting.matte(np.full((8, 8, 3), 255, np.uint8)).alpha.min() == 1


def test_a_matte_and_its_picture_print_as_a_line_and_not_as_their_pixels(matting: Matting) -> None:
    matte = matting.matte(np.zeros((6, 8, 3), np.uint8))
    assert repr(matte) == f"<Matte of <array>: 8 x 6 px, nobody; {matte.ran.model} on cpu>"
    assert repr(matte.picture) == "<Picture <array>: 8 x 6 px, 8 bit, array>"


def test_the_run_says_what_ran(matting: Matting) -> None:
    ran = matting.matte(person()).ran
    assert (ran.model, ran.model_sha256, ran.device) == (CARD.name, matting.engine.card.sha256, "cpu")


@pytest.mark.parametrize("stages", ["matting", "three_stages"])
def test_the_alpha_that_a_picture_came_with_is_multiplied(stages: str, request: pytest.FixtureRequest) -> None:
    came_with = np.zeros((96, 128), np.uint8)
    came_with[:, 48:] = 255
    came_with[60:, 48:] = 153
    picture = np.dstack([person(), came_with])
    opened = request.getfixturevalue(stages)
    alpha = opened.matte(picture).alpha
    alone = opened.matte_picture(Picture(person())).alpha
    assert (alpha[:, :48] == 0).all()
    # Well inside the square the network is sure; what came is 153 of 255.
    assert alpha[50, 64] == 1 and alone[64, 64] == 1
    assert alpha[64, 64] == pytest.approx(0.6, abs=1e-6)  # float32


def test_what_lies_under_the_transparency_of_a_picture_does_not_count(matting: Matting) -> None:
    """Editors leave anything there; a red that nobody sees is no person."""
    hidden = np.dstack([person(), np.zeros((96, 128), np.uint8)])
    assert matting.matte(hidden).is_empty


@pytest.mark.parametrize("stages", ["matting", "three_stages"])
def test_sixteen_bits_stay_sixteen_bits(stages: str, request: pytest.FixtureRequest) -> None:
    matte = request.getfixturevalue(stages).matte(person(dtype=np.uint16))
    assert matte.foreground.dtype == np.uint16 and matte.cutout().dtype == np.uint16
    assert matte.cutout()[48, 64].tolist() == [240 * 257, 20 * 257, 20 * 257, 65535]
    assert matte.encode(Edit(format="png"))[24] == 16  # the bit depth in a PNG's header


@pytest.mark.parametrize("stages", ["matting", "three_stages"])
def test_nobody_in_the_picture_is_an_empty_matte(stages: str, request: pytest.FixtureRequest) -> None:
    matte = request.getfixturevalue(stages).matte(np.full((96, 128, 3), 60, np.uint8))
    assert matte.is_empty
    assert not matte.cutout().any()


def test_without_decontamination_the_foreground_is_the_picture(matting: Matting) -> None:
    matte = matting.matte(person(), MatteOptions(decontaminate=False))
    assert matte.foreground is matte.picture.pixels


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (300, 2)])
@pytest.mark.parametrize("stages", ["matting", "three_stages"])
def test_the_smallest_pictures_go_through(
    stages: str, size_hw: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    matte = request.getfixturevalue(stages).matte(np.full((*size_hw, 3), (240, 20, 20), np.uint8))
    assert matte.alpha.shape == size_hw and matte.alpha.min() == 1


def test_the_limits_reach_the_decoder(matting: Matting) -> None:
    with pytest.raises(BshmError, match="100 pixels"):
        matting.matte(person(), MatteOptions(limits=Limits(max_pixels=100)))


def test_memory_that_runs_out_names_the_picture_and_its_need(tmp_path: Path) -> None:
    class Greedy:
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            raise MemoryError

    path = tmp_path / "large.png"
    Image.fromarray(person()).save(path)
    with pytest.raises(MemoryExhaustedError, match=r"large\.png \(128x96\)"):
        with_sessions(mask=Greedy()).matte(path)


def test_a_better_explanation_of_exhausted_memory_is_kept() -> None:
    class Explains:
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            raise MemoryExhaustedError("the device is full")

    with pytest.raises(MemoryExhaustedError, match="the device is full"):
        with_sessions(mask=Explains()).matte(person())


def test_the_given_array_is_left_as_it_was(three_stages: Matting) -> None:
    pixels = person()
    before = pixels.copy()
    three_stages.matte(pixels)
    assert (pixels == before).all()


def test_one_session_gives_eight_threads_the_same_results(three_stages: Matting) -> None:
    pictures = [np.roll(person(), 5 * n, axis=1) for n in range(8)]
    alone = [three_stages.matte(each).cutout() for each in pictures]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            together = list(pool.map(lambda each: three_stages.matte(each).cutout(), pictures))
            assert all((a == b).all() for a, b in zip(alone, together, strict=True))


# --- many pictures


@pytest.mark.parametrize("in_flight", [1, 3])
def test_map_gives_mattes_in_the_order_of_the_sources(matting: Matting, in_flight: int) -> None:
    sources = [person(64 + 8 * n, 96) for n in range(6)]
    assert [each.picture.size_hw[0] for each in matting.map(sources, in_flight=in_flight)] == [64, 72, 80, 88, 96, 104]


@pytest.mark.parametrize("in_flight", [1, 3])
def test_map_raises_the_first_error_in_its_place(matting: Matting, in_flight: int, tmp_path: Path) -> None:
    found = matting.map([person(), tmp_path / "none.jpg", person()], in_flight=in_flight)
    assert not next(found).is_empty
    with pytest.raises(SourceNotFoundError, match=r"none\.jpg"):
        next(found)
    with pytest.raises(StopIteration):
        next(found)


@pytest.mark.parametrize("in_flight", [1, 3])
def test_map_returns_errors_in_the_place_of_their_mattes(matting: Matting, in_flight: int, tmp_path: Path) -> None:
    sources: list[Any] = [tmp_path / "none.jpg", person(), b"no picture", person()]
    found = list(matting.map(sources, in_flight=in_flight, errors="return"))
    kinds = [type(each) if isinstance(each, BshmError) else each.is_empty for each in found]
    assert kinds == [SourceNotFoundError, False, UnreadablePictureError, False]


def test_map_raises_a_fault_that_is_no_error_of_ours_even_where_errors_are_returned() -> None:
    class Faulty:
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(with_sessions(mask=Faulty()).map([person()], errors="return"))


def test_map_draws_from_an_endless_source_only_as_it_has_room(matting: Matting) -> None:
    drawn = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal drawn
        while True:
            drawn += 1
            yield person()

    mattes = matting.map(endless(), in_flight=2)
    for _ in range(5):
        next(mattes)
    mattes.close()
    assert drawn <= 5 + 2 * 2


def test_map_works_on_as_many_at_once_as_asked_for() -> None:
    together, most, lock = 0, 0, threading.Lock()

    class Slow(RedIsAPerson):
        def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
            nonlocal together, most
            with lock:
                together += 1
                most = max(most, together)
            time.sleep(0.02)
            with lock:
                together -= 1
            return super().run(feeds)

    list(with_sessions(mask=Slow()).map([person()] * 12, in_flight=3))
    assert most == 3


def test_map_passes_the_options_on(matting: Matting) -> None:
    (only,) = matting.map([person()], options=MatteOptions(decontaminate=False))
    assert "foreground" not in only.ran.timings_ms


def test_map_refuses_what_it_cannot_do_before_the_first_picture(matting: Matting) -> None:
    with pytest.raises(OptionError, match="got 0"):
        matting.map([], in_flight=0)
    with pytest.raises(OptionError, match="'ignore'"):
        matting.map([], errors="ignore")  # type: ignore[call-overload]
