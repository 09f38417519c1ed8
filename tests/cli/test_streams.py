"""Results on stdout: all of them, or an exit code; words on stderr: nothing that a terminal obeys."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


# What a program of one's own that reads these pictures is told.
LOOK = """
for path in sys.argv[1:]:
    try:
        open_picture(path)
    except Exception:
        pass
"""


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
    assert "no space for stdout" in done.stderr
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


def broken_pictures(folder: Path) -> list[Path]:
    """Files of which libpng, OpenCV, libtiff and Pillow have something to say."""
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)

    def saved(kind: str, pixels: Any = noise, **options: Any) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        return file.getvalue()

    def broken(data: bytes) -> bytes:
        at = len(data) // 3
        return data[:at] + bytes(value ^ 0xFF for value in data[at : at + 200]) + data[at + 200 :]

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    png = saved("PNG")
    header, end = png[:33], chunk(b"IEND", b"")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03"
    files = {
        "profile.png": header + chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"no profile")) + png[33:],
        "short.png": header + chunk(b"IDAT", zlib.compress(bytes(2000))) + end,
        "lzw.tif": broken(saved("TIFF", compression="tiff_lzw")),
        "lzw16.tif": broken(saved("TIFF", noise[..., 0].astype(np.uint16) * 257, compression="tiff_lzw")),
        "exif.jpg": saved("JPEG", exif=exif),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def test_libraries_say_nothing_on_stderr(tmp_path: Path) -> None:
    paths = broken_pictures(tmp_path)
    library = tmp_path / "library.py"
    library.write_text(f"import sys; from bshm.files.decode import open_picture\n{LOOK}")
    alone = subprocess.run([sys.executable, library, *paths], capture_output=True, text=True, check=True)
    for name in ("libpng", "tempfile.tif", "[ERROR:", "UserWarning"):  # else the rest of this test tests nothing
        assert name in alone.stderr
    for words in (["--quiet"], ["--jobs", "1", "--quiet"]):
        done = subprocess.run(
            command("matte", *paths, "-o", tmp_path / "out", "--overwrite", *words),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        told = done.stderr.splitlines()
        # What is left are our own words, a line for each picture that failed.
        assert all(line.startswith(f"{tmp_path}/") and "cannot be read whole" in line for line in told), told
        assert (
            len(told) == done.stderr.count("cannot be read whole") == len(paths) - len([*(tmp_path / "out").iterdir()])
        )


@LINUX
def test_a_crash_is_told_though_libraries_are_not() -> None:
    code = (
        "import os, signal; from bshm.cli.streams import hushed, say\n"
        "with hushed():\n    os.write(2, b'noise\\n'); say('word'); os.kill(os.getpid(), signal.SIGSEGV)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -11
    assert "Segmentation fault" in done.stderr and done.stderr.startswith("word\n") and "noise" not in done.stderr


def test_stderr_is_as_it_was_afterwards() -> None:
    code = (
        "import os, sys; from bshm.cli.streams import hushed, say; before = sys.stderr\n"
        "with hushed():\n    os.write(2, b'noise\\n'); say('one'); print('two', file=sys.stderr)\n"
        "os.write(2, b'three\\n'); assert sys.stderr is before; say('four')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "one\ntwo\nthree\nfour\n"
