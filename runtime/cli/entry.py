"""The process edge of every command: errors become one sentence and an exit status, never a traceback.

Exit status: 0 all done or matched; 3 at least one honest no; 2 wrong usage; 1 any error; 130 interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

import typer

from runtime.cli.interruption import INTERRUPTION
from runtime.cli.output import warn
from runtime.errors import HomingError

# Read when they are imported, which commands do when they are called. OpenCV says on stderr what Homing says in words
# of its own; ONNX Runtime tells its maker of its use, and nothing of a flight is anybody's but its operator's.
_LIBRARIES = {"OPENCV_LOG_LEVEL": "ERROR", "ORT_DISABLE_TELEMETRY": "1"}


def enter(app: typer.Typer, words: list[str] | None = None) -> NoReturn:
    """Run a command-line program with ``words``, by default those of this process, to its exit status."""
    logging.basicConfig(
        level=os.environ.get("HOMING_LOG", "WARNING").upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    for name, value in _LIBRARIES.items():
        os.environ.setdefault(name, value)
    INTERRUPTION.listen()
    try:
        app(words)
        status = 0
    except HomingError as error:
        warn(str(error))
        status = error.exit_status
    except BrokenPipeError:  # the reader of our output left: nothing to tell, nobody to tell it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        warn(f"Cannot read or write{where}: {error.strerror or error}.")
        status = 1
    except KeyboardInterrupt:
        warn("Interrupted; everything written so far is kept.")
        status = 130
    sys.exit(status)
