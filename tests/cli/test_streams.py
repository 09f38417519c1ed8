"""Results on stdout: all of them, or an exit code; words on stderr: nothing that a terminal obeys."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import opened
from PIL import Image

from bshm.cli import main
from bshm.cli.streams import plain, put

Photo = Callable[..., Path]
Captured = pytest.CaptureFixture[str]

HERE = Path(__file__).parent
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full and limits of a process")


def command(*words: object, before: str = "") -> list[str]:
    """``bshm`` in a process of its own, with the fake network."""
    code = (
        f"import sys; sys.path.insert(0, {str(HERE.parent)!r}); import fake_network; fake_network.install(setattr)\n"
        f"{before}\nfrom bshm.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", code, *map(str, words)]


def buffering(*, unbuffered: bool) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}


@LINUX
@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize(
    "words",
    [
        ["matte", "a.png", "-o", "-"],
        ["matte", "a.png", "--json"],
        ["matte", "a.png", "a.png", "-o", "out", "--json"],
        ["matte", "--help"],
        ["--help"],
        ["models"],
        ["models", "--json"],
        ["doctor"],
    ],
)
def test_a_full_disk_behind_stdout_is_told_with_its_own_code(
    photo: Photo, tmp_path: Path, words: list[str], unbuffered: bool
) -> None:
    photo("a.png")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*words), stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, env=buffering(unbuffered=unbuffered),
            check=False, text=True,
        )  # fmt: skip
    assert done.returncode == 12, done.stderr
    assert "no room for stdout" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@LINUX
@pytest.mark.parametrize("unbuffered", [True, False])
def test_half_a_picture_on_stdout_is_never_a_success(tmp_path: Path, unbuffered: bool) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))"
    words = command("matte", "a.png", "-o", "-", "--alpha", "-f", "tiff", before=limit)
    with (tmp_path / "o.tiff").open("wb") as file:
        done = subprocess.run(
            words, stdout=file, stderr=subprocess.PIPE, cwd=tmp_path, env=buffering(unbuffered=unbuffered), check=False
        )
    assert (tmp_path / "o.tiff").stat().st_size == 3000  # cut short by the system
    assert done.returncode == 11
    assert b"stdout cannot be written" in done.stderr and b"Traceback" not in done.stderr


@LINUX
def test_a_result_goes_whole_through_a_pipe_that_does_not_block() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    code = "from bshm.cli.streams import put; put(bytes(range(256)) * 4096)"
    with os.fdopen(reading, "rb") as pipe:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=writing, env=buffering(unbuffered=True))
        os.close(writing)
        assert pipe.read() == bytes(range(256)) * 4096
    assert process.wait() == 0


@pytest.mark.skipif(os.name == "nt", reason="descriptors are not handed on there")
def test_a_stdout_that_is_closed_is_told() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *command("models")], stderr=subprocess.PIPE, check=False, text=True
    )
    assert done.returncode == 11
    assert "stdout is closed" in done.stderr and "Traceback" not in done.stderr


@LINUX
@pytest.mark.parametrize("closed", [True, False])
def test_a_stderr_that_takes_nothing_costs_no_result(photo: Photo, closed: bool) -> None:
    path = photo("a.png")
    line = '"$@" 2>&-' if closed else '"$@" 2>/dev/full'
    done = subprocess.run(["/bin/sh", "-c", line, "sh", *command("matte", path)], check=False)
    assert done.returncode == 0
    assert opened(path.with_name("a.cutout.png")).mode == "RGBA"


def test_a_notebook_without_bytes_gets_the_text() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as told:
        put("one\ntwo\n")
    assert told.getvalue() == "one\ntwo\n"


@pytest.mark.parametrize("obeyed", ["\x1b[31m", "\x07", "\r", "\x9b2J", "\x7f", "\n", "\u202e", "\u2028"])
def test_a_terminal_never_gets_to_obey_a_name(obeyed: str) -> None:
    assert plain(f"a{obeyed}b.jpg").isprintable()
    assert plain("Käthe 安娜 👩\u200d🚀\u00a0.jpg\tx") == "Käthe 安娜 👩\u200d🚀\u00a0.jpg\tx"


@pytest.mark.usefixtures("fake")
@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_names_with_control_characters_are_spelled_out(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    good = photo("\x1b]0;title\x07good.png")
    bad = tmp_path / "bad\nbshm: all is well.png"
    bad.write_text("no picture")
    missing = tmp_path / "\x1b]0;missing.png"
    assert main(["matte", str(good), str(bad), str(missing), "--json"]) == 1
    told = capsys.readouterr()
    assert all(line.isprintable() for line in told.err.splitlines())
    assert "\\x1b]0;title\\x07good.png" in told.err and "bad\\nbshm: all is well.png" in told.err
    assert [json.loads(line)["input"] for line in told.out.splitlines()] == [str(good), str(bad), str(missing)]
    assert main(["matte", str(missing)]) == 3
    assert main(["\x1b[2Jmatte"]) == 2
    assert all(line.isprintable() for line in capsys.readouterr().err.splitlines())
