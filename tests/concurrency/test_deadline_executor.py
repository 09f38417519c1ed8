"""Threads whose work may hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest

from bshm.concurrency.deadline_executor import MOST_STUCK, DeadlineExecutor
from bshm.errors import OverrunError

# Long beside a switch of threads, short beside a test.
SOON_S = 0.1


class Held:
    """Work that hangs until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        self.leave.wait(30)
        return "late"


@pytest.fixture
def held() -> Iterator[Held]:
    work = Held()
    yield work
    work.leave.set()


def until(condition: object, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_work_is_done_by_as_many_threads_as_there_are_and_no_more() -> None:
    executor = DeadlineExecutor(3, name="test", timeout_s=30)
    inside, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return number

    assert [each.result(10) for each in [executor.submit(work, n) for n in range(20)]] == list(range(20))
    assert most == 3
    executor.shutdown()


def test_what_goes_wrong_is_told_to_whoever_waits_and_the_thread_goes_on() -> None:
    executor = DeadlineExecutor(1, name="test", timeout_s=30)
    with pytest.raises(ZeroDivisionError):
        executor.submit(lambda: 1 // 0).result(10)
    assert executor.submit(lambda: 7).result(10) == 7
    executor.shutdown()


def test_time_counts_from_when_the_work_begins_not_from_when_it_waits() -> None:
    executor = DeadlineExecutor(1, name="test", timeout_s=1.0)
    waited = [executor.submit(time.sleep, 0.3) for _ in range(5)]  # 1.5 s in all
    assert [each.result(10) for each in waited] == [None] * 5
    executor.shutdown()


def test_work_that_hangs_is_given_up_and_its_place_is_taken(held: Held) -> None:
    executor = DeadlineExecutor(1, name="test", timeout_s=SOON_S)
    hanging, next_one = executor.submit(held), executor.submit(lambda: "next")
    with pytest.raises(OverrunError, match=r"0\.1 s"):
        hanging.result(10)
    assert next_one.result(10) == "next" and executor.stuck == 1
    held.leave.set()
    until(lambda: executor.stuck == 0)
    assert executor.submit(lambda: "after").result(10) == "after"
    executor.shutdown()


def test_a_piece_of_work_may_have_a_time_of_its_own(held: Held) -> None:
    executor = DeadlineExecutor(2, name="test", timeout_s=30)
    with pytest.raises(OverrunError):
        executor.send(held, timeout_s=SOON_S).result(10)
    executor.shutdown()


def test_with_too_many_that_hang_the_owner_is_told(held: Held) -> None:
    told: list[int] = []
    executor = DeadlineExecutor(2, name="test", timeout_s=SOON_S, broken=lambda: told.append(executor.stuck))
    for number in range(MOST_STUCK + 1):
        assert told == []
        with pytest.raises(OverrunError):
            executor.submit(held).result(10)
        assert executor.stuck == number + 1
    until(lambda: told == [MOST_STUCK + 1])
    executor.shutdown()


def test_a_lane_closes_though_something_hangs_in_it(held: Held) -> None:
    executor = DeadlineExecutor(1, name="test", timeout_s=30)
    hanging = executor.submit(held)
    dropped = executor.submit(lambda: "never")
    assert held.entered.wait(10)
    began = time.monotonic()
    executor.shutdown(cancel_futures=True, timeout_s=SOON_S)
    assert time.monotonic() - began < 15  # of the 30 that it may hang
    with pytest.raises(CancelledError):
        dropped.result(10)
    with pytest.raises(RuntimeError):
        executor.submit(lambda: 1)
    held.leave.set()
    assert hanging.result(10) == "late"


def test_cancelled_work_is_not_begun(held: Held) -> None:
    executor = DeadlineExecutor(1, name="test", timeout_s=30)
    executor.submit(held)
    assert held.entered.wait(10)
    begun: list[int] = []
    waiting: Future[None] = executor.submit(begun.append, 1)
    assert waiting.cancel()
    held.leave.set()
    assert executor.submit(lambda: "done").result(10) == "done" and begun == []
    executor.shutdown()


def test_no_thread_is_left_of_a_closed_lane() -> None:
    before = set(threading.enumerate())
    executor = DeadlineExecutor(4, name="test", timeout_s=30)
    executor.submit(lambda: 1).result(10)
    executor.shutdown()
    until(lambda: not (set(threading.enumerate()) - before))


def test_work_that_says_that_it_goes_on_is_not_given_up_and_work_that_was_given_up_hears_of_it() -> None:
    executor = DeadlineExecutor(1, name="test", timeout_s=1.0)

    def long() -> str:
        until_s = time.monotonic() + 2.0
        while time.monotonic() < until_s:
            executor.more_time()
            time.sleep(0.01)
        return "done"

    assert executor.submit(long).result(30) == "done" and executor.stuck == 0
    heard, leave = threading.Event(), threading.Event()

    def late() -> None:
        leave.wait(30)
        try:
            executor.more_time()
        except OverrunError:
            heard.set()

    with pytest.raises(OverrunError):
        executor.submit(late).result(30)
    leave.set()
    assert heard.wait(30)
    executor.shutdown()
