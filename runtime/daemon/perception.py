"""What the daemon does with frames: the pose of their exposure, a fix by sight, and a keyframe where they show news.

Fixing and recording are jobs for the workers. A frame that finds them busy is dropped and counted: the next one is
newer. A frame is recorded only after its own fix, so that no frame is ever matched against itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from runtime.camera.health import UNUSABLE_STATES, CameraHealth, CameraState
from runtime.daemon.frame_gate import PosedFrame
from runtime.daemon.latencies import Latencies
from runtime.daemon.motion import Motion
from runtime.daemon.records import expected, fix_record, frame_record, pose_record
from runtime.daemon.rooms import Rooms
from runtime.daemon.workers import Job
from runtime.errors import EngineError, HistoryBusyError
from runtime.events import FrameArrived, JobDone, JobKind
from runtime.flightlog.beliefs import KeyframeRecord
from runtime.localizer.fix_difference import FixDifference
from runtime.localizer.navigation import GpsStanding
from runtime.record.recorder import Recorded
from runtime.values import Decision, Fix, Frame, Pose, Sighting


@dataclass(frozen=True, slots=True)
class PerceptionSettings:
    """``fix_interval_ns``: between the exposures of two frames that are fixed. ``any_heading``: distrust the pose's.

    ``picture_interval_ns``: between two frames that are logged as pictures. ``camera_aspect``: see `CameraHealth`.
    """

    record: bool = False
    fix_interval_ns: int = 0
    any_heading: bool = False
    picture_interval_ns: int = 1_000_000_000
    camera_aspect: float | None = None


class Perception:
    """Takes frames and the results of their jobs; tells navigation and guidance of every fix."""

    def __init__(
        self,
        rooms: Rooms,
        settings: PerceptionSettings,
        counts: Counter[str],
        latencies: Latencies,
        failed: Callable[[str, int, Exception], None],
        motion: Motion,
    ) -> None:
        """``failed`` is told of a job that failed: its kind, the instant and the error. ``motion`` is given every
        frame that has its pose."""
        self._rooms = rooms
        self._motion = motion
        self._settings = settings
        self._counts = counts
        self._latencies = latencies
        self._failed = failed
        self._fix_due_ns = self._picture_due_ns = 0
        self.camera = CameraHealth(settings.camera_aspect)
        self.camera_error = ""  # why no frames come, in the words of the camera's thread
        self.last_frame: Frame | None = None
        self.last_fix: Fix | None = None
        self.matched: Sighting | None = None  # the frame of the last fix
        self.difference: FixDifference | None = None
        self.recording_failed = ""

    @property
    def recording(self) -> bool:
        """Live recording pauses while a target is confirmed: an arrival must not be confirmed by its own way there."""
        return self._settings.record and self._rooms.guidance.target is None and not self.recording_failed

    def camera_state(self, t_ns: int) -> CameraState:
        """The camera's state now. One that does not answer its thread is silent before its last frame is old."""
        state = self.camera.state(t_ns)
        return CameraState.SILENT if self.camera_error and state is not CameraState.NO_FRAME_YET else state

    def arrived(self, event: FrameArrived) -> None:
        """Takes a frame from the camera: logged and counted, and queued for its pose unless the camera is broken."""
        self._counts["frames"] += 1
        self._counts["frames_dropped_queue"] += event.dropped_before
        self.last_frame = event.frame
        state = self.camera.observe(event.frame, event.t_ns)
        with_picture = event.t_ns >= self._picture_due_ns
        if with_picture:
            self._picture_due_ns = event.t_ns + self._settings.picture_interval_ns
        self._rooms.journal.frame(event.t_ns, frame_record(event, state, with_picture), event.frame.image)
        if state in UNUSABLE_STATES:
            self._counts[f"frames_{state.value}"] += 1
        else:
            self._rooms.frames.arrived(event.t_ns, event.frame)

    def hand_out(self, t_ns: int) -> None:
        """Starts the fix, or the recording, of the oldest frame whose pose has come; drops it where both are busy."""
        posed = self._rooms.frames.next(t_ns, self._rooms.vehicle.poses)
        if posed is None:
            return
        posed = replace(posed, pose=self._grounded(posed.pose, t_ns))
        if not self._rooms.navigation.autopilot_is_witness:
            posed = replace(posed, position=None)  # neither recorded nor compared with
        self._latencies.add("pose_wait", t_ns - posed.arrived_t_ns)
        self._rooms.journal.write(t_ns, pose_record(posed))
        self._motion.take(t_ns, posed)
        due = posed.frame.t_ns >= self._fix_due_ns
        if due and not self._rooms.workers.busy(JobKind.FIX):
            self._fix_due_ns = posed.frame.t_ns + self._settings.fix_interval_ns
            self._start_fix(t_ns, posed)
        elif not self._start_record(t_ns, posed) and due:
            self._counts["frames_dropped_busy"] += 1

    def _grounded(self, pose: Pose, t_ns: int) -> Pose:
        """The pose with a height above ground, where a range finder gave it none."""
        if pose.height_agl_m is not None:
            return pose
        navigation, home = self._rooms.navigation, self._rooms.vehicle.telemetry.home
        takeoff = None if home is None or navigation.gps is GpsStanding.ABSENT else home.position
        height = self._rooms.ground.height_agl_m(pose, lambda: navigation.estimate(t_ns), takeoff)
        return pose if height is None else replace(pose, height_agl_m=height)

    def fixed(self, done: JobDone) -> None:
        """Takes the result of a fix; its frame may be recorded from now on."""
        posed: PosedFrame = done.subject
        if done.error is None:
            self._take_fix(done.t_ns, done.result, posed)
        else:
            self._failed("fix", done.t_ns, done.error)
        self._start_record(done.t_ns, posed)

    def recorded(self, done: JobDone) -> None:
        """Takes the result of a recording. A full disk ends the recording, not the flight; another
        program that writes to the history for long, or towers that give no numbers, cost this frame."""
        if done.error is not None:
            self._failed("record", done.t_ns, done.error)
            if expected(done.error) and not isinstance(done.error, (HistoryBusyError, EngineError)):
                self.recording_failed = str(done.error)
            return
        recorded: Recorded = done.result
        posed: PosedFrame = done.subject
        self._counts["keyframes" if recorded.keyframe_id is not None else "not_recorded"] += 1
        self._rooms.journal.write(done.t_ns, KeyframeRecord(recorded.keyframe_id, recorded.reason, posed.frame.t_ns))

    def _start_fix(self, t_ns: int, posed: PosedFrame) -> None:
        fixer, any_heading = self._rooms.fixer, self._settings.any_heading
        near = self._rooms.navigation.vision(t_ns).vicinity  # never the autopilot's word, which fixes are held against
        job = Job(
            JobKind.FIX, posed, lambda: fixer.fix(posed.frame, posed.pose, any_heading=any_heading, vicinity=near)
        )
        self._rooms.workers.start(job, t_ns)

    def _start_record(self, t_ns: int, posed: PosedFrame) -> bool:
        """Whether the recorder has taken the frame."""
        recorder, workers = self._rooms.recorder, self._rooms.workers
        if not self.recording or workers.busy(JobKind.RECORD):
            return False
        workers.start(Job(JobKind.RECORD, posed, lambda: recorder.add(posed.frame, posed.pose, posed.position)), t_ns)
        return True

    def _take_fix(self, t_ns: int, fix: Fix, posed: PosedFrame) -> None:
        self._counts[fix.decision.value] += 1
        self._latencies.add("exposure_to_fix", t_ns - posed.frame.t_ns)
        difference = self._rooms.navigation.on_fix(fix, posed.position)
        if fix.decision is Decision.FIX:
            self.last_fix, self.difference = fix, difference
            self.matched = Sighting(posed.frame, posed.pose, fix)
        self._rooms.guidance.saw(fix)
        self._rooms.journal.write(t_ns, fix_record(fix, difference, posed))
