"""What PX4's parameters have to be, for each way in which it is fed and flown. Read in the source of PX4 1.18."""

from __future__ import annotations

from runtime.values import AidingRoute
from runtime.vehicle.parameters.rules import About, Between, Bits, Figure, Near, NoneOf, OneOf, Rule

_ODOMETRY, _VISION = frozenset({AidingRoute.ODOMETRY}), frozenset({AidingRoute.VISION})
_EXTERNAL = _ODOMETRY | _VISION
_SENSOR = frozenset({AidingRoute.GLOBAL_POSITION})
_FED = frozenset(AidingRoute) - {AidingRoute.OFF, AidingRoute.AUTO}
_SPEED_SHARE = 0.1  # of the speed reckoned with: less moves no stopping distance by more than a fifth

RULES: tuple[Rule, ...] = (
    # --- external vision --------------------------------------------------------------------------------------
    Rule(
        ("EKF2_EV_CTRL",), Bits(on=0b0101, off=0b1010),
        "position (bit 0) and velocity (2) are measured; height (1) and yaw (3) are the autopilot's own words",
        routes=_ODOMETRY,
    ),
    Rule(
        ("EKF2_EV_CTRL",), Bits(on=0b0001, off=0b1010),
        "position (bit 0) is measured; height (1) and yaw (3) are the autopilot's own words",
        routes=_VISION,
    ),
    Rule(("EKF2_EV_NOISE_MD",), OneOf((0,)), "1 uses parameters in place of the sigma that is fed", routes=_EXTERNAL),
    Rule(
        ("EKF2_EV_DELAY",), Between(None, 20, 0), "stamps are those of the exposure: nothing is left to allow for",
        routes=_EXTERNAL, breaks=False, reboot=True,
    ),
    Rule(
        ("EKF2_EV_QMIN",), Between(0, Figure.LEAST_QUALITY, 1), "above the quality of what is fed nothing is taken",
        routes=_ODOMETRY,
    ),
    Rule(("EKF2_EV_QMIN",), OneOf((0,)), "VISION_POSITION_ESTIMATE carries no quality", routes=_VISION),
    Rule(
        ("EKF2_EVP_NOISE",), Between(None, 1.0, 0.1), "no smaller sigma than this is used",
        routes=_EXTERNAL, breaks=False,
    ),
    Rule(
        ("EKF2_EVV_NOISE",), Between(None, 0.5, 0.1), "no smaller sigma than this is used",
        routes=_ODOMETRY, breaks=False,
    ),
    Rule(
        ("EKF2_EVP_GATE",), Between(3, None, 5), "a tighter gate rejects honest positions",
        routes=_EXTERNAL, breaks=False,
    ),
    # --- a sensor of global positions -------------------------------------------------------------------------
    Rule(
        ("EKF2_AGP0_ID",), OneOf((Figure.SENSOR_ID,)), "the sensor is known by [injection] sensor_id",
        routes=_SENSOR, reboot=True,
    ),
    Rule(
        ("EKF2_AGP0_CTRL",), Bits(on=0b01, off=0b10), "bit 0 takes its position; it measures no height",
        routes=_SENSOR,
    ),
    Rule(
        ("EKF2_AGP0_MODE",), OneOf((1,)), "0 resets the estimator onto a position that it rejected for 5 s",
        routes=_SENSOR,
    ),
    Rule(
        ("EKF2_AGP0_DELAY",), Near(Figure.DELAY_MS, within=50, most=1000), "stamps are not read: this stands for them",
        routes=_SENSOR, breaks=False, reboot=True,
    ),
    Rule(
        ("EKF2_AGP0_NOISE",), Between(None, 1.0, 1.0), "no smaller sigma than this is used",
        routes=_SENSOR, breaks=False,
    ),
    # --- fed in any way ---------------------------------------------------------------------------------------
    Rule(("EKF2_EN",), OneOf((1,)), "the estimator that is fed does not run", routes=_FED, reboot=True),
    Rule(("EKF2_HGT_REF",), NoneOf((3,), 0), "the height that is fed is the autopilot's own", routes=_FED),
    Rule(
        ("EKF2_NOAID_TOUT",), Between(2e6, None, 5e6), "in microseconds: feeding begins a second after GPS was lost",
        routes=_FED, breaks=False,
    ),
    Rule(
        ("COM_POS_FS_EPH",), Between(Figure.MAX_SIGMA_M, None, Figure.MAX_SIGMA_M, or_off=True),
        "a position as uncertain as [injection] max_sigma_m would be called lost",
        routes=_FED, breaks=False,
    ),
    # --- flown ------------------------------------------------------------------------------------------------
    Rule(
        ("COM_OF_LOSS_T",), Between(0.3, 2.0, 1.0),
        "shorter, and a hiccup ends OFFBOARD; longer, and the last target is flown to after we have gone",
        commanding=True,
    ),
    Rule(
        ("MPC_XY_VEL_MAX",), About(Figure.CRUISE_M_S, _SPEED_SHARE),
        "streamed positions are flown to as fast as this; stopping and bare ground are reckoned at cruise_speed_m_s",
        commanding=True, breaks=False, airframe="copter", repositions=False,
    ),
    Rule(
        ("MPC_XY_CRUISE",), About(Figure.CRUISE_M_S, _SPEED_SHARE),
        "repositions are flown to as fast as this; stopping and bare ground are reckoned at cruise_speed_m_s",
        commanding=True, breaks=False, airframe="copter", repositions=True,
    ),
    Rule(
        ("COM_OBL_RC_ACT",), OneOf((5, 4, 0)), "Return flies on a position that may be gone with us; hold (5) does not",
        commanding=True, rc=True, breaks=False,
    ),
    Rule(
        ("COM_OBL_RC_ACT",), OneOf((5, 4)),
        "without sticks Position mode is none, and ends in Return; hold (5) does not",
        commanding=True, rc=False, breaks=False,
    ),
    Rule(
        ("COM_RCL_EXCEPT",), Bits(off=0b100), "bit 2: a lost RC link would go unnoticed in OFFBOARD",
        commanding=True, rc=True, breaks=False,
    ),
    Rule(
        ("MAN_OVERRIDE_SPD",), Between(0, None, 1), "the pilot's sticks would not end OFFBOARD",
        commanding=True, rc=True, breaks=False, optional=True,
    ),
    Rule(  # until 1.17
        ("COM_RC_OVERRIDE",), Bits(on=0b10), "the pilot's sticks would not end OFFBOARD",
        commanding=True, rc=True, breaks=False, optional=True,
    ),
)  # fmt: skip
