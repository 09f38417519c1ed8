"""What lies behind people, the shadow on the floor, and results that have no transparency left."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from bshm.cli import matte as command
from bshm.edit.background import blur, filled, gradient
from bshm.edit.render import compose, render
from bshm.edit.shadow import contact
from bshm.edit.spec import Edit
from bshm.edit.words import LinearBackground, PictureBackground, RadialBackground, parse_background
from bshm.errors import OptionError
from bshm.types import FloatArray, Picture, PixelArray, Run

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Made:
    """A matte that no network made."""

    picture: Picture
    alpha: FloatArray
    foreground: PixelArray
    ran: Run
    people: None = None
    depth: tuple[int, ...] = ()
    verdict: None = None
    corrections: None = None
    notes: tuple[str, ...] = ()

    def colour_of(self, some: FloatArray, colour: PixelArray) -> PixelArray:
        return colour


def made(dtype: type = np.uint8) -> Made:
    """Somebody in red who stands before green, soft at the edge."""
    alpha = np.zeros((120, 160), np.float32)
    cv2.ellipse(alpha, (80, 60), (22, 40), 0, 0, 360, 1.0, -1)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1.5), np.float32)
    factor = 257 if dtype == np.uint16 else 1
    mixed = alpha[..., None] * np.array([200, 30, 30]) + (1 - alpha[..., None]) * np.array([20, 160, 20])
    foreground: Any = np.full((120, 160, 3), (200, 30, 30), np.uint8).astype(dtype) * dtype(factor)
    pixels: Any = np.rint(mixed * factor).astype(dtype)
    return Made(Picture(pixels), alpha, foreground, Run("none", "0", "cpu", {}))


WALL = Picture(np.random.default_rng(1).integers(90, 250, (70, 300, 3), np.uint8))
OPAQUE: list[dict[str, Any]] = [
    {"background": "white"},
    {"background": "linear:#fff,#ccd:90"},
    {"background": "radial:white,#888,navy:30% 40%"},
    {"background": "blur"},
    {"background": PictureBackground()},
    {"background": PictureBackground(), "background_fit": "contain", "background_position": "0% 100%"},
    {"background": PictureBackground(), "background_blur": 6, "harmonize": 0.7, "blend": "linear"},
    {"background": "linear:red,blue", "shadow": True, "shadow_kind": "contact", "blend": "linear", "feather": 6},
]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("given", OPAQUE)
def test_an_opaque_background_leaves_no_transparency_and_nothing_black(given: dict[str, Any], dtype: type) -> None:
    matte = made(dtype)
    for more in ({}, {"scale": "40%", "position": "0% 100%"}, {"crop": True, "crop_margin": "30px"}):
        for form in ("png", "webp", "tiff", "jpg"):
            file = render(matte, Edit(format=form, **given, **more), WALL).data
            with Image.open(io.BytesIO(file)) as image:
                assert "A" not in image.getbands() and "transparency" not in image.info
        pixels = compose(matte, Edit(**given, **more), WALL).pixels()
        assert pixels.shape[2] == 3
        if "shadow" not in given:  # a shadow is dark
            assert pixels.max(axis=2).min() > 0.3 * np.iinfo(dtype).max


@pytest.mark.parametrize(
    ("angle", "corner"), [(0, (-1, 0)), (90, (0, 0)), (180, (0, 0)), (270, (0, -1)), (135, (0, 0)), (315, (-1, -1))]
)
def test_a_linear_gradient_goes_where_its_angle_points(angle: float, corner: tuple[int, int]) -> None:
    found = gradient(LinearBackground(((0, 0, 0), (255, 255, 255)), angle), (80, 120), np.uint8)[..., 0]
    assert found[corner] <= 3 and found[-1 - corner[0], -1 - corner[1]] >= 252
    assert found[40, 60] == pytest.approx(127.5, abs=2)


def test_a_gradient_of_three_has_the_second_in_the_middle_and_sixteen_bits_more_steps() -> None:
    three = parse_background("linear:#f00,#0f0,#00f:90")
    assert isinstance(three, LinearBackground)
    found = gradient(three, (2, 101), np.uint8)[0]
    assert found[50].tolist() == [0, 255, 0] and found[0][0] > 250 and found[-1][2] > 250
    wide = gradient(LinearBackground(((0, 0, 0), (2, 2, 2)), 90), (1, 300), np.uint16)
    assert len(np.unique(wide)) > 250 and wide.max() <= 2 * 257


def test_a_radial_gradient_begins_at_its_centre_and_ends_in_the_farthest_corner() -> None:
    found = gradient(RadialBackground(((255, 255, 255), (0, 0, 0)), (0.25, 0.5)), (100, 200), np.uint8)[..., 0]
    assert np.unravel_index(found.argmax(), found.shape)[1] in (49, 50)
    assert found[0, -1] <= 2 and found[-1, -1] <= 2 and found[0, 0] > 100


@pytest.mark.parametrize(
    "text",
    [
        "linear:#fff",
        "linear:",
        "linear:#fff,#ccd:up",
        "linear:#fff,#ccd:400",
        "linear:#fff,#ccd:nan",
        "linear:#fff,#0008",
        "linear:#fff,whiet",
        "radial:#fff,#000:original",
        "radial:#fff,#000:120%",
        "radial:" + ",".join(["red"] * 9),
    ],
)
def test_a_gradient_that_is_none_is_refused_and_no_path(text: str) -> None:
    with pytest.raises(OptionError, match="background") as caught:
        Edit(background=text)
    assert caught.value.option == "background"


def test_a_picture_covers_by_its_position_or_is_contained_on_white() -> None:
    canvas, nobody = Picture(np.zeros((50, 50, 3), np.uint8)), np.zeros((50, 50), np.float32)
    halves = np.zeros((50, 200, 3), np.uint8)
    halves[:, :100], halves[:, 100:] = (250, 0, 0), (0, 0, 250)
    behind = PictureBackground()
    left = filled(behind, canvas, nobody, Picture(halves), position=(0, 0.5))
    right = filled(behind, canvas, nobody, Picture(halves), position=(1, 0.5))
    assert (left == (250, 0, 0)).all() and (right == (0, 0, 250)).all()
    whole = filled(behind, canvas, nobody, Picture(halves), fit="contain", position=(0.5, 1))
    assert (
        (whole[:37] == 255).all() and (whole[38:, :24] == (250, 0, 0)).all() and (whole[38:, 26:] == (0, 0, 250)).all()
    )


def test_a_picture_out_of_focus_is_that_picture_blurred() -> None:
    canvas, nobody = Picture(np.zeros((70, 300, 3), np.uint8)), np.zeros((70, 300), np.float32)
    sharp = filled(PictureBackground(), canvas, nobody, WALL)
    soft = filled(PictureBackground(), canvas, nobody, WALL, blur_px=8)
    np.testing.assert_array_equal(sharp, WALL.pixels)
    assert soft.astype(float).std() < 0.2 * sharp.astype(float).std()
    assert abs(float(soft.mean()) - float(sharp.mean())) < 2


@pytest.mark.parametrize("short_px", [0, 2])
def test_no_colour_of_people_shows_in_the_blur_beside_them_even_where_the_matte_ends_early(short_px: int) -> None:
    matte = made()
    alpha = matte.alpha
    if short_px:
        alpha = np.asarray(cv2.erode(alpha, np.ones((2 * short_px + 1, 2 * short_px + 1))), np.float32)
    found = blur(matte.picture.pixels, alpha, radius_px=4)
    # Red of the person is 200, of what is behind 20; without people taken out it is above 100 beside them.
    assert found[..., 0][alpha < 0.5].max() < 40


def test_people_made_smaller_over_their_blur_leave_no_trace_where_they_were() -> None:
    found = compose(made(), Edit(background="blur:2", scale="10%", position="0% 0%")).pixels()
    assert np.abs(found[40:].astype(int) - (20, 160, 20)).max() <= 12


def _standing() -> FloatArray:
    """Two people: one whose feet are apart, one farther up; 400 x 300."""
    alpha = np.zeros((300, 400), np.float32)
    alpha[60:200, 60:140] = 1
    alpha[200:260, 60:85] = alpha[200:260, 115:140] = 1
    alpha[80:210, 250:310] = 1
    return alpha


def test_a_contact_shadow_lies_beneath_each_foot_and_nowhere_else() -> None:
    shadow = contact(_standing())
    assert shadow[261, 72] > 0.3 and shadow[261, 128] > 0.3 and shadow[212, 280] > 0.3
    # Fainter between the feet; none beside and above.
    assert shadow[261, 100] < 0.8 * shadow[261, 72]
    assert shadow[245:, 200:].max() < 0.01 and shadow[:185].max() < 0.01
    assert shadow.max() <= 0.6


def test_people_cut_off_below_throw_none_on_the_floor() -> None:
    alpha = np.zeros((100, 100), np.float32)
    alpha[30:, 30:70] = 1
    assert contact(alpha).max() == 0


def test_the_kind_of_shadow_is_what_the_edit_says() -> None:
    block = np.zeros((120, 160), np.float32)
    block[20:90, 60:100] = 1
    matte = replace(made(), alpha=block)
    plain, drop, floor = (
        compose(matte, Edit(background="white", shadow=kind is not None, shadow_kind=kind)).pixels()
        for kind in (None, "drop", "contact")
    )
    below, beside = (slice(90, 92), slice(70, 90)), (slice(45, 60), slice(100, 101))
    assert (plain[below] == 255).all() and (plain[beside] == 255).all()
    assert floor[below].max() < 200 and floor[beside].min() > 252
    assert drop[beside].max() < 245
    np.testing.assert_array_equal(compose(matte, Edit(background="white", shadow=True)).pixels(), drop)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_harmonize_changes_people_and_not_what_is_behind_them(strength: float) -> None:
    matte = made()
    for level, darker in ((30, True), (250, False)):
        color = (level, level, level)
        before = compose(matte, Edit(background=color)).pixels()
        after = compose(matte, Edit(background=color, harmonize=strength)).pixels()
        assert (after[0] == level).all()
        assert (after[60, 80].astype(int) < before[60, 80]).all() == darker
    assert (after[60, 80].astype(int) > before[60, 80]).all()


def test_edges_reach_the_result_and_what_they_add_shows_the_picture() -> None:
    matte = made()
    plain, grown = (compose(matte, Edit(grow=each)) for each in (None, 3))
    assert grown.alpha[60].sum() == pytest.approx(plain.alpha[60].sum() + 6, abs=0.1)
    added = (plain.alpha < 0.01) & (grown.alpha > 0.1)
    assert added.any() and np.abs(grown.colour[added].astype(int) - matte.picture.pixels[added]).max() <= 20
    assert grown.box != plain.box


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"shadow_kind": "contact"}, "shadow_kind"),
        ({"shadow": True, "shadow_kind": "long"}, "shadow_kind"),
        ({"background_fit": "contain"}, "background_fit"),
        ({"background_blur": 3, "background": "white"}, "background_blur"),
        ({"background_position": "center", "background": "blur"}, "background_position"),
        ({"background_blur": 0, "background": "a.jpg"}, "background_blur"),
        ({"background_fit": "tile", "background": "a.jpg"}, "background_fit"),
        ({"grow": 51}, "grow"),
        ({"grow": "nan"}, "grow"),
        ({"grow": float("nan")}, "grow"),
        ({"grow": True}, "grow"),
        ({"feather": -1}, "feather"),
        ({"feather": "5%"}, "feather"),
        ({"fill_holes": "120%"}, "fill_holes"),
        ({"drop_islands": "much"}, "drop_islands"),
        ({"harmonize": 0.5}, "harmonize"),
        ({"harmonize": 0.5, "background": "#ffffff80"}, "harmonize"),
        ({"harmonize": 1.5, "background": "white"}, "harmonize"),
        ({"blend": "linear"}, "blend"),
        ({"blend": "lab", "background": "white"}, "blend"),
    ],
)
def test_what_has_no_meaning_is_refused_by_its_name(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(OptionError) as caught:
        Edit(**given)
    assert caught.value.option == wrong


@pytest.mark.parametrize("given", OPAQUE)
def test_these_edits_go_through_json_and_back(given: dict[str, Any]) -> None:
    edit = Edit(**given)
    assert Edit.from_json(edit.to_json()) == edit and hash(edit) == hash(Edit(**given))


def test_every_command_in_the_page_of_looks_is_taken_and_its_pictures_are_there() -> None:
    page = (DOCS / "studio.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in page.splitlines() if line.startswith("    --")]
    names = {each.name for each in fields(Edit)}
    for line in lines:
        said = vars(command.parser().parse_args(["photo.jpg", *shlex.split(line)]))
        Edit(**{name: said[name] for name in names})
    pictures = re.findall(r"\((pictures/[^)]+)\)", page)
    gallery = {f"pictures/{path.name}" for path in (DOCS / "pictures").glob("gallery-*.jpg")}
    assert len(lines) > 10 and set(pictures) == gallery
    assert sum((DOCS / each).stat().st_size for each in gallery) < 400_000
