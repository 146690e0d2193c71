"""What is known of receiver, sticks and fence: from the recordings, and at the edges that none of them has."""

from __future__ import annotations

from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.freshness import FENCE_STATUS
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.px4.stack import Px4
from runtime.vehicle.telemetry.poses import PoseBuffer
from runtime.vehicle.telemetry.reader import Reader
from runtime.vehicle.telemetry.safety import SafetySignals
from tests.runtime.vehicle.recording import fly

SECOND_NS = 1_000_000_000
RECEIVER, FENCE = mavlink.MAV_SYS_STATUS_SENSOR_RC_RECEIVER, mavlink.MAV_SYS_STATUS_GEOFENCE


def status(present: int, enabled: int, health: int) -> Any:
    return mavlink.MAVLink_sys_status_message(present, enabled, health, 0, 15800, 900, 73, 0, 0, 0, 0, 0, 0)


def fence(breached: bool) -> Any:
    return mavlink.MAVLink_fence_status_message(int(breached), 1, 2, 0, 0)


@pytest.mark.parametrize("name", ["arducopter_goto_land", "arducopter_mission_auto_rtl", "arducopter_gps_lost_unaided"])
def test_a_real_arducopter_says_that_its_receiver_works_and_that_no_fence_is_breached(name: str) -> None:
    """It has a fence that is not enabled, and so never sends FENCE_STATUS."""
    for state in fly(name).seconds[3:]:
        assert state.telemetry.rc_receiver_ok is True and state.telemetry.fence_breached is False
        assert state.telemetry.sticks_moved is None  # nobody asked it for RC_CHANNELS there
        assert not state.telemetry.failsafes & {"rc", "fence"}


def test_a_real_px4_says_nothing_of_a_fence_and_has_no_receiver() -> None:
    for state in fly("px4_goto_offboard").seconds[3:]:
        assert state.telemetry.fence_breached is None and state.telemetry.rc_receiver_ok is None
        assert not state.telemetry.failsafes & {"rc", "fence"}


def test_a_receiver_is_lost_only_after_it_was_heard() -> None:
    """ArduCopter without a receiver has the present bit and no health; PX4 drops the present bit of one it lost."""
    never, copter, px4 = (SafetySignals(no_fence_without_bit=True) for _ in range(3))
    never.sys_status(status(RECEIVER, RECEIVER, 0))
    assert never.receiver_ok is False and not never.receiver_lost
    for signals, lost in ((copter, status(RECEIVER, RECEIVER, 0)), (px4, status(0, RECEIVER, 0))):
        signals.sys_status(status(RECEIVER, RECEIVER, RECEIVER))
        assert signals.receiver_ok and not signals.receiver_lost
        signals.sys_status(lost)
        assert not signals.receiver_ok and signals.receiver_lost
        signals.sys_status(status(RECEIVER, RECEIVER, RECEIVER))
        assert not signals.receiver_lost


@pytest.mark.parametrize(
    ("present", "enabled", "health", "ardupilot", "px4"),
    [
        (0, 0, 0, False, None),  # ArduPilot would have the bit
        (FENCE, 0, FENCE, False, False),
        (FENCE, FENCE, FENCE, False, False),
        (FENCE, FENCE, 0, True, True),
        (FENCE, 0, 0, True, True),  # FENCE_ACTION 0: it only reports
    ],
)
def test_the_fence_by_the_bits(present: int, enabled: int, health: int, ardupilot: bool, px4: bool | None) -> None:
    for no_fence_without_bit, known in ((True, ardupilot), (False, px4)):
        signals = SafetySignals(no_fence_without_bit)
        assert signals.fence_breached(0) is None
        signals.sys_status(status(present, enabled, health))
        assert signals.fence_breached(0) is known


def test_fence_status_is_believed_for_its_time_and_a_breach_until_it_is_denied() -> None:
    signals = SafetySignals(no_fence_without_bit=False)
    signals.fence_status(fence(False), 0)
    assert signals.fence_breached(FENCE_STATUS.ns) is False and signals.fence_breached(FENCE_STATUS.ns + 1) is None
    signals.fence_status(fence(True), SECOND_NS)
    assert signals.fence_breached(3600 * SECOND_NS) is True
    signals.sys_status(status(FENCE, FENCE, FENCE))  # kept, by a word that is newer than the breach
    assert signals.fence_breached(2 * SECOND_NS) is True and signals.fence_breached(10 * SECOND_NS) is False
    signals.fence_status(fence(False), 11 * SECOND_NS)
    assert signals.fence_breached(11 * SECOND_NS) is False


def test_the_sticks_that_an_autopilot_names_itself_are_believed_before_any_channel() -> None:
    """PX4 sends MANUAL_CONTROL of whoever's sticks it flies by, RC_CHANNELS of a receiver alone, in its channels' own
    order: one whose first channel is the throttle seems to be moved at rest."""
    reader = Reader(VehicleConfig(), Px4(), PoseBuffer(4.0, 0.05, 0.05))

    def channels(t_ns: int) -> None:
        values = (1000, 1500, 1500, 1500, *[0xFFFF] * 14)
        reader.take(mavlink.MAVLink_rc_channels_message(0, 4, *values, 0), t_ns, t_ns)

    def axes(x: int, y: int, r: int, t_ns: int) -> None:
        reader.take(mavlink.MAVLink_manual_control_message(1, x, y, 0, r, 0), t_ns, t_ns)

    channels(0)
    assert reader.telemetry.sticks_moved is True
    axes(0, 0, 0, SECOND_NS)
    channels(2 * SECOND_NS)
    assert (reader.telemetry.sticks_moved, reader.telemetry.sticks_t_ns) == (False, SECOND_NS)
    for moved in ((400, 0, 0), (0, -400, 0), (0, 0, 400)):
        axes(*moved, 3 * SECOND_NS)
        assert reader.telemetry.sticks_moved is True
