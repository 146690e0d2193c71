"""Modes, arming and landing: who flies the vehicle now, and whether its motors may turn."""

from __future__ import annotations

import math

from sim.autopilot.behaviours import Behaviour, Brake, Land, Loiter, Rtl, Sticks
from sim.autopilot.guided import Guided
from sim.autopilot.modes import ARMABLE, DISARMS_ON_LANDING, NEEDS_POSITION, Mode
from sim.autopilot.plan import Auto, Mission, MissionState
from sim.autopilot.vehicle import CRITICAL, INFO, Vehicle

LAND_DETECT_S = 1.65  # on the ground without lift, recorded: 1.65 s from "SIM Hit ground" to STANDBY
DISARM_AFTER_LANDING_S = 0.45  # recorded: 2.1 s from "SIM Hit ground" to "Disarming motors"
THROTTLE_ZERO_PWM = 1030  # the stick is at the bottom: RC3_MIN and RC3_DZ
PREARM_READY_S = 23.5  # recorded: the prearm bit in STABILIZE, before there is any position
PREARM_TEXT_S = 30.0  # between repeats of the PreArm texts
LANDED_ON_GROUND, LANDED_IN_AIR, LANDED_TAKEOFF, LANDED_LANDING = 1, 2, 3, 4  # MAV_LANDED_STATE


class Flight:
    """The vehicle's mode and motors, with what ArduCopter allows and refuses."""

    def __init__(self, vehicle: Vehicle, mission: Mission) -> None:
        self.vehicle, self.mission = vehicle, mission
        self.mode = Mode(int(vehicle.parameters["INITIAL_MODE"]))
        self.behaviour: Behaviour = self._make(self.mode, 0.0)
        self.mode_news = 0  # counts the changes that peers must be told of at once
        self._ground_s = 0.0  # on the ground without lift
        self._idle_s = 0.0  # armed and landed
        self._flew = False  # since arming
        self._prearm_text_s = PREARM_TEXT_S

    def set_mode(self, mode: Mode, pause_s: float = 0.0) -> bool:
        """Changes the mode; False, with a text, where ArduCopter refuses. ``pause_s`` delays LAND's descent."""
        vehicle = self.vehicle
        if mode is self.mode and not pause_s:
            return True
        reason = self._refusal(mode)
        if vehicle.armed and reason:
            vehicle.say(CRITICAL, reason)
            return False
        self.mode = mode
        vehicle.speeds.forget()
        self.behaviour = self._make(mode, pause_s)
        self.mode_news += 1
        return True

    def _refusal(self, mode: Mode) -> str | None:
        if mode in NEEDS_POSITION and not self.vehicle.estimator.position_ok:
            return f"Mode change to {mode.name} failed: requires position"
        if mode is Mode.AUTO and self.mission.empty:
            return "Mode change to AUTO failed: init failed"
        if mode is Mode.AUTO and self.vehicle.landed and not self.mission.starts_with_takeoff():
            return "Auto: Missing Takeoff Cmd"
        return None

    def _make(self, mode: Mode, pause_s: float) -> Behaviour:
        vehicle = self.vehicle
        if mode is Mode.GUIDED:
            return Guided(vehicle)
        if mode is Mode.AUTO:
            return Auto(vehicle, self.mission)
        if mode is Mode.RTL:
            return Rtl(vehicle)
        if mode is Mode.LAND:
            return Land(vehicle, pause_s)
        if mode is Mode.BRAKE:
            return Brake(vehicle)
        return Loiter(vehicle) if mode in (Mode.LOITER, Mode.POSHOLD) else Sticks(vehicle)

    @property
    def guided(self) -> Guided | None:
        """The GUIDED mode where it is the one that flies."""
        return self.behaviour if isinstance(self.behaviour, Guided) else None

    @property
    def auto(self) -> Auto | None:
        """The AUTO mode where it is the one that flies."""
        return self.behaviour if isinstance(self.behaviour, Auto) else None

    @property
    def landed_state(self) -> int:
        """MAV_LANDED_STATE."""
        if self.vehicle.landed:
            return LANDED_ON_GROUND
        if self.behaviour.taking_off:
            return LANDED_TAKEOFF
        return LANDED_LANDING if self.behaviour.landing else LANDED_IN_AIR

    def prearm_problems(self) -> list[str]:
        """Why arming would be refused now, in ArduCopter's words; empty sets the prearm bit."""
        estimator = self.vehicle.estimator
        problems = []
        if not estimator.initialised:
            problems.append("AHRS: EKF3 not started")
        elif self.vehicle.t_s < PREARM_READY_S:
            problems.append("AHRS: waiting for home")
        elif estimator.position_ok and self.vehicle.home is None:
            problems.append("AHRS: waiting for home")
        if self.vehicle.parameters["VISO_TYPE"] and not self.vehicle.sources.external.healthy(self.vehicle.t_s):
            problems.append("VisOdom: not healthy")
        if self.mode in NEEDS_POSITION and not estimator.position_ok:
            problems.append("Need Position Estimate")
        return problems

    def report_prearm(self, prefix: str, problems: list[str]) -> None:
        """One text for each problem."""
        for problem in problems:
            self.vehicle.say(CRITICAL, f"{prefix}: {problem}")

    def arm(self, force: bool = False) -> bool:
        """Starts the motors; False, with texts, where ArduCopter refuses."""
        vehicle = self.vehicle
        if vehicle.armed:
            return True
        problems = [] if force else self.prearm_problems()
        may_auto = self.mode is Mode.AUTO and int(vehicle.parameters["AUTO_OPTIONS"]) & 1
        if not problems and self.mode not in ARMABLE and not may_auto:
            problems = ["Mode not armable"]
        if problems:
            self.report_prearm("Arm", problems)
            return False
        vehicle.armed, vehicle.armed_s = True, vehicle.t_s
        self._idle_s, self._flew = 0.0, False
        if not vehicle.home_locked and vehicle.estimator.origin_ne is not None:
            vehicle.set_home(vehicle.home_here())
        vehicle.say(INFO, "Arming motors")
        if self.auto is not None:
            self.behaviour = self._make(Mode.AUTO, 0.0)
        return True

    def disarm(self, force: bool = False) -> bool:
        """Stops the motors; refused in flight unless forced, and then the vehicle falls."""
        vehicle = self.vehicle
        if not vehicle.armed:
            return True
        if not vehicle.landed and not force:
            return False
        vehicle.armed, vehicle.landed = False, True
        vehicle.drive.idle()
        vehicle.say(INFO, "Disarming motors")
        return True

    def step(self, dt: float) -> None:
        """Lets the mode set its demands; notices lift-off, touch-down and idleness."""
        vehicle = self.vehicle
        if vehicle.armed:
            self.behaviour.step(vehicle)
            self._watch_ground(dt)
        else:
            vehicle.drive.idle()
            self._prearm_texts()
        hit = vehicle.body.hit_m_s
        if hit is not None:
            vehicle.say(INFO, f"SIM Hit ground at {hit:.6f} m/s")

    def _watch_ground(self, dt: float) -> None:
        vehicle = self.vehicle
        if not vehicle.body.on_ground:
            if vehicle.landed:
                vehicle.landed, self._flew = False, True
            self._ground_s = self._idle_s = 0.0
            return
        self._ground_s = self._ground_s + dt if vehicle.drive.descending else 0.0
        if self._ground_s >= LAND_DETECT_S:
            vehicle.landed = True
        if not vehicle.landed:
            return
        self._idle_s += dt
        if self.guided is not None and self.guided.taking_off:  # it is about to leave
            return
        done = self._flew and self.mode in DISARMS_ON_LANDING
        if not done and vehicle.throttle_pwm > THROTTLE_ZERO_PWM:  # a stick that is up keeps it armed
            self._idle_s = 0.0
        delay = DISARM_AFTER_LANDING_S if done else vehicle.parameters["DISARM_DELAY"]
        if delay and self._idle_s >= delay:
            if done and isinstance(self.behaviour, Auto):
                self.behaviour.landed(vehicle)
            self.disarm()

    def _prearm_texts(self) -> None:
        if self.vehicle.t_s >= self._prearm_text_s:
            self._prearm_text_s += PREARM_TEXT_S
            self.report_prearm("PreArm", self.prearm_problems())

    def take_off(self, height: float) -> bool:
        """MAV_CMD_NAV_TAKEOFF: only armed, landed and in GUIDED."""
        guided, vehicle = self.guided, self.vehicle
        if guided is None or not vehicle.armed or not vehicle.landed or not height > vehicle.height:
            return False
        guided.take_off(vehicle, height)
        return True

    def start_mission(self) -> None:
        """MAV_CMD_MISSION_START: accepted whatever the state, effective only armed and in AUTO."""
        vehicle = self.vehicle
        if not vehicle.armed:
            return
        if self.set_mode(Mode.AUTO) and self.auto is not None:
            self.auto.cleared = True
            self._idle_s = 0.0

    def place(self) -> None:
        """Airborne and armed at once, as after a survey."""
        vehicle = self.vehicle
        vehicle.armed, vehicle.landed, self._flew = True, False, True
        vehicle.armed_s = -math.inf
        vehicle.drive.restart()

    @property
    def mission_state(self) -> MissionState:
        """MISSION_STATE; an interrupted mission counts as paused."""
        state = self.mission.state
        if state is MissionState.ACTIVE and self.mode is not Mode.AUTO:
            return MissionState.PAUSED
        return state
