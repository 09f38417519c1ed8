"""Recognise picture formats by their first bytes, because file names and Content-Types may be wrong."""

from __future__ import annotations

import re

# Enough for every signature below, the brands of an ISO container included.
HEAD_BYTES = 64

KNOWN = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC, JPEG 2000, PSD or PPM"

_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),  # without a container
    (b"8BPS\0\1", "psd"),
)
# What people have, what is not read, and what to do about it.
_OTHERS = (
    (b"8BPS\0\2", "a PSB picture (Photoshop's large document)", "Save it as TIFF or PNG."),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture: light, not levels", "Export it as 16-bit PNG or TIFF."),
    (b"#?RADIANCE", "a Radiance HDR picture: light, not levels", "Export it as 16-bit PNG or TIFF."),
    (b"\xff\x0a", "a JPEG XL picture", "Convert it with libjxl: djxl IN.jxl OUT.png"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", "Convert it with libjxl: djxl IN.jxl OUT.png"),
)
_CAMERA_RAW = (
    (b"IIU\0", "RW2"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"MMOR", "ORF"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"FOVb", "X3F"),
    (b"\0MRM", "MRW"),
    (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
# "BM" alone begins many a text; the size of the second header makes it a bitmap.
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
# So does "P6"; a number or a comment behind it makes it a pixmap.
_PIXMAP = re.compile(rb"P[1-6](\s|#[^\n\r]*[\n\r])+(\d+[\s#]|#[^\n\r]*$)")


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
        ``jpeg``, ``png``, ``webp``, ``tiff``, ``bmp``, ``gif``, ``avif``, ``heif``, ``jpeg2000``, ``psd``, ``ppm`` or
        None.

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
    if _PIXMAP.match(head):
        return "ppm"
    return None


def refusal(head: bytes) -> str | None:
    """What a file is that ``sniff`` does not know but people have, and what to do with it.

    >>> print(refusal(b"8BPS\\0\\2"))
    a PSB picture (Photoshop's large document), which is not read. Save it as TIFF or PNG.
    """
    for signature, what, remedy in _OTHERS:
        if head.startswith(signature):
            return f"{what}, which is not read. {remedy}"
    for signature, kind in (*_CAMERA_RAW, (head[:4] + b"ftypcrx ", "CR3")):
        if head.startswith(signature):
            return camera_raw(kind)
    return None


def camera_raw(kind: str) -> str:
    """What ``refusal`` says of a camera's own format.

    >>> print(camera_raw("NEF"))
    a camera raw file (NEF): what the sensor saw, not yet a picture. Develop it ... and give the TIFF or JPEG.
    """
    return (
        f"a camera raw file ({kind}): what the sensor saw, not yet a picture. "
        "Develop it with the program of the camera's maker, darktable or RawTherapee, and give the TIFF or JPEG."
    )
