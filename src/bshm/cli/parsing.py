"""The help pages and the errors about flags: argparse with examples first and options in groups."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from bshm.cli.streams import put
from bshm.errors import BshmError, OptionError

WIDTH = 100


class Parser(argparse.ArgumentParser):
    """A parser whose help page has a summary, examples, options by group and exit codes.

    Wrong flags raise ``OptionError`` instead of ending the process.
    """

    def __init__(
        self, verb: str, summary: str, *, usage: str, examples: Iterable[tuple[str, str]], notes: str = ""
    ) -> None:
        self.examples = list(examples)
        self._words: list[str] = []
        super().__init__(
            prog=f"bshm {verb}",
            usage=f"bshm {verb} {usage}",
            description=summary,
            epilog=notes,
            formatter_class=_Formatter,
            allow_abbrev=False,  # a new flag with the same beginning must not break a script
            add_help=False,
        )
        self.inputs = self.add_argument_group("Inputs")

    def format_help(self) -> str:
        """The help page."""
        # Columns are set by hand: the width of the terminal must not change the pages in docs/cli.md.
        formatter = self._get_formatter()
        for group in self._action_groups:
            if any(action.help is not argparse.SUPPRESS for action in group._group_actions):
                formatter.start_section(group.title)
                formatter.add_arguments(group._group_actions)
                formatter.end_section()
        parts = [f"Usage: {self.usage}", self.description or "", example_lines(self.examples), formatter.format_help()]
        if self.epilog:
            parts.append(self.epilog)
        return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of a command line; words after ``--`` are not flags, whatever they begin with."""
        words = list(words)
        end = words.index("--") if "--" in words else len(words)
        self._words = words[:end]
        return self.parse_intermixed_args([*self._words, *map(_Word, words[end + 1 :])])

    def _parse_optional(self, arg_string: str) -> Any:
        # argparse forgets the -- between its two passes over intermixed words.
        return None if isinstance(arg_string, _Word) else super()._parse_optional(arg_string)

    def print_help(self, file: object = None) -> None:
        """The help page on stdout."""
        put(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise OptionError(f"{message}.{self._meant(message)} `{self.prog} --help` lists the flags.")

    def _meant(self, message: str) -> str:
        """The flag that an unknown one is close to, or the file that was taken for a flag."""
        from difflib import get_close_matches

        called = [word for word in self._words if word.startswith("-") and os.path.lexists(word)]
        if called:
            return f" A name that begins with a dash goes after --, or as ./{called[0]}."
        unknown = re.search(r"unrecognized arguments:.*?(--[^\s=]+)", message)
        close = get_close_matches(unknown[1], self._option_string_actions, n=1) if unknown else []
        return f" Did you mean {close[0]}?" if close else ""


class _Word(str):
    """A word that came after ``--``."""

    __slots__ = ()


class _Formatter(argparse.HelpFormatter):
    """The same text from every Python: 3.13 joined the flags of an option differently than those before it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=WIDTH)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return str(action.metavar or action.dest)
        flags = ", ".join(action.option_strings)
        if action.nargs == 0:
            return flags
        value = action.metavar or "|".join(str(each) for each in action.choices or [action.dest.upper()])
        return f"{flags} {value}"


def told(error: BaseException) -> str:
    """The message of an error, with its options as flags.

    >>> from bshm.errors import option
    >>> told(OptionError(f"{option('crop_margin')} works only with {option('crop')}."))
    '--crop-margin works only with --crop.'
    """
    return error.told(_flag) if isinstance(error, BshmError) else str(error)


# Options whose flag has another name than their field.
_FLAGS = {
    "target": "for",
    "start_s": "start",
    "end_s": "end",
    "order": "channels",
    "longest_px": "longest",
    "image": "input",
    "answer": "output",
}


def _flag(name: str) -> str:
    return f"--{_FLAGS.get(name) or name.replace('_', '-')}"


def example_lines(examples: Iterable[tuple[str, str]]) -> str:
    """Commands and their meanings, as a section of a help page."""
    examples = list(examples)
    width = max(len(command) for command, _ in examples)
    return "Examples:\n" + "\n".join(f"  {command:<{width}}  {meaning}".rstrip() for command, meaning in examples)


def add_help(group: argparse._ArgumentGroup) -> None:
    """Add ``-h``; each page puts it into its last group."""
    group.add_argument("-h", "--help", action="help", help="show this page")
