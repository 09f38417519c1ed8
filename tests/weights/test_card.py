"""What stands on a card: facts of a file, and beside them what the set makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fake_network import CARD

from bshm.errors import ModelFileError
from bshm.weights import catalogue
from bshm.weights.card import Card, Look, Network, Preprocessing, Signature

# The entry of a network as cards of format 1 hold it.
FORMAT_1: Mapping[str, Any] = {
    "file": "x.onnx", "sha256": "ab", "bytes": 3, "parameters": 2, "parity": 0.5, "signature": None,
    "preprocessing": {
        "area_px": 320, "multiple_px": 32, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0],
        "resize": "antialiased, half-pixel centres", "size_hw": None, "shortest_px": 0, "layout": "NCHW",
        "order": "RGB", "white": 1.0, "dtype": "float32", "mirrored": True, "closer_px": 480,
    },
}  # fmt: skip


def card_of(folder: Path, format: int, **networks: Any) -> Card:
    entry = json.loads(CARD.to_json())
    (folder / "set.json").write_text(json.dumps({**entry, "format": format, "networks": networks}), encoding="utf-8")
    return Card.read(folder / "set.json")


def test_a_card_of_the_format_before_is_read_as_it_was_meant(tmp_path: Path) -> None:
    network = card_of(tmp_path, 1, mask=FORMAT_1).networks["mask"]
    assert network == Network(
        "x.onnx", "ab", 3, 2, Preprocessing(32), 0.5, None, Look(320, 0, mirrored=True, closer_px=480)
    )


def test_an_imported_set_of_the_format_before_keeps_its_size(tmp_path: Path) -> None:
    preprocessing = {**FORMAT_1["preprocessing"], "area_px": 0, "shortest_px": 512, "mirrored": False, "closer_px": 0}
    entry = {**FORMAT_1, "preprocessing": preprocessing, "signature": asdict(Signature("input", "output"))}
    network = card_of(tmp_path, 1, alpha=entry).networks["alpha"]
    assert (network.look, network.signature) == (Look(shortest_px=512), Signature("input", "output"))


def test_a_card_of_the_present_format_has_no_look_in_its_preprocessing(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="area_px"):
        card_of(tmp_path, 2, mask=FORMAT_1)


def test_a_card_of_a_format_to_come_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="its format is 3, this version reads 1 and 2"):
        card_of(tmp_path, 3, mask=FORMAT_1)


def test_a_picture_has_one_size() -> None:
    for look in (Look(512, 512), Look(shortest_px=512)):
        size = None if look.side_px else (320, 320)
        with pytest.raises(ValueError, match="one of side_px, shortest_px and size_hw"):
            Network("x.onnx", "", 0, 0, Preprocessing(size_hw=size), -1, look=look)


def test_two_sets_with_one_file_differ_in_their_look_alone() -> None:
    best, lite = (catalogue.find(name).networks["mask"] for name in ("bshm", "bshm-lite"))
    assert best.file == lite.file
    assert best.look != lite.look
    assert replace(best, look=lite.look) == lite


def test_another_look_is_another_set_of_weights() -> None:
    """Results are kept by this hash."""
    network = CARD.networks["mask"]
    looks = [Look(64), Look(96), Look(64, mirrored=True), Look(64, closer_px=96)]
    assert len({replace(CARD, networks={"mask": replace(network, look=look)}).sha256 for look in looks}) == len(looks)


def test_metadata_of_earlier_files_states_a_look_which_is_passed_over() -> None:
    assert Preprocessing.from_metadata(json.dumps(FORMAT_1["preprocessing"])) == Preprocessing(32)
