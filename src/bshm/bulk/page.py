"""The report of a batch as one HTML file that loads nothing: figures, and thumbnails of pictures to review."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import NamedTuple

# The groups of pictures on the page, in this order, with their titles.
SHEETS = {"failed": "Failed", "empty": "Nobody was found", "doubtful": "Most in doubt"}


class Thumb(NamedTuple):
    """A picture on the page.

    Attributes:
        name: name of its input.
        why: why it is shown.
        thumbnail: a ``data:`` URL; None if there is no picture to show.
    """

    name: str
    why: str
    thumbnail: str | None


def page(
    *,
    counts: Mapping[str, int],
    kinds: Mapping[str, int],
    stages: Mapping[str, float],
    volume: Mapping[str, int],
    shown: Mapping[str, Sequence[Thumb]],
    facts: Mapping[str, str],
    table: str,
    seconds: float,
    started: str,
) -> str:
    """The text of the page.

    Args:
        counts: pictures by status, and ``empty``.
        kinds: failures by the kind of error.
        stages: milliseconds by stage, of all pictures together.
        volume: bytes ``read`` and ``written``.
        shown: pictures by the names of ``SHEETS``.
        facts: further facts, by name.
        table: the file with all pictures.
        seconds: duration of the run.
        started: start of the run, as text.
    """
    done = counts.get("written", 0) + counts.get("copied", 0)
    total = done + counts.get("skipped", 0) + counts.get("failed", 0)
    words = {"written": "written", "copied": "copied", "skipped": "skipped", "failed": "failed", "empty": "empty"}
    figures = [(f"{total:,}", "pictures"), *((f"{counts.get(name, 0):,}", word) for name, word in words.items())]
    figures += [(f"{done / max(seconds, 1e-3):,.1f}", "a second")]
    told = {
        "Started": started,
        "Took": f"{seconds:,.1f} s",
        "Read": _megabytes(volume.get("read", 0)),
        "Written": _megabytes(volume.get("written", 0)),
        **facts,
        "Every picture": table,
    }
    template = Template(resources.files("bshm.bulk").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(f"{total:,} picture{'' if total == 1 else 's'}"),
        figures="".join(f"<div><b>{number}</b><span>{word}</span></div>" for number, word in figures),
        facts="".join(f"<tr><th>{_text(name)}</th><td>{_text(text)}</td></tr>" for name, text in told.items()),
        kinds=_table("Failures", {name: f"{count:,}" for name, count in sorted(kinds.items())}),
        stages=_table(
            "Milliseconds per picture",
            {name: f"{ms / max(1, counts.get('written', 0)):,.1f}" for name, ms in stages.items()},
        ),
        sheets="".join(_sheet(title, shown.get(kind, ()), _of(counts, kind), table) for kind, title in SHEETS.items()),
    )


def _of(counts: Mapping[str, int], kind: str) -> int:
    return counts.get(kind, 0)


def _table(title: str, cells: Mapping[str, str]) -> str:
    if not cells:
        return ""
    lines = "".join(f'<tr><th>{_text(name)}</th><td class="number">{text}</td></tr>' for name, text in cells.items())
    return f'<h2>{title}</h2><div class="panel"><table>{lines}</table></div>'


def _sheet(title: str, shown: Sequence[Thumb], count: int, table: str) -> str:
    if not shown:
        return ""
    more = f'<p class="soft">{count - len(shown):,} more are in {_text(table)}.</p>' if count > len(shown) else ""
    figures = "".join(_figure(each) for each in shown)
    return f'<h2>{title}: {count:,}</h2><div class="sheet">{figures}</div>{more}'


def _figure(each: Thumb) -> str:
    picture = (
        f'<img alt="" src="{each.thumbnail}">' if each.thumbnail else '<span class="none">no picture to show</span>'
    )
    return f"<figure>{picture}<figcaption>{_text(each.name)}<small>{_text(each.why)}</small></figcaption></figure>"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _text(text: str) -> str:
    return html.escape(text.encode("utf-8", "backslashreplace").decode())
