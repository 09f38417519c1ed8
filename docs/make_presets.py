"""Write the table of presets into docs/presets.md: ``python docs/make_presets.py``.  A test fails when it is stale."""

from __future__ import annotations

from pathlib import Path

from bshm.cli.presets import sizes
from bshm.edit import preset

PAGE = Path(__file__).with_name("presets.md")
BEGIN, END = "<!-- presets: made by docs/make_presets.py -->", "<!-- end of presets -->"
_BOX = Path(preset.__file__).parent / "presets"


def table() -> str:
    """Every preset in the box: its sizes, what it asks for, and where that is from."""
    lines = ["| preset | pixels | on paper | rules | source, checked |", "|---|---|---|---|---|"]
    for path in sorted(_BOX.glob("*.toml")):
        each = preset.read(path)
        px, mm = sizes(each)
        rules = "; ".join(f"{name}: {text}" for name, text in each.rules.in_words())
        source = f"<{each.source}>" if each.source.startswith("http") else each.source
        cells = (f"`{each.name}`: {each.title}", px, mm, rules, f"{source}, {each.checked} ({each.seen})")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with a fresh table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
