from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from made_pictures import chunk, grey_profile, noise, png, png_header, saved, smooth, srgb_profile, tiff
from PIL import Image

from bshm.errors import (
    MemoryExhaustedError,
    MissingExtraError,
    PictureTooLargeError,
    ShapeError,
    UnreadablePictureError,
)
from bshm.files import decode as module
from bshm.files.decode import decode, open_picture
from bshm.options import Limits
from bshm.types import Picture

# Turned so that applying the orientation gives back the upright array, by the figure in CIPA DC-008 (tag 274).
AS_STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def opened(data: bytes, limits: Limits | None = None) -> Picture:
    return decode(data, name="p", limits=limits or Limits())


def oriented(form: str, stored: np.ndarray[Any, Any], orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    if form == "WEBP":
        options = {"lossless": True}
    return saved(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif, **options)


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_is_applied_once(form: str, orientation: int) -> None:
    upright = smooth(24, 40)
    data = oriented(form, AS_STORED[orientation](upright), orientation)
    picture = opened(data)
    # JPEG at quality 100 rounds in its transform, by up to 3 levels here.
    assert np.abs(picture.pixels.astype(int) - upright).max() <= (3 if form == "JPEG" else 0)


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_tiff_is_turned_once_at_any_depth(orientation: int, dtype: type, channels: int) -> None:
    upright = noise(5, 7, channels, dtype=dtype)
    extra = {"t338": [2]} if channels == 4 else {}
    picture = opened(tiff(np.ascontiguousarray(AS_STORED[orientation](upright)), t274=[orientation], **extra))
    assert np.array_equal(picture.pixels, np.broadcast_to(upright[..., : 1 if channels == 1 else 3], (5, 7, 3)))
    if channels == 4:
        assert picture.alpha is not None and np.array_equal(picture.alpha, upright[..., 3])


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
@pytest.mark.parametrize("loaded", [False, True])
def test_a_pil_image_is_turned_once_whether_it_was_loaded_or_not(orientation: int, form: str, loaded: bool) -> None:
    upright = smooth(24, 40)
    image = Image.open(io.BytesIO(oriented(form, AS_STORED[orientation](upright), orientation)))
    if loaded:
        image.load()
    picture = open_picture(image)
    assert picture.size_hw == (24, 40)
    assert np.abs(picture.pixels.astype(int) - upright).max() <= 3


def test_nonsense_orientations_change_nothing() -> None:
    upright = smooth(24, 40)
    for orientation in (0, 9, 255):
        assert opened(oriented("PNG", upright, orientation)).size_hw == (24, 40)


def test_a_jpeg_has_the_same_pixels_as_in_pillow() -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        data = saved(Image.fromarray(smooth(33, 47)), "JPEG", **options)
        assert np.array_equal(opened(data).pixels, np.asarray(Image.open(io.BytesIO(data))))


def test_a_grey_jpeg_is_repeated() -> None:
    data = saved(Image.fromarray(smooth(33, 47)[..., 0]), "JPEG")
    picture = opened(data)
    assert np.array_equal(picture.pixels, np.repeat(np.asarray(Image.open(io.BytesIO(data)))[..., None], 3, axis=2))
    assert picture.format == "jpeg"


def test_a_cmyk_jpeg_without_a_profile_looks_as_in_pillow() -> None:
    data = saved(Image.fromarray(smooth(16, 24)).convert("CMYK"), "JPEG", quality=95)
    picture = opened(data)
    assert np.array_equal(picture.pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_a_useless_cmyk_profile_counts_as_none() -> None:
    image = Image.fromarray(smooth(16, 24)).convert("CMYK")
    profile = b"\0" * 16 + b"CMYK" + b"\0" * 108
    with_profile = opened(saved(image, "JPEG", quality=95, icc_profile=profile))
    assert np.array_equal(with_profile.pixels, opened(saved(image, "JPEG", quality=95)).pixels)
    assert with_profile.icc_profile is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_keeps_every_sample(channels: int, dtype: type) -> None:
    samples = noise(5, 7, channels, dtype=dtype)
    samples[0, :, -1] = 0  # transparent pixels keep their colour
    picture = opened(png(samples))
    colour = samples[..., : 3 if channels > 2 else 1]
    assert picture.bit_depth == 8 * samples.itemsize
    assert np.array_equal(picture.pixels, np.broadcast_to(colour, (5, 7, 3)))
    assert np.array_equal(picture.alpha, samples[..., -1]) if picture.alpha is not None else channels % 2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_single_transparent_colour_of_a_png_becomes_alpha(channels: int, dtype: type) -> None:
    samples = noise(5, 7, channels, dtype=dtype)
    samples[2, 3] = samples[0, 1]
    picture = opened(png(samples, chunk(b"tRNS", samples[0, 1].astype(">u2").tobytes())))
    expected = ~np.all(samples == samples[0, 1], axis=2) * np.iinfo(dtype).max
    assert picture.alpha is not None and np.array_equal(picture.alpha, expected)
    assert np.array_equal(picture.pixels, np.broadcast_to(samples, (5, 7, 3)))


def test_a_palette_with_transparency_becomes_rgb_and_alpha() -> None:
    image = Image.fromarray(smooth(12, 16)).quantize(8)
    data = saved(image, "PNG", transparency=bytes([0, 128, 255, 255, 255, 255, 255, 255]))
    picture = opened(data)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert np.array_equal(picture.pixels, expected[..., :3])
    assert picture.alpha is not None and np.array_equal(picture.alpha, expected[..., 3])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_become_the_full_range(bits: int) -> None:
    levels = 255 * np.arange(1 << bits) // ((1 << bits) - 1)
    packed = np.packbits(np.unpackbits(np.arange(1 << bits, dtype=np.uint8)[:, None], axis=1)[:, -bits:].ravel())
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1 << bits, 1, bits, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" + packed.tobytes())) + chunk(b"IEND", b"")
    assert opened(b"\x89PNG\r\n\x1a\n" + header + body).pixels[0, :, 0].tolist() == levels.tolist()


def test_associated_alpha_of_a_tiff_is_made_straight() -> None:
    alpha = np.array([[0, 1 << 15, 65535]], np.uint16)
    colour = np.array([[[0, 0, 0], [1 << 14, 1 << 15, 0], [7, 8, 9]]], np.uint16)
    picture = opened(tiff(np.dstack([colour, alpha]), t338=[1]))
    assert picture.pixels.tolist() == [[[0, 0, 0], [32768, 65535, 0], [7, 8, 9]]]
    assert picture.alpha is not None and np.array_equal(picture.alpha, alpha)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_whose_zero_is_white_is_inverted(dtype: type) -> None:
    samples = noise(5, 7, 1, dtype=dtype)
    picture = opened(tiff(samples, t262=[0]))
    assert np.array_equal(picture.pixels[..., :1], np.iinfo(dtype).max - samples)


def test_a_16_bit_tiff_plane_by_plane_is_refused_rather_than_mixed_up() -> None:
    samples = noise(5, 7, 3, dtype=np.uint16)
    planes = np.ascontiguousarray(samples.transpose(2, 0, 1)).reshape(5, 7, 3)
    size = 5 * 7 * 2
    data = tiff(planes, t284=[2], t273=[8, 8 + size, 8 + 2 * size], t279=[size] * 3)
    with pytest.raises(UnreadablePictureError, match="plane by plane"):
        opened(data)


@pytest.mark.parametrize("form", ["TIFF", "GIF", "WEBP", "PNG"])
def test_the_first_of_several_frames_is_taken(form: str) -> None:
    pages = [Image.new("RGB", (6, 4), colour) for colour in ("red", "green", "blue")]
    options = {"lossless": True} if form == "WEBP" else {}
    picture = opened(saved(pages[0], form, save_all=True, append_images=pages[1:], **options))
    assert picture.frames == 3
    assert picture.pixels.tolist() == np.asarray(pages[0]).tolist()


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_that_cannot_be_unpacked_is_refused_rather_than_black(packing: str) -> None:
    data = saved(Image.fromarray(noise(48, 64, 3)), "TIFF", compression=packing)
    assert np.array_equal(opened(data).pixels, noise(48, 64, 3))
    with Image.open(io.BytesIO(data)) as image:
        at, size = (image.tag_v2[tag][0] for tag in (273, 279))  # type: ignore[attr-defined]
    with pytest.raises(UnreadablePictureError, match="cannot be read whole"):
        opened(data[: at + 20] + b"\x80\x00\xff" * ((size - 40) // 3) + data[at + 20 + (size - 40) // 3 * 3 :])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"t259": [34712]}, "a kind of compression or of samples, number 34712, that is not known here"),
        ({"t262": [9]}, "its samples are of a kind that is not read"),
    ],
)
def test_a_kind_that_is_not_read_is_told_in_words(changed: dict[str, list[int]], says: str) -> None:
    with pytest.raises(UnreadablePictureError, match=says):
        opened(tiff(noise(5, 7, 3), **changed))


def mpo(*comments: bytes) -> bytes:
    """A file of the Multi-Picture Format; each picture with a comment in its header."""
    pages = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")][: len(comments)]
    for page, comment in zip(pages, comments, strict=True):
        page.info["comment"] = comment
    return saved(pages[0], "MPO", save_all=True, append_images=pages[1:])


def test_the_pictures_of_a_stereo_camera_are_counted_but_what_belongs_to_the_first_is_not() -> None:
    three = mpo(b"", b"", b"")
    assert (opened(three).format, opened(three).frames) == ("jpeg", 3)
    for gain_map in (b"hdrgm:Version", b"http://ns.apple.com/HDRGainMap/1.0/", b"urn:iso:std:iso:ts:21496:-1"):
        assert opened(mpo(b"", gain_map)).frames == 1
    assert opened(saved(Image.new("RGB", (64, 48)), "JPEG")).frames == 1


def test_a_larger_thumbnail_in_a_jpeg_is_no_picture_of_its_own_and_a_damaged_index_costs_nothing() -> None:
    two = mpo(b"", b"")
    at = two.index(b"MPF\0") + 4
    (entry,) = [
        n for n in range(at, at + 200) if two[n : n + 4] == b"\0\0\0\0" and two[n - 16 : n - 12] == b"\0\0\x03\0"
    ]
    thumbnail = two[:entry] + struct.pack("<L", 0x010002) + two[entry + 4 :]
    assert (opened(two).frames, opened(thumbnail).frames) == (2, 1)
    damaged = two[: at + 8] + b"\xff" * 12 + two[at + 20 :]
    assert opened(damaged).pixels.shape == (48, 64, 3)


@pytest.mark.parametrize("form", ["BMP", "GIF", "WEBP", "TIFF"])
def test_other_formats_have_the_same_pixels_as_in_pillow(form: str) -> None:
    data = saved(Image.fromarray(smooth(12, 16)), form)
    picture = opened(data)
    assert np.array_equal(picture.pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert picture.format == form.lower()
    assert picture.frames == 1


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_that_is_there_is_returned(form: str, mode: str) -> None:
    samples = noise(6, 8, 4)
    samples[0, :, 3] = 0
    image = Image.fromarray(samples).convert(mode)
    picture = opened(saved(image, form, **({"lossless": True, "exact": True} if form == "WEBP" else {})))
    expected = np.asarray(image.convert("RGBA"))
    assert np.array_equal(picture.pixels, expected[..., :3])
    assert picture.alpha is not None and np.array_equal(picture.alpha, expected[..., 3])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_profile_and_resolution_are_kept(form: str) -> None:
    profile = srgb_profile()
    data = saved(Image.fromarray(smooth(6, 8)), form, icc_profile=profile, dpi=(300, 150))
    picture = opened(data)
    assert picture.icc_profile == profile
    if form != "WEBP":  # which Pillow writes without
        # PNG stores whole pixels per metre: off by at most 0.0127 per inch.
        assert picture.dpi == pytest.approx((300, 150), abs=0.0127)


def test_resolution_is_read_from_exif_and_turned_with_the_picture() -> None:
    exif = Image.Exif()
    exif.update({274: 6, 282: 118.0, 283: 59.0, 296: 3})  # per centimetre
    picture = opened(saved(Image.fromarray(smooth(6, 8)), "WEBP", exif=exif.tobytes()))
    assert picture.dpi == pytest.approx((59 * 2.54, 118 * 2.54))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_no_resolution_is_none(form: str) -> None:
    assert opened(saved(Image.fromarray(smooth(6, 8)), form)).dpi is None


def test_a_grey_profile_is_applied_and_not_embedded_into_rgb() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    linear = opened(saved(Image.fromarray(grey), "PNG", icc_profile=grey_profile(1.0)))
    assert linear.icc_profile is None
    share = np.arange(256) / 255
    srgb = np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)
    # Littlecms rounds its tables; 2 levels.
    assert np.abs(linear.pixels[..., 1].ravel() - 255 * srgb).max() <= 2
    assert np.array_equal(linear.pixels[..., 0], linear.pixels[..., 2])


def test_a_grey_profile_is_applied_to_16_bits_too() -> None:
    grey = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    profile = chunk(b"iCCP", b"grey\0\0" + zlib.compress(grey_profile(1.0)))
    fine = opened(png(grey[..., None], profile))
    coarse = opened(png((grey // 257).astype(np.uint8)[..., None], profile))
    assert np.array_equal(fine.pixels, coarse.pixels.astype(np.uint16) * 257)


def test_a_profile_for_another_colour_space_is_dropped() -> None:
    assert opened(saved(Image.fromarray(smooth(6, 8)), "PNG", icc_profile=grey_profile(2.2))).icc_profile is None
    kept = opened(saved(Image.fromarray(smooth(6, 8)[..., 0]), "PNG", icc_profile=srgb_profile()))
    assert kept.icc_profile == srgb_profile()


def whole() -> dict[str, bytes]:
    image = Image.fromarray(noise(64, 64, 3))
    files = {form: saved(image, form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")}
    files["progressive JPEG"] = saved(image, "JPEG", progressive=True)
    files["CMYK JPEG"] = saved(image.convert("CMYK"), "JPEG")
    files["lossless WEBP"] = saved(image, "WEBP", lossless=True)
    files["LZW TIFF"] = saved(image, "TIFF", compression="tiff_lzw")
    files["16-bit PNG"] = png(noise(64, 64, 3, dtype=np.uint16))
    files["16-bit TIFF"] = tiff(noise(64, 64, 3, dtype=np.uint16))
    if _avif_is_there():
        files["AVIF"] = saved(image, "AVIF")
    return files


def _avif_is_there() -> bool:
    from PIL import features

    return "avif" in features.modules and features.check_module("avif")


@pytest.mark.parametrize(("kind", "data"), whole().items(), ids=whole())
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_picture_is_an_error(
    kind: str, data: bytes, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    assert opened(data).size_hw == (64, 64)
    with pytest.raises(UnreadablePictureError, match="p "):
        opened(data[: int(len(data) * share)])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "CMYK JPEG"])
def test_a_truncated_jpeg_that_was_closed_again_is_an_error(kind: str) -> None:
    data = whole()[kind]
    with pytest.raises(UnreadablePictureError):
        opened(data[: len(data) // 2] + b"\xff\xd9")


def test_junk_before_the_end_of_a_jpeg_costs_nothing() -> None:
    data = saved(Image.fromarray(smooth(33, 47)), "JPEG")
    assert np.array_equal(opened(data[:-2] + b"\0" * 16 + data[-2:]).pixels, opened(data).pixels)
    assert np.array_equal(opened(data + b"trailing").pixels, opened(data).pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_whose_pixels_end_early_is_an_error(dtype: type) -> None:
    rows = zlib.compress(b"\0" * (20 * 61 * np.dtype(dtype).itemsize))
    with pytest.raises(UnreadablePictureError):
        opened(png(noise(40, 20, 3, dtype=dtype), stream=rows))


def test_a_flipped_bit_in_a_png_is_an_error() -> None:
    data = bytearray(png(noise(40, 20, 3)))
    data[len(data) // 2] ^= 1
    with pytest.raises(UnreadablePictureError, match="checksum"):
        opened(bytes(data))


@pytest.mark.parametrize(
    "data",
    [b"", b"plain text\n" * 50, b"<svg></svg>", b"%PDF-1.7", b"\0" * 100, b"\xff\xd8\xff", b"BM hello world and so on"],
)
def test_what_is_no_picture_is_an_error(data: bytes) -> None:
    with pytest.raises(UnreadablePictureError, match="p "):
        opened(data)


@pytest.mark.parametrize("limit", [Limits().max_pixels, 1000])
def test_a_bomb_is_refused_by_its_header_without_a_word_from_pillow(limit: int) -> None:
    before = Image.MAX_IMAGE_PIXELS
    for side in (60_000, 25_000, 2_000_000_000):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(PictureTooLargeError, match="limit of pixels"):
                opened(png_header(side, side), Limits(max_pixels=limit))
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_every_format_is_held_against_the_limit(form: str) -> None:
    data = saved(Image.new("RGB", (11, 10)), form)
    assert opened(data, Limits(max_pixels=110)).size_hw == (10, 11)
    with pytest.raises(PictureTooLargeError, match="11x10"):
        opened(data, Limits(max_pixels=109))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_pillows_own_limit_has_no_say(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.new("RGB", (15, 10)), form)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert opened(data).size_hw == (10, 15)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_one_pixel_is_a_picture(form: str) -> None:
    assert opened(saved(Image.new("RGB", (1, 1)), form)).size_hw == (1, 1)


def test_running_out_of_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "_by_simplejpeg", no_memory)
    with pytest.raises(MemoryExhaustedError, match="p"):
        opened(saved(Image.new("RGB", (4, 4)), "JPEG"))


def test_heic_without_its_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bshm\[heif\]'"):
        opened(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic")


def test_heic_is_upright_once_and_keeps_ten_bits() -> None:
    import pillow_heif as heif

    exif = Image.Exif()
    exif[274] = 6
    upright = smooth(64, 96)
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    file = io.BytesIO()
    heif.from_pillow(stored).save(file, quality=95, exif=exif.tobytes())
    picture = opened(file.getvalue())
    assert picture.size_hw == (64, 96)
    assert picture.format == "heif"
    # x265 halves the colour resolution; the mean over the picture is what turning it twice would change.
    assert np.abs(picture.pixels.astype(int) - upright).mean() < 4
    file = io.BytesIO()
    deep = np.full((64, 64, 3), 65535, np.uint16)
    heif.from_bytes("RGB;16", (64, 64), deep.tobytes()).save(file, quality=95)
    picture = opened(file.getvalue())
    assert picture.bit_depth == 16
    assert picture.pixels.max() == 65535
    with pytest.raises(UnreadablePictureError):
        opened(file.getvalue()[:-100])
    with pytest.raises(PictureTooLargeError):
        opened(file.getvalue(), Limits(max_pixels=4095))


@pytest.mark.skipif(not _avif_is_there(), reason="this Pillow has no AVIF")
def test_avif_is_read() -> None:
    upright = smooth(64, 96)
    picture = opened(oriented("AVIF", AS_STORED[6](upright), 6))
    assert picture.size_hw == (64, 96)
    assert picture.format == "avif"
    # Lossy, at the default quality of 75.
    assert np.abs(picture.pixels.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3), (4, 6, 4), (1, 1, 3)])
def test_arrays_are_taken_as_they_are(dtype: type, shape: tuple[int, ...]) -> None:
    array = noise(*shape, dtype=dtype)
    picture = open_picture(array)
    colour = array[..., None] if array.ndim == 2 else array[..., :3]
    assert np.array_equal(picture.pixels, np.broadcast_to(colour, (*shape[:2], 3)))
    assert (picture.alpha is None) == (shape[-1] != 4)
    assert picture.format == "array"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_8_bits_half_rounded_up(dtype: type) -> None:
    array: np.ndarray = np.array([[0.0, 0.25, 0.5, 1.0]], dtype)
    assert open_picture(array).pixels[0, :, 0].tolist() == [0, 64, 128, 255]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 6, 2), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((0, 6, 3), np.uint8),
        np.zeros((4, 6, 3), np.int32),
        np.zeros((4, 6), bool),
        np.full((4, 6), 1.01),
        np.full((4, 6), -0.01),
        np.full((4, 6), np.nan),
    ],
)
def test_arrays_that_cannot_be_pictures_are_refused(array: Any) -> None:
    with pytest.raises(ShapeError, match="a picture"):
        open_picture(array)


def test_views_and_foreign_byte_orders_are_taken() -> None:
    array = noise(8, 12, 3, dtype=np.uint16)
    assert np.array_equal(open_picture(array[::2, ::-3]).pixels, array[::2, ::-3])
    assert np.array_equal(open_picture(array.astype(">u2")).pixels, array)


def test_a_large_array_is_held_against_the_limit() -> None:
    with pytest.raises(PictureTooLargeError):
        open_picture(np.zeros((4, 6), np.uint8), Limits(max_pixels=23))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "La", "RGBa", "PA"]
)
def test_pil_images_of_every_mode_become_pictures(mode: str) -> None:
    image = Image.new(mode, (6, 4))
    picture = open_picture(image)
    assert picture.size_hw == (4, 6)
    assert picture.bit_depth == (16 if mode == "I;16" else 8)
    assert (picture.alpha is not None) == (mode in ("LA", "RGBA", "La", "RGBa", "PA"))
    assert image.mode == mode


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pil_images_of_32_bits_are_refused(mode: str) -> None:
    with pytest.raises(UnreadablePictureError, match="32"):
        open_picture(Image.new(mode, (6, 4)))
