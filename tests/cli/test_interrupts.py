"""Ctrl-C while a command starts: exit code 130 and one line, whatever is loaded at that moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bshm.cli import interrupts, main
from bshm.cli.app import VERBS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGINT to one process there")

# Ctrl-C at the very moment that a module is looked for; a shell that starts tests in the background has it ignored.
PRESSED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
from bshm.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    "module",
    [
        *("bshm.cli.app", "argparse", "bshm.cli.matte", "bshm.bulk.batch", "numpy", "bshm.weights.catalogue"),
        *("onnxruntime", "onnxruntime.capi.onnxruntime_pybind11_state", "cv2", "PIL.Image", "bshm.pipeline"),
    ],
)
def test_ctrl_c_while_a_picture_waits_for_imports_ends_with_its_code(
    photo: Callable[..., Path], tmp_path: Path, module: str
) -> None:
    words = ["matte", str(photo("a.png")), "-o", str(tmp_path / "o.png")]
    done = subprocess.run([sys.executable, "-c", PRESSED, module, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "bshm: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("module", "words"),
    [("numpy", ["doctor"]), ("bshm.evaluation.table", ["eval", "."]), ("bshm.weights.card", ["models"])],
)
def test_ctrl_c_while_another_verb_starts_ends_with_its_code(module: str, words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", PRESSED, module, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "bshm: interrupted\n")


def test_ctrl_c_while_the_service_starts_ends_with_its_code() -> None:
    words = [sys.executable, "-c", PRESSED, "uvicorn", "serve", "--port", "0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "bshm: interrupted\n")


def test_every_verb_that_changes_something_can_put_it_in_order() -> None:
    folder = Path(interrupts.__file__).parent
    for verb, (module, _) in VERBS.items():
        text = (folder / f"{module.rpartition('.')[2]}.py").read_text(encoding="utf-8")
        assert ("interrupts.in_order()" in text) != (verb in ("models", "doctor", "presets")), verb


def test_ctrl_c_belongs_to_the_caller_before_and_after_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    def theirs(*_: object) -> None:
        pass

    before = signal.getsignal(signal.SIGINT)
    try:
        for handler in (signal.default_int_handler, theirs, signal.SIG_IGN):
            signal.signal(signal.SIGINT, handler)
            assert main(["--version"]) == 0
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
    thread.start()
    thread.join()
    assert codes == [0]
    assert capsys.readouterr().out.count("bshm ") == 4
