"""What ArduPilot's parameters have to be, for each way in which it is fed and flown.

Measured on ArduCopter 4.7.0-dev and read in its source; older names behind the newer ones.
"""

from __future__ import annotations

from runtime.values import AidingRoute
from runtime.vehicle.parameters.rules import About, Between, Bits, Figure, Near, NoneOf, OneOf, Rule

_ODOMETRY, _VISION = frozenset({AidingRoute.ODOMETRY}), frozenset({AidingRoute.VISION})
_EXTERNAL = _ODOMETRY | _VISION
_RECEIVER = frozenset({AidingRoute.GPS_INPUT})
_FED = frozenset(AidingRoute) - {AidingRoute.OFF, AidingRoute.AUTO}
_SPEED_SHARE = 0.1  # of the speed reckoned with: less moves no stopping distance by more than a fifth
_SPEED_WHY = "targets are flown to as fast as this; stopping and bare ground are reckoned at cruise_speed_m_s"

RULES: tuple[Rule, ...] = (
    # --- external navigation ----------------------------------------------------------------------------------
    Rule(
        ("VISO_TYPE",), OneOf((1,)), "without it ODOMETRY and VISION_POSITION_ESTIMATE are not read",
        routes=_EXTERNAL, reboot=True,
    ),
    Rule(
        ("VISO_QUAL_MIN",), Between(0, Figure.LEAST_QUALITY, 0),
        "below 0 a failure (quality -1) is taken, above the quality of what is fed nothing is",
        routes=_ODOMETRY,
    ),
    Rule(
        ("VISO_QUAL_MIN",), Between(-1, 0, 0), "VISION_POSITION_ESTIMATE carries no quality: 0 is all that it has",
        routes=_VISION,
    ),
    Rule(
        ("VISO_DELAY_MS",), Near(Figure.DELAY_MS, within=30, most=250),
        "the delay of the fastest message is taken out of all stamps: 80 ms unaccounted for are 0.6 m at 8 m/s",
        routes=_EXTERNAL, breaks=False, reboot=True,
    ),
    Rule(
        ("VISO_VEL_M_NSE",), Between(0.3, None, 0.5),
        "the velocity's own sigma is not read, and 0.1 m/s takes a camera's velocities for outliers",
        routes=_EXTERNAL, breaks=False,
    ),
    Rule(
        ("VISO_POS_M_NSE",), Between(None, 1.0, 0.2), "no smaller sigma than this is used",
        routes=_EXTERNAL, breaks=False,
    ),
    Rule(("VISO_SCALE",), OneOf((1,)), "what is fed is in metres", routes=_EXTERNAL),
    Rule(
        ("EK3_SRC{set}_POSXY",), OneOf((6,)), "the source set that is switched to takes its position from elsewhere",
        routes=_EXTERNAL,
    ),
    Rule(
        ("EK3_SRC{set}_VELXY",), OneOf((6,)), "the source set that is switched to takes its velocity from elsewhere",
        routes=_EXTERNAL,
    ),
    Rule(
        ("EK3_SRC{set}_POSZ",), NoneOf((0, 6), 1), "the height that is fed is the autopilot's own",
        routes=_EXTERNAL,
    ),
    Rule(
        ("EK3_SRC{set}_VELZ",), NoneOf((6,), 0), "the climb that is fed is the autopilot's own",
        routes=_EXTERNAL, breaks=False,
    ),
    Rule(
        ("EK3_SRC{set}_YAW",), OneOf((1, 8)), "the attitude that is fed is the autopilot's own, and GPS has none then",
        routes=_EXTERNAL,
    ),
    Rule(
        ("EK3_SRC_OPTIONS",), Bits(off=0b1001),
        "bit 0 goes on using the velocity of a GPS that was left; with bit 3 a switch of source sets does nothing",
        routes=_EXTERNAL,
    ),
    # --- as a receiver ----------------------------------------------------------------------------------------
    Rule(
        ("GPS{receiver}_TYPE", "GPS_TYPE{receiver}", "GPS_TYPE"), OneOf((14,)),
        "only a receiver of this type takes GPS_INPUT",
        routes=_RECEIVER, reboot=True,
    ),
    Rule(
        ("GPS_AUTO_SWITCH",), OneOf((1, 4)),
        "otherwise the second receiver does not take over when the first has no fix",
        routes=_RECEIVER,
    ),
    Rule(
        ("GPS{receiver}_DELAY_MS", "GPS_DELAY_MS{receiver}", "GPS_DELAY_MS"),
        Near(Figure.DELAY_MS, within=50, most=250),
        "from exposure to sending; it allows for no more than 250 ms",
        routes=_RECEIVER, breaks=False, reboot=True,
    ),
    # --- fed in any way ---------------------------------------------------------------------------------------
    Rule(("AHRS_EKF_TYPE",), OneOf((3,)), "only EKF3 has source sets and external navigation", routes=_FED),
    Rule(("EK3_ENABLE",), OneOf((1,)), "the estimator that is fed does not run", routes=_FED, reboot=True),
    Rule(
        ("FS_EKF_ACTION",), NoneOf((0,), 1), "an estimator that loses its position would only be reported",
        routes=_FED, commanding=True, breaks=False, airframe="copter",
    ),
    Rule(
        ("FS_EKF_THRESH",), Between(0.6, 1.0, 0.8), "outside this the failsafe comes too late, or in every gust",
        routes=_FED, commanding=True, breaks=False, airframe="copter",
    ),
    # --- flown ------------------------------------------------------------------------------------------------
    Rule(
        ("MAV_GCS_SYSID", "SYSID_MYGCS"), NoneOf((Figure.SYSTEM_ID,), 255),
        "our heartbeat would count as the ground station's, whose loss would go unnoticed",
        commanding=True,
    ),
    Rule(
        ("FS_THR_ENABLE",), NoneOf((0,), 1), "a lost RC link would go unnoticed",
        commanding=True, rc=True, airframe="copter",
    ),
    Rule(
        ("THR_FAILSAFE",), NoneOf((0,), 1), "a lost RC link would go unnoticed",
        commanding=True, rc=True, airframe="plane",
    ),
    Rule(
        ("FS_LONG_ACTN",), NoneOf((0,), 1), "0: a lost RC link, or ground station, would not end GUIDED",
        commanding=True, breaks=False, airframe="plane",
    ),
    Rule(
        ("FENCE_ACTION",), NoneOf((6, 7), 1),
        "a breach would switch to GUIDED and lead it elsewhere: Homing has to tell that from the pilot's switch",
        commanding=True, airframe="plane",
    ),
    Rule(
        ("Q_GUIDED_MODE",), OneOf((0,)),
        "1: it hovers at its target, and is called arrived when it comes within the circle that a plane would fly",
        commanding=True, breaks=False, optional=True, airframe="plane",
    ),
    Rule(
        ("Q_MAV_TYPE",), OneOf((0, 1, 19, 20, 21, 22, 23, 24)),
        "a QuadPlane that calls itself a multicopter is taken for one, whose modes have other numbers",
        commanding=True, optional=True,
    ),
    Rule(
        ("FS_OPTIONS",), Bits(off=0b100), "bit 2: a lost RC link would not end GUIDED",
        commanding=True, rc=True, breaks=False, airframe="copter",
    ),
    Rule(
        ("GUID_OPTIONS",), Bits(off=0b1000000), "bit 6: each of the targets, three a second, would be braked for",
        commanding=True, breaks=False, airframe="copter",
    ),
    Rule(
        ("WPNAV_SPEED",), About(Figure.CRUISE_CM_S, _SPEED_SHARE), f"in cm/s: {_SPEED_WHY}",
        commanding=True, breaks=False, optional=True, airframe="copter",
    ),
    Rule(  # what follows it after 4.7
        ("WP_SPD",), About(Figure.CRUISE_M_S, _SPEED_SHARE), _SPEED_WHY,
        commanding=True, breaks=False, optional=True, airframe="copter",
    ),
)  # fmt: skip
