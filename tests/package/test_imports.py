"""What a package imports is in the extra that it is installed with: read from its source and from what is installed
here, as `test_wheel` finds it in environments of their own, which takes minutes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.package.test_audit import audit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["audit"]
ROOT = Path(__file__).parents[2]
OURS = ("runtime", "sim", "train", "export")
# As in `test_wheel`: a command that finds one of these missing names the extra.
NAMED = {"runtime": {"foxglove"}}
EXTRAS = {"runtime": ("cpu", "geo"), "sim": ("cpu", "sim"), "train": ("cpu", "train"), "export": ("cpu", "export")}


def at_import(statements: list[ast.stmt]) -> Iterator[str]:
    """The libraries that are imported when a module is, whatever its conditions say."""
    for one in statements:
        if isinstance(one, ast.Import):
            yield from (name.name.partition(".")[0] for name in one.names)
        elif isinstance(one, ast.ImportFrom) and one.module and not one.level:
            yield one.module.partition(".")[0]
        elif not (isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) or _is_for_types(one)):
            for name in ("body", "orelse", "handlers", "finalbody"):
                yield from at_import(getattr(one, name, []))


def _is_for_types(one: ast.stmt) -> bool:
    return isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING"


def libraries(folder: Path) -> set[str]:
    """Those that the modules beneath a folder import, Python's and our own left out."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        found |= set(at_import(ast.parse(path.read_text(encoding="utf-8")).body))
    return found - sys.stdlib_module_names - {*OURS, "__future__"}


def asked_for(extras: tuple[str, ...]) -> list[Requirement]:
    """What `pip install 'homing[extras]'` asks for, whatever the version of Python is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found, waiting = [], [*project["dependencies"], *(f"homing[{extra}]" for extra in extras)]
    while waiting:
        one = Requirement(waiting.pop())
        if one.name == "homing":
            waiting += [line for extra in one.extras for line in project["optional-dependencies"][extra]]
        else:
            found.append(one)
    return found


def held(audit: ModuleType, extras: tuple[str, ...]) -> set[str]:
    """The names of all that an environment with these extras holds."""
    wanted = asked_for(extras)
    own = {canonicalize_name(one.name) for one in wanted}
    return own.union(*(audit.that_fly(one.name, ("", *one.extras)) for one in wanted))


@pytest.fixture(scope="module")
def distributions_of() -> Mapping[str, list[str]]:
    return packages_distributions()


def missing(found: set[str], installed: set[str], distributions_of: Mapping[str, list[str]]) -> set[str]:
    """The libraries that none of the installed distributions holds."""
    return {
        library
        for library in found
        if not installed & {canonicalize_name(name) for name in (library, *distributions_of.get(library, ()))}
    }


@pytest.mark.parametrize("package", EXTRAS)
def test_each_extra_holds_all_that_its_packages_import(
    package: str, audit: ModuleType, distributions_of: Mapping[str, list[str]]
) -> None:
    found = libraries(ROOT / package)
    absent = missing(found, held(audit, EXTRAS[package]), distributions_of)
    assert "numpy" in found and absent <= NAMED.get(package, set())


def test_a_library_of_another_extra_is_missing(
    audit: ModuleType, distributions_of: Mapping[str, list[str]]
) -> None:
    assert "torch" in missing(libraries(ROOT / "train"), held(audit, ("cpu",)), distributions_of)
    tree = ast.parse("import a.b\ntry:\n    from c.d import e\nexcept ImportError:\n    from . import f\n"
                     "def later():\n    import g\nif TYPE_CHECKING:\n    import h\n")  # fmt: skip
    assert list(at_import(tree.body)) == ["a", "c"]


def test_what_only_a_new_world_needs_is_in_the_extra_and_is_not_imported_before(
    audit: ModuleType, distributions_of: Mapping[str, list[str]]
) -> None:
    later = {"trimesh", "rasterio", "affine"}  # a fifth of all modules that a scenario would import
    assert not later & libraries(ROOT / "sim")
    assert not missing(later, held(audit, EXTRAS["sim"]), distributions_of)
