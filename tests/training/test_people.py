"""MoveNet's features beside the mask network's own: read as published, and grown into a network that has learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bshm.errors import CheckpointError, OptionError
from bshm.runtime.providers import choose
from bshm.runtime.session import OnnxSession
from bshm.training import checkpoints, export, people_outputs, reopen
from bshm.training.data import DataFolder
from bshm.training.fine_stages import Networks
from bshm.training.mask_stage import train_mask
from bshm.training.network import mask, people
from bshm.training.network.mask import MaskNetwork
from bshm.training.network.people import PeopleEncoder
from bshm.training.reporting import Silent
from bshm.training.sampler import MaskBatches, Mixture, Pools, as_numbers
from bshm.training.schedule import Schedule
from bshm.weights import catalogue

PLAN = Schedule(steps=1, batch=2, warmup=1, save_every=1)


def publish(folder: Path, weights: PeopleEncoder) -> Path:
    """Write weights as TensorFlow.js keeps them: channels last, half floats, among tables of whole numbers."""
    entries, data = [], []
    for name, value in weights.state_dict().items():
        layer, kind = name.rsplit(".", 1)
        array = value.numpy().astype(np.float16)
        if kind == "weight":
            array = array.transpose((2, 3, 0, 1) if layer.endswith("depthwise") else (2, 3, 1, 0))
        entries.append({
            "name": people._published(layer, kind), "shape": list(array.shape), "dtype": "float32",
            "quantization": {"dtype": "float16", "original_dtype": "float32"},
        })  # fmt: skip
        entries.append({"name": f"{name}/shape", "shape": [3], "dtype": "int32"})
        data += [array.tobytes(), np.arange(3, dtype=np.int32).tobytes()]
    generator = np.random.default_rng(0)
    for head, first, second, channels in (("kpt_regress_0", 7, 8, 34), ("box_scale_0", 4, 5, 2)):
        mix = f"StatefulPartitionedCall/{head}/separable_conv2d_{first}"
        out = f"StatefulPartitionedCall/{head}/conv2d_{second}"
        for name, shape in (
            (f"{mix}/separable_conv2d/ReadVariableOp", (3, 3, 24, 1)),
            (f"{mix}/separable_conv2d/ReadVariableOp_1", (1, 1, 24, 96)),
            (f"{mix}/BiasAdd/ReadVariableOp", (96,)),
            (f"{out}/Conv2D/ReadVariableOp", (1, 1, 96, channels)),
            (f"{out}/BiasAdd/ReadVariableOp", (channels,)),
        ):
            quantization = {"dtype": "float16", "original_dtype": "float32"}
            entries.append({"name": name, "shape": shape, "dtype": "float32", "quantization": quantization})
            data.append(generator.normal(0, 0.1, shape).astype(np.float16).tobytes())
    (folder / "movenet.bin").write_bytes(b"".join(data))
    graph = folder / "movenet.json"
    graph.write_text(json.dumps({"weightsManifest": [{"paths": ["movenet.bin"], "weights": entries}]}))
    return graph


@pytest.fixture(scope="module")
def encoder() -> PeopleEncoder:
    torch.manual_seed(0)
    made = PeopleEncoder().eval()
    # Half floats hold these exactly, so that what is read back must be equal.
    for parameter in made.parameters():
        parameter.copy_(parameter.half().float())
    return made


@pytest.fixture(scope="module")
def movenet(encoder: PeopleEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("movenet"), encoder)


def test_published_weights_are_read(encoder: PeopleEncoder, movenet: Path) -> None:
    read = PeopleEncoder()
    read.load_movenet(movenet)
    for name, value in encoder.state_dict().items():
        assert read.state_dict()[name].equal(value), name


def test_every_layer_has_a_published_name_of_its_own(encoder: PeopleEncoder) -> None:
    names = [people._published(*name.rsplit(".", 1)) for name in encoder.state_dict()]
    assert len(set(names)) == len(names)


def test_features_have_the_strides_and_channels_that_are_told(encoder: PeopleEncoder) -> None:
    seen = encoder(torch.rand(1, 3, 96, 128))
    assert [tuple(each.shape[1:]) for each in seen] == [
        (channels, 96 // stride, 128 // stride)
        for channels, stride in zip(PeopleEncoder.channels, (4, 8, 16, 32), strict=True)
    ]
    where = seen[0][:, -18:]
    assert where.min() >= 0 and where.max() <= 1


@pytest.mark.parametrize("content", ["", "{}", '{"weightsManifest": []}'])
def test_a_file_that_is_not_movenet_is_named(tmp_path: Path, content: str) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(content)
    with pytest.raises(CheckpointError, match=r"wrong\.json does not hold the weights of MoveNet MultiPose"):
        PeopleEncoder().load_movenet(wrong)


def test_a_grown_network_computes_what_it_did_until_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    # In training normalisations pass on the differences that an untaught network's own would drown.
    before, grown = MaskNetwork("lite0").train(), MaskNetwork("lite0", people=True).train()
    grown.grow_from(before.state_dict())
    image = torch.rand(2, 3, 96, 64)
    with torch.no_grad():
        # At times training goes without the encoder's own features, which the network before does not.
        monkeypatch.setattr(mask, "_WITHOUT_OWN", 0.0)
        expected = before(image)
        assert torch.allclose(grown(image), expected, atol=1e-4)
        # Features at stride 4 stand last in what is read there.
        grown.up4.reduce[0].weight[:, -24:].normal_()  # type: ignore[index]
        assert (grown(image) - expected).abs().max() > 0.05


def test_another_network_cannot_be_grown_from() -> None:
    with pytest.raises(RuntimeError, match="size mismatch for encoder"):
        MaskNetwork("lite0", people=True).grow_from(MaskNetwork("lite2").state_dict())


def test_what_the_sampler_sees_is_what_the_network_would_see(data_root: Path, encoder: PeopleEncoder) -> None:
    pools = Pools.load(DataFolder(data_root), 640)
    batches = MaskBatches(pools, Mixture(), 2, first=0, count=1, seed=4, people=encoder)
    levels, _, _, *seen = batches[0]
    image = as_numbers(levels.permute(0, 3, 1, 2))
    network = MaskNetwork("lite0", people=True).eval()
    assert network.people is not None
    network.people.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        assert torch.allclose(network.predict(image, seen)[0], network.predict(image)[0], atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_network_grows_learns_goes_on_and_is_exported_and_reopened(
    data_root: Path, encoder: PeopleEncoder, movenet: Path, tmp_path: Path
) -> None:
    data = DataFolder(data_root)
    small = train_mask(data, tmp_path / "small", PLAN, variant="lite0", workers=0, report=Silent())
    with pytest.raises(CheckpointError, match=r"give movenet movenet-multipose\.json"):
        train_mask(
            data, tmp_path / "grown", PLAN, variant="lite0-people", start=small, workers=0, report=Silent()
        )  # fmt: skip
    grown = train_mask(
        data, tmp_path / "grown", PLAN, variant="lite0-people", start=small, movenet=movenet, workers=0,
        report=Silent(),
    )  # fmt: skip
    # What it sees with does not learn, and the next run needs the published file no more.
    learned = checkpoints.part(checkpoints.load(grown), "mask")
    for name, value in encoder.state_dict().items():
        assert learned[f"people.{name}"].equal(value), name
    train_mask(data, tmp_path / "on", PLAN, variant="lite0-people", start=grown, workers=0, report=Silent())
    # It may stand before what was trained behind the small one.
    assert Networks.load(small, masks=[grown]).variant == "lite0-people"

    export.write("grown", grown, tmp_path, mask_side_px=96)
    card = catalogue.find("grown", tmp_path)
    start = reopen.checkpoint(card, tmp_path / "start.pt", reopen.pictures(data_root, seed=1))
    network = MaskNetwork("lite0", people=True).eval()
    network.load_state_dict(checkpoints.part(checkpoints.load(start), "mask"))
    image = torch.rand(1, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = network(image).sigmoid().numpy()
    entry = card.networks["mask"]
    session = OnnxSession((tmp_path / entry.file).read_bytes(), entry, choose("cpu"), threads=1)
    theirs = session.run({"image": image.numpy()})["mask"]
    # The same single-precision products, added up in another order.
    np.testing.assert_allclose(ours, theirs, atol=2e-5)

    # The file that tells people apart has the same mask, and is reopened as the other is.
    export.write("apart", grown, tmp_path, mask_side_px=96, movenet=movenet)
    apart = catalogue.find("apart", tmp_path)
    entry = apart.networks["mask"]
    answer = OnnxSession((tmp_path / entry.file).read_bytes(), entry, choose("cpu"), threads=1).run(
        {"image": image.numpy()}
    )
    assert np.array_equal(answer.pop("mask"), theirs)
    assert {name: value.shape[1:] for name, value in answer.items()} == {
        name: (channels, 24, 16) for name, channels in people_outputs.OUTPUTS.items()
    }
    again = reopen.checkpoint(apart, tmp_path / "again.pt", reopen.pictures(data_root, seed=1))
    stored = checkpoints.part(checkpoints.load(again), "mask")
    assert all(value.equal(stored[name]) for name, value in network.state_dict().items() if "coarse" not in name)
    with pytest.raises(CheckpointError, match="holds no MoveNet"):
        export.write("small", small, tmp_path, mask_side_px=96, movenet=movenet)


def test_movenet_is_refused_where_nothing_reads_it(tmp_path: Path) -> None:
    from bshm.cli import train

    arguments = train.parser().parse_args([
        "--stage", "mask", "--data", str(tmp_path), "--out", str(tmp_path), "--movenet", "movenet.json",
    ])  # fmt: skip
    with pytest.raises(OptionError, match="--movenet needs an --encoder with -people; got --encoder lite2"):
        train.run(arguments)
