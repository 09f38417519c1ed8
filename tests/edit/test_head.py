"""Heads: by the outline of a person, and by the face."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_people import drawn_alpha
from skimage import data

from bshm.edit import faces, head
from bshm.errors import MissingExtraError


@pytest.mark.parametrize(("crown", "high", "centre"), [(20, 80, 150), (0, 160, 120), (60, 40, 200)])
def test_an_outline_shows_crown_chin_and_middle(crown: int, high: int, centre: int) -> None:
    found = head.by_shape(drawn_alpha(400, 320, crown=crown, head=high, centre=centre))
    assert found is not None
    assert found.crown == crown
    assert found.height == pytest.approx(high, rel=0.12)
    assert found.centre == pytest.approx(centre, abs=2)
    assert (found.eyes, found.found) == (None, "shape of the matte")


def test_scraps_above_a_head_are_not_its_crown() -> None:
    alpha = drawn_alpha(400, 320, crown=80, head=90)
    alpha[5:8, 10:13] = 1
    found = head.by_shape(alpha)
    assert found is not None and found.crown == 80


def test_nobody_has_no_head() -> None:
    assert head.by_shape(np.zeros((40, 30), np.float32)) is None


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (40, 1)])
def test_a_few_pixels_are_taken_for_a_head_as_they_are(shape: tuple[int, int]) -> None:
    found = head.by_shape(np.ones(shape, np.float32))
    assert found is not None and 0 < found.height <= shape[0]


def test_a_face_shows_eyes_and_chin_where_they_are() -> None:
    picture = data.astronaut()
    (face, *_) = faces.find(picture)
    # Read off the enlarged photograph: pupils at (203, 101) and (247, 103), chin at 178.
    assert face.left_eye == pytest.approx((203, 101), abs=4)
    assert face.right_eye == pytest.approx((247, 103), abs=4)
    alpha = np.zeros(picture.shape[:2], np.float32)
    alpha[20:, 120:340] = 1
    found = head.find(picture, alpha)
    assert found is not None and found.found == "face detector"
    assert found.eyes == pytest.approx(102, abs=4)
    assert found.chin == pytest.approx(178, abs=9)
    assert found.crown == 20


def test_faces_are_found_the_same_in_16_bits_and_at_twice_the_size() -> None:
    picture = data.astronaut()
    (small, *_) = faces.find(picture)
    (deep, *_) = faces.find(picture.astype(np.uint16) * 257)
    assert deep == small
    (large, *_) = faces.find(picture.repeat(2, axis=0).repeat(2, axis=1))
    assert np.array(large.left_eye) / 2 == pytest.approx(small.left_eye, abs=3)


def test_a_face_that_is_nobody_of_the_matte_does_not_count() -> None:
    alpha = np.zeros((512, 512), np.float32)
    alpha[300:, 380:] = 1
    found = head.find(data.astronaut(), alpha)
    assert found is not None and found.found == "shape of the matte"


def test_where_there_is_no_face_none_is_found() -> None:
    assert faces.find(np.full((200, 300, 3), 200, np.uint8)) == []
    assert faces.find(np.zeros((4, 4, 3), np.uint8)) == []


def test_without_the_extra_the_outline_is_taken_and_asking_for_faces_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(faces, "_folder", lambda: None)
    faces._networks.cache_clear()
    alpha = drawn_alpha(400, 320, crown=20, head=80)
    pixels = np.zeros((400, 320, 3), np.uint8)
    found = head.find(pixels, alpha)
    assert found is not None and found.found == "shape of the matte"
    with pytest.raises(MissingExtraError, match=r"bshm\[faces\]"):
        head.find(pixels, alpha, detector=True)
