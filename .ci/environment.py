"""A fresh virtual environment: ``python .ci/environment.py FOLDER CONSTRAINTS REQUIREMENT...``.

With ``--add`` before FOLDER, more is installed in one that is there. uv does it, in a fifth of pip's time; where uv
cannot be had, pip does. Only the standard library is imported here: nothing is installed yet when the Makefile runs
this.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

# uv reads none of pip's configuration: what pip is told of where packages come from is told to uv as well.
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
_PIP = ("-m", "pip", "--disable-pip-version-check")


def make_environment(folder: Path, constraints: Path, requirements: list[str], add: bool = False) -> None:
    """Install ``requirements`` in a virtual environment of this interpreter at ``folder``.

    It is made anew, or, with ``add``, keeps what it holds.

    Raises:
        subprocess.CalledProcessError: something cannot be installed; the installer has said what.
    """
    python = folder / "bin" / "python"
    install = ("install", "--quiet", "-c", constraints)
    uv = _uv() or _uv_in(folder) if add else _emptied(folder, install)
    if uv is None or not _ran(uv, "pip", *install, "--python", python, *requirements):
        subprocess.run([python, *_PIP, *install, *requirements], check=True)


def _emptied(folder: Path, install: tuple[str | Path, ...]) -> str | None:
    """Make the environment; the uv that can install in it, if there is one."""
    uv = _uv()
    if uv is not None and _ran(uv, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, folder):
        return uv
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    _ran(folder / "bin" / "python", *_PIP, *install, "uv")
    return _uv_in(folder)


def _uv() -> str | None:
    """The one beside this interpreter, or on the path."""
    return shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")


def _uv_in(folder: Path) -> str | None:
    return shutil.which("uv", path=str(folder / "bin"))


def _ran(*command: str | Path) -> bool:
    return subprocess.run(command, env={**os.environ, **_as_uv_says(_pip_settings())}).returncode == 0


@cache
def _pip_settings() -> dict[str, list[str]]:
    """Name → values of what pip is told, by its files and by the environment, which wins."""
    listed = subprocess.run([sys.executable, *_PIP, "config", "list"], check=True, capture_output=True, text=True)
    lines = [line.partition("=") for line in listed.stdout.splitlines()]
    lines.sort(key=lambda line: line[0].startswith(":env:"))
    return {name.rpartition(".")[2]: " ".join(shlex.split(value)).split() for name, _, value in lines}


def _as_uv_says(settings: dict[str, list[str]]) -> dict[str, str]:
    said = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # as pip: the best of all indexes, not the first that has any
    for name, variable in _UV_NAMES.items():
        if settings.get(name) and variable not in os.environ:
            said[variable] = (" " if variable == "UV_INDEX" else ",").join(settings[name])
    return said


if __name__ == "__main__":
    more = sys.argv[1] == "--add"
    where, pinned, *wanted = sys.argv[1 + more :]
    try:
        make_environment(Path(where), Path(pinned), wanted, more)
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{where} could not be made: {shlex.join(map(str, failed.cmd))} failed.")
