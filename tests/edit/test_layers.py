"""One of several people, and people in layers, together with what changes the whole picture."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from drawn_people import Drawn
from PIL import Image

from bshm.edit.render import compose, layers
from bshm.edit.spec import Edit
from bshm.errors import OptionError
from bshm.files.openraster import encode_openraster


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
