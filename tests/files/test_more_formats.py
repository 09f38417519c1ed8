"""Formats that people bring besides those of the web: which page, which bits, which name a refusal gives."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from made_pictures import chunk, exif_block, layered_tiff, noise, png, psd, saved, smooth, srgb_profile, tiff
from PIL import Image

from bshm.errors import PictureTooLargeError, UnreadablePictureError
from bshm.files import png_chunks
from bshm.files.decode import decode, size_of
from bshm.magic import HEAD_BYTES, sniff
from bshm.options import Limits
from bshm.types import Picture


def opened(data: bytes, limits: Limits | None = None) -> Picture:
    return decode(data, name="p", limits=limits or Limits())


# PNG: what does not concern the pixels.

LONG = b"so it goes " * 150_000  # 1.6 MB


def itxt(keyword: bytes, text: bytes) -> bytes:
    return chunk(b"iTXt", keyword + b"\0\1\0\0\0" + zlib.compress(text))


def spoiled(data: bytes) -> bytes:
    """A chunk whose checksum is wrong, whatever it was."""
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0" + LONG),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LONG)),
        itxt(b"Comment", LONG),
        itxt(b"XML:com.adobe.xmp", LONG),
        spoiled(chunk(b"tEXt", b"Comment\0hello")),
        spoiled(chunk(b"iCCP", b"p\0\0" + zlib.compress(srgb_profile()))),
        chunk(b"iCCP", b"p\0\0rubbish"),
        spoiled(chunk(b"gAMA", b"")),
        spoiled(chunk(b"pHYs", b"\0" * 9)),
        chunk(b"vpAg", b"\0" * 9),
    ],
    ids=["text", "packed text", "international text", "XMP", "checksum of a text", "checksum of a profile",
         "profile of rubbish", "empty gamma", "checksum of a resolution", "unknown"],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_is_read_whatever_is_beside_its_pixels(
    extra: bytes, dtype: type, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = noise(5, 7, 3, dtype=dtype)
    data = png(samples, extra)
    picture = opened(data)
    assert np.array_equal(picture.pixels, samples)
    assert (picture.icc_profile, picture.dpi) == (None, None)
    assert size_of(data, name="p", limits=Limits()) == (5, 7)
    assert capfd.readouterr() == ("", "")


def test_text_behind_the_pixels_is_no_harm_either() -> None:
    samples = noise(5, 7, 3)
    end = chunk(b"IEND", b"")
    data = png(samples).removesuffix(end) + itxt(b"Comment", LONG) + end
    assert np.array_equal(opened(data).pixels, samples)


def test_a_profile_of_megabytes_is_kept() -> None:
    profile = srgb_profile() + np.random.default_rng(0).bytes(2_000_000)
    packed = chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))
    assert opened(png(noise(5, 7, 3), packed)).icc_profile == profile


def test_a_profile_that_unpacks_without_end_is_refused_before_it_does() -> None:
    bomb = chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * (4 * png_chunks.MOST_PROFILE_BYTES)))
    with pytest.raises(UnreadablePictureError, match="profile unpacks"):
        opened(png(noise(5, 7, 3), bomb))


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"tRNS"])
def test_a_wrong_checksum_of_what_the_pixels_need_is_an_error(kind: bytes) -> None:
    data = bytearray(png(noise(5, 7, 3), chunk(b"tRNS", b"\0\1\0\2\0\3")))
    at = data.index(kind)
    (size,) = struct.unpack_from(">I", data, at - 4)
    data[at + 4 + size] ^= 1
    with pytest.raises(UnreadablePictureError, match=f"checksum of its {kind.decode()}"):
        opened(bytes(data))


# TIFF: which page.

THUMBNAIL, LARGE = noise(6, 8, 3, seed=1), noise(12, 20, 3, seed=2)
REDUCED: dict[int, Any] = {254: (4, [1])}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("reduced", [REDUCED, {255: (3, [2])}])
def test_the_picture_below_a_thumbnail_is_taken(order: str, reduced: dict[int, Any]) -> None:
    orientation = {274: (3, [6]), 282: (5, [(300, 1)]), 283: (5, [(300, 1)])}
    preview = (noise(7, 9, 3), dict(REDUCED))
    data = layered_tiff([(THUMBNAIL, reduced | orientation), preview, (LARGE, {254: (4, [0])})], [1, 2], order)
    picture = opened(data)
    # Orientation and resolution stand in the first directory alone.
    assert np.array_equal(picture.pixels, np.rot90(LARGE, -1))
    assert picture.dpi == (300, 300)
    assert picture.frames == 1
    assert size_of(data, name="p", limits=Limits()) == (12, 20)
    with pytest.raises(PictureTooLargeError, match="20x12"):
        opened(data, Limits(max_pixels=239))


def test_a_picture_below_that_is_turned_itself_is_turned_once() -> None:
    data = layered_tiff([(THUMBNAIL, REDUCED | {274: (3, [6])}), (LARGE, {274: (3, [6])})], [1])
    assert np.array_equal(opened(data).pixels, np.rot90(LARGE, -1))


def test_a_later_page_is_taken_where_the_first_is_reduced() -> None:
    picture = opened(layered_tiff([(THUMBNAIL, REDUCED), (LARGE, {})], []))
    assert np.array_equal(picture.pixels, LARGE)
    assert picture.frames == 1


def test_reduced_copies_and_masks_are_no_further_pages() -> None:
    mask: dict[int, Any] = {254: (4, [4])}
    picture = opened(layered_tiff([(LARGE, {}), (THUMBNAIL, REDUCED), (LARGE, mask), (THUMBNAIL, {})], []))
    assert np.array_equal(picture.pixels, LARGE)
    assert picture.frames == 2
    # Where the first page is whole, what hangs below it is not looked for.
    assert np.array_equal(opened(layered_tiff([(THUMBNAIL, {}), (LARGE, {})], [1])).pixels, THUMBNAIL)


def test_a_tiff_of_reduced_pages_alone_gives_the_first() -> None:
    assert np.array_equal(opened(layered_tiff([(THUMBNAIL, REDUCED)], [])).pixels, THUMBNAIL)


@pytest.mark.parametrize(
    ("name", "first", "child"),
    [
        ("NEF", {271: (2, b"NIKON CORPORATION\0")}, {262: (3, [32803])}),
        ("ARW", {271: (2, b"SONY\0")}, {262: (3, [32803])}),
        ("DNG", {271: (2, b"Any\0"), 50706: (1, b"\1\4\0\0")}, {262: (3, [34892])}),
        ("NEF, CR2 or the like", {}, {262: (3, [32803])}),
    ],
)
def test_camera_raw_is_refused_by_its_name(name: str, first: dict[int, Any], child: dict[int, Any]) -> None:
    data = layered_tiff([(THUMBNAIL, REDUCED | first), (LARGE, child)], [1])
    for read in (opened, lambda data: size_of(data, name="p", limits=Limits())):
        with pytest.raises(UnreadablePictureError, match=rf"camera raw file \({name}\).*Develop it"):
            read(data)


@pytest.mark.parametrize("what", ["loop", "bomb"])
def test_directories_that_do_not_end_are_left(what: str) -> None:
    data = bytearray(layered_tiff([(THUMBNAIL, {}), (LARGE, {})], []))
    last = len(data)
    start = struct.unpack_from("<I", data, 4)[0]
    following = start + 2 + 12 * struct.unpack_from("<H", data, start)[0]
    if what == "loop":
        second = struct.unpack_from("<I", data, following)[0]
        struct.pack_into("<I", data, second + 2 + 12 * struct.unpack_from("<H", data, second)[0], start)
        assert opened(bytes(data)).frames == 2
        return
    # A thousand directories, each of them with a thousand children that are not there.
    struct.pack_into("<I", data, following, last)
    children = last + 1000 * 18
    for number in range(1000):
        at = last + 18 * number
        data += struct.pack("<HHHIII", 1, 330, 4, 250, children, at + 18 if number < 999 else 0)
    data += struct.pack("<250I", *[last] * 250)
    assert opened(bytes(data)).pixels.shape == (6, 8, 3)


# TIFF: how it is packed.


@pytest.mark.parametrize("packing", ["zstd", "lzma"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_tiff_packed_with_zstd_or_lzma_is_read(packing: str, mode: str, capfd: pytest.CaptureFixture[str]) -> None:
    if mode == "I;16":
        image = Image.fromarray(noise(5, 7, dtype=np.uint16))
    else:
        image = Image.fromarray(noise(5, 7, 4)).convert(mode)
    picture = opened(saved(image, "TIFF", compression=packing))
    samples = np.asarray(image)
    colour = samples[..., None] if samples.ndim == 2 else samples[..., :3]
    assert np.array_equal(picture.pixels, np.broadcast_to(colour, (5, 7, 3)))
    assert picture.alpha is None or np.array_equal(picture.alpha, samples[..., 3])
    assert (picture.alpha is not None) == (mode == "RGBA")
    assert capfd.readouterr() == ("", "")


def test_16_bit_colours_packed_with_zstd_are_refused_rather_than_halved() -> None:
    with pytest.raises(UnreadablePictureError, match=r"zstd.*deflate"):
        opened(tiff(noise(5, 7, 3, dtype=np.uint16), t259=[50000]))


# JPEG 2000.


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("container", [True, False])
def test_jpeg_2000_is_read(mode: str, container: bool) -> None:
    if mode == "I;16":
        image = Image.fromarray(noise(9, 7, dtype=np.uint16))
    else:
        image = Image.fromarray(noise(9, 7, 4)).convert(mode)
    data = saved(image, "JPEG2000", no_jp2=not container)
    picture = opened(data)
    assert picture.format == "jpeg2000"
    assert size_of(data, name="p", limits=Limits()) == picture.size_hw == (9, 7)
    samples = np.asarray(image)
    colour = samples[..., None] if samples.ndim == 2 else samples[..., : 1 if mode == "LA" else 3]
    assert np.array_equal(picture.pixels, np.broadcast_to(colour, (9, 7, 3)))
    assert (picture.alpha is not None) == mode.endswith("A")
    assert picture.alpha is None or np.array_equal(picture.alpha, samples[..., -1])
    with pytest.raises(PictureTooLargeError, match="7x9"):
        opened(data, Limits(max_pixels=62))


def test_jpeg_2000_keeps_16_bits_of_colour() -> None:
    samples = noise(64, 48, 3, dtype=np.uint16)
    kept, data = cv2.imencode(".jp2", samples[..., ::-1], [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    assert kept
    assert np.array_equal(opened(data.tobytes()).pixels, samples)


def test_the_profile_of_jpeg_2000_is_kept() -> None:
    data = saved(Image.fromarray(noise(9, 7, 3)), "JPEG2000")
    profile = srgb_profile()
    enumerated = b"\0\0\0\x0fcolr\1\0\0\0\0\0\x10"
    embedded = struct.pack(">I4s3B", 11 + len(profile), b"colr", 2, 0, 0) + profile
    at = data.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", data, at)
    assert enumerated in data
    changed = data.replace(enumerated, embedded)
    changed = changed[:at] + struct.pack(">I", size + len(embedded) - len(enumerated)) + changed[at + 4 :]
    picture = opened(changed)
    assert picture.icc_profile == profile
    assert np.array_equal(picture.pixels, opened(data).pixels)


def test_a_jpeg_2000_that_hides_its_size_is_refused() -> None:
    data = bytearray(saved(Image.fromarray(noise(9, 7, 3)), "JPEG2000"))
    at = data.index(b"\xff\x4f\xff\x51")
    struct.pack_into(">II", data, at + 8, 60_000, 60_000)
    with pytest.raises(PictureTooLargeError, match="60000x60000"):
        opened(bytes(data))
    struct.pack_into(">II", data, at + 8, 70, 90)
    with pytest.raises(UnreadablePictureError, match="two sizes"):
        opened(bytes(data))


# PSD.


def test_psd_is_read_with_its_profile_resolution_and_exif() -> None:
    samples = noise(5, 7, 3)
    resolution = struct.pack(">IHHIHH", 300 << 16, 1, 2, 150 << 16, 1, 2)
    data = psd(samples, resources={1005: resolution, 1039: srgb_profile(), 1058: exif_block()})
    picture = opened(data)
    assert np.array_equal(picture.pixels, samples)
    assert (picture.format, picture.alpha, picture.frames) == ("psd", None, 1)
    assert (picture.dpi, picture.icc_profile) == ((300, 150), srgb_profile())
    assert picture.exif is not None and b"Maker" in picture.exif
    with pytest.raises(PictureTooLargeError):
        opened(data, Limits(max_pixels=34))


def test_the_transparency_of_a_psd_is_told_from_a_selection() -> None:
    alpha = np.array([[0, 51, 204, 255]], np.uint8)
    colour = np.array([[[0, 0, 0], [10, 250, 100], [0, 128, 255], [1, 2, 3]]], np.uint8)
    share = alpha[..., None] / 255
    merged = np.rint(colour * share + 255 * (1 - share)).astype(np.uint8)  # as Photoshop stores it: over white
    picture = opened(psd(np.dstack([merged, alpha]), layers=-1))
    assert picture.alpha is not None and np.array_equal(picture.alpha, alpha)
    # The merged levels are rounded, and 51 of 255 makes 2.5 of half a level.
    assert np.abs(picture.pixels.astype(int) - colour).max() <= 3
    selection = opened(psd(np.dstack([colour, alpha]), layers=1))
    assert selection.alpha is None
    assert np.array_equal(selection.pixels, colour)


def test_a_cmyk_psd_becomes_rgb() -> None:
    inks = 255 - np.asarray(Image.fromarray(smooth(5, 7)).convert("CMYK"))  # stored inverted
    assert np.abs(opened(psd(inks, mode=4)).pixels.astype(int) - smooth(5, 7)).max() <= 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (psd(noise(5, 7, 3), resources={1057: b"\0\0\0\1\0"}), "Maximize compatibility"),
        (psd(noise(5, 14, 3), bits=16), "16 bits"),
        (psd(noise(5, 7, 3), mode=9), "Lab"),
        (psd(noise(5, 7, 3))[:60], "cannot be read whole"),
    ],
)
def test_a_psd_that_is_not_read_says_why(data: bytes, says: str) -> None:
    with pytest.raises(UnreadablePictureError, match=says):
        opened(data)


# PPM and its kin.


@pytest.mark.parametrize(
    ("data", "levels"),
    [
        (b"P6\n# made by hand\n2 1\n255\n" + bytes([0, 1, 2, 255, 254, 253]), [[0, 1, 2], [255, 254, 253]]),
        (b"P6 2 1 51 " + bytes([0, 1, 2, 51, 50, 49]), [[0, 5, 10], [255, 250, 245]]),
        (b"P3\n2 1\n255\n0 1 2 255 254 253\n", [[0, 1, 2], [255, 254, 253]]),
        (b"P5\n2 1\n255\n\x07\xff", [[7] * 3, [255] * 3]),
        (b"P5\n2 1\n65535\n\0\7\xff\xff", [[7] * 3, [65535] * 3]),
        (b"P6\n1 1\n257\n\0\0\0\1\1\1", [[0, 255, 65535]]),
        (b"P2\n2 1\n257\n1 257\n", [[255] * 3, [65535] * 3]),
        (b"P4\n2 1\n\x80", [[0] * 3, [255] * 3]),
        (b"P1\n2 1\n1 0\n", [[0] * 3, [255] * 3]),
    ],
)
def test_pixmaps_are_read_over_the_full_range(data: bytes, levels: list[list[int]]) -> None:
    picture = opened(data)
    assert picture.pixels.tolist() == [levels]
    assert picture.format == "ppm"
    assert picture.bit_depth == (16 if max(map(max, levels)) > 255 else 8)


def test_a_pixmap_that_ends_early_or_is_too_large_is_refused() -> None:
    with pytest.raises(UnreadablePictureError):
        opened(b"P6\n200 100\n255\n" + b"\0" * 59_999)
    with pytest.raises(PictureTooLargeError, match="60000x60000"):
        opened(b"P6\n60000 60000\n255\n")
    for header in (b"P6\n0 1\n255\n", b"P6\n2 1\n0\n", b"P6\n2 1\n65536\n", b"P6\n2 "):
        for read in (opened, lambda data: size_of(data, name="p", limits=Limits())):
            with pytest.raises(UnreadablePictureError, match="its header does not state"):
                read(header + b"\0" * 6)


def test_texts_are_no_pixmaps() -> None:
    for text in (b"P6 is a processor of 1995", b"P1\tand so on", b"P6" + b" " * 60, b"P6" + b"#" * 60):
        assert sniff(text[:HEAD_BYTES]) is None
    # The comment may be longer than what is looked at.
    assert sniff((b"P6\n#" + b"-" * 100 + b"\n1 1\n255\n")[:HEAD_BYTES]) == "ppm"


# What is not read.


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x76\x2f\x31\x01\2\0\0\0", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\2", "PSB"),
        (b"IIU\0\x18\0\0\0", r"camera raw file \(RW2\)"),
        (b"IIRO\x08\0\0\0", r"camera raw file \(ORF\)"),
        (b"FUJIFILMCCD-RAW 0201", r"camera raw file \(RAF\)"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", r"camera raw file \(CR3\)"),
        (b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 20, r"camera raw file \(NEF, CR2 or the like\)"),
    ],
)
def test_a_format_that_is_not_read_is_called_by_its_name(head: bytes, name: str) -> None:
    with pytest.raises(UnreadablePictureError, match=f"p is an? {name}"):
        opened(head + b"\0" * 100)


@pytest.mark.parametrize("form", ["JPEG2000", "PSD", "PPM", "PGM"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_picture_is_an_error(form: str, share: float) -> None:
    samples = noise(64, 64, 3)
    data = psd(samples) if form == "PSD" else saved(Image.fromarray(samples), form.replace("PGM", "PPM"))
    if form == "PGM":
        data = saved(Image.fromarray(samples[..., 0]), "PPM")
    assert opened(data).size_hw == (64, 64)
    with pytest.raises(UnreadablePictureError, match="p "):
        opened(data[: int(len(data) * share)])


def test_pillow_and_the_list_of_formats_agree() -> None:
    for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "PPM"):
        data = saved(Image.fromarray(smooth(12, 16)), form)
        assert sniff(data[:HEAD_BYTES]) == form.lower()
        assert Image.open(io.BytesIO(data)).format == form
