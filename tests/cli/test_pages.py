"""Help pages: there, quick, true to the options, and the same in docs/cli.md."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from bshm._version import __version__
from bshm.cli import main, matte
from bshm.cli.app import VERBS
from bshm.edit.spec import Edit
from bshm.options import DEFAULT_DEVICE, DEFAULT_MODEL, FORMATS, BatchOptions, Limits, byte_count

REPOSITORY = Path(__file__).parents[2]
HEAVY = {"torch", "onnxruntime", "cv2", "PIL", "numpy", "rich", "typer"}


def loaded_by(words: list[str]) -> set[str]:
    """The modules that a command loads."""
    code = (
        "import json, sys\nfrom bshm.cli import main\n"
        f"main({words!r})\n"
        "sys.stderr.write('MODULES' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.partition("MODULES")[2]))


@pytest.mark.parametrize("words", [["--help"], ["--version"], [], ["nonsense"], *([verb, "--help"] for verb in VERBS)])
def test_help_and_version_load_nothing_heavy(words: list[str]) -> None:
    assert not HEAVY & loaded_by(words)


def test_an_output_without_a_format_is_told_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff")
    assert not HEAVY & loaded_by(["matte", str(photo), "-o", str(tmp_path / "photo.bmp")])


@pytest.mark.real
def test_a_picture_is_cut_out_without_loading_what_that_has_no_use_for(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "photo.jpg")
    found = loaded_by(["matte", str(tmp_path / "photo.jpg"), "--model", "bshm-live"])
    assert (tmp_path / "photo.cutout.png").is_file()
    assert not {"torch", "numpy.ma", "urllib.request", "http.client", "xml.sax", "ssl", "zipfile"} & found


def test_the_defaults_of_the_flags_are_those_of_the_options() -> None:
    flags = matte.parser().parse_args(["photo.jpg"])
    assert Edit(**{each.name: getattr(flags, each.name) for each in fields(Edit)}) == Edit()
    assert (
        Limits(max_pixels=flags.max_pixels, max_bytes=byte_count(flags.max_bytes), url_timeout_s=flags.url_timeout_s)
        == Limits()
    )
    assert (
        BatchOptions(in_flight=flags.in_flight, overwrite=flags.overwrite, skip_existing=flags.skip_existing)
        == BatchOptions()
    )
    assert (flags.model, flags.device) == (DEFAULT_MODEL, DEFAULT_DEVICE)


def test_the_service_has_the_same_words_with_the_same_defaults() -> None:
    from bshm.server.fields import PictureFields

    rest = PictureFields.model_fields
    flags = vars(matte.parser().parse_args(["photo.jpg"]))
    for name in ("shadow", "crop", "crop_margin", "scale", "position", "strip_metadata"):
        assert rest[name].default == flags[name] == getattr(Edit, name)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_of_the_options_is_one_of_the_flag(format: str) -> None:
    assert matte.parser().parse_args(["photo.jpg", "--format", format]).format == format


def test_the_page_in_the_docs_is_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("make_cli", REPOSITORY / "docs" / "make_cli.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), "run `python docs/make_cli.py`"


def test_help_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = set()
    for columns in ("40", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        pages.add(matte.parser().format_help())
    assert len(pages) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_with_examples_first(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"Usage: bshm {verb}")
    assert 0 < page.index("Examples:") < page.index("--help")
    assert max(map(len, page.splitlines())) <= 110


def test_help_is_also_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "matte"]) == 0
    assert capsys.readouterr().out == matte.parser().format_help()


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_version(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out == f"bshm {__version__}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["docter"], "Did you mean doctor?"),
        (["photo.jpg"], "bshm matte photo.jpg"),
        (["--frobnicate"], "no option --frobnicate"),
        (["matte"], "required: INPUT"),
        (["matte", "a.jpg", "--qualty", "3"], "--qualty 3. Did you mean --quality?"),
        (["matte", "a.jpg", "--colour=red"], "--colour=red. `bshm matte --help`"),
        (["matte", "a.jpg", "--quality", "many"], "invalid int value"),
        (["matte", "a.jpg", "--overwrite", "--skip-existing"], "not allowed with"),
        (["matte", "a.jpg", "--quality", "101"], "1 to 100"),
        (["matte", "a.jpg", "--jobs", "0"], "--in-flight takes 1 to 64"),
        (["matte", "a.jpg", "--in-flight", "65"], "--in-flight takes 1 to 64"),
        (["matte", "a.jpg", "--shrink-to", "0"], "--shrink-to takes 1"),
        (["matte", "a.jpg", "--threads", "0"], "--threads takes 1"),
        (["matte", "a.jpg", "--region", "10% 20%"], "--region: a region is four lengths"),
        (["matte", "a.jpg", "--shadow-opacity", "5%"], "Add --shadow"),
        (["matte", "a.jpg", "--format", "jpg"], "no transparency"),
        (["matte", "a.jpg", "-o", "b.jpg"], "no transparency"),
        (["matte", "a.jpg", "-o", "b.png", "--format", "webp"], "Change one of the two"),
        (["matte", "a.jpg", "-o", "b.xyz"], "png"),
        (["matte", "a.jpg", "--alpha", "--background", "red"], "Drop one of them"),
        (["matte", "a.jpg", "--alpha", "--shadow"], "Drop one of them"),
        (["matte", "a.jpg", "--crop-margin", "5%"], "Add --crop"),
        (["matte", "a.jpg", "--crop", "--crop-margin", "5 cm"], "a length is a number"),
        (["matte", "a.jpg", "--crop", "--crop-margin", "60%"], "at most 500px or 50%"),
        (["matte", "a.jpg", "--crop", "--crop-margin", ""], "margins are"),
        (["matte", "a.jpg", "--scale", "5%"], "10% to 100%"),
        (["matte", "a.jpg", "--position", "top"], "0% to 100%"),
        (["matte", ""], "an input or -o is empty"),
        (["matte", "a.jpg", "-o", ""], "an input or -o is empty"),
        (["matte", "-", "a.jpg"], "one picture in a pipe"),
        (["matte", "a.jpg", "b.jpg", "-o", "-"], "one picture in a pipe"),
        (["matte", "a.jpg", "-o", "-", "--json"], "-o FILE"),
        (["matte", "a.jpg", "--device", "gpu"], "--device takes"),
        (["matte", "a.jpg", "--max-pixels", "0"], "--max-pixels takes"),
        (["matte", "a.jpg", "--max-bytes", "much"], "as in 2G or 512M"),
        (["matte", "a.jpg", "--url-timeout", "0"], "--url-timeout-s takes"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_a_wrong_call_says_what_to_do(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
