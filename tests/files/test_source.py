from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_pictures import noise, saved
from PIL import Image

from bshm.errors import (
    OptionError,
    PictureTooLargeError,
    SourceNotFoundError,
    UnreadablePictureError,
    UrlRefusedError,
)
from bshm.files.decode import open_picture
from bshm.files.source import read
from bshm.options import Limits

PNG = saved(Image.fromarray(noise(4, 6, 3)), "PNG")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "ä picture.png"
    file.write_bytes(PNG)
    return file


def test_every_kind_of_source_gives_the_same_picture(path: Path) -> None:
    array = noise(4, 6, 3)
    with path.open("rb") as file:
        sources: list[Any] = [path, str(path), PNG, bytearray(PNG), memoryview(PNG), io.BytesIO(PNG), file, array]
        sources.append(Image.fromarray(array))
        for source in sources:
            assert np.array_equal(open_picture(source).pixels, array)


def test_messages_can_name_the_source(path: Path) -> None:
    assert read(path, Limits())[1] == str(path)
    assert read(PNG, Limits())[1] == "<bytes>"
    assert read(io.BytesIO(PNG), Limits())[1] == "<file>"
    assert read(noise(2, 2), Limits())[1] == "<array>"
    assert read(Image.new("L", (1, 1)), Limits())[1] == "<image>"
    with Image.open(path) as image:
        assert read(image, Limits())[1] == str(path)
    stdin = io.BytesIO(PNG)
    stdin.name = "<stdin>"
    assert read(stdin, Limits())[1] == "stdin"


def test_a_file_object_is_read_from_where_it_stands() -> None:
    file = io.BytesIO(b"head" + PNG)
    file.seek(4)
    assert read(file, Limits())[0] == PNG


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no file at"):
        read(tmp_path / "none.png", Limits())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SourceNotFoundError, match="not a folder"):
        read(tmp_path / "file" / "a.png", Limits())


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePictureError, match="is a folder"):
        read(tmp_path, Limits())


def test_a_file_that_may_not_be_read_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # chmod does not stop root
    monkeypatch.setattr(Path, "stat", refuse)  # as of everything in a locked folder
    with pytest.raises(UnreadablePictureError, match="permission denied"):
        read(path, Limits())


def test_an_empty_file_and_a_text_named_jpg_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(UnreadablePictureError, match=r"empty\.jpg is empty"):
        open_picture(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("Dear reader,\n")
    with pytest.raises(UnreadablePictureError, match="begins with 'Dear reader"):
        open_picture(tmp_path / "text.jpg")


def test_too_many_bytes_are_told(path: Path) -> None:
    enough, too_few = Limits(max_bytes=len(PNG)), Limits(max_bytes=len(PNG) - 1)
    for source in (path, PNG, memoryview(PNG)):
        assert read(source, enough)[0] == PNG
        with pytest.raises(PictureTooLargeError, match="raise the limit"):
            read(source, too_few)
    assert read(io.BytesIO(PNG), enough)[0] == PNG
    with pytest.raises(PictureTooLargeError, match="raise the limit"):
        read(io.BytesIO(PNG), too_few)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev")
def test_an_endless_file_ends_at_the_limit() -> None:
    with pytest.raises(PictureTooLargeError):
        read("/dev/zero", Limits(max_bytes=3_000_000))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, PNG)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert read(file, Limits())[0] == PNG


@pytest.mark.parametrize("source", [None, 7, 1.5, ["a.png"], object(), "", "a\0b"])
def test_anything_else_is_refused(source: Any) -> None:
    with pytest.raises(OptionError):
        read(source, Limits())


def test_a_text_file_object_is_refused() -> None:
    with pytest.raises(OptionError, match="'rb'"):
        read(io.StringIO("text"), Limits())  # type: ignore[arg-type]


def test_urls_can_be_turned_off() -> None:
    with pytest.raises(UrlRefusedError, match="URLs are not allowed"):
        read("https://example.com/a.png", Limits(allow_urls=False))


@pytest.mark.parametrize(
    "url", ["ftp://example.com/a.png", "file:///etc/passwd", "gopher://example.com", "s3://bucket/a"]
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(UrlRefusedError, match="http or https"):
        read(url, Limits())
