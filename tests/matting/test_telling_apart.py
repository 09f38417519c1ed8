"""Several people told apart: skeletons out of the network's clues, and alpha shared out among them."""

from __future__ import annotations

import numpy as np
import pytest

from bshm.errors import ShapeError
from bshm.matting.people import Clues, Skeleton, find, share

# (y, x) of a standing person's keypoints, in heights of the person from the middle of the body.
STANDING = np.array([
    (-0.43, 0), (-0.45, 0.015), (-0.45, -0.015), (-0.44, 0.03), (-0.44, -0.03), (-0.32, 0.1), (-0.32, -0.1),
    (-0.17, 0.13), (-0.17, -0.13), (-0.03, 0.14), (-0.03, -0.14), (0, 0.07), (0, -0.07), (0.22, 0.07), (0.22, -0.07),
    (0.45, 0.07), (0.45, -0.07),
], np.float32)  # fmt: skip


def clues_of(people: list[tuple[float, float, float]], cells: tuple[int, int] = (64, 96)) -> Clues:
    """What the network would say of standing people: (y, x, height) of each, in cells."""
    rows, columns = np.mgrid[: cells[0], : cells[1]].astype(np.float32)
    middle, keypoints = np.zeros(cells, np.float32), np.zeros((17, *cells), np.float32)
    offsets, sizes = np.zeros((17, 2, *cells), np.float32), np.zeros((2, *cells), np.float32)
    for y, x, tall in people:
        near = np.hypot(rows - y, columns - x)
        middle = np.maximum(middle, 0.8 * np.exp(-(near**2) / 4))
        for index, (down, right) in enumerate(STANDING * tall):
            at = np.hypot(rows - y - down, columns - x - right)
            keypoints[index] = np.maximum(keypoints[index], 0.7 * np.exp(-(at**2) / 3))
            offsets[index, :, near < 4] = (down, right)
        sizes[:, near < 4] = np.array([[tall], [0.35 * tall]])
    return Clues(middle, keypoints, offsets, sizes)


def painted(people: list[tuple[float, float, float]], size: tuple[int, int] = (256, 384)) -> np.ndarray:
    """(N, H, W) float32: ellipses where those people stand, in pixels."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return np.stack([
        (((rows - y) / (tall / 2)) ** 2 + ((columns - x) / (0.17 * tall)) ** 2 < 1).astype(np.float32)
        for y, x, tall in people
    ])  # fmt: skip


def test_everybody_with_a_middle_is_found_once_with_the_keypoints_where_they_are() -> None:
    found = find(clues_of([(32, 25, 50), (34, 70, 44)]))
    assert len(found) == 2 and all(each.whole for each in found)
    left = min(found, key=lambda each: each.points[0, 1])
    expected = (np.array([32, 25]) + STANDING * 50 + 0.5) / (64, 96)
    assert np.abs(left.points - expected).max() < 1.5 / 64


def test_a_head_without_a_body_is_somebody_too() -> None:
    clues = clues_of([(32, 25, 50)])
    other = clues_of([(32, 70, 50)])
    clues.keypoints[:5] = np.maximum(clues.keypoints[:5], other.keypoints[:5])
    found = find(clues)
    assert [each.whole for each in found] == [True, False]
    assert abs(found[1].points[0, 1] - 70.5 / 96) < 2 / 96


def test_two_who_overlap_get_planes_that_add_up_to_alpha_and_are_theirs() -> None:
    people = [(128.0, 150.0, 200.0), (136.0, 205.0, 176.0)]
    back, front = painted(people)
    alpha = np.maximum(back, front)
    pixels = np.full((256, 384, 3), 90, np.uint8)
    pixels[back > 0], pixels[front > 0] = (200, 40, 40), (40, 60, 200)
    found = share(pixels, alpha, find(clues_of([(y / 4, x / 4, tall / 4) for y, x, tall in people])))
    assert len(found.planes) == 2
    assert np.abs(np.sum(found.planes, axis=0) - alpha).max() < 1e-5
    for plane, true in zip(found.planes, (back * (1 - front), front), strict=True):
        assert np.minimum(plane, true).sum() / np.maximum(plane, true).sum() > 0.9
    assert found.depth == (0, 1)


def test_whoever_no_skeleton_was_found_for_but_stands_apart_is_a_person() -> None:
    people = [(128.0, 90.0, 200.0), (128.0, 290.0, 200.0)]
    planes = painted(people)
    pixels = np.full((256, 384, 3), 120, np.uint8)
    found = share(pixels, np.maximum(*planes), find(clues_of([(32.0, 22.5, 50.0)])))
    assert [bool(np.array_equal(one > 0.5, other > 0.5)) for one, other in zip(found.planes, planes, strict=True)] == [
        True,
        True,
    ]


def test_alpha_without_any_skeleton_is_one_person_and_no_alpha_is_none() -> None:
    (plane,) = painted([(128.0, 190.0, 200.0)])
    pixels = np.zeros((256, 384, 3), np.uint8)
    assert share(pixels, plane, []).planes[0] is plane
    assert share(pixels, np.zeros_like(plane), []).planes == ()


def test_a_skeleton_where_alpha_has_nobody_is_a_statue() -> None:
    (plane,) = painted([(128.0, 90.0, 200.0)])
    skeletons = find(clues_of([(32.0, 22.5, 50.0), (32.0, 75.0, 50.0)]))
    assert len(skeletons) == 2
    assert len(share(np.zeros((256, 384, 3), np.uint8), plane, skeletons).planes) == 1


def test_pixels_and_alpha_of_two_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match="one height and width"):
        share(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.float32), list[Skeleton]())
