"""Clips as they are read: upright, in their colours, at their times; and what is refused, in words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_clips import SIZE_HW, make, pixels

from bshm.errors import OptionError, SourceNotFoundError, UnreadableVideoError
from bshm.video import reading

Clip = Callable[..., Path]


def read(path: Path, **part: Any) -> list[reading.Frame]:
    return list(reading.frames(reading.probe(path), **part))


def seconds(path: Path, **part: Any) -> list[float]:
    clip = reading.probe(path)
    return [float(frame.pts * clip.time_base) for frame in reading.frames(clip, **part)]


def test_a_constant_ntsc_rate_stays_rational(clip: Clip) -> None:
    path = clip()
    found = reading.probe(path)
    assert found.rate == Fraction(30000, 1001)
    assert [frame.pts * found.time_base for frame in reading.frames(found)] == [
        n * Fraction(1001, 30000) for n in range(8)
    ]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
def test_a_variable_rate_keeps_every_time(clip: Clip, name: str) -> None:
    pts = [0, 1000, 2500, 2600, 6000, 6100]
    times = seconds(clip(name, 6, pts=pts))
    assert times == pytest.approx([each / 30000 for each in pts], abs=0.0006 if name.endswith("mkv") else 1e-9)


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot make such a clip")
@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_turned_clip_is_read_upright(clip: Clip, rotation: int) -> None:
    path = clip("turned.mp4", rotation=rotation)
    found = reading.probe(path)
    wanted = np.rot90(pixels(0), rotation // 90)
    assert found.size_hw == wanted.shape[:2]
    assert np.abs(read(path)[0].pixels.astype(int) - wanted).mean() < 4


@pytest.mark.parametrize("matrix", [1, 5])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_read_with_the_matrix_and_range_that_the_file_states(clip: Clip, matrix: int, full: bool) -> None:
    colour = np.empty((*SIZE_HW, 3), np.uint8)
    colour[:] = (200, 90, 30)
    frame = av.VideoFrame.from_ndarray(colour, "rgb24").reformat(
        format="yuv444p", dst_colorspace=matrix, src_color_range=2, dst_color_range=2 if full else 1
    )
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    path = clip("colour.mkv", 1)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = SIZE_HW
        stream.pix_fmt = "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (found,) = read(path)
    assert reading.probe(path).colour.full is full
    assert np.abs(found.pixels.astype(int) - colour).max() <= 2


def test_ten_bits_are_read_as_sixteen(clip: Clip) -> None:
    wanted = (pixels(0).astype(np.uint16) * 257) + 64
    path = clip("deep.mkv", [wanted], codec="ffv1", pixel_format="yuv444p10le")
    found = reading.probe(path)
    (frame,) = reading.frames(found)
    assert found.bits == 10 and frame.pixels.dtype == np.uint16
    assert np.abs(frame.pixels.astype(int) - wanted).max() < 257


@pytest.mark.parametrize(("transfer", "called"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_by_its_name(clip: Clip, transfer: int, called: str) -> None:
    path = clip("hdr.mkv", 2, codec="ffv1", pixel_format="yuv420p10le", tags={"color_trc": transfer})
    with pytest.raises(UnreadableVideoError, match=rf"HDR \({called}\).*Convert it to SDR"):
        reading.probe(path)


def test_interlaced_input_is_told(clip: Clip) -> None:
    path = clip("fields.mp4", options={"x264-params": "interlaced=1"})
    assert reading.probe(path).interlaced is True


def test_a_part_begins_at_nought_and_ends_where_it_should(clip: Clip) -> None:
    path = clip("long.mp4", 20, rate=Fraction(10))
    times = seconds(path, start_s=0.5, end_s=1.2)
    assert times == pytest.approx([0.1 * n for n in range(7)])
    (first, *_) = read(path, start_s=0.5, end_s=1.2)
    assert np.abs(first.pixels.astype(int) - pixels(5)).mean() < 4


def test_a_part_that_holds_nothing_says_where_the_clip_ends(clip: Clip) -> None:
    with pytest.raises(OptionError, match=r"no frame from 5 s on; it ends at 0\.\d+ s"):
        read(clip(), start_s=5)


def test_a_size_that_changes_midway_names_the_frame(tmp_path: Path) -> None:
    streams = []
    for height in (96, 64):
        path = make(tmp_path / f"{height}.h264", [pixels(n)[:height] for n in range(3)], rate=Fraction(25))
        streams.append(path.read_bytes())
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(streams))
    with pytest.raises(UnreadableVideoError, match="frame 3 is 128x64, the first 128x96"):
        read(both)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(UnreadableVideoError, match="has no video, only audio"):
        reading.probe(path)


def test_a_file_without_its_index_is_said_to_be_truncated(clip: Clip) -> None:
    path = clip()
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UnreadableVideoError, match=r"cannot be read as a video.*truncated"):
        reading.probe(path)


def test_a_file_that_stops_early_says_where_and_what_can_be_had(clip: Clip) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, *SIZE_HW, 3), np.uint8)
    path = clip("long.mp4", list(noise), rate=Fraction(10), options={"crf": "8", "g": "1"}, audio=False)
    front = path.with_name("front.mp4")
    with av.open(str(path)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    front.write_bytes(front.read_bytes()[: front.stat().st_size // 2])
    with pytest.raises(UnreadableVideoError, match=r"end_s"):
        read(front)
    assert len(read(front, end_s=1.0)) == 10


def test_an_empty_file_a_folder_and_nothing_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UnreadableVideoError, match="it is empty"):
        reading.probe(tmp_path / "empty.mp4")
    with pytest.raises(UnreadableVideoError, match="is a folder"):
        reading.probe(tmp_path)
    with pytest.raises(SourceNotFoundError, match="there is no file"):
        reading.probe(tmp_path / "nothing.mp4")
    (tmp_path / "words.mp4").write_text("not a video " * 100)
    with pytest.raises(UnreadableVideoError, match="or not a video"):
        reading.probe(tmp_path / "words.mp4")


MANY_PARTS = """
import sys
from bshm.video import reading
clip = reading.probe(sys.argv[1])
for _ in range(300):
    assert len(list(reading.frames(clip, start_s=0.5, end_s=1.2))) == 7
"""


def test_clips_that_are_left_in_the_middle_never_hang(clip: Clip) -> None:
    path = clip("long.mp4", 20, rate=Fraction(10))
    # In a process of its own: one that hangs is ended.
    subprocess.run([sys.executable, "-c", MANY_PARTS, str(path)], check=True, timeout=120)
