"""Lists of pictures, good lines and bad ones."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bshm.bulk.manifest import rows
from bshm.errors import ManifestError, SourceNotFoundError


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_three_kinds_say_the_same(tmp_path: Path) -> None:
    table = written(tmp_path / "a.csv", "\ufeffname, input ,output\nx,a.jpg,shop/a.png\ny,b.jpg,\n")
    lines = written(tmp_path / "a.jsonl", '{"input": "a.jpg", "output": "shop/a.png"}\n\n{"input": "b.jpg"}\n')
    pq.write_table(
        pa.table({"n": [1, 2], "input": ["a.jpg", "b.jpg"], "output": ["shop/a.png", None]}), tmp_path / "a.parquet"
    )
    for path in (table, lines, tmp_path / "a.parquet"):
        found = [(row.input, row.output) for row in rows(path)]
        assert found == [("a.jpg", "shop/a.png"), ("b.jpg", None)]


def test_a_bad_line_is_told_by_its_number_and_the_others_are_read(tmp_path: Path) -> None:
    lines = ['{"input": "a.jpg"}', "{not json", "[1]", '{"input": 7}', '{"input": " "}', '{"input": "b.jpg"}']
    found = list(rows(written(tmp_path / "a.jsonl", "\n".join(lines))))
    assert [row.input for row in found] == ["a.jpg", "", "", "", "", "b.jpg"]
    assert [row.problem is None for row in found] == [True, False, False, False, False, True]
    assert found[1].problem is not None and "line 2" in found[1].problem
    (empty,) = (row for row in rows(written(tmp_path / "b.csv", "input,x\n,1\na.jpg,2\n")) if row.problem)
    assert "b.csv line 2" in str(empty.problem)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.csv", b"picture,output\na.jpg,\n", "needs a column called 'input'; it has these: picture, output"),
        ("a.csv", b"", "it has these: none"),
        ("a.csv", b"input\n\xff\xfe\n", "not a CSV file in UTF-8"),
        ("a.parquet", b"PAR1 but not really", "not a Parquet file"),
    ],
)
def test_what_is_no_manifest_says_what_was_needed(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ManifestError, match=told):
        list(rows(tmp_path / name))


def test_a_manifest_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no manifest at"):
        list(rows(tmp_path / "a.csv"))
