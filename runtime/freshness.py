"""How old each thing may be before it counts as unknown: the one table of such limits.

This module imports nothing of the package, so that every room may import it. A limit with a ``key`` is the default of
that key of the configuration; the others are fixed, for the reason that stands beside them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MaxAge:
    """``what`` is believed for ``seconds``, because of ``why``; ``key`` of the configuration sets it, "" if none."""

    what: str
    seconds: float
    why: str
    key: str = ""

    @property
    def ns(self) -> int:
        """The same in nanoseconds, the unit of every ``t_ns``."""
        return round(self.seconds * 1e9)


# The link and who speaks on it

LINK = MaxAge(
    "anything from the autopilot: without it the link is lost", 2.5, "a dozen streams and two heartbeats were due"
)
HEARTBEAT = MaxAge("the autopilot's heartbeat: without it the link is lost", 5.0, "five missed (heartbeat service)")
MODE = MaxAge(
    "the mode in the autopilot's heartbeat, for any command and for the hold with which authority is given back",
    1.5,
    "heartbeats come at 1 Hz: one that is older was followed by another that did not arrive, and may have said more",
)
OWN_PROGRESS = MaxAge("the daemon's own progress: without it its heartbeat stops", 2.0, "a faulty component is silent")
TIMESYNC = MaxAge("the autopilot's clock by TIMESYNC", 10.0, "crystals drift by 0.5 ms in that time")

# What the autopilot says

SYS_STATUS = MaxAge(
    "the health bits that tell of failsafes", 3.0, "wanted at 4 Hz, accepted from 2 Hz: five may be lost"
)
RC_CHANNELS = MaxAge("the pilot's sticks", 2.0, "wanted at 5 Hz, accepted from 2.5 Hz: four may be lost")
FENCE_STATUS = MaxAge("FENCE_STATUS", 5.0, "wanted at 1 Hz, accepted from 0.5 Hz: one may be lost")
GPS_FIX = MaxAge(
    "a 3D fix of the satellite receiver, for it to be believed", 1.0, "wanted at 5 Hz: four reports without one"
)
RANGE = MaxAge(
    "a range finder's height above ground, live and in logs", 0.5, "4 m of flight at 8 m/s: a roof may begin there"
)
ATTITUDE_GAP = MaxAge(
    "two attitudes with a frame between them", 0.4, "twelve in a row were lost: a slerp would invent the turn"
)
POSITION_GAP = MaxAge("two positions with a frame between them", 1.0, "twenty were lost: a line would invent the way")
POSE_AHEAD = MaxAge("the last attitude, for a frame that is newer", 0.05, "by its rates; farther would be guessing")
POSES_KEPT = MaxAge("poses, for frames that come late", 4.0, "a frame that is later than this tells nothing of now")
LOG_GAP = MaxAge("two records of a telemetry log with a frame between them", 2.0, "logs at 1 Hz may lack one record")
POSE_WAIT = MaxAge(
    "a frame that waits for the pose of its instant",
    0.5,
    "five periods of telemetry at half its rate",
    "fix.max_pose_wait_s",
)

# What is decided on it

POSITION_TO_TRUST = MaxAge("the autopilot's position, as an estimate that is trusted", 3.0, "24 m of flight at 8 m/s")
SIGHT = MaxAge(
    "anything that the camera showed of motion or place, for a position by sight",
    2.5,
    "20 m of flight at 8 m/s that nothing measured",
)
ESTIMATE = MaxAge("an estimate that commands", 1.0, "8 m of flight at 8 m/s", "guidance.estimate_max_age_s")
SETPOINT = MaxAge(
    "a target of ours that is not sent yet", 1.0, "three of its intervals have passed", "guidance.setpoint_lifetime_s"
)
READY = MaxAge("READY, for the pilot's switch that grants", 1.0, "it is decided 20 times a second: older means a stall")
CONSENT = MaxAge(
    "the operator's consent", 300.0, "long enough to tell the pilot, short of another flight", "guidance.consent_s"
)
WORD_BEFORE_TAKEOVER = MaxAge(
    "the operator's `engage`, when the pilot is seen to leave the guided mode: said so shortly before, it ends with it",
    3.0,
    "1.5 s that a heartbeat may be old, and 1.5 s to hear of a word: it is no answer to a word that is younger",
)
CAMERA = MaxAge(
    "the camera's last frame: without another it is silent", 1.0, "a camera in flight gives several a second"
)
CAMERA_QUICK = MaxAge(
    "the same of a camera whose frames come quickly and evenly", 0.2, "five at 25 Hz; with a tick, told within 0.3 s"
)
CAMERA_FAULT = MaxAge(
    "the last fault that the camera showed, before it counts as well again",
    1.2,
    "one good frame among bad is no cure; and longer than `CAMERA`, or each frame of a slow camera would count as one",
)
FROZEN = MaxAge(
    "a picture that a camera repeats to the last bit", 0.6, "of a slow one: three frames at 4 Hz, told within a second"
)

# What is shown

SNAPSHOT = MaxAge("what the status page shows of the daemon", 2.0, "it shows itself twice a second: three are missing")

TABLE = tuple(value for value in list(globals().values()) if isinstance(value, MaxAge))
"""All of them, in this order."""
