"""What ends the operator's word is heard event by event, also where it comes and goes between two decisions."""

from __future__ import annotations

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.daemon.revocations import revocation
from runtime.events import LinkData
from runtime.geodesy import offset
from runtime.guidance.reasons import Reason
from runtime.vehicle import events
from tests.runtime.daemon.cockpit import HOME, Cockpit

TARGET = offset(HOME, 60.0, 80.0)


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (events.ArmedChanged(0, armed=False, first=False), Reason.WAS_DISARMED),
        (events.ArmedChanged(0, armed=False, first=True), None),  # stood there disarmed when it was first heard
        (events.ArmedChanged(0, armed=True, first=False), None),
        (events.LandedChanged(0, "landing", "in_air"), Reason.LANDED),
        (events.LandedChanged(0, "on_ground", "in_air"), Reason.LANDED),
        (events.LandedChanged(0, "on_ground", None), None),
        (events.LandedChanged(0, "in_air", "taking_off"), None),
        (events.ConnectionLost(0, 5.0), Reason.LINK_LOST),
        (events.Rebooted(0, 100.0, 1.0), Reason.REBOOTED),
        (events.ForeignTarget(0, "255/190", "MAV_CMD_DO_REPOSITION", None), Reason.FOREIGN_TARGET),
        (events.OtherAutopilot(0, 2, 1), Reason.SECOND_AUTOPILOT),
        (events.CompanionConflict(0, 1, 191), Reason.SECOND_COMPANION),
        (events.Text(0, 6, "hello"), None),
    ],
)
def test_every_event_by_its_cause(event: events.VehicleEvent, cause: Reason | None) -> None:
    assert revocation(event) is cause


def test_a_disarming_that_no_decision_sees_ends_the_word_all_the_same() -> None:
    cockpit = Cockpit()
    cockpit.to_ready(TARGET)
    voice = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    beats = [mavlink.MAVLink_heartbeat_message(2, 3, base_mode, 5, 4, 3).pack(voice) for base_mode in (89, 217)]
    cockpit.daemon.step(LinkData(cockpit.t_ns, b"".join(beats)))
    cockpit.fly(0.1)
    status = cockpit.ask("status")
    assert status["vehicle"]["armed"] and status["target"] is None and "was_disarmed" in status["reasons"]
    cockpit.forget_wire()
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    assert cockpit.commands() == []
