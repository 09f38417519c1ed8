"""Samples: made by the seed, with alpha that is what it says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bshm.training import fine_crops, scenes
from bshm.training.data import DataFolder, Labelled
from bshm.training.fine_crops import CropBatches, corner
from bshm.training.fine_sampler import FineBatches, FinePools, fine_scene
from bshm.training.network.mask import MaskNetwork
from bshm.training.network.quality import QualityNetwork
from bshm.training.sampler import MaskBatches, Mixture, Pools
from bshm.training.scenes import Cutout, Rare, composite_scene, placement, real_scene, warp


@pytest.fixture(scope="module")
def pools(data_root: Path) -> Pools:
    return Pools.load(DataFolder(data_root), 640)


@pytest.fixture(scope="module")
def fine(data_root: Path) -> FinePools:
    return FinePools.load(DataFolder(data_root))


def test_a_resumed_run_sees_what_it_would_have_seen(pools: Pools) -> None:
    whole = MaskBatches(pools, Mixture(), 2, first=0, count=6, seed=5)
    rest = MaskBatches(pools, Mixture(), 2, first=4, count=2, seed=5)
    for ours, theirs in zip(whole[4], rest[0], strict=True):
        assert ours.equal(theirs)


def test_another_seed_is_another_run(pools: Pools) -> None:
    one, other = (MaskBatches(pools, Mixture(), 2, first=0, count=1, seed=seed)[0][0] for seed in (1, 2))
    assert one.shape != other.shape or not one.equal(other)


def test_what_is_left_out_is_not_seen(pools: Pools) -> None:
    # Only what a teacher or a hand drew is believed less than wholly.
    for left_out, believed in (("coarse", {255}), ("fine", None), (None, None)):
        batches = MaskBatches(pools, Mixture.without(left_out), 4, first=0, count=6, seed=3)  # type: ignore[arg-type]
        weights = torch.cat([batches[index][2].flatten() for index in range(3)])
        if believed:
            assert set(weights.tolist()) == believed
        else:
            assert weights.min() < 255
    assert Mixture.without("fine").composite == 0
    assert Mixture.without(None) == Mixture()


@pytest.mark.parametrize(("certainty", "portraits"), [(255, True), (140, False)])
def test_portraits_are_pasted_where_a_teacher_is_sure_of_them(
    data_root: Path, tmp_path: Path, certainty: int, portraits: bool
) -> None:
    data = DataFolder(data_root)
    assert len(FinePools.load(data).clothed) == 1  # street pictures alone
    for picture in (data_root / "portraits" / "us_governors").iterdir():
        mask = tmp_path / "portraits" / "us_governors" / f"{picture.stem}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(mask), np.full((96, 96), certainty, np.uint8))
    assert len(FinePools.load(DataFolder(data_root, tmp_path)).clothed) == 1 + portraits


def test_composites_are_alpha_times_foreground_plus_the_rest(fine: FinePools) -> None:
    for seed in range(40):
        scene = fine_scene(fine, (160, 192), np.random.default_rng(seed))
        if scene.foreground is None or scene.background is None:
            continue
        alpha = scene.alpha[..., None] / 255.0
        made = alpha * scene.foreground + (1 - alpha) * scene.background
        # Noise and JPEG lie on the picture alone: their mean is zero, so the mean difference stays within rounding
        # and clipping, while a wrong alpha or a wrong layer is off by tens of levels where people are.
        assert abs(float((made - scene.image).mean())) < 3
        assert float(np.abs(made - scene.image).mean()) < 14


def test_the_small_pictures_show_what_the_native_one_does(fine: FinePools) -> None:
    batch = FineBatches(fine, scenes=1, first=0, count=1, seed=1, mask_side_px=256, quality_side_px=512)[0]
    native = batch["alpha"][0, None, None].float() / 255
    for name in ("whole", "middle"):
        small = batch[f"{name}_alpha"]
        assert batch[name].shape[-2:] == small.shape[-2:]
        enlarged = F.interpolate(small, native.shape[-2:], mode="bilinear", align_corners=False)
        # Soft edges are coarser; a shift of ten pixels would give 0.03 and more.
        assert float((enlarged - native).abs().mean()) < 0.02


def test_crops_hold_a_soft_place() -> None:
    places = torch.zeros(900, 700, dtype=torch.bool)
    places[400, 300] = True
    torch.manual_seed(0)
    corners = [corner(places, 192) for _ in range(100)]
    # Shifts have a standard deviation of an eighth of the side: four of them reach the rim, once in 16,000 draws.
    assert all(y <= 400 < y + 192 and x <= 300 < x + 192 for y, x in corners)
    assert len(set(corners)) > 90


@pytest.fixture
def crops(fine: FinePools) -> CropBatches:
    return crop_batches(fine)


def crop_batches(fine: FinePools) -> CropBatches:
    """Batches of four crops of four scenes, as one of two processes sees them."""
    scenes = FineBatches(fine, scenes=1, first=0, count=8, seed=1, mask_side_px=192, quality_side_px=192)
    torch.manual_seed(0)
    return CropBatches(scenes, MaskNetwork("lite0"), QualityNetwork(), crops=4, stride=2)


def test_a_batch_of_crops_is_of_many_scenes_and_uses_each_crop_once(crops: CropBatches) -> None:
    batches = [crops[number] for number in (1, 3, 5, 7)]
    assert {name: tuple(each.shape[:2]) for name, each in batches[0].items()} == {
        "image": (4, 3), "alpha": (4, 1), "foreground": (4, 3), "background": (4, 3), "mask": (4, 1), "guide": (4, 1),
        "known": (4, 1),
    }  # fmt: skip
    # Scene 7 is the last of four in the first batch and the first of four in the last one.
    scene = crops.scenes[7]["image"][0].numpy()
    for turn, batch in enumerate(batches):
        assert [holds(scene, crop.permute(1, 2, 0).numpy()) for crop in batch["image"]] == [
            place == 3 - turn for place in range(4)
        ]
    seen = [tuple(batch["image"][3 - turn].flatten()[:2000].tolist()) for turn, batch in enumerate(batches)]
    assert len(set(seen)) == 4


def holds(scene: np.ndarray, crop: np.ndarray) -> bool:
    """Whether ``crop`` is a part of ``scene``, pixel for pixel."""
    differences = cv2.matchTemplate(scene, np.ascontiguousarray(crop), cv2.TM_SQDIFF)
    y, x = np.unravel_index(differences.argmin(), differences.shape)
    return np.array_equal(scene[y : y + crop.shape[0], x : x + crop.shape[1]], crop)


def test_crops_of_a_resumed_run_are_those_that_it_would_have_seen(fine: FinePools, crops: CropBatches) -> None:
    torch.manual_seed(123)
    undisturbed = [crops[number] for number in (1, 3, 5)][2]
    torch.manual_seed(321)
    resumed = crop_batches(fine)[5]
    assert all(resumed[name].equal(undisturbed[name]) for name in undisturbed)


def test_shrinking_warps_keep_the_centre() -> None:
    image = np.zeros((400, 400), np.uint8)
    image[180:220, 180:220] = 255
    small = warp(image, placement((200, 200), (50, 50), scale=0.25, degrees=0, mirrored=False), (100, 100), 0)
    ys, xs = np.nonzero(small > 127)
    # Pixel centres: the square's middle, 199.5, lands on (199.5 - 200) / 4 + 50 = 49.9.
    assert abs(ys.mean() - 49.9) < 0.6 and abs(xs.mean() - 49.9) < 0.6


def test_a_view_without_the_head_begins_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "TRAINED_RARE", Rare(headless=1.0))
    monkeypatch.setattr(scenes, "_any_angle", lambda _rng: 0.0)
    mask = np.zeros((400, 300), np.uint8)
    mask[40:340, 110:190] = 255
    image = np.full((400, 300, 3), 90, np.uint8)
    image[40 : 40 + 300 // 7] = (255, 0, 0)  # the head, a seventh of the body
    body = Labelled("someone", image, mask, "coarse")
    for seed in range(40):
        view = real_scene(body, (192, 160), np.random.default_rng(seed))
        assert view.image[..., 0].max() < 100 and view.alpha.max() == 255


def scene_with(rare: Rare, seed: int = 4) -> scenes.Scene:
    """A bust before a wall."""
    bust = np.zeros((200, 160), np.uint8)
    bust[20:, 40:120] = 255
    person = Cutout(np.full((200, 160, 3), 180, np.uint8), bust, flush=True, fine=True)
    wall = np.full((240, 240, 3), 120, np.uint8)
    return composite_scene([person], wall, [wall], (224, 224), np.random.default_rng(seed), occlude=False, rare=rare)


def test_dark_clothes_leave_the_head_as_it_is() -> None:
    scene = scene_with(Rare(dark_clothes=1.0))
    rows = np.flatnonzero((scene.alpha == 255).any(axis=1))
    column = scene.image[rows, int(np.median(np.nonzero(scene.alpha == 255)[1])), 1].astype(int)
    assert np.ptp(column[: len(column) // 2]) <= 1
    assert column[-1] < 0.8 * column[0]


def test_bars_stand_behind_people() -> None:
    scene = scene_with(Rare(bars=1.0))
    assert scene.background is not None
    assert np.ptp(scene.background.astype(int), axis=(0, 1)).max() > 15
    assert np.ptp(scene.image[scene.alpha == 255].astype(int), axis=0).max() <= 1


def test_people_or_scene_may_stand_in_the_dark() -> None:
    def contrasts(rare: Rare) -> list[float]:
        """How much brighter the bust is than the wall."""
        found = []
        for seed in range(20):
            scene = scene_with(rare, seed)
            assert scene.background is not None
            found.append(float(np.log(scene.image[scene.alpha == 255].mean() / scene.background.mean())))
        return found

    alike, apart = contrasts(Rare()), contrasts(Rare(lit_apart=1.0))
    assert min(apart) < min(alike) - 0.3
    assert max(apart) > max(alike) + 0.3


def test_somebody_near_is_cut_by_the_frame_and_out_of_focus() -> None:
    soft = []
    for seed in range(12):
        plain, near = scene_with(Rare(), seed), scene_with(Rare(near=1.0), seed)
        sides = near.alpha[:, [0, -1]].max(axis=0)
        assert (sides == 255).any() and near.alpha[-1].max() == 255
        soft.append(
            ((near.alpha > 0) & (near.alpha < 255)).mean() > 2 * ((plain.alpha > 0) & (plain.alpha < 255)).mean()
        )
        # Exact still: what is seen is the person's colour over what is behind.
        assert near.foreground is not None and near.background is not None
        share = near.alpha[..., None].astype(np.float32) / 255
        seen = share * near.foreground + (1 - share) * near.background
        assert np.abs(seen - near.image).max() <= 2
    assert sum(soft) > 6


def test_what_is_held_before_a_body_belongs_to_the_person() -> None:
    beyond = 0
    for seed in range(12):
        plain, held = scene_with(Rare(), seed), scene_with(Rare(held=1.0), seed)
        assert (held.alpha >= plain.alpha).all()
        assert held.foreground is not None and held.background is not None
        share = held.alpha[..., None].astype(np.float32) / 255
        seen = share * held.foreground + (1 - share) * held.background
        assert np.abs(seen - held.image).max() <= 2
        beyond += bool((held.alpha > plain.alpha).any())
        # Nothing else is touched.
        kept = (held.alpha == 0) & (plain.alpha == 0)
        assert np.array_equal(held.image[kept], plain.image[kept])
    assert beyond > 6


def test_the_same_things_behind_people_are_no_part_of_them() -> None:
    changed = 0
    for seed in range(12):
        scene = scene_with(Rare(things=1.0), seed)
        assert scene.background is not None
        changed += np.ptp(scene.background.astype(int), axis=(0, 1)).max() > 15
        assert np.array_equal(scene.image[scene.alpha == 0], scene.background[scene.alpha == 0])
    assert changed > 6


def test_what_is_patched_stays_the_person() -> None:
    scene = scene_with(Rare())
    rng = np.random.default_rng(3)
    textures = [rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)]
    changed = 0
    for seed in range(12):
        made = scenes.patched(scene, textures, np.random.default_rng(seed))
        assert np.array_equal(made.alpha, scene.alpha)
        # Nothing beside the person is touched.
        assert np.array_equal(made.image[scene.alpha == 0], scene.image[scene.alpha == 0])
        changed += not np.array_equal(made.image, scene.image)
    assert changed > 6


def test_a_mask_that_loses_a_body_is_replaced_by_the_truth_blurred() -> None:
    torch.manual_seed(0)
    true = torch.zeros(2, 1, 256, 256)
    true[:, :, 60:, 80:180] = 1
    soft = true * 0.9 + 0.05
    healed = fine_crops.healed(torch.stack([soft[0], torch.zeros(1, 256, 256)]), true)
    assert healed[0].equal(soft[0])  # unsure, but nobody is lost
    # Off by no more than a blur of 13 px twice makes along an outline of 492 px.
    assert (healed[1] - true[1]).abs().mean() < 0.05 and 0 < healed[1, 0, 150, 82] < 1
