"""Which files of a folder belong together, and what is read of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bshm.errors import DataFolderError, OptionError, SourceNotFoundError, UnreadablePictureError
from bshm.evaluation.pairs import Pair, Sample, alpha_of, find_pairs, read_sample
from bshm.types import Picture


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(root: Path) -> list[tuple[str, str, str, str]]:
    return [
        (p.name, p.kind, p.picture.relative_to(root).as_posix(), p.alpha.relative_to(root).as_posix())
        for p in find_pairs(root)
    ]


@pytest.mark.parametrize("alphas", ["alphas", "alpha", "masks", "mask", "matte"])
def test_images_and_alphas_in_two_folders_are_paired_by_name(tmp_path: Path, alphas: str) -> None:
    touch(tmp_path, "images/b.jpg", "images/a.v2.PNG", f"{alphas}/a.v2.png", f"{alphas}/b.png")
    assert found(tmp_path) == [
        ("a.v2", "", "images/a.v2.PNG", f"{alphas}/a.v2.png"),
        ("b", "", "images/b.jpg", f"{alphas}/b.png"),
    ]


def test_an_alpha_beside_its_picture_is_found_with_a_dot_or_an_underscore(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.alpha.png", "b.webp", "b_alpha.png", "notes.txt", "._a.jpg")
    assert found(tmp_path) == [("a", "", "a.jpg", "a.alpha.png"), ("b", "", "b.webp", "b_alpha.png")]


def test_sub_folders_are_kinds_above_and_below_images(tmp_path: Path) -> None:
    touch(tmp_path, "group/images/1.jpg", "group/alphas/1.png", "hat/2.jpg", "hat/2.alpha.png")
    assert [row[:2] for row in found(tmp_path)] == [("group/1", "group"), ("hat/2", "hat")]
    inside = tmp_path / "hat" / "more"
    touch(inside, "images/far/3.jpg", "masks/far/3.png")
    assert found(inside) == [("far/3", "far", "images/far/3.jpg", "masks/far/3.png")]


def test_trimaps_are_taken_along_where_there_are_any(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.jpg", "images/2.jpg", "mask/1.png", "mask/2.png", "trimap/2.png")
    assert [pair.trimap for pair in find_pairs(tmp_path)] == [None, tmp_path / "trimap/2.png"]
    beside = tmp_path / "trimap" / "beside"
    touch(beside, "1.jpg", "1_alpha.png", "1_trimap.png")
    assert find_pairs(beside)[0].trimap == beside / "1_trimap.png"


def test_what_counts_is_taken_along_where_it_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.jpg", "images/2.jpg", "mask/1.png", "mask/2.png", "counted/2.png")
    assert [pair.counted for pair in find_pairs(tmp_path)] == [None, tmp_path / "counted/2.png"]
    beside = tmp_path / "counted" / "beside"
    touch(beside, "1.jpg", "1_alpha.png", "1.counted.png")
    assert find_pairs(beside)[0].counted == beside / "1.counted.png"


def test_a_limit_takes_from_every_kind_in_turn(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "a/3", "b/1", "c/1"):
        touch(tmp_path, f"{name}.jpg", f"{name}.alpha.png")
    assert [pair.name for pair in find_pairs(tmp_path, limit=4)] == ["a/1", "a/2", "b/1", "c/1"]
    assert len(find_pairs(tmp_path, limit=99)) == 5
    with pytest.raises(OptionError):
        find_pairs(tmp_path, limit=0)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "no pairs"),
        (["a.jpg", "b.jpg"], "no pairs"),
        (["images/a.jpg"], "no alphas"),
        (["alphas/a.jpg"], "no pictures"),
        (["images/a.jpg", "images/b.jpg", "alphas/a.png"], r"without alpha in alphas/: b\."),
        (["images/a.jpg", "alphas/b.png", "alphas/a.png"], r"without picture in images/: b\."),
        (["a.jpg", "a.alpha.png", "b.jpg"], "without alpha .* b"),
        (["a.jpg", "a.alpha.png", "b_alpha.png"], "without picture .* b"),
        (["a.jpg", "a.png", "a.alpha.png"], "two files"),
        (["images/a.jpg", "images/a.png", "alphas/a.png"], "two files"),
        ([f"images/{n}.jpg" for n in range(9)] + ["alphas/0.png"], r"8 file.* 1, 2, 3, 4, 5 and 3 more"),
    ],
)
def test_an_incomplete_folder_is_refused_naming_what_is_missing(
    tmp_path: Path, names: list[str], complaint: str
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataFolderError, match=complaint):
        find_pairs(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        find_pairs(tmp_path / "nowhere")


# -- reading -------------------------------------------------------------------------------------------------------


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def pair_of(folder: Path, alpha: np.ndarray, size_hw: tuple[int, int] = (20, 30)) -> Pair:
    picture = write(folder / "a.png", np.full((*size_hw, 3), 90, np.uint8))
    return Pair("a", "", picture, write(folder / "a.alpha.png", alpha))


def test_a_pair_is_read_as_a_picture_and_levels_of_0_to_1(tmp_path: Path) -> None:
    levels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    for depth, top in ((levels % 256).astype(np.uint8), 255), (levels * 109, 65535):
        sample = read_sample(pair_of(tmp_path, depth))
        assert sample.picture.size_hw == (20, 30)
        assert sample.reference.dtype == np.float32
        # float32 division is rounded once.
        np.testing.assert_allclose(sample.reference, depth / top, rtol=1e-6)


def test_the_transparency_of_a_cutout_is_its_alpha(tmp_path: Path) -> None:
    cutout = np.full((20, 30, 4), 77, np.uint8)
    cutout[:, :10, 3] = 255
    assert read_sample(pair_of(tmp_path, cutout)).reference[0, 5] == 1
    assert read_sample(pair_of(tmp_path, cutout)).reference[0, 15] == np.float32(77 / 255)


def test_an_opaque_file_with_an_alpha_channel_is_read_by_its_grey_levels() -> None:
    grey = np.full((2, 2, 3), 51, np.uint8)
    assert np.all(alpha_of(Picture(grey, alpha=np.full((2, 2), 255, np.uint8))) == np.float32(0.2))


def test_a_colour_picture_is_no_alpha() -> None:
    with pytest.raises(DataFolderError, match="colour picture"):
        alpha_of(Picture(np.tile(np.array([200, 40, 90], np.uint8), (2, 2, 1))))


def test_two_sizes_in_a_pair_are_refused_naming_both(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match=r"30 x 20.*31 x 20"):
        read_sample(pair_of(tmp_path, np.zeros((20, 31), np.uint8)))


def test_a_damaged_alpha_is_refused(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, np.zeros((20, 30), np.uint8))
    pair.alpha.write_bytes(b"no picture")
    with pytest.raises(UnreadablePictureError):
        read_sample(pair)


def test_a_trimap_is_the_band_and_must_fit(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, np.zeros((20, 30), np.uint8))
    trimap = np.zeros((20, 30), np.uint8)
    trimap[:, 10:12] = 128
    trimap[:, 12:] = 255
    with_trimap = Pair("a", "", pair.picture, pair.alpha, write(tmp_path / "a.trimap.png", trimap))
    assert np.array_equal(read_sample(with_trimap).band(), trimap == 128)
    write(tmp_path / "a.trimap.png", trimap[:10])
    with pytest.raises(DataFolderError, match="trimap"):
        read_sample(with_trimap)


def test_what_does_not_count_is_in_no_band_and_the_file_must_fit_and_leave_something(tmp_path: Path) -> None:
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:, 15] = 128
    pair = pair_of(tmp_path, alpha)
    counted = np.full((20, 30), 255, np.uint8)
    counted[:10] = 0
    told = replace(pair, counted=write(tmp_path / "a.counted.png", counted))
    sample = read_sample(told)
    assert sample.counted is not None and np.array_equal(sample.counted, counted == 255)
    assert sample.band(band_px=2).sum() == 5 * 10
    small = sample.shrunk(15).counted
    assert small is not None and small.sum() == 5 * 15
    for wrong in counted[:10] + 255, np.zeros((20, 30), np.uint8):
        write(tmp_path / "a.counted.png", wrong)
        with pytest.raises(DataFolderError, match=r"a\.counted\.png should say which pixels"):
            read_sample(told)


def test_without_a_trimap_the_band_is_that_of_the_reference(tmp_path: Path) -> None:
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:, 15] = 128
    assert read_sample(pair_of(tmp_path, alpha)).band(band_px=2).sum() == 5 * 20


def test_a_large_pair_is_shrunk_to_the_longer_side_and_a_small_one_is_left(tmp_path: Path) -> None:
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:, 16:] = 255
    pair = pair_of(tmp_path, alpha)
    small = read_sample(pair, longest_px=15)
    assert small.picture.size_hw == small.reference.shape == (10, 15)
    assert np.array_equal(small.reference, np.repeat(np.array([[0] * 8 + [1] * 7], np.float32), 10, axis=0))
    assert read_sample(pair, longest_px=30).picture.size_hw == (20, 30)


def test_shrinking_keeps_sixteen_bits_and_makes_mixed_trimap_pixels_unknown() -> None:
    picture = Picture(np.full((4, 4, 3), 40000, np.uint16))
    trimap = np.array([[0, 0, 0, 255]] * 4, np.uint8)
    small = Sample(Pair("a", "", Path("a"), Path("b")), picture, np.ones((4, 4), np.float32), trimap).shrunk(2)
    assert small.picture.pixels.dtype == np.uint16
    assert np.all(small.picture.pixels == 40000)
    assert small.band().tolist() == [[False, True], [False, True]]
