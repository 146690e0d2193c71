"""Everything that is looked at before take-off, one finding after the other, in some ten seconds.

The camera and the autopilot's link are looked at while the towers are: each takes seconds of waiting.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime.config.config import Config, load_config
from runtime.doctor.asked import daemon_status
from runtime.doctor.camera import camera_findings, lens_finding
from runtime.doctor.computer import computer_findings
from runtime.doctor.disk import disk_findings, space
from runtime.doctor.finding import Finding
from runtime.doctor.history import history_findings
from runtime.doctor.later import Later
from runtime.doctor.link import flying_findings, link_findings
from runtime.doctor.terrain import terrain_findings
from runtime.doctor.towers import Towers
from runtime.errors import ControlError, HomingError
from runtime.machine import cache_directory, this_machine

_DAEMON_WITHIN_S = 3.0  # it answers within a tick, or hangs
_CAMERA_WITHIN_S = 10.0  # 5 s to open a stream over a network, and 3 s to look at it
_LINK_WITHIN_S = 14.0  # of 60 parameters, 20 of them missing, the last one is known after 9 s
_WITHOUT_CONFIGURATION = ("camera", "intrinsics", "history", "autopilot", "flight log", "daemon")


def preflight(path: Path | None, bundle: Path | None) -> Iterator[Finding]:
    """``path`` of the configuration, without which only the computer and ``bundle`` are looked at. What cannot be
    looked at because of an earlier finding is left out."""
    begun_s = time.monotonic()
    yield from computer_findings(this_machine())
    config: Config | None = None
    if path is not None:
        try:
            config = load_config(path)
        except HomingError as error:
            yield Finding("configuration", "wrong", str(error))
            return
        yield Finding("configuration", "ok", str(path))
    towers = Towers(config, bundle)
    if config is None:
        yield from towers.findings()
        yield space("cache", cache_directory())
        for what in _WITHOUT_CONFIGURATION:
            yield Finding(what, "absent", "not looked at without --config")
        return
    yield from _configured(config, towers, begun_s)


def _configured(config: Config, towers: Towers, begun_s: float) -> Iterator[Finding]:
    status, trouble = _daemon(config)
    link = None if trouble else Later("autopilot", lambda: link_findings(config, status))
    camera = None if trouble or status is not None else Later("camera", lambda: camera_findings(config.camera))
    yield from towers.findings()
    if camera is not None:
        yield from camera.within(begun_s + _CAMERA_WITHIN_S - time.monotonic())
    elif status is not None:
        yield from flying_findings(status)
    yield lens_finding(config.camera)
    yield from history_findings(config, towers.embedding_space_id)
    yield from terrain_findings(config)
    yield from disk_findings(config.log.directory, config.log.free_gb * 1e9)
    yield space("cache", cache_directory())
    if link is not None:
        yield from link.within(begun_s + _LINK_WITHIN_S - time.monotonic())
    yield of_daemon(status, trouble)


def _daemon(config: Config) -> tuple[dict[str, Any] | None, str]:
    """Its status, and else why there is none from a daemon that holds camera and link; neither where none runs."""
    try:
        return daemon_status(config, _DAEMON_WITHIN_S), ""
    except ControlError as error:
        return None, str(error)


def of_daemon(status: dict[str, Any] | None, trouble: str) -> Finding:
    """How it stands where it runs; before take-off it may not run yet."""
    if trouble:
        return Finding("daemon", "wrong", trouble, "camera and link are its own, and were not looked at")
    if status is None:
        return Finding("daemon", "note", "none runs", "homing run --config FILE starts it")
    engine = status.get("engine") or {}
    state = "warning" if engine.get("warnings") else "ok"
    return Finding("daemon", state, f"{status['state']}, engine {engine.get('backend', 'unknown')}")
