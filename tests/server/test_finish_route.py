"""``POST /finish``: finished pictures of cut-outs, measured against the rules of a preset."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_people import drawn_alpha
from PIL import Image
from starlette.testclient import TestClient

from bshm.edit import faces, preset

RED = (200, 30, 30)


@pytest.fixture(autouse=True)
def _by_outline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A drawing has no face, and the user no presets."""
    monkeypatch.setattr(faces, "available", lambda: False)
    monkeypatch.setenv(preset.VARIABLE, str(tmp_path / "mine"))


def encoded(pixels: Any, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


@pytest.fixture
def cutout() -> bytes:
    """Somebody in red, cut out: black where nobody is, as such files are."""
    alpha = np.rint(drawn_alpha(700, 500, crown=120, head=180) * 255).astype(np.uint8)
    return encoded(np.dstack([np.where(alpha[..., None] > 0, np.array(RED, np.uint8), np.uint8(0)), alpha]))


def sent(client: TestClient, data: bytes, **fields: str) -> Any:
    return client.post("/finish", files={"image": data}, data=fields)


def test_a_preset_makes_the_picture_and_the_check_says_each_rule_with_its_figure(
    client: TestClient, cutout: bytes
) -> None:
    answer = sent(client, cutout, preset="id-35x45")
    assert answer.status_code == 200, answer.text
    assert (answer.headers["content-type"], answer.headers["X-Width"]) == ("image/jpeg", "413")
    report = json.loads(answer.headers["X-Bshm-Check"])
    found = {each["rule"]: each for each in report["findings"]}
    assert report["passed"] and found["head"]["passed"] and found["background"]["passed"]
    assert 32 <= found["head"]["value"] <= 36
    assert report["head_by"] == "shape of the matte"


def test_what_breaks_a_rule_fails_in_the_check(client: TestClient, cutout: bytes) -> None:
    answer = sent(client, cutout, preset="amazon-main", background="#202020", scale="40%")
    report = json.loads(answer.headers["X-Bshm-Check"])
    broken = {each["rule"] for each in report["findings"] if each["passed"] is False}
    assert not report["passed"] and broken == {"background", "subject"}


def test_it_is_the_edit_of_matte_on_the_cut_out_that_came(client: TestClient, cutout: bytes) -> None:
    plain = sent(client, cutout, format="png")
    assert "X-Bshm-Check" not in plain.headers
    with Image.open(io.BytesIO(plain.content)) as image, Image.open(io.BytesIO(cutout)) as given:
        assert (np.asarray(image) == np.asarray(given)).all()
    white = sent(client, cutout, background="white", shadow="true")
    with Image.open(io.BytesIO(white.content)) as image:
        assert image.mode == "RGB" and image.size == (500, 700)


def test_an_edge_that_is_scaled_has_the_peoples_colour_and_no_dark_fringe(client: TestClient, cutout: bytes) -> None:
    answer = sent(client, cutout, size="1400x1400", format="png")
    with Image.open(io.BytesIO(answer.content)) as image:
        pixels = np.asarray(image).astype(int)
    soft = (pixels[..., 3] > 8) & (pixels[..., 3] < 200)
    assert soft.any()
    assert np.abs(pixels[soft][:, :3] - RED).max() <= 2


def test_a_picture_may_stand_behind(client: TestClient, cutout: bytes) -> None:
    files = {"image": cutout, "background_image": encoded(np.full((40, 40, 3), (9, 90, 200), np.uint8))}
    answer = client.post("/finish", files=files, data={"scale": "50%", "position": "0% 100%"})
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.getpixel((490, 10)) == (9, 90, 200)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"preset": "pasport-us"}, "preset"),
        ({"background": "blur"}, "background"),
        ({"background": "http://example.com/a.png"}, "background"),
        ({"model": "bshm"}, "model"),
        ({"people": "1"}, "people"),
        ({"format": "ora"}, "format"),
        ({"format": "zip", "preset": "etsy"}, "format"),
        ({"scale": "900%"}, "scale"),
    ],
)
def test_a_field_that_has_no_meaning_here_or_is_wrong_is_named(
    client: TestClient, cutout: bytes, said: dict[str, str], field: str
) -> None:
    answer = sent(client, cutout, **said)
    assert answer.status_code == 422 and list(answer.json()["errors"]) == [field]


def test_what_is_no_cut_out_is_refused(client: TestClient) -> None:
    answer = sent(client, encoded(np.zeros((20, 20, 3), np.uint8)))
    assert answer.status_code == 422 and "no transparency" in answer.json()["errors"]["image"]
    assert client.post("/finish", data={"format": "png"}).status_code == 422
