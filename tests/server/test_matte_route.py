"""``POST /matte``: what goes in, what comes out, and what is said about it."""

from __future__ import annotations

import base64
import inspect
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from sent import levels, opened, picture
from starlette.testclient import TestClient

from bshm import options as defaults
from bshm.cli.matte import parser
from bshm.edit.spec import Edit
from bshm.options import MatteOptions
from bshm.server.fields import PictureFields
from bshm.server.service import Order


def test_a_file_gives_the_cutout_as_png(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": ("a.png", picture())})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    image = opened(answer.content)
    assert image.size == (64, 48) and image.mode == "RGBA"
    assert levels(image, (32, 24))[3] == 255 and image.getpixel((2, 2)) == (0, 0, 0, 0)


def test_headers_say_what_ran(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture()})
    headers = answer.headers
    assert headers["x-bshm-model"] == "bshm" and len(headers["x-bshm-model-sha256"]) == 64
    assert headers["x-bshm-device"] == "cpu" and headers["x-bshm-empty"] == "false"
    assert (headers["x-width"], headers["x-height"]) == ("64", "48")
    stages = [entry.split(";dur=")[0].strip() for entry in headers["server-timing"].split(",")]
    assert stages[0] == "decode" and stages[-1] == "encode" and "mask" in stages


def test_a_header_says_how_far_to_trust_it_from_the_cache_too(client: TestClient) -> None:
    pixels = np.full((48, 64, 3), 60, np.uint8)
    pixels[12:, 16:48] = (240, 20, 20)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    for _ in range(2):
        told = json.loads(client.post("/matte", files={"image": file.getvalue()}).headers["x-bshm-verdict"])
        assert told["score"] == 1 and told["expected_error"] == 0
        assert told["reasons"] == [{"code": "cut-bottom", "box": [16, 47, 32, 1]}]


def test_a_picture_without_people_is_said_to_be_empty(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture(person=None)})
    assert answer.status_code == 200 and answer.headers["x-bshm-empty"] == "true"


def test_json_takes_base64_with_and_without_data_url(client: TestClient) -> None:
    text = base64.b64encode(picture()).decode()
    for coded in (text, f"data:image/png;base64,{text}"):
        answer = client.post("/matte", json={"image": coded, "format": "webp", "quality": 100})
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/webp"


@pytest.mark.parametrize(
    ("form", "kind", "mode"),
    [("png", "image/png", "RGBA"), ("webp", "image/webp", "RGBA"), ("tiff", "image/tiff", "RGBA")],
)
def test_each_format_with_transparency(client: TestClient, form: str, kind: str, mode: str) -> None:
    answer = client.post("/matte", files={"image": picture()}, data={"format": form, "quality": "100"})
    assert answer.headers["content-type"] == kind and opened(answer.content).mode == mode


def test_a_background_colour_makes_it_opaque(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture()}, data={"background": "#0000ff", "format": "jpg"})
    red, _, blue = levels(opened(answer.content), (2, 2))
    assert answer.headers["content-type"] == "image/jpeg" and blue > 240 and red < 15


def test_a_background_picture_is_scaled_to_cover(client: TestClient) -> None:
    wall = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (7, 5), (0, 200, 0)).save(wall, "PNG")
    answer = client.post("/matte", files={"image": picture(), "background_image": wall.getvalue()})
    image = opened(answer.content)
    assert image.mode == "RGB" and image.size == (64, 48) and image.getpixel((1, 1)) == (0, 200, 0)


def test_blur_keeps_the_size(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture()}, data={"background": "blur:3"})
    assert opened(answer.content).size == (64, 48)


def test_alpha_alone_is_grey(client: TestClient) -> None:
    image = opened(client.post("/matte", files={"image": picture()}, data={"alpha": "true"}).content)
    assert image.mode == "L" and image.getpixel((32, 24)) == 255


def test_zip_holds_colour_and_alpha(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture()}, data={"format": "zip"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["color.jpg", "alpha.png"]
        assert opened(archive.read("alpha.png")).size == opened(archive.read("color.jpg")).size == (64, 48)


def test_crop_takes_the_people_and_their_margins(client: TestClient) -> None:
    data = {"crop": "true", "crop_margin": "4px"}
    answer = client.post("/matte", files={"image": picture((640, 480), person=(160, 120, 480, 360))}, data=data)
    width, height = opened(answer.content).size
    # The guided filter moves the edge of the box by a few pixels.
    assert abs(width - 328) <= 12 and abs(height - 248) <= 12


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"quality": "0"}, "quality"),
        ({"quality": "ten"}, "quality"),
        ({"format": "gif"}, "format"),
        ({"background": "/etc/passwd"}, "background"),
        ({"background": "file:///etc/passwd"}, "background"),
        ({"crop_margin": "5px"}, "crop_margin"),
        ({"colour": "red"}, "colour"),
        ({"alpha": "perhaps"}, "alpha"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, data: dict[str, str], field: str) -> None:
    answer = client.post("/matte", files={"image": picture()}, data=data)
    assert answer.status_code == 422 and field in answer.json()["errors"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"quality": "900"}, "less than or equal to 100; got '900'."),
        ({"format": "gif"}, "; got 'gif'."),
        ({"backgroud": "red"}, "Did you mean background?"),
        ({"xyz": "1"}, "/docs lists"),
    ],
)
def test_a_wrong_field_is_told_with_what_came_and_what_to_do(
    client: TestClient, data: dict[str, str], told: str
) -> None:
    assert told in client.post("/matte", files={"image": picture()}, data=data).json()["detail"]


def test_an_upload_of_another_name_is_refused_and_not_left_out_in_silence(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture(), "backgroud_image": picture()})
    assert answer.status_code == 422
    assert answer.json()["errors"].keys() == {"backgroud_image"}


def test_a_wrong_address_or_method_says_where_to_look(client: TestClient) -> None:
    assert "/docs" in client.get("/nothing").json()["detail"]
    assert client.get("/matte").json()["detail"].startswith("GET is not allowed; use POST.")


@pytest.mark.parametrize(
    "data",
    [{"format": "jpg"}, {"alpha": "1", "background": "white"}, {"model": "none-such"}, {"background": "blur:-1"}],
)
def test_what_contradicts_itself_is_refused(client: TestClient, data: dict[str, str]) -> None:
    answer = client.post("/matte", files={"image": picture()}, data=data)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"


def test_a_request_without_a_picture_says_so(client: TestClient) -> None:
    assert client.post("/matte", data={"alpha": "1"}).json()["errors"].keys() == {"image"}
    assert client.post("/matte", json={}).status_code == 422
    assert client.post("/matte").status_code == 422


def test_two_pictures_are_a_job_and_refused_here(client: TestClient) -> None:
    files = [("image", ("a.png", picture())), ("image", ("b.png", picture()))]
    assert "POST /jobs" in client.post("/matte", files=files).json()["detail"]


def test_fields_flags_and_options_have_the_same_defaults() -> None:
    flags = {action.dest: action.default for action in parser()._actions}
    expected = {
        "alpha": Edit.alpha,
        "background": Edit.background,
        "format": Edit.format,
        "quality": Edit.quality,
        "model": defaults.DEFAULT_MODEL,
    }
    for name, value in expected.items():
        assert PictureFields.model_fields[name].default == value, name
        assert flags[name] == value, name
    for name in ("decontaminate", "exact"):
        assert PictureFields.model_fields[name].default == getattr(MatteOptions, name), name
    order = {name: each.default for name, each in inspect.signature(Order).parameters.items()}
    assert order["model"] == defaults.DEFAULT_MODEL


@pytest.mark.parametrize("form", ["png", "webp", "tiff", "zip", "jpg"])
@pytest.mark.parametrize("extra", [{}, {"alpha": "true"}])
def test_exif_is_kept_unless_it_is_to_be_left_out(client: TestClient, form: str, extra: dict[str, str]) -> None:
    sent = picture(form="JPEG", exif={315: "Anna", 274: 1})
    for strip, found in ((None, "Anna"), ("false", "Anna"), ("true", None)):
        data = {"format": form, **extra, **({} if strip is None else {"strip_metadata": strip})}
        if form == "jpg" and not extra:
            data["background"] = "white"
        content = client.post("/matte", files={"image": sent}, data=data).content
        files = [content]
        if form == "zip":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                files = [archive.read(name) for name in archive.namelist()]
        assert [opened(each).getexif().get(315) for each in files] == [found] * len(files)


def test_sixteen_bits_stay_sixteen(client: TestClient) -> None:
    from bshm.files.png import encode_png

    pixels = np.full((48, 64, 3), 60 * 257, np.uint16)
    pixels[12:36, 16:48] = (61680, 5140, 5140)
    answer = client.post("/matte", files={"image": encode_png(pixels)})
    assert answer.content[24] == 16  # the bit depth in the header of a PNG


def test_outside_of_the_region_nobody_is_found(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture()}, data={"region": "0 0 50% 100%"})
    alpha = np.asarray(opened(answer.content))[..., 3]
    assert alpha[24, 24] == 255 and not alpha[:, 32:].any()
    refused = client.post("/matte", files={"image": picture()}, data={"region": "0 0 65px 100%"})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:bshm:problem:region")
    assert refused.json()["errors"] == {"region": "reaches to 65, 48, but the picture has 64x48 pixels."}


def test_one_of_several_people_is_chosen_by_number_or_place(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture()}, data={"people": "at:50%,24px"})
    assert answer.status_code == 200
    assert np.asarray(opened(answer.content))[24, 24, 3] == 255
    refused = client.post("/matte", files={"image": picture()}, data={"people": "2"})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:bshm:problem:nobody-there")
    assert "1 person was found" in refused.json()["detail"]


def test_a_larger_picture_is_made_smaller(client: TestClient) -> None:
    answer = client.post("/matte", files={"image": picture()}, data={"shrink_to": "768"})
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("32", "24")


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({"format": "jpg"}, {"format": "jpg has no transparency. Add a background, or choose png, webp or tiff."}),
        ({"crop_margin": "5%"}, {"crop_margin": "works only with crop. Add crop, or drop it."}),
        ({"scale": "5%"}, {"scale": "a scale is original, or 10% to 100%; got '5%'."}),
        (
            {"background": "blur:0"},
            {"background": '"blur:RADIUS" takes a radius above 0 and at most 1000 pixels; got 0.0.'},
        ),
    ],
)
def test_an_error_names_the_field(client: TestClient, data: dict[str, str], errors: dict[str, str]) -> None:
    answer = client.post("/matte", files={"image": picture()}, data=data)
    assert (answer.status_code, answer.json()["errors"]) == (422, errors)


def test_an_alpha_alone_shows_no_shadow(client: TestClient) -> None:
    plain, shady = (
        client.post("/matte", files={"image": picture()}, data={"alpha": "true", **more}).content
        for more in ({}, {"shadow": "true", "shadow_opacity": "50%", "shadow_kind": "contact"})
    )
    assert plain == shady


def test_a_gradient_and_the_light_of_people_are_fields(client: TestClient) -> None:
    more = {"harmonize": "0.5", "blend": "linear", "drop_islands": "2%", "grow": "1"}
    answer = client.post(
        "/matte", files={"image": picture()}, data={"background": "linear:red,blue:90", "format": "png", **more}
    )
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as made:
        assert made.mode == "RGB"
        left, right = levels(made, (0, 0)), levels(made, (made.width - 1, 0))
    assert left[0] > 200 > 60 > left[2] and right[2] > 200 > 60 > right[0]


def test_a_picture_sent_along_is_contained_on_white(client: TestClient) -> None:
    tall = io.BytesIO()
    Image.new("RGB", (10, 400), (0, 0, 200)).save(tall, "png")
    answer = client.post(
        "/matte",
        files={"image": picture(), "background_image": tall.getvalue()},
        data={"background_fit": "contain", "background_position": "100% 0%", "format": "png"},
    )
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as made:
        assert made.getpixel((0, 0)) == (255, 255, 255) and made.getpixel((made.width - 1, 0)) == (0, 0, 200)
