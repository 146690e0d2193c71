"""The files of deploy/, looked at by the tools that will read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config.config import load_config

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = "homing.service"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True)


@needs_systemd
@pytest.mark.parametrize("drop_in", [None, "jetson.conf"])
def test_systemd_takes_the_unit_and_every_key_of_it(tmp_path: Path, drop_in: str | None) -> None:
    unit = (DEPLOY / "systemd" / UNIT).read_text()
    assert unit.count("ExecStart=/usr/bin/homing ") == 1
    # As if it were installed: a command that is there.
    (tmp_path / UNIT).write_text(unit.replace("ExecStart=/usr/bin/homing ", "ExecStart=/bin/true "))
    if drop_in is not None:
        (tmp_path / f"{UNIT}.d").mkdir()
        shutil.copy(DEPLOY / "systemd" / f"{UNIT}.d" / drop_in, tmp_path / f"{UNIT}.d")
    verified = _analyze("verify", "--man=no", tmp_path / UNIT)
    # "Unknown key" is only a warning to it. What other units of this machine lack is not ours.
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if "homing" in line]) == (0, [])


@needs_systemd
@pytest.mark.parametrize("drop_in", [False, True])
def test_its_exposure_is_at_most_two_and_a_half(tmp_path: Path, drop_in: bool) -> None:
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(DEPLOY / "systemd" / UNIT, units)
    if drop_in:
        shutil.copytree(DEPLOY / "systemd" / f"{UNIT}.d", units / f"{UNIT}.d")
    looked = _analyze("security", "--offline=true", f"--root={tmp_path}", "--threshold=25", "--no-pager", UNIT)
    assert looked.returncode == 0, looked.stdout


@pytest.mark.parametrize("camera", ["usb", "csi", "rtsp"])
def test_the_configuration_of_every_kind_of_camera_is_one_of_a_service_that_commands_nothing(camera: str) -> None:
    config = load_config(DEPLOY / "cameras" / f"{camera}.toml")
    assert not config.commanding.enabled
    assert config.record.enabled  # without it, and without a history, nothing starts
    assert config.history.path == Path("/var/lib/homing/history.db")
    assert config.log.directory == Path("/var/lib/homing/logs")
    assert config.control.socket == Path("/run/homing/homing.sock")  # the unit's RuntimeDirectory
    assert "\n" not in config.camera.uri


@pytest.mark.parametrize("file", sorted(path.name for path in (DEPLOY / "container").iterdir()))
def test_a_linter_finds_nothing_in_the_container_files(file: str) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint here")
    linted = subprocess.run([hadolint, DEPLOY / "container" / file], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="no udevadm here")
def test_udev_takes_the_rules() -> None:
    if subprocess.run(["udevadm", "verify", "--help"], capture_output=True).returncode:
        pytest.skip("this udevadm cannot verify rules: it is older than version 254")
    verified = subprocess.run(["udevadm", "verify", DEPLOY / "udev/60-homing.rules"], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr
