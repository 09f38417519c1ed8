"""``bshm matte`` as people and scripts use it."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_network
import numpy as np
import pytest
from pictures import opened
from PIL import Image

from bshm.cli import main
from bshm.cli.reporting import EMPTY_NOTE

pytestmark = pytest.mark.usefixtures("fake")
Photo = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


def command(*words: object, code: str = "") -> list[str]:
    """``bshm matte`` in a process of its own, with the fake network."""
    return fake_network.command("matte", *words, code=code)


def test_one_picture_gets_its_cutout_beside_it(photo: Photo, capsys: Captured) -> None:
    path = photo("photo.jpg")
    assert main(["matte", str(path)]) == 0
    cutout = np.asarray(opened(path.with_name("photo.cutout.png")))
    assert cutout.shape == (48, 64, 4)
    assert cutout[24, 32, 3] == 255 and cutout[2, 2].tolist() == [0, 0, 0, 0]
    told = capsys.readouterr()
    assert told.out == ""
    assert "photo.cutout.png" in told.err


def test_alpha_alone_is_a_grey_picture(photo: Photo) -> None:
    path = photo("photo.png")
    assert main(["matte", str(path), "--alpha"]) == 0
    assert opened(path.with_name("photo.alpha.png")).mode == "L"


@pytest.mark.parametrize("name", ["o.png", "o.webp", "o.tiff", "o.jpg"])
def test_exif_goes_along_unless_it_is_to_be_left_out(photo: Photo, tmp_path: Path, name: str) -> None:
    path = photo("photo.jpg")
    exif = Image.Exif()
    exif.update({33432: "Anna", 274: 6})
    opened(path).save(path, exif=exif)
    words = ["matte", str(path), "--overwrite", "-o", str(tmp_path / name)]
    words += ["--background", "white"] if name.endswith("jpg") else []
    assert main(words) == 0
    result = opened(tmp_path / name)
    assert result.getexif()[33432] == "Anna"
    assert result.getexif().get(274, 1) == 1 and result.size == (48, 64)
    assert main([*words, "--strip-metadata"]) == 0
    result = opened(tmp_path / name)
    assert 33432 not in result.getexif() and result.size == (48, 64)


@pytest.mark.parametrize(("name", "kind"), [("o.webp", "WEBP"), ("o.tiff", "TIFF"), ("o.png", "PNG")])
def test_the_suffix_of_the_output_picks_the_format(photo: Photo, tmp_path: Path, name: str, kind: str) -> None:
    assert main(["matte", str(photo("photo.png")), "-o", str(tmp_path / name)]) == 0
    assert opened(tmp_path / name).format == kind


def test_a_background_makes_it_opaque(photo: Photo, tmp_path: Path) -> None:
    assert main(["matte", str(photo("photo.png")), "-o", str(tmp_path / "o.jpg"), "--background", "white"]) == 0
    over = np.asarray(opened(tmp_path / "o.jpg"))
    assert over.shape == (48, 64, 3)
    assert over[2, 2].min() >= 250  # JPEG at quality 95 is off by a few levels


@pytest.mark.parametrize(
    ("kind", "background"),
    [
        *((kind, None) for kind in ("png", "webp", "tiff")),
        *((kind, spec) for kind in ("png", "webp", "tiff", "jpg") for spec in ("#1e90ff", "blur", "wall.png")),
    ],
)
@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["--crop"], {"crop": True}),
        (
            ["--crop", "--crop-margin", "10% 40px", "--shadow"],
            {"crop": True, "crop_margin": "10% 40px", "shadow": True},
        ),
        (["--scale", "60%", "--position", "50% 100%"], {"scale": "60%", "position": "50% 100%"}),
        (
            ["--grow=-2", "--feather", "3", "--fill-holes", "1%", "--shadow", "--shadow-kind", "contact"],
            {"grow": -2, "feather": 3, "fill_holes": "1%", "shadow": True, "shadow_kind": "contact"},
        ),
    ],
)
def test_the_same_words_make_the_same_file_as_in_the_service(
    photo: Photo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    background: str | None,
    words: list[str],
    fields: dict[str, Any],
) -> None:
    from bshm.edit.render import render
    from bshm.files import decode
    from bshm.options import Limits
    from bshm.pipeline import Matting
    from bshm.server import fields as server

    monkeypatch.chdir(tmp_path)
    path, wall = photo("photo.png"), photo("wall.png", empty=True)
    behind = [] if background is None else ["--background", background]
    assert main(["matte", str(path), "-o", f"out.{kind}", *behind, *words]) == 0

    is_wall = background == "wall.png"
    said = server.PictureFields(format=kind, background=None if is_wall else background, **fields)
    edit, _ = server.edit_of(said, has_background=is_wall)
    picture = decode.decode(wall.read_bytes(), name="wall", limits=Limits()) if is_wall else None
    rendered = render(Matting().matte(path), edit, picture)
    assert Path(f"out.{kind}").read_bytes() == rendered.data
    assert opened(Path(f"out.{kind}")).size == (rendered.width, rendered.height)


@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "jpg"])
def test_an_alpha_alone_is_cropped_as_the_cutout_is(photo: Photo, tmp_path: Path, kind: str) -> None:
    path = str(photo("photo.png"))
    words = ["--crop", "--crop-margin", "3px"]
    assert main(["matte", path, "-o", str(tmp_path / f"alpha.{kind}"), "--alpha", *words]) == 0
    assert main(["matte", path, "-o", str(tmp_path / "cut.png"), *words]) == 0
    alpha = np.asarray(opened(tmp_path / f"alpha.{kind}").convert("L"), np.int16)
    cut = np.asarray(opened(tmp_path / "cut.png"), np.int16)[..., 3]
    assert alpha.shape == cut.shape and abs(alpha - cut).max() <= (0 if kind in ("png", "tiff") else 12)


def test_json_tells_the_size_of_the_result_of_every_picture_of_a_folder(
    photo: Photo, tmp_path: Path, capsys: Captured
) -> None:
    photo("in/a.png"), photo("in/b.png", empty=True)
    words = ["--crop", "--crop-margin", "10%", "--shadow", "--json", "--quiet"]
    assert main(["matte", str(tmp_path / "in"), *words]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    for line in (first, second):
        assert (line["width"], line["height"]) == opened(Path(line["output"])).size
    assert first["width"] < 64 and first["height"] < 48
    # Nobody: the margins are around the whole picture, as in the service.
    assert (second["width"], second["height"], second["empty"]) == (64 + 2 * 6, 48 + 2 * 5, True)


def test_a_crop_goes_through_a_pipe(photo: Photo) -> None:
    path = photo("a.png")
    assert main(["matte", str(path), "--crop", "--shadow"]) == 0
    done = subprocess.run(command("-", "--crop", "--shadow"), input=path.read_bytes(), capture_output=True, check=True)
    assert done.stdout == path.with_name("a.cutout.png").read_bytes()


def test_options_may_stand_between_the_inputs(photo: Photo, tmp_path: Path) -> None:
    assert main(["matte", str(photo("a.png")), "-o", f"{tmp_path}/out", str(photo("b.png"))]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


def test_a_picture_without_people_is_a_note_and_no_error(photo: Photo, capsys: Captured) -> None:
    path = photo("wall.png", empty=True)
    assert main(["matte", str(path), "--json"]) == 0
    told = capsys.readouterr()
    assert EMPTY_NOTE in told.err
    assert json.loads(told.out)["empty"] is True
    assert not np.asarray(opened(path.with_name("wall.cutout.png"))).any()


def test_json_is_a_line_a_picture_errors_as_well(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    good, bad = photo("good.png"), tmp_path / "bad.jpg"
    bad.write_text("not a picture")
    assert main(["matte", str(good), str(bad), "--json", "--quiet"]) == 1
    told = capsys.readouterr()
    first, second = map(json.loads, told.out.splitlines())
    assert set(first) == {
        *(
            "input",
            "output",
            "status",
            "width",
            "height",
            "frames",
            "empty",
            "people",
            "doubtful",
            "verdict",
            "head_by",
            "notes",
            "corrections",
            "background_by",
        ),
        *("model", "model_sha256", "device", "timings_ms"),
    }
    assert (first["width"], first["height"], first["empty"], first["device"]) == (64, 48, False, "cpu")
    assert first["doubtful"] == 0
    assert first["verdict"] == {"score": 1.0, "expected_error": 0.0, "reasons": []}
    assert (second["input"], second["output"], second["status"]) == (
        str(bad),
        str(tmp_path / "bad.cutout.png"),
        "failed",
    )
    assert (second["error"]["kind"], second["error"]["exit_code"]) == ("UnreadablePictureError", 4)
    assert len(told.err.splitlines()) == 1 and str(bad) in told.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["missing.jpg"], 3),
        (["text.jpg"], 4),
        (["nothing/"], 5),
        (["*.gif"], 5),
        (["http://127.0.0.1:9/photo.jpg"], 7),
        (["there.png"], 10),
        (["photo.png", "-o", "text.jpg/below.png"], 11),
        (["photo.png", "--model", "other"], 13),
        (["photo.png", "--device", "cuda"], 14),
        (["photo.png", "missing.jpg"], 1),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, words: list[str], code: int
) -> None:
    from bshm.runtime import providers

    monkeypatch.setattr(providers, "available", lambda: ["cpu"])
    monkeypatch.chdir(tmp_path)
    photo("photo.png"), photo("there.png"), photo("there.cutout.png")
    Path("text.jpg").write_text("not a picture")
    Path("nothing").mkdir()
    assert main(["matte", *words, "--quiet"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert words[0].rstrip("/") in told.err or code in (10, 11, 13, 14, 1)


def test_an_animation_tells_that_its_first_picture_was_taken(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    first = opened(photo("in/e.png"))
    others = [Image.new("RGB", first.size, colour) for colour in ("green", "blue")]
    for name in ("a.gif", "b.tiff", "c.apng", "d.mpo"):
        form = {"c.apng": "PNG", "d.mpo": "MPO"}.get(name)
        first.save(tmp_path / "in" / name, form, save_all=True, append_images=others)
    assert main(["matte", str(tmp_path / "in"), "--json"]) == 0
    told = capsys.readouterr()
    assert [json.loads(line)["frames"] for line in told.out.splitlines()] == [3, 3, 3, 3, 1]
    assert told.err.count("only the first of its 3 pictures was used") == 4
    done = subprocess.run(command("-"), input=(tmp_path / "in" / "a.gif").read_bytes(), capture_output=True, check=True)
    assert b"stdin: only the first of its 3 pictures was used" in done.stderr
    assert main(["matte", str(tmp_path / "in"), "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no /dev")
@pytest.mark.parametrize(
    "words", [["/dev/stdin"], ["/dev/fd/0"], ["-", "-o", "/dev/stdout"], ["/dev/stdin", "-o", "-"]]
)
def test_the_devices_of_a_pipe_are_the_pipe(photo: Photo, tmp_path: Path, words: list[str]) -> None:
    with photo("a.png").open("rb") as file, (tmp_path / "o.png").open("wb") as out:  # redirected from and to files
        done = subprocess.run(command(*words), stdin=file, stdout=out, stderr=subprocess.PIPE, check=True)
    assert done.stderr == b""
    assert opened(tmp_path / "o.png").mode == "RGBA"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "o.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="shells there have other names for it")
def test_what_a_shell_substitutes_goes_to_stdout_alone_and_into_a_folder_with_others(
    photo: Photo, tmp_path: Path
) -> None:
    photo("a.png"), photo("b.png")
    run = ["bash", "-c", '"$@" <(cat a.png)', "bash", *command()]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, check=True)
    assert Image.open(io.BytesIO(done.stdout)).mode == "RGBA" and done.stderr == b""
    run = ["bash", "-c", '"$@" <(cat a.png) <(cat b.png) -o out/', "bash", *command("--quiet")]
    subprocess.run(run, cwd=tmp_path, check=True)
    assert len(list((tmp_path / "out").iterdir())) == 2
    done = subprocess.run(
        [*run[:2], '"$@" <(cat a.png) b.png', *run[3:]], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 2 and b"one picture in a pipe" in done.stderr


def test_a_name_that_begins_with_a_dash_goes_after_two_dashes(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("-a.png"), photo("overwrite.png"), photo("b.png")
    assert main(["matte", "--json", "--", "-a.png"]) == 0
    assert json.loads(capsys.readouterr().out)["input"] == "-a.png"
    assert main(["matte", "b.png", "-o", "out/", "--", "-a.png", "overwrite.png"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["-a.png", "b.png", "overwrite.png"]
    assert main(["matte", "-o", "out2/", "--", "-a.png", "b.png"]) == 0
    assert main(["matte", "-a.png"]) == 2
    assert "goes after --, or as ./-a.png" in capsys.readouterr().err
    assert main(["matte", "--", "--help"]) == 3


def test_the_form_of_another_tool_is_answered_with_the_right_one(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    photo("in.jpg"), photo("photos/a.jpg")
    for first, second in (("in.jpg", "out.png"), ("photos", "cut"), ("photos", "cut/"), ("in.jpg", "new name.webp")):
        assert main(["matte", first, second]) == 2
        told = capsys.readouterr().err
        assert "bshm matte" in told and f"-o {shlex.quote(second)}" in told
    assert main(["matte", "-", "out.png"]) == 2
    assert "bshm matte - -o out.png" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.jpg", "in.jpg"]
    assert main(["matte", "in.jpg", "mistyped.jpg"]) == 1  # another picture, rather


def test_one_rule_for_one_picture_and_for_a_folder_the_picture_itself_is_not_replaced(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    before = photo("in/a.png").read_bytes()
    for words in (["in/a.png", "-o", "in/a.png"], ["in/a.png", "-o", "in"], ["in", "-o", "in"]):
        assert main(["matte", *words, "--overwrite"]) == 10
        assert "would replace the picture in/a.png" in capsys.readouterr().err
        assert Path("in/a.png").read_bytes() == before
        assert main(["matte", *words, "--overwrite-inputs"]) == 0
        assert opened("in/a.png").mode == "RGBA"
        Path("in/a.png").write_bytes(before)


def test_every_limit_has_its_flag_and_no_message_names_what_has_none(photo: Photo, capsys: Captured) -> None:
    path = photo("a.png")
    for words, says in (
        (["--max-pixels", "3071"], "may have up to 3,071 pixels"),
        (["--max-bytes", "0.1K"], "may have up to 102 bytes"),
    ):
        assert main(["matte", str(path), *words]) == 6
        told = capsys.readouterr().err
        assert says in told and "limits." not in told
    assert main(["matte", str(path), "--max-pixels", "3072", "--max-bytes", "1M"]) == 0


def test_a_batch_ends_with_a_summary(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    photo("in/a.png"), photo("in/b.png", empty=True)
    (tmp_path / "in" / "c.png").write_text("not a picture")
    assert main(["matte", str(tmp_path / "in")]) == 1
    assert "2 written, 1 failed, 1 without people in " in capsys.readouterr().err.splitlines()[-1]
    assert main(["matte", str(tmp_path / "in"), "--skip-existing"]) == 1
    assert "0 written, 2 skipped, 1 failed in " in capsys.readouterr().err.splitlines()[-1]
    assert sorted(path.name for path in (tmp_path / "in").glob("*.cutout.png")) == ["a.cutout.png", "b.cutout.png"]


def test_quiet_says_nothing_when_all_is_well(photo: Photo, capsys: Captured) -> None:
    assert main(["matte", str(photo("a.png")), str(photo("b.png", empty=True)), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_pipe_takes_a_picture_in_and_gives_one_out(photo: Photo) -> None:
    for words in (["-"], ["-", "-o", "-"]):
        done = subprocess.run(command(*words), input=photo("a.png").read_bytes(), capture_output=True, check=True)
        assert Image.open(io.BytesIO(done.stdout)).mode == "RGBA"
        assert done.stderr == b""


def test_stdin_may_go_into_a_file_or_a_folder(photo: Photo, tmp_path: Path) -> None:
    data = photo("a.png").read_bytes()
    for output, written in (
        (tmp_path / "o.webp", tmp_path / "o.webp"),
        (f"{tmp_path}/new/", tmp_path / "new/stdin.png"),
    ):
        subprocess.run(command("-", "-o", output), input=data, check=True)
        assert opened(written).size == (64, 48)


@pytest.mark.parametrize(("data", "says"), [(b"", b"stdin is empty"), (b"no picture", b"stdin must be")])
def test_a_pipe_without_a_picture_says_so(data: bytes, says: bytes) -> None:
    done = subprocess.run(command("-"), input=data, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (4, b"")
    assert says in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes break differently there")
@pytest.mark.parametrize("words", [["--json"], ["-o", "-"]])
def test_a_reader_that_goes_away_is_no_fault(photo: Photo, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command(photo("a.png"), "--quiet", *words), stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to one process there")
def test_interrupting_a_batch_leaves_nothing_half_written(photo: Photo, tmp_path: Path) -> None:
    for number in range(40):
        photo(f"in/{number:02}.png")
    slow = (
        # A shell that starts the tests in the background has them ignore Ctrl-C, and children inherit that.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import time, bshm.pipeline as p; estimate = p.foreground.estimate\n"
        "p.foreground.estimate = lambda *given: (time.sleep(.1), estimate(*given))[1]\n"
    )
    process = subprocess.Popen(
        command(tmp_path / "in", "-o", tmp_path / "out", code=slow), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "out").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"interrupted" in told and b"Traceback" not in told and b"not done" in told
    written = list((tmp_path / "out").iterdir())
    assert 0 < len(written) < 40
    for path in written:
        assert path.suffix == ".png"
        opened(path)


def test_an_unexpected_fault_has_a_code_and_asks_for_a_report(
    photo: Photo, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from bshm.cli import matte

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(matte, "open_matting", broken)
    assert main(["matte", str(photo("a.png"))]) == 70
    told = capsys.readouterr().err
    assert "ZeroDivisionError: a bug" in told and "report it" in told


@pytest.mark.usefixtures("fake")
def test_for_alpha_alone_no_colour_is_worked_out(photo: Photo, capsys: pytest.CaptureFixture[str]) -> None:
    path = photo("a.png")
    assert main(["matte", str(path), "--alpha", "--json"]) == 0
    assert "foreground" not in json.loads(capsys.readouterr().out)["timings_ms"]
    assert main(["matte", str(path), "--json"]) == 0
    assert "foreground" in json.loads(capsys.readouterr().out)["timings_ms"]


def test_the_old_background_s_colour_is_taken_out_unless_it_is_to_be_kept(photo: Photo, capsys: Captured) -> None:
    path = photo("a.png")
    for words, done in (([], True), (["--decontaminate"], True), (["--no-decontaminate"], False)):
        assert main(["matte", str(path), "--json", "--overwrite", *words]) == 0
        assert ("foreground" in json.loads(capsys.readouterr().out)["timings_ms"]) is done


def test_outside_of_the_region_nobody_is_found(photo: Photo, tmp_path: Path, capsys: Captured) -> None:
    path, out = photo("a.png"), tmp_path / "out.png"
    assert main(["matte", str(path), "-o", str(out), "--region", "0 0 50% 100%", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["empty"] is False
    alpha = np.asarray(opened(out))[..., 3]
    assert alpha[24, 24] == 255 and not alpha[:, 32:].any()
    words = ["matte", str(path), "-o", str(out), "--overwrite", "--json"]
    assert main([*words, "--region", "0 0 5px 5px"]) == 0
    assert json.loads(capsys.readouterr().out)["empty"] is True
    assert main([*words, "--region", "0 0 65px 100%"]) == 2
    told = capsys.readouterr()
    assert "--region reaches to 65, 48, but the picture has 64x48 pixels" in told.err
    assert json.loads(told.out)["error"] == {
        "kind": "RegionError",
        "message": "--region reaches to 65, 48, but the picture has 64x48 pixels.",
        "exit_code": 2,
    }


def test_a_larger_picture_is_made_smaller_and_none_is_enlarged(photo: Photo, tmp_path: Path) -> None:
    path, out = photo("a.png"), tmp_path / "out.png"
    for most, size in ((768, (32, 24)), (3072, (64, 48)), (10**9, (64, 48))):
        assert main(["matte", str(path), "-o", str(out), "--overwrite", "--shrink-to", str(most)]) == 0
        assert opened(out).size == size


def test_a_fainter_shadow_is_fainter(photo: Photo, tmp_path: Path) -> None:
    path, out = photo("a.png"), tmp_path / "out.png"
    seen = []
    for words in ([], ["--shadow-opacity", "50%"], ["--shadow-opacity", "0%"]):
        assert main(["matte", str(path), "-o", str(out), "--overwrite", "--shadow", *words]) == 0
        seen.append(int(np.asarray(opened(out))[37, 48, 3]))
    assert seen[0] > seen[1] > seen[2] == 0


def test_threads_of_a_library_that_nothing_uses_are_not_started(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    for chosen, found in ((None, "1"), ("4", "4")):
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        if chosen is not None:
            monkeypatch.setenv("OPENBLAS_NUM_THREADS", chosen)
        assert main(["matte", str(photo("a.png")), "--overwrite"]) == 0
        assert os.environ["OPENBLAS_NUM_THREADS"] == found


def test_threads_reach_the_network(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    from bshm.matting import engines

    real, asked = engines.open_engine, []

    def watched(card: Any, device: str, threads: int | None = None, **more: Any) -> Any:
        asked.append(threads)
        return real(card, device, threads, **more)

    monkeypatch.setattr(engines, "open_engine", watched)
    for words in ([], ["--threads", "1"]):
        assert main(["matte", str(photo("a.png")), "--overwrite", *words]) == 0
    assert asked == [None, 1]


def test_a_half_transparent_colour_lies_behind_the_people(photo: Photo, tmp_path: Path) -> None:
    path, out = photo("a.png"), tmp_path / "out.png"
    assert main(["matte", str(path), "-o", str(out), "--background", "#0000ff80"]) == 0
    found = opened(out)
    assert found.getpixel((2, 2)) == (0, 0, 255, 128) and np.asarray(found)[24, 32, 3] == 255
