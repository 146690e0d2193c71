"""A companion computer or ground station for tests: sends requests, keeps what came back."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig

HOME = GeoPoint(47.3977, 8.5456)
STEP_NS = 10_000_000


def autopilot(**options: Any) -> Autopilot:
    """An autopilot that is ready at boot and free of errors, where ``options`` do not say otherwise."""
    exact = {"gps_noise_m": 0.0, "attitude_bias_deg": 0.0, "heading_bias_deg": 0.0, "height_error": 0.0}
    return Autopilot(AutopilotConfig(HOME, **{"ready_at_boot": True, **exact, **options}))


class Companion:
    """One peer of an autopilot, on a link of its own."""

    def __init__(self, vehicle: Autopilot, link: int = 0, system: int = 1, component: int = 191) -> None:
        self.vehicle, self.link = vehicle, link
        self._packer, self._parser = mavlink.MAVLink(None, system, component), mavlink.MAVLink(None)
        self.heard: list[Any] = []
        vehicle.transmit(link)  # from here on

    def send(self, message: Any) -> list[Any]:
        """Sends a message; returns what is answered without time passing."""
        self.vehicle.receive(message.pack(self._packer), self.link)
        self._packer.seq = (self._packer.seq + 1) % 256
        return self.listen()

    def listen(self) -> list[Any]:
        """Takes what has come."""
        new = self._parser.parse_buffer(self.vehicle.transmit(self.link)) or []
        self.heard += new
        return list(new)

    def command(self, number: int, *parameters: float) -> int | None:
        """Sends a COMMAND_LONG; its result."""
        padded = [*parameters, *[0.0] * (7 - len(parameters))]
        return self._result(self.send(mavlink.MAVLink_command_long_message(1, 1, number, 0, *padded)))

    def command_int(self, number: int, frame: int, p: tuple[float, ...], x: int, y: int, z: float) -> int | None:
        """Sends a COMMAND_INT; its result."""
        return self._result(self.send(mavlink.MAVLink_command_int_message(1, 1, frame, number, 0, 0, *p, x, y, z)))

    @staticmethod
    def _result(answers: list[Any]) -> int | None:
        return next((m.result for m in answers if m.get_type() == "COMMAND_ACK"), None)

    def run(self, seconds: float) -> list[Any]:
        """Lets time pass; what came meanwhile."""
        before = len(self.heard)
        until = self.vehicle.t_ns + round(seconds * 1e9)
        while self.vehicle.t_ns < until:
            self.vehicle.advance(min(until, self.vehicle.t_ns + 5 * STEP_NS))
            self.listen()
        return self.heard[before:]

    def texts(self) -> list[str]:
        """All texts so far."""
        return [m.text for m in self.heard if m.get_type() == "STATUSTEXT"]

    def last(self, kind: str) -> Any:
        """The newest message of a kind, or None."""
        return next((m for m in reversed(self.heard) if m.get_type() == kind), None)

    def ask(self, message_id: int) -> Any:
        """MAV_CMD_REQUEST_MESSAGE: the message, or None."""
        answers = self.send(mavlink.MAVLink_command_long_message(1, 1, 512, 0, message_id, 0, 0, 0, 0, 0, 0))
        return next((m for m in answers if m.get_msgId() == message_id), None)

    def stream(self, message_id: int, hz: float) -> int | None:
        """MAV_CMD_SET_MESSAGE_INTERVAL; its result."""
        return self.command(511, message_id, 1e6 / hz)

    def go_to(self, north_m: float, east_m: float, height_m: float) -> None:
        """A position target relative to HOME."""
        latitude = round((HOME.latitude_deg + north_m / 111_178.0) * 1e7)
        longitude = round((HOME.longitude_deg + east_m / 75_460.0) * 1e7)
        self.send(
            mavlink.MAVLink_set_position_target_global_int_message(
                0, 1, 1, 6, 3576, latitude, longitude, height_m, 0, 0, 0, 0, 0, 0, 0, 0
            )
        )

    def take_off(self, height_m: float) -> None:
        """GUIDED, arm, take off, and wait until it is up."""
        assert self.command(176, 1, 4) == 0
        assert self.command(400, 1) == 0
        assert self.command(22, 0, 0, 0, 0, 0, 0, height_m) == 0
        self.run(6.0 + height_m / 2.0)
