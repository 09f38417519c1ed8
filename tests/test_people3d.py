"""Drawn people: what numpy does is tested here; a whole picture where Blender's module is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from people3d import build_assets, holding, one_hand, two_hands
from people3d.arms import BEND_OF_A_WRIST, palm_axes, reach
from people3d.body import Body, draw_character
from people3d.camera import Camera
from people3d.figure import joints_at_rest
from people3d.finish import develop
from people3d.forms import slab
from people3d.hair import Head, off_the_face
from people3d.hair_styles import STYLES, choose_style, personal
from people3d.raster import Canvas, draw_strands, draw_triangles
from people3d.strands import push_out, spread

ROOT = Path(__file__).parents[1]
SIZE = 60


class Sphere:
    """A ball about the origin that answers as Blender's surfaces do."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def ray_cast(self, origin: Any, direction: Any, distance: float) -> tuple[Any, ...]:
        raise NotImplementedError

    def find_nearest(self, point: np.ndarray, within: float) -> tuple[Any, ...]:
        away = float(np.linalg.norm(point))
        if abs(away - self.radius) > within or away == 0:
            return None, None, None, None
        normal = np.asarray(point) / away
        return normal * self.radius, normal, 0, abs(away - self.radius)


def camera_before_the_origin() -> Camera:
    """Two metres away; a metre there is ``SIZE`` pixels wide."""
    camera = Camera(np.array([0, -2, 0.0]), np.zeros(3))
    camera.frame((-0.25, -0.25), (0.25, 0.25), SIZE)
    return camera


def square(half: float, y: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    points = np.array([[-half, y, -half], [half, y, -half], [half, y, half], [-half, y, half]])
    return points, np.array([[0, 1, 2], [0, 2, 3]])


def premultiplied(*squares: Any) -> np.ndarray:
    camera, canvas = camera_before_the_origin(), Canvas(SIZE, SIZE)
    for points, triangles in squares:
        draw_triangles(camera, canvas, points, triangles, one_sided=False)
    return canvas.premultiplied()


# ---- the raster


def test_alpha_is_the_share_of_a_pixel_that_is_covered() -> None:
    half = 0.2037
    alpha = premultiplied(square(half))[..., 3]
    assert alpha.sum() == pytest.approx((2 * half * SIZE) ** 2, rel=0.02)  # a third of a pixel at each edge
    assert np.all(alpha[25:35, 25:35] == 1) and np.all(alpha[:10] == 0)
    assert 0 < alpha[17, 30] < 1  # 30 - .2037 * 60 = 17.8


def test_two_triangles_leave_no_gap_between_them() -> None:
    alpha = premultiplied(square(0.4))[..., 3]
    assert np.all(alpha[12:48, 12:48] == 1)


def test_what_is_nearer_hides_what_is_farther_in_either_order() -> None:
    near, far = square(0.1, y=-0.5), square(0.3)
    for order in ((near, far), (far, near)):
        camera, canvas = camera_before_the_origin(), Canvas(SIZE, SIZE)
        for points, triangles in order:
            draw_triangles(camera, canvas, points, triangles, one_sided=False)
        assert canvas.nearest()[30, 30] == pytest.approx(1.5, abs=1e-5)
        assert canvas.nearest()[15, 15] == pytest.approx(2.0, abs=1e-5)


def test_faces_that_look_away_are_left_out_only_when_asked() -> None:
    points, triangles = square(0.2)
    for faces, one_sided, covered in (
        (triangles, True, True),
        (triangles[:, ::-1], True, False),
        (triangles, False, True),
    ):
        camera, canvas = camera_before_the_origin(), Canvas(SIZE, SIZE)
        draw_triangles(camera, canvas, points, faces, one_sided=one_sided)
        assert bool(canvas.premultiplied()[30, 30, 3] > 0.5) is covered


@pytest.mark.parametrize("angle", [0.0, 0.4, 0.785])
@pytest.mark.parametrize("width_px", [0.05, 0.2])
def test_a_thin_hair_covers_its_length_times_its_width_at_any_slant(width_px: float, angle: float) -> None:
    way = np.array([np.cos(angle), 0, np.sin(angle)])
    aside = np.linspace(-0.28, 0.28, 10)[:, None, None] * np.cross(way, [0, 1, 0])
    hairs = way * np.linspace(-0.4, 0.4, 3)[None, :, None] + aside
    canvas = Canvas(SIZE, SIZE)
    draw_strands(camera_before_the_origin(), canvas, hairs, np.ones((10, 3, 3)), np.full((10, 3), width_px / SIZE))
    alpha = canvas.premultiplied()[..., 3]
    assert alpha.sum() == pytest.approx(10 * 0.8 * SIZE * width_px, rel=0.05)


def test_hair_behind_a_thing_is_hidden_by_it_and_hair_before_it_is_not() -> None:
    hair = np.array([[[-0.4, 0, 0.0], [0.4, 0, 0.0]]])
    light = np.ones((1, 2, 3))
    for y, seen in ((0.1, False), (-0.1, True)):
        camera, canvas = camera_before_the_origin(), Canvas(SIZE, SIZE)
        draw_triangles(camera, canvas, *square(0.2), one_sided=False)
        draw_strands(camera, canvas, hair + np.array([0, y, 0]), light, np.full((1, 2), 0.02))
        across = canvas.premultiplied()[25:35, 30, 0]
        assert across.sum() > 0.25 if seen else across.max() == 0


def test_straight_colour_has_no_dark_rim_and_goes_on_outside() -> None:
    alpha = np.clip(np.linspace(-1, 2, 90), 0, 1)[None].repeat(90, 0)
    light = np.array([0.2, 0.1, 0.05])
    foreground, levels = develop(np.random.default_rng(0), np.dstack([alpha[..., None] * light, alpha]))
    assert int(levels.min()) == 0 and int(levels.max()) == 255
    assert int(np.ptp(foreground.astype(int), axis=(0, 1)).max()) <= 1


# ---- hair


def fibres(count: int = 200, points: int = 24) -> np.ndarray:
    """Hairs from left to right, some through a ball of 10 cm, some past it."""
    heights = np.linspace(-0.2, 0.2, count)
    x = np.linspace(-0.2, 0.2, points)
    return np.stack([np.tile(x, (count, 1)), np.full((count, points), 0.001), np.tile(heights[:, None], points)], -1)


def test_hair_leaves_what_is_solid_and_elsewhere_stays_as_it_was() -> None:
    ball = Sphere(0.03)
    hairs = fibres()
    moved = push_out(hairs, ball)
    assert np.linalg.norm(hairs, axis=-1).min() < 0.01  # they did pass through
    assert np.linalg.norm(moved, axis=-1).min() > 0.03 - 0.0005
    far = np.linalg.norm(hairs, axis=-1).min(1) > 0.06
    assert far.any() and np.array_equal(moved[far], hairs[far])


def test_the_roots_of_hair_stay_on_the_skin() -> None:
    ball = Sphere(0.1)
    up = np.random.default_rng(1).normal(size=(50, 3))
    roots = up / np.linalg.norm(up, axis=1, keepdims=True) * 0.1
    inwards = roots[:, None] * np.linspace(1, 0.9, 10)[None, :, None]
    moved = push_out(inwards, ball)
    assert np.array_equal(moved[:, 0], inwards[:, 0])
    assert np.linalg.norm(moved[:, 3:], axis=-1).min() > 0.1


def wisp(seed: int, **changes: Any) -> np.ndarray:
    """A patch of hair that grows straight up."""
    rng = np.random.default_rng(seed)
    roots = np.c_[rng.uniform(-0.03, 0.03, (2000, 2)), np.zeros(2000)]
    guides = (
        np.c_[rng.uniform(-0.03, 0.03, (40, 2)), np.zeros(40)][:, None]
        + np.array([0, 0, 0.2]) * np.linspace(0, 1, 20)[None, :, None]
    )
    return spread(rng, roots, guides, replace(personal(rng, STYLES["wavy"]), **changes))


def test_the_same_seed_grows_the_same_hair() -> None:
    assert np.array_equal(wisp(3), wisp(3))
    assert not np.array_equal(wisp(3), wisp(4))


def test_hair_gathers_in_locks_whose_tips_meet() -> None:
    def gap(hairs: np.ndarray) -> float:
        """How far the tip of a hair is from the nearest other, as a share of how far tips spread."""
        tips = hairs[:, -1]
        away = np.linalg.norm(tips[:, None] - tips[None], axis=-1) + 9 * np.eye(len(tips))
        return float(np.median(away.min(1)) / tips.std(0).max())

    straight = {"frizz": 0.0, "curl": 0.0}
    assert gap(wisp(3, clump=0.8, tips=0.8, **straight)) < 0.6 * gap(wisp(3, clump=0.0, tips=0.0, **straight))


def test_some_people_have_hardly_any_loose_hair_and_some_have_much() -> None:
    loose = [personal(np.random.default_rng(seed), STYLES["afro"]).fly for seed in range(200)]
    assert min(loose) < 0.01 and max(loose) > 0.1
    assert np.median(loose) < 0.05


def test_hair_before_the_face_is_combed_aside_in_its_order() -> None:
    x = np.linspace(-0.1, 0.1, 41)
    guides = np.stack([x, np.full(41, -0.1), np.full(41, -0.08)], 1)[:, None].repeat(3, 1)
    head = Head(np.zeros((1, 3)), np.zeros((0, 4), int), np.eye(3), np.zeros(3))
    aside = off_the_face(guides, head, parting=0.0, fringe=False, much=1.0)[:, 0, 0]
    assert np.abs(aside[np.abs(x) > 1e-9]).min() > 0.06
    assert np.all(np.diff(aside) > 0)


# ---- who, and what is held


def test_the_same_seed_draws_the_same_person_with_the_same_thing() -> None:
    def facts(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        return draw_character(rng).male, holding.choose(rng, bust=False), choose_style(rng, male=0.0, flat=False)

    assert facts(5) == facts(5)
    assert len({repr(facts(seed)) for seed in range(20)}) == 20


def test_everything_is_held_at_times_and_nothing_low_in_a_bust() -> None:
    rng = np.random.default_rng(0)
    held = {holding.choose(rng, bust=False).what for _ in range(3000)}
    in_busts = {holding.choose(rng, bust=True).what for _ in range(3000)}
    assert held == set(holding.HOLDS)
    assert not in_busts & {"parcel", "laptop", "skateboard"}


@pytest.mark.parametrize("name", [*one_hand.THINGS, *two_hands.THINGS, "guitar"])
def test_things_are_whole_and_of_a_size_to_hold(name: str) -> None:
    makers: dict[str, Any] = {
        **{k: make for k, (make, _) in one_hand.THINGS.items()},
        **two_hands.THINGS,
        "guitar": two_hands.guitar,
    }
    for seed in range(5):
        thing = makers[name](np.random.default_rng(seed), lambda: np.full((8, 8, 3), 0.5))
        parts = thing.parts + getattr(thing, "furry", [])
        points = np.concatenate([p for p, _, _ in parts])
        assert np.isfinite(points).all()
        assert 0.03 < np.ptp(points, axis=0).max() < 1.5
        for part_points, faces, _ in parts:
            assert faces.min() >= 0 and faces.max() < len(part_points)


def test_the_sides_of_a_box_look_outwards() -> None:
    points, faces = slab(1, 2, 3)
    a, b, c = (points[faces[:, k]] for k in (0, 1, 2))
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), points[faces].mean(1)) > 0).all()


@pytest.fixture(scope="module")
def body() -> Body:
    return Body()


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("seed", range(4))
def test_a_hand_comes_to_where_it_is_sent(body: Body, side: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rest = body.shape(rng, draw_character(rng))
    joint = joints_at_rest(body, rest)
    turns = body.base_turns("standing02")
    pose = body.pose(rest, turns)
    i = body.number["spine01"]
    chest = pose.turn[i] @ joint["spine01"] + pose.shift[i]
    sign = 1 if side == "L" else -1
    goal = chest + pose.turn[i] @ np.array([sign * 0.12, -0.26, -0.1])
    fingers = pose.turn[i] @ np.array([-sign * 0.5, -0.8, 0.2])
    reach(body, rest, turns, joint, side, goal, fingers, np.array([0, 0, 1.0]), np.array([sign * 0.5, 0.2, -1.0]))

    pose = body.pose(rest, turns)

    def at(bone: str) -> Any:
        i = body.number[f"{bone}.{side}"]
        return pose.turn[i] @ joint[f"{bone}.{side}"] + pose.shift[i]

    palm = (at("finger2-1") + at("finger5-1") + at("wrist")) / 3
    assert np.linalg.norm(palm - goal) < 0.02
    hand = pose.turn[body.number[f"wrist.{side}"]] @ palm_axes(joint, side)[:, 0]
    fore = at("wrist") - at("lowerarm01")
    assert np.arccos(hand @ fore / np.linalg.norm(fore)) < BEND_OF_A_WRIST + 0.05
    for turn in turns.values():
        assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-6)


# ---- the data of the body


def test_a_triangle_of_a_mesh_file_becomes_a_quad_whose_last_corner_repeats() -> None:
    mesh = build_assets.read_obj("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng all\nf 1/1 2/2 3/3\nf 1 2 3 4\n")
    assert mesh.faces.tolist() == [[0, 1, 2, 2], [0, 1, 2, 3]]
    assert mesh.groups == ["all"] and len(mesh.points) == 4


def test_the_data_of_the_body_is_whole(body: Body) -> None:
    assert len(body.garments()) == 20
    assert body.scalp.sum() > 100
    assert np.allclose(body.weight.sum(1)[np.unique(body.faces("body"))], 1)
    standing = body.base_turns("standing01")
    assert set(standing) == set(body.bones)
    rest = body.shape(np.random.default_rng(0), draw_character(np.random.default_rng(0)))
    height = np.ptp(rest[np.unique(body.faces("body"))][:, 2])
    assert 1.0 < height < 2.2


# ---- the command


def command(python: str | Path, *flags: str | int | Path) -> Any:
    return subprocess.run(
        [python, "-m", "people3d", *map(str, flags)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos" / "some"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(noise).save(folder / "one.jpg")
    return tmp_path / "photos"


def test_a_folder_without_photographs_is_refused_by_name(tmp_path: Path) -> None:
    done = command(sys.executable, "--out", tmp_path / "out", "--photos", tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr and "--photos" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(find_spec("bpy") is not None, reason="this Python has Blender's module")
def test_without_blender_the_command_says_how_to_get_it(tmp_path: Path, photos: Path) -> None:
    done = command(sys.executable, "--out", tmp_path / "out", "--photos", photos)
    assert done.returncode == 3
    assert "make people3d" in done.stderr
    assert not (tmp_path / "out").exists()


def python_with_blender() -> Any:
    own = Path(os.environ.get("BPY_PYTHON", ROOT / ".venv-bpy/bin/python"))
    if own.exists():
        return str(own)
    if find_spec("bpy") is not None:
        return sys.executable
    pytest.skip("Blender's module (bpy) is not installed; make people3d makes its environment")


def test_a_picture_is_drawn_whole_twice_the_same_and_only_once(tmp_path: Path, photos: Path) -> None:
    python = python_with_blender()
    flags = ("--photos", photos, "--size", 96, "--seed", 7, "--count", 1)
    files = []
    for out in (tmp_path / "a", tmp_path / "b"):
        done = command(python, "--out", out, *flags)
        assert done.returncode == 0, done.stderr
        files.append([(out / f).read_bytes() for f in ("foreground/s7_00000.jpg", "alpha/s7_00000.png")])
    assert files[0] == files[1]
    with Image.open(tmp_path / "a/alpha/s7_00000.png") as opened:
        alpha = np.asarray(opened)
    facts = json.loads((tmp_path / "a/index.json").read_text())["s7_00000"]
    assert alpha.shape == (facts["h"], facts["w"]) and max(alpha.shape) <= 96
    assert alpha.min() == 0 and alpha.max() == 255
    assert not list((tmp_path / "a").rglob("*.partial"))
    again = command(python, "--out", tmp_path / "a", *flags)
    assert again.returncode == 0 and again.stdout == ""
