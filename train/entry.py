"""The process edge of training's commands: errors become one sentence and an exit status, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from runtime.errors import HomingError, UsageError


def enter(name: str, command: Callable[..., Any]) -> None:
    """Run ``command`` with the arguments of the process, as the program ``name``."""
    try:
        typer.run(command)
    except ModuleNotFoundError as error:
        _leave(f"{name}: {error.name} is not installed: pip install homing[cpu,train].", UsageError.exit_status)
    except HomingError as error:
        _leave(f"{name}: {error}", error.exit_status)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        _leave(f"{name}: cannot read or write{where}: {error.strerror or error}.", HomingError.exit_status)


def _leave(sentence: str, status: int) -> None:
    typer.echo(sentence, err=True)
    raise SystemExit(status)
