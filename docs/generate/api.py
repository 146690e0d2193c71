"""The API reference: a page for each folder of modules, filled by mkdocstrings. mkdocs calls `on_files` as its hook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.generate.markdown import sentence, table
from docs.generate.tree import PACKAGES, ROOT, docstring, rooms

_HEAD = """# API reference

Made from the docstrings when the site is built, for whoever works on Homing. It is an application: what is stable for
other programs are the [commands](../cli.md), their [JSON](../json.md) and the [formats](../formats.md).

"""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages, which are on no disk, to the site."""
    for name, text in pages():
        files.append(File.generated(config, f"api/{name}.md", content=text))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page, the index first."""
    folders = [folder for package in PACKAGES for folder in rooms(package) if _modules(folder)]
    said = {_dotted(folder): sentence(docstring(folder / "__init__.py")) for folder in folders}
    rows = [(f"[{name}]({name}.md)", what) for name, what in said.items()]
    yield "index", _HEAD + table(("package", "what it is"), rows) + "\n"
    for folder in folders:
        name = _dotted(folder)
        parts = [f"::: {name}\n    options:\n      show_submodules: false"]
        parts += [f"::: {name}.{module}" for module in _modules(folder)]
        yield name, "\n\n".join([f"# {name}", *parts]) + "\n"


def _modules(folder: Path) -> list[str]:
    return [file.stem for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]


def _dotted(folder: Path) -> str:
    return ".".join(folder.relative_to(ROOT).parts)
