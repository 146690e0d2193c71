"""The daemon's state as one JSON-able object, for `homing status` and whoever else asks."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any, Protocol

from runtime.daemon.feeding import Feeding
from runtime.daemon.latencies import Latencies
from runtime.daemon.motion import Motion
from runtime.daemon.perception import Perception
from runtime.daemon.records import seconds
from runtime.daemon.rooms import Rooms
from runtime.daemon.target_handler import point
from runtime.values import Estimate, GeoPoint, Snapshot
from runtime.vehicle.telemetry.state import GpsState


class Flying(Protocol):
    """What a daemon keeps that is told of it."""

    rooms: Rooms
    counts: Counter[str]
    latencies: Latencies
    feeding: Feeding
    motion: Motion
    perception: Perception
    estimate: Estimate
    started_t_ns: int | None

    @property
    def dry_run(self) -> bool:
        """Whether setpoints are only computed."""
        ...


def snapshot(daemon: Flying, t_ns: int) -> Snapshot:
    """What the daemon shows of itself at ``t_ns``."""
    return Snapshot(t_ns, status(daemon, t_ns), daemon.perception.last_frame, daemon.perception.matched)


def status(daemon: Flying, t_ns: int) -> dict[str, Any]:
    """Everything that an operator asks for; ages in seconds, latencies in milliseconds."""
    decision = daemon.rooms.guidance.last
    pending = daemon.rooms.targets.pending
    return {
        "state": decision.state.value,
        "phase": decision.phase.value,
        "reasons": [reason.value for reason in decision.reasons],
        "waived": [reason.value for reason in decision.waived],
        "consent_left_s": seconds(daemon.rooms.guidance.consent_left_ns(t_ns)),
        "dry_run": daemon.dry_run,
        "target": _place(daemon.rooms.guidance.target),
        "distance_m": decision.distance_m,
        "route": [point(corner) for corner in decision.route],
        "pending_target": None if pending is None else pending.as_answer(),
        "vehicle": _vehicle(daemon, t_ns),
        "camera": daemon.perception.camera_state(t_ns).value,
        "camera_error": daemon.perception.camera_error or None,
        "engine": None if daemon.rooms.engine is None else asdict(daemon.rooms.engine),
        "recording": daemon.perception.recording,
        "recording_failed": daemon.perception.recording_failed or None,
        "log": _log(daemon),
        "estimate": _estimate(daemon.estimate, t_ns),
        "navigation": _navigation(daemon, t_ns),
        "injection": _injection(daemon),
        "fix": _fix(daemon, t_ns),
        "counts": dict(sorted(daemon.counts.items())),
        "frames_dropped_pose": dict(sorted(daemon.rooms.frames.dropped.items())),
        "rates_hz": _rates(daemon, t_ns),
        "latency_ms": daemon.latencies.summary_ms(),
        "uptime_s": _since(daemon.started_t_ns, t_ns),
    }


def _vehicle(daemon: Flying, t_ns: int) -> dict[str, Any]:
    state = daemon.rooms.vehicle.state
    heard = state.telemetry
    return {
        "connected": state.connected,
        "stack": state.stack,
        "mode": heard.mode,
        "armed": heard.armed,
        "landed": heard.landed,
        "altitude_amsl_m": None if heard.altitude_amsl_m is None else heard.altitude_amsl_m.value,
        "home": None
        if heard.home is None
        else {**point(heard.home.position), "altitude_amsl_m": heard.home.altitude_amsl_m},
        "height_takeoff_m": None if heard.height_takeoff_m is None else heard.height_takeoff_m.value,
        "position": _place(heard.position),
        "velocity_ned_m_s": heard.velocity_ned_m_s,
        "heading_deg": None if heard.heading is None else math.degrees(heard.heading.value) % 360.0,
        "gps": None if heard.gps is None else _gps(heard.gps, t_ns),
        "battery": heard.battery_remaining,
        "failsafes": sorted(heard.failsafes),
        "problems": list(state.problems),
        "links": [asdict(line) for line in state.lines],
    }


def _gps(gps: GpsState, t_ns: int) -> dict[str, Any]:
    return {
        "fix_type": gps.fix_type,
        "satellites": gps.satellites,
        "sigma_m": gps.horizontal_sigma_m,
        "position": None if gps.position is None else point(gps.position.point),
        "age_s": _since(gps.t_ns, t_ns),
    }


def _log(daemon: Flying) -> dict[str, Any]:
    state = daemon.rooms.journal.state
    return {
        "degraded": state.degraded,
        "reason": state.reason or None,
        "lost_records": state.lost_records,
        "lost_frames": state.lost_frames,
    }


def _estimate(estimate: Estimate, t_ns: int) -> dict[str, Any]:
    return {
        "position": _place(estimate.position),
        "sigma_m": estimate.sigma_m,
        "covariance_m2": estimate.covariance_m2,
        "trusted": estimate.trusted,
        "state": estimate.state.value,
        "source": estimate.source.value,
        "age_s": _since(estimate.t_ns if estimate.position is not None else None, t_ns),
        "reason": estimate.reason,
    }


def _navigation(daemon: Flying, t_ns: int) -> dict[str, Any]:
    navigation, odometry = daemon.rooms.navigation, daemon.motion.last
    alarm = navigation.alarm
    return {
        "source": navigation.source.value,
        "gps": navigation.gps.value,
        "alarm": None
        if alarm is None
        else {"age_s": _since(alarm.t_ns, t_ns), "offset_m": alarm.offset_m, "reason": alarm.reason},
        "vision": _estimate(navigation.vision(t_ns), t_ns),
        "coast_left_s": navigation.coast_left_s(t_ns),
        "odometry": None
        if odometry is None
        else {
            "age_s": _since(odometry.t_ns, t_ns),
            "healthy": odometry.healthy,
            "faults": [fault.value for fault in odometry.faults],
        },
    }


def _injection(daemon: Flying) -> dict[str, Any]:
    decision, injection = daemon.feeding.last, daemon.rooms.injection
    return {
        "route": (injection.route or injection.settings.route).value,
        "state": decision.state.value,
        "reasons": [reason.value for reason in decision.reasons],
        "echoing": injection.echoing,
    }


def _fix(daemon: Flying, t_ns: int) -> dict[str, Any] | None:
    fix, difference = daemon.perception.last_fix, daemon.perception.difference
    if fix is None:
        return None
    return {
        "position": _place(fix.aircraft),
        "sigma_m": fix.sigma_m,
        "keyframe": fix.keyframe_id,
        "inliers": fix.inliers,
        "age_s": _since(fix.t_ns, t_ns),
        "difference_m": None if difference is None else difference.distance_m,
        "difference_north_m": None if difference is None else difference.north_m,
        "difference_east_m": None if difference is None else difference.east_m,
    }


def _rates(daemon: Flying, t_ns: int) -> dict[str, float]:
    elapsed_s = _since(daemon.started_t_ns, t_ns) or 0.0
    if elapsed_s <= 0:
        return {}
    counted = ("frames", "odometry", "fix", "no_fix", "keyframes", "setpoints")
    return {name: round(daemon.counts[name] / elapsed_s, 3) for name in counted}


def _place(place: GeoPoint | None) -> dict[str, float] | None:
    return None if place is None else point(place)


def _since(then_ns: int | None, t_ns: int) -> float | None:
    return None if then_ns is None else (t_ns - then_ns) * 1e-9
