"""TensorRT as installed here, and its logger as ours."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from runtime.errors import EngineError
from runtime.machine import is_jetson

log = logging.getLogger(__name__)

OLDEST = (10, 3)  # JetPack 6; networks of fixed types need it
INSTALL_JETSON = "it comes with JetPack: sudo apt install python3-libnvinfer, and a virtual environment that sees it"
INSTALL_DESK = "pip install homing[gpu]"


def tensorrt() -> Any:
    """The module.

    Raises:
        EngineError: it is absent, cannot load its libraries, or is too old.
    """
    how = INSTALL_JETSON if is_jetson() else INSTALL_DESK
    try:
        module = importlib.import_module("tensorrt")
    except ImportError as error:
        reason = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not load ({error})"
        raise EngineError(f"TensorRT {reason}: {how}.") from error
    found = tuple(int(part) for part in str(module.__version__).split(".")[:2])
    if found < OLDEST:
        raise EngineError(f"TensorRT {module.__version__} is too old: 10.3 or newer is needed; {how}.")
    return module


def logger(trt: Any, kept: list[str]) -> Any:
    """A TensorRT logger that writes to our log and keeps what it warned of, for when a call only returns None."""
    levels = {
        trt.ILogger.Severity.INTERNAL_ERROR: logging.ERROR,
        trt.ILogger.Severity.ERROR: logging.ERROR,
        trt.ILogger.Severity.WARNING: logging.WARNING,
        trt.ILogger.Severity.INFO: logging.DEBUG,
        trt.ILogger.Severity.VERBOSE: logging.DEBUG,
    }

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            if level >= logging.WARNING:
                kept.append(message)
            log.log(level, "%s", message)

    return Logger()
