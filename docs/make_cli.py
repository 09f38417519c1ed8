"""Write docs/cli.md from the help pages: ``python docs/make_cli.py``.  A test fails when the page is stale."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from bshm.cli.app import VERBS, help_page

PAGE = Path(__file__).with_name("cli.md")


def page() -> str:
    """The text of docs/cli.md."""
    parts = [
        "# The command line",
        "Made by `docs/make_cli.py` from the help pages; edit those.",
        "## bshm",
        f"```text\n{help_page()}```",
    ]
    for verb, (module, _) in VERBS.items():
        parts += [f"## bshm {verb}", f"```text\n{import_module(module).parser().format_help()}```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
