"""Containers and codecs, what they can hold, and which ones a program opens, as data.

Nothing here needs PyAV.  Whether an encoder is there is found out when it is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from bshm.errors import OptionError, option

Product = Literal["cutout", "composite", "alpha", "foreground"]
PRODUCTS: tuple[Product, ...] = ("cutout", "composite", "alpha", "foreground")

# What people key out: the green of studio cloth, which no skin and hardly any clothes have.
GREEN_SCREEN = "#00b140"


@dataclass(frozen=True)
class Codec:
    """How pictures are packed.

    Attributes:
        name: the value of the option ``codec``.
        encoders: FFmpeg's names for what writes it, the first that is there counts.
        suffixes: of the containers that hold it; the first is the usual one.
        opaque: pixel formats without alpha, for colours of 8 bits and of more; None where it holds none.
        clear: the same with alpha.
        bits: how many of each colour it keeps.
        lossless: colours and alpha come back as they were.
        alpha_exact: alpha comes back as it was.
        even: height and width must be even.
        options: for the encoder.
        clear_options: more of them for alpha.
        tag: what a MOV or MP4 calls it, where FFmpeg would say something else.
        joins: pieces of it can be joined without encoding them again.
    """

    name: str
    encoders: tuple[str, ...]
    suffixes: tuple[str, ...]
    opaque: tuple[str | None, str | None]
    clear: tuple[str | None, str | None] = (None, None)
    bits: int = 8
    lossless: bool = False
    alpha_exact: bool = False
    even: bool = False
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    clear_options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tag: str | None = None
    joins: bool = True

    def pixel_format(self, *, clear: bool, deep: bool) -> str | None:
        """FFmpeg's name of the pixel format, or None where it cannot hold that."""
        return (self.clear if clear else self.opaque)[deep]


def _options(**values: str) -> Mapping[str, str]:
    return MappingProxyType({key.replace("_", "-"): value for key, value in values.items()})


CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        # 16 bits of alpha are packed without loss; the 10 bits of colour hold 8 exactly but for the compression.
        Codec(
            "prores",
            ("prores_ks", "prores_videotoolbox"),
            (".mov",),
            ("yuv444p10le", "yuv444p10le"),
            ("yuva444p10le", "yuva444p10le"),
            bits=10,
            alpha_exact=True,
            options=MappingProxyType({"profile": "4444", "vendor": "apl0"}),
            clear_options=MappingProxyType({"alpha_bits": "16"}),
        ),
        # Frames that only help others would be shown wrongly with alpha: auto-alt-ref off.
        Codec(
            "vp9",
            ("libvpx-vp9",),
            (".webm", ".mkv"),
            ("yuv420p", None),
            ("yuva420p", None),
            options=MappingProxyType(
                {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0"}
            ),
        ),
        Codec(
            "ffv1",
            ("ffv1",),
            (".mkv",),
            ("bgr0", "gbrp16le"),
            ("bgra", "gbrap16le"),
            bits=16,
            lossless=True,
            alpha_exact=True,
            options=MappingProxyType({"slicecrc": "1"}),
        ),
        Codec(
            "png",
            ("png",),
            (".mov",),
            ("rgb24", "rgb48be"),
            ("rgba", "rgba64be"),
            bits=16,
            lossless=True,
            alpha_exact=True,
            options=_options(pred="mixed"),
        ),
        Codec("qtrle", ("qtrle",), (".mov",), ("rgb24", None), ("argb", None), lossless=True, alpha_exact=True),
        Codec(
            "apng",
            ("apng",),
            (".apng",),
            ("rgb24", "rgb48be"),
            ("rgba", "rgba64be"),
            bits=16,
            lossless=True,
            alpha_exact=True,
            options=_options(pred="mixed"),
            joins=False,
        ),
        Codec(
            "webp",
            ("libwebp_anim",),
            (".webp",),
            ("bgra", None),
            ("bgra", None),
            lossless=True,
            alpha_exact=True,
            options=MappingProxyType({"lossless": "1", "compression_level": "3"}),
            joins=False,
        ),
        # 255 colours a frame, and alpha is there or not.
        Codec("gif", ("gif",), (".gif",), ("pal8", None), ("pal8", None), joins=False),
        Codec(
            "hevc-alpha",
            ("hevc_videotoolbox", "libx265"),
            (".mov", ".mp4"),
            (None, None),
            ("yuva420p", None),
            even=True,
            tag="hvc1",
            clear_options=MappingProxyType({"alpha_quality": "0.9", "x265-params": "log-level=none"}),
        ),
        Codec(
            "h264",
            ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "h264_nvenc"),
            (".mp4", ".mov", ".mkv"),
            ("yuv420p", None),
            even=True,
            options=MappingProxyType({"crf": "18", "preset": "veryfast"}),
        ),
        Codec(
            "hevc",
            ("libx265", "hevc_videotoolbox", "hevc_mf", "hevc_nvenc"),
            (".mp4", ".mov", ".mkv"),
            ("yuv420p", "yuv420p10le"),
            bits=10,
            even=True,
            options=MappingProxyType({"crf": "20", "preset": "fast", "x265-params": "log-level=none"}),
            tag="hvc1",
        ),
        Codec(
            "av1",
            ("libsvtav1", "libaom-av1", "av1_nvenc"),
            (".mp4", ".mkv", ".webm"),
            ("yuv420p", "yuv420p10le"),
            bits=10,
            even=True,
            options=MappingProxyType({"crf": "24", "preset": "8"}),
        ),
    )
}

# Suffix -> FFmpeg's name of the container, and its usual codec with alpha and without.
CONTAINERS: dict[str, tuple[str, str | None, str]] = {
    ".mov": ("mov", "prores", "h264"),
    ".mp4": ("mp4", None, "h264"),
    ".webm": ("webm", "vp9", "vp9"),
    ".mkv": ("matroska", "ffv1", "h264"),
    ".apng": ("apng", "apng", "apng"),
    ".webp": ("webp", "webp", "webp"),
    ".gif": ("gif", "gif", "gif"),
}
# Pictures of a numbered sequence, `out/%05d.png`: suffix -> whether they hold alpha.
SEQUENCES: dict[str, bool] = {".png": True, ".tif": True, ".tiff": True, ".webp": True, ".jpg": False, ".jpeg": False}


@dataclass(frozen=True)
class TargetProgram:
    """What a program is given.

    Attributes:
        program: its name as people write it.
        codec, suffix: how a cut-out is packed.
        opaque_codec, opaque_suffix: how what has no alpha is.
        background: what people are laid over unless another is asked for, for programs that take no alpha.
        source: where its maker, or its source code, says so.
    """

    program: str
    codec: str
    suffix: str
    opaque_codec: str
    opaque_suffix: str
    source: str
    background: str | None = None


_ADOBE = "https://helpx.adobe.com/premiere-pro/using/supported-file-formats.html"
TARGETS: dict[str, TargetProgram] = {
    "premiere": TargetProgram("Premiere Pro", "prores", ".mov", "h264", ".mp4", _ADOBE),
    "final-cut": TargetProgram(
        "Final Cut Pro", "prores", ".mov", "prores", ".mov", "https://support.apple.com/en-us/102207"
    ),
    "after-effects": TargetProgram(
        "After Effects",
        "prores",
        ".mov",
        "h264",
        ".mp4",
        "https://helpx.adobe.com/after-effects/using/supported-file-formats.html",
    ),
    "resolve": TargetProgram(
        "DaVinci Resolve",
        "prores",
        ".mov",
        "prores",
        ".mov",
        "https://documents.blackmagicdesign.com/SupportNotes/DaVinci_Resolve_20_Supported_Codec_List.pdf",
    ),
    "web": TargetProgram(
        "Chrome, Edge and Firefox",
        "vp9",
        ".webm",
        "h264",
        ".mp4",
        "https://developer.chrome.com/blog/alpha-transparency-in-chrome-video",
    ),
    "capcut": TargetProgram(
        "CapCut",
        "h264",
        ".mp4",
        "h264",
        ".mp4",
        "https://www.capcut.com/tools/chroma-key",
        background=GREEN_SCREEN,
    ),
    "obs": TargetProgram("OBS Studio", "vp9", ".webm", "h264", ".mp4", "https://obsproject.com/kb/stinger-transition"),
}


@dataclass(frozen=True)
class Packing:
    """How one product is written.

    Attributes:
        codec: how its pictures are packed; None for a sequence of picture files.
        format: FFmpeg's name of the container; empty for a sequence.
        clear: whether it has alpha.
    """

    codec: Codec | None
    format: str
    clear: bool


def is_sequence(path: str | Path) -> bool:
    """Whether a path names numbered pictures.

    >>> is_sequence("out/%05d.png"), is_sequence("100%.mov")
    (True, False)
    """
    return re.search(r"%0?\d*d", Path(path).name) is not None


def is_numbered(source: Path) -> bool:
    """Whether a source is a pattern of numbered pictures, and no file that is called so."""
    return is_sequence(source) and not os.path.lexists(source)


def refuse_bad_pattern(path: Path) -> None:
    """Refuse a pattern of numbered pictures that has more in it than one number.

    Raises:
        OptionError: it has; what to write is told.
    """
    try:
        path.name % 0
    except (TypeError, ValueError):
        raise OptionError(
            f"numbered pictures have one number in their name, such as %05d, and %% for a per cent sign; got "
            f"{path.name}."
        ) from None


def title(source: Path) -> str:
    """What the results of a clip are called by: its name without suffix, or that of the pictures' folder.

    >>> title(Path("clip.mp4")), title(Path("shot/%05d.png")), title(Path("shot/walk-%05d.png"))
    ('clip', 'shot', 'walk')
    """
    if not is_numbered(source):
        return source.stem
    return re.sub(r"%0?\d*d", "", source.stem).strip(" ._-") or source.resolve().parent.name or "clip"


def packing(path: Path, product: Product, codec: str | None = None) -> Packing:
    """How ``product`` goes into the file that ``path`` names.

    Args:
        path: its suffix picks the container.
        product: a cut-out needs alpha, the others must not have any.
        codec: one of ``CODECS``; None takes the container's usual one.

    Raises:
        OptionError: a suffix or a codec that is unknown, or a container or codec that cannot hold the product; those
            that can are named.
    """
    clear = product == "cutout"
    suffix = path.suffix.lower()
    if is_sequence(path):
        refuse_bad_pattern(path)
        if suffix not in SEQUENCES:
            raise OptionError(f"the name of a picture sequence ends with {', '.join(SEQUENCES)}; got {path.name}.")
        if codec is not None:
            raise OptionError(f"{option('codec')} {codec} cannot be used with a sequence of pictures. Leave it out.")
        if clear and not SEQUENCES[suffix]:
            pictures = ", ".join(each for each, holds in SEQUENCES.items() if holds)
            raise OptionError(f"{suffix} pictures cannot hold alpha. Use {pictures}, or add {option('background')}.")
        return Packing(None, "", clear)
    if suffix not in CONTAINERS:
        raise OptionError(
            f"the suffix of the output decides the container: {', '.join(CONTAINERS)}, or numbered pictures like "
            f"out/%05d.png; got {path.name}."
        )
    format, usual_clear, usual = CONTAINERS[suffix]
    if codec is not None and codec not in CODECS:
        raise OptionError(f"{option('codec')} takes {', '.join(CODECS)}; got {codec!r}.")
    chosen = CODECS[codec or (usual_clear if clear else usual) or usual]
    if clear and chosen.clear == (None, None):
        able = [each for each, (_, with_alpha, _) in CONTAINERS.items() if with_alpha]
        named = f"{suffix} with {chosen.name}" if usual_clear is None or codec else suffix
        raise OptionError(
            f"{named} cannot hold alpha. These can: {', '.join(able)}. Or put the people on something else with "
            f"{option('background')}."
        )
    if not clear and chosen.opaque == (None, None):
        raise OptionError(f"{chosen.name} is only for pictures with alpha. Use {option('codec')} hevc.")
    if suffix not in chosen.suffixes:
        raise OptionError(f"{chosen.name} needs a file that ends with {', '.join(chosen.suffixes)}; got {path.name}.")
    return Packing(chosen, format, clear)
