"""What each reason for not commanding means, and what to do: for the status page and for docs/reasons.md alike."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.guidance.reasons import Phase, Reason, State


@dataclass(frozen=True, slots=True)
class Explanation:
    """``meaning`` in plain words; ``remedy``: what to do, empty where there is nothing to do. Code is in backticks."""

    meaning: str
    remedy: str = ""


_AGAIN = "confirm and engage again"
_AND_SWITCH = "confirm, engage and switch again"
_POLYGON = "`[commanding] polygon`"

SET_UP = {
    Reason.COMMANDING_DISABLED: Explanation(
        "the configuration does not enable commanding", "`[commanding] enabled = true`, with every limit"
    ),
    Reason.NO_TARGET: Explanation("there is nothing to fly to", "give a target: `homing target`"),
    Reason.TARGET_NOT_CONFIRMED: Explanation("a target was shown and waits", "confirm it: `homing confirm`"),
    Reason.NOT_ENGAGED: Explanation("nobody has consented to a flight", "engage: `homing engage`"),
}
AUTHORITY = {
    Reason.AUTHORITY_NOT_GRANTED: Explanation(
        "the pilot has not switched into the guided mode since READY", "the pilot switches, when he wants to"
    ),
    Reason.MODE_NOT_GUIDED: Explanation(
        "the vehicle is in another mode than the guided one", "the pilot switches, when he wants to"
    ),
    Reason.ALREADY_GUIDED: Explanation(
        "it was in the guided mode before READY, which grants nothing", "leave the mode and enter it again"
    ),
    Reason.MODE_CHANGED: Explanation("the pilot took the vehicle back", _AND_SWITCH),
    Reason.MODE_STALE: Explanation(
        "in flight: the last heartbeat, which shows the mode, is older than 1.5 s; one that was lost pauses the "
        "flight, more end it",
        "check the link",
    ),
    Reason.FOREIGN_TARGET: Explanation(
        "somebody else sent the vehicle a target, a pause or a manoeuvre, in whatever mode",
        f"find out who, then {_AND_SWITCH}",
    ),
    Reason.TARGET_REFUSED: Explanation(
        "the autopilot does not take the target: it lies outside its own fence, or it cannot be flown to",
        f"see to the autopilot's fence, then {_AND_SWITCH}",
    ),
    Reason.ENTRY_UNKNOWN: Explanation(
        "the plane has not reported that GUIDED began where it was: it may have entered the mode by itself, to fly "
        "to where its fence leads it",
        f"see to the autopilot's fence, then {_AND_SWITCH}",
    ),
    Reason.REBOOTED: Explanation("the autopilot started anew", f"find out why, then {_AND_SWITCH}"),
    Reason.LINK_LOST: Explanation("nothing was heard from the autopilot", f"check the link, then {_AND_SWITCH}"),
    Reason.OPERATOR_DISENGAGED: Explanation("`homing disengage`, which takes back a confirmation too", _AGAIN),
    Reason.TARGET_CHANGED: Explanation("another target was confirmed", "engage for the new one"),
    Reason.CONSENT_EXPIRED: Explanation("nobody switched within `[guidance] consent_s` of `homing engage`", _AGAIN),
    Reason.LANDED: Explanation("it landed; consent was for the flight that is over", _AGAIN),
    Reason.WAS_DISARMED: Explanation("it was disarmed; consent was for the flight that is over", _AGAIN),
    Reason.SHUT_DOWN: Explanation("the daemon ends"),
}
VEHICLE = {
    Reason.NO_VEHICLE: Explanation(
        "nothing is heard from an autopilot", "check `[vehicle] uri`, cable and baud rate"
    ),
    Reason.VEHICLE_KIND: Explanation(
        "it is neither a multicopter nor a plane or QuadPlane of ArduPilot: planes of PX4, rovers and others are read, "
        "and never commanded",
    ),
    Reason.SECOND_AUTOPILOT: Explanation(
        "two autopilots are on one link", "separate them, or set `[vehicle] system_id`"
    ),
    Reason.SECOND_COMPANION: Explanation(
        "somebody else speaks with Homing's own MAVLink ids", "give one of them another `component_id`"
    ),
    Reason.DISARMED: Explanation("the motors are off"),
    Reason.NOT_IN_AIR: Explanation("on the ground, taking off, landing, or unknown", "the pilot takes off first"),
    Reason.FAILSAFE: Explanation(
        "the autopilot reports critical, emergency, termination, a lost receiver or a bad battery",
        "see to the vehicle",
    ),
    Reason.FAILSAFE_UNKNOWN: Explanation(
        "the autopilot does not say whether there is a failsafe, or said it too long ago",
        "check that SYS_STATUS arrives",
    ),
    Reason.FENCE_BREACHED: Explanation("the geofence is breached", "fly back by hand"),
    Reason.FENCE_UNKNOWN: Explanation(
        "nothing says that the fence is kept, nor that there is none",
        "check SYS_STATUS; on PX4 see `[commanding] waive`",
    ),
    Reason.STICKS_MOVED: Explanation(
        "a stick of the receiver, or of a ground station, is off its centre: the pilot wants the vehicle",
        "centre the sticks",
    ),
    Reason.RC_UNKNOWN: Explanation(
        "no receiver that works is heard of, or nothing of the sticks",
        "check the receiver; without one see `[commanding] waive`",
    ),
    Reason.TIME_NOT_SYNCED: Explanation(
        "the autopilot's clock is not known well enough", "wait; if it stays, the link is too slow or too lossy"
    ),
    Reason.STREAM_MISSING: Explanation(
        "telemetry does not come at its rates", "`homing status` names which under `problems`"
    ),
    Reason.EKF_NOT_OK: Explanation(
        "the autopilot's estimator is not healthy, or, unless the position is the camera's, rejects its GPS",
        "see to GPS, compass and vibration",
    ),
    Reason.EKF_VARIANCE: Explanation(
        "the autopilot's estimator rejects what it measures: its test ratio of position or velocity is above 1; for "
        "moments that pauses the flight, longer it ends it",
        "wait; if it stays, see to GPS, compass and vibration",
    ),
    Reason.BATTERY_UNKNOWN: Explanation(
        "the autopilot does not tell the remaining charge", "set up its battery monitor"
    ),
    Reason.BATTERY_RESERVE: Explanation("less is left than `[commanding] battery_reserve_percent`", "land"),
}
POSITION = {
    Reason.NO_ESTIMATE: Explanation("no position is known", "wait for the autopilot's"),
    Reason.ESTIMATE_STALE: Explanation(
        "the last position is older than `[guidance] estimate_max_age_s`", "check the link's rate"
    ),
    Reason.ESTIMATE_UNTRUSTED: Explanation(
        "the position may not be steered by; `homing status` says why",
        "see to GPS, or fly to where the history covers the ground",
    ),
    Reason.COASTING_TOO_LONG: Explanation(
        "the camera has known no place for so long that its position will soon be lost: less than "
        "`[guidance] coast_reserve_s` is left (`coast_left_s`)",
        "fly by hand to ground that the history covers",
    ),
    Reason.GPS_DOUBTED: Explanation(
        "the camera contradicts the receiver that the position rests on; this stays for the flight",
        "fly by hand, or on the camera's position",
    ),
    Reason.SOURCE_CHANGED: Explanation(
        "the position comes from the camera and came from the autopilot when the pilot granted, or the other way round",
        _AND_SWITCH,
    ),
    Reason.AUTOPILOT_ELSEWHERE: Explanation(
        "the autopilot's own position, by which it flies to targets, is unknown or over 10 m from the camera's",
        "feed the autopilot with the camera's position",
    ),
}
LIMITS = {
    Reason.HEIGHT_UNKNOWN: Explanation(
        "height above take-off, or above sea level, is not known", "check that the streams arrive"
    ),
    Reason.SPEED_UNKNOWN: Explanation("the ground speed is not known", "check that the streams arrive"),
    Reason.HOME_UNKNOWN: Explanation("the autopilot has not told its home", "wait for its GPS"),
    Reason.GROUND_UNKNOWN: Explanation(
        "the elevation model does not reach all of the way to the target",
        "give one that does, or choose another target",
    ),
    Reason.BELOW_FLOOR: Explanation(
        "below `floor_height_takeoff_m`, which an elevation model raises by the highest ground on the way",
        "climb by hand",
    ),
    Reason.ABOVE_CEILING: Explanation("above `ceiling_height_takeoff_m`", "descend by hand"),
    Reason.OUTSIDE_AREA: Explanation(f"outside {_POLYGON}", "fly back by hand, or correct the polygon"),
    Reason.TOO_FAR: Explanation("farther from home than `max_distance_m`", "fly back by hand, or correct the limit"),
    Reason.TARGET_OUTSIDE_AREA: Explanation(
        f"the target lies outside {_POLYGON}", "choose another, or correct the polygon"
    ),
    Reason.TARGET_TOO_FAR: Explanation(
        "the target is farther from home than `max_distance_m`", "choose another, or correct the limit"
    ),
    Reason.PATH_LEAVES_AREA: Explanation(
        "the way to the target comes too near the polygon's edge, or crosses it", "fly by hand to where it does not"
    ),
    Reason.ROUTE_LEAVES_COVERAGE: Explanation(
        "the way leads farther over ground that the history does not cover than may be flown without a fix, or there "
        "is no way to retrace",
        "choose another target, or fly by hand to covered ground",
    ),
}
ON_THE_WAY = {
    Reason.NOT_DUE: Explanation("the last position target still holds; the next is due later"),
    Reason.ARRIVAL_UNCERTAIN: Explanation(
        "at the target by a position whose sigma is larger than `[guidance] arrival_radius_m`: it is kept there, and "
        "not called arrived"
    ),
    Reason.ARRIVED: Explanation("holding at the target"),
    Reason.ARRIVAL_CONFIRMED: Explanation("the live view agrees that this is the place"),
    Reason.ARRIVAL_NOT_CONFIRMED: Explanation(
        "the live view disagrees, or saw nothing it knew, or the position stayed too uncertain to arrive; Homing holds"
    ),
}
EXPLAINED: dict[Reason, Explanation] = SET_UP | AUTHORITY | VEHICLE | POSITION | LIMITS | ON_THE_WAY

STATES = {
    State.DISABLED: "commanding is off in the configuration: Homing records and watches",
    State.MONITOR: "something is missing before Homing may fly; the reasons say what",
    State.READY: "all is there: the pilot's next switch into the guided mode starts the flight",
    State.ENGAGED: "Homing flies the vehicle; the pilot's mode switch takes it back at any time",
    State.YIELDED: "the vehicle was given back; the operator must confirm and engage again",
}
PHASES = {
    Phase.NONE: "",
    Phase.EN_ROUTE: "on the way to the target",
    Phase.HOLDING: "at the target: holding until the live view confirms it",
    Phase.CONFIRMED: "at the target, and the live view agrees",
    Phase.NOT_CONFIRMED: "at the target by its position, and the live view does not agree: holding",
}
