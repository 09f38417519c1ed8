"""What becomes of EXIF: what describes the photograph goes along, what would no longer be true does not."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from made_pictures import directory, exif_block, noise, saved, smooth, tiff
from PIL import Image, features

from bshm.files import exif
from bshm.files.decode import open_picture
from bshm.files.encode import encode
from bshm.options import FORMATS, Format
from bshm.types import Picture

READABLE = ["JPEG", "PNG", "WEBP", "TIFF"]


def photograph(form: str, block: bytes | None = None) -> bytes:
    """A 40x24 picture that EXIF turns to 24x40."""
    image = Image.fromarray(smooth(24, 40))
    if form == "TIFF":  # whose EXIF is its own directory
        block = block or exif_block()
        first = Image.Exif()
        first.load(block)
        del first[256]  # that of the picture itself
        return saved(image, form, exif=first)
    return saved(image, form, exif=b"Exif\0\0" + (block or exif_block()))


def written(picture: Picture, form: Format) -> bytes:
    pixels = picture.pixels if form == "jpg" else np.dstack([picture.pixels, noise(*picture.size_hw)])
    return encode(pixels, form, quality=95, icc_profile=picture.icc_profile, dpi=picture.dpi, exif=picture.exif)


def exif_in(data: bytes) -> Image.Exif:
    return Image.open(io.BytesIO(data)).getexif()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("source", READABLE)
def test_camera_date_author_and_place_go_along(source: str, form: Format) -> None:
    picture = open_picture(photograph(source))
    assert picture.size_hw == (40, 24)
    found = exif_in(written(picture, form))
    detail, gps = found.get_ifd(34665), found.get_ifd(34853)
    assert (found[271].rstrip("\0"), found[272].rstrip("\0")) == ("Maker", "Model X")
    assert found[306].rstrip("\0") == detail[36867].rstrip("\0") == "2024:05:06 07:08:09"
    assert detail[33434] == pytest.approx(1 / 250)
    assert detail[37380] == pytest.approx(-1 / 3)
    assert [float(each) for each in gps[2]] == [48, 8, 15]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("source", READABLE)
def test_what_would_no_longer_be_true_does_not(source: str, form: Format) -> None:
    data = written(open_picture(photograph(source)), form)
    found = exif_in(data)
    assert found.get(274, 1) == 1
    assert not {37500, 40962, 40963} & set(found.get_ifd(34665))  # maker's note, width and height
    assert not found.get_ifd(1)  # the thumbnail
    assert form == "tiff" or 256 not in found
    assert Image.open(io.BytesIO(data)).size == (24, 40)
    # Read again, it is turned no further.
    assert open_picture(data).size_hw == (40, 24)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", FORMATS)
def test_text_is_kept_byte_for_byte(form: Format, order: str) -> None:
    picture = open_picture(photograph("JPEG", exif_block(order)))
    data = encode(picture.pixels, form, quality=95, exif=picture.exif)
    assert "© Zoë 山\0".encode() in data
    assert b"UNICODE\0" + "山 day".encode("utf-16-le") in data


def test_a_block_is_little_endian_and_upright_whatever_it_was() -> None:
    assert exif.kept(exif_block(">")) == exif.kept(exif_block("<")) == exif.kept(exif_block("<", orientation=1))
    assert exif.kept(b"Exif\0\0" + exif_block()) == exif.kept(exif_block())


@pytest.mark.parametrize("form", FORMATS)
def test_an_orientation_alone_leaves_nothing_to_keep(form: Format) -> None:
    only = Image.Exif()
    only[274] = 6
    picture = open_picture(saved(Image.fromarray(smooth(24, 40)), "JPEG", exif=only))
    assert picture.exif is None and picture.size_hw == (40, 24)
    assert not set(exif_in(written(picture, form))) & {271, 34665}


def test_of_a_tiff_only_what_describes_the_photograph_is_exif() -> None:
    assert open_picture(tiff(noise(6, 8, 3))).exif is None
    shaped: dict[int, Any] = {270: (2, b'{"shape": [6, 8, 3]}\0'), 271: (2, b"Maker\0"), 256: (4, [8])}
    block = b"II*\0" + struct.pack("<I", 8) + directory(shaped, 8)
    assert exif.directory_of(exif.kept(block) or b"").keys() == {271}


@pytest.mark.parametrize("dpi", [None, (300.0, 150.0)])
def test_webp_holds_resolution_and_exif_in_one_block(dpi: tuple[float, float] | None) -> None:
    block = exif.kept(exif_block())
    picture = open_picture(encode(noise(6, 8, 3), "webp", quality=95, dpi=dpi, exif=block))
    assert picture.dpi == dpi
    assert picture.exif == block


@pytest.mark.parametrize("form", FORMATS)
def test_exif_too_long_for_jpeg_loses_its_longest_values_there(form: Format) -> None:
    prompt = b"ASCII\0\0\0" + b"a picture of people, " * 5000
    detail: dict[int, Any] = {37510: (7, prompt), 36867: (2, b"2024:05:06 07:08:09\0")}
    first: dict[int, Any] = {271: (2, b"Maker\0"), 34665: (4, [200])}
    block = (b"II*\0" + struct.pack("<I", 8) + directory(first, 8)).ljust(200, b"\0") + directory(detail, 200)
    data = encode(noise(6, 8, 3), form, quality=95, exif=exif.kept(block))
    assert (prompt in data) == (form != "jpg")
    found = Image.open(io.BytesIO(data)).getexif()
    assert found[271].rstrip("\0") == "Maker" and found.get_ifd(34665)[36867]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_costs_no_pixels(form: str) -> None:
    block = exif_block()
    for damaged in (b"", b"II*\0", b"rubbish" * 9, block[:30], block[:300], b"II*\0\xff\xff\xff\xff" + block[8:]):
        picture = open_picture(photograph(form, damaged or b"\0"))
        assert set(picture.size_hw) == {24, 40}
        encode(picture.pixels, "png", quality=95, exif=picture.exif)


def test_values_that_lie_upon_each_other_cost_no_more_than_the_limit() -> None:
    # 2,000 tags, each of them with the same 500 kB.
    text = b"x" * 500_000
    entries = b"".join(struct.pack("<HHII", 1000 + tag, 2, len(text), 40_000) for tag in range(2000))
    inner = struct.pack("<H", 2000) + entries + struct.pack("<I", 0)
    block = b"II*\0" + struct.pack("<I", 8) + directory({34665: (4, [100])}, 8)
    block = (block.ljust(100, b"\0") + inner).ljust(40_000, b"\0") + text
    kept = exif.kept(block)
    assert kept is not None and len(text) < len(kept) <= exif.MOST_BYTES + 1000


def test_a_pil_image_keeps_its_exif() -> None:
    image = Image.open(io.BytesIO(photograph("JPEG")))
    assert open_picture(image).exif == exif.kept(exif_block())


def test_heic_and_avif_keep_their_exif() -> None:
    stored = Image.fromarray(smooth(64, 96))
    import pillow_heif as heif

    file = io.BytesIO()
    heif.from_pillow(stored).save(file, quality=95, exif=exif_block())
    picture = open_picture(file.getvalue())
    assert picture.size_hw == (96, 64) and picture.exif == exif.kept(exif_block())
    if features.check("avif"):
        picture = open_picture(saved(stored, "AVIF", exif=exif_block()))
        # Pillow has written the text anew.
        assert picture.size_hw == (96, 64) and picture.exif is not None and b"Model X" in picture.exif
