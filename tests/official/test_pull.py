"""Weights over a network that drops, truncates, corrupts and stalls, and over none."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import types
from pathlib import Path

import pytest
from hub import Hub, serving

from bshm.cli import main
from bshm.errors import FetchError, ModelFileError, OptionError
from bshm.importing import modelscope
from bshm.importing.modelscope import Pulled, PullOptions, pull, remote
from bshm.net.download import ConnectionOptions, check_url, download
from bshm.weights import store

Captured = pytest.CaptureFixture[str]
DATA = bytes(range(256)) * 3000
SHA256 = hashlib.sha256(DATA).hexdigest()
WANTED = remote("bshm-official")
# No pauses, and a second without a byte is a stall: over the loopback interface bytes come at once.
QUICK = ConnectionOptions(timeout_s=1.0, tries=3, pause_s=0.0)


def pulled(hub: Hub, *, sha256: str | None = None, connection: ConnectionOptions = QUICK) -> Pulled:
    return pull(WANTED, PullOptions(mirror=hub.url, sdk=False, sha256=sha256, connection=connection), lambda line: None)


def path_in(models: Path) -> Path:
    return models / "downloads" / "bshm-official" / "tf_graph.pb"


def test_a_download_is_shown_with_size_source_and_licence_and_its_hash_is_pinned(models: Path) -> None:
    told: list[str] = []
    steps: list[tuple[int, int | None]] = []
    with serving(DATA) as hub:
        options = PullOptions(mirror=hub.url, sdk=False, connection=QUICK)
        fetched = pull(WANTED, options, told.append, lambda done, total: steps.append((done, total)))
        assert hub.url in told[0]
    assert "0.8 MB" in told[0] and "Apache License 2.0" in told[0]
    assert SHA256 in told[1]
    assert fetched.path == path_in(models)
    assert fetched.path.read_bytes() == DATA
    assert (fetched.sha256, fetched.licence) == (SHA256, "Apache License 2.0")
    assert steps[-1] == (len(DATA), len(DATA))
    assert json.loads((models / "downloads" / "pins.json").read_text()) == {"bshm-official": SHA256}
    assert sorted(each.name for each in fetched.path.parent.iterdir()) == ["tf_graph.pb"]


@pytest.mark.parametrize("fault", ["drop", "truncate", "stall"])
def test_what_breaks_off_goes_on_where_it_stopped(models: Path, fault: str) -> None:
    with serving(DATA, fault, fault) as hub:
        assert pulled(hub).path.read_bytes() == DATA
        assert hub.ranges[0] is None
        starts = [int((each or "bytes=0-")[6:-1]) for each in hub.ranges]
        assert starts == sorted(starts) and starts[1] >= len(DATA) // 3


def test_a_server_that_knows_no_ranges_is_read_from_the_beginning() -> None:
    with serving(DATA, "drop", "no-range") as hub:
        assert pulled(hub).path.read_bytes() == DATA


def test_a_busy_server_is_asked_again() -> None:
    with serving(DATA, "error", "error") as hub:
        assert pulled(hub).path.read_bytes() == DATA


def test_what_a_broken_download_left_is_used_by_the_next_command(models: Path) -> None:
    with serving(DATA, "drop", "error", "error", "error") as hub:
        with pytest.raises(FetchError, match=r"are kept in .*run the same command to continue"):
            pulled(hub)
        assert not path_in(models).exists()
        assert path_in(models).with_name("tf_graph.pb.partial").stat().st_size == len(DATA) // 3
        assert pulled(hub).path.read_bytes() == DATA
        assert hub.ranges[-1] == f"bytes={len(DATA) // 3}-"


@pytest.mark.parametrize("left", [b"another file's beginning", DATA + b"more", b"x" * len(DATA)])
def test_what_another_version_left_behind_does_no_harm(models: Path, left: bytes) -> None:
    partial = path_in(models).with_name("tf_graph.pb.partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(left)
    with serving(DATA) as hub:
        assert pulled(hub).path.read_bytes() == DATA


def test_a_corrupt_file_is_removed_and_named(models: Path) -> None:
    with serving(DATA, "corrupt") as hub, pytest.raises(ModelFileError, match="returned another file than expected"):
        pulled(hub)
    assert not [each for each in models.rglob("*") if each.is_file()]


def test_the_first_download_is_trusted_and_every_later_one_must_be_the_same(models: Path) -> None:
    with serving(DATA) as hub:
        hub.stated_sha256 = None
        first = pulled(hub)
        # There already, and right: nothing is fetched again.
        before = len(hub.paths)
        assert pulled(hub) == Pulled(first.path, SHA256, "", first.source)
        assert len(hub.paths) == before
    other = DATA[::-1]
    path_in(models).unlink()
    with serving(other) as hub:
        with pytest.raises(ModelFileError, match="is pinned") as caught:
            pulled(hub)
        assert not hub.ranges, "nothing is fetched when the list already shows another file"
        assert hashlib.sha256(other).hexdigest() in str(caught.value)
        hub.stated_sha256 = None
        with pytest.raises(ModelFileError, match="another file than expected"):
            pulled(hub)
        # On purpose: the user names the new hash, and that is pinned from now on.
        replaced = hashlib.sha256(other).hexdigest()
        assert pulled(hub, sha256=replaced).sha256 == replaced
        assert json.loads((models / "downloads" / "pins.json").read_text()) == {"bshm-official": replaced}


@pytest.mark.parametrize(
    ("fault", "says"), [("missing", "404"), ("away", r"needs https://; got http://files\.example\.org")]
)
def test_what_asking_again_cannot_mend_is_told_at_once(fault: str, says: str) -> None:
    with serving(DATA, fault) as hub:
        with pytest.raises((FetchError, OptionError), match=says):
            pulled(hub)
        assert len(hub.ranges) == 1


def test_a_repository_without_the_file_and_an_answer_that_is_no_json_are_told(models: Path) -> None:
    with serving(DATA) as hub:
        hub.listed = False
        with pytest.raises(FetchError, match="lists no"):
            pulled(hub)
        with pytest.raises(FetchError, match="404"):
            pull(WANTED, PullOptions(mirror=f"{hub.url}/elsewhere", sdk=False, connection=QUICK), lambda line: None)
    assert not models.exists()


def test_without_network_the_message_says_what_to_copy_where(models: Path, capsys: Captured) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert main(["models", "pull", "bshm-official", "--mirror", closed, "--via", "https"]) == 8
    told = capsys.readouterr().err
    assert "cannot be reached" in told and "On a machine with network" in told
    assert "bshm models import tf_graph.pb" in told
    assert not models.exists()


def test_offline_only_says_what_to_do(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(modelscope, "read_json", never)
    assert main(["models", "pull", "bshm-official", "--offline"]) == 0
    assert "modelscope.cn/models/iic/cv_unet_image-matting" in capsys.readouterr().out


def test_asking_for_weights_that_are_not_there_fetches_nothing_but_says_how(
    photo: object, tmp_path: Path, capsys: Captured
) -> None:
    assert callable(photo)
    assert main(["matte", str(photo("a.png")), "--model", "bshm-official"]) == 13
    assert "bshm models pull bshm-official" in capsys.readouterr().err


def test_the_mirror_of_the_environment_is_used_and_a_proxy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(DATA) as hub:
        monkeypatch.setenv("BSHM_MODELSCOPE", hub.url)
        assert pull(WANTED, PullOptions(sdk=False, connection=QUICK), lambda line: None).sha256 == SHA256
    # A proxy gets the whole URL; this one answers itself.
    with serving(DATA) as proxy:
        connection = ConnectionOptions(proxy=proxy.url, timeout_s=1.0, tries=1, pause_s=0.0)
        target = proxy.url.replace("127.0.0.1", "localhost")
        found = download(f"{target}/api/v1/models/iic/cv_unet_image-matting/repo?FilePath=tf_graph.pb",
                         Path(store.root()) / "x.pb", connection)  # fmt: skip
        assert found == SHA256
        assert proxy.paths[-1].startswith("http://localhost:")


@pytest.mark.parametrize("url", ["http://modelscope.cn/x", "ftp://a/b", "file:///etc/passwd", "https://", "x"])
def test_only_https_is_fetched(url: str) -> None:
    with pytest.raises(OptionError, match="needs https"):
        check_url(url)


def test_the_modelscope_package_is_used_where_it_is_installed(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, str]] = []

    def model_file_download(repository: str, file: str, *, revision: str) -> str:
        asked.append((repository, file, revision))
        path = tmp_path / "cache.pb"
        path.write_bytes(DATA)
        return str(path)

    module = types.ModuleType("modelscope.hub.file_download")
    module.model_file_download = model_file_download  # type: ignore[attr-defined]
    for name, fake in (("modelscope", types.ModuleType("modelscope")), ("modelscope.hub", types.ModuleType("hub"))):
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.setitem(sys.modules, "modelscope.hub.file_download", module)
    fetched = pull(WANTED, PullOptions(sdk=True), lambda line: None)
    assert asked == [("iic/cv_unet_image-matting", "tf_graph.pb", "master")]
    assert fetched.path == path_in(models) and fetched.sha256 == SHA256
    fetched.path.unlink()
    with pytest.raises(ModelFileError, match="0000 is needed"):
        pull(WANTED, PullOptions(sdk=True, sha256="0" * 64), lambda line: None)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["nonsense"], "nothing to pull called"),
        (["bshm-official", "--sha256", "abc"], "64 hexadecimal"),
        (["bshm-official", "--timeout", "0"], "--timeout"),
        (["bshm-official", "--mirror", "http://example.org"], "needs https"),
    ],
)
def test_a_wrong_call_fetches_nothing(flags: list[str], says: str, capsys: Captured, models: Path) -> None:
    assert main(["models", "pull", *flags]) == 2
    assert says in capsys.readouterr().err
    assert not models.exists()


def test_download_only_leaves_the_file_and_says_how_to_go_on(capsys: Captured, models: Path) -> None:
    with serving(DATA) as hub:
        assert main(["models", "pull", "bshm-official", "--mirror", hub.url, "--download-only", "--via", "https"]) == 0
    assert str(path_in(models)) in capsys.readouterr().out
