"""A console script where a library it needs is not installed: one sentence that says what to install."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

from runtime.cli.output import warn
from runtime.errors import UsageError

_OWN_PACKAGES = ("runtime", "sim", "train", "export")


def start(script: str, module: str, extras: str) -> NoReturn:
    """Run the ``main`` of ``module`` as the console script ``script``; nothing of it is imported before.

    ``extras`` are the optional dependencies that ``script`` needs, as `pip` takes them: ``cpu,sim``.
    """
    try:
        importlib.import_module(module).main()
    except ModuleNotFoundError as error:
        absent = missing_library(error, extras)
        warn(f"{script}: {absent}")
        sys.exit(absent.exit_status)
    sys.exit(0)


def missing_library(error: ModuleNotFoundError, extras: str) -> UsageError:
    """What to install for the library that ``error`` could not import.

    Raises:
        ModuleNotFoundError: ``error`` itself, where a module of Homing's own is absent: nobody can install that.
    """
    library = (error.name or str(error)).partition(".")[0]
    if library in _OWN_PACKAGES:
        raise error
    return UsageError(f"{library} is not installed: pip install 'homing[{extras}]'.")
