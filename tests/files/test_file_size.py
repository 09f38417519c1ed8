"""Files within so many kB."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bshm.errors import OptionError
from bshm.files.encode import encode, encode_within


def noisy(side: int = 300) -> Any:
    """A picture with enough in it that a lower quality shows in its bytes."""
    noise = np.random.default_rng(1).normal(128, 30, (side, side, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("form", ["jpg", "webp"])
@pytest.mark.parametrize("most", [40, 60])
def test_the_best_quality_is_taken_that_keeps_to_it(form: Any, most: int) -> None:
    pixels = noisy()
    data = encode_within(pixels, form, quality=95, max_kb=most, min_kb=None)
    assert len(data) <= most * 1000 < len(encode(pixels, form, quality=95))
    sizes = [len(encode(pixels, form, quality=quality)) for quality in range(20, 95)]
    assert len(data) == max(each for each in sizes if each <= most * 1000)


def test_a_file_that_keeps_to_it_by_itself_is_left_alone() -> None:
    pixels = noisy(50)
    assert encode_within(pixels, "jpg", quality=95, max_kb=500, min_kb=None) == encode(pixels, "jpg", quality=95)


@pytest.mark.parametrize(("form", "words"), [("jpg", "even at quality 20"), ("png", "keeps every pixel")])
def test_what_cannot_be_reached_is_told(form: Any, words: str) -> None:
    with pytest.raises(OptionError, match=f"max_kb.*{words}"):
        encode_within(noisy(), form, quality=95, max_kb=2, min_kb=None)


def test_a_higher_quality_makes_a_file_larger() -> None:
    pixels = noisy()
    usual, best = len(encode(pixels, "jpg", quality=80)), len(encode(pixels, "jpg", quality=100))
    wanted = (usual + best) / 2 / 1024
    data = encode_within(pixels, "jpg", quality=80, max_kb=None, min_kb=wanted)
    assert wanted * 1024 <= len(data) < best
    assert b"\xff\xfe" not in data[:40]


@pytest.mark.parametrize("least", [40, 100, 200])
def test_beyond_the_best_quality_a_comment_fills_a_jpeg_up_and_the_picture_is_the_same(least: int) -> None:
    pixels = np.full((472, 354, 3), 255, np.uint8)
    data = encode_within(pixels, "jpg", quality=95, max_kb=None, min_kb=least, dpi=(300, 300), exif=None)
    assert least * 1024 <= len(data) <= least * 1024 + 8
    with Image.open(io.BytesIO(data)) as image:
        assert (np.asarray(image) == 255).all()
        assert image.info["dpi"] == (300, 300)


def test_both_ends_are_kept_where_no_quality_falls_between_them() -> None:
    pixels = noisy()
    sizes = sorted({len(encode(pixels, "jpg", quality=quality)) for quality in range(20, 95)})
    gap = max(range(1, len(sizes)), key=lambda at: sizes[at] - sizes[at - 1])
    most = (sizes[gap] - 1) / 1000
    least = (sizes[gap - 1] + 50) / 1024
    data = encode_within(pixels, "jpg", quality=95, max_kb=most, min_kb=least)
    assert least * 1024 <= len(data) <= most * 1000


def test_only_jpeg_can_be_made_larger() -> None:
    with pytest.raises(OptionError, match="only jpg"):
        encode_within(noisy(20), "webp", quality=95, max_kb=None, min_kb=900)
