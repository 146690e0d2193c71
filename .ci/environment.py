"""A fresh virtual environment: ``python .ci/environment.py FOLDER CONSTRAINTS REQUIREMENT...``.

uv installs it, in a fifth of pip's time; where uv cannot be had, pip does. Only the standard library is imported here:
nothing is installed yet when the Makefile runs this.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
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


def make_environment(folder: Path, constraints: Path, requirements: list[str]) -> None:
    """Install ``requirements`` in a virtual environment of this interpreter at ``folder``, which is emptied.

    Raises:
        subprocess.CalledProcessError: something cannot be installed; the installer has said what.
    """
    python = folder / "bin" / "python"
    install = ("install", "--quiet", "-c", constraints)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None or not _ran(uv, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, folder):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        uv = str(folder / "bin" / "uv") if _ran(python, *_PIP, *install, "uv") else None
    if uv is None or not _ran(uv, "pip", *install, "--python", python, *requirements):
        subprocess.run([python, *_PIP, *install, *requirements], check=True)


def _ran(*command: str | Path) -> bool:
    return subprocess.run(command, env={**os.environ, **_as_uv_says(_pip_settings())}).returncode == 0


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
    try:
        make_environment(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{sys.argv[1]} could not be made: {shlex.join(map(str, failed.cmd))} failed.")
