"""Which pictures, where each result goes, and what becomes of it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import opened

from bshm.bulk.batch import BatchRecord, Job, plan, run
from bshm.cli.parsing import told
from bshm.edit.spec import Edit
from bshm.errors import (
    NoPicturesError,
    OptionError,
    OutputExistsError,
    SourceNotFoundError,
    UnreadablePictureError,
)
from bshm.options import BatchOptions, MatteOptions
from bshm.pipeline import Matting

Photo = Callable[..., Path]
PLAIN = Edit()


def outputs(jobs: list[Job]) -> list[str | None]:
    return [job.output.as_posix() if job.output else None for job in jobs]


# --- where results go


def test_a_picture_gets_its_cutout_beside_it() -> None:
    assert outputs(plan(["a/photo.jpg"], output=None, edit=PLAIN)) == ["a/photo.cutout.png"]


def test_alpha_alone_is_called_alpha() -> None:
    options = Edit(alpha=True, format="webp")
    assert outputs(plan(["photo.jpg"], output=None, edit=options)) == ["photo.alpha.webp"]


def test_a_url_gets_its_result_in_the_current_folder_and_keeps_its_query_out_of_messages() -> None:
    (job,) = plan(["https://example.org/p/anna.jpg?token=secret"], output=None, edit=PLAIN)
    assert outputs([job]) == ["anna.cutout.png"]
    assert job.source == "https://example.org/p/anna.jpg?token=secret"
    assert job.name == "https://example.org/p/anna.jpg?..."


@pytest.mark.parametrize(
    "url",
    ["https://example.org", "https://example.org/..", "https://example.org/%2e%2e%2f", "https://example.org/a%2fb"],
)
def test_a_url_cannot_name_another_folder(url: str) -> None:
    (job,) = plan([url], output="out/", edit=PLAIN)
    assert job.output is not None and job.output.parent == Path("out")


@pytest.mark.parametrize("folder", ["new/", "there"])
def test_a_folder_gets_the_name_of_the_picture(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    assert outputs(plan(["x/photo.jpg"], output=folder, edit=PLAIN)) == [f"{folder.rstrip('/')}/photo.png"]


def test_a_name_without_a_slash_is_a_file_for_one_picture_and_a_folder_for_several() -> None:
    assert outputs(plan(["a.jpg"], output="out", edit=PLAIN)) == ["out"]
    assert outputs(plan(["a.jpg", "b.jpg"], output="out", edit=PLAIN)) == ["out/a.png", "out/b.png"]


def test_one_file_for_several_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out.png").touch()
    with pytest.raises(OptionError, match=r"out\.png is one file"):
        plan(["a.jpg", "b.jpg"], output=tmp_path / "out.png", edit=PLAIN)


@pytest.mark.parametrize("name", ["out.png", "out.JPEG", "out.tif"])
def test_several_pictures_make_no_folder_that_is_called_like_a_picture(name: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="several pictures"):
        plan(["a.jpg", "b.jpg"], output=tmp_path / name, edit=PLAIN)
    assert outputs(plan(["a.jpg", "b.jpg"], output=f"{name}/", edit=PLAIN)) == [f"{name}/a.png", f"{name}/b.png"]
    assert outputs(plan(["a.jpg", "b.jpg"], output="day.2", edit=PLAIN)) == ["day.2/a.png", "day.2/b.png"]


def test_the_second_of_two_pictures_with_one_name_fails() -> None:
    first, second = plan(["a/photo.jpg", "b/photo.jpg"], output="out/", edit=PLAIN)
    assert first.error is None
    assert isinstance(second.error, OutputExistsError)
    assert "a/photo.jpg" in str(second.error)


def test_a_result_never_replaces_an_input(photo: Photo, tmp_path: Path) -> None:
    photo("a.png"), photo("b.jpg")
    jobs = plan([tmp_path], output=tmp_path, edit=Edit())
    assert isinstance(jobs[0].error, OutputExistsError)
    assert outputs(jobs) == [None, (tmp_path / "b.png").as_posix()]


@pytest.mark.parametrize("number", [1, 2, 13])
def test_somebodys_file_never_replaces_a_picture_that_happens_to_have_its_name(
    photo: Photo, tmp_path: Path, number: int
) -> None:
    photo("a.jpg"), photo(f"a.{number}.png")
    first, second = plan([tmp_path / "a.jpg", tmp_path / f"a.{number}.png"], output=tmp_path, edit=PLAIN, split=True)
    named = sorted([first, second], key=lambda job: job.name)
    clash = next(job for job in named if job.name.endswith("a.jpg"))
    assert isinstance(clash.error, OutputExistsError) and f"a.{number}.png" in str(clash.error)
    (other,) = (job for job in named if job is not clash)
    assert other.error is None and other.output == tmp_path / f"a.{number}.png"


def test_a_picture_whose_own_name_has_a_number_is_only_replaced_where_that_is_asked_for(
    photo: Photo, tmp_path: Path
) -> None:
    path = photo("a.1.png")
    (job,) = plan([path], output=tmp_path / "a.png", edit=PLAIN, split=True)
    assert isinstance(job.error, OutputExistsError)
    (asked,) = plan([path], output=tmp_path / "a.png", edit=PLAIN, split=True, overwrite_inputs=True)
    assert asked.error is None


def test_a_name_that_only_split_would_not_write_is_free(photo: Photo, tmp_path: Path) -> None:
    path = photo("a.png")
    assert plan([path], output=tmp_path / "a.png", edit=PLAIN)[0].error is not None
    assert plan([path], output=tmp_path / "a.png", edit=PLAIN, split=True)[0].error is None


@pytest.mark.usefixtures("fake")
def test_the_picture_in_the_way_is_as_it_was(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg"), photo("a.1.png")
    before = (tmp_path / "a.1.png").read_bytes()
    jobs = plan([tmp_path], output=tmp_path, edit=PLAIN, split=True)
    batch = BatchOptions(split=True, overwrite=True)
    records = list(run(Matting(), jobs, options=MatteOptions(tell_apart=True), batch=batch))
    assert [record.status for record in records] == ["written", "failed"]
    assert (tmp_path / "a.1.png").read_bytes() == before and (tmp_path / "a.1.1.png").exists()


# --- which pictures


def test_a_folder_gives_its_pictures_sorted_without_hidden_and_other_files(photo: Photo, tmp_path: Path) -> None:
    photo("b.jpg"), photo("A.JPG"), photo(".hidden.png"), photo("below/c.png")
    (tmp_path / "notes.txt").write_text("no picture")
    jobs = plan([tmp_path], output="out/", edit=PLAIN)
    assert outputs(jobs) == ["out/A.png", "out/b.png"]


def test_recursive_keeps_the_folders(photo: Photo, tmp_path: Path) -> None:
    photo("in/a.jpg"), photo("in/x/a.jpg"), photo("in/x/y/b.jpg"), photo("in/.git/c.jpg")
    jobs = plan([tmp_path / "in"], output="out", edit=PLAIN, recursive=True)
    assert outputs(jobs) == ["out/a.png", "out/x/a.png", "out/x/y/b.png"]
    assert all(job.error is None for job in jobs)


def test_a_pattern_with_two_stars_keeps_the_folders(photo: Photo, tmp_path: Path) -> None:
    photo("in/a.jpg"), photo("in/x/b.jpg"), photo("in/x/c.png")
    jobs = plan([f"{tmp_path}/in/**/*.jpg"], output="out", edit=PLAIN)
    assert outputs(jobs) == ["out/a.png", "out/x/b.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(photo: Photo) -> None:
    path = photo("photo[1].jpg")
    assert [job.source for job in plan([path], output=None, edit=PLAIN)] == [str(path)]


def test_results_of_an_earlier_run_are_passed_over(photo: Photo, tmp_path: Path) -> None:
    photo("a.png"), photo("a.cutout.png"), photo("a.alpha.webp"), photo("out/a.png")
    shell = [tmp_path / "a.cutout.png", tmp_path / "a.png"]
    for inputs in ([tmp_path], [f"{tmp_path}/*"], shell):
        jobs = plan(inputs, output=tmp_path / "out", edit=PLAIN, recursive=True)
        assert [Path(str(job.source)).name for job in jobs] == ["a.png"]


def test_a_result_of_an_earlier_run_that_is_named_alone_is_taken(photo: Photo) -> None:
    path = photo("a.cutout.png")
    assert len(plan([path], output=None, edit=PLAIN)) == 1


@pytest.mark.parametrize("name", ["", "*.jpg"])
def test_a_folder_or_a_pattern_without_pictures_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(NoPicturesError, match=r"no picture"):
        plan([tmp_path / name], output=None, edit=PLAIN)


# --- what becomes of them


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_batch_goes_on_after_failures_and_names_each(photo: Photo, tmp_path: Path, jobs: int) -> None:
    photo("in/a.png"), photo("in/nobody.png", empty=True), photo("in/z.jpg")
    (tmp_path / "in" / "text.jpg").write_text("not a picture")
    planned = plan([tmp_path / "in", tmp_path / "missing.jpg"], output=tmp_path / "out", edit=PLAIN)
    records = list(run(Matting(), planned, batch=BatchOptions(in_flight=jobs)))
    told = {Path(record.job.name).name: (record.status, type(record.error), record.empty) for record in records}
    nothing = type(None)
    assert told == {
        "a.png": ("written", nothing, False),
        "nobody.png": ("written", nothing, True),
        "text.jpg": ("failed", UnreadablePictureError, None),
        "z.jpg": ("written", nothing, False),
        "missing.jpg": ("failed", SourceNotFoundError, None),
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "nobody.png", "z.png"]


@pytest.mark.usefixtures("fake")
def test_a_record_tells_what_ran(photo: Photo) -> None:
    (record,) = run(Matting(), plan([photo("a.png")], output=None, edit=PLAIN))
    assert record.job.output is not None
    assert (record.size_hw, record.model, record.device) == ((48, 64), "bshm", "cpu")
    assert next(iter(record.timings_ms)) == "decode" and list(record.timings_ms)[-2:] == ["encode", "write"]
    alpha = np.asarray(opened(record.job.output))[..., 3]
    assert alpha[24, 32] == 255 and alpha[2, 2] == 0


@pytest.mark.usefixtures("fake")
def test_an_output_that_is_there_fails_is_skipped_or_replaced_as_asked(photo: Photo) -> None:
    jobs = plan([photo("a.png")], output=None, edit=PLAIN)
    assert jobs[0].output is not None
    jobs[0].output.write_bytes(b"mine")
    (record,) = run(Matting(), jobs)
    assert isinstance(record.error, OutputExistsError)
    (record,) = run(Matting(), jobs, batch=BatchOptions(skip_existing=True))
    assert record.status == "skipped"
    assert jobs[0].output.read_bytes() == b"mine"
    (record,) = run(Matting(), jobs, batch=BatchOptions(overwrite=True))
    assert record.status == "written"
    assert jobs[0].output.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("fake")
def test_a_fault_in_one_picture_does_not_end_the_batch(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = photo("good.png"), photo("bad.png")
    matting = Matting()
    real = matting.matte

    def matte(source: object, options: object) -> object:
        if str(source) == str(bad):
            raise ZeroDivisionError("a bug")
        return real(source, options)  # type: ignore[arg-type]

    monkeypatch.setattr(matting, "matte", matte)
    records = list(run(matting, plan([bad, good], output=None, edit=PLAIN)))
    assert [type(record.error) for record in records] == [ZeroDivisionError, type(None)]


@pytest.mark.usefixtures("fake")
def test_a_cancelled_batch_writes_nothing_afterwards(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        photo(f"in/{number}.png")
    matting = Matting()
    real = matting.matte
    go_on, before = threading.Event(), set(threading.enumerate())

    def slow(source: object, options: object) -> object:
        if not str(source).endswith("0.png"):
            go_on.wait(10)
        return real(source, options)  # type: ignore[arg-type]

    monkeypatch.setattr(matting, "matte", slow)
    records = run(
        matting, plan([tmp_path / "in"], output=tmp_path / "out", edit=PLAIN), batch=BatchOptions(in_flight=3)
    )
    assert next(records).status == "written"
    records.close()
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0.png"]


# --- the picture itself


@pytest.mark.parametrize("output", ["a.png", ".", "./x/../a.png", "link.png"])
def test_one_picture_is_never_replaced_by_its_result_unless_that_is_asked_for(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    photo("a.png"), photo("x/b.png")
    monkeypatch.chdir(tmp_path)
    if os.name != "nt":
        Path("link.png").symlink_to("a.png")
    (job,) = plan(["a.png"], output=output, edit=Edit())
    assert isinstance(job.error, OutputExistsError) and job.output is None
    assert "--overwrite-inputs" in told(job.error)
    (job,) = plan(["a.png"], output=output, edit=Edit(), overwrite_inputs=True)
    assert job.error is None and job.output == Path(output if output != "." else "a.png")


def test_another_picture_is_never_replaced_whatever_is_asked_for(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg"), photo("a.png"), photo("b.png")
    options = Edit()
    first, second, third = plan([tmp_path], output=tmp_path, edit=options, overwrite_inputs=True)
    assert isinstance(first.error, OutputExistsError) and "add --overwrite-inputs" not in told(first.error)
    assert (second.error, second.output) == (None, tmp_path / "a.png")
    assert (third.error, third.output) == (None, tmp_path / "b.png")


def test_the_picture_that_is_the_background_is_not_replaced(photo: Photo, tmp_path: Path) -> None:
    wall = photo("wall.png")
    options = Edit(background=str(wall))
    (job,) = plan([photo("a.png")], output=wall, edit=options, overwrite_inputs=True)
    assert isinstance(job.error, OutputExistsError)


# --- two runs at once


@pytest.mark.usefixtures("fake")
def test_an_output_that_another_run_wrote_meanwhile_is_skipped_and_is_theirs(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = plan([photo("a.png")], output=None, edit=PLAIN)
    (output,) = [job.output for job in jobs]
    assert output is not None
    matting = Matting()
    real = matting.matte

    def slow(*given: Any) -> Any:
        output.write_bytes(b"theirs")
        return real(*given)

    monkeypatch.setattr(matting, "matte", slow)
    (record,) = run(matting, jobs, batch=BatchOptions(skip_existing=True))
    assert (record.status, record.error) == ("skipped", None)
    assert output.read_bytes() == b"theirs"
    output.unlink()
    (record,) = run(matting, jobs)
    assert isinstance(record.error, OutputExistsError)


@pytest.mark.usefixtures("fake")
def test_two_runs_at_once_that_skip_what_is_there_share_the_work_and_fail_nothing(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        photo(f"in/{number:02}.png")
    (tmp_path / "out").mkdir()
    matting = Matting()
    real = matting.matte
    meeting = threading.Barrier(2)
    work: list[str] = []
    last = threading.Event()

    def in_step(source: Any, *given: Any) -> Any:
        work.append(source)
        if not last.is_set():  # both at every picture at the same time, as two runs that began together
            with contextlib.suppress(threading.BrokenBarrierError):
                meeting.wait(timeout=10)
        return real(source, *given)

    monkeypatch.setattr(matting, "matte", in_step)
    records: list[list[BatchRecord]] = [[], []]

    def batch(number: int) -> None:
        jobs = plan([tmp_path / "in"], output=tmp_path / "out", edit=PLAIN)
        records[number] += run(matting, jobs, batch=BatchOptions(in_flight=1, skip_existing=True))
        last.set()
        meeting.abort()

    threads = [threading.Thread(target=batch, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [[record.status for record in each] for each in records]
    assert [len(each) for each in statuses] == [40, 40]
    assert {*statuses[0], *statuses[1]} == {"written", "skipped"}
    assert sum(each.count("written") for each in statuses) == 40
    # Side by side all 80 would be worked on; from a random place on they meet a few times at most.
    assert len(work) < 70
    assert min(each.count("written") for each in statuses) > 0
