"""Zips on their way in and out, and the names of results, as every system and every reader takes them."""

from __future__ import annotations

import io
import re
import struct
import time
import zipfile
import zlib
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import unquote

import pytest
from sent import opened, picture
from test_job_routes import ended, zipped

from bshm.server.filenames import disposition, portable


def streamed(data: bytes) -> dict[str, bytes]:
    """The files of a zip as a reader finds them that sees it once, from its beginning on, as Java's ZipInputStream."""
    found, at = {}, 0
    while data[at : at + 4] == b"PK\x03\x04":
        _, flags, method, _, _, crc, packed, size, name_length, extra_length = struct.unpack_from(
            "<5H3I2H", data, at + 4
        )
        at += 30
        name = data[at : at + name_length].decode("utf-8" if flags & 0x800 else "cp437")
        at += name_length + extra_length
        sizes_follow = bool(flags & 8)
        # What is only stored does not tell where it ends.
        assert method == 8 or (method == 0 and not sizes_follow), name
        if method == 8:
            unpacking = zlib.decompressobj(-15)
            content = unpacking.decompress(data[at:]) + unpacking.flush()
            assert unpacking.eof
            used = len(data) - at - len(unpacking.unused_data)
        else:
            content, used = data[at : at + size], size
        at += used
        if sizes_follow:
            # Of 32 bits each: readers do not know of a longer form unless the head of the file says so.
            signature, crc, packed, size = struct.unpack_from("<4I", data, at)
            assert signature == 0x08074B50
            at += 16
        assert (packed, size, crc) == (used, len(content), zlib.crc32(content)), name
        found[name] = content
    assert data[at : at + 4] == b"PK\x01\x02"
    return found


def packed_results(client: Any, *names: str) -> tuple[dict[str, Any], bytes]:
    files = [("image", (name, picture((64 + number, 48)))) for number, name in enumerate(names)]
    job = ended(client, client.post("/jobs", files=files).headers["location"])
    return job, client.get(job["results"]).content


def test_a_zip_of_results_is_read_from_its_beginning_on(client: Any) -> None:
    job, data = packed_results(client, "anna.png", "bén.png", "写真.jpg", "bad.png")
    found = streamed(data)
    assert list(found) == ["0-anna.png", "1-bén.png", "2-写真.png", "3-bad.png"]
    for index, content in enumerate(found.values()):
        assert content == client.get(job["items"][index]["result"]).content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None and archive.namelist() == list(found)
    # Pictures are compressed already: nobody waits for that to be tried again.
    assert len(data) > sum(map(len, found.values()))


def test_a_zip_of_results_has_the_time_at_which_they_were_made(client: Any) -> None:
    before = datetime.fromtimestamp(time.time() - 2)
    _, data = packed_results(client, "anna.png", "ben.png")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            assert before <= datetime(*entry.date_time) <= datetime.now()


HARD = [
    'a<b>c:d"e|f?g*h.png',
    "trailing dots...",
    " spaces .png",
    "x" * 300 + ".png",
    "写" * 150 + ".png",
    "tab\there.png",
]


def test_names_in_a_zip_of_results_are_names_everywhere(client: Any) -> None:
    _, data = packed_results(client, *HARD)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names)) == len(HARD)
    for name in names:
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', name) and not name.endswith((".", " "))
        assert len(name.encode()) <= 255


@pytest.mark.parametrize("name", ["CON", "con.png", "NUL.tar.gz", "lpt1.png", "COM¹.png", "aux ", "prn .png"])
def test_devices_of_windows_are_no_names(name: str) -> None:
    made = portable(name)
    assert made.startswith("_") and made.strip("_ .") != ""


@pytest.mark.parametrize(
    "name", ["", ".", "..", "???", "...", "\u202e", "a/b", "\\", "con", "é" * 400, "x." + "y" * 400]
)
def test_whatever_is_sent_becomes_a_name(name: str) -> None:
    made = portable(name)
    assert made and made not in (".", "..") and "/" not in made and len(made.encode()) <= 216
    assert portable(made) == made


@pytest.mark.parametrize("name", ["bén.png", "写真 1.png", "人.jpg", "100% “sure”; x=1.png", "naïve (1).webp"])
def test_a_result_keeps_its_name_in_letters_of_every_script(client: Any, name: str) -> None:
    job, _ = packed_results(client, name)
    value = client.get(job["items"][0]["result"]).headers["content-disposition"]
    stem = name.rpartition(".")[0]
    found = re.fullmatch(r'attachment; filename="[ -!#-~]+"; filename\*=UTF-8\'\'([!#-&+.^-~A-Z0-9-]+)', value)
    assert found is not None, value
    assert unquote(found[1]) == f"{stem}.png"


def test_a_name_in_ascii_is_said_once() -> None:
    assert disposition("attachment", "anna-1.png") == 'attachment; filename="anna-1.png"'
    assert disposition("inline", 'a"b\r\nX: y.png') == 'inline; filename="a_bX_ y.png"'


def nameless(data: bytes, name: bytes = b"anna.png") -> bytes:
    """The zip with a NUL at the beginning of a name in its directory."""
    changed = bytearray(data)
    changed[data.rindex(name)] = 0
    return bytes(changed)


def test_a_damaged_zip_is_the_senders_matter(client: Any) -> None:
    whole = zipped({"anna.png": picture(), "ben.png": picture()})
    for damaged in (
        nameless(zipped({"anna.png": picture()})),
        whole[:-30],
        whole[:100],
        whole[:40] + b"\xff" * 40 + whole[80:],
    ):
        answer = client.post("/jobs", files={"archive": damaged})
        assert answer.status_code == 422 and answer.json()["type"] == "urn:bshm:problem:unreadable-picture"
    # Of those that can be read still, the others are taken.
    job = ended(client, client.post("/jobs", files={"archive": nameless(whole)}).headers["location"])
    assert [item["name"] for item in job["items"]] == ["ben.png"]
    assert opened(client.get(job["items"][0]["result"]).content).mode == "RGBA"


def test_no_damage_of_a_zip_is_a_fault_of_the_service() -> None:
    import random

    from bshm.errors import PictureTooLargeError, UnreadablePictureError
    from bshm.server import archives

    def read(_: str, file: BinaryIO) -> None:
        file.read()

    chance, originals = random.Random(20260101), [zipped({"anna.png": b"x" * 200, "ü/ben.png": bytes(256)})]
    outcomes = set()
    for _ in range(4000):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.choice((1, 1, 4))):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 4))] = chance.choice(
                (b"", b"\0", b"\xff\xff\xff\xff", chance.randbytes(1))
            )
        try:
            archives.unpack(io.BytesIO(data), read, most_items=9, most_item=9999, most_bytes=9999)
            outcomes.add("read")
        except (UnreadablePictureError, PictureTooLargeError) as error:
            outcomes.add(type(error).__name__)
    assert {"read", "UnreadablePictureError"} <= outcomes
