"""``bshm batch`` as people and scripts use it: every picture once, whatever happens."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_network
import numpy as np
import pyarrow.parquet as pq
import pytest
from pictures import opened
from PIL import Image

from bshm.bulk.journal import FOLDER
from bshm.cli import main

pytestmark = pytest.mark.usefixtures("fake")
Photo = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(capsys: Captured, *words: str) -> dict[str, dict[str, Any]]:
    """What ``--json`` says, by input."""
    capsys.readouterr()
    main(["batch", *words, "-o", "out", "--json", "--quiet"])
    return {found["input"]: found for found in map(json.loads, capsys.readouterr().out.splitlines())}


def tree(folder: str = "out") -> list[str]:
    """The results, without what the batch keeps for itself."""
    found = (path for path in Path(folder).rglob("*") if path.is_file() and FOLDER not in path.parts)
    return sorted(
        path.relative_to(folder).as_posix() for path in found if not path.name.startswith(("report.", ".bshm-"))
    )


def journal_lines() -> list[dict[str, Any]]:
    lines = [line for path in Path("out", FOLDER).rglob("*.jsonl") for line in path.read_text().splitlines()]
    return [found for found in map(json.loads, lines) if "output" in found]


def distinct(photo: Photo, name: str, level: int) -> Path:
    """A picture that no other one has the bytes of."""
    path = photo(name)
    pixels = np.array(opened(path))
    pixels[0, 0] = (level % 256, level // 256 % 256, 7)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry each time that the network is asked."""
    seen: list[int] = []
    before = fake_network.RedIsAPerson.run

    def counted(self: fake_network.RedIsAPerson, feeds: Any) -> Any:
        seen.append(1)
        return before(self, feeds)

    monkeypatch.setattr(fake_network.RedIsAPerson, "run", counted)
    return seen


# --- inputs


def test_a_folder_keeps_its_tree_and_again_nothing_is_made(photo: Photo, runs: list[int], capsys: Captured) -> None:
    distinct(photo, "in/a.png", 1), distinct(photo, "in/sub/b.jpg", 2), distinct(photo, "in/sub/deep/c.webp", 3)
    assert main(["batch", "in", "-o", "out"]) == 0
    assert tree() == ["a.png", "sub/b.png", "sub/deep/c.png"]
    assert np.asarray(opened(Path("out/a.png")))[24, 32, 3] == 255
    before = {path: Path("out", path).stat().st_mtime_ns for path in tree()}
    assert len(runs) == 3
    found = told(capsys, "in")
    assert {each["status"] for each in found.values()} == {"skipped"} and len(runs) == 3
    assert all(each["width"] == 64 and each["empty"] is False for each in found.values())
    assert {path: Path("out", path).stat().st_mtime_ns for path in tree()} == before


def test_the_same_bytes_are_made_once_and_the_second_says_whose_copy_it_is(
    photo: Photo, runs: list[int], capsys: Captured
) -> None:
    first = photo("in/a.png")
    Path("in/b.png").write_bytes(first.read_bytes())
    Path("in/z").mkdir()
    Path("in/z/c.png").write_bytes(first.read_bytes())
    found = told(capsys, "in", "--in-flight", "1")
    assert [found[f"in/{name}"]["status"] for name in ("a.png", "b.png", "z/c.png")] == ["written", "copied", "copied"]
    assert found["in/b.png"]["copy_of"] == "a.png" and "a.png" in found["in/b.png"]["note"]
    assert len(runs) == 1 and tree() == ["a.png", "b.png", "z/c.png"]
    assert len({Path("out", name).read_bytes() for name in tree()}) == 1
    assert Path("out/a.png").stat().st_ino == Path("out/b.png").stat().st_ino


def test_the_same_bytes_side_by_side_are_made_once(photo: Photo, runs: list[int]) -> None:
    first = photo("in/0.png")
    for n in range(1, 12):
        Path(f"in/{n}.png").write_bytes(first.read_bytes())
    assert main(["batch", "in", "-o", "out"]) == 0
    assert len(runs) == 1 and len(tree()) == 12


def test_a_manifest_tells_of_missing_and_repeated_lines_and_does_the_rest(photo: Photo, capsys: Captured) -> None:
    for n, name in enumerate(("a.png", "b.png", "c.png", "deep/a.png")):
        distinct(photo, f"pictures/{name}", n)
    lines = [
        {"input": "a.png"},
        {"input": "b.png", "output": "shop/front.webp"},
        {"input": "a.png"},
        {"input": "gone.png"},
        {"input": "deep/a.png"},
        {"input": "c.png", "output": "shop/front.webp"},
        {"input": "c.png", "output": "../c.png"},
        {"input": "a.png", "output": "twice"},
        {"no": "input"},
        {"input": Path("pictures/c.png").absolute().as_uri(), "output": "by-uri.png"},
    ]
    Path("pictures/list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    capsys.readouterr()
    assert main(["batch", "pictures/list.jsonl", "-o", "out", "--json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert tree() == ["a.png", "by-uri.png", "deep/a.png", "shop/front.webp", "twice.png"]
    assert opened(Path("out/shop/front.webp")).format == "WEBP"
    failed = {each["input"]: each["error"]["kind"] for each in found if each["status"] == "failed"}
    assert failed["pictures/gone.png"] == "SourceNotFoundError"
    assert failed["list.jsonl line 9"] == "ManifestError"
    assert sorted(each["error"]["kind"] for each in found if each["input"].endswith("c.png") and "error" in each) == [
        "OptionError",
        "OutputExistsError",
    ]
    (twice,) = [each for each in found if each["status"] == "skipped"]
    assert twice["input"] == "pictures/a.png" and twice["note"] == "it is named twice"
    assert not Path("c.png").exists()


def test_a_zip_is_read_without_unpacking_and_nothing_leaves_the_folder(photo: Photo, capsys: Captured) -> None:
    data = photo("a.png").read_bytes()
    with zipfile.ZipFile("all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n, name in enumerate(("one.png", "sub/two.png", "../../slip.png", "/etc/abs.png", "C:\\win.png")):
            archive.writestr(name, data + bytes([n]))
        archive.writestr("__MACOSX/._one.png", b"x")
        archive.writestr("notes.txt", b"x")
    found = told(capsys, "all.zip")
    assert tree() == ["one.png", "sub/two.png"]
    assert sorted(each["input"] for each in found.values() if each["status"] == "failed") == [
        "all.zip/../../slip.png",
        "all.zip//etc/abs.png",
        "all.zip/C:\\win.png",
    ]
    assert not Path("../../slip.png").exists()
    assert {each["status"] for each in told(capsys, "all.zip").values()} == {"skipped", "failed"}


def test_a_bomb_in_a_zip_is_one_failure(photo: Photo, capsys: Captured) -> None:
    with zipfile.ZipFile("all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(3_000_000))
        archive.writestr("one.png", photo("a.png").read_bytes())
    found = told(capsys, "all.zip", "--max-bytes", "1M")
    assert found["all.zip/bomb.png"]["error"]["kind"] == "PictureTooLargeError"
    assert found["all.zip/one.png"]["status"] == "written"


def test_a_zip_whose_files_lie_upon_each_other_is_refused(photo: Photo, capsys: Captured) -> None:
    with zipfile.ZipFile("all.zip", "w") as archive:
        archive.writestr("a.png", os.urandom(1000))
    data = Path("all.zip").read_bytes()
    at = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[at:end]
    many = b"".join(entry.replace(b"a.png", b"%d.png" % n) for n in range(9))
    tail = bytearray(data[end:])
    tail[8:12] = (9).to_bytes(2, "little") * 2
    tail[12:16] = len(many).to_bytes(4, "little")
    Path("all.zip").write_bytes(data[:at] + many + bytes(tail))
    assert main(["batch", "all.zip", "-o", "out"]) == 4
    assert "its files overlap" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["in", "-o", "in"], 2, "another folder"),
        (["in/sub", "-o", "in"], 2, "another folder"),
        (["in", "-o", "in/a.png"], 2, "is a file"),
        (["-", "-o", "out"], 2, "bshm matte"),
        (["gone.csv", "-o", "out"], 3, "no manifest at gone.csv"),
        (["gone.zip", "-o", "out"], 3, "no zip at gone.zip"),
        (["in", "-o", "out", "--actors", "3"], 2, "only with --engine ray"),
        (["in", "-o", "out", "-f", "jpg"], 2, "jpg has no transparency"),
        (["nothing", "-o", "out"], 5, "holds no pictures"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(
    photo: Photo, capsys: Captured, words: list[str], code: int, said: str
) -> None:
    photo("in/a.png"), photo("in/sub/b.png")
    Path("nothing").mkdir()
    assert main(["batch", *words]) == code
    assert said in capsys.readouterr().err
    assert not Path("out").exists()


# --- going on


def test_kill_9_in_the_middle_loses_nothing_and_nothing_is_made_twice(photo: Photo, capsys: Captured) -> None:
    count = 30
    for n in range(count):
        distinct(photo, f"in/{n:02}.png", n)
    slow = (
        "import time; run = fake_network.RedIsAPerson.run\n"
        "fake_network.RedIsAPerson.run = lambda self, feeds: (time.sleep(0.1), run(self, feeds))[1]"
    )
    command = fake_network.command("batch", "in", "-o", "out", "--quiet", code=slow)
    for part in (6, 14):
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        while not Path("out").exists() or len(tree()) < part:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    before = {name: Path("out", name).stat().st_mtime_ns for name in tree()}
    assert 14 <= len(before) < count
    assert all(opened(Path("out", name)).size == (64, 48) for name in before)
    found = told(capsys, "in")
    assert len(found) == count and {each["status"] for each in found.values()} == {"written", "skipped"}
    assert sum(each["status"] == "skipped" for each in found.values()) == len(before)
    assert {name: Path("out", name).stat().st_mtime_ns for name in before} == before
    made = [line["output"] for line in journal_lines()]
    # What was noted and had not got its name when the process ended is noted again.
    assert set(made) == {f"{n:02}.png" for n in range(count)} and len(made) <= count + 2 * 3
    assert pq.read_table("out/report.parquet").num_rows == count


def test_between_the_journal_and_the_name_nothing_is_lost(
    photo: Photo, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from bshm.files import sink

    photo("in/a.png")
    with monkeypatch.context() as patched:

        def power_cut(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(sink, "write", power_cut)
        patched.setattr("bshm.cli.interrupts.end", lambda: sys.exit(130))
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            main(["batch", "in", "-o", "out", "--quiet"])
    assert len(journal_lines()) == 1 and tree() == []
    assert told(capsys, "in")["in/a.png"]["status"] == "written"


def test_a_file_whose_line_was_lost_is_known_by_its_bytes_and_a_strangers_is_kept(
    photo: Photo, capsys: Captured
) -> None:
    distinct(photo, "in/a.png", 1), distinct(photo, "in/b.png", 2), distinct(photo, "in/c.png", 3)
    assert main(["batch", "in", "-o", "out", "--quiet"]) == 0
    (path,) = Path("out", FOLDER).rglob("*.jsonl")
    kept = [line for line in path.read_text().splitlines(keepends=True) if '"output":"c.png"' not in line]
    path.write_text("".join(kept))
    Path("out/b.png").write_bytes(b"somebody's own")
    Path("out/a.png").write_bytes(b"")  # what a power cut leaves of a name whose bytes never came
    found = told(capsys, "in")
    assert [found[f"in/{name}.png"]["status"] for name in "abc"] == ["written", "failed", "written"]
    assert found["in/b.png"]["error"]["kind"] == "OutputExistsError"
    assert Path("out/b.png").read_bytes() == b"somebody's own"
    assert told(capsys, "in", "--overwrite")["in/b.png"]["status"] == "written"
    assert {each["status"] for each in told(capsys, "in").values()} == {"skipped"}


def test_a_file_that_was_there_first_is_kept_unless_it_may_be_replaced(
    photo: Photo, runs: list[int], capsys: Captured
) -> None:
    photo("in/a.png")
    Path("out").mkdir()
    Path("out/a.png").write_bytes(b"mine")
    assert told(capsys, "in")["in/a.png"]["error"]["kind"] == "OutputExistsError"
    assert Path("out/a.png").read_bytes() == b"mine" and runs == []
    assert told(capsys, "in", "--overwrite")["in/a.png"]["status"] == "written"


def test_a_link_in_the_output_folder_never_leads_a_result_elsewhere(photo: Photo, capsys: Captured) -> None:
    mine = photo("in/a.png")
    Path("out").mkdir()
    Path("out/a.png").symlink_to(mine)
    before = mine.read_bytes()
    assert told(capsys, "in", "--overwrite")["in/a.png"]["error"]["kind"] == "OutputExistsError"
    assert mine.read_bytes() == before


def test_a_picture_that_changed_is_made_anew_and_one_that_was_touched_is_not(
    photo: Photo, runs: list[int], capsys: Captured
) -> None:
    path = photo("in/a.png")
    told(capsys, "in")
    os.utime(path, ns=(1, 1))
    assert told(capsys, "in")["in/a.png"]["status"] == "skipped" and len(runs) == 1
    before = Path("out/a.png").read_bytes()
    photo("in/a.png", empty=True)
    found = told(capsys, "in")["in/a.png"]
    assert found["status"] == "written" and found["empty"] is True and len(runs) == 2
    assert Path("out/a.png").read_bytes() != before
    assert told(capsys, "in")["in/a.png"]["status"] == "skipped"


def test_other_settings_need_another_folder_or_overwriting(photo: Photo, capsys: Captured) -> None:
    photo("in/a.png")
    assert main(["batch", "in", "-o", "out", "--quiet"]) == 0
    assert main(["batch", "in", "-o", "out", "--background", "white"]) == 2
    assert "results of other settings" in capsys.readouterr().err
    assert opened(Path("out/a.png")).mode == "RGBA"
    assert main(["batch", "in", "-o", "out", "--background", "white", "--overwrite", "--quiet"]) == 0
    assert opened(Path("out/a.png")).mode == "RGB"
    assert {each["status"] for each in told(capsys, "in", "--background", "white").values()} == {"skipped"}


def test_another_picture_behind_the_people_under_the_same_name_is_another_setting(photo: Photo) -> None:
    photo("in/a.png"), photo("wall.png", empty=True)
    assert main(["batch", "in", "-o", "out", "--background", "wall.png", "--quiet"]) == 0
    assert main(["batch", "in", "-o", "out", "--background", "wall.png", "--quiet"]) == 0
    photo("wall.png")
    assert main(["batch", "in", "-o", "out", "--background", "wall.png", "--quiet"]) == 2


# --- what is told


def test_the_report_has_every_picture_and_the_page_shows_those_to_look_at(photo: Photo, capsys: Captured) -> None:
    distinct(photo, "in/a.png", 1), photo("in/nobody.png", empty=True)
    Path("in/<b>.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    assert main(["batch", "in", "-o", "out", "--quiet"]) == 1
    table = {row["input"]: row for row in pq.read_table("out/report.parquet").to_pylist()}
    assert {name: row["status"] for name, row in table.items()} == {
        "in/a.png": "written",
        "in/nobody.png": "written",
        "in/<b>.png": "failed",
    }
    assert table["in/a.png"]["output_size"] == Path("out/a.png").stat().st_size
    assert table["in/<b>.png"]["error_kind"] == "UnreadablePictureError"
    assert table["in/nobody.png"]["empty"] is True and json.loads(table["in/a.png"]["timings_ms"])["encode"] > 0
    page = Path("out/report.html").read_text()
    assert page.count("data:image/webp;base64,") == 1 and "Nobody was found: 1" in page
    assert "in/&lt;b&gt;.png" in page and "<b>.png" not in page
    assert "http://" not in page and "https://" not in page


def test_the_page_holds_a_bounded_number_of_pictures(
    photo: Photo, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from bshm.bulk import report

    monkeypatch.setattr(report, "MOST_SHOWN", 3)
    for n in range(5):
        distinct(photo, f"in/{n}.png", n).write_bytes(b"broken %d" % n)
    main(["batch", "in", "-o", "out", "--quiet"])
    page = Path("out/report.html").read_text()
    assert page.count("<figure>") == 3 and "2 more are in report.parquet" in page


def test_without_pyarrow_the_report_is_csv_and_says_so(
    photo: Photo, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    photo("in/a.png")
    monkeypatch.setattr("bshm.bulk.report.has_parquet", lambda: False)
    assert main(["batch", "in", "-o", "out"]) == 0
    assert "pip install 'bshm[bulk]'" in capsys.readouterr().err
    (row,) = csv.DictReader(io.StringIO(Path("out/report.csv").read_text()))
    assert row["status"] == "written" and row["input"] == "in/a.png"


def test_a_single_picture_ends_with_the_code_of_its_own_error(photo: Photo) -> None:
    photo("in/a.png").write_bytes(b"no picture")
    assert main(["batch", "in", "-o", "out", "--quiet"]) == 4
