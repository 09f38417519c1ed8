"""What holds for every file of the package, read as text: nothing of it is imported."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import bshm

SOURCE = Path(bshm.__file__).parent


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_no_file_imports_a_private_name_of_another() -> None:
    found = []
    for name, tree in trees():
        modules = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bshm"):
                modules |= {each.asname or each.name for each in node.names if each.name.islower()}
                if node.module != "bshm._version":
                    found += [f"{name}: {each.name}" for each in node.names if each.name.startswith("_")]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                is_private = node.attr.startswith("_") and not node.attr.startswith("__")
                found += [f"{name}: {node.value.id}.{node.attr}"] if is_private else []
    assert found == []


def test_no_two_classes_share_a_name() -> None:
    places = defaultdict(list)
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
