"""What a daemon that starts was given, as its log keeps it, without secrets."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import cv2
import numpy as np

from runtime.camera.uri import without_secret
from runtime.config.config import Config
from runtime.daemon.assembly import Assembly
from runtime.embedder.embedder import Embedder
from runtime.flightlog.start import FlightStart
from runtime.replay.past import newest_keyframe

_ENGINES = ("onnxruntime", "onnxruntime-gpu", "tensorrt")  # what may run the towers, as packages are named


def started(
    config: Config, assembly: Assembly, *, flight: str, dry_run: bool = False, jobs_inline: bool = False
) -> FlightStart:
    """The `FlightStart` of a daemon that was assembled from ``config`` and has not stepped yet."""
    embedder, last_id = assembly.embedder, assembly.history.last_id()
    return FlightStart(
        config=without_secrets(config),
        versions=versions(embedder),
        engine=asdict(embedder.report),
        flight=config.record.flight or flight,
        dry_run=dry_run,
        history_keyframes=len(assembly.history),
        history_last_id=last_id,
        history_newest=newest_keyframe(assembly.history, last_id),
        jobs_inline=jobs_inline,
    )


def versions(embedder: Embedder) -> dict[str, str]:
    """The versions of what computes here, by name; of the bundle its embedding space, and what runs it."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__}
    found["bundle"] = embedder.bundle.embedding_space_id
    found["engine"] = f"{embedder.report.precision} on {embedder.report.backend}"
    for name in ("homing", *_ENGINES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def without_secrets(config: Config) -> dict[str, Any]:
    """Every key in force, as JSON has it.

    Of a camera's address only scheme and host are kept, for it may hold a password or a token anywhere; that of a file
    or a device is kept.
    """
    sections: dict[str, Any] = config.model_dump(mode="json")
    sections["camera"]["uri"] = without_secret(config.camera.uri)
    return sections
