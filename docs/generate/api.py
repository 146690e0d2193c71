"""The pages of the API reference: one for each folder of modules, filled by mkdocstrings when the site is built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import sentence, table
from docs.generate.tree import PACKAGES, ROOT, docstring, rooms


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page."""
    for folder in _folders():
        modules = [file.stem for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]
        name = _dotted(folder)
        parts = [f"::: {name}\n    options:\n      show_submodules: false", *(f"::: {name}.{one}" for one in modules)]
        yield f"{name}.md", "\n\n".join([f"# {name}", *parts]) + "\n"


def index_block() -> str:
    """A table of the pages."""
    said = {_dotted(folder): sentence(docstring(folder / "__init__.py")) for folder in _folders()}
    return table(("package", "what it is"), [(f"[{name}](api/{name}.md)", text) for name, text in said.items()])


def _folders() -> Iterator[Path]:
    for package in PACKAGES:
        for folder in rooms(package):
            if any(file.name != "__init__.py" for file in folder.glob("*.py")):
                yield folder


def _dotted(folder: Path) -> str:
    return ".".join(folder.relative_to(ROOT).parts)
