"""The process edge of training's commands: errors become one sentence and an exit status, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from runtime.cli.missing import missing_library
from runtime.errors import HomingError


def enter(name: str, command: Callable[..., Any]) -> None:
    """Run ``command`` with the arguments of the process, as the program ``name``."""
    try:
        typer.run(command)
    except ModuleNotFoundError as error:
        absent = missing_library(error, "cpu,train")
        _leave(f"{name}: {absent}", absent.exit_status)
    except HomingError as error:
        _leave(f"{name}: {error}", error.exit_status)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        _leave(f"{name}: cannot read or write{where}: {error.strerror or error}.", HomingError.exit_status)


def _leave(sentence: str, status: int) -> None:
    typer.echo(sentence, err=True)
    raise SystemExit(status)
