"""Networks are what their card says, or they are not opened."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from fake_network import CARD
from onnx import TensorProto, helper

from bshm.errors import DeviceUnavailableError, MemoryExhaustedError, ModelFileError
from bshm.matting.engines import Staged, open_engine
from bshm.runtime import session
from bshm.runtime.providers import Device, choose
from bshm.runtime.session import METADATA_KEY, OnnxSession
from bshm.weights import store
from bshm.weights.card import Card, Look, Network, Preprocessing

PREPROCESSING = Preprocessing(multiple_px=32)


def onnx_file(preprocessing: Preprocessing | None = PREPROCESSING) -> bytes:
    """A network whose mask is the red channel."""
    numbers = TensorProto.FLOAT
    image = helper.make_tensor_value_info("image", numbers, [1, 3, None, None])
    mask = helper.make_tensor_value_info("mask", numbers, [1, 1, None, None])
    weights = helper.make_tensor("weights", numbers, [1, 3, 1, 1], [1.0, 0.0, 0.0])
    node = helper.make_node("Conv", ["image", "weights"], ["mask"])
    graph = helper.make_graph([node], "red", [image], [mask], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if preprocessing is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, json.dumps(asdict(preprocessing))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def entry_for(data: bytes, preprocessing: Preprocessing = PREPROCESSING) -> Network:
    return Network("red.onnx", hashlib.sha256(data).hexdigest(), len(data), 3, preprocessing, 0.0, look=Look(64))


def opened(data: bytes, network: Network | None = None, threads: int | None = 1) -> OnnxSession:
    return OnnxSession(data, network or entry_for(data), choose("cpu"), threads)


def card_in(folder: Path, data: bytes) -> Card:
    (folder / "red.onnx").write_bytes(data)
    return replace(CARD, networks={"mask": entry_for(data)}, folder=folder)


def test_outputs_come_by_name() -> None:
    image = np.random.default_rng(0).random((1, 3, 32, 64), np.float32)
    found = opened(onnx_file()).run({"image": image})
    assert list(found) == ["mask"]
    assert (found["mask"][0, 0] == image[0, 0]).all()


def test_a_network_that_was_made_for_another_preprocessing_is_refused() -> None:
    data = onnx_file(replace(PREPROCESSING, mean=(0.5, 0.5, 0.5)))
    with pytest.raises(ModelFileError, match=r"red\.onnx states .*do not belong together"):
        opened(data, entry_for(data))


def test_a_network_that_does_not_say_how_it_was_made_is_refused() -> None:
    with pytest.raises(ModelFileError, match="no preprocessing"):
        opened(onnx_file(None))


@pytest.mark.parametrize("kept", [0, 1, 20, -1])
def test_a_truncated_file_is_a_model_file_error(kept: int) -> None:
    whole = onnx_file()
    data = whole[:kept]
    with pytest.raises(ModelFileError, match=r"red\.onnx"):
        opened(data, entry_for(whole))


def test_a_file_that_is_no_network_is_a_model_file_error() -> None:
    with pytest.raises(ModelFileError, match="cannot be opened by onnxruntime"):
        opened(b"<!doctype html>" * 100)


def test_a_device_that_cannot_start_here_is_named_and_never_replaced() -> None:
    data = onnx_file()
    with pytest.raises(DeviceUnavailableError, match=r"^device cuda:0 does not start.*onnxruntime-gpu"):
        OnnxSession(data, entry_for(data), Device("cuda:0", "CUDAExecutionProvider", {"device_id": 0}))


def test_memory_that_runs_out_in_the_network_names_the_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def run(self, outputs: object, feeds: object) -> None:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 123")

    network = opened(onnx_file())
    monkeypatch.setattr(network, "_session", Full())
    with pytest.raises(MemoryExhaustedError, match=r"\(1, 3, 32, 32\)"):
        network.run({"image": np.zeros((1, 3, 32, 32), np.float32)})


def test_one_session_answers_several_threads_at_once() -> None:
    network = opened(onnx_file(), threads=2)
    images = [np.full((1, 3, 32, 32 + 32 * (n % 3)), n, np.float32) for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda image: network.run({"image": image})["mask"], images)
        assert all((mask == n).all() for n, mask in enumerate(found))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds a process to cores")
def test_threads_are_the_cores_that_this_process_may_use_at_most_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
    assert session.default_threads() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert session.default_threads() == 8


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what a process holds this way")
def test_networks_that_run_one_after_the_other_need_the_memory_of_one(tmp_path: Path) -> None:
    """In a process of its own: what others ran here has left memory behind."""
    numbers, mebi = TensorProto.FLOAT, 1 << 20
    image = helper.make_tensor_value_info("image", numbers, [1, 3, None, None])
    mask = helper.make_tensor_value_info("mask", numbers, [1, 1, None, None])
    weights = [
        helper.make_tensor("wide", numbers, [64, 3, 1, 1], [1.0] * 192),
        helper.make_tensor("narrow", numbers, [1, 64, 1, 1], [1.0] * 64),
    ]
    nodes = [helper.make_node("Conv", ["image", "wide"], ["x"]), helper.make_node("Conv", ["x", "narrow"], ["mask"])]
    model = helper.make_model(
        helper.make_graph(nodes, "wide", [image], [mask], weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(asdict(PREPROCESSING))
    (tmp_path / "wide.onnx").write_bytes(model.SerializeToString())
    code = f"""
import numpy as np
from bshm.runtime.providers import choose
from bshm.runtime.session import OnnxSession
from bshm.weights.card import Network, Preprocessing
data = open({str(tmp_path / "wide.onnx")!r}, "rb").read()
entry = Network("wide.onnx", "", 0, 0, Preprocessing(32), 0.0)
networks = [OnnxSession(data, entry, choose("cpu"), 1) for _ in range(4)]
image = np.zeros((1, 3, 512, 512), np.float32)  # between its layers are 64 MiB
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
networks[0].run({{"image": image}})
before = held()
for network in networks[1:]:
    network.run({{"image": image}})
print(held() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 * mebi


def test_a_program_around_bshm_may_have_set_up_that_memory_itself() -> None:
    code = (
        "import onnxruntime\n"
        "def register(*_): raise RuntimeError('an allocator was registered')\n"
        "onnxruntime.create_and_register_allocator = register\n"
        "import bshm.runtime.session"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- from the card to the session


def test_a_set_is_opened_from_its_folder(tmp_path: Path) -> None:
    opened_set = open_engine(card_in(tmp_path, onnx_file()), "cpu", threads=1)
    assert isinstance(opened_set, Staged)
    assert opened_set.mask(np.full((40, 60, 3), 255, np.uint8)).min() == 1
    assert (opened_set.device.name, list(opened_set.sessions), opened_set.tile_threads) == ("cpu", ["mask"], 1)


def test_a_file_with_another_hash_is_refused_with_both(tmp_path: Path) -> None:
    card = card_in(tmp_path, onnx_file())
    (tmp_path / "red.onnx").write_bytes(onnx_file() + b"\0")
    with pytest.raises(ModelFileError, match=f"the card says {card.networks['mask'].sha256[:12]}"):
        open_engine(card, "cpu")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    card = card_in(tmp_path, onnx_file())
    (tmp_path / "red.onnx").unlink()
    with pytest.raises(ModelFileError, match=r"red\.onnx"):
        store.read(card, card.networks["mask"])


def test_a_card_survives_the_way_to_its_file_and_back(tmp_path: Path) -> None:
    data = onnx_file()
    card = replace(card_in(tmp_path, data), data=({"name": "made up", "licence": "CC0-1.0"},), quality={"alpha": 0.01})
    (tmp_path / "bshm.json").write_text(card.to_json(), encoding="utf-8")
    again = Card.read(tmp_path / "bshm.json")
    assert again == card
    assert again.folder == tmp_path and again.sha256 == card.sha256 and again.bytes == len(data)
