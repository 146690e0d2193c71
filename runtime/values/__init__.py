"""The typed values that travel between the rooms, from camera frame to setpoint.

Times are monotonic nanoseconds, angles radians, lengths metres, positions WGS-84. The body frame is FRD
(x forward, y right, z down), the local frame NED, the camera frame x right, y down, z along the optical axis.
Quaternions are (w, x, y, z); a transform ``a_from_b`` takes vectors of frame b to frame a.
"""

from __future__ import annotations

from runtime.values.aiding import (
    Aiding,
    AidingRoute,
    FailedOdometry,
    GlobalPosition,
    LocalOdometry,
    LocalOrigin,
    PositionEstimate,
    ReceiverFix,
    says_failed,
)
from runtime.values.answers import Candidate, Decision, Fix, Hypothesis, PlaceAnswer
from runtime.values.attitude import Attitude, yaw_of
from runtime.values.coverage import Coverage
from runtime.values.navigation import (
    Estimate,
    NavState,
    Pose,
    Position,
    PositionSource,
    Setpoint,
    TrackingState,
    Vicinity,
)
from runtime.values.odometry import Displacement, Odometry, OdometryFault
from runtime.values.quantities import (
    Covariance,
    GeoPoint,
    Measured,
    Quaternion,
    Slopes,
    Velocity,
    axis_sigma_m,
    circular,
)
from runtime.values.snapshot import Sighting, Snapshot
from runtime.values.views import Embeddings, Frame, ImageRGB, Keyframe, Maps, Vectors, View, ViewKind

__all__ = [
    "Aiding",
    "AidingRoute",
    "Attitude",
    "Candidate",
    "Covariance",
    "Coverage",
    "Decision",
    "Displacement",
    "Embeddings",
    "Estimate",
    "FailedOdometry",
    "Fix",
    "Frame",
    "GeoPoint",
    "GlobalPosition",
    "Hypothesis",
    "ImageRGB",
    "Keyframe",
    "LocalOdometry",
    "LocalOrigin",
    "Maps",
    "Measured",
    "NavState",
    "Odometry",
    "OdometryFault",
    "PlaceAnswer",
    "Pose",
    "Position",
    "PositionEstimate",
    "PositionSource",
    "Quaternion",
    "ReceiverFix",
    "Setpoint",
    "Sighting",
    "Slopes",
    "Snapshot",
    "TrackingState",
    "Vectors",
    "Velocity",
    "View",
    "Vicinity",
    "ViewKind",
    "axis_sigma_m",
    "circular",
    "says_failed",
    "yaw_of",
]
