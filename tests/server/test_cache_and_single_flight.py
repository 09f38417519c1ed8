"""Equal requests: kept, made once, and no others taken for them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sent import picture

from bshm.edit.render import Rendered
from bshm.edit.spec import Edit
from bshm.edit.words import BlurBackground, ColorBackground
from bshm.errors import MissingExtraError, OptionError, OutputError
from bshm.options import Limits, MatteOptions
from bshm.pipeline import Matting
from bshm.server.cache import DiskCache, NoCache, digest, open_cache
from bshm.server.service import Order
from bshm.server.settings import Settings
from bshm.server.single_flight import SingleFlight


def test_an_equal_request_is_a_hit_with_the_same_bytes(client: Any) -> None:
    first, second = (client.post("/matte", files={"image": picture()}) for _ in range(2))
    assert (first.headers["x-bshm-cache"], second.headers["x-bshm-cache"]) == ("miss", "hit")
    assert first.content == second.content
    told = ("x-bshm-model", "x-bshm-model-sha256", "x-bshm-empty", "x-width", "content-type")
    assert all(first.headers[name] == second.headers[name] for name in told)


@pytest.mark.parametrize(
    "other", [{"alpha": "1"}, {"format": "webp"}, {"background": "white"}, {"crop": "1"}, {"decontaminate": "0"}]
)
def test_another_option_is_another_result(client: Any, other: dict[str, str]) -> None:
    client.post("/matte", files={"image": picture()})
    assert client.post("/matte", files={"image": picture()}, data=other).headers["x-bshm-cache"] == "miss"


def test_a_default_that_is_said_is_the_default(client: Any) -> None:
    client.post("/matte", files={"image": picture()})
    said = {"format": "png", "quality": "95", "alpha": "false", "model": "bshm"}
    assert client.post("/matte", files={"image": picture()}, data=said).headers["x-bshm-cache"] == "hit"


def test_other_weights_are_another_result(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    import fake_network

    start().post("/matte", files={"image": picture()})
    network = replace(fake_network.CARD.networks["mask"], sha256="1" * 64)
    monkeypatch.setattr(fake_network, "CARD", replace(fake_network.CARD, networks={"mask": network}))
    assert start().post("/matte", files={"image": picture()}).headers["x-bshm-cache"] == "miss"


def test_a_restart_finds_what_was_kept(start: Any) -> None:
    start().post("/matte", files={"image": picture()})
    assert start().post("/matte", files={"image": picture()}).headers["x-bshm-cache"] == "hit"


def test_without_a_cache_each_is_made_anew(start: Any) -> None:
    client = start(cache="off")
    answers = [client.post("/matte", files={"image": picture()}).headers["x-bshm-cache"] for _ in range(2)]
    assert answers == ["miss", "miss"]


def test_simultaneous_equal_requests_are_made_once(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = start(cache="off")
    entered, leave = threading.Event(), threading.Event()
    real, runs = Matting.matte_picture, []

    def slow(self: Matting, *given: Any) -> Any:
        runs.append(1)
        entered.set()
        leave.wait(20)
        return real(self, *given)

    monkeypatch.setattr(Matting, "matte_picture", slow)
    service = client.app.state.service
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(client.post, "/matte", files={"image": picture()}) for _ in range(3)]
        assert entered.wait(20)
        while len(service.limiter) < 3:
            threading.Event().wait(0.01)
        threading.Event().wait(0.2)  # they are in flight; now they find the call
        leave.set()
        found = [answer.result(20) for answer in answers]
    assert [answer.status_code for answer in found] == [200] * 3 and len(runs) == 1
    assert sorted(answer.headers["x-bshm-cache"] for answer in found) == ["hit", "hit", "miss"]
    assert len({answer.content for answer in found}) == 1


def test_a_flight_ends_when_nobody_waits_for_it() -> None:
    async def story() -> tuple[bool, int, str]:
        single_flight: SingleFlight[str] = SingleFlight()
        stopped = asyncio.Event()

        async def long() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                stopped.set()
                raise
            return "never"

        async def quick() -> str:
            return "anew"

        waiting = [asyncio.create_task(single_flight.join("key", long)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        still = not stopped.is_set()
        waiting[1].cancel()
        await asyncio.sleep(0)
        again = await single_flight.join("key", quick)
        await asyncio.wait_for(stopped.wait(), 5)
        return still, len(single_flight), again

    assert asyncio.run(story()) == (True, 0, "anew")


def test_a_flight_that_fails_fails_for_all_and_is_forgotten() -> None:
    async def story() -> int:
        single_flight: SingleFlight[str] = SingleFlight()

        async def failing() -> str:
            await asyncio.sleep(0)
            raise ValueError("no")

        found = await asyncio.gather(*(single_flight.join("key", failing) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(each, ValueError) for each in found)
        return len(single_flight)

    assert asyncio.run(story()) == 0


def test_an_order_is_written_the_same_way_each_time_and_no_two_alike() -> None:
    orders = [
        Order(Edit()),
        Order(Edit(crop=True)),
        Order(Edit(background=ColorBackground((0, 0, 0)))),
        Order(Edit(background=BlurBackground())),
        Order(Edit(), options=MatteOptions(shrink_to=1000)),
        Order(Edit(), options=MatteOptions(decontaminate=False)),
        Order(Edit(scale=0.5)),
    ]
    assert len({order.canonical() for order in orders}) == len(orders)
    assert Order(Edit()).canonical() == Order(Edit(), options=MatteOptions(limits=Limits(max_pixels=9))).canonical()


def test_parts_of_a_key_do_not_run_together() -> None:
    assert digest("ab", "c") != digest("a", "bc") and digest("a", "") != digest("a")


def test_a_result_goes_through_the_cache_unchanged() -> None:
    from bshm.edit.crop import Box

    verdict = {"score": 0.5, "reasons": [{"code": "dark", "box": [0, 0, 3, 2]}]}
    box, timings = Box(0, 1, 2, 3), {"mask": 1.5}
    made = Rendered(b"\x00\n\xff", "image/png", 3, 2, False, box, "m", "s", "cpu", timings, verdict=verdict)
    assert Rendered.from_bytes(made.to_bytes()) == made
    for damaged in (b"", b"{}", b"{}\n", b'{"box": null, "odd": 1}\nx'):
        with pytest.raises((ValueError, KeyError)):
            Rendered.from_bytes(damaged)


def test_the_disk_cache_is_private_and_drops_what_was_stored_first_when_it_is_full(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", max_bytes=2_000_000, age_s=60)
    try:
        assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
        cache.put("small", b"x")
        cache.put("large", bytes(200_000))  # more than a twentieth of the whole
        assert cache.get("small") == b"x" and cache.get("large") is None and cache.get("none") is None
        for number in range(100):
            cache.put(f"{number}", bytes(90_000))
        kept = [number for number in range(100) if cache.get(f"{number}") is not None]
        assert kept == list(range(78, 100)) and cache.get("small") is None  # 22 of them are below the limit
        assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) < 4_000_000
    finally:
        cache.close()


def test_a_value_that_is_stored_again_replaces_the_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", max_bytes=2_000_000, age_s=60)
    cache.put("key", b"first")
    cache.put("key", b"second")
    cache.close()
    again = DiskCache(tmp_path / "cache", max_bytes=2_000_000, age_s=60)
    assert again.get("key") == b"second"
    again.close()


def test_a_cache_that_fails_is_a_cache_that_misses(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", max_bytes=2_000_000, age_s=60)
    cache.close()
    cache.put("key", b"x")
    assert cache.get("key") is None


def test_what_is_no_cache_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(OutputError, match=r"results\.sqlite3"):
        DiskCache(tmp_path, max_bytes=2_000_000, age_s=60)


def test_results_are_not_kept_for_ever(tmp_path: Path) -> None:
    now = [1000.0]
    cache = DiskCache(tmp_path / "cache", max_bytes=2_000_000, age_s=60, clock=lambda: now[0])
    cache.put("key", b"x")
    now[0] += 59
    assert cache.get("key") == b"x"
    now[0] += 2
    assert cache.get("key") is None
    cache.close()


def test_the_setting_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_cache(Settings(cache="off")), NoCache)
    with pytest.raises(OptionError, match="--cache"):
        open_cache(Settings(cache="memory"))
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(MissingExtraError, match="redis"):
        open_cache(Settings(cache="redis://127.0.0.1:1/0"))


def test_a_redis_that_is_away_is_a_miss() -> None:
    from bshm.server.cache import RedisCache

    cache = RedisCache("redis://127.0.0.1:1/0", max_bytes=2_000_000, age_s=60)
    cache.put("key", b"x")
    assert cache.get("key") is None
    cache.close()
