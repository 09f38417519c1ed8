"""The page in a real Chromium, before the real service, or before a stand-in that fails on demand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stand_in
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright
from studio import Studio

HERE = Path(__file__).parent
FLAGS = [
    "--no-sandbox",  # containers mostly have no user namespaces
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
# Of one step.  Generous: a machine that is busy with other tests is no fault of the page.
TIMEOUT_MS = 40_000
expect.set_options(timeout=TIMEOUT_MS)

Open = Callable[..., Studio]


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    reason = "the page's tests need Chromium: apt-get install chromium"
    pytest.fail(reason)


Launch = Callable[[Sequence[str]], Browser]


# Of this folder, not of the session: while it is open, asyncio.run() fails in the same thread.
@pytest.fixture(scope="package")
def launch() -> Iterator[Launch]:
    """Starts Chromium without a window, with further flags."""
    path = _chromium()
    with sync_playwright() as playwright, ExitStack() as stack:

        def begin(more: Sequence[str]) -> Browser:
            browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *more])
            stack.callback(browser.close)
            return browser

        yield begin


@pytest.fixture(scope="package")
def browser(launch: Launch) -> Browser:
    """Chromium without a window."""
    return launch(())


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the real service; red is a person."""
    folder = tmp_path_factory.mktemp("service")
    with served([sys.executable, str(HERE / "service.py"), str(folder)]) as address:
        yield address


@contextmanager
def served(command: list[str]) -> Iterator[str]:
    """The address that a service tells once it listens; it is ended afterwards."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            found = re.search(r"http://\S+:\d+/", line)
            if found:
                break
        else:
            pytest.fail("the service did not start:\n" + "".join(said))
        rest = threading.Thread(target=process.stderr.read, daemon=True)
        rest.start()
        # localhost, as people type it: the service answers to that name too.
        try:
            yield found.group().replace("127.0.0.1", "localhost")
        finally:
            process.terminate()
            process.wait(timeout=20)
            rest.join(timeout=5)


@pytest.fixture(scope="package")
def standing_in() -> Iterator[ThreadingHTTPServer]:
    """The stand-in, whose answers follow from file names."""
    server = stand_in.server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture(scope="package")
def failing_service(standing_in: ThreadingHTTPServer) -> str:
    """The address of the stand-in."""
    return f"http://127.0.0.1:{standing_in.server_address[1]}/"


@pytest.fixture
def released(standing_in: ThreadingHTTPServer) -> Iterator[threading.Event]:
    """What the stand-in waits for with pictures called held-…; they are let go when the test is over."""
    event: threading.Event = standing_in.RequestHandlerClass.released  # type: ignore[attr-defined]
    event.clear()
    yield event
    event.set()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens the page at an address; afterwards nothing may have gone wrong in it, and nobody else been asked.

    To prepare a page before anything is loaded, "about:blank" is opened first, and the service's ``address`` is told.
    """
    yield from opener(browser)


def opener(browser: Browser) -> Iterator[Open]:
    """What ``open_page`` does, for fixtures of another scope."""
    opened: list[tuple[Page, str, list[str], list[str]]] = []

    def go(first: str, *, address: str = "", **options: Any) -> Studio:
        address = address or first
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", "accept_downloads": True, **options}
        )
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        faults: list[str] = []
        strangers: list[str] = []
        # The browser itself logs answers of 4xx and 5xx, which some tests ask for, and that tests read pixels.
        expected = ("Failed to load resource", "Canvas2D: Multiple readback operations")
        page.on(
            "console",
            lambda message: (
                faults.append(message.text)
                if message.type in ("error", "warning") and not message.text.startswith(expected)
                else None
            ),
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: (
                strangers.append(request.url) if not request.url.startswith((address, "blob:", "data:")) else None
            ),
        )
        opened.append((page, address, faults, strangers))
        page.goto(first)
        return Studio(page)

    yield go
    for page, _, faults, strangers in opened:
        try:
            page.context.close()
        except Error as error:
            faults.append(str(error))
        assert faults == []
        assert strangers == []


@pytest.fixture
def studio(open_page: Open, service: str) -> Studio:
    """The page of the real service in a window of 1280 x 800."""
    return open_page(service)


@pytest.fixture
def failing_studio(open_page: Open, failing_service: str) -> Studio:
    """The page of the stand-in."""
    return open_page(failing_service)
