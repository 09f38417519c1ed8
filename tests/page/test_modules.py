"""The page's own PNG, zip and frame arithmetic, against Python's."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import opener
from PIL import Image, ImageCms
from playwright.sync_api import Browser
from studio import Studio, decoded

DECODE = """async (bytes) => {
  const { decodePng } = await import("./app/png.js");
  const { width, height, data, density } = await decodePng(new Blob([new Uint8Array(bytes)]));
  return { width, height, data: [...data], density: density && [...density] };
}"""
ENCODE = """async ({ width, height, data, opaque }) => {
  const { encodePng } = await import("./app/png.js");
  const density = new Uint8Array([0, 0, 46, 35, 0, 0, 46, 35, 1]);
  const blob = await encodePng({ width, height, data: new Uint8ClampedArray(data) }, { opaque, density });
  return [...new Uint8Array(await blob.arrayBuffer())];
}"""


@pytest.fixture(scope="module")
def studio(browser: Browser, service: str) -> Iterator[Studio]:
    """One page for all: these tests leave nothing in it."""
    pages = opener(browser)
    yield next(pages)(service)
    next(pages, None)


def rgba(studio: Studio, data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    found = studio.page.evaluate(DECODE, list(data))
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)


def noise(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def test_png_is_read_with_straight_alpha_down_to_the_last_level(studio: Studio) -> None:
    pixels = noise(13, 17, 4)
    pixels[0, :, 3] = np.arange(17)
    for level in (0, 6, 9):
        out = io.BytesIO()
        Image.fromarray(pixels, "RGBA").save(out, "PNG", compress_level=level)
        assert (rgba(studio, out.getvalue()) == pixels).all()


@pytest.mark.parametrize("kind", range(5))
def test_png_of_every_row_filter_is_read(studio: Studio, kind: int) -> None:
    pixels = noise(9, 11, 4)
    rows = filtered(pixels.reshape(9, -1).astype(int), kind)

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = (11).to_bytes(4, "big") + (9).to_bytes(4, "big") + bytes([8, 6, 0, 0, 0])
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert (decoded(data) == pixels).all()
    assert (rgba(studio, data) == pixels).all()


def filtered(rows: np.ndarray[Any, np.dtype[np.int64]], kind: int) -> bytes:
    left = np.pad(rows, ((0, 0), (4, 0)))[:, :-4]
    up = np.pad(rows, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(rows, ((1, 0), (4, 0)))[:-1, :-4]
    guess = left + up - corner
    nearest = np.argmin(np.abs(np.stack([left, up, corner]) - guess), axis=0)
    paeth = np.choose(nearest, [left, up, corner])
    predicted = [0 * rows, left, up, (left + up) // 2, paeth][kind]
    return b"".join(bytes([kind]) + row.astype(np.uint8).tobytes() for row in (rows - predicted) % 256)


def test_png_of_16_bit_and_grey_is_read(studio: Studio) -> None:
    deep = np.random.default_rng(3).integers(0, 65536, (6, 5, 4), dtype=np.uint16)
    data = cv2.imencode(".png", cv2.cvtColor(deep, cv2.COLOR_RGBA2BGRA))[1].tobytes()
    assert (rgba(studio, data) == np.rint(deep / 257).astype(np.uint8)).all()
    grey = io.BytesIO()
    Image.fromarray(noise(6, 5, 2), "LA").save(grey, "PNG")
    assert (rgba(studio, grey.getvalue()) == np.asarray(decoded_rgba(grey.getvalue()))).all()


def decoded_rgba(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGBA")


def test_png_with_a_profile_comes_out_in_srgb(studio: Studio) -> None:
    flat = np.full((4, 4, 4), (10, 200, 90, 255), np.uint8)
    flat[0, 0, 3] = 1
    out = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(flat, "RGBA").save(out, "PNG", icc_profile=profile)
    found = rgba(studio, out.getvalue()).astype(int)
    # Pillow's sRGB profile has a curve of its own points, and the browser's matrix rounds.
    assert np.abs(found - flat).max() <= 2
    assert found[0, 0, 3] == 1


@pytest.mark.parametrize("opaque", [False, True])
def test_png_is_written_exactly_with_its_density(studio: Studio, opaque: bool) -> None:
    pixels = noise(19, 23, 4)
    given = {"width": 23, "height": 19, "data": pixels.ravel().tolist(), "opaque": opaque}
    data = bytes(studio.page.evaluate(ENCODE, given))
    image = Image.open(io.BytesIO(data))
    assert (np.asarray(image) == (pixels[..., :3] if opaque else pixels)).all()
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_retry_after_is_read_as_seconds_or_as_a_date(studio: Studio) -> None:
    read = """async (values) => {
      const { retryAfter } = await import("./app/server.js");
      const now = Date.parse("Sun, 06 Nov 1994 08:49:37 GMT");
      return values.map((value) => retryAfter(value, now));
    }"""
    given = ["7", "0", "100000", None, "soon", "Sun, 06 Nov 1994 08:49:40 GMT", "Sun, 06 Nov 1994 08:00:00 GMT"]
    assert studio.page.evaluate(read, given) == [7, 1, 120, 2, 2, 3, 1]
