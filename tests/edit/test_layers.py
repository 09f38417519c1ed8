"""One of several people, and people in layers, together with what changes the whole picture."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import tifffile
from drawn_people import Drawn
from PIL import Image

from bshm.edit.render import compose, layers, render
from bshm.edit.spec import Edit
from bshm.errors import OptionError
from bshm.files.decode import decode
from bshm.files.openraster import encode_openraster
from bshm.files.tiff import encode_tiff_layers
from bshm.options import Limits
from bshm.types import PixelArray


def two() -> Drawn:
    left, right = np.zeros((40, 60), np.float32), np.zeros((40, 60), np.float32)
    left[8:36, 6:26], right[16:36, 26:50] = 1, 1
    left[20:30, 26:30], right[20:30, 26:30] = 0.25, 0.75  # an arm of the left one shows through
    matte = Drawn(np.minimum(left + right, 1))
    matte.people, matte.depth = (left, right), (0, 1)
    return matte


def test_one_person_alone_is_cropped_to() -> None:
    assert compose(two(), Edit(people=2, crop=True)).size_hw == (20, 24)


def test_layers_one_over_the_other_are_the_cutout_cropped_as_it_is() -> None:
    edit = Edit(format="ora", crop=True)
    found = layers(two(), edit)
    assert [name for name, _ in found] == ["1", "2"]  # the back first
    over = np.zeros(found[0][1].shape[:2])
    for _, pixels in found:
        alpha = pixels[..., 3] / 255
        over = alpha + (1 - alpha) * over
    assert np.abs(over - compose(two(), edit).alpha).max() < 2 / 255


@pytest.mark.parametrize("given", [{"size": "20x20"}, {"rotate": 90}, {"outline": "2px"}, {"mask": "circle"}])
def test_what_changes_the_whole_picture_has_no_place_in_layers(given: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="ora has a layer for every person"):
        Edit(format="ora", **given)  # type: ignore[arg-type]


def test_people_who_were_not_told_apart_cannot_be_chosen() -> None:
    with pytest.raises(OptionError, match="tell_apart"):
        compose(Drawn(np.ones((4, 4), np.float32)), Edit(people="largest"))


def test_the_thumbnail_of_a_picture_of_sixteen_bits_is_as_light_as_it_is() -> None:
    white = np.full((8, 8, 4), 65535, np.uint16)
    with zipfile.ZipFile(io.BytesIO(encode_openraster([("1", white)], white))) as archive:
        thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
    assert np.asarray(thumbnail).min() == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_layered_tiff_has_a_named_page_a_person_and_each_is_exact(dtype: type) -> None:
    random = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    given: list[tuple[str, PixelArray]] = [
        (name, random.integers(0, top, (37, 53, 4), endpoint=True).astype(dtype)) for name in ("back", "Zoë", "3")
    ]
    data = encode_tiff_layers(given, dpi=(300, 300))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert len(file.pages) == 3
        for number, (page, (name, pixels)) in enumerate(zip(file.pages, given, strict=True)):
            assert isinstance(page, tifffile.TiffPage)
            assert page.tags["PageName"].value == name
            assert page.tags["PageNumber"].value == (number, 3) and page.tags["NewSubfileType"].value == 2
            assert [int(each) for each in page.tags["ExtraSamples"].value] == [2]  # unassociated: straight
            assert np.array_equal(page.asarray(), pixels)
    if dtype == np.uint8:
        with Image.open(io.BytesIO(data)) as picture:
            assert (getattr(picture, "n_frames", 1), picture.mode) == (3, "RGBA")
            picture.seek(2)
            assert np.array_equal(np.asarray(picture), given[2][1])
    assert decode(data, name="a", limits=Limits()).frames == 3


def test_pages_one_over_the_other_are_the_cutout() -> None:
    edit = Edit(format="tiff-layers", crop=True)
    rendered = render(two(), edit)
    assert rendered.media_type == "image/tiff"
    with tifffile.TiffFile(io.BytesIO(rendered.data)) as file:
        over = np.zeros(file.pages[0].shape[:2])
        for page in file.pages:
            alpha = page.asarray()[..., 3] / 255
            over = alpha + (1 - alpha) * over
    assert np.abs(over - compose(two(), edit).alpha).max() < 2 / 255


def test_a_layered_tiff_of_nobody_is_one_empty_page() -> None:
    nobody = Drawn(np.zeros((20, 30), np.float32))
    nobody.people = ()
    with tifffile.TiffFile(io.BytesIO(render(nobody, Edit(format="tiff-layers")).data)) as file:
        assert len(file.pages) == 1 and file.pages[0].asarray()[..., 3].max() == 0
