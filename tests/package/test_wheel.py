"""The wheel as a user installs it: in an environment with each extra, what works works, and the rest says why not.

The environments are made by uv from the registry that pip is configured for, or from uv's cache. An extra that holds
all of another is added to the other's environment once that has been tested, which holds then what a fresh one would:
libraries are installed, and compiled when first imported, once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.values import ViewKind

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NEEDS = {
    "homing": "cpu",
    "homing-sim": "cpu,sim",
    "homing-export": "cpu,export",
    "homing-train": "cpu,train",
    "homing-evaluate": "cpu,train",
}
# A command of each script that computes something.
COMMANDS = {
    "homing": ("bundle", "verify"),
    "homing-sim": ("hardness",),
    "homing-export": ("--out", "bundle"),
    "homing-train": ("train.toml",),
    "homing-evaluate": (".",),
}


@dataclass(frozen=True)
class Expected:
    """What an environment must be able to import and run, and which scripts must say what they lack."""

    packages: tuple[str, ...] = ()
    complete: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()


EXTRAS = {
    "": Expected(incomplete=tuple(NEEDS)),
    "cpu": Expected(("runtime",), ("homing",), ("homing-sim", "homing-export", "homing-train", "homing-evaluate")),
    "cpu,geo": Expected(("runtime",), (), ("homing-sim",)),
    "cpu,sim": Expected(("sim",), ("homing-sim",)),  # all of runtime is imported with geo, which sim holds
    "cpu,train": Expected(("train",), ("homing-train", "homing-evaluate"), ("homing-export",)),
    "cpu,export": Expected(("export",), ("homing-export",), ("homing-sim",)),
}
# Whose libraries take minutes to install and to compile: a release's. `test_imports` reads from the source what they
# ask for, and the scripts that lack them are met in the two smallest.
OF_A_RELEASE = ("cpu,geo", "cpu,sim", "cpu,train", "cpu,export")
ROWS = [pytest.param(extras, marks=pytest.mark.long) if extras in OF_A_RELEASE else extras for extras in EXTRAS]
# Each environment grows from left to right, and is made anew where a test asks for less than it holds.
GROWING = (("", "cpu", "cpu,geo", "cpu,sim"), ("cpu,train", "cpu,export"))
IMPORT_ALL = """
import importlib, pkgutil, sys
for package in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(module.name, error.name)
"""


def _own() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of its own."""

    extras: str
    folder: Path

    def run(self, program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, which sees nothing of the checkout."""
        command = [self.folder / "bin" / program, *words]
        return subprocess.run(command, cwd=self.folder, env=_own(), capture_output=True, text=True, timeout=600)

    def one_sentence(self, program: str, *words: str | Path) -> str:
        """What a program that cannot work here says, which is one line and a failure."""
        ran = self.run(program, *words)
        assert ran.returncode in (1, 2) and ran.stdout == "", ran.stderr
        assert len(ran.stderr.splitlines()) == 1, ran.stderr
        return ran.stderr.strip()

    def missing(self, *packages: str) -> dict[str, str]:
        """Module of ``packages`` → the library that it could not import."""
        ran = self.run("python", "-c", IMPORT_ALL, *packages)
        assert ran.returncode == 0, ran.stderr
        return dict(line.split() for line in ran.stdout.splitlines())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", out, ROOT], check=True)
    (made,) = out.glob("homing-*.whl")
    return made


@dataclass(frozen=True)
class Environments:
    """One environment for each row of GROWING, in a folder, and what of that row it has come to."""

    folder: Path
    wheel: Path
    reached: dict[int, int] = field(default_factory=dict)

    def holding(self, extras: str) -> Path:
        """The environment with these extras and no others."""
        row = next(number for number, sets in enumerate(GROWING) if extras in sets)
        place, folder = GROWING[row].index(extras), self.folder / str(row)
        add = ["--add"] if self.reached.get(row, len(EXTRAS)) <= place else []
        wanted = f"homing[{extras}] @ {self.wheel.as_uri()}" if extras else f"homing @ {self.wheel.as_uri()}"
        command = [sys.executable, ".ci/environment.py", *add, folder, "constraints.txt", wanted]
        subprocess.run(command, cwd=ROOT, check=True)
        self.reached[row] = place
        return folder


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    folder = tmp_path_factory.mktemp("environments")
    yield Environments(folder, wheel)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest, environments: Environments) -> Installed:
    return Installed(request.param, environments.holding(request.param))


def test_it_carries_what_is_no_code(wheel: Path) -> None:
    tracked = subprocess.run(["git", "ls-files", "runtime", "sim", "train", "export"], cwd=ROOT, capture_output=True)
    files = set(tracked.stdout.decode().split())
    assert {"runtime/bundles/default/tower.fp32.onnx", "train/configs/default.toml"} <= files
    carried = set(zipfile.ZipFile(wheel).namelist())
    assert files <= carried, sorted(files - carried)


def test_an_extra_that_is_added_to_another_holds_all_of_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        (path,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        lines = Parser().parsestr(files.read(path).decode()).get_all("Requires-Dist", [])
    every = [Requirement(line) for line in lines]

    def needed(extra: str) -> set[str]:
        return {one.name for one in every if one.marker is None or one.marker.evaluate({"extra": extra})}

    assert needed("sim") > needed("geo") > needed("") and needed("export") > needed("train") > needed("")


@pytest.mark.parametrize("installed", ROWS, indirect=True)
def test_each_extra_holds_all_that_its_packages_import(installed: Installed) -> None:
    missing = installed.missing(*EXTRAS[installed.extras].packages)
    # Where a GeoTIFF is read, and where a log is exported, the command names the extra.
    named = {"foxglove"} if installed.extras in ("cpu,geo", "cpu,sim") else {"foxglove", "rasterio"}
    assert set(missing.values()) <= named


@pytest.mark.parametrize("installed", ROWS, indirect=True)
def test_a_script_helps_or_says_in_one_sentence_what_to_install(installed: Installed) -> None:
    for script in EXTRAS[installed.extras].complete:
        ran = installed.run(script, "--help")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"Usage: {script} " in ran.stdout
    for script in EXTRAS[installed.extras].incomplete:
        told = installed.one_sentence(script, *COMMANDS[script])
        assert told.startswith(f"{script}: ")
        assert told.endswith(f" is not installed: pip install 'homing[{NEEDS[script]}]'.")


@pytest.mark.parametrize("installed", ["cpu"], indirect=True)
def test_what_flies_works(installed: Installed) -> None:
    ran = installed.run("homing", "bundle", "verify")
    assert ran.returncode == 0, ran.stderr


@pytest.mark.long
@pytest.mark.parametrize("installed", ["cpu,export"], indirect=True)
def test_export_works(installed: Installed) -> None:
    ran = installed.run("homing-export", "--fp16", "--input-size", "64", "--out", "bundle")
    assert ran.returncode == 0, ran.stderr
    made = Bundle.load(installed.folder / "bundle")
    assert made.input_size_px == 64 and set(made.manifest.towers[ViewKind.DRONE]) == {"fp32", "fp16"}
    assert Embedder(made, threads=1).parity > 0.9999
    for said in ("bundle", "512", "tower.fp32.onnx", "tower.fp16.onnx", "cosine", " ms ", "homing record"):
        assert said in ran.stdout


@pytest.mark.long
@pytest.mark.parametrize("installed", ["cpu,sim"], indirect=True)
def test_a_world_can_be_made(installed: Installed) -> None:
    ran = installed.run("python", "-c", "from sim.world.world import World; print(World.generate(1).origin)")
    assert ran.returncode == 0 and "latitude_deg" in ran.stdout, ran.stderr


@pytest.mark.long
@pytest.mark.parametrize("installed", ["cpu,train"], indirect=True)
def test_training_works_as_far_as_its_data(installed: Installed) -> None:
    (installed.folder / "train.toml").write_text("")
    for script, words, said in (
        ("homing-train", ("train.toml",), "key data is missing"),
        ("homing-evaluate", (".",), "is not laid out like University-1652"),
    ):
        assert said in installed.one_sentence(script, *words)
