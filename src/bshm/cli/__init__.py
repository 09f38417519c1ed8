"""The command line: ``bshm VERB …``.  One file per verb: flags become options, options become one call.

``bshm --help`` and every verb's ``--help`` load nothing but the standard library; a verb's file is imported when the
verb is used, and its dependencies when it runs.  argparse rather than Typer: a cold ``bshm matte photo.jpg`` is mostly
imports, and Typer's took 50 to 60 ms on top of numpy and onnxruntime where argparse took 5 to 10.
"""

from __future__ import annotations

TYPE_CHECKING = False  # without `typing`, see below
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; see ``bshm.cli.app.main``."""
    # Imported here, not at the top: until it is imported, Ctrl-C shows a traceback.
    from bshm.cli import interrupts

    with interrupts.starting():
        from bshm.cli.app import main as run

        return run(argv)
