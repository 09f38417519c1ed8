"""Which pictures a folder or a pattern gives, and that nothing is left alone without a word."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bshm.bulk.batch import plan
from bshm.bulk.finding import PICTURE_SUFFIXES, PassedOver
from bshm.cli import main
from bshm.edit.spec import Edit
from bshm.errors import NoPicturesError, UnreadablePictureError

Photo = Callable[..., Path]
Captured = pytest.CaptureFixture[str]

REPOSITORY = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or permissions")


def names(folder: Path | str, passed_over: PassedOver | None = None, **how: bool) -> list[str]:
    jobs = plan([folder], output="out/", edit=Edit(), passed_over=passed_over, **how)
    return [Path(job.name).name for job in jobs]


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Locks a folder, for root, too, to whom a mode alone is nothing."""
    shut: set[str] = set()
    real = os.scandir

    def scandir(path: str | os.PathLike[str] = ".") -> object:
        if os.path.realpath(path) in shut:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    def lock(path: Path) -> None:
        shut.add(os.path.realpath(path))
        monkeypatch.setattr(os, "scandir", scandir)

    return lock


@pytest.mark.parametrize("suffix", [".jfif", ".mpo", ".hif", ".apng", ".dib", ".btf", ".HEIC", ".jpe"])
def test_a_folder_gives_pictures_of_every_suffix_that_is_read(photo: Photo, tmp_path: Path, suffix: str) -> None:
    photo("a.png").rename(tmp_path / f"a{suffix}")
    for given in (tmp_path, f"{tmp_path}/*"):
        assert names(given) == [f"a{suffix}"]


def test_the_suffixes_in_the_docs_are_those_that_are_taken() -> None:
    page = (REPOSITORY / "docs" / "conventions.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("`.apng`")]
    assert set(line.replace("`", "").split()) == PICTURE_SUFFIXES


@pytest.mark.parametrize("name", ["IMG_0001", "Screenshot at 10.22.31", "scan.2024", "photo."])
def test_a_file_without_suffix_is_taken_where_it_begins_like_a_picture(photo: Photo, tmp_path: Path, name: str) -> None:
    photo("a.png").rename(tmp_path / name)
    (tmp_path / "README").write_text("no picture")
    passed_over = PassedOver()
    (job,) = plan([tmp_path], output="out/", edit=Edit(), passed_over=passed_over)
    assert (Path(job.name).name, job.output) == (name, Path("out") / f"{name}.png")
    assert str(passed_over) == "1 file of another kind (without suffix)"


@POSIX
def test_everything_that_is_passed_over_is_counted(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("a.png"), photo("a.cutout.png"), photo("below/b.png"), photo(".hidden.png")
    for name in ("notes.txt", "raw.nef", "README"):
        (tmp_path / name).write_text("no picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("s.png")
    (tmp_path / "link").symlink_to(tmp_path / "below")
    passed_over = PassedOver()
    assert names(tmp_path, passed_over) == ["a.png"]
    assert str(passed_over) == (
        "3 files of other kinds (without suffix, .nef, .txt), 2 pipes or devices, 1 result of an earlier run, "
        "1 sub-folder (--recursive includes it)"
    )
    passed_over = PassedOver()
    assert names(tmp_path, passed_over, recursive=True) == ["a.png", "b.png"]
    assert str(passed_over).endswith("1 result of an earlier run, 1 link to a folder")


@pytest.mark.usefixtures("fake")
@POSIX
@pytest.mark.parametrize("given", ["in", "in/*.png", "in/*"])
def test_a_named_pipe_does_not_hang_a_batch_and_is_told(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("in/a.png")
    os.mkfifo("in/b.png")
    assert main(["matte", given, "-o", "out"]) == 0
    assert "passed over: 1 pipe or device" in capsys.readouterr().err
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]
    assert main(["matte", given, "-o", "out", "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("fake")
@POSIX
def test_a_named_pipe_that_a_shell_put_among_others_fails_alone(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    path = photo("a.png")
    os.mkfifo(tmp_path / "b.png")
    assert main(["matte", str(path), str(tmp_path / "b.png"), "-o", f"{tmp_path}/out"]) == 1
    assert "is a pipe or a device" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


@pytest.mark.parametrize("given", ["in", "in/**/*.png", "in/*/*.png"])
def test_a_sub_folder_that_is_locked_is_a_failure_of_its_own(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: Callable[[Path], None], given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("in/open/a.png"), photo("in/shut/b.png")
    locked(tmp_path / "in" / "shut")
    good, bad = plan([given], output="out/", edit=Edit(), recursive=True)
    assert good.error is None and Path(good.name).name == "a.png"
    assert isinstance(bad.error, UnreadablePictureError)
    assert bad.output is None
    assert "in/shut" in str(bad.error) and "cannot be read: permission denied" in str(bad.error)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("given", ["in", "in/*.png"])
def test_a_folder_that_is_locked_does_not_hold_no_pictures(
    photo: Photo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    locked: Callable[[Path], None],
    capsys: Captured,
    given: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("in/a.png")
    locked(tmp_path / "in")
    assert main(["matte", given, "--json"]) == 4
    told = capsys.readouterr()
    assert "the folder in cannot be read: permission denied" in told.err
    line = json.loads(told.out)
    assert (line["input"].rstrip("/"), line["output"], line["status"]) == ("in", None, "failed")


@pytest.mark.usefixtures("fake")
@POSIX
@pytest.mark.parametrize("words", [["a/b.png"], ["b.png", "-o", "a/o.png"], ["b.png", "-o", "a/o/"], ["a/"], ["a/*"]])
def test_a_path_that_cannot_be_followed_is_told_without_a_trace(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("b.png")
    Path("a").symlink_to("a")  # a circle: as locked as a folder can be for root
    assert main(["matte", *words]) in (3, 4, 5, 11)
    told = capsys.readouterr().err
    assert "Traceback" not in told and len(told.splitlines()) == 1


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="nothing is locked for root")
@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("mode", [0, 0o400])
def test_a_file_in_a_locked_folder_is_told_without_a_trace(
    photo: Photo, tmp_path: Path, capsys: Captured, mode: int
) -> None:
    path = photo("in/a.png")
    path.parent.chmod(mode)
    try:
        assert main(["matte", str(path)]) == 4
        assert "permission denied" in capsys.readouterr().err
        assert main(["matte", str(path.parent)]) == 4
        assert "cannot be read: permission denied" in capsys.readouterr().err
    finally:
        path.parent.chmod(0o700)


def test_a_folder_without_pictures_tells_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "raw.nef").write_bytes(b"II*\0")
    (tmp_path / "below").mkdir()
    with pytest.raises(NoPicturesError, match=r"1 file of another kind \(\.nef\), 1 sub-folder \(--recursive"):
        names(tmp_path)
    with pytest.raises(NoPicturesError, match=r"1 file of another kind \(\.nef\)\."):
        names(f"{tmp_path}/*")


def test_results_below_the_folder_are_passed_over_but_not_a_folder_below_the_results(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("in/a.jpg"), photo("in/out/a.png"), photo("in/out/x/b.png")
    for given in ("in", "in/**/*"):
        jobs = plan([given], output="in/out", edit=Edit(), recursive=True)
        assert [job.name for job in jobs] == ["in/a.jpg"]
    shutil.rmtree("in/out")
    for given in ("in", "in/**/*"):
        (job,) = plan([given], output=".", edit=Edit(), recursive=True)
        assert job.name == "in/a.jpg"
