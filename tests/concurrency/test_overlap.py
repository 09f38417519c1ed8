"""Several items at once, bounded, and nobody left waiting."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from bshm.concurrency.overlap import ClosableLock, ClosedError, background, overlap


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    outcomes = overlap(range(20), slow_first, threads=threads)
    assert [outcome.value for outcome in outcomes] == [number * number for number in range(20)]


def test_unordered_results_do_not_wait_for_a_slow_item() -> None:
    release = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert release.wait(10)
        return number

    results = overlap(range(4), work, threads=2, ordered=False)
    assert [next(results).value for _ in range(3)] == [1, 2, 3]
    release.set()
    assert next(results).value == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failing_item_becomes_its_outcome_and_the_rest_go_on(threads: int) -> None:
    outcomes = list(overlap(["1", "x", "3"], int, threads=threads))
    assert [outcome.value for outcome in outcomes] == [1, None, 3]
    assert isinstance(outcomes[1].error, ValueError)
    assert outcomes[1].item == "x"
    with pytest.raises(ValueError, match="invalid literal"):
        outcomes[1].unwrap()


@pytest.mark.parametrize("ordered", [True, False])
def test_no_more_items_are_in_the_works_than_there_are_threads(ordered: bool) -> None:
    lock = threading.Lock()
    running, most = 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1

    list(overlap(range(50), work, threads=3, ordered=ordered))
    assert most <= 3


@pytest.mark.parametrize("ordered", [True, False])
def test_an_endless_source_is_drawn_from_only_as_far_as_there_is_room(ordered: bool) -> None:
    drawn = 0

    def source() -> Iterator[int]:
        nonlocal drawn
        for number in itertools.count():
            drawn += 1
            yield number

    outcomes = overlap(source(), lambda number: number, threads=3, ordered=ordered)
    for _ in range(10):
        next(outcomes)
    outcomes.close()
    assert drawn <= 10 + 2 * 3


@pytest.mark.parametrize("threads", [1, 3])
def test_results_are_not_kept_alive_after_they_were_handed_on(threads: int) -> None:
    class Big:
        pass

    seen: list[weakref.ref[Big]] = []
    outcomes = overlap(range(12), lambda _: Big(), threads=threads)
    for outcome in outcomes:
        assert outcome.value is not None
        seen.append(weakref.ref(outcome.value))
        del outcome
        assert sum(reference() is not None for reference in seen[:-1]) == 0


def test_closing_starts_no_further_item() -> None:
    started: list[int] = []
    release = threading.Event()

    def work(number: int) -> None:
        started.append(number)
        if number:
            release.wait(10)

    before = set(threading.enumerate())
    outcomes = overlap(range(100), work, threads=2)
    next(outcomes)
    theirs = set(threading.enumerate()) - before
    outcomes.close()
    release.set()
    for thread in theirs:
        thread.join(10)
    assert max(started) <= 2


def test_what_the_source_raises_is_raised_and_not_waited_for() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("the list of pictures is gone")

    with pytest.raises(OSError, match="is gone"):
        list(overlap(source(), lambda number: number, threads=2))


def test_less_than_one_thread_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one thread"):
        overlap([], int, threads=0)


def test_a_closed_lock_waits_for_the_one_inside_and_lets_nobody_in() -> None:
    lock = ClosableLock()
    inside, leave, left = threading.Event(), threading.Event(), threading.Event()

    def go_through() -> None:
        with lock:
            inside.set()
            leave.wait(10)
            left.set()

    thread = threading.Thread(target=go_through)
    thread.start()
    inside.wait(10)
    threading.Timer(0.05, leave.set).start()
    lock.close()
    assert left.is_set()
    with pytest.raises(ClosedError), lock:
        pass
    thread.join()


def test_background_work_goes_on_while_the_caller_does() -> None:
    go = threading.Event()
    answer = background(lambda: go.wait(10) and "done")
    go.set()
    assert answer() == "done"
    assert answer() == "done"


def test_an_error_of_background_work_is_raised_where_its_result_is_asked_for() -> None:
    answer = background(lambda: int("x"))
    with pytest.raises(ValueError, match="'x'"):
        answer()
