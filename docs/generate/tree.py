"""Every file of the four packages with the first sentence of its docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import sentence, table

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("runtime", "sim", "train", "export")


def block() -> str:
    """A table for each folder that holds modules, in the order of their names."""
    return "\n\n".join(part for package in PACKAGES for folder in rooms(package) for part in _folder(folder))


def overview_block() -> str:
    """The folders as a tree, each with the first sentence of what it says of itself."""
    lines = []
    for folder in (folder for package in PACKAGES for folder in rooms(package)):
        depth = len(folder.relative_to(ROOT).parts) - 1
        lines.append(f"{'  ' * depth + folder.name + '/':<20}{sentence(docstring(folder / '__init__.py')).rstrip('.')}")
    return "```\n" + "\n".join(lines) + "\n```"


def rooms(package: str) -> Iterator[Path]:
    """The package's folder and every folder of modules below it, parents first."""
    yield from sorted({init.parent for init in (ROOT / package).rglob("__init__.py")})


def docstring(file: Path) -> str:
    """What a module says of itself; empty where it says nothing."""
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def _folder(folder: Path) -> Iterator[str]:
    depth = len(folder.relative_to(ROOT).parts)
    yield f"{'#' * min(depth + 2, 5)} {folder.relative_to(ROOT)}/"
    yield sentence(docstring(folder / "__init__.py"))
    modules = [file for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]
    if modules:
        yield table(("file", "what it is"), [(f"`{file.name}`", sentence(docstring(file))) for file in modules])
