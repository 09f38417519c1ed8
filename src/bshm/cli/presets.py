"""``bshm presets``: list the presets, or show one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.cli import exit_codes
from bshm.cli.parsing import Parser, add_help, told
from bshm.cli.streams import put, say
from bshm.errors import BshmError

if TYPE_CHECKING:
    from bshm.edit.preset import Preset

_SEEN = {
    "source": "the source itself was read",
    "copies": "pages that quote the source were read, not the source itself",
    "nothing": "written from knowledge; no source was read",
}


def parser() -> Parser:
    """The flags of ``bshm presets``."""
    result = Parser(
        "presets",
        "Lists the presets: sizes in pixels and in mm, and what each is for; or shows one with its rules.",
        usage="[NAME] [--presets FOLDER] [--json]",
        examples=[
            ("bshm presets", "all of them"),
            ("bshm presets passport-us", "one preset: its source, its rules and its options"),
            ("bshm matte photo.jpg --preset passport-us", "uses one"),
            ("bshm check photo.jpg --preset passport-us", "measures a finished picture"),
        ],
        notes="""\
Your own presets:
  Put a file NAME.toml into the folder of --presets or of the variable BSHM_PRESETS, or into bshm/presets
  in the system's folder for application data (~/.local/share on Linux).  Your own preset overrides a
  built-in one of the same name.  docs/presets.md describes the file.""",
    )
    result.inputs.add_argument("name", nargs="?", metavar="NAME", help="show this preset")
    options = result.add_argument_group("Options")
    add_folder(options)
    options.add_argument("--json", action="store_true", help="write JSON")
    add_help(options)
    return result


def add_folder(group: argparse._ArgumentGroup) -> None:
    """Add ``--presets``, which several verbs have."""
    group.add_argument("--presets", type=Path, metavar="FOLDER", help="your own presets, files called NAME.toml")


def run(arguments: argparse.Namespace) -> int:
    """List or show; returns the exit code."""
    from bshm.edit import preset

    if arguments.name is not None:
        one = preset.find(arguments.name, arguments.presets)
        put(json.dumps(one.to_json(), indent=2, ensure_ascii=False) + "\n" if arguments.json else as_page(one))
        return exit_codes.OK
    every = []
    code = exit_codes.OK
    for name in preset.names(arguments.presets):
        try:
            every.append(preset.find(name, arguments.presets))
        except BshmError as error:  # one damaged file must not hide the others
            say(f"bshm: {told(error)}")
            code = exit_codes.code_of(error)
    if arguments.json:
        put(json.dumps([each.to_json() for each in every], indent=2, ensure_ascii=False) + "\n")
    else:
        put(table(every))
    return code


def table(presets: list[Preset]) -> str:
    """One line per preset: name, pixels, mm, title."""
    rows = [("NAME", "PIXELS", "ON PAPER", "FOR")]
    for each in presets:
        px, mm = sizes(each)
        rows.append((each.name, px, mm, each.title + ("" if each.in_box else " (your own)")))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        "  ".join([*(word.ljust(width) for word, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip() + "\n"
        for row in rows
    )


def sizes(preset: Preset) -> tuple[str, str]:
    """A preset's size in pixels, and in mm at its resolution."""
    size = preset.size
    if size is None:
        return "as it is", "as it is"
    (height, width), (across, down) = size.pixels(preset.dpi), size.mm(preset.dpi)
    return f"{width}x{height}", f"{across:.4g}x{down:.4g} mm at {preset.dpi:g} dpi"


def as_page(preset: Preset) -> str:
    """A preset as text for people."""
    px, mm = sizes(preset)
    lines = [
        f"{preset.name}: {preset.title}",
        f"  size      {px} px, {mm}",
        f"  source    {preset.source}",
        f"  checked   {preset.checked}: {_SEEN[preset.seen]}",
        *([f"  note      {preset.note}"] if preset.note else []),
        "  rules",
        *(f"    {name:<21}{text}" for name, text in preset.rules.in_words()),
        *(f"    {'not measured':<21}{text}" for text in preset.rules.unmeasured),
        "  edit",
        *(f"    {name:<21}{value}" for name, value in preset.edit.items()),
    ]
    return "\n".join(lines) + "\n"
