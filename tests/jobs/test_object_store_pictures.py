"""Pictures that lie in an object store, read one by one: of a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from object_store import BUCKET, ENVIRONMENT, S3Server

from bshm.cli import main
from bshm.errors import FetchError, OptionError, PictureTooLargeError, SourceNotFoundError
from bshm.net import object_store
from bshm.options import Limits


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with S3Server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        server.empty()
        yield server


def test_an_object_is_read_whole_or_told_why_not(s3: S3Server) -> None:
    s3.put("a b/ü.png", b"pixels")
    assert object_store.fetch(f"s3://{BUCKET}/a b/ü.png", Limits()) == b"pixels"
    with pytest.raises(SourceNotFoundError, match="no object at s3://pictures/gone"):
        object_store.fetch(f"s3://{BUCKET}/gone", Limits())
    with pytest.raises(SourceNotFoundError, match="NoSuchBucket"):
        object_store.fetch("s3://no-such-bucket/a", Limits())
    with pytest.raises(PictureTooLargeError, match=r"may have up to 5 bytes; .* has 6"):
        object_store.fetch(f"s3://{BUCKET}/a b/ü.png", Limits(max_bytes=5))
    with pytest.raises(OptionError, match="s3://BUCKET/KEY"):
        object_store.fetch("s3://pictures", Limits())


def test_a_store_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, s3: S3Server) -> None:
    s3.stop()
    with pytest.raises(FetchError, match="could not be fetched"):
        object_store.fetch(f"s3://{BUCKET}/a.png", Limits())


@pytest.mark.usefixtures("fake")
def test_a_batch_reads_from_the_store_and_does_not_ask_again(
    s3: S3Server,
    photo: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    s3.put("in/a.png", photo("a.png").read_bytes())
    rows = [{"input": f"s3://{BUCKET}/in/{name}.png"} for name in ("a", "gone")]
    Path("list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for expected in ("written", "skipped"):
        assert main(["batch", "list.jsonl", "-o", "out", "--json", "--quiet"]) == 1
        found = {each["input"]: each for each in map(json.loads, capsys.readouterr().out.splitlines())}
        assert found[f"s3://{BUCKET}/in/a.png"]["status"] == expected
        assert found[f"s3://{BUCKET}/in/gone.png"]["error"]["kind"] == "SourceNotFoundError"
        s3.delete("in/a.png")
    assert Path("out/a.png").exists()
