"""Where the EKF takes its horizontal position from: the active source set, and the receiver that is the primary one."""

from __future__ import annotations

import random
from collections.abc import Callable

from sim.autopilot.config import AutopilotConfig
from sim.autopilot.fed import MAV_RECEIVER, Aid, ExternalNavigation, FedReceiver
from sim.autopilot.gps import NO_GPS, Gps
from sim.autopilot.parameters import Parameters
from sim.autopilot.physics import Body

SOURCE_NONE, SOURCE_GPS, SOURCE_EXTERNAL = 0, 3, 6  # EK3_SRCx_POSXY
YAW_COMPASS, YAW_EXTERNAL = 1, 6  # EK3_SRCx_YAW
SETS = (1, 2, 3)

Receiver = Gps | FedReceiver
Say = Callable[[int, str], None]


class Sources:
    """The source sets of EK3_SRC1_* to EK3_SRC3_*, and what they choose from.

    Of a set, POSXY and YAW are acted on; VELXY is taken to come from where POSXY comes from, heights from the
    barometer (POSZ 1, as every recommended set has it).
    """

    __slots__ = ("_parameters", "active", "external", "fed", "gps")

    def __init__(self, parameters: Parameters, gps: Gps, fed: tuple[FedReceiver, FedReceiver]) -> None:
        self._parameters = parameters
        self.gps, self.fed = gps, fed
        self.external = ExternalNavigation()
        self.active = 1

    @classmethod
    def of(cls, config: AutopilotConfig, parameters: Parameters, seed: random.Random, say: Say) -> Sources:
        """What the parameters name at boot."""
        gps = Gps(config, seed)
        gps.present = parameters["GPS1_TYPE"] not in (0, MAV_RECEIVER)
        first, second = (
            FedReceiver(number, parameters[f"GPS{number}_TYPE"] == MAV_RECEIVER, say) for number in (1, 2)
        )
        return cls(parameters, gps, (first, second))

    def step(self, dt: float, now_s: float, body: Body) -> None:
        """The receivers, to ``now_s`` seconds after boot."""
        self.gps.step(dt, now_s, body)
        if self._parameters["VISO_TYPE"]:
            self.external.step(now_s, body)
        for receiver in self.fed:
            receiver.step(now_s)

    def select(self, number: int) -> bool:
        """MAV_CMD_SET_EKF_SOURCE_SET; False for a set that there is not."""
        if number not in SETS:
            return False
        self.active = number
        return True

    @property
    def position(self) -> int:
        """Where the active set takes the position from."""
        return int(self._parameters[f"EK3_SRC{self.active}_POSXY"])

    @property
    def yaw(self) -> int:
        """Where the active set takes the heading from."""
        return int(self._parameters[f"EK3_SRC{self.active}_YAW"])

    def aid(self) -> Gps | Aid | None:
        """What the active set listens to now; None where it wants no position."""
        if self.position == SOURCE_EXTERNAL:
            return self.external
        return self.primary() if self.position == SOURCE_GPS else None

    def receiver(self, number: int) -> Receiver | None:
        """The receiver of GPS1_TYPE or GPS2_TYPE; None where there is none."""
        fed = self.fed[number - 1]
        if fed.present:
            return fed
        return self.gps if number == 1 and self.gps.present else None

    def primary(self) -> Receiver | None:
        """The receiver with the better fix (GPS_AUTO_SWITCH 1), else the first; the first where they are alike."""
        first, second = self.receiver(1), self.receiver(2)
        if first is None or second is None or int(self._parameters["GPS_AUTO_SWITCH"]) != 1:
            return first or second
        return second if second.fix_type > max(first.fix_type, NO_GPS) else first
