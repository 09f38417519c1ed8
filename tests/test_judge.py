"""The judge of strangers' photographs: which pictures it takes, and what becomes of their masks; benchmarks/wide.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bshm.training.data import is_held_out
from bshm.training.outlines import RegionEdit

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
HEADING = "file,mask,used,source,licence,credit\n"
SIZE = 120
SQUARE = np.s_[30:90, 30:90]


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import wide

    return wide


def names(*, held_out: bool, count: int) -> list[str]:
    return [n for n in map("somebody{}".format, range(999)) if is_held_out(f"wide/{n}", 0.1) == held_out][:count]


def photo(*, red: bool = True) -> np.ndarray:
    """BGR: a red square, who is somebody, over noise that is never red."""
    rng = np.random.default_rng(5)
    image = rng.integers(0, 90, (SIZE, SIZE, 3), np.uint8)
    if red:
        image[SQUARE] = (40, 40, 220)
    return image


def made(root: Path, entries: dict[str, dict[str, Any]], rows: list[tuple[str, str, str]], mask: np.ndarray) -> Path:
    """A data folder with `wide` alone, and the corrections beside it."""
    folder = root / "wide"
    for part in ("people", "masks", "nobody"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for file, by, _ in rows:
        assert cv2.imwrite(str(folder / file), photo(red=bool(by)))
        if by:
            assert cv2.imwrite(str(folder / "masks" / Path(file).name), mask)
    lines = (f"{file},{by},{used},somewhere,CC0,me\n" for file, by, used in rows)
    (folder / "index.csv").write_text(HEADING + "".join(lines), encoding="utf-8")
    (root / "corrections.json").write_text(json.dumps(entries), encoding="utf-8")
    return root


def square(*, levels: int = 255) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[SQUARE] = levels
    return mask


def test_the_judge_takes_the_held_out_tenth_by_kind_and_no_picture_that_was_learned_from(
    wide: Any, tmp_path: Path
) -> None:
    casual, scene, skipped, used, nobody = names(held_out=True, count=5)
    trained, drawn = names(held_out=False, count=2)
    rows = [
        (f"people/{casual}.png", "consensus", ""),
        (f"people/{scene}.png", "consensus", ""),
        (f"people/{skipped}.png", "consensus", ""),
        (f"people/{used}.png", "consensus", "yes"),
        (f"people/{trained}.png", "consensus", ""),
        (f"people/{drawn}.png", "drawn", ""),
        (f"nobody/{nobody}.png", "", ""),
    ]
    entries = {
        casual: {"kind": "casual"},
        used: {"kind": "casual"},
        scene: {"kind": "scene"},
        skipped: {"skip": "a crowd"},
    }
    root = made(tmp_path, entries, rows, square())
    path = root / "corrections.json"
    expected = {
        ("wide-casual", casual),
        ("wide-scene", scene),
        ("wide-nobody", nobody),
        ("drawn", drawn),
    }
    assert {(one.kind, one.name) for one in wide.pictures(root, corrections=path)} == expected
    every = {(one.kind, one.name): one for one in wide.pictures(root, seen=True, corrections=path)}
    assert every.keys() == expected | {("wide-casual-seen", used)}
    assert not every["wide-nobody", nobody].alpha.any() and every["wide-nobody", nobody].counted.all()
    assert (every["wide-casual", casual].image[60, 60] == (220, 40, 40)).all()


def test_a_held_out_picture_that_nobody_looked_at_is_refused_by_name(wide: Any, tmp_path: Path) -> None:
    (name,) = names(held_out=True, count=1)
    root = made(tmp_path, {}, [(f"people/{name}.png", "consensus", "")], square())
    with pytest.raises(SystemExit, match=name):
        list(wide.pictures(root, corrections=root / "corrections.json"))
    with pytest.raises(SystemExit, match=r"index\.csv is not there"):
        list(wide.pictures(tmp_path / "elsewhere"))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"kind": "portrait"},
        {"kind": "casual", "edits": [["cut", [[0, 0], [9, 0], [9, 9]]]]},
        {"kind": "casual", "edits": [["keep", [[0, 0], [9, 0]]]]},
        {"kind": "casual", "edits": [["keep", [[0, 0, 1], [9, 0, 1], [9, 9, 1]]]]},
    ],
)
def test_a_correction_that_says_nothing_is_refused_by_name(wide: Any, tmp_path: Path, entry: dict[str, Any]) -> None:
    path = tmp_path / "corrections.json"
    path.write_text(json.dumps({"somebody": entry}))
    with pytest.raises(SystemExit, match="somebody"):
        wide.read(path)


def corrected(wide: Any, mask: np.ndarray, *edits: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    found = [RegionEdit.of(*edit) for edit in edits]
    both: tuple[np.ndarray, np.ndarray] = wide.corrected(np.ascontiguousarray(photo()[..., ::-1]), mask, found)
    return both


def test_a_rough_outline_is_moved_to_the_edges_of_the_picture(wide: Any) -> None:
    rough = [[32, 27], [92, 32], [88, 93], [27, 88]]
    alpha, counted = corrected(wide, np.zeros((SIZE, SIZE), np.uint8), ["keep", rough])
    assert counted.all()
    found, true = alpha > 127, square() > 127
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(drawn, [np.array(rough, np.int32)], 1)
    off = (found != true).sum()
    # The corners of the square are rounded by a pixel or two.
    assert off < 40 < (drawn > 0).sum() - (true & (drawn > 0)).sum()
    assert set(np.unique(alpha[40:80, 40:80])) == {255} and alpha[:20].max() == 0


def test_a_later_edit_wins_and_what_is_dropped_is_gone(wide: Any) -> None:
    alpha, counted = corrected(
        wide,
        square(),
        ["drop", [[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE]]],
        ["keep", [[30, 60], [89, 60]], 10],
    )
    assert counted.all()
    assert alpha[60, 60] == 255 and alpha[40, 60] == 0 and alpha[80, 60] == 0


def test_what_is_unsure_does_not_count_and_an_edit_decides_what_was_in_doubt(wide: Any) -> None:
    doubt = square()
    doubt[30:90, 60:90] = 120
    _, counted = corrected(wide, doubt)
    assert not counted[40:80, 66:84].any() and counted[:, :56].all()
    # Even the square's own edges are sure: doubt along an edge is an edge.
    assert corrected(wide, cv2.GaussianBlur(square(), (0, 0), 2))[1].all()
    right = [[60, 30], [89, 30], [89, 89], [60, 89]]
    alpha, counted = corrected(wide, doubt, ["keep", right])
    assert counted.all() and alpha[60, 75] == 255
    alpha, counted = corrected(wide, doubt, ["keep", right], ["unsure", [[0, 0], [20, 0], [20, 20], [0, 20]]])
    assert not counted[5:15, 5:15].any() and counted[40:].all()


def test_a_mask_that_is_right_keeps_its_outline_and_gets_a_steeper_edge(wide: Any) -> None:
    soft = cv2.GaussianBlur(square(), (0, 0), 4)
    alpha, _ = corrected(wide, soft)
    assert np.array_equal(alpha > 127, soft > 127)
    between = (alpha > 5) & (alpha < 250)
    assert 0 < between.sum() < ((soft > 5) & (soft < 250)).sum() / 2


def test_a_drawn_crowd_does_not_count(wide: Any) -> None:
    mask = square()
    mask[30:60, 60:90] = 128
    alpha, counted = wide.drawn(mask)
    assert not counted[32:58, 62:88].any() and counted[70:].all() and counted[:, :50].all()
    assert alpha[75, 75] == 255 and alpha[40, 40] == 255 and alpha[10, 10] == 0


def test_the_corrections_of_the_project_can_be_read_and_leave_enough_pictures(wide: Any) -> None:
    found = list(wide.read().values())
    assert {one.kind for one in found} == {"casual", "scene", None}
    assert all(one.skip for one in found if one.kind is None)
    # A kind is no use with fewer: one picture must not decide.
    for kind in ("casual", "scene"):
        assert sum(one.kind == kind for one in found) >= 60


@pytest.mark.real
def test_the_judge_prints_every_picture_with_its_share_of_the_error(
    wide: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import judge

    first, second = names(held_out=True, count=2)
    rows = [(f"people/{first}.png", "consensus", ""), (f"people/{second}.png", "consensus", "")]
    root = made(tmp_path, {first: {"kind": "casual"}, second: {"kind": "casual"}}, rows, square())
    monkeypatch.setattr(wide.pictures, "__kwdefaults__", {"seen": False, "corrections": root / "corrections.json"})
    masks = tmp_path / "masks" / "wide-casual"
    masks.mkdir(parents=True)
    for name, mask in (first, square()), (second, 255 - square()):
        assert cv2.imwrite(str(masks / f"{name}.png"), mask)
    out = tmp_path / "figures.json"
    sets = ["bshm-live", "--masks", f"theirs={masks.parent}", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["judge.py", str(root), *sets])
    judge.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    of = {line[0]: line for line in lines if line and line[0].startswith("wide-casual/")}
    assert of.keys() == {f"wide-casual/{first}", f"wide-casual/{second}"}
    # The one that is wrong everywhere, and not the one that is right but for its edge, has the error.
    assert int(of[f"wide-casual/{second}"][5]) >= 95
    figures = json.loads(out.read_text())
    assert figures["models"]["theirs"]["overall"]["pictures"] == 2
    for wrong in ["nothing"], ["=x"], ["bshm-live", "--masks", f"theirs={tmp_path / 'none'}"]:
        monkeypatch.setattr(sys, "argv", ["judge.py", str(root), *wrong])
        with pytest.raises(SystemExit):
            judge.main()


def test_the_page_of_quality_has_a_place_for_the_tables_of_strangers(wide: Any, tmp_path: Path) -> None:
    import quality

    from bshm.evaluation.metrics import compare
    from bshm.evaluation.report import EvaluationResult, Row
    from bshm.types import Run

    kinds = ["portrait", "wide-casual", "drawn"]
    empty = np.zeros((10, 10))
    rows = [
        Row(f"{kind}/1", kind, (10, 10), model, compare(empty, np.full((10, 10), by)), 1.0)
        for kind, by in zip(kinds, (0.01, 0.02, 0.06), strict=True)
        for model in ("bshm", "mask network, bilinear", quality.ISNET)
    ]
    result = EvaluationResult(("bshm", "mask network, bilinear", quality.ISNET), tuple(rows))
    found = quality.tables(result, {"bshm": Run("bshm", "ab" * 32, "cpu")}, "Today.")
    page = tmp_path / "quality.md"
    page.write_text((BENCHMARKS.parent / "docs" / "quality.md").read_text(encoding="utf-8"), encoding="utf-8")
    quality.put(page, found)
    assert found["strangers"] in page.read_text(encoding="utf-8")
    # Strangers are not mixed into the means of the project's own world, nor it into theirs.
    assert "10.00" in found["all"] and "portrait" in found["kinds"] and "drawn" not in found["kinds"]
    assert "portrait" not in found["strangers"] and "40.00" in found["strangers"]
    worst = [line for line in found["strangers"].splitlines() if line.startswith("drawn/1 ")]
    assert [line.split() for line in worst] == [["drawn/1", "drawn", "60.00", "100"]]
