"""Numbered pictures as a clip: what was written as such is read back, each at its time; gaps are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_clips import decoded, number_of, pixels
from PIL import Image

from bshm.cli import main
from bshm.errors import OptionError, OutputExistsError, SourceNotFoundError, UnreadableVideoError
from bshm.video import VideoOptions, convert
from bshm.video.numbered import parse_rate

Clip = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("fake")
PICTURES = VideoOptions(fps="25", codec="png", steady=False, decontaminate=False)


def pictures(folder: Path, numbers: Any, name: str = "%05d.png") -> Path:
    """Picture ``n`` shows block ``n``, counted from the first."""
    folder.mkdir()
    numbers = list(numbers)
    for number in numbers:
        Image.fromarray(pixels(number - numbers[0])).save(folder / (name % number))
    return folder / name


def test_what_was_written_as_pictures_is_read_back(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", 8, rate=Fraction(25))
    convert(source, tmp_path / "out" / "%05d.png", options=VideoOptions(background="white", steady=False))
    made = convert(tmp_path / "out" / "%05d.png", tmp_path / "again.mov", options=PICTURES)
    found = decoded(tmp_path / "again.mov")
    assert made.frames == 8 and made.duration_s == pytest.approx(0.32)
    assert [time for time, _ in found] == pytest.approx([number / 25 for number in range(8)])
    assert [number_of(rgba[..., 3]) for _, rgba in found] == list(range(8))


@pytest.mark.parametrize(
    ("rate", "exact"),
    [("29.97", Fraction(30000, 1001)), ("23.976", Fraction(24000, 1001)), ("25", Fraction(25)),
     ("12.5", Fraction(25, 2)), ("30000/1001", Fraction(30000, 1001)), ("59.94", Fraction(60000, 1001)),
     ("30", Fraction(30))],
)  # fmt: skip
def test_rates_are_exact(tmp_path: Path, rate: str, exact: Fraction) -> None:
    assert parse_rate(rate) == exact
    source = pictures(tmp_path / "in", range(4))
    convert(source, tmp_path / "out.mov", options=VideoOptions(fps=rate, codec="png", steady=False))
    assert [time for time, _ in decoded(tmp_path / "out.mov")] == pytest.approx(
        [float(number / exact) for number in range(4)], abs=1e-6
    )


@pytest.mark.parametrize("rate", ["0", "-25", "fast", "1/0", "2000"])
def test_other_rates_are_refused(tmp_path: Path, rate: str) -> None:
    source = pictures(tmp_path / "in", range(2))
    with pytest.raises(OptionError, match="pictures a second"):
        convert(source, tmp_path / "out.mov", options=VideoOptions(fps=rate))


@pytest.mark.parametrize("name", ["%05d.png", "shot %d.png", "walk-%03d-a.png", "100%%.%04d.png"])
def test_they_begin_with_whatever_number_is_the_lowest(tmp_path: Path, name: str) -> None:
    source = pictures(tmp_path / "in", range(998, 1003), name)
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    if name == "%05d.png":
        Image.fromarray(pixels(0)).save(tmp_path / "in" / "7.png")  # not written with five digits
    convert(source, tmp_path / "out.mov", options=PICTURES)
    assert [number_of(rgba[..., 3]) for _, rgba in decoded(tmp_path / "out.mov")] == list(range(5))


def test_a_part_is_taken_by_time(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", range(8))
    options = VideoOptions(fps="25", codec="png", steady=False, start_s=0.08, end_s=0.2)
    convert(source, tmp_path / "out.mov", options=options)
    found = decoded(tmp_path / "out.mov")
    assert [number_of(rgba[..., 3]) for _, rgba in found] == [2, 3, 4]
    assert [time for time, _ in found] == pytest.approx([0, 0.04, 0.08])
    with pytest.raises(OptionError, match=r"no frame from 5 s on; it ends at 0.32 s"):
        convert(source, tmp_path / "no.mov", options=VideoOptions(fps="25", start_s=5))


def test_a_gap_is_told_by_its_name(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", range(8))
    for number in (3, 5):
        (tmp_path / "in" / f"{number:05d}.png").unlink()
    with pytest.raises(
        UnreadableVideoError, match=r"00003.png is missing, and 1 more, between 00000.png and 00007.png"
    ):
        convert(source, tmp_path / "out.mov", options=PICTURES)


def test_a_picture_of_another_size_is_told_by_its_name(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", range(4))
    Image.fromarray(pixels(2)[:50]).save(tmp_path / "in" / "00002.png")
    with pytest.raises(UnreadableVideoError, match=r"00002.png is 128x50, the first picture 128x96"):
        convert(source, tmp_path / "out.mov", options=PICTURES)


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    import cv2

    (tmp_path / "in").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), (pixels(number)[..., ::-1].astype(np.uint16) * 256 + 77))
    options = VideoOptions(fps="25", codec="qtrle", steady=False)
    with pytest.raises(OptionError, match="has 16 bits per colour"):
        convert(tmp_path / "in" / "%d.png", tmp_path / "out.mov", options=options)
    made = convert(tmp_path / "in" / "%d.png", tmp_path / "out.mov", options=VideoOptions(fps="25", codec="png"))
    assert made.outputs["cutout"].frames == 3


def test_the_pictures_themselves_are_never_replaced(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", range(3))
    before = [path.read_bytes() for path in sorted(source.parent.iterdir())]
    with pytest.raises(OutputExistsError, match="would replace pictures of"):
        convert(source, tmp_path / "in" / ".." / "in" / "%05d.png", options=VideoOptions(fps="25", overwrite=True))
    assert [path.read_bytes() for path in sorted(source.parent.iterdir())] == before


def test_the_verb_takes_them_and_names_the_result_by_their_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pictures(tmp_path / "walk", range(3))
    assert main(["video", str(source), "--fps", "25", "--each-alone", "--json"]) == 0
    (written,) = json.loads(capsys.readouterr().out)["outputs"].values()
    assert Path(written["path"]) == tmp_path / "walk" / "walk.cutout.mov"
    assert main(["video", str(source), "--fps", "25", "--each-alone", "-o", f"{tmp_path}/cut/"]) == 0
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["walk.mov"]


def test_a_rate_is_for_pictures_and_pictures_need_one(clip: Clip, tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", range(2))
    with pytest.raises(OptionError, match="fps: how many are shown a second"):
        convert(source, tmp_path / "out.mov")
    with pytest.raises(OptionError, match="fps is for numbered pictures"):
        convert(clip(), tmp_path / "out.mov", options=PICTURES)
    for bad in ("%d-%d.png", "5% %d.png"):
        with pytest.raises(OptionError, match="one number in their name"):
            convert(tmp_path / "in" / bad, tmp_path / "out.mov", options=PICTURES)
        with pytest.raises(OptionError, match="one number in their name"):
            convert(source, tmp_path / "new" / bad, options=PICTURES)
    with pytest.raises(SourceNotFoundError, match=r"has no 001.png or the like"):
        convert(tmp_path / "in" / "%03d.png", tmp_path / "out.mov", options=PICTURES)
