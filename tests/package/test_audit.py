"""The audit of what is installed tells what is wrong by name, and lets pass what is right."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[list[Distribution]]:
    """Three distributions, as an installer leaves them."""
    for name, version, more in (
        ("good", "1.0", "License-Expression: MIT\n"),
        ("drifted", "2.1+local", "License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n"),
        ("unpinned", "3.0", ""),
    ):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}")
    yield list(distributions(path=[str(tmp_path)]))


def test_another_version_than_the_pinned_one_and_what_has_no_pin_are_told(
    audit: ModuleType, installed: list[Distribution], tmp_path: Path
) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("# all\ngood==1.0\ndrifted==2.0; python_version >= '3.0'\ndrifted==1.9; python_version < '3.0'\n")
    told = list(audit.other_versions(installed, audit.pinned(pins)))
    assert told == ["drifted 2.1+local is installed, 2.0 is pinned"]
    assert audit.without_pin(installed, audit.pinned(pins)) == {"unpinned"}
    pins.write_text("good==1.0\ndrifted==2.1\nunpinned==3.0\n")
    assert not list(audit.other_versions(installed, audit.pinned(pins)))


def test_a_licence_is_in_the_distributions_own_words(audit: ModuleType, installed: list[Distribution]) -> None:
    assert {one.name: audit.licence_of(one) for one in installed} == {
        "good": "MIT", "drifted": "MIT License", "unpinned": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("licence", "cannot_fly"),
    [
        ("GPLv3", True), ("GNU General Public License v3 (GPLv3)", True), ("AGPL-3.0-or-later", True),
        ("GNU Lesser General Public License v3+", False), ("LGPLv3", False), ("MPL-2.0 AND MIT", False),
        ("GPL-2.0-only OR Apache-2.0", False), ("Apache-2.0", False), ("", False),
    ],
)  # fmt: skip
def test_what_flies_is_under_no_licence_that_forbids_it(audit: ModuleType, licence: str, cannot_fly: bool) -> None:
    assert audit.forbidden(licence) is cannot_fly


def test_all_that_a_requirement_brings_flies_with_it(audit: ModuleType) -> None:
    flying = audit.that_fly("mcap", [""])
    assert {"mcap", "zstandard"} <= flying.keys() and "pytest" not in flying
