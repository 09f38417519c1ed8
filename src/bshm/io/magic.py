"""Which picture format some bytes are, by how they begin: a file name or a Content-Type is only somebody's word."""

from __future__ import annotations

# Enough for every signature below, the brands of an ISO container included.
HEAD_BYTES = 64

KNOWN = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"

_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
# "BM" alone begins many a text; the size of the second header makes it a bitmap.
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}


def beginning(data: bytes) -> str:
    """How some bytes begin, for a message about what is no picture.

    >>> print(beginning(b"Dear reader, I am no picture."))
    'Dear reader, I a'
    """
    return repr(bytes(data[:16])).removeprefix("b")


def sniff(head: bytes) -> str | None:
    """The format of a file that begins with ``head``, or None where it is none that bshm reads.

    Args:
        head: the first ``HEAD_BYTES`` bytes; fewer where the file is shorter.

    Returns:
        ``jpeg``, ``png``, ``webp``, ``tiff``, ``bmp``, ``gif``, ``avif``, ``heif`` or None.

    Example:
        >>> sniff(b"GIF89a and so on")
        'gif'
        >>> sniff(b"<!doctype html>") is None
        True
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "bmp"
    if head[4:8] == b"ftyp":
        box = head[: max(16, min(int.from_bytes(head[:4], "big"), HEAD_BYTES))]
        # The brand at 8, a version at 12, then the brands it is compatible with: "mif1" may lead in either family.
        brands = {box[8:12], *(box[at : at + 4] for at in range(16, len(box) - 3, 4))}
        if brands & _AVIF_BRANDS:
            return "avif"
        if brands & _HEIC_BRANDS:
            return "heif"
    return None
