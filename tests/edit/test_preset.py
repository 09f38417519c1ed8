"""Presets: readable files, each with its source and its day, and clear words about wrong ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bshm.edit import preset
from bshm.edit.spec import Edit
from bshm.errors import EnvironmentFault, OptionError, UnknownPresetError

REPOSITORY = Path(__file__).parents[2]
IN_BOX = {
    "amazon-main", "avatar-circle", "chsi-cn", "cn-1in", "cn-2in", "cn-2in-large", "ebay", "etsy", "google-merchant",
    "id-35x45", "id-cn", "passport-us", "shopify-square", "sticker", "taobao-square", "visa-cn", "visa-jp",
}  # fmt: skip
MINE = 'title = "Mine"\nsource = "here"\nchecked = "2026-01-02"\nseen = "source"\n'


@pytest.fixture(autouse=True)
def _no_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(preset.VARIABLE, str(tmp_path / "none"))


def test_the_box_holds_these() -> None:
    assert set(preset.names()) == IN_BOX


@pytest.mark.parametrize("name", sorted(IN_BOX))
def test_each_says_what_it_is_where_it_is_from_and_gives_an_edit_of_its_own_size(name: str) -> None:
    found = preset.find(name)
    assert found.in_box and found.title and found.source and found.checked.startswith("20")
    edit = found.edited()
    assert edit.size is not None and found.size == edit.size
    rules = found.rules
    if rules.size is not None:
        assert rules.size == edit.size
    if rules.formats:
        assert edit.format in rules.formats
    if rules.background:
        assert edit.background is not None and edit.background.rgb in rules.background  # type: ignore[union-attr]
    if rules.kb is not None and rules.kb.high is not None and rules.kb.high < 1024:
        assert edit.max_kb == rules.kb.high


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [
        ("taobao-square", 800, 800),
        ("shopify-square", 2048, 2048),
        ("id-35x45", 413, 531),
        ("passport-us", 600, 600),
        ("visa-cn", 354, 472),
        ("id-cn", 358, 441),
        ("cn-1in", 295, 413),
        ("cn-2in", 413, 579),
        ("cn-2in-large", 413, 626),
        ("chsi-cn", 480, 640),
    ],
)
def test_sizes_are_the_pixels_that_the_rules_name(name: str, width: int, height: int) -> None:
    found = preset.find(name)
    assert found.size is not None and found.size.pixels(found.dpi) == (height, width)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownPresetError, match="Did you mean passport-us"):
        preset.find("pasport-us")
    with pytest.raises(UnknownPresetError, match="There are amazon-main"):
        preset.find("zzzzz")


@pytest.mark.parametrize("name", ["../passport-us", "", "/etc/passwd", "a\0b", "presets/ebay"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(UnknownPresetError):
        preset.find(name)


def test_ones_own_come_first_and_beside_those_in_the_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ebay.toml").write_text(MINE, encoding="utf-8")
    (tmp_path / "badge.toml").write_text(f'{MINE}[rules]\nhead = "60%.."\n[edit]\nsize = "30x40mm"\n', encoding="utf-8")
    assert set(preset.names(tmp_path)) == IN_BOX | {"badge"}
    assert preset.find("ebay", tmp_path).title == "Mine"
    assert not preset.find("badge", tmp_path).in_box
    monkeypatch.setenv(preset.VARIABLE, str(tmp_path))
    assert preset.find("badge").dpi == 300


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is not a folder"):
        preset.names(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "not valid TOML"),
        ('title = "x"', "source is missing"),
        (MINE.replace("2026-01-02", "soon"), "YYYY-MM-DD"),
        (MINE.replace('seen = "source"', 'seen = "yes"'), "seen takes source, copies or nothing"),
        (f'{MINE}kolour = "red"', "a preset has no 'kolour'"),
        (f'{MINE}[rules]\nhaed = "5%"', "Did you mean head"),
        (f'{MINE}[rules]\nhead = "five"', "head: a range is"),
        (f'{MINE}[rules]\nhead = "5kB"', "head: a range is"),
        (f"{MINE}[rules]\nhead = 5", "head is not written like this"),
        (f'{MINE}[rules]\nbackground = "reddish"', "background: .*reddish"),
        (f"{MINE}[rules]\nbackground_tolerance = 300", "background_tolerance: .*0 to 255"),
        (f'{MINE}[rules]\nsrgb = "yes"', "srgb: it takes true or false"),
        (f"{MINE}[rules]\ndpi = -1", "dpi: .*above 0"),
        (f'{MINE}[edit]\nsiez = "3x3"', r"\[edit\]: .*siez"),
        (f'{MINE}[edit]\nsize = "3"', r"\[edit\]: size"),
        (f"rules = 3\n{MINE}", "tables"),
    ],
)
def test_a_wrong_file_is_told_with_its_name_and_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(OptionError, match=f"mine.toml.*{words}"):
        preset.find("mine", tmp_path)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        preset.find("mine", tmp_path)


def test_options_that_are_given_count_in_place_of_the_presets() -> None:
    edit = preset.find("cn-1in").edited({"background": "#438edb", "format": "png"})
    assert edit == Edit.from_json({**preset.find("cn-1in").edit, "background": "#438edb", "format": "png"})


def test_the_table_in_the_docs_is_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("make_presets", REPOSITORY / "docs" / "make_presets.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    text = maker.PAGE.read_text(encoding="utf-8")
    assert text == maker.page(text), "run `python docs/make_presets.py`"


def test_the_example_in_the_docs_is_a_preset(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "presets.md").read_text(encoding="utf-8")
    (tmp_path / "badge.toml").write_text(page.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    found = preset.find("badge", tmp_path)
    assert (found.title, found.edited().head_top) == ("Staff badge", (0.08, 0.12))
