"""The Debian package: built, installed into a root of its own, used, upgraded, removed and purged."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("dpkg-deb") is None, reason="needs root and dpkg"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(_builder().wheel(tmp_path_factory.mktemp("wheel"), Path(sys.executable)))


def _builder() -> ModuleType:
    specification = importlib.util.spec_from_file_location("homing_deb", ROOT / "deploy/deb/build.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Machine:
    """A file system with a package database of its own; scripts are told of it by DPKG_ROOT and run outside."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "var/lib/dpkg/updates").mkdir(parents=True)
        (root / "var/lib/dpkg/info").mkdir()
        (root / "var/lib/dpkg/status").touch()

    def dpkg(self, *arguments: str | Path) -> None:
        force = ("--force-script-chrootless", "--force-depends", "--force-unsafe-io", "--force-confold")
        done = subprocess.run(
            ["dpkg", f"--root={self.root}", *force, *map(str, arguments)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def ours(self) -> set[str]:
        """The files of Homing that lie there, but for the database's own."""
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*homing*/*") if path.is_file()}
        return {path for path in found if not path.startswith("var/lib/dpkg")}


def test_where_uv_fails_pip_is_asked(tmp_path: Path) -> None:
    """uv knows nothing of a mirror, or of its certificate, that pip's own settings name."""
    for name, status in (("uv", 2), ("python", 0)):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/asked\nexit {status}\n')
        script.chmod(0o755)
    _builder()._by_uv_or_pip(tmp_path / "bin/python", ("build", "here"), ("wheel", "here"))
    assert (tmp_path / "asked").read_text() == "uv build here\npython -m pip wheel here\n"


@pytest.mark.long
def test_installed_it_runs_from_any_folder(tmp_path: Path, wheel: Path) -> None:
    machine = Machine(tmp_path / "root")
    machine.dpkg("--install", _builder().build(tmp_path, "", wheel, compression="none"))
    wrapper = machine.root / "usr/bin/homing"
    text = wrapper.read_text()
    # The tests' own interpreter stands for a Jetson's, which brings OpenCV and ONNX Runtime.
    wrapper.write_text(text.replace(text.split("exec ")[1].split()[0], sys.executable))
    done = subprocess.run(
        [wrapper, "bundle", "show"], capture_output=True, text=True, cwd="/", env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0 and f"{machine.root}/usr/lib/homing/runtime" in done.stdout, done.stderr


def test_what_is_the_operators_stays_through_upgrade_removal_and_purge(tmp_path: Path, wheel: Path) -> None:
    package = _builder().build(tmp_path, None, wheel, compression="none")
    machine = Machine(tmp_path / "root")
    machine.dpkg("--install", package)
    passwd = (machine.root / "etc/passwd").read_text()
    assert passwd.startswith("homing:") and "/var/lib/homing" in passwd
    config, history = (machine.root / path for path in ("etc/homing/homing.toml", "var/lib/homing/history.db"))
    _, _, user, group = passwd.split(":")[:4]
    for folder in (history.parent, machine.root / "run/homing", machine.root / "var/cache/homing"):
        own = folder.stat()  # before the service's first start: the way there leads over `homing doctor`
        assert (own.st_uid, own.st_gid) == (int(user), int(group)) and own.st_mode & 0o777 == 0o750
    history.touch()
    config.write_text(config.read_text() + "# mine\n")
    machine.dpkg("--install", package)
    assert config.read_text().endswith("# mine\n")

    machine.dpkg("--remove", "homing")
    assert machine.ours() == {"etc/homing/homing.toml", "var/lib/homing/history.db"}
    machine.dpkg("--purge", "homing")
    assert machine.ours() == {"var/lib/homing/history.db"}
