"""Frozen dataclasses as JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from bshm.errors import OptionError
from bshm.jobs import codec
from bshm.jobs.codec import from_json, to_json


@dataclass(frozen=True)
class Colour:
    levels: tuple[int, int, int]


@dataclass(frozen=True)
class Blurred:
    spec: str


@dataclass(frozen=True)
class Stored:
    sha256: str
    file: bytes | None = None


@dataclass(frozen=True)
class Sheet:
    behind: Colour | Blurred | Stored | None = None
    details: Mapping[str, Any] | None = None
    others: tuple[Sheet, ...] = ()
    share: float | None = None


@pytest.mark.parametrize(
    "sheet",
    [
        Sheet(),
        Sheet(Colour((1, 2, 3)), {"kind": "theirs", "deep": {"a": [1]}}, share=0.5),
        Sheet(Blurred("blur:3"), others=(Sheet(Stored("ab", b"\x00\xff")), Sheet(Stored("ab")))),
    ],
)
def test_what_is_written_is_read_unchanged(sheet: Sheet) -> None:
    assert from_json(Sheet, json.loads(json.dumps(to_json(sheet)))) == sheet


def test_what_may_be_one_of_several_classes_says_which() -> None:
    assert to_json(Sheet(Colour((1, 2, 3))))["behind"] == {"kind": "colour", "levels": [1, 2, 3]}
    assert from_json(Sheet, {"behind": {"kind": "blurred", "spec": "x"}}).behind == Blurred("x")


def test_what_was_written_before_there_was_a_kind_is_read_by_its_names() -> None:
    assert from_json(Sheet, {"behind": {"levels": [1, 2, 3]}}).behind == Colour((1, 2, 3))
    assert from_json(Sheet, {"behind": {"sha256": "ab", "file": None}}).behind == Stored("ab")


@pytest.mark.parametrize(
    "behind", [{"kind": "film", "spec": "x"}, {"kind": "blurred", "levels": [1, 2, 3]}, {"spec": "x", "y": 1}, {}]
)
def test_a_kind_that_there_is_not_is_refused(behind: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        from_json(Sheet, {"behind": behind})


@pytest.mark.parametrize("value", [3, {"x": 1}, {"behind": {"kind": "colour"}}, {"others": [{"x": 1}]}])
def test_names_that_there_are_not_and_those_that_are_missing_are_refused(value: Any) -> None:
    with pytest.raises(OptionError):
        from_json(Sheet, value)


def test_what_json_has_not_is_refused() -> None:
    with pytest.raises(OptionError, match="set"):
        to_json(Sheet(details={"x": {1, 2}}))


def test_type_hints_are_asked_for_once_and_not_for_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Sheet(others=tuple(Sheet(Colour((1, 2, number))) for number in range(1000)))
    written = to_json(many)
    assert from_json(Sheet, written) == many
    monkeypatch.setattr(codec, "get_type_hints", lambda kind: pytest.fail(f"{kind} was asked once more"))
    assert from_json(Sheet, written) == many and to_json(many) == written
