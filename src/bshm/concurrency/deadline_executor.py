"""Threads for work that may hang: after the time limit the work is given up, and another thread takes over."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

from bshm.errors import OverrunError

log = logging.getLogger("bshm.concurrency.deadline_executor")

T = TypeVar("T")

# A thread that hangs keeps its picture in memory, and perhaps a core: with more than these the process must go.
MOST_STUCK = 3


@dataclass(eq=False)
class _Task:
    future: Future[Any]
    work: Callable[[], Any]
    timeout_s: float
    deadline: float = math.inf


class DeadlineExecutor(Executor):
    """Threads side by side, each with one piece of work at a time.

    Python cannot stop a thread.  One whose work is overdue is left to itself: whoever waits gets ``OverrunError``, a
    new thread takes what comes next, and what the old one may still give is dropped.  They are daemons, so that none
    keeps the process from ending.

    >>> executor = DeadlineExecutor(1, name="example", timeout_s=0.05)
    >>> executor.submit(lambda: "done").result()
    'done'
    >>> hanging = threading.Event()
    >>> executor.submit(hanging.wait).result()
    Traceback (most recent call last):
    bshm.errors.OverrunError: it took longer than 0.05 s and was given up.
    >>> executor.submit(lambda: "next").result(), executor.stuck
    ('next', 1)
    >>> hanging.set()
    >>> executor.shutdown()
    """

    def __init__(
        self, threads: int, *, name: str, timeout_s: float, broken: Callable[[], object] = lambda: None
    ) -> None:
        """Begin to wait for work.

        Args:
            threads: how many work side by side, those given up not counted.
            name: of the threads.
            timeout_s: longest time of one piece of work, from when a thread takes it up; infinite for none.
            broken: called, from a thread of the executor, when more than ``MOST_STUCK`` threads hang at once.
        """
        self._name = name
        self._timeout_s = timeout_s
        self._broken = broken
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._sooner = threading.Condition(self._lock)
        self._waiting: deque[_Task] = deque()
        self._busy: dict[threading.Thread, _Task] = {}
        self._threads: set[threading.Thread] = set()
        self._stuck: set[threading.Thread] = set()
        self._closing = False
        self._next_look = math.inf
        self._started = 0
        with self._lock:
            for _ in range(threads):
                self._start_thread()
        threading.Thread(target=self._watch, name=f"{name}-watch", daemon=True).start()

    @property
    def stuck(self) -> int:
        """How many threads were given up and still run."""
        with self._lock:
            return len(self._stuck)

    def submit(self, work: Callable[..., T], /, *given: Any, **named: Any) -> Future[T]:
        """Have ``work`` done; see ``concurrent.futures.Executor``."""
        return self.send(lambda: work(*given, **named), timeout_s=self._timeout_s)

    def send(self, work: Callable[[], T], *, timeout_s: float) -> Future[T]:
        """Have ``work`` done within a time of its own.

        Returns:
            its result, or ``OverrunError``.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closing:
                raise RuntimeError(f"the executor {self._name} is closed")
            self._waiting.append(_Task(future, work, timeout_s))
            self._arrived.notify()
        return future

    def more_time(self) -> None:
        """Let the time of the work that calls this begin anew: it is long, and does not hang.

        Raises:
            OverrunError: it was given up before.
        """
        with self._lock:
            task = self._busy.get(threading.current_thread())
            if task is None:
                raise OverrunError("the work was given up.")
            task.deadline = time.monotonic() + task.timeout_s

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, timeout_s: float = math.inf) -> None:
        """Take nothing more.

        Args:
            wait: for the work that has begun, not for what hangs.
            cancel_futures: drop the work that has not begun.
            timeout_s: longest time to wait.
        """
        with self._lock:
            self._closing = True
            dropped = list(self._waiting) if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
            self._arrived.notify_all()
            self._sooner.notify_all()
        for task in dropped:
            task.future.cancel()
        deadline = time.monotonic() + timeout_s
        while wait:
            with self._lock:
                running = next(iter(self._threads), None)
            if running is None or time.monotonic() >= deadline:
                return
            # In short steps: a thread that is given up meanwhile need not be waited for.
            running.join(min(0.05, deadline - time.monotonic()))

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=f"{self._name}-{self._started}", daemon=True)
        self._started += 1
        self._threads.add(thread)
        thread.start()

    def _run(self) -> None:
        while self._do_one():
            pass

    def _do_one(self) -> bool:
        """Whether this thread goes on."""
        me = threading.current_thread()
        with self._lock:
            while not self._waiting and not self._closing:
                self._arrived.wait()
            if not self._waiting:
                self._threads.discard(me)
                return False
            task = self._waiting.popleft()
            if not task.future.set_running_or_notify_cancel():
                return True
            task.deadline = time.monotonic() + task.timeout_s
            self._busy[me] = task
            if task.deadline < self._next_look:
                self._sooner.notify()
        value, error = None, None
        try:
            value = task.work()
        except BaseException as caught:  # noqa: BLE001 - whoever waits for it gets it
            error = caught
        with self._lock:
            if self._busy.pop(me, None) is None:  # given up; another thread has the place
                self._stuck.discard(me)
                return False
        if error is None:
            task.future.set_result(value)
        else:
            task.future.set_exception(error)
        return True

    def _watch(self) -> None:
        while True:
            with self._lock:
                if self._closing and not self._threads:
                    return
                now = time.monotonic()
                overdue = [thread for thread, task in self._busy.items() if task.deadline <= now]
                tasks = [self._busy.pop(thread) for thread in overdue]
                for thread in overdue:
                    self._threads.discard(thread)
                    self._stuck.add(thread)
                    self._start_thread()
                is_broken = bool(overdue) and len(self._stuck) > MOST_STUCK
                if not overdue:
                    self._next_look = min((task.deadline for task in self._busy.values()), default=math.inf)
                    if self._closing:
                        self._next_look = min(self._next_look, now + 0.1)
                    self._sooner.wait(None if self._next_look == math.inf else self._next_look - now)
            for task in tasks:
                log.error("%s: given up after %g s; its thread may hang", self._name, task.timeout_s)
                task.future.set_exception(OverrunError(f"it took longer than {task.timeout_s:g} s and was given up."))
            if is_broken:
                self._broken()
