from __future__ import annotations

import io
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_pictures import grey_profile, noise, smooth, srgb_profile
from PIL import Image

from bshm.errors import MemoryExhaustedError, OptionError, ShapeError
from bshm.files import encode as module
from bshm.files.decode import open_picture
from bshm.files.encode import encode
from bshm.files.png import _STRIP_BYTES, encode_png
from bshm.files.suffixes import format_of
from bshm.options import FORMATS, Format

PROFILE = srgb_profile()


@st.composite
def any_pixels(draw: st.DrawFn, dtypes: tuple[type, ...] = (np.uint8, np.uint16)) -> np.ndarray[Any, Any]:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    shape = draw(st.sampled_from([(height, width), (height, width, 3), (height, width, 4)]))
    return draw(arrays(draw(st.sampled_from(dtypes)), shape))


def check_same(data: bytes, pixels: np.ndarray[Any, Any]) -> None:
    picture = open_picture(data)
    colour = pixels[..., None] if pixels.ndim == 2 else pixels[..., :3]
    assert picture.pixels.dtype == pixels.dtype
    assert np.array_equal(picture.pixels, np.broadcast_to(colour, (*pixels.shape[:2], 3)))
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        assert picture.alpha is not None and np.array_equal(picture.alpha, pixels[..., 3])
    else:
        assert picture.alpha is None


@settings(deadline=None, max_examples=60)
@given(any_pixels())
@pytest.mark.parametrize("form", ["png", "tiff"])
def test_png_and_tiff_keep_every_pixel_at_any_depth(form: Format, pixels: np.ndarray[Any, Any]) -> None:
    check_same(encode(pixels, form, quality=95), pixels)


@settings(deadline=None, max_examples=40)
@given(any_pixels(dtypes=(np.uint8,)))
def test_webp_of_quality_100_keeps_every_pixel(pixels: np.ndarray[Any, Any]) -> None:
    data = encode(pixels, "webp", quality=100)
    picture = open_picture(data)
    colour = pixels[..., None] if pixels.ndim == 2 else pixels[..., :3]
    assert np.array_equal(picture.pixels, np.broadcast_to(colour, (*pixels.shape[:2], 3)))
    # An alpha that is 255 everywhere is not stored.
    alpha = np.full(pixels.shape[:2], 255) if picture.alpha is None else picture.alpha
    assert np.array_equal(alpha, pixels[..., 3] if pixels.shape[2:] == (4,) else np.full(pixels.shape[:2], 255))


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_several_strips_are_kept_and_other_readers_agree(form: Format, dtype: type, channels: int) -> None:
    pixels = noise(300, 611, channels, dtype=dtype)
    pixels[100:, :, -1] = 0
    pixels = pixels[..., 0] if channels == 1 else pixels
    assert pixels.nbytes > _STRIP_BYTES
    data = encode(pixels, form, quality=95)
    check_same(data, pixels)
    if dtype == np.uint8:  # Pillow reads no more
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    if not (form == "tiff" and channels == 4 and dtype == np.uint8):  # which OpenCV premultiplies
        assert np.array_equal(read if channels == 1 else read[..., [2, 1, 0, 3][:channels]], pixels)


def test_a_row_longer_than_a_strip_is_kept() -> None:
    pixels = noise(3, _STRIP_BYTES, 3)
    for form in ("png", "tiff"):
        check_same(encode(pixels, form, quality=95), pixels)


def test_views_are_kept() -> None:
    pixels = noise(12, 18, 4, dtype=np.uint16)[::-2, ::3]
    for form in ("png", "tiff"):
        check_same(encode(pixels, form, quality=95), pixels)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_profile_and_resolution_are_embedded(form: Format, dtype: type) -> None:
    pixels = noise(6, 8, 3 if form == "jpg" else 4, dtype=dtype)
    picture = open_picture(encode(pixels, form, quality=95, icc_profile=PROFILE, dpi=(300, 150)))
    assert picture.icc_profile == PROFILE
    # PNG stores whole pixels per metre: off by at most 0.0127 per inch.
    assert picture.dpi == pytest.approx((300, 150), abs=0.0127)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_embedded_that_was_not_given(form: Format) -> None:
    picture = open_picture(encode(noise(6, 8, 3), form, quality=95))
    assert picture.icc_profile is None
    assert picture.dpi is None


@pytest.mark.parametrize("form", ["png", "jpg", "tiff"])
def test_a_grey_profile_goes_with_grey_pixels(form: Format) -> None:
    profile = grey_profile(2.2)
    data = encode(smooth(6, 8)[..., 0], form, quality=95, icc_profile=profile)
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == profile


def test_a_long_profile_is_embedded_into_jpeg_whole() -> None:
    profile = PROFILE + np.random.default_rng(0).bytes(200_000)
    assert open_picture(encode(noise(6, 8, 3), "jpg", quality=95, icc_profile=profile)).icc_profile == profile


def test_tiff_alpha_is_marked_as_straight() -> None:
    image = Image.open(io.BytesIO(encode(noise(6, 8, 4), "tiff", quality=95)))
    assert image.tag_v2[338] == (2,) or image.tag_v2[338] == 2  # type: ignore[attr-defined]


def test_lossy_webp_keeps_alpha_exactly_and_colour_nearly() -> None:
    pixels = np.dstack([smooth(64, 96), noise(64, 96) // 128 * 100 + 155])
    lossy = encode(pixels, "webp", quality=90)
    picture = open_picture(lossy)
    assert picture.alpha is not None and np.array_equal(picture.alpha, pixels[..., 3])
    # Colour at half the resolution, on smooth ramps.
    assert np.abs(picture.pixels.astype(int) - pixels[..., :3]).mean() < 4


@pytest.mark.parametrize(("form", "quality"), [("png", 95), ("tiff", 95), ("webp", 100)])
def test_colour_beneath_full_transparency_stays_zero(form: Format, quality: int) -> None:
    cutout = transparent_around()
    picture = open_picture(encode(cutout, form, quality=quality))
    assert picture.alpha is not None
    assert not picture.pixels[picture.alpha == 0].any()


def test_lossy_webp_keeps_transparency_full_whatever_colour_it_puts_beneath() -> None:
    cutout = transparent_around()
    picture = open_picture(encode(cutout, "webp", quality=95))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, cutout[..., 3] == 0)
    seen = cutout[..., 3] > 0
    # Colour at half the resolution, on smooth ramps.
    assert np.abs(picture.pixels.astype(int) - cutout[..., :3])[seen].mean() < 4


def transparent_around() -> np.ndarray[Any, Any]:
    """A cut-out: a disc with a soft edge, zero around it."""
    y, x = np.mgrid[0:96, 0:96]
    alpha = (np.clip((40 - np.hypot(x - 48, y - 48)) / 8, 0, 1) * 255).astype(np.uint8)
    cutout = np.dstack([smooth(96, 96), alpha])
    cutout[alpha == 0] = 0
    return cutout


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_keeps_pixels_nearly_and_grey_as_one_channel(channels: int) -> None:
    pixels = smooth(64, 96)[..., 0] if channels == 1 else smooth(64, 96)
    data = encode(pixels, "jpg", quality=95)
    assert Image.open(io.BytesIO(data)).mode == ("L" if channels == 1 else "RGB")
    # Quality 95 quantises by up to 5 levels.
    assert np.abs(open_picture(data).pixels.astype(int) - (pixels[..., None] if channels == 1 else pixels)).max() <= 8


def test_16_bits_become_8_by_the_nearest_level() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = (levels.astype(np.uint32) + 128) // 257
    assert np.array_equal(open_picture(encode(levels, "webp", quality=100)).pixels[..., 0], expected)
    eight = np.arange(256, dtype=np.uint16)[None] * 257
    assert open_picture(encode(eight, "webp", quality=100)).pixels[0, :, 0].tolist() == list(range(256))


def test_a_cutout_is_not_much_larger_than_what_pillow_writes() -> None:
    # The gain in time is measured in benchmarks/codecs.py; bytes do not depend on the machine.
    from skimage import data as skimage

    y, x = np.mgrid[0:512, 0:512]
    alpha = (np.clip((1 - np.hypot((x - 256) / 200, (y - 256) / 240)) * 10, 0, 1) * 255).astype(np.uint8)
    cutout = np.dstack([skimage.astronaut(), alpha])
    cutout[alpha == 0] = 0
    file = io.BytesIO()
    Image.fromarray(cutout).save(file, "PNG")
    assert len(encode_png(cutout)) <= 1.25 * len(file.getvalue())


def test_transparent_pixels_cost_nearly_nothing() -> None:
    assert len(encode_png(np.zeros((1000, 1000, 4), np.uint8))) < 25_000


def test_jpeg_refuses_alpha() -> None:
    with pytest.raises(OptionError, match="transparency"):
        encode(noise(6, 8, 4), "jpg", quality=95)


@pytest.mark.parametrize(("form", "side"), [("jpg", 65536), ("webp", 16384)])
def test_sides_longer_than_the_format_holds_are_refused(form: Format, side: int) -> None:
    with pytest.raises(OptionError, match="png"):
        encode(np.zeros((1, side), np.uint8), form, quality=95)


@pytest.mark.parametrize(
    "options", [{"quality": 0}, {"quality": 101}, {"dpi": (0, 72)}, {"dpi": (float("nan"), 72)}, {"dpi": (70_000, 72)}]
)
def test_values_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        encode(noise(6, 8), "png", **{"quality": 95, **options})


def test_a_profile_for_other_pixels_is_refused() -> None:
    for pixels, profile in ((noise(6, 8), PROFILE), (noise(6, 8, 3), grey_profile(2.2)), (noise(6, 8, 3), b"short")):
        with pytest.raises(OptionError, match="ICC profile"):
            encode(pixels, "png", quality=95, icc_profile=profile)


@pytest.mark.parametrize("shape", [(6,), (6, 8, 2), (6, 8, 5), (0, 8), (6, 0, 3), (1, 6, 8, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="encode"):
        encode(np.zeros(shape, np.uint8), "png", quality=95)


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ShapeError, match="float32"):
        encode(np.zeros((6, 8), np.float32), "png", quality=95)  # type: ignore[arg-type]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(OptionError, match="bmp"):
        encode(noise(6, 8), "bmp", quality=95)  # type: ignore[arg-type]


def test_running_out_of_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "encode_png", no_memory)
    with pytest.raises(MemoryExhaustedError):
        encode(noise(6, 8), "png", quality=95)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.png", "png"),
        ("a.JPG", "jpg"),
        ("a.jpeg", "jpg"),
        ("b/a.tif", "tiff"),
        ("a.TIFF", "tiff"),
        ("a.b.webp", "webp"),
    ],
)
def test_the_suffix_names_the_format(name: str, form: Format) -> None:
    assert format_of(name) == form
    assert form in get_args(Format)


@pytest.mark.parametrize("name", ["a", "a.bmp", ".png", "a.png.txt", ""])
def test_other_suffixes_are_refused_naming_the_allowed_ones(name: str) -> None:
    with pytest.raises(OptionError, match=r"\.png, \.webp"):
        format_of(name)
