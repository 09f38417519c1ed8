"""From a clip to clips: every frame at its time with its own alpha, in whatever holds it; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_clips import NTSC, SIZE_HW, decoded, make, number_of, pixels
from PIL import Image

from bshm.cli import main
from bshm.errors import EncoderMissingError, OptionError, OutputError, OutputExistsError, UnreadableVideoError
from bshm.files import sink
from bshm.video import VideoOptions, checking, codecs, convert, reading, writing
from bshm.video.conversion import Progress

Clip = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("fake")

VARIABLE = [0, 1001, 2002, 4004, 5005, 5505, 7007, 8008]
# Every frame a picture of its own: what is written must not depend on what was remembered.
ALONE = VideoOptions(steady=False)


def there(name: str) -> bool:
    return bool(set(codecs.CODECS[name].encoders) & av.codec.codecs_available)


def alphas(path: Path) -> list[tuple[float, Any]]:
    return [
        (time, rgba[..., 3]) for time, rgba in decoded(path, decoder="libvpx-vp9" if path.suffix == ".webm" else None)
    ]


@pytest.mark.parametrize("pts", [None, VARIABLE], ids=["29.97", "variable"])
@pytest.mark.parametrize(
    ("name", "codec", "off_s"),
    [
        ("out.mov", None, 0),
        ("out.mov", "png", 0),
        ("out.mov", "qtrle", 0),
        ("out.mkv", "ffv1", 0.0006),
        ("out.webm", "vp9", 0.0006),
        ("out.apng", None, 0.0001),
    ],
)
def test_every_frame_is_at_its_time_with_its_own_alpha(
    clip: Clip, tmp_path: Path, name: str, codec: str | None, off_s: float, pts: list[int] | None
) -> None:
    source = clip("clip.mp4", 8, pts=pts)
    made = convert(source, tmp_path / name, options=VideoOptions(codec=codec, steady=False))
    found = alphas(tmp_path / name)
    wanted = [each / 30000 for each in pts or [1001 * n for n in range(8)]]
    assert [time for time, _ in found] == pytest.approx(wanted, abs=off_s + 1e-9)
    assert [number_of(alpha) for _, alpha in found] == list(range(8))
    written = made.outputs["cutout"]
    assert (made.frames, written.frames) == (8, 8)
    assert written.timestamps_off_s <= off_s + 1e-9
    assert written.alpha is not None
    assert written.alpha.exact is (name != "out.webm")
    assert written.alpha.mean_change < 0.01


def test_webm_as_input_keeps_its_times(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.webm", 8, codec="libvpx-vp9", options={"crf": "10", "b": "0"})
    before = [time for time, _ in decoded(source)]
    convert(source, tmp_path / "out.mov", options=ALONE)
    assert [time for time, _ in alphas(tmp_path / "out.mov")] == pytest.approx(before)


@pytest.mark.parametrize(("name", "frames"), [("out.webp", 8), ("out.gif", 8)])
def test_short_clips_become_moving_pictures_that_pillow_reads(
    clip: Clip, tmp_path: Path, name: str, frames: int
) -> None:
    convert(clip(), tmp_path / name, options=ALONE)
    with Image.open(tmp_path / name) as picture:
        assert getattr(picture, "n_frames", 1) == frames
        for number in range(frames):
            picture.seek(number)
            assert number_of(np.asarray(picture.convert("RGBA"))[..., 3]) == number


def test_numbered_pictures_hold_a_frame_each(clip: Clip, tmp_path: Path) -> None:
    made = convert(clip(), tmp_path / "out" / "%03d.png", options=ALONE)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{number:03d}.png" for number in range(8)]
    for number, name in enumerate(names):
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.mode == "RGBA" and number_of(np.asarray(picture)[..., 3]) == number
    assert made.outputs["cutout"].frames == 8


def test_all_three_are_written_at_once(clip: Clip, tmp_path: Path) -> None:
    options = VideoOptions(products=("cutout", "alpha", "foreground"), steady=False, codec="png")
    made = convert(clip(), tmp_path / "cut.mov", options=options)
    assert sorted(each.path.name for each in made.outputs.values()) == [
        "cut.alpha.mov",
        "cut.cutout.mov",
        "cut.foreground.mov",
    ]
    shown = {name: decoded(tmp_path / f"cut.{name}.mov") for name in made.outputs}
    for number in range(8):
        cutout = shown["cutout"][number][1]
        assert (shown["alpha"][number][1][..., 0] == cutout[..., 3]).all()
        assert (shown["foreground"][number][1][..., :3] == cutout[..., :3]).all()
        assert number_of(cutout[..., 3]) == number


@pytest.mark.parametrize("background", ["#0000ff", "green-screen", "blur"])
def test_a_background_gives_an_mp4_that_browsers_play(clip: Clip, tmp_path: Path, background: str) -> None:
    made = convert(clip(), tmp_path / "out.mp4", options=VideoOptions(background=background, steady=False))
    assert (made.outputs["composite"].codec, made.outputs["composite"].alpha) == ("h264", None)
    corner = decoded(tmp_path / "out.mp4")[0][1][4, 4, :3].astype(int)
    wanted = {"#0000ff": (0, 0, 255), "green-screen": (0, 0xB1, 0x40), "blur": (60, 60, 60)}[background]
    assert np.abs(corner - wanted).max() < 12


def test_another_video_behind_runs_by_the_clock_and_begins_anew(clip: Clip, tmp_path: Path) -> None:
    levels = [40, 120, 200]
    film = make(
        tmp_path / "film.mkv", [np.full((*SIZE_HW, 3), n, np.uint8) for n in levels], rate=NTSC / 2, codec="ffv1"
    )
    options = VideoOptions(background=str(film), codec="ffv1", steady=False)
    convert(clip("clip.mp4", 8), tmp_path / "out.mkv", options=options)
    behind = [int(rgba[90, 2, 0]) for _, rgba in decoded(tmp_path / "out.mkv")]
    assert behind == pytest.approx([40, 40, 120, 120, 200, 200, 40, 40], abs=3)


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("hevc", ".mp4"), ("av1", ".mp4"), ("vp9", ".webm")])
def test_odd_sides_are_made_even_where_the_codec_wants_it_and_told(
    clip: Clip, tmp_path: Path, codec: str, suffix: str
) -> None:
    if not there(codec):
        pytest.skip(f"no encoder for {codec} here")
    odd = [pixels(number)[:95, :127] for number in range(3)]
    source = clip("odd.mkv", odd, codec="ffv1", pixel_format="bgr0")
    options = VideoOptions(background="white", codec=codec, steady=False)
    made = convert(source, tmp_path / f"out{suffix}", options=options)
    shape = decoded(tmp_path / f"out{suffix}")[0][1].shape[:2]
    assert shape == ((95, 127) if codec == "vp9" else (96, 128))
    assert any("even sides" in note for note in made.notes) is (codec != "vp9")


@pytest.mark.parametrize("target", sorted(codecs.TARGETS))
def test_what_a_program_is_given_decodes_with_its_alpha(clip: Clip, tmp_path: Path, target: str) -> None:
    made = convert(clip("clip.mp4", 4), tmp_path / "for", options=VideoOptions(target=target, steady=False))
    chosen = codecs.TARGETS[target]
    (written,) = made.outputs.values()
    assert (written.codec, written.path.suffix) == (chosen.codec, chosen.suffix)
    found = decoded(written.path, decoder="libvpx-vp9" if chosen.codec == "vp9" else None)
    assert len(found) == 4
    if chosen.background is None:
        assert [number_of(rgba[..., 3]) for _, rgba in found] == [0, 1, 2, 3]
    assert chosen.source.startswith("https://")


def test_sound_is_copied_bit_by_bit_and_stays_in_time(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", 30, audio=True)
    made = convert(source, tmp_path / "out.mov", options=ALONE)

    def packets(path: Path) -> list[tuple[float, bytes]]:
        with av.open(str(path)) as container:
            found: list[Any] = [each for each in container.demux(audio=0) if each.size]
            return [(round(float(each.pts * each.time_base), 6), bytes(each)) for each in found]

    assert made.copied == ("aac",)
    assert packets(tmp_path / "out.mov") == packets(source)


def test_sound_of_a_part_begins_with_it(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", 60, audio=True)
    convert(source, tmp_path / "out.mov", options=VideoOptions(start_s=1.0, steady=False))
    with av.open(str(tmp_path / "out.mov")) as container:
        first: Any = next(each for each in container.demux(audio=0) if each.size)
        assert 0 <= float(first.pts * first.time_base) < 0.03


def with_sound(path: Path, codec: str, audio: str, layout: str) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=30)
        stream.height, stream.width = SIZE_HW
        stream.pix_fmt = "yuv420p"
        sound: Any = container.add_stream(audio, rate=48000, layout="mono")
        for number in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels(number), "rgb24")))
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.float32), layout, "mono")
            heard.sample_rate, heard.pts = 48000, number * 1600
            container.mux(sound.encode(heard))
        container.mux(stream.encode())
        container.mux(sound.encode())
    return path


@pytest.mark.parametrize(
    ("source", "name", "copied"),
    [
        (("clip.webm", "libvpx-vp9", "libopus", "flt"), "out.mov", ()),
        (("clip.webm", "libvpx-vp9", "libopus", "flt"), "out.webm", ("opus",)),
        (("clip.mp4", "libx264", "aac", "fltp"), "out.mkv", ("aac",)),
    ],
)
def test_sound_from_one_container_to_another_is_copied_or_told_and_moves_no_picture(
    tmp_path: Path, source: tuple[str, str, str, str], name: str, copied: tuple[str, ...]
) -> None:
    path = with_sound(tmp_path / source[0], *source[1:])
    made = convert(path, tmp_path / name, options=ALONE)
    assert made.copied == copied
    assert any("left out audio (opus): mov cannot hold it" in note for note in made.notes) is (not copied)
    before = [time for time, _ in decoded(path)]
    assert [time for time, _ in decoded(tmp_path / name)] == pytest.approx(before, abs=0.0011)


def test_sound_that_the_container_cannot_hold_is_told(clip: Clip, tmp_path: Path) -> None:
    made = convert(clip("clip.mp4", audio=True), tmp_path / "out.webm", options=ALONE)
    assert made.copied == ()
    assert any("left out audio (aac): webm cannot hold it" in note for note in made.notes)


def test_colour_tags_and_range_are_kept(clip: Clip, tmp_path: Path) -> None:
    tags = {"colorspace": 5, "color_primaries": 5, "color_trc": 6, "color_range": 2}
    source = clip("full.mp4", 3, tags=tags)
    before = reading.probe(source).colour
    assert (before.matrix, before.primaries, before.transfer, before.full) == (5, 5, 6, True)
    convert(source, tmp_path / "out.mp4", options=VideoOptions(background="white", steady=False))
    assert reading.probe(tmp_path / "out.mp4").colour == before


def test_ten_bits_are_kept_in_prores_and_refused_in_fewer(clip: Clip, tmp_path: Path) -> None:
    deep = [pixels(number).astype(np.uint16) * 257 for number in range(3)]
    source = clip("deep.mkv", deep, codec="ffv1", pixel_format="yuv444p10le")
    convert(source, tmp_path / "out.mov", options=ALONE)
    assert reading.probe(tmp_path / "out.mov").bits >= 10
    with pytest.raises(OptionError, match=r"10 bits per colour, but out.webm would hold 8. Use .*prores"):
        convert(source, tmp_path / "out.webm", options=ALONE)
    made = convert(source, tmp_path / "out.webm", options=VideoOptions(fewer_bits=True, steady=False))
    assert "cutout: 10 bits per colour became 8" in made.notes


def test_a_container_without_alpha_names_those_with(clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"\.mp4 .*cannot hold alpha. These can: \.mov, \.webm, \.mkv.*background"):
        convert(clip(), tmp_path / "out.mp4")


def test_an_encoder_that_is_missing_names_those_that_are_there(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av.codec, "codecs_available", av.codec.codecs_available - {"prores_ks"})
    with pytest.raises(EncoderMissingError, match=r"cannot encode prores with alpha: it needs prores_ks.*has .*ffv1"):
        convert(clip(), tmp_path / "out.mov")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_frame_that_cannot_be_decoded_leaves_nothing_behind(clip: Clip, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, *SIZE_HW, 3), np.uint8)
    source = clip("clip.mov", list(noise), codec="png", pixel_format="rgb24")
    data = bytearray(source.read_bytes())
    middle = data.index(b"IHDR", len(data) // 2)
    data[middle + 4 : middle + 40] = bytes(36)
    source.write_bytes(data)
    with pytest.raises(UnreadableVideoError, match=r"frame \d+ cannot be decoded"):
        convert(source, tmp_path / "out.mov", options=ALONE)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mov"]


def test_a_full_disk_is_told_and_leaves_nothing_behind(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: writing.Writer) -> None:
        raise writing.explained(OSError(28, "No space left on device"), self.path)

    source = clip()
    monkeypatch.setattr(writing.Writer, "finish", full)
    with pytest.raises(OutputError, match="no space for"):
        convert(source, tmp_path / "out.mov", options=ALONE)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_file_that_reads_back_with_another_alpha_never_gets_its_name(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = checking.Notes.add
    monkeypatch.setattr(checking.Notes, "add", lambda self, time_s, levels: add(self, time_s, levels[:, ::-1].copy()))
    with pytest.raises(OutputError, match="with that of another frame"):
        convert(clip(), tmp_path / "out.webm", options=ALONE)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_file_that_lost_a_frame_never_gets_its_name(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = writing.Writer.write

    def lossy(self: Any, pixels: Any, alpha: Any, pts: int, duration: int) -> Any:
        return alpha if pts > 5000 else write(self, pixels, alpha, pts, duration)

    monkeypatch.setattr(writing.Writer, "write", lossy)
    monkeypatch.setattr(checking.Notes, "add", lambda self, time_s, levels: self.times_s.append(time_s))
    with pytest.raises(OutputError, match="written with 8 frames but reads back with"):
        convert(clip(), tmp_path / "out.mov", options=VideoOptions(background="white", steady=False))
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_what_is_there_stays_unless_asked(clip: Clip, tmp_path: Path) -> None:
    source = clip("clip.mp4", 2)
    (tmp_path / "out.mov").write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match=r"already exists\. Add overwrite"):
        convert(source, tmp_path / "out.mov", options=ALONE)
    assert (tmp_path / "out.mov").read_bytes() == b"precious"
    convert(source, tmp_path / "out.mov", options=VideoOptions(overwrite=True, steady=False))
    assert len(alphas(tmp_path / "out.mov")) == 2


def test_the_clip_itself_is_never_replaced(clip: Clip) -> None:
    source = clip("clip.mov", 2)
    before = source.read_bytes()
    with pytest.raises(OutputExistsError, match="would replace the clip"):
        convert(source, source, options=VideoOptions(overwrite=True))
    assert source.read_bytes() == before


def test_progress_tells_how_many_frames_there_are(clip: Clip, tmp_path: Path) -> None:
    told: list[Progress] = []
    convert(clip(), tmp_path / "out.mov", options=ALONE, progress=told.append)
    assert [each.frames for each in told] == list(range(1, 9))
    assert {each.of for each in told} == {8}
    assert told[-1].left_s == 0


def test_publishing_over_a_taken_name_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"new")
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(OutputExistsError):
        sink.publish(tmp_path / "part", tmp_path / "out", overwrite=False)
    assert (tmp_path / "out").read_bytes() == b"old" and not (tmp_path / "part").exists()


def test_the_verb_goes_on_after_a_bad_clip_and_tells_each(
    clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("in-a.mp4", "in-b.mp4"):
        clip(name, 2)
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("in-a.mp4", "in-b.mp4"):
        (tmp_path / name).rename(folder / name)
    (folder / "in-a0.mp4").write_text("no video")
    (folder / "notes.txt").write_text("nothing")
    assert main(["video", str(folder), "-o", f"{tmp_path}/cut/", "--json"]) == 1
    told = capsys.readouterr()
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [line["status"] for line in lines] == ["written", "failed", "written"]
    assert lines[1]["error"]["exit_code"] == 4
    assert lines[0]["outputs"]["cutout"]["alpha"]["exact"] is True
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["in-a.mov", "in-b.mov"]
    assert "2 clips written, 1 failed" in told.err


def test_an_error_in_python_names_the_field_and_not_the_flag() -> None:
    for wrong, name in [({"target": "x"}, "target"), ({"end_s": 0.0}, "end_s"), ({"start_s": -1.0}, "start_s")]:
        with pytest.raises(OptionError) as raised:
            VideoOptions(**wrong)  # type: ignore[arg-type]
        assert raised.value.option == name
        assert str(raised.value).startswith(f"{name} takes") and "--" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nothing.mp4"], 3, "there is no file"),
        (["clip.mp4", "-o", "out.mp4"], 2, "cannot hold alpha"),
        (["clip.mp4", "-o", "out.txt"], 2, "suffix of the output decides the container"),
        (["clip.mp4", "--end", "0"], 2, "--end takes seconds after --start"),
        (["clip.mp4", "-o", "out.mov", "--codec", "vp9"], 2, "vp9 needs a file that ends with .webm, .mkv"),
        (["empty/"], 5, "holds no videos"),
    ],
)
def test_mistakes_have_words_and_codes_of_their_own(
    clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    clip("clip.mp4", 1, rate=Fraction(25))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["video", *words]) == code
    assert says in capsys.readouterr().err
