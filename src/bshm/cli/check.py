"""``bshm check``: measure finished pictures against the rules of a preset, and repair them."""

from __future__ import annotations

import argparse
import json
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bshm import options as defaults
from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help, told
from bshm.cli.presets import add_folder
from bshm.cli.streams import hushed, put, say
from bshm.errors import BshmError, OptionError
from bshm.options import MatteOptions

if TYPE_CHECKING:
    from bshm.edit.check import CheckReport
    from bshm.edit.preset import Preset
    from bshm.pipeline import Matting

_HEADS = {"auto": None, "face": True, "shape": False}
NOTES = """\
Each rule is measured: the file's format, kB, colours, size and resolution; the background's colour
away from the people that the networks find; and the people's share of the frame.  Head, eyes and the
margin above are measured with the face detector (pip install "bshm[faces]"), or without it with the
outline of the people, which cannot find eyes; "head_by" in --json says which.  Rules that cannot be
measured are listed.

--fix makes a new picture of the people with the preset's options, writes it to -o and measures it; the
exit code is that of the new picture."""


def parser() -> Parser:
    """The flags of ``bshm check``."""
    result = Parser(
        "check",
        "Measures finished pictures against the rules of a shop or an office: pass or fail, with the measured values.",
        usage="PICTURE… --preset NAME [--fix -o FILE|FOLDER] [options]",
        examples=[
            ("bshm check photo.jpg --preset passport-us", "each rule, what it asks for and what was found"),
            ("bshm check shop/*.jpg --preset amazon-main --json", "one line of JSON per picture"),
            ("bshm check photo.jpg --preset visa-cn --fix -o visa.jpg", "repairs it and measures the result"),
            ("bshm presets", "lists the presets"),
        ],
        notes=f"{NOTES}\n\nExit codes:\n{exit_codes.table()}",
    )
    result.inputs.add_argument("pictures", nargs="+", metavar="PICTURE", help="a picture, or the URL of one")
    options = result.add_argument_group("Options")
    options.add_argument("--preset", metavar="NAME", required=True, help="the rules to check, see `bshm presets`")
    add_folder(options)
    options.add_argument("--fix", action="store_true", help="repair each picture and measure the result")
    options.add_argument("-o", "--output", metavar="PATH", help="where --fix writes: a file, or a folder for several")
    options.add_argument("--overwrite", action="store_true", help="replace existing outputs")
    options.add_argument(
        "--head",
        choices=tuple(_HEADS),
        default="auto",
        help="measure heads with the face detector, or with the outline; auto: with the detector if it is installed "
        "(default: %(default)s)",
    )
    add_model(options)
    options.add_argument(
        "--json", action="store_true", help="write one line of JSON per picture to stdout, with errors"
    )
    add_help(options)
    return result


def add_model(group: argparse._ArgumentGroup) -> None:
    """Add ``--model`` and ``--device``."""
    group.add_argument(
        "-m", "--model", metavar="NAME", default=defaults.DEFAULT_MODEL, help="see `bshm models` (default: %(default)s)"
    )
    group.add_argument(
        "-d",
        "--device",
        metavar="NAME",
        default=defaults.DEFAULT_DEVICE,
        help="auto, cpu, cuda, …; no fallback: a device that cannot run is an error (default: %(default)s)",
    )


@dataclass(frozen=True)
class _Checked:
    """One picture's report, and the path of the repaired picture."""

    report: CheckReport
    output: Path | None
    notes: tuple[str, ...]


def run(arguments: argparse.Namespace) -> int:
    """Measure; returns the exit code."""
    with hushed():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from bshm.edit import preset
    from bshm.pipeline import Matting

    chosen = preset.find(arguments.preset, arguments.presets)
    pictures: list[str] = arguments.pictures
    outputs = _outputs(arguments, pictures, chosen)
    interrupts.in_order()
    failed: list[BshmError] = []
    broken = 0
    with closing(Matting(model=arguments.model, device=arguments.device)) as matting:
        for picture, output in zip(pictures, outputs, strict=True):
            try:
                checked = _one(matting, picture, output, chosen, arguments)
            except BshmError as error:
                failed.append(error)
                _tell_error(picture, chosen, error, arguments.json)
                continue
            broken += not checked.report.passed
            put(_line(picture, checked) if arguments.json else as_text(picture, chosen, checked))
    if failed:
        return exit_codes.code_of(failed[0]) if len(pictures) == 1 else exit_codes.SOME_FAILED
    return exit_codes.RULES_NOT_MET if broken else exit_codes.OK


def _one(
    matting: Matting, picture: str, output: Path | None, chosen: Preset, arguments: argparse.Namespace
) -> _Checked:
    from bshm.bulk.batch import with_format
    from bshm.edit.render import render
    from bshm.files import sink

    detector = _HEADS[arguments.head]
    if output is None:
        return _Checked(measured(matting, picture, chosen, detector), None, ())
    matte = matting.matte(picture)
    rendered = render(matte, with_format(chosen.edited(_format_of(output)), output))
    sink.write(rendered.data, output, overwrite=arguments.overwrite)
    return _Checked(measured(matting, str(output), chosen, detector), output, rendered.notes)


def measured(matting: Matting, source: str, chosen: Preset, detector: bool | None) -> CheckReport:
    """A finished picture against a preset.

    Raises:
        InputError: it cannot be read.
    """
    from bshm.edit.check import check
    from bshm.files import decode
    from bshm.files import source as sources
    from bshm.options import Limits

    data, name = sources.read(source, Limits())
    if not isinstance(data, bytes):
        raise OptionError(f"{name} is not a file that can be measured.")
    picture = decode.decode(data, name=name, limits=Limits())
    matte = matting.matte_picture(picture, MatteOptions(decontaminate=False))
    return check(data, picture, matte.alpha, chosen, detector=detector)


def _format_of(output: Path) -> dict[str, Any]:
    """The format that a file's suffix names; it overrides the preset's."""
    from bshm.files.suffixes import format_of

    return {"format": format_of(output)}


def _outputs(arguments: argparse.Namespace, pictures: list[str], chosen: Preset) -> list[Path | None]:
    if not arguments.fix:
        if arguments.output is not None:
            raise OptionError("-o says where --fix writes. Add --fix, or drop -o.")
        return [None] * len(pictures)
    if not arguments.output:
        raise OptionError("--fix needs -o FILE, or -o FOLDER/ for several pictures.")
    path = Path(arguments.output)
    if os.path.isdir(path) or arguments.output.endswith(("/", os.sep)):  # noqa: PTH112 - Path.is_dir() may raise
        suffix = chosen.edit.get("format", "png")
        found = [path / f"{Path(each).stem}.{suffix}" for each in pictures]
        if len(set(found)) < len(found):
            raise OptionError(f"two of the pictures would get the same name in {path}. Run them separately.")
        outputs: list[Path | None] = [*found]
    elif len(pictures) > 1:
        raise OptionError(f"there are {len(pictures)} pictures, but {path} is one file. Give -o a folder.")
    else:
        _format_of(path)  # an error is raised before a model is loaded
        outputs = [path]
    for picture, output in zip(pictures, outputs, strict=True):
        if output is not None and os.path.exists(picture) and output.resolve() == Path(picture).resolve():  # noqa: PTH110
            raise OptionError(f"the repaired picture would replace {picture}. Choose another name with -o.")
    return outputs


def as_text(picture: str, chosen: Preset, checked: _Checked) -> str:
    """A report as text for people."""
    report = checked.report
    verdict = "meets the rules" if report.passed else f"breaks {len(report.failures)} of {len(report.findings)} rules"
    named = f"{picture} -> {checked.output}" if checked.output else picture
    lines = [f"{named}: {verdict} of {chosen.name} ({chosen.title})"]
    words = {True: "pass", False: "FAIL", None: "?"}
    rows = [(words[each.passed], each.rule, each.found, each.needed) for each in report.findings]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True))
        lines.append(f"  {cells}  needs {row[3]}")
    if report.head_by is not None:
        lines.append(f"  the head was found by the {report.head_by}")
    lines += [f"  {note}" for note in checked.notes]
    lines += [f"  not measured: {text}" for text in report.unmeasured]
    return "\n".join(lines) + "\n"


def _line(picture: str, checked: _Checked) -> str:
    report = checked.report
    return json.dumps(
        {
            "input": picture,
            "output": None if checked.output is None else str(checked.output),
            **report.as_json(),
            "notes": list(checked.notes),
        }
    ) + "\n"  # fmt: skip


def _tell_error(picture: str, chosen: Preset, error: BshmError, as_json: bool) -> None:
    message = told(error)
    say(message if picture in message else f"{picture}: {message}")
    if as_json:
        facts = {"kind": type(error).__name__, "message": message, "exit_code": exit_codes.code_of(error)}
        put(json.dumps({"input": picture, "preset": chosen.name, "passed": None, "error": facts}) + "\n")
