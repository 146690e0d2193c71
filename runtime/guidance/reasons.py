"""The states of guidance and the names of every reason for not commanding."""

from __future__ import annotations

from enum import Enum


class State(str, Enum):
    """Where guidance stands; setpoints leave only in ENGAGED."""

    DISABLED = "disabled"  # the configuration does not enable commanding
    MONITOR = "monitor"  # something is missing; see the reasons
    READY = "ready"  # all is there: the next transition into the guided mode grants authority
    ENGAGED = "engaged"  # the pilot granted authority
    YIELDED = "yielded"  # authority was given up; the operator must engage again


class Phase(str, Enum):
    """How far an engaged flight is."""

    NONE = "none"
    EN_ROUTE = "en_route"
    HOLDING = "holding"  # arrived; holds, then waits for the live view to confirm
    CONFIRMED = "confirmed"  # the live view agrees that this is the place
    NOT_CONFIRMED = "not_confirmed"  # it disagrees, or saw nothing it knew


class Reason(str, Enum):
    """Why no setpoint was sent; guidance names all that hold at once, not only the first."""

    # Set-up and the operator
    COMMANDING_DISABLED = "commanding_disabled"
    NO_TARGET = "no_target"
    TARGET_NOT_CONFIRMED = "target_not_confirmed"
    NOT_ENGAGED = "not_engaged"  # the operator has not said `homing engage`

    # Authority
    AUTHORITY_NOT_GRANTED = "authority_not_granted"  # no transition into the guided mode since READY
    MODE_NOT_GUIDED = "mode_not_guided"
    ALREADY_GUIDED = "already_guided"  # in the guided mode before READY: that grants nothing
    MODE_CHANGED = "mode_changed"  # somebody left the guided mode while we were engaged
    MODE_STALE = "mode_stale"  # the heartbeat that shows the guided mode is old: another may have said more
    FOREIGN_TARGET = "foreign_target"  # somebody else sent the vehicle a position target
    TARGET_REFUSED = "target_refused"  # the autopilot does not take our target, for its own fence or another reason
    ENTRY_UNKNOWN = "entry_unknown"  # a plane does not say that GUIDED began where it was: its fence may lead it
    REBOOTED = "rebooted"  # the autopilot started anew
    LINK_LOST = "link_lost"
    OPERATOR_DISENGAGED = "operator_disengaged"
    TARGET_CHANGED = "target_changed"  # another target was confirmed: the operator must engage for it
    CONSENT_EXPIRED = "consent_expired"  # nobody granted the vehicle within `consent_s` of `homing engage`
    LANDED = "landed"  # after the operator's word: that was for the flight that is over
    WAS_DISARMED = "was_disarmed"  # the same
    SHUT_DOWN = "shut_down"

    # The vehicle
    NO_VEHICLE = "no_vehicle"  # nothing is heard from an autopilot
    VEHICLE_KIND = "vehicle_kind"  # neither a multicopter nor an ArduPilot plane, or it does not say what it is
    SECOND_AUTOPILOT = "second_autopilot"
    SECOND_COMPANION = "second_companion"
    DISARMED = "disarmed"
    NOT_IN_AIR = "not_in_air"  # on the ground, taking off, landing, or unknown
    FAILSAFE = "failsafe"  # the autopilot reports critical, emergency, termination, a lost receiver or a bad battery
    FAILSAFE_UNKNOWN = "failsafe_unknown"  # it does not say
    FENCE_BREACHED = "fence_breached"
    FENCE_UNKNOWN = "fence_unknown"  # nothing says that the fence is kept, nor that there is none
    STICKS_MOVED = "sticks_moved"  # the pilot wants the vehicle
    RC_UNKNOWN = "rc_unknown"  # no receiver that works is heard of, or nothing of the sticks
    TIME_NOT_SYNCED = "time_not_synced"
    STREAM_MISSING = "stream_missing"
    EKF_NOT_OK = "ekf_not_ok"
    EKF_VARIANCE = "ekf_variance"  # it rejects what it measures: its test ratio of position or velocity is above 1
    BATTERY_UNKNOWN = "battery_unknown"
    BATTERY_RESERVE = "battery_reserve"

    # The estimate
    NO_ESTIMATE = "no_estimate"
    ESTIMATE_STALE = "estimate_stale"
    ESTIMATE_UNTRUSTED = "estimate_untrusted"
    COASTING_TOO_LONG = "coasting_too_long"  # the camera has known no place for so long that it will soon be lost
    GPS_DOUBTED = "gps_doubted"  # the camera contradicts the receiver that the position rests on
    SOURCE_CHANGED = "source_changed"  # the position is by another source than when the pilot granted
    AUTOPILOT_ELSEWHERE = "autopilot_elsewhere"  # it steers by a position that is not the camera's

    # The operator's limits
    HEIGHT_UNKNOWN = "height_unknown"
    SPEED_UNKNOWN = "speed_unknown"
    HOME_UNKNOWN = "home_unknown"
    GROUND_UNKNOWN = "ground_unknown"  # the elevation model does not reach all of the way
    BELOW_FLOOR = "below_floor"
    ABOVE_CEILING = "above_ceiling"
    OUTSIDE_AREA = "outside_area"
    TOO_FAR = "too_far"
    TARGET_OUTSIDE_AREA = "target_outside_area"
    TARGET_TOO_FAR = "target_too_far"
    PATH_LEAVES_AREA = "path_leaves_area"
    ROUTE_LEAVES_COVERAGE = "route_leaves_coverage"  # farther over unknown ground than may be coasted

    # Progress
    NOT_DUE = "not_due"  # the last setpoint still holds; the next is due later
    ARRIVAL_UNCERTAIN = "arrival_uncertain"  # there by the estimate, whose sigma is larger than the arrival's radius
    ARRIVED = "arrived"  # holding at the target
    ARRIVAL_CONFIRMED = "arrival_confirmed"
    ARRIVAL_NOT_CONFIRMED = "arrival_not_confirmed"


FORBIDDING = frozenset(
    {
        Reason.COMMANDING_DISABLED,
        Reason.MODE_NOT_GUIDED,
        Reason.NO_VEHICLE,
        Reason.VEHICLE_KIND,
        Reason.SECOND_AUTOPILOT,
        Reason.SECOND_COMPANION,
        Reason.DISARMED,
        Reason.NOT_IN_AIR,
        Reason.FAILSAFE,
        Reason.FENCE_BREACHED,
        Reason.STICKS_MOVED,
    }
)
"""Reasons under which not even a hold may be sent: the vehicle is not ours to command."""

ENDS_CONFIRMATION = frozenset(
    {
        Reason.WAS_DISARMED,
        Reason.LANDED,
        Reason.LINK_LOST,
        Reason.REBOOTED,
        Reason.OPERATOR_DISENGAGED,
        Reason.SHUT_DOWN,
    }
)
"""Causes that end the confirmation of a target even before anybody consented to it: another flight begins, or the
operator takes his word back, all of it."""

FINISHED = frozenset({Reason.ARRIVAL_CONFIRMED, Reason.ARRIVAL_NOT_CONFIRMED})
"""Reasons with which a flight is over."""

WAITING_FOR_PILOT = frozenset({Reason.AUTHORITY_NOT_GRANTED, Reason.MODE_NOT_GUIDED})
"""All that may be missing in READY: the pilot's transition into the guided mode."""

WAIVABLE = {"rc": Reason.RC_UNKNOWN, "fence": Reason.FENCE_UNKNOWN}
"""What the operator may fly without knowing, by its name in the configuration; what is known to be bad he may not."""

PASSING = frozenset(
    {
        Reason.ESTIMATE_STALE,
        Reason.ESTIMATE_UNTRUSTED,
        Reason.AUTOPILOT_ELSEWHERE,
        Reason.EKF_VARIANCE,
        Reason.MODE_STALE,
        Reason.ENTRY_UNKNOWN,
        Reason.TIME_NOT_SYNCED,
        Reason.STREAM_MISSING,
        Reason.FAILSAFE_UNKNOWN,
        Reason.FENCE_UNKNOWN,
        Reason.RC_UNKNOWN,
    }
)
"""Reasons that may come and go within moments: silence first, and only then a hold and the end of authority."""

UNHELD = (FORBIDDING | PASSING | {Reason.NO_ESTIMATE, Reason.OUTSIDE_AREA, Reason.TOO_FAR}) - {
    Reason.AUTOPILOT_ELSEWHERE,  # it stops by its own position, whether or not that is right
    Reason.EKF_VARIANCE,  # the same
}
"""Reasons under which authority ends without a hold: the vehicle is not ours, or here is unknown or not allowed."""
