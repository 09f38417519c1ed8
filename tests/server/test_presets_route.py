"""``GET /presets`` and the field ``preset``."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from drawn_people import Drawn, drawn_alpha
from PIL import Image
from starlette.testclient import TestClient

from bshm.edit import faces, preset


@pytest.fixture(autouse=True)
def _by_outline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A drawing has no face, and the user no presets."""
    monkeypatch.setattr(faces, "available", lambda: False)
    monkeypatch.setenv(preset.VARIABLE, str(tmp_path / "mine"))


@pytest.fixture
def portrait() -> bytes:
    """Somebody in red before a grey-blue wall."""
    stream = io.BytesIO()
    Image.fromarray(Drawn(drawn_alpha(700, 500, crown=120, head=180)).picture.pixels).save(stream, "PNG")
    return stream.getvalue()


def test_it_lists_what_the_field_preset_takes(client: TestClient) -> None:
    listed = {each["name"]: each for each in client.get("/presets").json()["presets"]}
    assert set(listed) == set(preset.names())
    assert (listed["cn-2in"]["width"], listed["cn-2in"]["height_mm"]) == (413, 49)
    assert listed["passport-us"]["rules"]["head"] == "50 to 69 %"


def test_a_damaged_file_hides_no_other(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.toml").write_text("x", encoding="utf-8")
    names = {each["name"] for each in client.get("/presets").json()["presets"]}
    assert names == set(preset.names()) - {"broken"}
    refused = client.post("/matte", files={"image": b"x"}, data={"preset": "broken"})
    assert refused.status_code == 422 and "broken.toml" in refused.json()["errors"]["preset"]


def test_a_preset_makes_the_picture_and_says_how(client: TestClient, portrait: bytes) -> None:
    answer = client.post("/matte", files={"image": portrait}, data={"preset": "id-35x45"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    assert (answer.headers["X-Width"], answer.headers["X-Height"]) == ("413", "531")
    assert answer.headers["X-Bshm-Head-By"] == "shape of the matte"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.info["dpi"] == (300, 300)
    again = client.post("/matte", files={"image": portrait}, data={"preset": "id-35x45"})
    assert again.headers["X-Bshm-Cache"] == "hit" and again.headers["X-Bshm-Head-By"] == "shape of the matte"


def test_fields_beside_a_preset_count_in_place_of_its_options(client: TestClient, portrait: bytes) -> None:
    said = {"preset": "cn-1in", "background": "#438edb", "format": "png"}
    answer = client.post("/matte", files={"image": portrait}, data=said)
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size, image.getpixel((2, 2))) == ("PNG", (295, 413), (0x43, 0x8E, 0xDB))


def test_an_enlarged_result_says_so(client: TestClient, portrait: bytes) -> None:
    answer = client.post("/matte", files={"image": portrait}, data={"size": "2000x2000", "crop": "true"})
    assert "enlarged" in answer.headers["X-Bshm-Notes"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"preset": "pasport-us"}, "preset"),
        ({"size": "9x9x9"}, "size"),
        ({"head": "900%"}, "head"),
        ({"dpi": "1"}, "dpi"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, portrait: bytes, said: dict[str, str], field: str) -> None:
    answer = client.post("/matte", files={"image": portrait}, data=said)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
