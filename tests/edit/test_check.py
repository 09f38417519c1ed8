"""A finished picture against each rule, with figures that are known."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from drawn_people import Drawn, drawn_alpha
from PIL import Image, ImageCms

from bshm.edit import faces, preset
from bshm.edit.check import CheckReport, Finding, check
from bshm.edit.preset import Preset, Rules
from bshm.edit.render import render
from bshm.edit.size import parse_range, parse_size
from bshm.files import decode
from bshm.options import Limits
from bshm.types import FloatArray


@pytest.fixture(autouse=True)
def _by_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawing has no face."""
    monkeypatch.setattr(faces, "available", lambda: False)


def of(rules: Rules, **edit: Any) -> Preset:
    return Preset("mine", "Mine", "here", "2026-01-02", "source", rules, edit, in_box=False)


def drawing(*, height: int = 400, width: int = 300, background: Any = (255, 255, 255)) -> tuple[Any, FloatArray]:
    """A head from row 40 to 240 on a plain background."""
    alpha = drawn_alpha(height, width, crown=40, head=200)
    pixels = np.full((height, width, 3), background, np.uint8)
    pixels[alpha > 0.5] = (200, 40, 30)
    return pixels, alpha


def report(
    pixels: Any, alpha: FloatArray, rules: Rules, form: str = "PNG", edit: Any = None, **file: Any
) -> CheckReport:
    """What is found in the file of some pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **file)
    picture = decode.decode(stream.getvalue(), name="drawing", limits=Limits())
    return check(stream.getvalue(), picture, alpha, of(rules, **(edit or {})))


def one(found: CheckReport) -> Finding:
    (finding,) = found.findings
    return finding


def test_the_head_is_measured_in_per_cent_mm_and_pixels_of_the_presets_size() -> None:
    pixels, alpha = drawing()
    share = one(report(pixels, alpha, Rules(head=parse_range("45..55%"))))
    assert share.passed and share.value == pytest.approx(50, rel=0.06)
    assert share.value is not None
    paper = one(report(pixels, alpha, Rules(head=parse_range("28..40mm")), edit={"size": "45x60mm"}))
    assert paper.passed and paper.value == pytest.approx(60 * share.value / 100, abs=0.1)
    both = report(pixels, alpha, Rules(size=parse_size("600x800"), top=parse_range("79..81px")))
    assert [(each.rule, each.passed) for each in both.findings] == [("size", False), ("top", True)]
    assert both.findings[1].value == 80
    assert both.head_by == "shape of the matte"


def test_a_head_beyond_the_range_fails_with_its_figure() -> None:
    pixels, alpha = drawing()
    found = one(report(pixels, alpha, Rules(head=parse_range("70..80%"))))
    assert found.passed is False
    assert found.needed == "70 to 80 % of the height" and found.found.endswith(" %")


def test_eyes_that_nobody_can_see_are_neither_passed_nor_failed() -> None:
    pixels, alpha = drawing()
    found = report(pixels, alpha, Rules(eyes=parse_range("56..69%")))
    assert one(found).passed is None and "bshm[faces]" in one(found).found
    assert found.passed


@pytest.mark.parametrize(
    ("background", "passed"), [((255, 255, 255), True), ((253, 255, 255), True), ((252, 255, 255), False)]
)
def test_the_background_is_held_to_its_tolerance(background: tuple[int, int, int], passed: bool) -> None:
    pixels, alpha = drawing(background=background)
    found = one(report(pixels, alpha, Rules(background=((255, 255, 255),), background_tolerance=2)))
    assert (found.passed, found.value) == (passed, float(passed))


def test_a_patch_of_another_colour_fails_with_its_share() -> None:
    pixels, alpha = drawing()
    outside = int((alpha == 0).sum())
    pixels[:40, :100] = (90, 90, 90)
    found = one(report(pixels, alpha, Rules(background=((255, 255, 255),))))
    assert found.passed is False
    # The rim around the person is left out, so the patch weighs a little more.
    assert found.value == pytest.approx(1 - 4000 / outside, abs=0.01)


def test_one_of_several_colours_is_enough_but_not_two_at_once() -> None:
    pixels, alpha = drawing(background=(67, 142, 219))
    rules = Rules(background=((255, 255, 255), (67, 142, 219)))
    assert one(report(pixels, alpha, rules)).passed
    pixels[:, :150][alpha[:, :150] == 0] = 255
    assert one(report(pixels, alpha, rules)).passed is False


def test_a_transparent_background_is_no_white_one() -> None:
    pixels, alpha = drawing()
    clear = np.dstack([pixels, (alpha * 255).astype(np.uint8)])
    rules = Rules(background=((255, 255, 255),), transparent=False)
    assert [each.passed for each in report(clear, alpha, rules).findings] == [False, False]
    assert one(report(clear, alpha, Rules(transparent=True))).passed
    assert one(report(pixels, alpha, Rules(transparent=True))).passed is False


def test_the_subject_is_its_longer_share_of_the_frame() -> None:
    alpha = np.zeros((200, 400), np.float32)
    alpha[20:180, 150:250] = 1
    pixels = np.full((200, 400, 3), 255, np.uint8)
    found = one(report(pixels, alpha, Rules(subject=parse_range("75..90%"))))
    assert (found.passed, found.value) == (True, 80)
    assert one(report(pixels, alpha, Rules(subject=parse_range("85%..")))).passed is False


def test_a_body_that_ends_above_the_lower_edge_is_told_by_how_much() -> None:
    pixels, alpha = drawing()
    rules = Rules(reaches_lower_edge=True)
    assert one(report(pixels, alpha, rules)).passed
    pixels[-20:], cut = 255, alpha.copy()
    assert one(report(pixels, cut, rules)).value == 20  # the network took the strip for cloth
    cut[-30:] = 0
    found = one(report(pixels, cut, rules))
    assert (found.passed, found.value) == (False, 30)


def test_nobody_fails_what_is_about_people() -> None:
    pixels, alpha = drawing()
    rules = Rules(subject=parse_range("1%.."), reaches_lower_edge=True, head=parse_range("1%.."))
    found = report(pixels, np.zeros_like(alpha), rules)
    assert [each.passed for each in found.findings] == [False] * 3
    assert found.head_by is None


def test_pixels_sides_aspect_and_resolution_are_those_of_the_file() -> None:
    pixels, alpha = drawing()
    rules = Rules(
        size=parse_size("300x400"),
        dpi=300,
        width=parse_range("300px"),
        height=parse_range("..399px"),
        longest=parse_range("400..500px"),
        shortest=parse_range("301px.."),
        aspect=0.75,
    )
    found = {each.rule: each.passed for each in report(pixels, alpha, rules, dpi=(300, 300)).findings}
    assert found == {
        "size": True, "dpi": True, "width": True, "height": False, "longest": True, "shortest": False, "aspect": True
    }  # fmt: skip
    unstated = {each.rule: each for each in report(pixels, alpha, rules).findings}
    assert unstated["dpi"].passed is False and unstated["dpi"].found == "not stated"


@pytest.mark.parametrize(("dpi", "passed"), [(300, True), (600, False), (None, True)])
def test_a_size_on_paper_counts_with_the_resolution_in_the_file(dpi: float | None, passed: bool) -> None:
    pixels = np.full((531, 413, 3), 255, np.uint8)
    alpha = np.zeros((531, 413), np.float32)
    file: dict[str, Any] = {} if dpi is None else {"dpi": (dpi, dpi)}
    assert one(report(pixels, alpha, Rules(size=parse_size("35x45mm")), **file)).passed is passed


def test_the_file_is_told_by_how_it_begins_and_by_its_bytes() -> None:
    pixels, alpha = drawing()
    rules = Rules(formats=("jpg",), kb=parse_range("..1kB"))
    form, kb = report(pixels, alpha, rules, form="JPEG").findings
    assert form.passed and form.found == "jpg"
    assert kb.passed is False and kb.value is not None and kb.value > 1
    assert report(pixels, alpha, rules, form="WEBP").findings[0].passed is False


def test_colours_that_are_no_srgb_are_named() -> None:
    pixels, alpha = drawing()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert one(report(pixels, alpha, Rules(srgb=True))).passed
    assert one(report(pixels, alpha, Rules(srgb=True), icc_profile=srgb)).passed
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(stream, "JPEG")
    picture = decode.decode(stream.getvalue(), name="drawing", limits=Limits())
    found = one(check(stream.getvalue(), picture, alpha, of(Rules(srgb=True))))
    assert (found.passed, found.found) == (False, "CMYK")


# By the outline of a drawing there are no eyes; a head's outline fits to 6 %, too coarse for both ends of these.
@pytest.mark.parametrize("name", preset.names())
def test_what_a_preset_makes_of_a_portrait_passes_its_own_check(name: str) -> None:
    chosen = preset.find(name)
    matte = Drawn(drawn_alpha(1400, 1000, crown=250, head=350))
    rendered = render(matte, chosen.edited())
    picture = decode.decode(rendered.data, name=name, limits=Limits())
    # Where the drawn person is red, which no background is.
    red = picture.pixels.astype(int)
    alpha = ((red[..., 0] > 150) & (red[..., 1] < 120)).astype(np.float32)
    found = check(rendered.data, picture, alpha, chosen)
    broken = [(each.rule, each.found, each.needed) for each in found.failures]
    assert not broken
    unknown = {each.rule for each in found.findings if each.passed is None}
    assert unknown <= {"eyes"}
    if chosen.rules.head or chosen.rules.top or chosen.rules.eyes:
        assert found.head_by == rendered.head_by == "shape of the matte"
