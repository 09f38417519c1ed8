"""sRGB: told by the colours that a profile gives, and made where it is another."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from drawn_people import Drawn, drawn_alpha
from PIL import Image, ImageCms

from bshm.edit.render import compose, render
from bshm.edit.spec import Edit
from bshm.files import colour_space

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def swapped() -> bytes:
    """A profile in which red and green stand for each other: sRGB with two of its columns exchanged."""
    data = bytearray(SRGB)
    tags = {}
    for at in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * at
        tags[bytes(data[entry : entry + 4])] = entry
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = data[green + 4 : green + 12], data[red + 4 : red + 12]
    return bytes(data)


def test_no_profile_and_that_of_srgb_are_srgb(swapped: bytes) -> None:
    assert colour_space.is_srgb(None) and colour_space.is_srgb(SRGB)
    assert not colour_space.is_srgb(swapped) and not colour_space.is_srgb(b"nonsense")


def test_names_are_those_of_the_profiles() -> None:
    assert colour_space.name_of(None) == "sRGB"
    assert "sRGB" in colour_space.name_of(SRGB)
    assert colour_space.name_of(b"nonsense") == "damaged"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_are_converted_to_what_they_look_like(swapped: bytes, dtype: type) -> None:
    top = np.iinfo(dtype).max
    pixels: np.ndarray = np.zeros((2, 2, 3), dtype)
    pixels[..., 0] = top
    assert colour_space.to_srgb(pixels, None) is pixels
    seen = colour_space.to_srgb(pixels, swapped)
    assert seen.dtype == np.uint8
    assert np.abs(seen[0, 0].astype(int) - (0, 255, 0)).max() <= 3


def test_a_profile_that_nobody_can_use_changes_nothing() -> None:
    pixels = np.full((2, 2, 3), 7, np.uint8)
    assert colour_space.to_srgb(pixels, b"nonsense") is pixels


def test_an_edit_in_srgb_converts_and_drops_the_profile(swapped: bytes) -> None:
    matte = Drawn(drawn_alpha(80, 60, crown=10, head=30), icc_profile=swapped)
    colour = compose(matte, Edit(srgb=True)).colour[60, 40].astype(int)
    assert np.abs(colour - (40, 220, 30)).max() <= 4
    with Image.open(BytesIO(render(matte, Edit(srgb=True, background="white", format="jpg")).data)) as image:
        assert "icc_profile" not in image.info
    with Image.open(BytesIO(render(matte, Edit(background="white", format="jpg")).data)) as image:
        assert image.info["icc_profile"] == swapped
