"""ONNX files from elsewhere: found out, stored, and run as their own code runs them."""

from __future__ import annotations

import json
from pathlib import Path

import networks
import numpy as np
import numpy.typing as npt
import pytest

from bshm import MatteOptions, Matting
from bshm.cli import main
from bshm.matting.networks import foreign
from bshm.types import Picture
from bshm.weights import catalogue
from bshm.weights.card import Look, Network, Preprocessing, Signature

Captured = pytest.CaptureFixture[str]
PLAIN = MatteOptions(decontaminate=False)


def picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Red rises from 0 to 255 from left to right; green and blue are other values everywhere."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.rint(np.linspace(0, 255, width))
    pixels[..., 1], pixels[..., 2] = 30, 220
    return pixels


def imported(tmp_path: Path, data: bytes, *flags: str, name: str = "net") -> None:
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(data)
    assert main(["models", "import", str(path), "--threads", "1", *flags]) == 0


def alpha_of(pixels: npt.NDArray[np.uint8], *, model: str = "net", exact: bool = False) -> npt.NDArray[np.float32]:
    options = MatteOptions(decontaminate=False, exact=exact)
    return Matting(model=model, device="cpu", threads=1).matte_picture(Picture(pixels), options).alpha


@pytest.mark.parametrize("opset", [11, 12, 13, 14, 15, 16, 17, 18])
def test_a_conversion_of_any_opset_is_taken_and_its_254_is_opaque(tmp_path: Path, opset: int) -> None:
    imported(tmp_path, networks.bshm(opset=opset))
    pixels = picture(37, 256)
    expected = np.minimum(pixels[..., 0] / 254, 1)
    np.testing.assert_allclose(alpha_of(pixels), expected, atol=1e-6)
    # Told to, alpha stays what the network says.
    np.testing.assert_allclose(alpha_of(pixels, exact=True), pixels[..., 0] / 255, atol=1e-6)


@pytest.mark.parametrize("layout", ["HWC", "NHWC", "NCHW"])
@pytest.mark.parametrize("answer", ["rgba", "mask", "mask1"])
def test_every_layout_and_answer_of_a_conversion_is_read_rightly(tmp_path: Path, layout: str, answer: str) -> None:
    imported(tmp_path, networks.bshm(layout=layout, answer=answer), "--like", "bshm")
    pixels = picture(45, 77)
    opaque = 254 if answer == "rgba" else 255
    np.testing.assert_allclose(alpha_of(pixels), np.minimum(pixels[..., 0] / opaque, 1), atol=1e-6)


def test_a_float_mask_that_ends_at_one_is_told_from_one_that_ends_at_255(tmp_path: Path) -> None:
    imported(tmp_path, networks.bshm(answer="mask", scale=1 / 255))
    pixels = picture(45, 77)
    np.testing.assert_allclose(alpha_of(pixels), pixels[..., 0] / 255, atol=1e-6)


def test_a_conversion_for_bgr_gets_bgr(tmp_path: Path) -> None:
    imported(tmp_path, networks.bshm(order="BGR"), "--channels", "BGR")
    pixels = picture(45, 77)
    np.testing.assert_allclose(alpha_of(pixels), np.minimum(pixels[..., 0] / 254, 1), atol=1e-6)


@pytest.mark.parametrize("kind", ["modnet", "rvm", "isnet", "birefnet"])
def test_a_known_network_is_found_out_and_fed_as_its_own_code_feeds_it(
    tmp_path: Path, kind: str, capsys: Captured
) -> None:
    imported(tmp_path, networks.rvm() if kind == "rvm" else networks.normalised(kind))
    assert f"taken as {kind}" in capsys.readouterr().err
    pixels = picture(480, 640)
    found = alpha_of(pixels)
    # Two levels: there and back through another size, of a ramp.
    np.testing.assert_allclose(found[:, 8:-8], pixels[:, 8:-8, 0] / 255, atol=2 / 255)


def test_a_mask_network_gets_its_edges_worked_out(tmp_path: Path, capsys: Captured) -> None:
    imported(tmp_path, networks.normalised("u2net"))
    assert "taken as u2net" in capsys.readouterr().err
    pixels = np.full((480, 640, 3), 40, np.uint8)
    pixels[100:400, 203:437, 0] = 220
    found = alpha_of(pixels)
    truth = np.zeros((480, 640), np.float32)
    truth[100:400, 203:437] = 1
    # The mask alone, at 320x320, is off by half a column of 2 px along the edge; what comes out has the edge itself.
    assert np.abs(found - truth).mean() < 0.001


def test_sixteen_bits_reach_a_network_that_takes_the_picture_as_it_is(tmp_path: Path) -> None:
    imported(tmp_path, networks.bshm(answer="mask"))
    pixels = picture(45, 77).astype(np.uint16) * 257
    pixels[0, 0, 0] = 1000
    found = Matting(model="net", device="cpu").matte_picture(Picture(pixels), PLAIN).alpha
    np.testing.assert_allclose(found, pixels[..., 0] / 65535, atol=1e-6)


def test_the_smallest_pictures_go_through_every_kind(tmp_path: Path) -> None:
    for kind, data in (
        ("official", networks.bshm()),
        ("modnet", networks.normalised("modnet")),
        ("rvm", networks.rvm()),
    ):
        imported(tmp_path, data, name=kind)
        for size in ((1, 1), (1, 300), (3, 2)):
            assert alpha_of(picture(*size), model=kind).shape == size


def test_eval_compares_an_imported_network_with_another(tmp_path: Path, capsys: Captured) -> None:
    from PIL import Image

    imported(tmp_path, networks.bshm(), name="one")
    imported(tmp_path, networks.normalised("modnet"), name="two")
    pixels = picture(64, 96)
    for folder, array in (("images", pixels), ("alphas", pixels[..., 0])):
        (tmp_path / "data" / folder).mkdir(parents=True)
        Image.fromarray(array).save(tmp_path / "data" / folder / "a.png")
    assert main(["eval", str(tmp_path / "data"), "--model", "one", "--model", "two", "--quiet"]) == 0
    table = capsys.readouterr().out
    assert "one" in table and "two" in table


def test_any_other_network_is_taken_with_a_card_of_ones_own(tmp_path: Path) -> None:
    card = {
        "purpose": "ours",
        "licence": "MIT",
        "networks": {
            "alpha": {
                "preprocessing": {"size_hw": [320, 320], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
                "signature": {"image": "input.1", "answer": "1959", "activation": "minmax"},
            }
        },
    }
    (tmp_path / "net.json").write_text(json.dumps(card), encoding="utf-8")
    imported(tmp_path, networks.normalised("u2net"), "--card", str(tmp_path / "net.json"))
    assert catalogue.find("net").licence == "MIT"
    pixels = picture(320, 320)
    np.testing.assert_allclose(alpha_of(pixels), pixels[..., 0] / 255, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"preprocessing": {"size_hw": [320, 320], "shortest_px": 512}}, "one of side_px"),
        ({"preprocessing": {"layout": "CHW"}}, "layout needs to be one of"),
        ({"preprocessing": {"std": [1, 1, 0]}}, "std must not contain 0"),
        ({"preprocessing": {"colour": "RGB"}}, "colour"),
        ({"signature": {"image": "input.1"}}, "answer"),
        ({"signature": {"image": "input.1", "answer": "1959", "activation": "tanh"}}, "activation needs to be one of"),
        ({"signature": {"image": "x", "answer": "1959"}}, "input.1"),
        ({"signature": {"image": "input.1", "answer": "no"}}, "d2"),
        ({"signature": {"image": "input.1", "answer": "1959", "channel": 3}}, "channel"),
        ({"preprocessing": {"size_hw": [64, 64]}}, "does not run on"),
        ({"preprocessing": {"size_hw": [320, 320], "layout": "HWC"}}, "does not run on"),
    ],
)
def test_a_card_that_is_wrong_is_refused_with_what_is_wrong(
    tmp_path: Path, models: Path, change: dict[str, object], says: str, capsys: Captured
) -> None:
    network: dict[str, object] = {
        "preprocessing": {"size_hw": [320, 320]},
        "signature": {"image": "input.1", "answer": "1959"},
    }
    (tmp_path / "net.json").write_text(json.dumps({"networks": {"alpha": {**network, **change}}}), encoding="utf-8")
    (tmp_path / "net.onnx").write_bytes(networks.normalised("u2net"))
    assert main(["models", "import", str(tmp_path / "net.onnx"), "--card", str(tmp_path / "net.json")]) == 15
    assert says in capsys.readouterr().err
    assert not models.exists() or not list(models.iterdir())


def test_an_answer_that_is_no_alpha_is_told_at_the_import(tmp_path: Path, models: Path, capsys: Captured) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(networks.rvm())
    assert main(["models", "import", str(path), "--output", "r1o"]) == 15
    assert "no alpha of the whole picture" in capsys.readouterr().err
    assert not models.exists()


@pytest.mark.parametrize(
    ("rule", "look"), [(Preprocessing(), Look(side_px=512)), (Preprocessing(32), Look(shortest_px=512))]
)
def test_a_strip_of_panorama_does_not_fill_the_memory(rule: Preprocessing, look: Look) -> None:
    height, width = foreign.input_size(100, 30_000, rule, look)
    assert height * width <= 4 * 512 * 512


def test_softmax_takes_its_channel() -> None:
    network = Network(
        "x.onnx", "", 0, 0, Preprocessing(), -1, Signature("image", "two", channel=1, activation="softmax")
    )
    logits = np.zeros((1, 2, 3, 5), np.float32)
    logits[:, 1] = np.log(3)
    np.testing.assert_allclose(foreign.plane(logits, network, (3, 5)), 0.75, atol=1e-6)
