"""A photograph through the networks, a preset, and its check."""

from __future__ import annotations

from pathlib import Path

import pytest

import bshm
from bshm.edit import preset
from bshm.edit.check import check
from bshm.edit.render import render
from bshm.files import decode
from bshm.options import Limits

PHOTO = Path(bshm.__file__).parent / "cli" / "astronaut.jpg"


@pytest.mark.real
def test_a_photograph_meets_the_rules_of_a_passport_by_its_face() -> None:
    chosen = preset.find("passport-us")
    with bshm.Matting() as matting:
        rendered = render(matting.matte(PHOTO), chosen.edited())
        picture = decode.decode(rendered.data, name="passport", limits=Limits())
        found = check(rendered.data, picture, matting.matte_picture(picture).alpha, chosen)
    assert rendered.head_by == found.head_by == "face detector"
    assert [(each.rule, each.found) for each in found.failures] == []
    values = {each.rule: each.value for each in found.findings if each.passed}
    assert {"head", "eyes", "background", "reaches_lower_edge"} <= set(values)
