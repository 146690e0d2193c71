"""What can be done to a simulated flight from outside: its lens covered, its receiver silenced, itself carried away."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import VEHICLE_LINK, FrameArrived, LinkBytes, LinkData
from sim.autopilot.autopilot import Autopilot
from sim.camera import SimulatedCamera, default_camera
from sim.flight import CameraRig, Companion, SimulatedFlight
from sim.scenario.aircraft import NotFlownError
from tests.sim.autopilot.companion import autopilot
from tests.sim.listener import Listener

HOME = (40.0, -25.0)


class GreyCamera:
    """Sees a grey world."""

    model = default_camera()

    def capture(self, *pose: Any) -> Any:
        return np.full((self.model.height_px, self.model.width_px, 3), 120, np.uint8)


def hovering(vehicle: Autopilot) -> tuple[SimulatedFlight, Listener]:
    vehicle.start_in_flight((0.0, 0.0, -60.0), "LOITER")
    listener = Listener()
    rig = CameraRig(cast(SimulatedCamera, GreyCamera()), seed=3)
    flight = SimulatedFlight(vehicle, rig, HOME, lambda: Companion(listener))
    flight.expose_every(200_000_000)
    return flight, listener


def brightness(listener: Listener) -> list[float]:
    return [float(event.frame.image.mean()) for event in listener.events if isinstance(event, FrameArrived)]


def test_a_covered_lens_gives_dark_frames_as_often_until_it_is_free() -> None:
    flight, listener = hovering(autopilot())
    flight.fly(2.0)
    flight.cover_camera(True)
    flight.fly(2.0)
    flight.cover_camera(False)
    flight.fly(2.0)
    seen = brightness(listener)
    assert len(seen) == pytest.approx(30, abs=1)
    dark = [level < 10.0 for level in seen]
    assert sum(dark) == pytest.approx(10, abs=1)
    assert not any(dark[:8]) and all(dark[11:18]) and not any(dark[-8:])
    frames = [event.frame.image for event in listener.events if isinstance(event, FrameArrived)]
    assert not np.array_equal(frames[12], frames[13]), "a sensor has noise: it is covered, not frozen"


def test_a_silenced_receiver_loses_its_fix() -> None:
    flight, listener = hovering(autopilot())
    companion = mavlink.MAVLink(None, srcSystem=1, srcComponent=191)
    ask = mavlink.MAVLink_command_long_message(1, 1, 511, 0, 24, 2e5, 0, 0, 0, 0, 0)
    flight.autopilot.receive(ask.pack(companion))
    flight.fly(1.0)
    flight.cut_gps()
    flight.fly(1.0)
    parser = mavlink.MAVLink(None)
    heard = [message for event in listener.events if isinstance(event, LinkData)
             for message in parser.parse_buffer(event.data) or []]  # fmt: skip
    fixes = [message.fix_type for message in heard if message.get_type() == "GPS_RAW_INT"]
    assert fixes[0] == 6 and fixes[-1] == 1


def test_it_is_carried_evenly_to_a_place() -> None:
    flight, _ = hovering(autopilot())
    flight.fly(0.5)
    flight.carry_to((HOME[0] + 60.0, HOME[1] - 80.0), 5.0)
    assert math.dist(flight.truth_now().ground, (HOME[0] + 60.0, HOME[1] - 80.0)) < 0.5
    steps = [math.dist(a.ground, b.ground) for a, b in zip(flight.track[-240:], flight.track[-239:], strict=False)]
    assert max(steps) < 1.0, "no leap"
    assert flight.t_ns == flight.track[-1].t_ns


class LastWords(Listener):
    """A daemon that says "hold here" when it is ended."""

    def close(self, t_ns: int) -> list[LinkBytes]:
        hold = mavlink.MAVLink_set_position_target_global_int_message(
            0, 1, 1, 6, 3576, 473_977_000, 85_456_000, 60.0, 0, 0, 0, 0, 0, 0, 0, 0
        )
        return [(VEHICLE_LINK, hold.pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=191)))]


def test_the_last_words_of_a_daemon_are_counted_and_reach_the_vehicle() -> None:
    vehicle = autopilot()
    vehicle.start_in_flight((0.0, 0.0, -60.0), "GUIDED")
    rig = CameraRig(cast(SimulatedCamera, GreyCamera()), seed=3)
    flight = SimulatedFlight(vehicle, rig, HOME, lambda: Companion(LastWords()))
    flight.fly(1.0)
    assert flight.referee.commands == []
    flight.close_daemon()
    assert [command.name for command in flight.referee.commands] == ["SET_POSITION_TARGET_GLOBAL_INT"]
    assert flight.referee.without_authority == 1, "nobody had granted it"
    assert bytes(flight.wire).startswith(b"\xfd")


def test_what_is_asked_and_never_answered_ends_in_time() -> None:
    flight, _ = hovering(autopilot())
    with pytest.raises(NotFlownError, match="did not answer status within 2 s"):
        flight.ask({"command": "status"}, 2.0)
    assert flight.t_ns == pytest.approx(2_000_000_000, abs=20_000_000)
