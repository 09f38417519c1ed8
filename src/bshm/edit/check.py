"""Measure a finished picture against the rules of a preset."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from bshm import geometry
from bshm.color import RGB
from bshm.edit import faces
from bshm.edit import head as heads
from bshm.edit.crop import Box, foreground_box
from bshm.edit.finish import disc
from bshm.edit.preset import Preset, Rules
from bshm.edit.size import MM_PER_INCH, Range, Size
from bshm.files import colour_space
from bshm.types import FloatArray, Picture

# Pixels nearer to people than this share of the shorter side, or with more alpha than this, are not background: the
# soft edge of hair, and the ripples of JPEG around it.
_EDGE_SHARE, _SOFT = 0.01, 0.02
# This share of the background must have the colour, so that scraps of a matte and specks of dust do not count.
_BACKGROUND_SHARE = 0.995
_KB = 1024
_SLACK_MM = 0.5
_ASPECT_SLACK = 0.01
# Rows above the lower edge in which the matte may be empty, as a share of the height: JPEG, and a soft hem.
_LOWER_EDGE_SHARE = 0.01
# Colours within this many levels are the same: JPEG ripples.
_PLAIN_LEVELS = 8


@dataclass(frozen=True)
class Finding:
    """One rule and its measurement.

    Attributes:
        rule: its name, as in a preset's ``[rules]``.
        needed: the requirement, in words.
        found: the measurement, in words.
        value: the measured number, in the unit of ``needed``; None if the result is not a number.
        passed: None if it could not be measured.
    """

    rule: str
    needed: str
    found: str
    passed: bool | None
    value: float | None = None


@dataclass(frozen=True)
class CheckReport:
    """A picture against a preset.

    Attributes:
        preset: its name.
        findings: one per rule.
        head_by: how the head was found; None if no rule is about the head, or nobody is there.
        unmeasured: requirements of the preset that were not measured.
    """

    preset: str
    findings: tuple[Finding, ...]
    head_by: str | None
    unmeasured: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule that could be measured is broken."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The rules that are broken."""
        return tuple(each for each in self.findings if each.passed is False)

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "preset": self.preset,
            "passed": self.passed,
            "head_by": self.head_by,
            "findings": [
                {"rule": each.rule, "passed": each.passed, "value": each.value}
                | {"found": each.found, "needed": each.needed}
                for each in self.findings
            ],
            "unmeasured": list(self.unmeasured),
        }


def check(
    data: bytes, picture: Picture, alpha: FloatArray, preset: Preset, *, detector: bool | None = None
) -> CheckReport:
    """Measure a finished picture.

    Args:
        data: its file.
        picture: decoded from it.
        alpha: (H, W) float32, 0..1, of its people.
        preset: its rules.
        detector: as in ``bshm.edit.head.find``.

    Returns:
        A finding for each rule of the preset.

    Raises:
        MissingExtraError: ``detector`` is on, and it is not installed.
    """
    rules = preset.rules
    found = [*_of_file(data, picture, rules), *_of_size(picture, preset), *_of_background(picture, alpha, rules)]
    box = foreground_box(alpha)
    head = None
    if rules.head or rules.top or rules.eyes:
        head = heads.find(picture.pixels, alpha, detector=detector)
    found += [*_of_people(box, picture, rules), *_of_head(head, picture, preset, detector)]
    return CheckReport(preset.name, tuple(found), None if head is None else head.found, rules.unmeasured)


def _of_file(data: bytes, picture: Picture, rules: Rules) -> list[Finding]:
    findings = []
    if rules.formats:
        form = "jpg" if picture.format == "jpeg" else picture.format
        findings.append(Finding("formats", " or ".join(rules.formats), form, form in rules.formats))
    if rules.kb:
        kb = len(data) / _KB
        findings.append(Finding("kb", str(rules.kb), f"{kb:.1f} kB", rules.kb.holds(kb), round(kb, 2)))
    if rules.srgb:
        mode = _mode(data)
        name = colour_space.name_of(picture.icc_profile) if mode is None else mode
        same = mode is None and colour_space.is_srgb(picture.icc_profile)
        findings.append(Finding("srgb", "sRGB", name, same))
    return findings


def _mode(data: bytes) -> str | None:
    """The colour mode of a file, such as CMYK; None if it is RGB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file was decoded before; this reads only its header
        try:
            with Image.open(io.BytesIO(data)) as image:
                mode = image.mode
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
            return None  # bshm decodes more than Pillow
    return {"CMYK": "CMYK", "L": "grey", "LA": "grey", "1": "black and white", "LAB": "Lab"}.get(mode)


def _of_size(picture: Picture, preset: Preset) -> list[Finding]:
    rules = preset.rules
    height, width = picture.size_hw
    px = f"{width}x{height} px"
    findings = []
    if rules.size is not None and rules.size.unit == "px":
        findings.append(Finding("size", str(rules.size), px, (height, width) == rules.size.pixels()))
    elif rules.size is not None:
        findings.append(_printed(rules.size, picture, preset.dpi))
    if rules.dpi is not None:
        stated = picture.dpi
        # PNG states whole pixels per metre.
        passed = stated is not None and min(stated) >= rules.dpi - 0.5
        text = "not stated" if stated is None else f"{stated[0]:.0f} dpi"
        figure = None if stated is None else round(min(stated), 2)
        findings.append(Finding("dpi", f"at least {rules.dpi:g} dpi", text, passed, figure))
    sides = {"width": width, "height": height, "longest": max(width, height), "shortest": min(width, height)}
    for rule, side in sides.items():
        needed: Range | None = getattr(rules, rule)
        if needed is not None:
            findings.append(Finding(rule, str(needed), f"{side} px", needed.holds(side), side))
    if rules.aspect is not None:
        aspect = width / height
        passed = abs(aspect / rules.aspect - 1) <= _ASPECT_SLACK
        findings.append(Finding("aspect", f"{rules.aspect:.3g}", f"{aspect:.3g}", passed, round(aspect, 4)))
    return findings


def _printed(size: Size, picture: Picture, usual_dpi: float) -> Finding:
    """The size on paper: at the resolution in the file, else at the usual one."""
    height, width = picture.size_hw
    dpi = picture.dpi or (usual_dpi, usual_dpi)
    across, down = width / dpi[0] * MM_PER_INCH, height / dpi[1] * MM_PER_INCH
    needed = size.mm()
    passed = abs(across - needed[0]) <= _SLACK_MM and abs(down - needed[1]) <= _SLACK_MM
    wanted = size.pixels(usual_dpi)
    return Finding(
        "size",
        f"{needed[0]:g}x{needed[1]:g} mm ({wanted[1]}x{wanted[0]} px at {usual_dpi:g} dpi)",
        f"{across:.1f}x{down:.1f} mm ({width}x{height} px at {dpi[0]:.0f} dpi)",
        passed,
    )


def _of_background(picture: Picture, alpha: FloatArray, rules: Rules) -> list[Finding]:
    findings = []
    own = picture.alpha
    clear = None if own is None else own.astype(np.float32) / np.float32(np.iinfo(own.dtype).max)
    if rules.transparent is not None:
        findings.append(_transparency(clear, rules.transparent))
    if rules.circle:
        outside = disc(*picture.size_hw) == 0
        share = 0.0 if clear is None else float((clear[outside] < 0.01).mean())
        passed = share >= _BACKGROUND_SHARE
        text = f"{share:.1%} of it"
        findings.append(Finding("circle", "transparent outside the circle", text, passed, round(share, 4)))
    if rules.background:
        findings.append(_colour(picture, clear, alpha, rules.background, rules.background_tolerance))
    return findings


def _transparency(clear: FloatArray | None, wanted: bool) -> Finding:
    share = 0.0 if clear is None else float((clear < 0.5).mean())
    text = f"{share:.1%} of it is transparent"
    if wanted:
        return Finding("transparent", "a transparent background", text, share > 0, round(share, 4))
    opaque = clear is None or bool((clear >= 1).all())
    return Finding("transparent", "nothing transparent", text if not opaque else "nothing is", opaque, round(share, 4))


def _colour(
    picture: Picture, clear: FloatArray | None, alpha: FloatArray, colours: tuple[RGB, ...], tolerance: int
) -> Finding:
    """The share of the background that has one of the colours: the most frequent of them."""
    needed = f"{' or '.join(map(_name, colours))} within {tolerance} levels"
    outside = _background(alpha)
    if not outside.any():
        return Finding("background", needed, "nothing of it is seen", None)
    pixels = geometry.in_depth(colour_space.to_srgb(picture.pixels, picture.icc_profile), np.uint8)[outside].astype(
        np.int16
    )
    seen = np.ones(len(pixels), bool) if clear is None else clear[outside] >= 1
    shares = [float(((np.abs(pixels - each).max(axis=1) <= tolerance) & seen).mean()) for each in colours]
    best = max(shares)
    usual = tuple(int(each) for each in np.median(pixels, axis=0))
    text = f"{_share(best)} of it is; most of it is {_name(usual)}" if seen.mean() > 0.5 else "it is transparent"
    return Finding("background", needed, text, best >= _BACKGROUND_SHARE, round(best, 5))


def _background(alpha: FloatArray) -> Any:
    """The area without people and without the edge around them."""
    people = (alpha > _SOFT).astype(np.uint8)
    reach = max(2, round(_EDGE_SHARE * min(alpha.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.equal(cv2.dilate(people, kernel), 0)


def _of_people(box: Box | None, picture: Picture, rules: Rules) -> list[Finding]:
    height, width = picture.size_hw
    findings = []
    if rules.subject is not None:
        if box is None:
            findings.append(Finding("subject", f"{rules.subject} of the frame", "nobody was found", False))
        else:
            share = 100 * max(box.height / height, box.width / width)
            text = f"{share:.1f} % ({box.width}x{box.height} px)"
            findings.append(
                Finding("subject", f"{rules.subject} of the frame", text, rules.subject.holds(share), round(share, 2))
            )
    if rules.reaches_lower_edge:
        gap = None if box is None else max(height - box.top - box.height, _plain_rows(picture))
        passed = gap is not None and gap <= max(1, _LOWER_EDGE_SHARE * height)
        text = "nobody was found" if gap is None else f"ends {gap} px above it" if gap else "it does"
        findings.append(Finding("reaches_lower_edge", "a body that goes on to the lower edge", text, passed, gap))
    return findings


def _plain_rows(picture: Picture) -> int:
    """Number of rows at the lower edge with only the upper edge's colour: networks take such strips for cloth."""
    pixels = geometry.in_depth(picture.pixels, np.uint8).astype(np.int16)
    usual = np.median(pixels[0], axis=0)
    plain = (np.abs(pixels - usual).max(axis=2) <= _PLAIN_LEVELS).all(axis=1)[::-1]
    return len(plain) if plain.all() else int(np.argmin(plain))


def _of_head(head: heads.Head | None, picture: Picture, preset: Preset, detector: bool | None) -> list[Finding]:
    rules = preset.rules
    height = picture.size_hw[0]
    shares: dict[str, tuple[Range | None, float | None]] = {
        "head": (rules.head, None if head is None else head.height / height),
        "top": (rules.top, None if head is None else head.crown / height),
        "eyes": (rules.eyes, None if head is None or head.eyes is None else 1 - head.eyes / height),
    }
    findings = []
    for rule, (needed, share) in shares.items():
        if needed is None:
            continue
        if head is None:
            findings.append(Finding(rule, _of_frame(needed), "nobody was found", False))
        elif share is None:
            text = 'needs a face detector: pip install "bshm[faces]"'
            if faces.available():
                text = "no face was looked for" if detector is False else "no face was found"
            findings.append(Finding(rule, _of_frame(needed), text, None))
        else:
            value = share * _whole(needed, picture, preset)
            text = f"{value:.1f} {needed.unit}" + ("" if needed.unit == "%" else f" ({share:.0%})")
            findings.append(Finding(rule, _of_frame(needed), text, needed.holds(round(value, 1)), round(value, 2)))
    return findings


def _of_frame(needed: Range) -> str:
    return f"{needed} of the height" if needed.unit == "%" else str(needed)


def _whole(needed: Range, picture: Picture, preset: Preset) -> float:
    """The picture's height in a range's unit; that of the finished size if known, so that a larger scan passes."""
    height = picture.size_hw[0]
    size = preset.rules.size or preset.size
    if needed.unit == "%":
        return 100.0
    if needed.unit == "mm":
        return size.mm(preset.dpi)[1] if size is not None else height / preset.dpi * MM_PER_INCH
    return float(size.pixels(preset.dpi)[0]) if preset.rules.size is not None and size is not None else float(height)


def _share(share: float) -> str:
    """A share as text, never rounded to 0 % or 100 %."""
    return "all" if share == 1 else "none" if share == 0 else f"{min(max(100 * share, 0.01), 99.99):.2f} %"


def _name(color: tuple[int, ...]) -> str:
    text = "#" + "".join(f"{each:02x}" for each in color)
    return {"#ffffff": "white", "#000000": "black"}.get(text, text)
