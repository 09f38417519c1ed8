"""Stages in threads: in order, bounded, and ended cleanly from either side."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bshm.concurrency.ahead import ahead


def test_items_come_in_order_through_several_stages() -> None:
    doubled = (2 * each for each in ahead(iter(range(100)), depth=2))
    assert list(ahead(doubled, depth=3)) == [2 * each for each in range(100)]


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made = 0
    waiting = threading.Semaphore(0)

    def source() -> Iterator[int]:
        nonlocal made
        for number in range(50):
            made += 1
            waiting.release()
            yield number

    items = ahead(source(), depth=3)
    for number in range(10):
        assert next(items) == number
        # Those taken, those that wait, and the one that is held until there is room.
        assert made <= number + 1 + 3 + 1
    items.close()
    assert made < 50


def test_the_maker_runs_in_another_thread() -> None:
    names = list(ahead((threading.current_thread() for _ in range(3)), depth=1))
    assert threading.current_thread() not in names and len(set(names)) == 1


def test_an_error_comes_in_its_place() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the tape ran out")

    items = ahead(source(), depth=5)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="the tape ran out"):
        next(items)


def test_closing_closes_what_makes_the_items_and_waits_for_it() -> None:
    closed = []

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread())

    before = threading.active_count()
    items = ahead(source(), depth=2)
    next(items)
    items.close()
    assert len(closed) == 1 and closed[0] is not threading.current_thread()
    assert threading.active_count() == before


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="room for at least one item"):
        ahead([], depth=0)
