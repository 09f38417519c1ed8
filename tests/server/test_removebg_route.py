"""``/v1.0``: what clients of remove.bg send and read."""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any

import pytest
from sent import levels, opened, picture
from starlette.testclient import TestClient

from bshm.server.routes.removebg import SIZES

URL = "/v1.0/removebg"


def ask(client: TestClient, data: bytes | None = None, **fields: Any) -> Any:
    return client.post(URL, files={"image_file": ("a.png", picture() if data is None else data)}, data=fields)


def test_a_file_gives_a_png_and_the_headers_that_clients_read(client: TestClient) -> None:
    answer = ask(client, size="auto")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    headers = answer.headers
    assert (headers["x-width"], headers["x-height"], headers["x-type"]) == ("64", "48", "person")
    assert headers["x-credits-charged"] == "0"
    box = {side: int(headers[f"x-foreground-{side}"]) for side in ("top", "left", "width", "height")}
    assert abs(box["left"] - 16) <= 6 and abs(box["top"] - 12) <= 6 and abs(box["width"] - 32) <= 12


def test_a_large_picture_is_a_preview_unless_asked_for_more(client: TestClient) -> None:
    large = picture((1200, 800), person=(300, 200, 900, 600))
    width, height = opened(ask(client, large).content).size
    assert width * height <= 250_000 and abs(width / height - 1.5) < 0.01
    assert opened(ask(client, large, size="full").content).size == (1200, 800)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_known(client: TestClient, size: str) -> None:
    assert ask(client, size=size).status_code == 200


def test_base64_in_a_form_and_in_json_do_the_same(client: TestClient) -> None:
    text = base64.b64encode(picture()).decode()
    in_form = client.post(URL, data={"image_file_b64": text})
    in_json = client.post(URL, json={"image_file_b64": text})
    assert in_form.status_code == in_json.status_code == 200 and in_form.content == in_json.content


def test_json_is_answered_to_whoever_accepts_it(client: TestClient) -> None:
    answer = client.post(URL, files={"image_file": picture()}, headers={"Accept": "application/json"})
    data = answer.json()["data"]
    assert opened(base64.b64decode(data["result_b64"])).size == (64, 48)
    assert data["foreground_width"] == int(answer.headers["x-foreground-width"])


def test_zip_holds_colour_and_alpha(client: TestClient) -> None:
    with zipfile.ZipFile(io.BytesIO(ask(client, format="zip").content)) as archive:
        assert set(archive.namelist()) == {"color.jpg", "alpha.png"}


@pytest.mark.parametrize(
    ("color", "expected"), [("81d4fa", (129, 212, 250)), ("#f00", (255, 0, 0)), ("green", (0, 128, 0))]
)
def test_a_background_colour_with_auto_format_is_a_jpeg(
    client: TestClient, color: str, expected: tuple[int, int, int]
) -> None:
    answer = ask(client, bg_color=color)
    assert answer.headers["content-type"] == "image/jpeg"
    assert all(abs(a - b) <= 6 for a, b in zip(levels(opened(answer.content), (1, 1)), expected, strict=True))


def test_a_half_transparent_colour_stays_half_transparent(client: TestClient) -> None:
    image = opened(ask(client, bg_color="0000ff80").content)
    assert image.mode == "RGBA" and image.getpixel((1, 1)) == (0, 0, 255, 128)
    assert levels(image, (32, 24))[3] == 255


def test_jpg_without_a_background_is_white(client: TestClient) -> None:
    image = opened(ask(client, format="jpg").content)
    assert min(levels(image, (1, 1))) > 250


def test_a_background_file_fills_the_canvas(client: TestClient) -> None:
    files = {"image_file": picture(), "bg_image_file": picture((10, 10), person=(0, 0, 10, 10))}
    image = opened(client.post(URL, files=files, data={"format": "png"}).content)
    assert image.mode == "RGB" and image.getpixel((1, 1)) == (240, 20, 20)


def test_alpha_channel_alone(client: TestClient) -> None:
    assert opened(ask(client, channels="alpha").content).mode == "L"


def test_exif_is_left_out_since_clients_cannot_ask_for_that(client: TestClient) -> None:
    answer = client.post("/v1.0/removebg", files={"image_file": picture(form="JPEG", exif={315: "Anna"})})
    assert answer.status_code == 200
    assert not opened(answer.content).getexif()


def test_crop_with_margins_in_pixels(client: TestClient) -> None:
    large = picture((600, 400), person=(200, 100, 400, 300))
    width, height = opened(ask(client, large, crop="true", crop_margin="10px 50px", size="full").content).size
    assert abs(width - 300) <= 12 and abs(height - 220) <= 12


def test_scale_and_position_move_the_people(client: TestClient) -> None:
    large = picture((600, 400), person=(200, 100, 400, 300))
    image = opened(ask(client, large, scale="50%", position="0% 100%", size="full").content)
    box = image.getchannel("A").point(lambda level: 255 * (level > 128)).getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert image.size == (600, 400)
    assert left <= 4 and abs(bottom - 400) <= 4 and abs((bottom - top) - 200) <= 10 and abs((right - left) - 200) <= 10


def test_nothing_outside_of_the_region_is_a_person(client: TestClient) -> None:
    image = opened(ask(client, roi="0% 0% 50% 100%").content)
    assert levels(image, (24, 24))[3] == 255 and levels(image, (40, 24))[3] == 0


def test_a_shadow_darkens_what_lies_below_right(client: TestClient) -> None:
    large = picture((600, 400), person=(200, 100, 400, 300))
    plain = opened(ask(client, large, size="full").content)
    shady = opened(ask(client, large, size="full", add_shadow="true").content)
    assert levels(plain, (300, 306))[3] < levels(shady, (300, 306))[3] < 255
    assert levels(shady, (300, 200))[3] == 255


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"size": "enormous"}, "invalid_size"),
        ({"format": "gif"}, "invalid_format"),
        ({"channels": "cmyk"}, "invalid_channels"),
        ({"roi": "1 2 3"}, "invalid_roi"),
        ({"roi": "0% 0% 900px 100%"}, "roi_exceeds_bounds"),
        ({"roi": "50% 50% 50% 60%"}, "roi_region_empty"),
        ({"crop_margin": "90%"}, "invalid_crop_margin"),
        ({"scale": "5%"}, "invalid_scale"),
        ({"position": "top"}, "invalid_position"),
        ({"bg_color": "no such"}, "invalid_bg_color"),
        ({"crop": "perhaps"}, "invalid_crop"),
        ({"semitransparency": "perhaps"}, "invalid_semitransparency"),
        ({"type": "car"}, "unknown_foreground"),
        ({"image_url": "http://example.com/a.png"}, "multiple_sources"),
        ({"bg_color": "fff", "bg_image_url": "http://example.com/a.png"}, "multiple_bg_sources"),
    ],
)
def test_wrong_parameters_have_remove_bgs_codes(client: TestClient, fields: dict[str, Any], code: str) -> None:
    answer = ask(client, **fields)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["code"] == code and error["title"]


def test_bad_pictures_have_remove_bgs_codes(client: TestClient) -> None:
    assert ask(client, b"no picture").json()["errors"][0]["code"] == "failed_to_read_image"
    assert ask(client, picture(person=None)).json()["errors"][0]["code"] == "unknown_foreground"
    assert client.post(URL, data={"size": "auto"}).json()["errors"][0]["code"] == "missing_source"
    refused = client.post(URL, data={"image_url": "http://127.0.0.1/a.png"})
    assert refused.status_code == 400 and refused.json()["errors"][0]["code"] == "failed_image_download"


def test_a_missing_key_is_403_as_there(start: Any) -> None:
    client = start()
    client.app.state.service.keys.add("shop")
    answer = ask(client)
    assert answer.status_code == 403 and answer.json()["errors"][0]["code"] == "auth_failed"
    assert client.get("/v1.0/account").status_code == 403


def test_the_rate_counts_megapixels_and_is_told(start: Any) -> None:
    client = start(rate_limit=5)
    large = picture((1500, 1200), person=(300, 200, 900, 600))  # 1.8 megapixels count 2
    first = ask(client, large)
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("5", "3")
    assert ask(client).headers["x-ratelimit-remaining"] == "2"
    assert ask(client, large, size="hd").headers["x-ratelimit-remaining"] == "0"
    refused = ask(client)
    assert refused.status_code == 429 and refused.json()["errors"][0]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_the_account_has_plenty(client: TestClient) -> None:
    attributes = client.get("/v1.0/account").json()["data"]["attributes"]
    assert attributes["credits"]["total"] > 1000 and attributes["api"]["free_calls"] > 0


def test_unknown_paths_and_methods_answer_in_remove_bgs_form(client: TestClient) -> None:
    assert client.get("/v1.0/nothing").json()["errors"]
    wrong = client.get(URL)
    assert wrong.status_code == 405 and wrong.json()["errors"]
