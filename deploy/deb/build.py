"""A Debian package of the daemon: ``python deploy/deb/build.py --out dist``, on a computer like the one that will fly.

What is installed: the package and every library it needs in /usr/lib/homing, the command in /usr/bin, the unit, the
udev rules, and the configuration in /etc/homing/homing.toml, which an upgrade keeps. Libraries with compiled parts are
those of the interpreter and the processor that build: build on arm64 for arm64. On a Jetson leave --extra out: OpenCV
and ONNX Runtime are JetPack's own. Needs dpkg-deb and, for the libraries, pip or uv.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
LIBRARY = Path("usr/lib/homing")
EXAMPLES = Path("usr/share/doc/homing/examples")
# What is copied as it is, and where to.
FILES = {
    DEPLOY / "cameras/usb.toml": Path("etc/homing/homing.toml"),
    DEPLOY / "homing.toml": EXAMPLES / "homing.toml",
    DEPLOY / "cameras/csi.toml": EXAMPLES / "csi.toml",
    DEPLOY / "cameras/rtsp.toml": EXAMPLES / "rtsp.toml",
    DEPLOY / "systemd/homing.service": Path("usr/lib/systemd/system/homing.service"),
    DEPLOY / "udev/60-homing.rules": Path("usr/lib/udev/rules.d/60-homing.rules"),
    DEPLOY / "systemd/homing.service.d/jetson.conf": EXAMPLES / "jetson.conf",
    DEPLOY / "systemd/journald.conf": EXAMPLES / "journald.conf",
    DEPLOY / "mavlink-router/main.conf": EXAMPLES / "mavlink-router.conf",
    DEPLOY / "chrony/homing.conf": EXAMPLES / "chrony.conf",
    ROOT / "LICENSE": Path("usr/share/doc/homing/copyright"),
}
WRAPPER = """\
#!/bin/sh
# The libraries lie beside the package, apart from the system's Python.
here=$(dirname "$(readlink -f "$0")")/../lib/homing
PYTHONPATH=$here PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 exec {python} -m {module} "$@"
"""
COMMANDS = {"homing": "runtime"}  # /usr/bin/NAME runs a module


def build(
    out: Path, extras: str | None, given: Path | None = None, *,
    python: Path = Path(sys.executable), compression: str = "zstd",
) -> Path:  # fmt: skip
    """Makes the package of the ``given`` wheel, or of a wheel made of this tree, in ``out``; its path.

    ``extras``: of the wheel, with the libraries that they need; None: the wheel's own files, without any library.

    Raises:
        subprocess.CalledProcessError: the wheel, a library or the package cannot be made; the tool has said why.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        made = given or wheel(Path(scratch), python)
        version = made.name.split("-")[1]
        tree = Path(scratch) / "tree"
        _install(tree / LIBRARY, made, extras, python)
        _copy(tree, python)
        _control(tree, version, python)
        path = out / f"homing_{version}_{_architecture()}.deb"
        _run("dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", tree, path)
    return path


def wheel(folder: Path, python: Path) -> Path:
    """A wheel made of this tree."""
    by_uv = ("build", "--quiet", "--wheel", "--python", python, "--out-dir", folder, ROOT)
    _by_uv_or_pip(python, by_uv, ("wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT))
    return next(folder.glob("homing-*.whl"))


def _install(library: Path, wheel: Path, extras: str | None, python: Path) -> None:
    """The wheel and what it needs, pinned as the tests ran with it, into a folder of their own."""
    if extras is None:
        shutil.unpack_archive(wheel, library, "zip")
        return
    constraints = ROOT / ("constraints.txt" if extras else "constraints-jetpack.txt")
    wanted = f"{wheel}[{extras}]" if extras else str(wheel)
    told = ("--quiet", "--target", library, "-c", constraints, wanted)
    _by_uv_or_pip(python, ("pip", "install", "--python", python, *told), ("install", *told))
    shutil.rmtree(library / "bin", ignore_errors=True)  # their scripts name the folder that they were made in


def _copy(tree: Path, python: Path) -> None:
    for source, place in FILES.items():
        _put(tree / place, source.read_text(), 0o644)
    interpreter = f"/usr/bin/python{_minor(python)}"
    for command, module in COMMANDS.items():
        _put(tree / "usr/bin" / command, WRAPPER.format(python=interpreter, module=module), 0o755)
    _put(tree / "usr/lib/sysusers.d/homing.conf", (DEPLOY / "deb/sysusers.conf").read_text(), 0o644)
    _put(tree / "usr/lib/tmpfiles.d/homing.conf", (DEPLOY / "deb/tmpfiles.conf").read_text(), 0o644)


def _control(tree: Path, version: str, python: Path) -> None:
    size_kb = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    control = (DEPLOY / "deb/control").read_text().format(
        version=version, architecture=_architecture(), size_kb=size_kb, python=_minor(python)
    )
    _put(tree / "DEBIAN/control", control, 0o644)
    _put(tree / "DEBIAN/conffiles", "/etc/homing/homing.toml\n", 0o644)
    for script in ("postinst", "prerm", "postrm"):
        _put(tree / "DEBIAN" / script, (DEPLOY / "deb" / script).read_text(), 0o755)


def _put(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _by_uv_or_pip(python: Path, by_uv: Sequence[str | Path], by_pip: Sequence[str | Path]) -> None:
    """By uv, in a fifth of pip's time; by pip where there is none or it fails, as where pip's settings alone know of a
    mirror or of its certificate."""
    uv = _uv(python)
    if uv is None or subprocess.run([uv, *map(str, by_uv)]).returncode != 0:
        _run(python, "-m", "pip", *by_pip)


def _uv(python: Path) -> str | None:
    return shutil.which("uv", path=str(python.parent)) or shutil.which("uv")


def _architecture() -> str:
    return subprocess.run(("dpkg", "--print-architecture"), check=True, capture_output=True, text=True).stdout.strip()


def _minor(python: Path) -> str:
    command = (python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("dist"), help="where the package goes (default: dist)")
    parser.add_argument("--extra", default="", help="'cpu' where the computer brings no ONNX Runtime and OpenCV")
    parser.add_argument("--wheel", type=Path, help="a wheel that is there already")
    arguments = parser.parse_args()
    try:
        print(build(arguments.out, arguments.extra, arguments.wheel))
    except (subprocess.CalledProcessError, FileNotFoundError) as failed:
        sys.exit(f"the package could not be made: {failed}.")


if __name__ == "__main__":
    main()
