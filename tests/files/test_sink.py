from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from bshm.errors import DiskFullError, OutputError, OutputExistsError
from bshm.files.sink import write


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_file_is_there_whole_and_alone(tmp_path: Path, overwrite: bool) -> None:
    target = tmp_path / "new" / "folder" / "a.png"
    assert write(b"abc", target, overwrite=overwrite) == target
    assert contents(target.parent) == {"a.png": b"abc"}


def test_what_is_there_stays_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="already exists"):
        write(b"new", target, overwrite=False)
    assert contents(tmp_path) == {"a.png": b"old"}
    write(b"new", target, overwrite=True)
    assert contents(tmp_path) == {"a.png": b"new"}


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no hard links here")


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_one_wins(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "a.png"
    outcomes: list[int | None] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        try:
            write(bytes([number]) * 1000, target, overwrite=False)
            outcomes.append(number)
        except OutputExistsError:
            outcomes.append(None)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number in outcomes if number is not None]
    assert len(outcomes) == 8
    assert len(winners) == 1
    assert contents(tmp_path) == {"a.png": bytes(winners) * 1000}


def test_a_name_taken_at_the_last_moment_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.png"
    real = os.link

    def late(source: str, destination: str) -> None:
        target.write_bytes(b"theirs")
        real(source, destination)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(OutputExistsError):
        write(b"ours", target, overwrite=False)
    assert contents(tmp_path) == {"a.png": b"theirs"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
@pytest.mark.parametrize("overwrite", [False, True])
def test_permissions_follow_the_umask(tmp_path: Path, overwrite: bool) -> None:
    before = os.umask(0o027)
    try:
        write(b"abc", tmp_path / "a.png", overwrite=overwrite)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "close"])
def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, number: int, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    real = getattr(os, call)

    def full(descriptor: int, *data: bytes) -> int:
        real(descriptor, *(part[:1] for part in data))  # a part is written
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DiskFullError, match="no space"):
        write(b"abc", tmp_path / "a.png", overwrite=True)
    monkeypatch.undo()
    assert contents(tmp_path) == {"a.png": b"old"}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_a_folder_that_cannot_be_written_to_is_told(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write(b"abc", tmp_path / "a.png", overwrite=False)
    assert not isinstance(caught.value, DiskFullError)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupt_leaves_nothing(tmp_path: Path, overwrite: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(b"abc", tmp_path / "a.png", overwrite=overwrite)
    assert contents(tmp_path) == {}


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:2]))
    write(b"abcdefg", tmp_path / "a.png", overwrite=False)
    monkeypatch.undo()
    assert contents(tmp_path) == {"a.png": b"abcdefg"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_path_is_told(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="not a folder"):
        write(b"abc", tmp_path / "file" / "a.png", overwrite=overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_or_a_device_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    with pytest.raises(OutputError, match="folder"):
        write(b"abc", tmp_path, overwrite=overwrite)
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OutputError, match="regular file"):
            write(b"abc", tmp_path / "pipe", overwrite=overwrite)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_symbolic_link_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real.png").write_bytes(b"old")
    link = tmp_path / "a.png"
    link.symlink_to(tmp_path / "there" / "real.png")
    with pytest.raises(OutputExistsError):
        write(b"new", link, overwrite=False)
    write(b"new", link, overwrite=True)
    assert link.is_symlink()
    assert contents(tmp_path / "there") == {"real.png": b"new"}


def test_long_and_impossible_names_are_told(tmp_path: Path) -> None:
    longest = tmp_path / ("a" * 251 + ".png")
    assert write(b"abc", longest, overwrite=False).read_bytes() == b"abc"
    for name in ("a" * 252 + ".png", "a\0.png"):
        with pytest.raises(OutputError):
            write(b"abc", tmp_path / name, overwrite=False)
