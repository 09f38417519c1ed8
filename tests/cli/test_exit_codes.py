"""One code an error, none twice, each explained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bshm import errors
from bshm.cli import exit_codes
from bshm.cli.interrupts import INTERRUPTED


def leaves(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from leaves(child)
            if not any(kind.__module__ == errors.__name__ for kind in child.__subclasses__()):
                yield child


# Answers to requests: the service has statuses for them, and no command ends with one.
OF_THE_SERVICE = {
    errors.JobNotFoundError,
    errors.JobUnfinishedError,
    errors.IdempotencyError,
    errors.QueueFullError,
    errors.QueueShareError,
}


def test_every_error_that_is_no_wrong_call_has_a_code_of_its_own() -> None:
    codes = {kind: exit_codes.code_of(kind()) for kind in {*leaves(errors.BshmError)} - OF_THE_SERVICE}
    usage = {kind for kind, code in codes.items() if code == exit_codes.USAGE}
    assert usage == {errors.RegionError, errors.ShapeError, errors.MattingClosedError}
    others = [code for kind, code in codes.items() if kind not in usage]
    assert len(set(others)) == len(others)
    assert exit_codes.BUG not in others


def test_every_code_is_explained_in_the_help() -> None:
    codes = {*exit_codes.OF_ERROR.values(), exit_codes.OK, exit_codes.SOME_FAILED, exit_codes.BUG}
    codes |= {exit_codes.RULES_NOT_MET, INTERRUPTED, exit_codes.BROKEN_PIPE}
    assert codes == set(exit_codes.MEANINGS)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(errors.SourceNotFoundError, 3), (errors.UnreadablePictureError, 4), (errors.DiskFullError, 12), (KeyError, 70)],
)
def test_the_most_specific_class_decides(kind: type[BaseException], code: int) -> None:
    assert exit_codes.code_of(kind()) == code
