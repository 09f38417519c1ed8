"""Damaged and hostile picture files: 2,000 of them give no fault, no hang and no trace."""

from __future__ import annotations

import io
import random
from typing import Any

from PIL import Image
from sent import picture

FORMS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "PPM", "AVIF")
MUTATIONS = 2000
# Small enough that one takes milliseconds; a chunk's size or a table can still be anything.
SIZE = (24, 16)


def originals() -> list[bytes]:
    """A small file of every format, and some that are rare."""
    made = [picture(SIZE, person=(6, 4, 18, 12), form=form) for form in FORMS if form != "AVIF" or _has_avif()]
    image = Image.open(io.BytesIO(made[0]))
    for mode in ("CMYK", "L", "RGBA", "P", "1"):
        file = io.BytesIO()
        image.convert("RGB").convert(mode).save(file, {"CMYK": "JPEG", "L": "JPEG"}.get(mode, "PNG"))
        made.append(file.getvalue())
    return made


def _has_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """``data`` with something wrong: bytes changed, cut, doubled, swapped, or a number made enormous."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at:]
            case 2:
                changed[at:at] = changed[at : at + chance.randrange(1, 64)]
            case 3:
                changed[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x01")
                )
            case 4:
                del changed[at : at + chance.randrange(1, 32)]
            case _:
                changed[at : at + 8] = chance.randbytes(8)
        if not changed:
            break
    return bytes(changed)


def test_no_mutated_picture_is_a_fault_of_the_service(start: Any) -> None:
    client = start(cache="off", jobs=False, max_pixels=1_000_000, request_timeout_s=20)
    chance = random.Random(20260101)
    files = originals()
    counts: dict[int, int] = {}
    for number in range(MUTATIONS):
        data = mutated(chance.choice(files), chance)
        answer = client.post("/matte", files={"image": ("a", data)})
        counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
        assert answer.status_code in (200, 413, 415, 422), (number, answer.status_code, answer.text[:300])
        assert "Traceback" not in answer.text[:2000] and 'File "' not in answer.text[:2000], number
    # Otherwise the mutations would be too tame, or too wild, to say anything.
    assert counts[200] > MUTATIONS / 50 and counts[422] > MUTATIONS / 5
    assert client.get("/metrics").text.count('status="500"') == 0
