"""What README and constraints.txt promise to whoever installs bshm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pictures import opened

REPOSITORY = Path(__file__).parents[1]
OLDEST = "3.10.0"


def test_a_version_that_the_oldest_python_cannot_have_is_left_open_there() -> None:
    tool = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires-python = ">={OLDEST.rpartition(".")[0]}"' in tool
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    seen = 0
    for pin in pins:
        try:
            needed = metadata.metadata(pin.name).json.get("requires_python")
        except metadata.PackageNotFoundError:
            continue
        if metadata.version(pin.name).partition("+")[0] != str(pin.specifier)[2:]:
            continue
        seen += 1
        fits = needed is None or OLDEST in SpecifierSet(str(needed))
        applies = pin.marker is None or pin.marker.evaluate({"python_version": "3.10", "python_full_version": OLDEST})
        assert fits or not applies, f"{pin} needs Python {needed}: add `; python_version >= ...` to its line"
    assert seen > 20


@pytest.mark.real
@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell")
def test_the_commands_of_the_readme_run_in_order_as_they_stand(tmp_path: Path) -> None:
    page = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## Command line\n+```sh\n(.*?)```", page, re.DOTALL)
    install, *commands = block.splitlines()
    assert install.startswith("pip install .")
    assert len(commands) > 4 and all(command.startswith("bshm ") for command in commands)

    shutil.copy(REPOSITORY / "src/bshm/cli/astronaut.jpg", tmp_path / "photo.jpg")
    (tmp_path / "photos" / "below").mkdir(parents=True)
    for other in ("group.jpg", "beach.jpg"):
        shutil.copy(tmp_path / "photo.jpg", tmp_path / other)
    shutil.copy(tmp_path / "photo.jpg", tmp_path / "photos" / "a.jpg")
    shutil.copy(tmp_path / "photo.jpg", tmp_path / "photos" / "below" / "b.jpg")
    command = tmp_path / "bin" / "bshm"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bshm "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}
    # Each as a person would type it; the first that fails ends it.
    script = "set -e\n" + "\n".join(commands)
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("everything works\n")
    written = {str(path.relative_to(tmp_path)): opened(path).mode for path in tmp_path.rglob("*.png")}
    assert written == dict.fromkeys(
        [
            "photo.cutout.png",
            "cut/a.png",
            "cut/below/b.png",
            "all/a.png",
            "all/below/b.png",
            "card.png",
            "cut.png",
            "group.cutout.1.png",
        ],
        "RGBA",
    )
    assert opened(tmp_path / "shop.jpg").mode == "RGB"
