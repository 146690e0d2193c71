"""From what happens in the daemon to the records of the flight log."""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from typing import Any

import cv2

from runtime.camera.health import CameraState
from runtime.daemon.frame_gate import PosedFrame
from runtime.daemon.target_handler import point
from runtime.errors import HomingError
from runtime.events import Answer, FrameArrived, JobDone
from runtime.flightlog.beliefs import (
    AlarmRecord,
    DifferenceRecord,
    EstimateRecord,
    FixRecord,
    NavigationRecord,
    OdometryRecord,
    PoseRecord,
    VisionRecord,
)
from runtime.flightlog.inputs import FrameRecord, JobRecord
from runtime.flightlog.records import (
    ControlRecord,
    ErrorRecord,
    GuidanceRecord,
    InjectionRecord,
    SetpointRecord,
    VehicleRecord,
)
from runtime.guidance.guidance import GuidanceDecision
from runtime.injection.values import InjectionDecision
from runtime.localizer.fix_difference import FixDifference
from runtime.localizer.gps_watch import GpsAlarm
from runtime.localizer.navigation import GpsStanding
from runtime.values import Estimate, Fix, GeoPoint, ImageRGB, Measured, Odometry, PositionSource, Setpoint
from runtime.vehicle.events import VehicleEvent

_LOGGED_SIDE_PX = 320  # longer side of a logged picture: enough to see what was below, 10 to 20 kB
_JPEG_QUALITY = 80
_LOGGED_HYPOTHESES = 12  # of a fix: some 4 kB


def vehicle_record(event: VehicleEvent) -> VehicleRecord:
    """The record of a vehicle event: its name and its fields as JSON has them."""
    fields = {field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)}
    del fields["t_ns"]
    return VehicleRecord(type(event).__name__, event.t_ns, fields)


def frame_record(event: FrameArrived, state: CameraState, with_picture: bool) -> FrameRecord:
    """The record of a frame, with the state of the camera that it shows and, on request, its reduced picture."""
    frame = event.frame
    height_px, width_px = frame.image.shape[:2]
    return FrameRecord(
        index=frame.index,
        source=frame.source,
        stamped_t_ns=frame.t_ns,
        dropped=event.dropped_before,
        camera=state.value,
        width_px=width_px,
        height_px=height_px,
        jpeg=reduced_jpeg(frame.image) if with_picture else None,
    )


def reduced_jpeg(image: ImageRGB) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a JPEG of at most 320 pixels on its longer side."""
    scale = min(1.0, _LOGGED_SIDE_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1.0 else image
    encoded, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
    )
    return bytes(data.tobytes()) if encoded else b""


def pose_record(posed: PosedFrame) -> PoseRecord:
    """The record of the autopilot's state at a frame's exposure."""
    pose, position = posed.pose, posed.position
    return PoseRecord(
        frame=posed.frame.index,
        exposed_t_ns=posed.frame.t_ns,
        position=None if position is None else position.point,
        position_sigma_m=math.inf if position is None else position.sigma_m,
        position_source=None if position is None else position.source.value,
        altitude_amsl_m=_value(pose.altitude_amsl_m),
        height_takeoff_m=_value(pose.height_takeoff_m),
        height_agl_m=_value(pose.height_agl_m),
        heading_rad=_value(pose.heading),
        ned_from_body=pose.ned_from_body,
    )


def job_record(done: JobDone) -> JobRecord:
    """The record of a job's end: its kind, how long it took, the frame it was about."""
    exposed_t_ns = done.subject.frame.t_ns if isinstance(done.subject, PosedFrame) else None
    return JobRecord(done.kind.value, done.elapsed_ns, exposed_t_ns, done.error is not None, done.started_t_ns)


def fix_record(fix: Fix, difference: FixDifference | None, posed: PosedFrame) -> FixRecord:
    """The record of a fix, with the autopilot's position at the same exposure and their difference."""
    apart = None
    if difference is not None:
        apart = DifferenceRecord(difference.t_ns, difference.north_m, difference.east_m, difference.distance_m)
    return FixRecord(
        t_ns=fix.t_ns,
        decision=fix.decision.value,
        aircraft=fix.aircraft,
        ground=fix.ground,
        covariance_m2=fix.covariance_m2,
        sigma_m=fix.sigma_m,
        keyframe_id=fix.keyframe_id,
        inliers=fix.inliers,
        verified=fix.verified,
        reason=fix.reason,
        exposed_t_ns=posed.frame.t_ns,
        frame=posed.frame.index,
        autopilot=None if posed.position is None else posed.position.point,
        difference=apart,
        hypotheses=fix.hypotheses[:_LOGGED_HYPOTHESES],
    )


def estimate_record(estimate: Estimate, t_ns: int) -> EstimateRecord:
    """The record of the estimate that is flown at ``t_ns``."""
    by_sight = estimate.source is PositionSource.VISION
    return EstimateRecord(**_estimate(estimate, t_ns if by_sight else estimate.t_ns))


def vision_record(estimate: Estimate, t_ns: int) -> VisionRecord:
    """The record of the camera's word of an instant."""
    return VisionRecord(**_estimate(estimate, t_ns))


def _estimate(estimate: Estimate, believed_t_ns: int) -> dict[str, Any]:
    return {
        "state": estimate.state.value,
        "position": estimate.position,
        "covariance_m2": estimate.covariance_m2,
        "sigma_m": estimate.sigma_m,
        "velocity_ned_m_s": estimate.velocity_ned_m_s,
        "heading_rad": _value(estimate.heading),
        "trusted": estimate.trusted,
        "source": estimate.source.value,
        "reason": estimate.reason,
        "measured_t_ns": estimate.t_ns,
        "believed_t_ns": believed_t_ns,
    }


def odometry_record(odometry: Odometry, posed: PosedFrame) -> OdometryRecord:
    """The record of what odometry made of a frame."""
    return OdometryRecord(
        frame=posed.frame.index,
        exposed_t_ns=odometry.t_ns,
        displacement=odometry.displacement,
        faults=tuple(fault.value for fault in odometry.faults),
        tracked=odometry.tracked,
        agreeing=odometry.agreeing,
    )


def navigation_record(estimate: Estimate, gps: GpsStanding, alarm: GpsAlarm | None) -> NavigationRecord:
    """The record of whose word is flown, and of what is thought of the satellite receiver."""
    said = None if alarm is None else AlarmRecord(alarm.t_ns, alarm.offset_m, alarm.sigmas, alarm.reason)
    return NavigationRecord(estimate.source.value, gps.value, said)


def injection_record(decision: InjectionDecision, echoing: bool) -> InjectionRecord:
    """The record of what the autopilot is fed with, and whether it is told to fly on it."""
    reasons = [reason.value for reason in decision.reasons]
    return InjectionRecord(decision.state.value, reasons, decision.switch_to, echoing)


def decision_record(decision: GuidanceDecision, estimate: Estimate) -> GuidanceRecord:
    """The record of a decision of guidance, with the estimate that it rests on."""
    return GuidanceRecord(
        state=decision.state.value,
        phase=decision.phase.value,
        reasons=[reason.value for reason in decision.reasons],
        consent_left_s=seconds(decision.consent_left_ns),
        waived=[reason.value for reason in decision.waived],
        distance_m=decision.distance_m,
        position=estimate.position,
        sigma_m=estimate.sigma_m,
        trusted=estimate.trusted,
        estimate_t_ns=estimate.t_ns,
    )


def seconds(duration_ns: int | None) -> float | None:
    """Seconds of a duration in nanoseconds, to the millisecond; None stays None."""
    return None if duration_ns is None else round(duration_ns * 1e-9, 3)


def setpoint_record(setpoint: Setpoint, withheld: str | None) -> SetpointRecord:
    """The record of a position target; ``withheld``: why it was not sent, None where it was."""
    return SetpointRecord(
        latitude_deg=setpoint.position.latitude_deg,
        longitude_deg=setpoint.position.longitude_deg,
        altitude_amsl_m=setpoint.altitude_amsl_m,
        expires_t_ns=setpoint.expires_t_ns,
        reason=setpoint.reason,
        sent=withheld is None,
        withheld=withheld,
    )


def control_record(request: dict[str, Any], answer: Answer) -> ControlRecord:
    """The record of a request with its answer; of a status only the state, for the rest is in other records."""
    return ControlRecord(request, {"state": answer.get("state")} if "latency_ms" in answer else answer)


def error_record(stage: str, error: Exception) -> ErrorRecord:
    """The record of an error that the flight survives; ``stage``: where it happened."""
    return ErrorRecord(stage, str(error), type(error).__name__)


def expected(error: Exception | None) -> bool:
    """Whether an error is a `HomingError`, whose sentence says all: it is logged without a traceback."""
    return isinstance(error, HomingError)


def _value(measured: Measured | None) -> float | None:
    return None if measured is None else measured.value


def _plain(value: Any) -> Any:
    if isinstance(value, GeoPoint):
        return point(value)
    return value.value if isinstance(value, Enum) else value
