"""``bshm keys``: the API keys of the service."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bshm.cli import exit_codes, interrupts
from bshm.cli.parsing import Parser, add_help
from bshm.cli.streams import put, say
from bshm.errors import OptionError

if TYPE_CHECKING:
    from bshm.server.keys import Keys

NOTES = """\
A key is printed once, on stdout; only its hash is stored.  A running service uses changed keys from
the next request on.  As soon as there is a key, every request needs one."""


def parser() -> Parser:
    """The flags of ``bshm keys``."""
    result = Parser(
        "keys",
        "Makes, lists and revokes the API keys of `bshm serve`.",
        usage="add NAME | list | revoke NAME|ID",
        examples=[
            ("bshm keys add shop", "prints a new key, which is never shown again"),
            ("bshm keys list", "names, ids and dates"),
            ("bshm keys revoke shop", "refuses the key from the next request on"),
        ],
        notes=NOTES,
    )
    result.inputs.add_argument(
        "action", choices=("add", "list", "revoke"), metavar="ACTION", help="add, list or revoke"
    )
    result.inputs.add_argument("name", nargs="?", metavar="NAME", help="owner of the key; revoke also takes an id")
    options = result.add_argument_group("Options")
    options.add_argument(
        "--keys-file", type=Path, metavar="FILE", help="file of the hashes (default: the one of `bshm serve`)"
    )
    options.add_argument("--json", action="store_true", help="write JSON")
    add_help(options)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Add, list or revoke keys; returns the exit code."""
    interrupts.in_order()
    keys = _keys(arguments.keys_file)
    if arguments.action == "list":
        if arguments.name is not None:
            raise OptionError(f"`bshm keys list` takes no name; got {arguments.name!r}.")
        return _list(keys, as_json=arguments.json)
    if arguments.name is None:
        raise OptionError(f"`bshm keys {arguments.action}` needs a name.")
    if arguments.action == "add":
        key, secret = keys.add(arguments.name)
        say(f"key {key.id} of {key.name} in {keys.path}; it is not shown again:")
        put((json.dumps({"id": key.id, "name": key.name, "key": secret}) if arguments.json else secret) + "\n")
        return exit_codes.OK
    for key in keys.revoke(arguments.name):
        say(f"revoked {key.id} of {key.name}")
    return exit_codes.OK


def _list(keys: Keys, *, as_json: bool) -> int:
    found = keys.all()
    if as_json:
        entries = [{name: value for name, value in asdict(key).items() if name != "sha256"} for key in found]
        put(json.dumps(entries, indent=2) + "\n")
        return exit_codes.OK
    for key in found:
        put(f"{key.id}  {key.created}  {key.name}\n")
    if not found:
        say(f"there are no keys in {keys.path}; add one with `bshm keys add NAME`")
    return exit_codes.OK


def _keys(path: Path | None) -> Keys:
    from bshm.server.keys import Keys, default_file

    if path is None:
        from bshm.cli.serve import settings_module

        path = settings_module().load().keys_file
    return Keys(path or default_file())
