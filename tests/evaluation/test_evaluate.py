"""Models over generated pairs: rows, means, failures, JSON, the table and the page."""

from __future__ import annotations

import base64
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import cv2
import numpy as np
import pytest
import skimage

from bshm.errors import (
    DataFolderError,
    DeviceUnavailableError,
    MemoryExhaustedError,
    OptionError,
    OutputExistsError,
    ShapeError,
)
from bshm.evaluation import command, gallery, record
from bshm.evaluation.pairs import Pair, Sample, find_pairs
from bshm.evaluation.report import EvaluationResult, Examined, evaluate
from bshm.evaluation.table import BAND_COLUMNS, COLUMNS, by_picture, matrix, table
from bshm.types import FloatArray, Picture, Run

SIZE = 96


def disc(seed: int) -> FloatArray:
    """A head on shoulders, more or less, with a soft edge."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    head = 18 + seed - np.hypot(y - 34, x - 48)
    body = 34 - np.hypot((y - 100) * 0.8, x - 48)
    alpha: FloatArray = np.clip(np.maximum(head, body) / 4 + 0.5, 0, 1)
    return alpha


def fill(root: Path) -> Path:
    """Six pictures of two kinds, and one more whose alpha has another size."""
    photo = cv2.resize(skimage.data.astronaut(), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    for number in range(7):
        folder = root / ("group" if number % 2 else "portrait")
        folder.mkdir(parents=True, exist_ok=True)
        levels = np.round(disc(number) * 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), np.roll(photo, number * 9, axis=1))
        cv2.imwrite(str(folder / f"{number}.alpha.png"), levels[: SIZE // 2] if number == 6 else levels)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("pictures"))


def number_of(picture: Picture) -> int:
    return int(Path(picture.name).stem)


def exact(picture: Picture) -> FloatArray:
    levels = np.round(disc(number_of(picture)) * 255).astype(np.uint8)
    return levels.astype(np.float32) / np.float32(255)


def worse_each_time(picture: Picture) -> FloatArray:
    alpha = exact(picture)
    alpha[:, : 8 * number_of(picture)] = 1 - alpha[:, : 8 * number_of(picture)]
    return alpha


class FakeSession:
    """Stands in for ``bshm.Matting``."""

    def __init__(self, name: str, device: str) -> None:
        self.name, self.device = name, device

    def matte_picture(self, picture: Picture, options: Any = None) -> Any:
        assert options.decontaminate is False
        make = exact if self.name == "perfect" else worse_each_time
        return SimpleNamespace(alpha=make(picture), ran=Run(self.name, "ab" * 32, self.device))


def measured(folder: Path, **more: Any) -> EvaluationResult:
    given: dict[str, Any] = {"models": ["ours"], "device": "cpu", "open_session": FakeSession, "date": "today"}
    return command.run(folder, **given | more)


# -- rows and means ------------------------------------------------------------------------------------------------


def test_an_exact_model_has_no_error_and_the_other_has_that_of_a_hand_calculation(folder: Path) -> None:
    result = measured(folder, models=["perfect", "ours"])
    assert result.models == ("perfect", "ours")
    assert result.pictures == ["group/1", "group/3", "group/5", "portrait/0", "portrait/2", "portrait/4"]
    perfect = result.summary("perfect")
    assert perfect is not None
    assert (perfect.pictures, perfect.mean.mad, perfect.mean.conn, perfect.mean.iou) == (6, 0, 0, 1)
    row = result.rows_of("ours", kind="group")[1]
    reference = np.round(disc(3) * 255) / 255
    expected = np.abs(1 - 2 * reference[:, :24]).sum() / SIZE**2
    assert row.name == "group/3"
    assert row.errors.whole.mad == pytest.approx(expected, rel=1e-6)  # float32 against float64


def test_the_means_by_kind_and_over_all_agree(folder: Path) -> None:
    result = measured(folder)
    everything = result.summary("ours")
    parts = [result.summary("ours", kind=kind) for kind in result.kinds]
    assert result.kinds == ["group", "portrait"]
    assert everything is not None
    assert sum(part.pictures * part.mean.mad for part in parts if part) / 6 == pytest.approx(everything.mean.mad)
    bad = [row.errors.whole.mad > 0.1 for row in result.rows]
    assert everything.bad_share == sum(bad) / 6 > 0


def test_a_pair_of_two_sizes_is_reported_while_the_rest_goes_on(folder: Path) -> None:
    failures = measured(folder).failures
    assert [(f.name, f.kind, f.model, f.error) for f in failures] == [
        ("portrait/6", "portrait", None, "DataFolderError")
    ]
    assert "96 x 96" in failures[0].message and "96 x 48" in failures[0].message
    assert str(folder) not in failures[0].message


def test_a_model_that_cannot_do_a_picture_fails_on_that_one_alone(folder: Path) -> None:
    def forgetful(picture: Picture) -> FloatArray:
        if number_of(picture) == 3:
            raise MemoryExhaustedError("too large")
        return exact(picture)

    result = measured(folder, baselines={"forgetful": forgetful})
    assert len(result.rows_of("forgetful")) == 5
    assert len(result.rows_of("ours")) == 6
    assert [(f.name, f.model) for f in result.failures] == [("group/3", "forgetful"), ("portrait/6", None)]


def test_the_worst_picture_of_the_first_model_comes_first_and_one_it_failed_on_before_that(folder: Path) -> None:
    def first(picture: Picture) -> FloatArray:
        if number_of(picture) == 0:
            raise MemoryExhaustedError("too large")
        return worse_each_time(picture)

    result = measured(folder, models=[], baselines={"first": first, "second": exact})
    order = result.worst_first()
    assert order[0] == "portrait/0"
    mads = {row.name: row.errors.whole.mad for row in result.rows_of("first")}
    assert order[1:] == sorted(mads, key=lambda name: -mads[name])


def test_pictures_are_shrunk_before_the_model_sees_them(folder: Path) -> None:
    sizes = []

    def small(picture: Picture) -> FloatArray:
        sizes.append(picture.size_hw)
        return np.zeros(picture.size_hw, np.float32)

    result = measured(folder, models=[], baselines={"small": small}, longest_px=32)
    assert set(sizes) == {(32, 32)} == {row.size_hw for row in result.rows}
    assert result.longest_px == 32


def test_progress_is_told_after_every_pair_failures_included(folder: Path) -> None:
    told: list[tuple[int, int, str]] = []
    measured(folder, progress=lambda *news: told.append(news))
    assert [news[:2] for news in told] == [(n, 7) for n in range(1, 8)]
    assert told[-1][2] == "portrait/6"


def test_faults_of_the_machine_and_of_the_caller_are_not_swallowed(folder: Path) -> None:
    def no_device(picture: Picture) -> FloatArray:
        raise DeviceUnavailableError("no such device")

    with pytest.raises(DeviceUnavailableError):
        measured(folder, baselines={"gone": no_device})
    with pytest.raises(ShapeError, match="small should give"):
        measured(folder, baselines={"small": lambda picture: np.zeros((2, 2), np.float32)})
    with pytest.raises(OptionError, match="longest"):
        measured(folder, longest_px=4)
    with pytest.raises(OptionError, match="at least one model"):
        measured(folder, models=[])
    with pytest.raises(OptionError, match="more than once"):
        measured(folder, models=["ours", "ours"])


def test_a_folder_of_which_nothing_can_be_measured_is_refused(tmp_path: Path, folder: Path) -> None:
    for name in ("6.png", "6.alpha.png"):
        shutil.copy(folder / "portrait" / name, tmp_path / name)
    with pytest.raises(DataFolderError, match="none of 1 pair"):
        measured(tmp_path)


# -- JSON ----------------------------------------------------------------------------------------------------------


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is what a type says: TypedDicts with exactly their fields, lists, dicts, unions, scalars."""
    if hasattr(hint, "__required_keys__"):
        hints = get_type_hints(hint)
        return isinstance(value, dict) and value.keys() == hints.keys() and all(fits(value[k], hints[k]) for k in hints)
    origin: Any = getattr(hint, "__origin__", None)
    inner: Any = getattr(hint, "__args__", ())
    if origin is list:
        return isinstance(value, list) and all(fits(item, inner[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, inner[1]) for item in value.values())
    if inner:
        return any(fits(value, one) for one in inner)
    return isinstance(value, (int, float) if hint is float else hint)


def test_the_json_file_is_what_its_schema_says(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    result = measured(folder, models=["perfect", "ours"], baselines={"exact": exact}, json_path=path, longest_px=SIZE)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert fits(content, record.Record)
    assert content["schema"] == "bshm-evaluation/1"
    assert (content["date"], content["folder"]) == ("today", folder.name)
    assert content["settings"] == {"longest_px": SIZE, "band_px": result.band_px, "bad_mad": 0.1}
    assert content["models"]["ours"]["sha256"] == "ab" * 32
    assert content["models"]["exact"]["sha256"] is None
    assert {"bshm", "python", "numpy"} <= content["versions"].keys()
    row = result.rows_of("ours")[0]
    assert content["pictures"][0]["results"]["ours"]["whole"]["sad"] == row.errors.whole.sad
    assert content["models"]["ours"]["overall"]["pictures"] == 6
    assert content["failures"][0]["name"] == "portrait/6"


def test_the_same_result_gives_the_same_bytes(folder: Path) -> None:
    result = measured(folder)
    first, second = (record.to_json(record.record(result, folder="f", date="d")) for _ in range(2))
    assert first == second


# -- the table -----------------------------------------------------------------------------------------------------


def test_the_table_has_a_line_for_every_model_and_kind_and_names_what_failed(folder: Path) -> None:
    text = table(measured(folder, models=["perfect", "ours"]))
    lines = text.splitlines()
    assert [line.split()[:3] for line in lines[3:9]] == [
        ["all", "perfect", "6"],
        ["all", "ours", "6"],
        ["group", "perfect", "3"],
        ["group", "ours", "3"],
        ["portrait", "perfect", "3"],
        ["portrait", "ours", "3"],
    ]
    assert lines[3].split()[3:9] == ["0.00", "0.00", "0.00", "0.00", "0.00", "100.00"]
    assert "Not measured: portrait/6" in text
    assert text.isascii()


def test_the_matrix_has_the_figures_of_the_table_and_the_table_can_leave_kinds_out(folder: Path) -> None:
    result = measured(folder, models=["perfect", "ours"])
    title, _, _, ours = (line.split() for line in matrix(result, COLUMNS[0]).splitlines())
    assert title[-3:] == ["all", "group", "portrait"]
    lines = [line.split() for line in table(result).splitlines() if " ours " in line]
    assert ours == ["ours", "6", *(line[3] for line in lines)]
    within = matrix(result, BAND_COLUMNS[0], band=True).splitlines()[-1].split()
    assert within[2:] == [line[9] for line in lines]
    short = [line.split() for line in table(result, by_kind=False).splitlines() if " ours " in line]
    assert short == lines[:1]


def test_the_table_by_picture_shows_one_lost_picture_as_that(folder: Path) -> None:
    def lost(picture: Picture) -> FloatArray:
        return 1 - exact(picture) if number_of(picture) == 4 else exact(picture)

    def forgetful(picture: Picture) -> FloatArray:
        if number_of(picture) == 0:
            raise MemoryExhaustedError("too large")
        return worse_each_time(picture)

    text = by_picture(measured(folder, models=["perfect"], baselines={"lost": lost, "forgetful": forgetful}))
    assert [line.split()[0] for line in text.splitlines()[2:]] == measured(folder, models=["perfect"]).pictures
    result = evaluate(find_pairs(folder), {"lost": lost, "forgetful": forgetful})
    heading, _, *lines = (line.split() for line in by_picture(result).splitlines())
    assert heading == ["MAD", "by", "picture,", "1e-3", "kind", "lost", "%", "of", "all", "forgetful", "%", "of", "all"]
    assert lines[0][:2] == ["portrait/4", "portrait"] and lines[0][3] == "100"
    assert all(line[2:4] == ["0.00", "-"] for line in lines[1:])
    assert sum(int(line[5]) for line in lines if line[5] != "-") == pytest.approx(100, abs=3)  # whole per cents
    assert next(line for line in lines if line[0] == "portrait/0")[4:] == ["failed", "-"]
    assert len(by_picture(result, kind="group").splitlines()) == 2 + 3
    assert len(by_picture(result, kind="group", most=1).splitlines()) == 2 + 1


# -- the gallery ---------------------------------------------------------------------------------------------------


def examined(name: str, alpha: FloatArray, reference: FloatArray) -> Examined:
    kept: list[Examined] = []
    picture = Picture(np.full((*reference.shape, 3), 120, np.uint8))
    pair = Pair(name, "", Path(name), Path(name))
    evaluate([pair], {"ours": lambda _: alpha}, read=lambda p, **_: Sample(p, picture, reference), watch=kept.append)
    return kept[0]


def test_the_gallery_keeps_the_worst_in_order() -> None:
    reference = disc(0)
    kept = gallery.Gallery("ours", keep=3)
    for name, value in (("a", 0.1), ("b", 0.5), ("c", 0.0), ("d", 0.9), ("e", 0.5), ("f", 0.3)):
        kept.add(examined(name, np.clip(reference + np.float32(value), 0, 1), reference))
    assert [card.name for card in kept.worst_first()] == ["d", "b", "e"]


def test_the_worst_spot_holds_the_fault_and_stays_inside() -> None:
    difference = np.zeros((50, 80), np.float32)
    for y, x in ((0, 0), (49, 79), (25, 40)):
        difference[:] = 0
        difference[y, x] = -0.5
        rows, columns = gallery.worst_spot(difference, spot_px=16)
        assert rows.start <= y < rows.stop <= 50 and columns.start <= x < columns.stop <= 80
        assert (rows.stop - rows.start, columns.stop - columns.start) == (16, 16)
    assert gallery.worst_spot(difference, spot_px=999) == (slice(0, 50), slice(0, 80))


def test_what_does_not_count_is_no_fault_in_the_gallery() -> None:
    reference = disc(0)
    alpha = reference.copy()
    alpha[10:20, 70:90] = 1
    alpha[80:90, 5:15] = 1 - alpha[80:90, 5:15]
    counted = np.ones(reference.shape, np.bool_)
    counted[:, 60:] = False
    kept: list[Examined] = []
    sample = Sample(Pair("a", "", Path("a"), Path("a")), Picture(np.zeros((SIZE, SIZE, 3), np.uint8)), reference)
    told = replace(sample, counted=counted)
    result = evaluate([sample.pair], {"ours": lambda _: alpha}, read=lambda p, **_: told, watch=kept.append)
    assert result.rows[0].errors.whole.sad == pytest.approx(np.abs(alpha - reference)[:, :60].sum())
    shown = gallery.Gallery("ours")
    shown.add(kept[0])
    data = base64.b64decode(shown.worst_first()[0].whole.models["ours"][1].split(",")[1])
    difference = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert difference is not None
    # Lossy WebP: nearly dark.
    assert difference[10:20, 72:88].max() < 60 < difference[80:90, 5:15].max()


def test_the_difference_is_orange_where_too_much_was_kept_and_blue_where_too_much_was_cut() -> None:
    alpha, reference = np.array([[1, 0, 0.5]], np.float32), np.array([[0, 1, 0.5]], np.float32)
    colours = gallery.difference_colours(alpha, reference, size_hw=(1, 3))
    assert colours.tolist() == [[[255, 145, 40], [70, 160, 255], [22, 22, 22]]]


# -- the page ------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Every address that a page refers to, and whether what was opened is closed again."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in ("src", "href", "srcset", "action", "data", "poster"):
                self.addresses.append(value or "")
            if key == "id":
                self.ids.append(value or "")
        if tag not in ("meta", "img", "input", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_nobody_for_anything(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    measured(folder, models=["perfect", "ours"], html_path=path)
    text = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    for address in reader.addresses:
        assert address.startswith("data:image/webp;base64,") or address[1:] in reader.ids
    assert not re.search(r"https?:|@import|url\(", text)
    # Six pictures; picture, reference and for two models three pictures more; as a whole and as a spot.
    assert text.count("<img ") == 6 * (2 + 2 * 3) * 2
    assert "default-src 'none'" in text


def test_the_page_shows_the_worst_first_and_every_picture_in_its_table(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    result = measured(folder, html_path=path)
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"<h3>(.*?)</h3>", text) == result.worst_first()
    listed = text[text.index('<table id="pictures">') :]
    assert all(name in listed for name in result.pictures)
    assert "portrait/6" in text


def test_names_do_not_become_markup(tmp_path: Path) -> None:
    folder = tmp_path / "a&b"
    for source in (fill(tmp_path / "made") / "group").iterdir():
        folder.mkdir(exist_ok=True)
        shutil.copy(source, folder / f"<i>${source.name}")
    path = tmp_path / "page.html"
    command.run(
        folder,
        models=[],
        html_path=path,
        baselines={"<script>alert(1)</script>": lambda picture: np.zeros(picture.size_hw, np.float32)},
    )
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text and "<i>$" not in text
    assert "a&amp;b" in text and "&lt;i&gt;$1" in text


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_file_that_may_not_be_replaced_is_told_before_anything_is_measured(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text("kept")

    def never(name: str, device: str) -> FakeSession:
        raise AssertionError("a model was opened")

    with pytest.raises(OutputExistsError):
        measured(folder, json_path=path, overwrite=False, open_session=never)
    assert path.read_text() == "kept"
    measured(folder, json_path=path)
    assert path.read_text() != "kept"


def test_without_paths_nothing_is_written(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    measured(folder, limit=1)
    assert sorted(folder.rglob("*")) == before
