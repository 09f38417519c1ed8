"""Write the table of settings into docs/service.md: ``python docs/make_service.py``.  A test fails when it is stale."""

from __future__ import annotations

from pathlib import Path

from bshm.server.settings import Settings

PAGE = Path(__file__).with_name("service.md")
BEGIN, END = "<!-- settings: made by docs/make_service.py -->", "<!-- end of settings -->"


def table() -> str:
    """Every setting with its default and its meaning."""
    lines = ["| flag | in the environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        if field.annotation is bool and field.default:
            flag = f"--no-{flag[2:]}"
        default = "" if field.default in (None, ()) else f"`{str(field.default).lower()}`"
        if field.annotation is str:
            default = f"`{field.default}`"
        meaning = str(field.description).replace("|", "\\|")
        lines.append(f"| `{flag}` | `BSHM_{name.upper()}` | {default} | {meaning} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with a fresh table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
