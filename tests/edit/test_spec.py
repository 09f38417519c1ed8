"""The description of what is made of a matte: from words, to JSON and back, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest

from bshm.edit.render import MEDIA_TYPES
from bshm.edit.spec import RESULT_FORMATS, Edit
from bshm.edit.words import (
    BACKGROUNDS,
    BlurBackground,
    ColorBackground,
    Length,
    PictureBackground,
    parse_background,
    parse_margins,
    parse_region,
)
from bshm.errors import OptionError
from bshm.files import encode
from bshm.files.suffixes import format_of
from bshm.options import FORMATS

EDITS = [
    Edit(),
    Edit(format="webp", quality=1, strip_metadata=True),
    Edit(alpha=True, format="tiff"),
    Edit(background=(1, 2, 3), format="jpg"),
    Edit(background="#11223344"),
    Edit(background="blur"),
    Edit(background="blur:12.5"),
    Edit(background="beach.jpg"),
    Edit(background=PictureBackground.of(b"\x89PNG")),
    Edit(region="1px 2% 30.25px 99.999999%", format="zip"),
    Edit(crop=True, crop_margin="10% 3px", scale=1 / 3, position=(0.1 + 0.2, 1), shadow=True, shadow_opacity="60%"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_goes_through_json_and_back_unchanged(edit: Edit) -> None:
    text = json.dumps(edit.to_json())
    again = Edit.from_json(json.loads(text))
    assert again == edit and json.dumps(again.to_json()) == text


def test_no_two_edits_are_written_alike() -> None:
    assert len({json.dumps(edit.to_json()) for edit in EDITS}) == len(EDITS)


def test_json_may_say_the_words_that_flags_and_fields_say() -> None:
    said = {"background": "#1e90ff", "crop": True, "crop_margin": "5%", "scale": "80%", "position": "center"}
    edit = Edit(background=(30, 144, 255), crop=True, crop_margin="5% 5% 5% 5%", scale=0.8, position=(0.5, 0.5))
    assert Edit.from_json(said) == edit


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"colour": "red"}, "has no option 'colour'"),
        ({"version": 2}, "version 2"),
        ({"version": "1"}, "version '1'"),
        (["crop"], "mapping"),
        ({"crop": "yes"}, "crop takes true or false"),
        ({"quality": True}, "quality takes 1 to 100"),
        ({"quality": 9.5}, "quality takes 1 to 100"),
        ({"format": "gif"}, "format takes png, webp"),
        ({"format": ["png"]}, "format takes png, webp"),
        ({"background": {"kind": "gradient"}}, "background has the kinds color, blur, picture"),
        ({"background": {"kind": ["color"]}}, "background has the kinds"),
        ({"background": {"color": "red"}}, "background has the kinds"),
        ({"background": {"kind": "blur", "radius": 3}}, "background of the kind blur has radius_px; got 'radius'"),
        ({"background": {"kind": "blur", "radius_px": "3"}}, "background"),
        ({"background": {"kind": "color", "rgb": [1, 2]}}, "background: a colour is"),
        ({"background": {"kind": "color", "rgb": 7}}, "background"),
        ({"background": {"kind": "color", "rgb": [1, 2, 3], "opacity": 2}}, "background: the opacity"),
        ({"background": {"kind": "picture", "source": 3}}, "background: a background picture takes"),
        ({"background": 7}, "background: a background takes"),
        ({"region": 7}, "region cannot be written as"),
        ({"crop": True, "crop_margin": 7}, "crop_margin cannot be written as"),
        ({"scale": True}, "scale: a scale is"),
        ({"scale": [1]}, "scale: a scale is"),
        ({"position": 7}, "position: a position is"),
        ({"position": [0.5, "x"]}, "position: a position is"),
        ({"position": [0.1, 0.2, 0.3]}, "position: a position is"),
    ],
)
def test_what_json_may_not_say_is_refused_by_its_name(value: Any, told: str) -> None:
    with pytest.raises(OptionError) as caught:
        Edit.from_json(value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"quality": 0}, "quality"),
        ({"alpha": True, "background": "red"}, "alpha"),
        ({"alpha": True, "shadow": True}, "alpha"),
        ({"format": "jpg"}, "format"),
        ({"crop_margin": "5%"}, "crop_margin"),
        ({"crop": True, "crop_margin": "60%"}, "crop_margin"),
        ({"shadow_opacity": "5%"}, "shadow_opacity"),
        ({"scale": "5%"}, "scale"),
        ({"position": "top"}, "position"),
        ({"region": "1 2 3"}, "region"),
        ({"background": "#12345"}, "background"),
        ({"background": "blur:0"}, "background"),
    ],
)
def test_an_error_carries_the_name_of_its_option_and_no_dashes(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(OptionError) as caught:
        Edit(**given)
    error = caught.value
    assert error.option == wrong
    assert str(error).startswith(wrong) and "--" not in str(error)
    assert error.told(lambda name: f"<{name}>").startswith(f"<{wrong}>")
    assert error.fault() and not error.fault().startswith((wrong, ":"))


def test_an_edit_cannot_be_changed_but_another_be_made_of_it() -> None:
    edit = Edit(crop=True, crop_margin="5%")
    with pytest.raises(FrozenInstanceError):
        edit.crop_margin = None  # type: ignore[misc]
    assert replace(edit, crop_margin="7%").crop_margin == parse_margins("7%")
    assert hash(edit) == hash(Edit(crop=True, crop_margin="5%"))
    assert "crop_margin=Margins(" in repr(edit)


def test_every_background_has_a_kind_and_every_field_a_default() -> None:
    for kind, example in {
        "color": ColorBackground((1, 2, 3)),
        "blur": BlurBackground(),
        "picture": PictureBackground("a.png"),
    }.items():
        assert isinstance(example, BACKGROUNDS[kind])
        assert Edit(background=example).to_json()["background"]["kind"] == kind
    assert {each.name: getattr(Edit(), each.name) for each in fields(Edit)} == {
        each.name: getattr(Edit, each.name) for each in fields(Edit)
    }


def test_a_path_is_a_picture_even_if_it_is_called_like_a_colour() -> None:
    assert parse_background(Path("red")) == PictureBackground("red")
    assert parse_background("red") == ColorBackground((255, 0, 0))


def test_lengths_keep_what_was_said() -> None:
    for text in ("7.5%", "0px", "123456.654321px", "0.000001%"):
        assert str(Length(float(text.rstrip("px%")), "%" if text.endswith("%") else "px")) == text
    assert str(parse_region("1 2.50px 3% 4%")) == "1px 2.5px 3% 4%"


def test_every_format_has_an_encoder_and_a_media_type() -> None:
    assert set(encode._ENCODERS) == set(FORMATS)
    assert set(MEDIA_TYPES) == set(RESULT_FORMATS) - {"auto"}
    for form, facts in FORMATS.items():
        assert all(format_of(f"x{suffix}") == form for suffix in facts.suffixes)
        assert facts.suffixes[0].removeprefix(".") in (form, "tif")
