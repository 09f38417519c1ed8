"""What a run tells and shows: lines, the bar, contact sheets."""

from __future__ import annotations

import io

import cv2
import numpy as np
from rich.console import Console

from bshm.cli.training_progress import Bar
from bshm.training.reporting import Lines, Step
from bshm.training.sheet import sheet


def test_lines_tell_the_mean_of_fifty_losses_and_each_validation() -> None:
    told: list[str] = []
    lines = Lines(told.append)
    for number in range(1, 101):
        lines.step(Step("mask", number, 200, float(number), 12.5))
    lines.checked("mask", 100, {"street": 0.25})
    assert told == [
        "mask 50/200 loss 25.5000 12.5 pictures/s",
        "mask 100/200 loss 75.5000 12.5 pictures/s",
        "mask 100: street 0.2500",
    ]


def test_the_bar_shows_step_loss_speed_and_the_last_figures() -> None:
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=140))
    bar.note("mask: continuing from step 6 of 200")
    bar.step(Step("mask", 7, 200, 0.5, 12.5))
    bar.checked("mask", 7, {"street": 0.25})
    bar.close()
    text = screen.getvalue()
    for part in ("continuing from step 6", "7/200", "loss 0.5000", "12.5 pictures/s", "at mask 7: street 0.2500"):
        assert part in text


def test_a_bar_that_never_began_closes() -> None:
    Bar(Console(file=io.StringIO(), force_terminal=True)).close()


def test_a_sheet_has_a_row_a_picture_and_a_column_a_name() -> None:
    red, white = np.full((40, 20, 3), (255, 0, 0), np.uint8), np.full((40, 20), 255, np.uint8)
    page = cv2.imdecode(np.frombuffer(sheet([{"picture": red, "mask": white}] * 3, 100), np.uint8), cv2.IMREAD_COLOR)
    assert page is not None
    assert page.shape == (28 + 3 * 106, 2 * 106, 3)
    # JPEG moves a flat colour by a few levels at most.
    assert np.abs(page[28 + 106 + 20, 10].astype(int) - (0, 0, 255)).max() < 8
    assert np.abs(page[28 + 106 + 20, 106 + 10].astype(int) - 255).max() < 8
